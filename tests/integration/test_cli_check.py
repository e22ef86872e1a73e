"""`emporion check`, as a process: what a host would say of an agent's code, before any host is asked."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from emporion.runtime.sandbox.language.reach import MAX_SEEN
from emporion.tests.integration.test_cli import emporion, ended, failed, serve

SHOPPING = """
import math
from agent import tools
from agent.deep import cellar

class Shopper:
    def visit(self, shop):
        return tools.look(shop), cellar.wine, math.pi

    class Bag:
        pass
"""
THIEF = """
import os
from math import socks

class Thief:
    def visit(self, shop):
        import subprocess
        eval("1")
        return self.__class__.__mro__
open("it-ran", "w")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {
        "agent/__init__.py": "",
        "agent/shopping.py": SHOPPING,
        "agent/thief.py": THIEF,
        "agent/tools.py": "from . import deep\ndef look(shop): return shop.stock()\n",
        "agent/deep/__init__.py": "",
        "agent/deep/cellar.py": "wine = 1\n",
        "broken.py": "class A:\n    def f(self:\n",
        "colours.py": "import colorsys, html.parser\nfrom html.parser import HTMLParser\nclass C(HTMLParser): pass\n",
        "shelves.py": "import os\nfrom types import ModuleType\nitems = []\n__all__ = ['os', 'items', 'rate', 'Book']\n"
        "def rate(): return _inner()\ndef _inner(): return open('rates')\n"
        "class Book:\n    def print(self): import ctypes\n",
        "raising.py": "raise RuntimeError('no shelves')\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def records(done: "subprocess.CompletedProcess[str]", code: int) -> dict[str, dict[str, Any]]:
    assert (done.returncode, done.stderr) == (code, ""), done
    return {one["module"]: one for one in json.loads(done.stdout)}


def test_a_good_agent_is_told_so_with_all_that_travels(folder: Path) -> None:
    for target in ("agent.shopping", "agent.shopping:Shopper", "agent.shopping:Shopper.Bag"):
        found = records(emporion("check", target, "--json", cwd=folder), 0)
        assert list(found) == ["agent.shopping", "agent.deep.cellar", "agent.tools"]
        assert all(one["accepted"] and not one["complaints"] and not one["notes"] for one in found.values())
    done = emporion("check", "agent.shopping", cwd=folder)
    assert (done.returncode, done.stdout) == (0, "3 modules: nothing that hosts would refuse\n")


def test_all_that_is_wrong_is_told_at_once_with_place_reason_and_advice(folder: Path) -> None:
    done = emporion("check", "agent/thief.py", cwd=folder)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.splitlines() == [
        "agent/thief.py:2:1: import os: needs os, which the host does not offer; instead: "
        "ask a hosted object for data: there are no files here",
        "agent/thief.py:3:1: from math import socks: needs math.socks, which the host does not offer; instead: "
        "do without it, or write it yourself",
        "agent/thief.py:8:9: eval(): agents do not have it; instead: "
        "write the expression, or read data with json.loads",
        "agent/thief.py:9:16: attribute __mro__: it walks from a class to classes that are not the agent's; instead: "
        "name the class you mean",
        "agent/thief.py:10:1: open(): agents do not have it; instead: "
        "ask a hosted object for data: there are no files here",
        "agent/thief.py:7:9: import subprocess: needs subprocess, which the host does not offer; instead: "
        "do one thing after another: a visit has one thread, and no other processes (when that function runs)",
        "1 module: 1 would be refused",
    ]
    assert not (folder / "it-ran").exists()


def test_a_folder_is_checked_module_by_module(folder: Path) -> None:
    found = records(emporion("check", ".", "--json", cwd=folder), 1)
    assert {name for name, one in found.items() if one["accepted"]} == {
        "agent.shopping", "agent.tools", "agent.deep.cellar", "raising",
    }  # fmt: skip
    (complaint,) = found["broken"]["complaints"]
    assert (complaint["line"], complaint["construct"]) == (2, "syntax")
    assert found["agent.thief"]["complaints"][0]["construct"] == "import os"
    assert found["agent.thief"]["file"] == str(folder / "agent" / "thief.py")


def test_a_file_that_imports_relatively_starts_from_its_packages(folder: Path) -> None:
    found = records(emporion("check", "agent/tools.py", "agent/deep/cellar.py", "--json", cwd=folder), 0)
    assert list(found) == ["agent.tools", "agent.deep", "cellar"]


def test_what_the_host_offers_besides_can_be_said(folder: Path) -> None:
    found = records(emporion("check", "colours.py", "--json", cwd=folder), 1)
    assert [each["construct"] for each in found["colours"]["complaints"]] == [
        "import colorsys", "import html.parser",
    ]  # fmt: skip
    more = ("--allow", "colorsys", "--allow", "html.parser", "--json")
    assert records(emporion("check", "colours.py:C", *more, cwd=folder), 0)


def test_what_is_not_there_is_an_error_in_one_line(folder: Path) -> None:
    failed(emporion("check", "agent.shopping:Shop", cwd=folder), "no class 'Shop'")
    failed(emporion("check", "agent/nobody.py", cwd=folder), "there is no file agent/nobody.py")
    failed(emporion("check", "agent.nobody", cwd=folder), "no module 'agent.nobody'")
    failed(emporion("check", "broken.py", "--allow", "a b", cwd=folder), "dotted name")
    for arguments in ([], ["agent", "--module", "json"]):
        assert emporion("check", *arguments, cwd=folder).returncode == 2


def test_a_module_that_leads_nowhere_is_told_so(folder: Path) -> None:
    done = emporion("check", "--module", "colorsys", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("colorsys: 6 public names, ")
    assert "nothing dangerous is seen" in done.stdout
    assert "all agents may import it already" in emporion("check", "--module", "json", cwd=folder).stdout


def test_what_an_extra_module_would_give_away_is_shown(folder: Path) -> None:
    done = emporion("check", "--module", "shelves", "--json", cwd=folder)
    found = json.loads(done.stdout)
    assert (done.returncode, found["names"], found["all"]) == (1, ["items", "rate", "Book"], True)
    assert 0 < found["reached"] < MAX_SEEN
    assert {(one["path"], one["kind"]): one["what"] for one in found["dangers"]} == {
        ("import shelves.Book", "outside"): "shelves.Book.print uses ctypes",
        ("import shelves.items", "shared"): "a list that all agents of a visit may alter",
        ("import shelves.rate", "outside"): "shelves.rate -> shelves._inner uses open()",
    }
    told = emporion("check", "--module", "shelves", cwd=folder).stdout
    assert "  import shelves.rate: shelves.rate -> shelves._inner uses open()\n" in told
    assert "what one agent alters and others see:\n  import shelves.items: a list" in told


def test_a_module_that_cannot_be_imported_is_an_error_in_one_line(folder: Path) -> None:
    failed(emporion("check", "--module", "raising", cwd=folder), "RuntimeError: no shelves")
    failed(emporion("check", "--module", "nobody.at.all", cwd=folder), "No module named 'nobody'")


def test_a_host_from_the_command_line_allows_what_it_was_told_to(folder: Path) -> None:
    (folder / "mall.py").write_text(
        "import emporion\nclass Mall:\n    @emporion.expose\n    def ask(self, agent): return agent.visit()\n"
        "def anything(name, module, address): return True\n",
        encoding="utf-8",
    )
    (folder / "painter.py").write_text(
        "import colorsys\nclass Painter:\n    def visit(self): return colorsys.rgb_to_hsv(1, 0, 0)\n", encoding="utf-8"
    )
    options = ("mall.py:Mall", "--name", "mall", "--code-validator", "mall.py:anything", "--anonymous")
    for more, words in ((("--allow", "colorsys"), ""), ((), "needs colorsys, which the host does not offer")):
        served = serve(folder, *options, "--listen", f"emporion+unix://{folder}/{len(more)}", *more)
        try:
            sent = emporion("send", "painter.py:Painter", "--to", served.uri, "--call", "ask", cwd=folder)
        finally:
            assert ended(served) == 0
        assert (sent.returncode == 0, words in sent.stderr) == (not words, True), sent
