"""Downloaded modules: ordinary Python under names of their own."""

import importlib
import inspect
import sys
import threading
import traceback
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from emporion.agents.manifest import closure_id, digest_of
from emporion.errors import ConfigurationError, LimitExceeded, ProtocolError
from emporion.runtime.code.importer import MobileModules
from emporion.runtime.code.store import MemoryCodeStore

TV = "class TV:\n    def description(self):\n        return 'a TV'\n"


@pytest.fixture
def modules() -> Iterator[MobileModules]:
    made = MobileModules()
    before = set(sys.modules)
    yield made
    made.close()
    assert not {name for name in set(sys.modules) - before if "@" in name}, "closing leaves nothing in sys.modules"


def give(modules: MobileModules, sources: Mapping[str, str]) -> str:
    manifest = {name: digest_of(text) for name, text in sources.items()}
    found = modules.add_closure(manifest)
    for name, digest in modules.missing(manifest).items():
        modules.add_source(name, digest, sources[name])
    return found


def load(modules: MobileModules, sources: Mapping[str, str], module: str, qualname: str) -> Any:
    return modules.load_class(give(modules, sources), module, qualname)


def test_a_class_runs_and_its_module_stands_under_no_plain_name(modules: MobileModules) -> None:
    cls = load(modules, {"objects.tv": TV}, "objects.tv", "TV")
    assert cls().description() == "a TV"
    assert "objects.tv" not in sys.modules
    assert "objects" not in sys.modules
    assert cls.__module__ in sys.modules
    assert cls.__module__.startswith("objects@")
    assert cls.__module__.endswith(".tv")


def test_origin_gives_the_plain_names_back(modules: MobileModules) -> None:
    cls = load(modules, {"objects.tv": f"{TV}    class Remote: pass\n"}, "objects.tv", "TV.Remote")
    origin = modules.origin(cls)
    assert origin is not None
    assert (list(origin[0]), *origin[1:]) == (["objects.tv"], "objects.tv", "TV.Remote")
    assert modules.origin(dict) is None
    assert MobileModules().origin(cls) is None
    forged = type("TV", (), {"__module__": cls.__module__})
    assert modules.origin(forged) is None


@pytest.mark.parametrize(
    "statement",
    [
        "import objects.parts.screen as screen",
        "from objects.parts import screen",
        "from objects.parts.screen import SIZE; import objects; screen = objects.parts.screen",
        "from .parts import screen",
        "from . import parts; screen = parts.screen",
        "from objects.parts import *",
        "import importlib; screen = importlib.import_module('objects.parts.' + 'screen')",
        "import importlib; screen = importlib.import_module('.parts.screen', __package__)",
        "from importlib import import_module; screen = import_module('objects.parts.screen')",
        "screen = __import__('objects.parts.screen', fromlist=['x'])",
        "exec('import objects.parts.screen as screen')",
    ],
)
def test_imports_resolve_inside_the_closure(modules: MobileModules, statement: str) -> None:
    sources = {
        "objects.tv": f"{statement}\nimport json, os.path, importlib.util\nclass TV:\n    size = screen.SIZE\n",
        "objects.parts": "from . import screen\n__all__ = ['screen']\n",
        "objects.parts.screen": "import objects.other\nSIZE = 42\n",
        "objects.other": "\n",
    }
    assert load(modules, sources, "objects.tv", "TV").size == 42


def test_the_closure_comes_before_the_interpreter(
    modules: MobileModules, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("twofold", "local_only"):
        (tmp_path / f"{name}.py").write_text("WHERE = 'here'\n", encoding="utf-8")
    sources = {"shop": "import twofold, local_only\nclass A: where = twofold.WHERE, local_only.WHERE\n",
               "twofold": "WHERE = 'there'\n"}  # fmt: skip
    assert load(modules, sources, "shop", "A").where == ("there", "here")
    assert importlib.import_module("twofold").WHERE == "here"
    del sys.modules["twofold"], sys.modules["local_only"]


def test_two_versions_live_side_by_side(modules: MobileModules) -> None:
    base = "class Base: pass\n"
    old = load(modules, {"objects.tv": "from .base import Base\nclass TV(Base): year = 1\n", "objects.base": base},
               "objects.tv", "TV")  # fmt: skip
    new = load(modules, {"objects.tv": "from .base import Base\nclass TV(Base): year = 2\n", "objects.base": base},
               "objects.tv", "TV")  # fmt: skip
    assert (old.year, new.year) == (1, 2)
    assert old.__mro__[1] is not new.__mro__[1]


def test_closures_that_agree_share_their_classes(modules: MobileModules) -> None:
    base = {"objects.base": "class Thing: pass\n"}
    tv = load(modules, {**base, "objects.tv": "from .base import Thing\nclass TV(Thing): pass\n"}, "objects.tv", "TV")
    boots = load(modules, {**base, "objects.boots": "from objects.base import Thing\nclass Boots(Thing): pass\n"},
                 "objects.boots", "Boots")  # fmt: skip
    assert tv.__mro__[1] is boots.__mro__[1]
    assert load(modules, base, "objects.base", "Thing") is tv.__mro__[1]


@pytest.mark.parametrize(
    ("first", "later"),
    [
        pytest.param(["objects.tv"], ["objects", "objects.boots"], id="made up, then with code"),
        pytest.param(["objects", "objects.tv"], ["objects.boots"], id="with code, then made up"),
        pytest.param(["objects.tv"], ["objects.tv.boots"], id="a plain module, then made up"),
        pytest.param(["objects.tv"], ["objects"], id="made up, then a plain module"),
        pytest.param(["objects"], ["objects", "objects.boots"], id="a plain module, then a package with code"),
    ],
)
def test_a_package_never_changes_its_nature_under_running_code(
    modules: MobileModules, first: list[str], later: list[str]
) -> None:
    worlds = []
    for names in (first, later):
        cls = load(modules, dict.fromkeys(names, "class Thing: pass\n"), names[-1], "Thing")
        package = sys.modules[cls.__module__.partition(".")[0]]
        assert hasattr(package, "Thing") is (names[0] == "objects")
        worlds.append(package)
    assert worlds[0] is not worlds[1]


def test_circular_imports_work_as_in_cpython(modules: MobileModules) -> None:
    sources = {
        "objects.a": "import objects.b\nclass A:\n    def other(self):\n        return objects.b.B\n",
        "objects.b": "from . import a\nclass B:\n    def other(self):\n        return a.A\n",
    }
    cls = load(modules, sources, "objects.a", "A")
    assert cls().other()().other() is cls


def test_nothing_runs_before_the_whole_closure_is_there(modules: MobileModules) -> None:
    sources = {"objects.a": "raise AssertionError('ran too early')\n", "objects.b": "class B: pass\n"}
    manifest = {name: digest_of(text) for name, text in sources.items()}
    found = modules.add_closure(manifest)
    assert modules.missing(manifest) == manifest
    modules.add_source("objects.a", manifest["objects.a"], sources["objects.a"])
    assert modules.missing(manifest) == {"objects.b": manifest["objects.b"]}
    with pytest.raises(ProtocolError, match=r"'objects\.b' has not arrived"):
        modules.load_class(found, "objects.a", "A")


def test_an_unfinished_closure_is_out_of_reach_of_a_finished_one(modules: MobileModules) -> None:
    extra = {"objects.extra": "class E: pass\n", "objects.absent": "\n"}
    manifest = {name: digest_of(text) for name, text in extra.items()}
    modules.add_closure(manifest)
    modules.add_source("objects.extra", manifest["objects.extra"], extra["objects.extra"])
    text = "try:\n    import objects.extra\nexcept ImportError:\n    class TV: alone = True\n"
    assert load(modules, {"objects.tv": text}, "objects.tv", "TV").alone


def test_the_same_text_under_another_name_is_accepted_anew(modules: MobileModules) -> None:
    give(modules, {"objects.tv": TV})
    again = {"objects.radio": digest_of(TV)}
    assert modules.missing(again) == again
    assert modules.source(digest_of(TV)) == TV


def test_only_announced_modules_and_texts_come_in(modules: MobileModules) -> None:
    modules.add_closure({"objects.tv": digest_of(TV)})
    with pytest.raises(ProtocolError, match="announced"):
        modules.add_source("objects.radio", digest_of(TV), TV)
    with pytest.raises(ProtocolError, match="digest"):
        modules.add_source("objects.tv", digest_of(TV), TV + "#")
    with pytest.raises(ProtocolError):
        modules.add_closure({"os": digest_of(TV)})


@pytest.mark.parametrize(
    ("module", "qualname"),
    [
        ("objects.none", "TV"),
        ("objects", "TV"),
        ("objects.tv", "Missing"),
        ("objects.tv", "number"),
        ("objects.tv", "OrderedDict"),
        ("objects.tv", "TV.description"),
        ("objects.tv", "TV.made"),
        ("objects.tv", "json.JSONDecoder"),
    ],
)
def test_only_classes_that_the_module_makes_are_given_out(modules: MobileModules, module: str, qualname: str) -> None:
    text = f"import json\nfrom collections import OrderedDict\nnumber = 3\n{TV}TV.made = TV()\n"
    found = give(modules, {"objects.tv": text})
    with pytest.raises(LookupError):
        modules.load_class(found, module, qualname)
    with pytest.raises(LookupError):
        modules.load_class("0" * 64, "objects.tv", "TV")


def test_members_of_enums_are_found_by_name(modules: MobileModules) -> None:
    found = give(modules, {"objects.tv": "import enum\nclass Colour(enum.Enum):\n    RED = 1\n"})
    red: Any = modules.load(found, "objects.tv", "Colour.RED")
    colour: Any = modules.load_class(found, "objects.tv", "Colour")
    assert red is colour["RED"]
    with pytest.raises(LookupError):
        modules.load_class(found, "objects.tv", "Colour.RED")


def test_a_failing_module_is_not_left_half_made(modules: MobileModules) -> None:
    sources = {"objects.tv": "import objects.flag\nobjects.flag.count += 1\nif objects.flag.count < 2:\n    "
                             f"raise OSError('not yet')\n{TV}", "objects.flag": "count = 0\n"}  # fmt: skip
    found = give(modules, sources)
    with pytest.raises(OSError, match="not yet"):
        modules.load_class(found, "objects.tv", "TV")
    assert not any(name.endswith(".tv") and "@" in name for name in sys.modules)
    assert modules.load_class(found, "objects.tv", "TV")().description() == "a TV"


def test_tracebacks_and_inspect_show_the_source(modules: MobileModules) -> None:
    text = "class TV:\n    def fail(self):\n        raise ValueError('on purpose')  # right here\n"
    cls = load(modules, {"objects.tv": text}, "objects.tv", "TV")
    with pytest.raises(ValueError) as caught:
        cls().fail()
    shown = "".join(traceback.format_exception(caught.value))
    assert "# right here" in shown
    assert f"<objects.tv {digest_of(text)[:8]}>" in shown
    assert inspect.getsource(cls) == text


def test_dataclasses_enums_and_annotations_find_their_module(modules: MobileModules) -> None:
    text = (
        "from __future__ import annotations\nimport typing\nfrom dataclasses import dataclass, field\n"
        "@dataclass\nclass TV:\n    size: int = 1\n    parts: list[Part] = field(default_factory=list)\n"
        "class Part: pass\n"
    )
    cls = load(modules, {"objects.tv": text}, "objects.tv", "TV")
    assert cls() == cls(1, [])
    assert typing.get_type_hints(cls)["parts"].__args__[0].__qualname__ == "Part"


def test_many_threads_import_a_module_once(modules: MobileModules) -> None:
    found = give(modules, {"objects.tv": f"import objects.count\nobjects.count.runs.append(1)\n{TV}",
                           "objects.count": "runs = []\nclass C: its = runs\n"})  # fmt: skip
    start = threading.Barrier(8)
    classes: list[type] = []

    def work() -> None:
        start.wait(5)
        classes.append(modules.load_class(found, "objects.tv", "TV"))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(classes) == 8
    assert len(set(classes)) == 1
    count: Any = modules.load_class(found, "objects.count", "C")
    assert count.its == [1]


def test_two_hosts_with_the_same_code_stay_apart(modules: MobileModules) -> None:
    other = MobileModules()
    one, two = (load(its, {"objects.tv": TV}, "objects.tv", "TV") for its in (modules, other))
    assert one is not two
    assert other.origin(two) is not None
    assert other.origin(one) is None
    other.close()


def test_what_a_host_may_announce_is_bounded() -> None:
    modules = MobileModules(MemoryCodeStore(max_bytes=100), max_closures=2)
    first, second = {"a": digest_of("x = 1\n")}, {"b": digest_of("#" * 200)}
    assert modules.add_closure(first) == modules.add_closure(first) == closure_id(first)
    modules.add_closure(second)
    with pytest.raises(LimitExceeded, match="max_closures"):
        modules.add_closure({"c": digest_of("x = 1\n")})
    with pytest.raises(LimitExceeded, match="max_bytes"):
        modules.add_source("b", second["b"], "#" * 200)
    modules.close()
    with pytest.raises(ConfigurationError, match="closed"):
        modules.add_closure(first)


def test_texts_in_use_stay_in_the_store_until_closing() -> None:
    store = MemoryCodeStore(max_modules=1)
    modules = MobileModules(store)
    give(modules, {"objects.tv": TV})
    with pytest.raises(LimitExceeded):
        store.put(digest_of("x = 1\n"), "x = 1\n")
    modules.close()
    store.put(digest_of("x = 1\n"), "x = 1\n")
    assert store.get(digest_of(TV)) is None


def test_foreign_packages_see_no_difference(modules: MobileModules) -> None:
    """Only modules of a world have imports of their own kind: those they use keep the interpreter's."""
    text = "import json, decimal\nclass TV:\n    def make(self): return json.loads('[1]'), decimal.Decimal(1)\n"
    assert load(modules, {"json_tools": "\n", "objects.tv": text}, "objects.tv", "TV")().make() == ([1], 1)
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("objects.tv")
