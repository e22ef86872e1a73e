"""Modules that an operator lets the agents of one object import, and of no other."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import emporion
import pytest
from emporion.errors import CodeDenied, ConfigurationError, SandboxUnavailable
from emporion.runtime.options import Isolation
from emporion.tests.harbour import Harbour, Shelf, listening, open_host

AGENT = """
import colorsys
import html.parser
from urllib import parse as cut
from html.parser import HTMLParser

class Titles(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []
    def handle_starttag(self, tag, attrs):
        self.found.append(tag)

class Agent:
    def visit(self):
        reader = Titles()
        reader.feed("<p>a<b>c</b></p>")
        inner = [hasattr(html.parser, name) for name in ("HTMLParser", "re", "_markupbase", "unescape")]
        return colorsys.rgb_to_hsv(1, 0, 0), reader.found, cut.quote("a b"), inner, hasattr(html, "escape")
"""
PLAIN = "class Agent:\n    def visit(self):\n        return 'plain'\n"
MODULES = ["colorsys", "html.parser", "urllib.parse"]


def visit(agent: Any) -> Any:
    return agent.visit()


def test_agents_import_what_the_object_allows_and_only_there(harbour: Harbour) -> None:
    agent = harbour.shelf.agent(AGENT)
    allowing, other = harbour.stage(visit, modules=MODULES), harbour.stage(visit)

    answer = allowing.go(agent)
    assert answer == ((0.0, 1.0, 1.0), ["p", "b"], "a%20b", [True, False, False, False], False)
    # Its code is known and compiled by now; for another object it is another question.
    with pytest.raises(CodeDenied, match="colorsys"):
        other.go(agent)
    assert allowing.go(agent) == answer
    assert other.go(harbour.shelf.agent(PLAIN)) == "plain"


def test_a_facade_of_an_allowed_module_cannot_be_altered(harbour: Harbour) -> None:
    text = "import colorsys\nclass Agent:\n    def visit(self):\n        colorsys.rgb_to_hsv = 1\n"
    proxy = harbour.stage(visit, modules=["colorsys"])
    with pytest.raises(emporion.AgentError, match="alter"):
        proxy.go(harbour.shelf.agent(text))


def test_modules_of_the_host_hold_for_objects_that_say_nothing(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    with listening() as ears, open_host(modules=["colorsys"]) as host:
        harbour = Harbour(host, shelf, ears)
        text = "import NAME\nclass Agent:\n    def visit(self):\n        return NAME.__name__\n"
        colours = harbour.shelf.agent(text.replace("NAME", "colorsys"))
        numbers = harbour.shelf.agent(text.replace("NAME", "struct"))
        silent, speaking = harbour.stage(visit), harbour.stage(visit, modules=["struct"])
        assert silent.go(colours) == "colorsys"
        assert speaking.go(numbers) == "struct"
        for proxy, agent in ((silent, numbers), (speaking, colours), (harbour.stage(visit, modules=()), colours)):
            with pytest.raises(CodeDenied, match="does not offer"):
                proxy.go(agent)
        assert any("they may also import colorsys" in record.getMessage() for record in ears.records)
        harbour.close()
    shelf.close()


@pytest.fixture
def own_modules(tmp_path: Path) -> Iterator[Harbour]:
    """A host whose operator has modules of his own on `sys.path`."""
    (tmp_path / "pricing").mkdir()
    (tmp_path / "pricing" / "__init__.py").write_text("import os, sys\nfrom . import rates\nVAT = 21\n_secret = 1\n")
    (tmp_path / "pricing" / "rates.py").write_text("def rate(kind): return {'book': 9}.get(kind, 21)\n")
    (tmp_path / "broken_pricing.py").write_text("raise RuntimeError('no rates today')\n")
    (tmp_path / "busy_pricing.py").write_text(
        "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"
    )
    shelf = Shelf(tmp_path)
    with listening() as ears, open_host() as host:
        harbour = Harbour(host, shelf, ears)
        yield harbour
        harbour.close()
    shelf.close()


def test_a_module_of_the_operator_s_own_shows_its_public_names_and_no_modules(own_modules: Harbour) -> None:
    # A client that has the module would send it along; this one only knows its name.
    text = """
from importlib import import_module
class Agent:
    def visit(self):
        pricing = import_module("".join(["pric", "ing"]))
        return list(pricing.__all__), pricing.VAT
"""
    agent = own_modules.shelf.agent(text)
    assert own_modules.stage(visit, modules=["pricing"]).go(agent) == (["VAT"], 21)
    both = own_modules.stage(visit, modules=["pricing", "pricing.rates"]).go(agent)
    assert both == (["VAT", "rates"], 21)


@pytest.mark.parametrize(("module", "why"), [
    ("broken_pricing", "'broken_pricing', .*RuntimeError: no rates today"), ("busy_pricing", "starts threads"),
])  # fmt: skip
def test_a_module_that_cannot_be_there_is_named(own_modules: Harbour, module: str, why: str) -> None:
    proxy = own_modules.stage(visit, modules=[module])
    with pytest.raises(SandboxUnavailable, match=why):
        proxy.go(own_modules.shelf.agent(PLAIN))
    assert own_modules.stage(visit).go(own_modules.shelf.agent(PLAIN)) == "plain"


@pytest.mark.parametrize(("modules", "why"), [
    ("colorsys", "a list"), ([3], "a list"), (["a..b"], "dotted name"), (["_abc"], "public"), (["x"] * 2, "installed"),
    ([f"m{number}" for number in range(101)], "most"),
])  # fmt: skip
def test_wrong_modules_are_told_before_anybody_comes(harbour: Harbour, modules: Any, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        harbour.register(visit, modules=modules)


def test_with_the_language_wall_down_an_allowed_module_is_there_as_it_is(harbour: Harbour) -> None:
    text = "import colorsys\nclass Agent:\n    def visit(self):\n        return colorsys.__file__ is not None\n"
    weak = harbour.register(visit, isolation=Isolation(language=False, modules=["colorsys"]))
    assert harbour.connect(weak).go(harbour.shelf.agent(text)) is True


def test_more_modules_do_not_make_a_wall_less() -> None:
    assert Isolation(modules=["b", "a", "b"]) == Isolation(modules=("a", "b"))
    assert Isolation(modules=["a"]).is_whole
    emporion.Host("emporion+tcp://0.0.0.0:0", allow_anonymous=True, modules=["colorsys"]).close()
