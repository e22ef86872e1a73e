"""What a module needs before it can run: told by its text, and without running it."""

import ast

import pytest
from emporion.runtime.sandbox.language.needs import needs_of


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
    ],
)  # fmt: skip
def test_needs_are_imports_that_happen_and_are_not_given(source: str, needs: list[str]) -> None:
    assert needs_of(ast.parse(source)) == needs
