"""The modules of one visit: identity, imports, origins, print."""

import sys
from typing import Any

import pytest
from emporion.runtime.sandbox.language.trial import Trial, try_source
from emporion.runtime.sandbox.language.world import World, warm_up

TWO_MODULES = {
    "shop": "from . import goods, helper as h\nfrom .goods import TV\nimport shop.goods\nimport shop.goods as g2\n"
    "class Agent:\n    same = goods is shop.goods is g2 and TV is goods.TV\n    greeting = h.hello()\n",
    "shop.goods": "class TV: pass\nclass _Hidden: pass\nclass Outer:\n    class Inner: pass\n",
    "shop.helper": "import shop\ndef hello():\n    from .goods import TV\n    return TV.__name__ + __name__\n",
}


def test_packages_and_relative_imports_resolve_in_the_closure() -> None:
    agent = Trial(TWO_MODULES).load("shop", "Agent")

    assert (agent.same, agent.greeting) == (True, "TVshop.helper")  # type: ignore[attr-defined]


@pytest.mark.parametrize("language", [True, False])
def test_relative_imports_count_from_a_package_in_its_init_and_from_its_package_in_a_module(language: bool) -> None:
    modules = {"top": "from .part import X\nclass A: x = X\n", "top.part": "X = 1\n"}
    assert Trial(modules, language=language).load("top", "A").x == 1  # type: ignore[attr-defined]
    with pytest.raises(ImportError, match="beyond top-level package"):
        Trial({"top": "from .part import X\nclass A: x = X\n", "part": "X = 1\n"}, language=language).load("top", "A")


@pytest.mark.parametrize("language", [True, False])
def test_names_computed_at_run_time_resolve_in_the_closure(language: bool) -> None:
    lines = """
from importlib import import_module
class A:
    def part(self, name): return import_module(f"top.parts.{name}").X
    def near(self, name): return import_module(f".{name}", "top.parts").X
    def above(self): return import_module("..other", "top.parts").X
    def wide(self): return import_module("." * 4 + "other", "top.parts")
"""
    modules = {"top": lines, "top.parts.one": "X = 1\n", "top.other": "X = 2\n"}
    agent: Any = Trial(modules, language=language).load("top", "A")()
    assert (agent.part("one"), agent.near("one"), agent.above()) == (1, 1, 2)
    with pytest.raises(ImportError, match="beyond top-level package"):
        agent.wide()
    with pytest.raises(ImportError):
        agent.part("two")


def test_import_module_gives_what_import_statements_give_and_says_what_it_needs() -> None:
    text = "import importlib as i, json\nclass A:\n    same = i.import_module('json') is json\n    load = i\n"
    agent: Any = Trial({"m": text}).load("m", "A")
    assert agent.same
    for arguments in (("os",), (".x",), (b"m",), ("",)):
        with pytest.raises((ImportError, TypeError)):
            agent.load.import_module(*arguments)


def test_each_closure_has_an_import_module_of_its_own() -> None:
    text = "from importlib import import_module\nclass A:\n    get = staticmethod(import_module)\n"
    first, second = (Trial({"m": text, "mine.part": f"X = {number}\n"}) for number in (1, 2))
    for (name, digest), code in second.world._codes.items():
        first.world.add_code(name, digest, code)
    closure = first.world.add_closure(dict(second.world._codes.keys()))
    one: Any = first.load("m", "A")
    other: Any = first.world.load_class(closure, "m", "A")
    assert (one.get("mine.part").X, other.get("mine.part").X) == (1, 2)


def test_nothing_stands_in_sys_modules_under_its_plain_name() -> None:
    Trial(TWO_MODULES).load("shop", "Agent")

    assert not {name for name in sys.modules if name.split(".")[0] == "shop"}


def test_two_versions_of_a_module_live_side_by_side() -> None:
    first, second = Trial({"m": "class A: v = 1"}), Trial({"m": "class A: v = 2"})
    world = first.world
    for digest, code in [(key[1], code) for key, code in second.world._codes.items()]:
        world.add_code("m", digest, code)
        closure = world.add_closure({"m": digest})

    one, two = first.load("m", "A"), world.load_class(closure, "m", "A")
    assert (one.v, two.v) == (1, 2)  # type: ignore[attr-defined]
    places = [world.place(one), world.place(two)]
    assert [place and (place.closure, place.path) for place in places] == [(first.closure, "A"), (closure, "A")]


def test_a_closure_has_one_id_whatever_the_order_of_its_names() -> None:
    world = World(write=print)

    assert world.add_closure({"a": "1", "b": "2"}) == world.add_closure({"b": "2", "a": "1"})
    assert world.add_closure({"a": "1"}) != world.add_closure({"a": "2"})


@pytest.mark.parametrize("language", [True, False])
def test_classes_of_others_have_no_place(language: bool) -> None:
    trial = Trial(TWO_MODULES, language=language)
    inner = trial.load("shop.goods", "Outer.Inner")

    place = trial.world.place(inner)
    assert place is not None
    assert (place.closure, place.module, place.path, place.named) == (trial.closure, "shop.goods", "Outer.Inner", True)
    assert trial.world.place(dict) is None and trial.world.place(World) is None
    assert Trial({"m": "class A: pass"}, language=language).world.place(inner) is None


@pytest.mark.parametrize(
    ("module", "name", "text"),
    [
        ("shop.nothing", "X", "no module"),
        ("shop", "Nothing", "has no class"),
        ("shop", "h", "has no class"),
        ("shop", "TV", "made by another module"),
        ("shop", "Agent.greeting", "has no class"),
    ],
)
def test_a_class_that_a_module_did_not_make_is_not_loaded(module: str, name: str, text: str) -> None:
    with pytest.raises(LookupError, match=text):
        Trial(TWO_MODULES).load(module, name)


def test_a_module_whose_code_has_not_arrived_is_an_import_error() -> None:
    world = World(write=print)
    closure = world.add_closure({"m": "0" * 64})

    with pytest.raises(ImportError, match="has not arrived"):
        world.load_class(closure, "m", "A")


@pytest.mark.parametrize("name", ["a b", "", ".a", "a..b", "__main__", "a.__init__"])
def test_a_manifest_with_names_that_are_no_modules_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="rename"):
        World(write=print).add_closure({name: "0" * 64})


def test_packages_without_code_are_made_up() -> None:
    trial = Trial({"a.b.c": "from .. import b\nfrom ..b import c\nclass X: name = c.__name__"})

    assert trial.load("a.b.c", "X").name == "a.b.c"  # type: ignore[attr-defined]


def test_a_module_that_fails_can_be_tried_again() -> None:
    trial = Trial({"m": "import n\nclass A: pass", "n": "x = 1 / 0"})
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            trial.load("m", "A")


def test_imports_in_a_circle_see_what_is_there_so_far() -> None:
    trial = Trial({"a": "x = 1\nimport b\nclass A: y = b.y", "b": "import a\ny = a.x + 1"})

    assert trial.load("a", "A").y == 2  # type: ignore[attr-defined]


def test_a_missing_module_names_what_there_is() -> None:
    with pytest.raises(ImportError, match=r"agents may not import os; available: .*math"):
        try_source("import os")


def test_an_own_package_hides_no_library_submodule() -> None:
    """CPython looks for `json.decoder` in sys.modules when an attribute of a package named json is missing."""
    with pytest.raises(ImportError, match="cannot import name 'decoder'"):
        Trial({"json": "from json import decoder\nclass A: pass"}).load("json", "A")


def test_a_star_import_takes_what_the_module_offers() -> None:
    sources = {
        "a": "from b import *\ntry: _y\nexcept NameError: NAMES.append('no _y')\nclass A: seen = NAMES, x\n",
        "b": "__all__ = ['x', 'NAMES']\nx = 1\n_y = 2\nNAMES = ['x']\n",
    }

    assert Trial(sources).load("a", "A").seen == (["x", "no _y"], 1)  # type: ignore[attr-defined]


def test_a_star_import_cannot_carry_a_guard_away() -> None:
    with pytest.raises(ImportError, match="cannot import name"):
        Trial({"a": "from b import *\nclass A: pass", "b": "__all__ = ['_.mark']"}).load("a", "A")


def test_agents_share_and_alter_their_own_modules() -> None:
    other = "x = _y = 1\ndef read(): return x, _y"
    trial = Trial({"a": "import b\nb.x = 5\nb._y = 6\nclass A: got = b.read()", "b": other})

    assert trial.load("a", "A").got == (5, 6)  # type: ignore[attr-defined]


def test_each_print_reaches_the_host_in_one_piece() -> None:
    pieces: list[str] = []
    trial = Trial({"m": "print(1, 2, sep='-')\nprint('a', end='')\nclass A: pass"})  # for its compiled code
    world = World(write=pieces.append)
    closure = world.add_closure({"m": next(iter(trial.world._codes))[1]})
    for (name, digest), code in trial.world._codes.items():
        world.add_code(name, digest, code)
    world.load_class(closure, "m", "A")

    assert pieces == ["1-2\n", "a"]


def test_without_the_language_wall_real_modules_are_imported_and_print_is_still_caught() -> None:
    source = "import os\nprint(os.getpid() > 0, (lambda: 0).__globals__ is not None)"

    assert try_source(source, language=False) == "True True\n"


def test_warming_up_runs_twice() -> None:
    warm_up()
    warm_up()


def test_marks_do_not_leak_to_agents() -> None:
    source = "class A: pass\nprint(type(A.__module__) is str, A.__module__, '__module__' in vars(A))"

    assert try_source(source) == "True agent.trial False\n"
