"""What a module needs before it can run: told by its text, and without running it."""

import ast

import pytest
from emporion.runtime.sandbox.language.facades import FACADES
from emporion.runtime.sandbox.language.needs import late_needs_of, needs_of


@pytest.mark.parametrize(
    ("source", "needs"),
    [
        ("import numpy", ["numpy"]),
        ("import numpy.linalg as n, math, os", ["numpy.linalg", "os"]),
        ("from collections.abc import Iterable\nfrom os import path", ["os"]),
        ("from agent.tools import x\nfrom . import y\nfrom .z import w", ["agent.tools"]),
        ("class A:\n    import a\n    class B:\n        import b", ["a", "b"]),
        ("if x:\n    import a\nelif y:\n    import b\nelse:\n    import c", ["a", "b", "c"]),
        ("for x in y:\n    import a\nelse:\n    import b\nwhile x:\n    import c", ["a", "b", "c"]),
        ("with x:\n    import a\nmatch x:\n    case 1:\n        import b", ["a", "b"]),
        ("try:\n import a\nexcept ValueError:\n import b\nelse:\n import c\nfinally:\n import d", ["a", "c", "d"]),
        ("try:\n    import a\nexcept ImportError:\n    a = None", []),
        ("try:\n    import a\nexcept (OSError, ModuleNotFoundError):\n    a = None\nelse:\n    import b", ["b"]),
        ("try:\n    import a\nexcept:\n    pass", []),
        ("def f():\n    import a\nasync def g():\n    import b\nh = lambda: __import__('c')", []),
        ("if TYPE_CHECKING:\n    import a\nelse:\n    import b", ["b"]),
        ("import typing\nif typing.TYPE_CHECKING:\n    import a", []),
        ("if __name__ == '__main__':\n    import emporion", []),
        ("import a\nimport a", ["a"]),
        ("from __future__ import annotations", []),
        ("from math import nothing, pi\nfrom collections.abc import *\nfrom json import nope as x", ["math.nothing",
                                                                                                  "json.nope"]),
        ("try:\n    from math import nothing\nexcept ImportError:\n    pass", []),
    ],
)  # fmt: skip
def test_needs_are_imports_that_happen_and_are_not_given(source: str, needs: list[str]) -> None:
    assert [need.module + f".{need.name}" * bool(need.name) for need in needs_of(ast.parse(source))] == needs


def test_a_need_says_where_it_stands_what_it_is_and_what_to_do() -> None:
    source = "import math\nif 1:\n    from os import path, sep\nfrom math import cos, socks\nimport numpy.linalg as n\n"
    assert [str(need.complaint) for need in needs_of(ast.parse(source))] == [
        "line 3, column 5: from os import path, sep: needs os, which the host does not offer; instead: "
        "ask a hosted object for data: there are no files here",
        "line 4, column 1: from math import socks: needs math.socks, which the host does not offer; instead: "
        "do without it, or write it yourself",
        "line 5, column 1: import numpy.linalg: needs numpy.linalg, which the host does not offer; instead: "
        "do without it, or ask the host's operator to allow it",
    ]


def test_what_is_offered_besides_is_no_need_whatever_its_names() -> None:
    tree = ast.parse("import numpy\nfrom numpy import array\nimport scipy\nfrom math import socks")
    assert [need.module for need in needs_of(tree, {**FACADES, "numpy": None})] == ["scipy", "math"]


def test_imports_in_functions_come_late_wherever_the_functions_stand() -> None:
    tree = ast.parse("""
import math
if TYPE_CHECKING:
    def no(): import a
class A:
    def f(self):
        import b
        async def g():
            from c import d
        try: import e
        except ImportError: pass
if __name__ == "__main__":
    def main(): import f
else:
    def other(): from json import nothing
""")
    assert [(need.module, need.name, need.line) for need in late_needs_of(tree)] == [
        ("b", "", 7), ("c", "", 9), ("json", "nothing", 15)]
    assert needs_of(tree) == []
