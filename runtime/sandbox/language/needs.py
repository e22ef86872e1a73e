"""What a module needs before it can run at all: imports that happen as it is executed, and that nobody catches."""

import ast
from collections.abc import Iterator
from typing import Final

from ....agents.imports import never_taken
from .facades import FACADES

__all__ = ["needs_of"]

_MISSING: Final = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})


def needs_of(tree: ast.Module) -> list[str]:
    """The absolute dotted names that executing a module imports and that agents are not given, each once.

    They may be modules of the same closure: only who has the manifest can tell. An import inside a function may never
    happen, and one whose failure is caught is the author's affair: neither is listed.
    """
    names: dict[str, None] = {}
    for node in _executed(tree.body):
        if isinstance(node, ast.Import):
            names |= dict.fromkeys(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            names[node.module] = None
    return [name for name in names if name not in FACADES]


def _executed(statements: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run when a module does, those of class bodies and branches included."""
    waiting = list(reversed(statements))
    while waiting:
        node = waiting.pop()
        yield node
        for branch in reversed(_branches(node)):
            waiting += reversed(branch)


def _branches(node: ast.stmt) -> list[list[ast.stmt]]:
    """The blocks inside a statement that run with it; not those of functions, nor where a failure is caught."""
    match node:
        case ast.If():
            return [node.orelse] if never_taken(node.test) else [node.body, node.orelse]
        case ast.Try():
            return [node.orelse, node.finalbody] if _is_caught(node) else [node.body, node.orelse, node.finalbody]
        case ast.For() | ast.While():
            return [node.body, node.orelse]
        case ast.ClassDef() | ast.With():
            return [node.body]
        case ast.Match():
            return [case.body for case in node.cases]
    return []


def _is_caught(node: ast.Try) -> bool:
    for handler in node.handlers:
        caught = handler.type
        types = caught.elts if isinstance(caught, ast.Tuple) else [caught]
        if any(one is None or (isinstance(one, ast.Name) and one.id in _MISSING) for one in types):
            return True
    return False
