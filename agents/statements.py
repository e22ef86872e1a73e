"""A text cut into its top-level statements, and what each of them binds and needs. Pure: text in, statements out.

Only ever given the author's own text, in the author's own process.
"""

import __future__

import ast
import dis
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from types import CodeType
from typing import Final

from .proof import Print, code_objects, print_of

__all__ = ["Kind", "Statement", "statements_of"]

_FUTURES: Final = {name: getattr(__future__, name).compiler_flag for name in __future__.all_feature_names}
_LOADS: Final = frozenset({"LOAD_NAME", "LOAD_GLOBAL", "LOAD_FROM_DICT_OR_GLOBALS"})
_STORES: Final = frozenset({"STORE_NAME", "STORE_GLOBAL"})
_OPTIMIZED: Final = 0x1  # CO_OPTIMIZED: set for functions, not for the bodies of modules and classes
# Code objects of their own that run where they stand, once, as part of the statement around them.
_RUN_AT_ONCE: Final = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>", "<generic parameters of ")


class Kind(Enum):
    """What is special about a statement."""

    PLAIN = auto()
    IMPORT = auto()  # one name of an import statement
    STAR = auto()  # from ... import *
    FUTURE = auto()
    DELETE = auto()  # of names: nothing stands there afterwards
    GUARDED = auto()  # if __name__ == "__main__": nothing of it travels


@dataclass(frozen=True, slots=True)
class Statement:
    """One top-level statement, or one name of an import statement.

    `text` is the author's own. `full` are the names it binds whatever stood there before, `partial` those it alters
    or may bind. `now` are the global names it needs while it runs, `later` those that functions it makes need when
    they are called. `hints` are names in annotations of classes that stay text. `prints` are those of its functions.
    `module` and `level` are those of an import; `whole` is the text of an import statement and `names` how many of
    them it has. `awaits` says that it needs an event loop around it.
    """

    text: str
    kind: Kind
    full: frozenset[str] = frozenset()
    partial: frozenset[str] = frozenset()
    now: frozenset[str] = frozenset()
    later: frozenset[str] = frozenset()
    hints: frozenset[str] = frozenset()
    prints: frozenset[Print] = frozenset()
    module: str = ""
    level: int = 0
    whole: str = ""
    names: int = 0
    awaits: bool = False


@lru_cache(maxsize=1_000)
def statements_of(source: str, flags: int = 0) -> tuple[tuple[Statement, ...], int]:
    """The statements of a text and the compiler's flags after it; `flags` are those of ``__future__`` before it.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: what `ast.parse` and `compile` raise for such a text.
    """
    tree = ast.parse(source)
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            for alias in node.names:
                flags |= _FUTURES[alias.name]
    lines = [line.encode() for line in source.split("\n")]
    whole, _ = _compiled(tree, flags)
    found: list[Statement] = []
    for node in tree.body:
        found += _read(node, _text(node, lines), flags, whole)
    return tuple(found), flags


def _text(node: ast.stmt, lines: list[bytes]) -> str:
    first, start = node.lineno - 1, node.col_offset
    if _first_line(node) < node.lineno:  # only the line of a decorator's expression is known; the @ begins a line
        first, start = _first_line(node) - 1, 0
        while not lines[first].startswith(b"@"):
            first -= 1
    assert node.end_lineno is not None
    last, end = node.end_lineno - 1, node.end_col_offset
    if first == last:
        return lines[first][start:end].decode()
    return b"\n".join([lines[first][start:], *lines[first + 1 : last], lines[last][:end]]).decode()


def _read(node: ast.stmt, text: str, flags: int, whole: CodeType) -> Iterator[Statement]:
    match node:
        case ast.ImportFrom(module="__future__"):
            yield Statement(text, Kind.FUTURE)
        case ast.ImportFrom(names=[ast.alias(name="*")]):
            yield Statement(text, Kind.STAR, module=node.module or "", level=node.level)
        case ast.Import() | ast.ImportFrom():
            yield from _imports(node, text)
        case _:
            yield _ordinary(node, text, flags, whole)


def _imports(node: ast.Import | ast.ImportFrom, text: str) -> Iterator[Statement]:
    """A statement for each name: what is not needed of them stays at home."""
    for alias in node.names:
        if isinstance(node, ast.ImportFrom):
            module, level = node.module or "", node.level
            alone: ast.stmt = ast.ImportFrom(node.module, [alias], level)
        else:
            module, level = alias.name, 0
            alone = ast.Import([alias])
        bound = alias.asname or (alias.name.partition(".")[0] if isinstance(node, ast.Import) else alias.name)
        yield Statement(
            ast.unparse(alone), Kind.IMPORT, full=frozenset({bound}), module=module, level=level,
            whole=text, names=len(node.names),
        )  # fmt: skip


def _ordinary(node: ast.stmt, text: str, flags: int, whole: CodeType) -> Statement:
    code, awaits = _compiled(ast.Module([node], []), flags)
    names = _Names()
    names.run(code, names.stored)
    full, altered = _targets(node)
    kind = Kind.PLAIN
    if isinstance(node, ast.If) and _is_guard(node.test):
        kind = Kind.GUARDED
    elif isinstance(node, ast.Delete) and full:
        kind = Kind.DELETE
    return Statement(
        text, kind, frozenset(full), frozenset((names.stored | altered) - full), frozenset(names.now),
        frozenset(names.later), frozenset(_hints(node, flags)),
        _prints(code, 0) | _prints(whole, _first_line(node), node.end_lineno), awaits=awaits,
    )  # fmt: skip


def _prints(code: CodeType, first: int, last: int | None = None) -> frozenset[Print]:
    """Those of what is inside `code`, from line `first` to line `last`.

    Byte code depends on what stands around: of a module that the same text imports, the compiler calls functions in
    another way. Notebooks compile statements one by one, scripts do not.
    """
    inside = [one for one in code.co_consts if isinstance(one, CodeType) and one.co_firstlineno >= first]
    chosen = [one for one in inside if last is None or one.co_firstlineno <= last]
    return frozenset(print_of(inner) for one in chosen for inner in code_objects(one))


def _first_line(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def _compiled(module: ast.Module, flags: int) -> tuple[CodeType, bool]:
    try:
        return compile(module, "<statement>", "exec", flags, dont_inherit=True), False
    except SyntaxError:  # notebooks let cells await
        flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        return compile(module, "<statement>", "exec", flags, dont_inherit=True), True


class _Names:
    """The global names of one compiled statement, told apart by when they are needed."""

    def __init__(self) -> None:
        self.now: set[str] = set()
        self.later: set[str] = set()
        self.stored: set[str] = set()

    def run(self, code: CodeType, bound: set[str]) -> None:
        """Read what runs at once; `bound` are the names that the body around has bound by then."""
        for step in dis.get_instructions(code):
            name = step.argval
            if step.opname in _LOADS:
                if name not in bound and name not in self.stored:
                    self.now.add(name)
            elif step.opname == "STORE_GLOBAL":
                self.stored.add(name)
            elif step.opname == "STORE_NAME":
                bound.add(name)
            elif isinstance(name, CodeType):
                if name.co_name.startswith(_RUN_AT_ONCE):
                    self.run(name, set())
                elif name.co_flags & _OPTIMIZED:
                    self.wait(name)
                else:
                    self.run(name, set())  # a class body

    def wait(self, code: CodeType) -> None:
        """Read what runs when somebody calls it."""
        for inner in code_objects(code):
            own = set() if inner.co_flags & _OPTIMIZED else {"__module__", "__qualname__"}
            for step in dis.get_instructions(inner):
                if step.opname == "STORE_NAME":
                    own.add(step.argval)
                elif step.opname in _LOADS and step.argval not in own:
                    self.later.add(step.argval)


def _is_guard(test: ast.expr) -> bool:
    """Whether a condition is about being the program: it has ``__name__`` and ``"__main__"`` in it."""
    nodes = list(ast.walk(test))
    return any(isinstance(node, ast.Name) and node.id == "__name__" for node in nodes) and any(
        isinstance(node, ast.Constant) and node.value == "__main__" for node in nodes
    )


def _targets(node: ast.stmt) -> tuple[set[str], set[str]]:
    """The names that a statement surely binds (or deletes), and those on which it sets items or attributes."""
    full: set[str] = set()
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            full.add(name)
        case ast.Assign(targets=targets) | ast.Delete(targets=targets):
            full.update(_plain(targets))
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr()):
            full.add(name)
        case _ if type(node).__name__ == "TypeAlias":
            full.add(node.name.id)  # type: ignore[attr-defined]  # Python 3.12
    return full, set(_altered(node)) - full


def _plain(targets: Iterable[ast.expr]) -> Iterator[str]:
    for target in targets:
        match target:
            case ast.Name(id=name):
                yield name
            case ast.Tuple(elts=inner) | ast.List(elts=inner):
                yield from _plain(inner)
            case ast.Starred(value=value):
                yield from _plain([value])


def _altered(node: ast.AST) -> Iterator[str]:
    """Names X of which a statement sets ``X.a`` or ``X[k]``, also inside its blocks, but not inside functions."""
    waiting: list[ast.AST] = [node]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            continue
        if isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
            root: ast.expr = node
            while isinstance(root, ast.Attribute | ast.Subscript):
                root = root.value
            if isinstance(root, ast.Name):
                yield root.id
        waiting += ast.iter_child_nodes(node)


def _hints(node: ast.stmt, flags: int) -> Iterator[str]:
    """Names in the annotations of classes that are not evaluated but read: ``dataclass`` looks for ClassVar there."""
    unevaluated = bool(flags & _FUTURES["annotations"])
    for inner in ast.walk(node):
        if not isinstance(inner, ast.ClassDef):
            continue
        for line in inner.body:
            if isinstance(line, ast.AnnAssign):
                for part in ast.walk(line.annotation):
                    if isinstance(part, ast.Name) and unevaluated:
                        yield part.id
                    elif isinstance(part, ast.Constant) and type(part.value) is str:
                        yield from _named(part.value)


def _named(annotation: str) -> Iterator[str]:
    try:
        tree = ast.parse(annotation, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
