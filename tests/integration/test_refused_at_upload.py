"""What the language policy and the imports of an upload have to say: all at once, with the line and what to do."""

import pytest
from emporion.errors import CodeDenied
from emporion.tests.harbour import Harbour

AGENT = """
import socket
from . import beside

class Agent:
    def visit(self):
        open("x").read()
        return self.__class__.__mro__
"""


def test_all_complaints_about_a_module_come_in_one_denial(harbour: Harbour) -> None:
    package = harbour.shelf.package(beside="x = 1\n", only=AGENT)
    agent = __import__(f"{package}.only", fromlist=["only"]).Agent()
    with pytest.raises(CodeDenied) as denied:
        harbour.stage(lambda agent: agent.visit()).go(agent)
    assert len(harbour.ears.denials()) == 1
    assert denied.value.module == f"{package}.only"
    assert denied.value.reason.split("; line ") == [
        "language policy: line 7, column 9: open(): agents do not have it; instead: "
        "ask a hosted object for data: there are no files here",
        "8, column 16: attribute __mro__: it walks from a class to classes that are not the agent's; instead: "
        "name the class you mean",
        "2, column 1: import socket: needs socket, which the host does not offer; instead: "
        "ask a hosted object: there is no network here",
    ]


def test_all_modules_of_a_closure_are_told_of_and_none_is_kept(harbour: Harbour) -> None:
    package = harbour.shelf.package(
        only="from . import first, second, third\nclass Agent:\n    def visit(self): return 1\n",
        first="def f(): return eval('1')\n", second="import socket\n", third="x = 1\n",
    )  # fmt: skip
    agent = __import__(f"{package}.only", fromlist=["only"]).Agent()
    before = len(harbour.host.code.listing())
    for _ in range(2):
        with pytest.raises(CodeDenied) as denied:
            harbour.stage(lambda agent: agent.visit()).go(agent)
        assert denied.value.module == f"{package}.first"
        first, second = denied.value.reason.split("; module ")
        assert first.startswith("language policy: line 1, column 17: eval()")
        assert second.startswith(f"'{package}.second': line 1, column 1: import socket: needs socket")
    assert [event.module.rpartition(".")[2] for event in harbour.ears.denials()] == ["first", "second"] * 2
    assert len(harbour.host.code.listing()) == before
