"""What a module's text says it imports. Pure: text in, names out; nothing is looked up and nothing runs."""

import ast
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

__all__ = ["Imports", "imports_of", "never_taken"]

# Whoever mentions one of these can import a module whose name no reader of the text can tell.
_CALLS: Final = frozenset({"__import__", "import_module"})
_COMPUTING: Final = frozenset({"exec", "eval"})
_COMPUTING_MODULES: Final = frozenset({"pkgutil", "runpy", "importlib.util", "importlib.machinery"})


@dataclass(frozen=True, slots=True)
class Imports:
    """The imports of one module.

    `names` are absolute dotted names that are modules or, after ``from a import b``, may be one (``a.b``); `stars` are
    those imported with ``*``. `exported` is what ``__all__`` says: None without one, and with one that is computed
    `exported_unknown` is set. `computed` says that names are made at run time. `has_code` is false for a text of
    nothing but comments and a docstring. `relative` says that the text imports relatively.
    """

    names: tuple[str, ...]
    stars: tuple[str, ...]
    exported: tuple[str, ...] | None
    exported_unknown: bool
    computed: bool
    has_code: bool
    relative: bool


@lru_cache(maxsize=2_000)
def imports_of(source: str, name: str, is_package: bool) -> Imports:
    """Read the imports out of the text of module `name`, also those inside functions and classes.

    Imports that never happen elsewhere are left out: under ``if TYPE_CHECKING:`` and ``if __name__ == "__main__":``.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: what `ast.parse` raises for a text it cannot read.
    """
    tree = ast.parse(source)
    reader = _Reader(name if is_package else name.rpartition(".")[0])
    reader.read(tree)
    exported, unknown = _exported(tree)
    return Imports(
        names=tuple(dict.fromkeys(reader.names)),
        stars=tuple(dict.fromkeys(reader.stars)),
        exported=exported,
        exported_unknown=unknown,
        computed=reader.computed,
        has_code=len(tree.body) > (ast.get_docstring(tree, clean=False) is not None),
        relative=reader.relative,
    )


class _Reader:
    """Walks one tree and collects; `package` is what relative imports start from, "" in a module of no package."""

    def __init__(self, package: str) -> None:
        self.package = package
        self.names: list[str] = []
        self.stars: list[str] = []
        self.computed = False
        self.relative = False
        self.known_calls: set[int] = set()  # ids of the nodes of import functions called with a plain text

    def read(self, tree: ast.AST) -> None:
        for node in _nodes(tree):
            match node:
                case ast.Import(names=aliases):
                    for alias in aliases:
                        self.names.append(alias.name)
                        self.computed |= alias.name in _COMPUTING_MODULES
                case ast.ImportFrom():
                    self.read_from(node)
                case ast.Call(func=function) if _called(function) in _CALLS:
                    self.read_call(node, function)
                case ast.Name(id=word) | ast.Attribute(attr=word) if word in _CALLS:
                    self.computed |= id(node) not in self.known_calls
                case ast.Name(id=word) if word in _COMPUTING:
                    self.computed = True
                case ast.Constant(value=str(word)) if word in _CALLS:
                    self.computed = True  # getattr(importlib, "import_module")

    def read_call(self, call: ast.Call, function: ast.expr) -> None:
        """An import function that is called: with anything but plain texts, what it imports is computed."""
        given: dict[object, ast.expr] = dict(enumerate(call.args))
        given.update({keyword.arg: keyword.value for keyword in call.keywords})
        name = _constant(given.pop(0, None) or given.pop("name", None))
        if name is None:
            return
        start: str | None = self.package
        if _called(function) == "import_module":
            package = given.pop(1, None) or given.pop("package", None)
            own = package is None or (isinstance(package, ast.Name) and package.id == "__package__")
            start = self.package if own else _constant(package)
        level = len(name) - len(name.lstrip("."))
        if start is not None or not level:
            self.add(name[level:], level=level, package=start)
        if not given and (start is not None or not level):  # no level, and no list of submodules, for __import__
            self.known_calls.add(id(function))

    def read_from(self, node: ast.ImportFrom) -> None:
        base = self.add(node.module or "", level=node.level)
        if base is None:
            return
        self.computed |= base in _COMPUTING_MODULES
        for alias in node.names:
            if alias.name == "*":
                self.stars.append(base)
                continue
            self.names.append(f"{base}.{alias.name}")
            self.computed |= f"{base}.{alias.name}" in _COMPUTING_MODULES
            self.computed |= alias.name in _CALLS and alias.asname not in (None, alias.name)

    def add(self, name: str, *, level: int, package: str | None = None) -> str | None:
        """Note one module; `level` is the number of leading dots. Returns its absolute name, None without one."""
        package = package or self.package
        if level:
            self.relative = True
            try:
                name = importlib.util.resolve_name("." * level + name, package or None)
            except ImportError:
                return None  # above the top-level package: it fails wherever it runs
        if name:
            self.names.append(name)
        return name or None


def _nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node, callers before what they call, without branches that only type checkers or scripts take."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.If) and never_taken(node.test):
            waiting += reversed(node.orelse)
        else:
            waiting += reversed(list(ast.iter_child_nodes(node)))


def never_taken(test: ast.expr) -> bool:
    match test:
        case ast.Name(id="TYPE_CHECKING") | ast.Attribute(value=ast.Name(), attr="TYPE_CHECKING"):
            return True
        case ast.Compare(left=ast.Name(id="__name__"), ops=[ast.Eq()], comparators=[ast.Constant(value="__main__")]):
            return True
    return False


def _called(function: ast.expr) -> str:
    match function:
        case ast.Name(id=word) | ast.Attribute(attr=word):
            return word
    return ""


def _constant(node: ast.expr | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and type(node.value) is str else None


def _exported(tree: ast.Module) -> tuple[tuple[str, ...] | None, bool]:
    """The names in ``__all__`` and whether there is one that is more than a plain list of texts."""
    found: tuple[str, ...] | None = None
    unknown = False
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id="__all__")], value=value):
                pass
            case ast.AnnAssign(target=ast.Name(id="__all__"), value=ast.expr() as value):
                pass
            case ast.AugAssign(target=ast.Name(id="__all__")) | ast.Attribute(value=ast.Name(id="__all__")):
                unknown = True
                continue
            case _:
                continue
        texts = [item.value for item in getattr(value, "elts", ()) if isinstance(item, ast.Constant)]
        names = tuple(text for text in texts if type(text) is str)
        unknown |= not isinstance(value, ast.List | ast.Tuple) or len(names) != len(value.elts)
        found = (*(found or ()), *names)  # each of several branches may be the one that counts
    return found, unknown
