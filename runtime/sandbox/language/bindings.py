"""The transformer's ground floor: complaints, scopes, and every position in which source binds or loads a name."""

import ast
from typing import Any, cast

from RestrictedPython.transformer import RestrictingNodeTransformer

from .complaints import Complaint
from .names import (
    DEFINABLE,
    FORBIDDEN_BUILTINS,
    GUARD,
    MODULE_DUNDERS,
    NAMES_LOADED,
    Kind,
    is_dunder,
    is_matchable,
    kind_of,
    mangle,
    why_denied,
    why_unbound,
)
from .scopes import Scope, build_scopes

__all__ = ["Bindings", "Receiver", "call", "class_of", "constant", "guard", "is_bare_super"]


def guard(name: str) -> ast.Name:
    return ast.Name(GUARD + name, ast.Load())


def call(name: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(guard(name), list(arguments), [])


def class_of(value: ast.expr) -> ast.expr:
    """``value.__class__``: 4 ns cheaper than ``type(value)`` at each check.

    It tells the truth: agents cannot define `__class__` or `__getattribute__`. Should an alias pass the question on, as
    C's `GenericAlias` does for most names: it has no private names of its own, and cannot be written to.
    """
    return ast.Attribute(value, "__class__", ast.Load())


def is_bare_super(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "super"
        and not node.args
        and not node.keywords
    )


def constant(value: Any) -> ast.Constant:
    return ast.Constant(value)


class Receiver:
    """The first parameter of a method, while the method is compiled: checked once on entry instead of at every use."""

    def __init__(self, name: str, is_class: bool) -> None:
        self.name = name
        self.is_class = is_class
        self.privates: set[str] = set()
        self.stores = False

    def entry(self) -> list[ast.stmt]:
        """The statements that check it; nothing when the method reads public names only."""
        if not (self.privates or self.stores):
            return []
        name = ast.Name(self.name, ast.Load())
        check = ast.Expr(call("enter", name, constant(tuple(sorted(self.privates))), ast.Constant(self.stores)))
        if self.is_class:
            return [check]
        known = ast.Compare(class_of(name), [ast.NotIn()], [guard("pure")])
        return [ast.If(known, [check], [])]


class _Base(RestrictingNodeTransformer):
    """What every part needs: complaints, the scopes, where in the source we are."""

    def __init__(self, tree: ast.Module, name: str) -> None:
        super().__init__()
        self.complaints: list[Complaint] = []
        self.scopes, self.bound = build_scopes(tree)
        self.scope: Scope = self.scopes[tree]
        # How far `from ...` may climb if this is a package; the same text may be one here and none there, and the world
        # that runs it counts exactly.
        self.depth = len(name.split("."))
        self.class_name: str | None = None
        self.receivers: list[Receiver] = []
        self.lazy_annotations = False
        self.definitions: set[int] = set()  # ids of Name nodes that define a dunder by plain assignment in a class

    def refuse(self, node: ast.AST, construct: str, why: str, instead: str = "") -> None:
        line, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0) + 1
        self.complaints.append(Complaint(line, column, construct, why, instead))

    def error(self, node: ast.AST, info: str) -> None:
        """Whatever the base class refuses by itself."""
        self.refuse(node, type(node).__name__, "agents may not use it", "write it in plainer Python")

    def contents(self, node: Any) -> Any:
        return self.node_contents_visit(node)

    def each(self, nodes: list[Any]) -> list[Any]:
        """Visit a list of nodes where a statement may become several."""
        out: list[Any] = []
        for node in nodes:
            result = self.visit(node)
            if isinstance(result, list):
                out += result
            elif result is not None:
                out.append(result)
        return out

    def maybe(self, node: Any) -> Any:
        return None if node is None else self.visit(node)

    def receiver(self, name: str) -> Receiver | None:
        return next((receiver for receiver in self.receivers if receiver.name == name), None)


class Bindings(_Base):
    """Names: what may be bound, in every position that binds, and what may be loaded."""

    def check_binding(self, node: ast.AST, name: str | None) -> None:
        """Refuse what an agent may not bind; a class's names are also attributes, and a module's too."""
        if name is None:
            return
        if is_dunder(name):
            self.refuse(node, f"binding {name}", *why_unbound(name))
        elif kind_of(mangle(name, self.class_name)) is Kind.DENIED and not self.scope.is_function:
            why, instead = why_denied(name)
            self.refuse(node, f"binding {name}", f"as an attribute {why}", instead)

    def check_name(self, node: Any, name: str | None, allow_magic_methods: bool = False) -> None:
        self.check_binding(node, name)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if not isinstance(node.ctx, ast.Load):
            if id(node) not in self.definitions:
                self.check_binding(node, node.id)
        elif is_dunder(node.id) and node.id not in NAMES_LOADED:
            instead = FORBIDDEN_BUILTINS.get(node.id, why_denied(node.id)[1])
            self.refuse(node, node.id, "it reaches into the interpreter", instead)
        elif node.id in FORBIDDEN_BUILTINS and node.id not in self.bound:
            self.refuse(node, f"{node.id}()", "agents do not have it", FORBIDDEN_BUILTINS[node.id])
        return node

    def define(self, targets: list[ast.expr], value: ast.expr | None) -> None:
        """Allow the dunder names that a class or a module defines by plain assignment."""
        # A `__new__` that no def defines could return what it likes (see `AgentTransformer.visit_Return`).
        in_class = DEFINABLE - {"__new__"}
        allowed = in_class if self.scope.is_class else MODULE_DUNDERS if self.scope.parent is None else frozenset()
        for target in targets:
            if isinstance(target, ast.Name) and target.id in allowed:
                self.definitions.add(id(target))
                if target.id in ("__slots__", "__match_args__") and value is not None:
                    self._check_literal_names(target, value)

    def _check_literal_names(self, target: ast.Name, value: ast.expr) -> None:
        """Both lists become attribute names: ``__match_args__ = ("tb_frame",)`` would read what no attribute may."""
        if isinstance(value, ast.Dict):
            items: list[Any] = list(value.keys)
        else:
            items = list(value.elts) if isinstance(value, (ast.Tuple, ast.List, ast.Set)) else [value]
        for item in items:
            name = item.value if isinstance(item, ast.Constant) else None
            if not isinstance(name, str):
                self.refuse(target, target.id, "its names must be literals in one tuple", "write the names out")
            elif not self._may_list(target.id, name):
                self.refuse(target, f"{target.id} with {name!r}", "agents may not use this attribute", "rename it")
            elif target.id == "__slots__":
                self.scope.assigned.add(name)

    def _may_list(self, where: str, name: str) -> bool:
        if where == "__slots__":
            return name in ("__dict__", "__weakref__") or (not is_dunder(name) and kind_of(name) is not Kind.DENIED)
        return is_matchable(name)

    def visit_Global(self, node: ast.Global) -> ast.AST:
        for name in node.names:
            self.check_binding(node, name)
        return node

    def visit_Nonlocal(self, node: ast.Nonlocal) -> ast.AST:
        for name in node.names:
            self.check_binding(node, name)
        return node

    def visit_alias(self, node: ast.alias) -> ast.AST:
        parts = node.name.split(".")
        for part in parts:
            if is_dunder(part) and node.name != "__future__" and part not in MODULE_DUNDERS | {"__name__"}:
                self.refuse(node, f"import of {node.name}", "it reaches into the interpreter", "import a public name")
        re_export = node.name in MODULE_DUNDERS and node.asname is None and self.scope.parent is None
        if node.name not in ("*", "__future__") and not re_export:
            self.check_binding(node, node.asname or parts[0])
        return node

    def visit_NamedExpr(self, node: ast.NamedExpr) -> ast.AST:
        return cast(ast.AST, self.contents(node))

    def visit_TypeVar(self, node: Any) -> ast.AST:
        self.check_binding(node, node.name)
        return cast(ast.AST, self.contents(node))

    visit_ParamSpec = visit_TypeVarTuple = visit_TypeVar

    def visit_TypeAlias(self, node: Any) -> ast.AST:
        return cast(ast.AST, self.contents(node))
