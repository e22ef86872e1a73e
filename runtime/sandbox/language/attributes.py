"""The transformer's attributes and patterns: direct where a name decides, guarded where only the object can."""

import ast
from typing import cast

from .bindings import Bindings, call, class_of, guard, is_bare_super
from .names import PATCHABLE, SETTABLE_DUNDERS, Kind, is_dunder, is_matchable, kind_of, mangle, why_denied

__all__ = ["Patterns"]


class Attributes(Bindings):
    """Attributes: direct where the name or the receiver decides, guarded where only the object can."""

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        name = mangle(node.attr, self.class_name)
        kind = kind_of(name)
        if isinstance(node.ctx, ast.Load):
            return self._read(node, name, kind)
        return self._written(node, name, kind)

    def _denied(self, node: ast.Attribute, name: str) -> ast.AST:
        why, instead = why_denied(name)
        self.refuse(node, f"attribute {name}", why, instead)
        return cast(ast.AST, self.contents(node))

    def _read(self, node: ast.Attribute, name: str, kind: Kind) -> ast.AST:
        if kind is Kind.DENIED:
            return self._denied(node, name)
        if kind is Kind.FREE:
            return cast(ast.AST, self.contents(node))
        if kind is Kind.WATCHED:
            if name in ("__init__", "__new__", "__init_subclass__") and (direct := self._own_super(node)):
                return direct
            return ast.copy_location(call("watched", self.visit(node.value), ast.Constant(name)), node)
        if self._is_received(node.value, name):
            return node
        if self._is_steady(node.value):
            node.value = self._checked(node.value, call("private_of", node.value, ast.Constant(name)))
            return node
        return ast.copy_location(call("private", self.visit(node.value), ast.Constant(name)), node)

    def _written(self, node: ast.Attribute, name: str, kind: Kind) -> ast.AST:
        if isinstance(node.ctx, ast.Store) and id(node) != self.augmented and name in PATCHABLE | {"__dict__"}:
            node.value = call("store_dict" if name == "__dict__" else "store_method", self.visit(node.value))
            return node
        if kind is Kind.DENIED or (is_dunder(name) and name not in SETTABLE_DUNDERS):
            return self._denied(node, name)
        if kind is Kind.WATCHED and id(node) == self.augmented:
            node.value = call("store_watched", self.visit(node.value), ast.Constant(name))
            return node
        private = name if kind is Kind.PRIVATE else None
        if self._is_received(node.value, private, stores=True):
            return node
        arguments = [] if private is None else [ast.Constant(private)]
        guard = "store" if private is None else "store_private"
        if self._is_steady(node.value):
            node.value = self._checked(node.value, call(guard, node.value, *arguments))
        else:
            node.value = call(guard, self.visit(node.value), *arguments)
        return node

    def _is_received(self, value: ast.expr, private: str | None, stores: bool = False) -> bool:
        """Whether `value` is a method's receiver; what is done to it is then checked when the method is entered."""
        receiver = self.receiver(value.id) if isinstance(value, ast.Name) else None
        if receiver is None:
            return False
        if private is not None:
            receiver.privates.add(private)
        receiver.stores |= stores
        return True

    def _is_steady(self, value: ast.expr) -> bool:
        return isinstance(value, ast.Name) and not is_dunder(value.id) and self.scope.is_steady(value.id)

    def _checked(self, value: ast.expr, otherwise: ast.expr) -> ast.expr:
        """``value`` when its type is known to be harmless, found out inline."""
        known = ast.Compare(class_of(value), [ast.In()], [guard("pure")])
        return ast.copy_location(ast.IfExp(known, value, otherwise), value)

    def _own_super(self, node: ast.Attribute) -> ast.AST | None:
        """``super().__init__`` in a method, without a guard.

        Spelled with two arguments under a name that agents cannot rebind: `super` then makes sure by itself that the
        receiver is an instance or a subclass of the very class this method stands in, which is the agent's. For a
        subclass `__init__` comes out unbound, ready for anybody's object: only an instance goes without a guard.
        """
        if "super" in self.bound or not (is_bare_super(node.value) and self.scope.node in self.methods):
            return None
        receiver = ast.Name(self.receivers[-1].name, ast.Load())
        node.value = ast.copy_location(call("super", ast.Name("__class__", ast.Load()), receiver), node.value)
        if node.attr != "__init__":
            return node
        known = ast.Compare(class_of(receiver), [ast.In()], [guard("pure")])
        return ast.copy_location(ast.IfExp(known, node, call("watched", node.value, ast.Constant(node.attr))), node)

    methods: set[ast.AST]
    augmented = 0  # id of the target of the augmented assignment that is being visited: it is read, too

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        self.augmented = id(node.target)
        return cast(ast.AST, self.contents(node))

    def visit_Call(self, node: ast.Call) -> ast.AST:
        is_type = isinstance(node.func, ast.Name) and node.func.id == "type" and "type" not in self.bound
        node = self.contents(node)
        if is_type and len(node.args) == 1 and not node.keywords and not isinstance(node.args[0], ast.Starred):
            node.func = ast.copy_location(guard("type_of"), node.func)
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        return cast(ast.AST, self.contents(node))


class Patterns(Attributes):
    """``match``: class patterns read attributes without any attribute being written."""

    def visit_Match(self, node: ast.Match) -> ast.AST:
        return cast(ast.AST, self.contents(node))

    visit_match_case = visit_MatchSingleton = visit_MatchSequence = visit_MatchOr = visit_Match  # type: ignore[assignment]  # of several nodes

    def visit_MatchValue(self, node: ast.MatchValue) -> ast.AST:
        self._only_public(node.value)
        return node

    def visit_MatchClass(self, node: ast.MatchClass) -> ast.AST:
        self._only_public(node.cls)
        for name in node.kwd_attrs:
            if not is_matchable(name):
                self.refuse(node, f"pattern with {name}=", "it reads unchecked", "read the attribute in a guard clause")
        node.patterns = self.each(node.patterns)
        node.kwd_patterns = self.each(node.kwd_patterns)
        return node

    def _only_public(self, value: ast.expr) -> None:
        """A pattern's value must stay as it is written, so it can hold no guard."""
        for part in ast.walk(value):
            if isinstance(part, ast.Attribute) and not is_matchable(part.attr):
                self.refuse(part, f"{part.attr} in a pattern", "it is read unchecked", "compare in a guard clause")
            elif isinstance(part, ast.Name):
                self.visit(part)

    def visit_MatchMapping(self, node: ast.MatchMapping) -> ast.AST:
        for key in node.keys:
            self._only_public(key)
        self.check_binding(node, node.rest)
        node.patterns = self.each(node.patterns)
        return node

    def visit_MatchStar(self, node: ast.MatchStar) -> ast.AST:
        self.check_binding(node, node.name)
        return node

    def visit_MatchAs(self, node: ast.MatchAs) -> ast.AST:
        self.check_binding(node, node.name)
        return cast(ast.AST, self.contents(node))
