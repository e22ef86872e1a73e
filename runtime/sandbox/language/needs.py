"""What a module needs before it can run at all: imports that happen when it is executed, and are not its own to miss."""

import ast
from collections.abc import Iterator

from .facades import FACADES

__all__ = ["needs_of"]

_MISSING: frozenset[str] = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})


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
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or (isinstance(node, ast.If) and _is_tool(node.test)):
            waiting += reversed(getattr(node, "orelse", []))
            continue
        inner = [] if isinstance(node, ast.Try) and _is_caught(node) else getattr(node, "body", [])
        for more in (inner, getattr(node, "orelse", []), getattr(node, "finalbody", [])):
            waiting += (one for one in reversed(more) if isinstance(one, ast.stmt))


def _is_tool(test: ast.expr) -> bool:
    """``if TYPE_CHECKING:`` and ``if __name__ == "__main__":``, which no agent enters."""
    match test:
        case ast.Name(id="TYPE_CHECKING") | ast.Attribute(value=ast.Name(), attr="TYPE_CHECKING"):
            return True
        case ast.Compare(left=ast.Name(id="__name__"), ops=[ast.Eq()], comparators=[ast.Constant(value="__main__")]):
            return True
    return False


def _is_caught(node: ast.Try) -> bool:
    for handler in node.handlers:
        caught = handler.type
        types = caught.elts if isinstance(caught, ast.Tuple) else [caught]
        if any(one is None or (isinstance(one, ast.Name) and one.id in _MISSING) for one in types):
            return True
    return False
