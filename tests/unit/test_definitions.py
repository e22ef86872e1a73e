"""Classes and functions as values: by which name they travel, and which of them never do; versions side by side."""

import functools
import importlib
import linecache
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from emporion.agents.closure import Manifests, closure_of
from emporion.agents.manifest import digest_of
from emporion.agents.places import place_of
from emporion.agents.state import definition_name, is_definition, name_of, subject_of
from emporion.errors import ConfigurationError

Write = Callable[[Mapping[str, str]], Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Writes files into a folder on `sys.path`, each time with another date; afterwards nothing of it is imported."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    times = iter(range(1_700_000_000, 1_800_000_000, 10))

    def put(files: Mapping[str, str]) -> Path:
        for name, text in files.items():
            path = tmp_path / name
            path.write_text(text, encoding="utf-8")
            os.utime(path, (0, next(times)))
        importlib.invalidate_caches()
        return tmp_path

    yield put
    for name in set(sys.modules) - before:
        del sys.modules[name]


def afresh(name: str) -> Any:
    sys.modules.pop(name, None)
    return importlib.import_module(name)


MANY = '''
import enum, functools, json
from json import dumps
def price(thing): return 1
cheap = lambda thing: 2
def make():
    class Made: pass
    def made(): pass
    return Made, made
Made, _made = make()
class Shelf:
    Hidden, hidden = make()
    class Inner: pass
    def look(self): pass
    @staticmethod
    def still(): pass
class Tone(enum.Enum):
    LOW = 1
    OFF = 1
Renamed = type("Named", (), {})
'''


def test_definitions_travel_under_a_path_that_leads_to_them(write: Write) -> None:
    write({"many.py": MANY})
    many, manifests = importlib.import_module("many"), Manifests()
    for path in "price cheap Made _made Shelf Shelf.Hidden Shelf.hidden Shelf.Inner Shelf.look Tone Renamed".split():
        definition: Any = functools.reduce(getattr, path.split("."), many)
        found = manifests.of(definition)
        assert (found.module, found.qualname) == ("many", path)
        assert found.manifest == {"many": digest_of(MANY)}
        assert is_definition(definition) and definition_name(definition) == path
        assert manifests.at_home("many", digest_of(MANY), path) is definition
    assert name_of(many.Made()) == "Made" and name_of(many.Shelf.Hidden()) == "Shelf.Hidden"
    assert subject_of(many.Made()) is many.Made and subject_of(many.price) is many.price
    assert definition_name(many.Tone.OFF) == "Tone.LOW" and subject_of(many.Tone.LOW) is many.Tone
    assert not is_definition(many.Made()) and definition_name(many.Made()) is None


def test_of_several_paths_the_first_public_one_at_the_top_counts(write: Write) -> None:
    text = "def make():\n    class C: pass\n    return C\n_a = make()\nclass B:\n    A = _a\nz = _a\ny = _a\n"
    write({"many.py": text})
    assert Manifests().of(importlib.import_module("many")._a).qualname == "y"


def test_what_is_given_by_name_is_defined_in_that_module(write: Write) -> None:
    text = MANY + "from helper import Foreign, foreign\nborrowed = functools.wraps(price)(foreign)\n"
    text += "def claimed(): pass\nclaimed.__module__ = 'helper'\n"
    write({"many.py": text, "helper.py": "class Foreign: pass\ndef foreign(): pass\n"})
    manifests = Manifests()
    manifests.of(importlib.import_module("many").Shelf)
    no = "Foreign foreign borrowed claimed dumps functools make.x Shelf.still Tone.NO Shelf.__dict__ __builtins__"
    for name in [*no.split(), "__loader__", "Tone._member_map_", "", "."]:
        with pytest.raises(LookupError):
            manifests.at_home("many", digest_of(text), name)


def test_what_is_no_definition_of_a_module_is_told(write: Write) -> None:
    twice = "import functools\ndef twice(f):\n    @functools.wraps(f)\n    def w(): f(), f()\n    return w\n"
    write({"many.py": MANY + "import helper\n@helper.twice\ndef wrapped(): pass\n", "helper.py": twice})
    many = importlib.import_module("many")
    for value, why in [
        (many.Shelf().look, "neither a class nor a function"),
        (len, "neither a class nor a function"),
        (many.make()[0], "nothing leads to it from outside"),
        (lambda: 1, "nothing leads to it from outside"),
        (many.wrapped, "made in module 'helper'"),
        (functools.partial(many.price), "neither a class nor a function"),
        (importlib.import_module, "part of Python"),
    ]:
        with pytest.raises(ConfigurationError, match=why):
            closure_of(value)


def test_a_decorated_classs_instance_goes_under_the_path_that_leads_to_its_class(write: Write) -> None:
    write({"many.py": "def deco(cls):\n    class Wrapper(cls): pass\n    return Wrapper\n@deco\nclass Agent: pass\n"})
    agent = importlib.import_module("many").Agent()
    assert Manifests().of(type(agent)).qualname == "Agent" == name_of(agent)


# --- versions --------------------------------------------------------------------------------------------------------

AGENT = "import tools\nLIMIT = 1\nclass Agent:\n    price = 1\n    def go(self):\n        return tools.f(), LIMIT\n"
NEW = AGENT.replace("LIMIT\n", "LIMIT, 2\n")
TOOLS = "def f(): return 1\n"


@pytest.mark.parametrize("renew", [lambda: importlib.reload(sys.modules["shopper"]), lambda: afresh("shopper")])
def test_objects_of_two_versions_travel_side_by_side(write: Write, renew: Callable[[], Any]) -> None:
    write({"shopper.py": AGENT, "tools.py": TOOLS})
    manifests = Manifests()
    old = importlib.import_module("shopper").Agent
    first = manifests.of(old)
    write({"shopper.py": NEW})
    new = renew().Agent
    assert manifests.of(new).manifest["shopper"] == digest_of(NEW)
    assert manifests.of(old).manifest == first.manifest
    assert manifests.of(old) is manifests.of(old) is first
    assert manifests.at_home("shopper", digest_of(AGENT), "Agent") is old
    assert manifests.at_home("shopper", digest_of(NEW), "Agent") is new


def test_an_old_class_that_never_went_out_travels_while_its_text_lies_there(write: Write) -> None:
    write({"shopper.py": AGENT, "tools.py": TOOLS})
    old, new = importlib.import_module("shopper").Agent, afresh("shopper").Agent
    assert old is not new
    manifests = Manifests()
    assert manifests.of(old).manifest == manifests.of(new).manifest
    assert place_of(old).old and not place_of(new).old


def test_a_remembered_or_cached_text_still_proves_an_old_class(write: Write) -> None:
    root = write({"shopper.py": AGENT + "class Other:\n    def f(self): pass\n", "tools.py": TOOLS})
    for remember in ("a closure", "a traceback"):
        module, manifests = afresh("shopper"), Manifests()
        if remember == "a closure":
            manifests.of(module.Other)
        else:
            linecache.getlines(str(root / "shopper.py"))
        text = (root / "shopper.py").read_text()
        write({"shopper.py": NEW})
        afresh("shopper")
        assert manifests.of(module.Agent).manifest["shopper"] == digest_of(text)
        linecache.clearcache()
        write({"shopper.py": text})


@pytest.mark.parametrize(
    "change",
    [
        {"shopper.py": NEW},
        {"shopper.py": AGENT.replace("LIMIT = 1", "LIMIT = 7")},
        {"shopper.py": AGENT.replace("price = 1", "price = 7")},
        {"tools.py": TOOLS.replace("1", "2")},
    ],
)
def test_an_old_class_whose_text_is_gone_is_told(write: Write, change: dict[str, str]) -> None:
    write({"shopper.py": AGENT, "tools.py": TOOLS})
    old = importlib.import_module("shopper").Agent
    write(change)
    if "tools.py" in change:
        afresh("tools")
    afresh("shopper")
    with pytest.raises(ConfigurationError, match=r"edited after|make the object again"):
        Manifests().of(old)


@pytest.mark.parametrize("imports", ["import tools", "from tools import f", "from tools import C"])
def test_an_old_class_that_holds_on_to_an_old_helper_is_told(write: Write, imports: str) -> None:
    write({"shopper.py": f"{imports}\nclass Agent:\n    def go(self): pass\n", "tools.py": TOOLS + "class C: pass\n"})
    old = importlib.import_module("shopper").Agent
    afresh("tools"), afresh("shopper")
    with pytest.raises(ConfigurationError, match="make the object again"):
        Manifests().of(old)


# --- needs and origin ------------------------------------------------------------------------------------------------


def test_installed_packages_that_a_closure_imports_are_named(write: Write) -> None:
    tools = "import json, pytest, emporion.errors\ndef f():\n    from _pytest.mark import structures\n"
    tools += "    import msgspec.json, no_such_module\n"
    root = write({"shopper.py": "import tools\nclass Agent: pass\n", "tools.py": tools})
    found = Manifests().of(importlib.import_module("shopper").Agent)
    assert found.needs == ("_pytest", "msgspec", "pytest")
    assert found.origin == str(root / "shopper.py")
