"""Closures: which modules an agent is made of, and that what travels is what runs."""

import importlib
import importlib.machinery
import importlib.util
import os
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from emporion.agents import manifest as bounds
from emporion.agents.closure import Closure, Manifests, closure_of
from emporion.agents.imports import imports_of
from emporion.agents.manifest import closure_id, digest_of
from emporion.errors import ConfigurationError

AGENT = "class Agent:\n    def go(self):\n        return 'old'\n"

Write = Callable[[Mapping[str, str]], Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Writes files into a folder on `sys.path`; afterwards nothing imported from there is left."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def put(files: Mapping[str, str]) -> Path:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="")
        importlib.invalidate_caches()
        return tmp_path

    yield put
    for name in set(sys.modules) - before:
        del sys.modules[name]


def edit(path: Path, text: str) -> None:
    """Change a file so that its modification time is sure to be another one."""
    stamp = path.stat().st_mtime_ns + 2_000_000_000
    path.write_text(text, encoding="utf-8")
    os.utime(path, ns=(stamp, stamp))
    importlib.invalidate_caches()


def closure(name: str, qualname: str = "Agent", manifests: Manifests | None = None) -> Closure:
    cls = getattr(importlib.import_module(name), qualname)
    return (manifests or Manifests()).of(cls)


def listed(name: str) -> list[str]:
    return sorted(closure(name).manifest)


def test_a_module_alone_is_its_own_closure(write: Write) -> None:
    write({"shopper.py": AGENT})
    found = closure("shopper")
    assert found.manifest == {"shopper": digest_of(AGENT)}
    assert found.sources == {digest_of(AGENT): AGENT}
    assert (found.module, found.qualname) == ("shopper", "Agent")
    assert found.id == closure_id(found.manifest)


@pytest.mark.parametrize(
    ("files", "modules"),
    [
        pytest.param({"shopper.py": "import tools\n", "tools.py": "import deep", "deep.py": "x=1", "not.py": ""},
                     ["deep", "shopper", "tools"], id="transitively"),
        pytest.param({"shopper.py": "import tools\n", "tools.py": "import shopper"}, ["shopper", "tools"], id="circle"),
        pytest.param({"shopper.py": "import json, os.path, pytest, emporion.errors\n"}, ["shopper"], id="foreign"),
        pytest.param({"shopper.py": "def f():\n    from tools import x\n", "tools.py": "x=1"},
                     ["shopper", "tools"], id="inside a function"),
        pytest.param({"shopper.py": "try:\n    import speedups\nexcept ImportError:\n    pass\n"}, ["shopper"],
                     id="absent"),
        pytest.param({"shopper.py": "if TYPE_CHECKING:\n    import tools\nelse:\n    import other\n", "tools.py": "",
                      "other.py": ""}, ["other", "shopper"], id="type checking"),
        pytest.param({"shopper.py": "if __name__ == '__main__':\n    import tools\n", "tools.py": ""}, ["shopper"],
                     id="script"),
        pytest.param({"shopper.py": "import importlib\nimportlib.import_module('tools')\n", "tools.py": "",
                      "other.py": ""}, ["shopper", "tools"], id="named in a text"),
        pytest.param({"shopper.py": "import importlib\nimportlib.import_module(name='tools')\n", "tools.py": ""},
                     ["shopper", "tools"], id="named in a keyword"),
        pytest.param({"shopper.py": "import importlib\nimportlib.import_module('.inner', 'tools')\n",
                      "tools/inner.py": ""}, ["shopper", "tools.inner"], id="named from another package"),
    ],
)  # fmt: skip
def test_the_imports_of_a_module_are_followed(write: Write, files: dict[str, str], modules: list[str]) -> None:
    start = "TYPE_CHECKING = False\n" + files["shopper.py"] + AGENT
    write({**files, "shopper.py": start})
    assert listed("shopper") == modules


@pytest.mark.parametrize(
    ("imports", "modules"),
    [
        ("from . import basket", ["agent.basket"]),
        ("from .basket import Basket", ["agent.basket"]),
        ("from .parts.wheel import x", ["agent.parts.wheel"]),
        ("from .parts import wheel", ["agent.parts.wheel"]),
        ("import agent.parts.wheel", ["agent.parts.wheel"]),
        ("from agent.parts import *", ["agent.parts"]),
        ("from agent.listed import *", ["agent.listed", "agent.listed.one"]),
        ("from agent.unsure import *", ["agent.unsure", "agent.unsure.one", "agent.unsure.two"]),
        ("from .folder.inner import x", ["agent.folder.inner"]),
        ("from .... import x", []),
    ],
)
def test_imports_inside_a_package_are_followed(write: Write, imports: str, modules: list[str]) -> None:
    later = f"def later():\n    {imports}\n{AGENT}"
    write(
        {
            "agent/__init__.py": "",
            "agent/shopping.py": f"{imports}\n{AGENT}" if "*" in imports else later,
            "agent/basket.py": "class Basket: pass\n",
            "agent/parts/__init__.py": '# parts\n"""Only words."""\n',
            "agent/parts/wheel.py": "x = 1\n",
            "agent/listed/__init__.py": "__all__ = ['one', 'x']\nx = 1\n",
            "agent/listed/one.py": "x = 1\n",
            "agent/listed/two.py": "x = 1\n",
            "agent/unsure/__init__.py": "__all__ = ['one'] + ['two']\n",
            "agent/unsure/one.py": "x = 1\n",
            "agent/unsure/two.py": "x = 1\n",
            "agent/folder/inner.py": "x = 1\n",
        }
    )
    assert listed("agent.shopping") == sorted([*modules, "agent.shopping"])


@pytest.mark.parametrize(
    "computing",
    [
        "import importlib\nf = lambda name: importlib.import_module('agent.' + name)",
        "from importlib import import_module as get",
        "__import__('agent', fromlist=['a'])",
        "__import__('a', globals(), None, (), 1)",
        "import importlib\nhere = __package__\nimportlib.import_module('.a', here)",
        "f = lambda name: __import__(name)",
        "import importlib\nf = getattr(importlib, 'import_module')",
        "import pkgutil",
        "f = lambda text: exec(text)",
    ],
)
def test_names_computed_at_run_time_list_the_whole_package(write: Write, computing: str) -> None:
    write(
        {
            "agent/__init__.py": "# nothing\n",
            "agent/shopping.py": f"{computing}\n{AGENT}",
            "agent/a.py": "import tools\n",
            "agent/deep/er/b.py": "x = 1\n",
            "agent/__main__.py": "raise SystemExit\n",
            "tools.py": "x = 1\n",
            "other.py": "x = 1\n",
        }
    )
    assert listed("agent.shopping") == ["agent.a", "agent.deep.er.b", "agent.shopping", "tools"]


def test_a_helper_that_computes_names_may_import_its_own_package_and_the_agents(write: Write) -> None:
    write({"agent/shopping.py": f"import tools.loader\n{AGENT}", "agent/a.py": "x = 1\n",
           "tools/loader.py": "f = lambda name: __import__(name)\n", "tools/b.py": "x = 1\n"})  # fmt: skip
    assert listed("agent.shopping") == ["agent.a", "agent.shopping", "tools.b", "tools.loader"]


def test_a_module_whose_import_is_blocked_here_does_not_travel(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write({"shopper.py": f"try:\n    import blocked\nexcept ImportError:\n    pass\n{AGENT}", "blocked.py": "x = 1\n"})
    monkeypatch.setitem(sys.modules, "blocked", None)
    assert listed("shopper") == ["shopper"]


def test_a_package_with_code_is_listed_and_one_without_is_not(write: Write) -> None:
    write({"agent/__init__.py": "VERSION = 1\n", "agent/sub/__init__.py": "", "agent/sub/shopping.py": AGENT})
    assert listed("agent.sub.shopping") == ["agent", "agent.sub.shopping"]


def test_a_package_of_which_only_the_init_is_needed_is_listed_all_the_same(write: Write) -> None:
    write({"shopper.py": f"import words\n{AGENT}", "words/__init__.py": '"""Nothing."""\n', "words/more.py": ""})
    assert listed("shopper") == ["shopper", "words"]


def test_a_package_that_imports_relatively_is_recognisable_as_one(write: Write) -> None:
    """The other end takes a name for a package when other names stand below it."""
    files = {
        "agent/__init__.py": "",
        "agent/tools.py": "x = 1\n",
        "agent/parts/__init__.py": "from ..tools import x\n",
        "agent/shopping.py": f"import agent.parts\n{AGENT}",
    }
    root = write({**files, "agent/parts/wheel.py": "y = 1\n"})
    assert listed("agent.shopping") == ["agent.parts", "agent.parts.wheel", "agent.shopping", "agent.tools"]
    (root / "agent/parts/wheel.py").unlink()
    importlib.invalidate_caches()
    with pytest.raises(ConfigurationError, match=r"agent\.parts.*relatively"):
        closure("agent.shopping")


def test_nothing_is_imported_to_find_a_closure(write: Write) -> None:
    trap = "raise AssertionError('imported')\n"
    write({
        "shopper.py": f"def f():\n    import trap.inner.deep\n{AGENT}",
        "trap/__init__.py": trap, "trap/inner/__init__.py": trap, "trap/inner/deep.py": trap,
    })  # fmt: skip
    assert listed("shopper") == ["shopper", "trap", "trap.inner", "trap.inner.deep"]
    assert "trap" not in sys.modules


def test_an_empty_module_travels_as_one_line_end(write: Write) -> None:
    write({"shopper.py": f"import nothing\n{AGENT}", "nothing.py": ""})
    assert closure("shopper").manifest["nothing"] == digest_of("\n")


def test_text_is_read_as_python_reads_it(write: Write) -> None:
    root = write({})
    (root / "shopper.py").write_bytes("# coding: latin-1\r\nclass Agent:\r\n    name = 'Zoë'\r\n".encode("latin-1"))
    found = closure("shopper")
    assert list(found.sources.values()) == ["# coding: latin-1\nclass Agent:\n    name = 'Zoë'\n"]


def test_a_class_from_a_zip_file_travels(tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write({})
    with zipfile.ZipFile(tmp_path / "agents.zip", "w") as archive:
        archive.writestr("zipped/__init__.py", "")
        archive.writestr("zipped/shopping.py", f"from . import tools\n{AGENT}")
        archive.writestr("zipped/tools.py", "import importlib\nf = importlib.import_module\n")
        archive.writestr("zipped/more.py", "x = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path / "agents.zip"))
    assert listed("zipped.shopping") == ["zipped.more", "zipped.shopping", "zipped.tools"]


def by_path(path: Path, name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_module_loaded_by_path_travels_without_being_registered(tmp_path: Path, write: Write) -> None:
    write({"elsewhere/file.py": AGENT})
    module = by_path(tmp_path / "elsewhere/file.py", "wanderer")
    assert Manifests().of(module.Agent).manifest == {"wanderer": digest_of(AGENT)}
    bad = by_path(tmp_path / "elsewhere/file.py", "my-agent 2")
    with pytest.raises(ConfigurationError, match="identifiers"):
        closure_of(bad.Agent)


def test_classes_with_one_closure_share_its_mappings(write: Write) -> None:
    write({"shopper.py": f"{AGENT}class Other(Agent): pass\n"})
    manifests = Manifests()
    one, other = closure("shopper", "Agent", manifests), closure("shopper", "Other", manifests)
    assert one.manifest is other.manifest
    assert one.sources is other.sources
    assert closure("shopper", "Agent", manifests) is one


# --- what runs is what travels ---------------------------------------------------------------------------------------


def test_a_reloaded_module_travels_anew_at_once(write: Write) -> None:
    root = write({"shopper.py": f"import tools\n{AGENT}", "tools.py": "x = 1\n"})
    manifests = Manifests()
    before = closure("shopper", manifests=manifests)
    edit(root / "shopper.py", "import tools\n" + AGENT.replace("old", "new"))
    importlib.reload(sys.modules["shopper"])
    after = closure("shopper", manifests=manifests)
    assert before.manifest["tools"] == after.manifest["tools"]
    assert "'new'" in after.sources[after.manifest["shopper"]]


def test_a_reloaded_helper_travels_anew_with_the_same_class(write: Write) -> None:
    root = write({"shopper.py": f"import tools\n{AGENT}", "tools.py": "x = 1\n"})
    manifests = Manifests()
    closure("shopper", manifests=manifests)
    edit(root / "tools.py", "x = 22\n")
    importlib.reload(sys.modules["tools"])
    assert closure("shopper", manifests=manifests).manifest["tools"] == digest_of("x = 22\n")


def test_a_freshly_imported_module_travels_anew(write: Write) -> None:
    root = write({"shopper.py": AGENT})
    manifests = Manifests()
    closure("shopper", manifests=manifests)
    edit(root / "shopper.py", AGENT.replace("old", "newer"))
    del sys.modules["shopper"]
    assert closure("shopper", manifests=manifests).manifest == {"shopper": digest_of(AGENT.replace("old", "newer"))}


def test_a_helper_first_imported_after_an_edit_travels_anew(write: Write) -> None:
    root = write({"shopper.py": f"def f():\n    import tools\n{AGENT}", "tools.py": "x = 1\n"})
    manifests = Manifests()
    closure("shopper", manifests=manifests)
    edit(root / "tools.py", "x = 22\n")
    importlib.import_module("tools")
    assert closure("shopper", manifests=manifests).manifest["tools"] == digest_of("x = 22\n")


def test_a_new_file_is_found_where_names_are_computed(write: Write) -> None:
    root = write({"agent/__init__.py": "", "agent/shopping.py": f"f = lambda n: __import__(n)\n{AGENT}"})
    manifests = Manifests()
    assert sorted(closure("agent.shopping", manifests=manifests).manifest) == ["agent.shopping"]
    write({"agent/plugin.py": "x = 1\n"})
    os.utime(root / "agent", ns=(1, 1))
    assert sorted(closure("agent.shopping", manifests=manifests).manifest) == ["agent.plugin", "agent.shopping"]


def test_an_edit_without_a_reload_leaves_what_runs(write: Write) -> None:
    root = write({"shopper.py": f"{AGENT}class Other: pass\n"})
    manifests = Manifests()
    before = closure("shopper", manifests=manifests)
    edit(root / "shopper.py", AGENT.replace("old", "new"))
    assert closure("shopper", "Other", manifests).manifest == before.manifest


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("def f(a): return a + 1\n", "def f(a): return a - 1\n"),
        ("def f(a): return 1\n", "def f(a): return 2\n"),
        ("def f(a): return [x for x in a if x < 1]\n", "def f(a): return [x for x in a if x > 1]\n"),
        ("def f(a): return lambda: 1\n", "def f(a): return lambda: 2\n"),
        ("class C:\n  @property\n  def p(self): return 1\n", "class C:\n  @property\n  def p(self): return 2\n"),
        ("class C:\n  @staticmethod\n  def s(): return 1\n", "class C:\n  @staticmethod\n  def s(): return 2\n"),
        ("def f(a): return 1\n", "def f(a: return 1\n"),
    ],
)
def test_a_file_that_no_longer_fits_what_runs_is_refused(write: Write, before: str, after: str) -> None:
    root = write({"shopper.py": f"import tools\n{AGENT}", "tools.py": before})
    agent = importlib.import_module("shopper").Agent
    edit(root / "tools.py", after)
    with pytest.raises(ConfigurationError, match=r"tools\.py was edited.*reload"):
        Manifests().of(agent)
    edit(root / "tools.py", after.replace("(a:", "(a):"))
    importlib.reload(sys.modules["tools"])
    assert Manifests().of(agent).manifest["tools"] == digest_of((root / "tools.py").read_text())


def test_a_module_run_again_by_hand_travels_anew(write: Write) -> None:
    root = write({"shopper.py": AGENT})
    manifests = Manifests()
    closure("shopper", manifests=manifests)
    edit(root / "shopper.py", AGENT.replace("old", "newer"))
    module = sys.modules["shopper"]
    assert module.__spec__ is not None and module.__spec__.loader is not None
    module.__spec__.loader.exec_module(module)
    assert closure("shopper", manifests=manifests).manifest == {"shopper": digest_of(AGENT.replace("old", "newer"))}


def test_a_loader_that_changes_code_is_taken_at_its_word(write: Write, tmp_path: Path) -> None:
    class Changing(importlib.machinery.SourceFileLoader):
        def get_code(self, fullname: str) -> Any:
            source = self.get_data(self.path).replace(b"old", b"changed")
            return compile(source, self.path, "exec", dont_inherit=True)

    write({"elsewhere/file.py": AGENT})
    loader = Changing("changed", str(tmp_path / "elsewhere/file.py"))
    spec = importlib.util.spec_from_loader("changed", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    assert module.Agent().go() == "changed"
    assert Manifests().of(module.Agent).manifest == {"changed": digest_of(AGENT)}


def test_running_a_module_does_not_make_it_look_edited(write: Write) -> None:
    """Byte code specialises itself while it runs; sets, floats and nested functions are compared as they are."""
    body = (
        "class Agent:\n    @property\n    def p(self): return 1.5 in {1.5, 'a', None}\n    @staticmethod\n"
        "    def s(n): return sum(i * 2 for i in range(n))\n    @classmethod\n    def c(cls): return lambda: cls\n"
    )
    write({"shopper.py": body})
    cls = importlib.import_module("shopper").Agent
    for number in range(2000):
        cls.s(number % 10), cls().p, cls.c()()
    assert Manifests().of(cls).manifest == {"shopper": digest_of(body)}


# --- what cannot travel ----------------------------------------------------------------------------------------------


def test_classes_that_cannot_travel_say_what_to_do(write: Write) -> None:
    class Local:
        pass

    nowhere = type("Nowhere", (), {"__module__": "no.such.module"})
    for cls, advice in [
        (Local, "top level"),
        (nowhere, "import it first"),
        (int, "module of your own"),
        (zipfile.ZipFile, "module of your own"),
        (pytest.MonkeyPatch, "module of your own"),
        (Closure, "belongs to emporion"),
    ]:
        with pytest.raises(ConfigurationError, match=advice):
            closure_of(cls)


def test_an_object_of_a_class_from_before_a_reload_is_told_so(write: Write) -> None:
    write({"shopper.py": AGENT})
    cls = importlib.import_module("shopper").Agent
    importlib.reload(sys.modules["shopper"])
    with pytest.raises(ConfigurationError, match="make the object again"):
        Manifests().of(cls)


def test_a_helper_named_like_the_standard_library_must_be_renamed(write: Write) -> None:
    write({"shopper.py": f"import tokenise, this\n{AGENT}", "tokenise.py": "", "this.py": "x = 1\n"})
    with pytest.raises(ConfigurationError, match="'this' belongs to the standard library"):
        closure("shopper")


def test_a_module_without_source_is_told_so(write: Write, tmp_path: Path) -> None:
    import py_compile

    write({"bare.py": AGENT})
    py_compile.compile(str(tmp_path / "bare.py"), cfile=str(tmp_path / "bare.pyc"))
    (tmp_path / "bare.py").unlink()
    with pytest.raises(ConfigurationError, match="no Python source"):
        closure("bare")


def test_a_helper_that_cannot_be_parsed_is_named(write: Write) -> None:
    write({"shopper.py": f"def f():\n    import broken\n{AGENT}", "broken.py": "def (:\n"})
    with pytest.raises(ConfigurationError, match="broken"):
        closure("shopper")


def test_a_closure_is_bounded(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write({"shopper.py": f"import big\n{AGENT}", "big.py": "#" * (bounds.MAX_MODULE_BYTES + 1)})
    with pytest.raises(ConfigurationError, match="too much"):
        closure("shopper")
    many = "".join(f"import m{n}\n" for n in range(bounds.MAX_MODULES))
    write({f"m{n}.py": "" for n in range(bounds.MAX_MODULES)} | {"crowd.py": many.replace("\n", " \n") + AGENT})
    sys.modules.pop("crowd", None)
    with pytest.raises(ConfigurationError, match="501 modules"):
        closure("crowd")


# --- the way home ----------------------------------------------------------------------------------------------------


def test_an_object_comes_home_to_the_class_that_was_sent(write: Write) -> None:
    write({"shopper.py": f"import tools\n{AGENT}", "tools.py": "import enum\nclass Tone(enum.Enum):\n    LOW = 1\n"})
    manifests = Manifests()
    found = closure("shopper", manifests=manifests)
    home = manifests.at_home("shopper", found.manifest["shopper"], "Agent")
    assert home is sys.modules["shopper"].Agent
    tone = manifests.at_home("tools", found.manifest["tools"], "Tone.LOW")
    assert tone is sys.modules["tools"].Tone.LOW


def test_a_module_that_only_the_host_imported_is_imported_for_the_way_home(write: Write) -> None:
    write({"shopper.py": f"def f():\n    import tools\n{AGENT}", "tools.py": "class Basket: pass\n"})
    manifests = Manifests()
    digest = closure("shopper", manifests=manifests).manifest["tools"]
    assert "tools" not in sys.modules
    assert manifests.at_home("tools", digest, "Basket") is sys.modules["tools"].Basket


def test_nothing_comes_home_that_was_not_announced(write: Write) -> None:
    start = "import os\nfrom json import dumps\nfrom collections import OrderedDict\nlimit = 3\n"
    agent = f"{AGENT}    @property\n    def price(self):\n        return 1\n"
    write({"shopper.py": start + agent, "secret.py": "class X: pass\n"})
    manifests = Manifests()
    digest = closure("shopper", manifests=manifests).manifest["shopper"]
    inside = ["limit", "os.stat", "os", "OrderedDict", "Agent.price", "Agent.__dict__", "dumps", "Missing", "Agent.No"]
    for module, qualname in [("os", "stat_result"), ("secret", "X"), *(("shopper", name) for name in inside)]:
        with pytest.raises(LookupError):
            manifests.at_home(module, digest, qualname)
    assert "secret" not in sys.modules


def test_a_class_replaced_while_its_object_was_away_is_told_so(write: Write) -> None:
    root = write({"shopper.py": f"{AGENT}class Other: pass\n"})
    manifests = Manifests()
    digest = closure("shopper", manifests=manifests).manifest["shopper"]
    edit(root / "shopper.py", f"{AGENT}class Other:\n    x = 2\n")
    importlib.reload(sys.modules["shopper"])
    with pytest.raises(LookupError, match="send it again"):
        manifests.at_home("shopper", digest, "Other")


def test_an_import_under_another_name_is_read_as_computed() -> None:
    assert imports_of("import importlib as i\ni.import_module(name)\n", "m", False).computed
    assert not imports_of("import importlib as i\ni.import_module('a.b')\n", "m", False).computed
    assert imports_of("from importlib import import_module\nimport_module('.b', __package__)", "p.m", False).names == (
        "importlib",
        "importlib.import_module",
        "p.b",
    )
