"""What a module needs before it can run at all: imports that happen as it is executed, and that nobody catches."""

import ast
from collections.abc import Iterator, Mapping
from typing import Final

from ....agents.imports import never_taken
from .complaints import Need
from .facade import Facade
from .facades import FACADES

__all__ = ["late_needs_of", "needs_of"]

_MISSING: Final = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})


def needs_of(tree: ast.Module, offered: Mapping[str, Facade | None] = FACADES) -> list[Need]:
    """What executing a module imports and agents are not given: modules, and names of those they are given; each once.

    The modules may be of the same closure: only who has the manifest can tell. An import inside a function may never
    happen, and one whose failure is caught is the author's affair: neither is listed.

    Args:
        offered: What agents are given; None for a module whose names are not known.
    """
    return _needs(tree.body, offered)


def late_needs_of(tree: ast.Module, offered: Mapping[str, Facade | None] = FACADES) -> list[Need]:
    """The same of the bodies of functions: the module runs without them, and what calls the function fails."""
    return [need for function in _functions(tree) for need in _needs(function.body, offered)]


def _needs(statements: list[ast.stmt], offered: Mapping[str, Facade | None]) -> list[Need]:
    found: dict[tuple[str, str], Need] = {}
    for node in _executed(statements):
        for module, name, construct in _imported(node):
            if not _is_offered(module, name, offered):
                found.setdefault((module, name), Need(module, name, node.lineno, node.col_offset + 1, construct))
    return list(found.values())


def _imported(node: ast.stmt) -> Iterator[tuple[str, str, str]]:
    """Module, name in it ("" for the module itself) and the construct, of each thing an import statement asks for."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield alias.name, "", f"import {alias.name}"
    elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
        yield node.module, "", f"from {node.module} import {', '.join(alias.name for alias in node.names)}"
        for alias in node.names:
            yield node.module, alias.name, f"from {node.module} import {alias.name}"


def _is_offered(module: str, name: str, offered: Mapping[str, Facade | None]) -> bool:
    if not name:
        return module in offered
    facade = offered.get(module)
    return facade is None or name in ("*", "__name__") or name in facade.__all__


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and never_taken(node.test):
            waiting += reversed(node.orelse)
            continue
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
        waiting += reversed(list(ast.iter_child_nodes(node)))


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
