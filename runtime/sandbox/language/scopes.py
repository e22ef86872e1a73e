"""Which names a scope binds, so that the compiler knows whether a variable can change between two looks at it.

Conservative on purpose: when in doubt a name is not "steady", and the slower, always right form is compiled.
Source: https://docs.python.org/3/reference/executionmodel.html#naming-and-binding
"""

import ast
from collections.abc import Iterator, Sequence
from typing import Final

__all__ = ["FUNCTIONS", "Scope", "build_scopes"]

_COMPREHENSIONS: Final = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


class Scope:
    """One module, class, function, lambda or comprehension and the names it binds."""

    def __init__(self, node: ast.AST, parent: "Scope | None") -> None:
        self.node = node
        self.parent = parent
        self.children: list[Scope] = []
        self.parameters: set[str] = set()
        self.assigned: set[str] = set()  # bound in any way but as a parameter
        self.elsewhere: set[str] = set()  # declared global or nonlocal here
        if parent is not None:
            parent.children.append(self)

    @property
    def is_class(self) -> bool:
        return isinstance(self.node, ast.ClassDef)

    @property
    def is_function(self) -> bool:
        return isinstance(self.node, (*FUNCTIONS, *_COMPREHENSIONS))

    def _inner(self) -> Iterator["Scope"]:
        todo = list(self.children)
        while todo:
            scope = todo.pop()
            todo += scope.children
            yield scope

    def is_steady(self, name: str) -> bool:
        """Whether `name` is a variable of this very function that no other function can rebind."""
        if not self.is_function or name in self.elsewhere or name not in self.parameters | self.assigned:
            return False
        return not any(name in scope.elsewhere for scope in self._inner())

    def is_constant(self, name: str) -> bool:
        """Whether parameter `name` is never bound again, here or in any scope inside."""
        if name not in self.parameters or name in self.assigned | self.elsewhere:
            return False
        return not any(name in scope.parameters | scope.assigned | scope.elsewhere for scope in self._inner())


def build_scopes(tree: ast.Module) -> tuple[dict[ast.AST, Scope], set[str]]:
    """The scope of each node that opens one, and every name that is bound anywhere in the module."""
    builder = _Builder(tree)
    builder.run()
    bound: set[str] = set()
    for scope in builder.scopes.values():
        bound |= scope.parameters | scope.assigned
    return builder.scopes, bound


class _Builder:
    """Walks the tree with a list of its own: deep source must not meet Python's recursion limit here."""

    def __init__(self, tree: ast.Module) -> None:
        top = Scope(tree, None)
        self.scopes: dict[ast.AST, Scope] = {tree: top}
        self.todo: list[tuple[ast.AST, Scope]] = [(child, top) for child in ast.iter_child_nodes(tree)]

    def run(self) -> None:
        while self.todo:
            node, scope = self.todo.pop()
            if isinstance(node, FUNCTIONS):
                self._function(node, scope)
            elif isinstance(node, ast.ClassDef):
                scope.assigned.add(node.name)
                inner = self._open(node, scope)
                self._later([*node.decorator_list, *node.bases, *node.keywords, *_type_params(node)], scope)
                self._later(node.body, inner)
            elif isinstance(node, _COMPREHENSIONS):
                self._comprehension(node, scope)
            else:
                _bind(node, scope)
                self._later(list(ast.iter_child_nodes(node)), scope)

    def _open(self, node: ast.AST, parent: Scope) -> Scope:
        scope = self.scopes[node] = Scope(node, parent)
        return scope

    def _later(self, nodes: Sequence[ast.AST], scope: Scope) -> None:
        self.todo += [(node, scope) for node in nodes]

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, scope: Scope) -> None:
        inner = self._open(node, scope)
        arguments = node.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        every += [extra for extra in (arguments.vararg, arguments.kwarg) if extra is not None]
        inner.parameters.update(argument.arg for argument in every)
        outside: list[ast.AST] = [*arguments.defaults, *(d for d in arguments.kw_defaults if d is not None)]
        outside += [argument.annotation for argument in every if argument.annotation is not None]
        if isinstance(node, ast.Lambda):
            self._later([node.body], inner)
        else:
            scope.assigned.add(node.name)
            outside += [*node.decorator_list, *_type_params(node)]
            if node.returns is not None:
                outside.append(node.returns)
            self._later(list(node.body), inner)
        self._later(outside, scope)

    def _comprehension(self, node: ast.AST, scope: Scope) -> None:
        inner = self._open(node, scope)
        first: ast.comprehension = node.generators[0]  # type: ignore[attr-defined]  # four kinds of nodes have it
        self._later([first.iter], scope)  # the first iterable is evaluated outside
        for child in ast.iter_child_nodes(node):
            if child is first:
                self._later([first.target, *first.ifs], inner)
            else:
                self._later([child], inner)


def _type_params(node: ast.AST) -> list[ast.AST]:
    return list(getattr(node, "type_params", []))  # Python 3.12 and later


def _bind(node: ast.AST, scope: Scope) -> None:
    """Note in `scope` what one node that opens no scope binds."""
    if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        scope.assigned.add(node.id)
    elif isinstance(node, (ast.Global, ast.Nonlocal)):
        scope.elsewhere.update(node.names)
    elif isinstance(node, ast.NamedExpr):
        _bind_walrus(node, scope)
    elif isinstance(node, ast.alias):
        scope.assigned.add(node.asname or node.name.partition(".")[0])
    elif isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and node.name is not None:
        scope.assigned.add(node.name)
    elif isinstance(node, ast.MatchMapping) and node.rest is not None:
        scope.assigned.add(node.rest)
    elif type(node).__name__ in ("TypeVar", "ParamSpec", "TypeVarTuple"):
        scope.assigned.add(node.name)  # type: ignore[attr-defined]  # of Python 3.12


def _bind_walrus(node: ast.NamedExpr, scope: Scope) -> None:
    """In a comprehension ``:=`` binds in the scope around it: that variable changes from inside another function."""
    if not isinstance(node.target, ast.Name):
        return
    here: Scope | None = scope
    while here is not None and isinstance(here.node, _COMPREHENSIONS):
        here.elsewhere.add(node.target.id)
        here = here.parent
    if here is not None:
        here.assigned.add(node.target.id)
