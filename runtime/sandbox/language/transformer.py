"""The language itself: which syntax agents may write, and what it becomes.

RestrictedPython's transformer is the base for one property: a node it has no method for is refused, so syntax of a Python
that we have not read yet stays out. Its guards for reads, items, iteration and unpacking are replaced: names are decided
here, while compiling, and what is left for run time is small (`guards`). Attributes are in `_Attributes`, names and
bindings in `_Bindings`, whole statements in `AgentTransformer`.
"""

import ast
import copy
from typing import Any, cast

from RestrictedPython import RestrictingNodeTransformer

from .complaints import Complaint
from .names import (
    CLASS_RECEIVERS,
    DEFINABLE,
    FORBIDDEN_BUILTINS,
    GUARD,
    MODULE_DUNDERS,
    NAMES_LOADED,
    SETTABLE_DUNDERS,
    Kind,
    is_dunder,
    kind_of,
    mangle,
    why_denied,
)
from .scopes import Scope, build_scopes

__all__ = ["AgentTransformer"]

def _guard(name: str) -> ast.Name:
    return ast.Name(GUARD + name, ast.Load())


def _call(name: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(_guard(name), list(arguments), [])


def _is_bare_super(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "super"
        and not node.args
        and not node.keywords
    )


class _Receiver:
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
        check = ast.Expr(_call("enter", name, ast.Constant(tuple(sorted(self.privates))), ast.Constant(self.stores)))
        if self.is_class:
            return [check]
        known = ast.Compare(_call("type", name), [ast.NotIn()], [_guard("pure")])
        return [ast.If(known, [check], [])]


class _Base(RestrictingNodeTransformer):
    """What every part needs: complaints, the scopes, where in the source we are."""

    def __init__(self, tree: ast.Module, name: str, is_package: bool) -> None:
        super().__init__()
        self.complaints: list[Complaint] = []
        self.scopes, self.bound = build_scopes(tree)
        self.scope: Scope = self.scopes[tree]
        self.depth = len(name.split(".")) - (0 if is_package else 1)  # packages above: how far `from ...` may climb
        self.class_name: str | None = None
        self.receivers: list[_Receiver] = []
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

    def receiver(self, name: str) -> _Receiver | None:
        return next((receiver for receiver in self.receivers if receiver.name == name), None)


class _Bindings(_Base):
    """Names: what may be bound, in every position that binds, and what may be loaded."""

    def check_binding(self, node: ast.AST, name: str | None) -> None:
        """Refuse what an agent may not bind; a class's names are also attributes, and a module's too."""
        if name is None:
            return
        if is_dunder(name):
            where = "in a class, by def or plain assignment" if name in DEFINABLE else "not at all"
            self.refuse(node, f"binding {name}", f"agents may define this name {where}", "use a name without underscores")
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
        allowed = DEFINABLE if self.scope.is_class else MODULE_DUNDERS if self.scope.parent is None else frozenset()
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

    def _may_list(self, where: str, name: str) -> bool:
        if where == "__slots__":
            return name in ("__dict__", "__weakref__") or (not is_dunder(name) and kind_of(name) is not Kind.DENIED)
        return kind_of(name) is Kind.FREE and not is_dunder(name)

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


class _Attributes(_Bindings):
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
            return ast.copy_location(_call("watched", self.visit(node.value), ast.Constant(name)), node)
        if self._is_received(node.value, name):
            return node
        if self._is_steady(node.value):
            node.value = self._checked(node.value, _call("private_of", node.value, ast.Constant(name)))
            return node
        return ast.copy_location(_call("private", self.visit(node.value), ast.Constant(name)), node)

    def _written(self, node: ast.Attribute, name: str, kind: Kind) -> ast.AST:
        if kind is Kind.DENIED or (is_dunder(name) and name not in SETTABLE_DUNDERS):
            return self._denied(node, name)
        private = name if kind is Kind.PRIVATE else None
        if self._is_received(node.value, private, stores=True):
            return node
        arguments = [] if private is None else [ast.Constant(private)]
        guard = "store" if private is None else "store_private"
        if self._is_steady(node.value):
            node.value = self._checked(node.value, _call(guard, node.value, *arguments))
        else:
            node.value = _call(guard, self.visit(node.value), *arguments)
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
        """``value`` when its type is known to be harmless, found out inline (15 ns, a call costs 60)."""
        known = ast.Compare(_call("type", value), [ast.In()], [_guard("pure")])
        return ast.copy_location(ast.IfExp(known, value, otherwise), value)

    def _own_super(self, node: ast.Attribute) -> ast.AST | None:
        """``super().__init__`` in a method, without a guard.

        Spelled with two arguments under a name that agents cannot rebind: `super` then makes sure by itself that the
        receiver is an instance of the very class this method stands in, which is the agent's.
        """
        if "super" in self.bound or not (_is_bare_super(node.value) and self.scope.node in self.methods):
            return None
        arguments = [ast.Name("__class__", ast.Load()), ast.Name(self.receivers[-1].name, ast.Load())]
        node.value = ast.copy_location(_call("super", *arguments), node.value)
        return node

    methods: set[ast.AST]

    def visit_Call(self, node: ast.Call) -> ast.AST:
        is_type = isinstance(node.func, ast.Name) and node.func.id == "type" and "type" not in self.bound
        node = self.contents(node)
        if is_type and len(node.args) == 1 and not node.keywords and not isinstance(node.args[0], ast.Starred):
            node.func = ast.copy_location(_guard("type_of"), node.func)
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        return cast(ast.AST, self.contents(node))


class _Patterns(_Attributes):
    """``match``: class patterns read attributes without any attribute being written."""

    def visit_Match(self, node: ast.Match) -> ast.AST:
        return cast(ast.AST, self.contents(node))

    visit_match_case = visit_MatchSingleton = visit_MatchSequence = visit_MatchOr = visit_Match  # type: ignore[assignment]

    def visit_MatchValue(self, node: ast.MatchValue) -> ast.AST:
        self._only_public(node.value)
        return node

    def visit_MatchClass(self, node: ast.MatchClass) -> ast.AST:
        self._only_public(node.cls)
        for name in node.kwd_attrs:
            if kind_of(name) is not Kind.FREE or is_dunder(name):
                self.refuse(node, f"pattern with {name}=", "it reads an attribute unchecked", "read it in a guard clause")
        node.patterns = self.each(node.patterns)
        node.kwd_patterns = self.each(node.kwd_patterns)
        return node

    def _only_public(self, value: ast.expr) -> None:
        """A pattern's value must stay as it is written, so it can hold no guard."""
        for part in ast.walk(value):
            if isinstance(part, ast.Attribute) and (kind_of(part.attr) is not Kind.FREE or is_dunder(part.attr)):
                self.refuse(part, f"attribute {part.attr} in a pattern", "it is read unchecked", "compare in a guard clause")
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


class _Statements(_Patterns):
    """Statements that open no scope."""

    def plain(self, node: Any) -> Any:
        return self.contents(node)

    visit_AugAssign = visit_For = visit_AsyncFor = visit_With = visit_AsyncWith = plain
    visit_Await = visit_Interpolation = visit_TemplateStr = plain

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        self.define(node.targets, node.value)
        return cast(ast.AST, self.contents(node))

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        self.define([node.target], node.value)
        node.value = self.maybe(node.value)
        node.target = self.visit(node.target)
        node.annotation = self.annotation(node.annotation)
        return node

    def annotation(self, node: Any) -> Any:
        """Check an annotation; where the future import turns it into text, leave it as it was written."""
        if node is None or not self.lazy_annotations:
            return self.maybe(node)
        self.visit(copy.deepcopy(node))
        return node

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.AST:
        self.check_binding(node, node.name)
        return cast(ast.AST, self.contents(node))

    def visit_TryStar(self, node: ast.AST) -> None:
        # CPython believed whatever a `split` method returned here: a type confusion in C (CVE-2025-22153).
        self.refuse(node, "except*", "it has been a way out of sandboxes", "use except, and look into the error")

    def visit_Import(self, node: ast.Import) -> Any:
        """``import a.b as c`` becomes ``from a import b as c``.

        The interpreter's own code for the first form looks into `sys.modules` when the attribute is missing.
        """
        out: list[ast.stmt] = []
        for alias in node.names:
            self.visit_alias(alias)
            package, dot, last = alias.name.rpartition(".")
            if dot and alias.asname:
                new: ast.stmt = ast.ImportFrom(package, [ast.alias(last, alias.asname)], 0)
            else:
                new = ast.Import([alias])
            out.append(ast.copy_location(new, node))
        return out

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST:
        if node.level > self.depth:
            self.refuse(node, "relative import", "it climbs above the top-level package", "import by the full name")
        for part in (node.module or "").split("."):
            if is_dunder(part) and node.module != "__future__":
                self.refuse(node, f"import from {node.module}", "it reaches into the interpreter", "")
        return cast(ast.AST, self.contents(node))


class AgentTransformer(_Statements):
    """The whole language: what opens a scope, on top of names, attributes, patterns and statements.

    After `visit` has returned the new tree, `complaints` says what was refused; the tree counts only when it is empty.
    """

    def __init__(self, tree: ast.Module, name: str, is_package: bool) -> None:
        super().__init__(tree, name, is_package)
        self.methods = set()

    def visit_Module(self, node: ast.Module) -> ast.AST:
        self.lazy_annotations = any(
            isinstance(statement, ast.ImportFrom)
            and statement.module == "__future__"
            and any(alias.name == "annotations" for alias in statement.names)
            for statement in node.body
        )
        node.body = self.each(node.body)
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        self.check_binding(node, node.name)
        node.decorator_list = self.each(node.decorator_list)
        node.bases = self.each(node.bases)
        for keyword in node.keywords:
            if keyword.arg == "metaclass":
                self.refuse(node, "metaclass=", "a metaclass makes and alters classes unseen", "inherit from ABC or Enum")
        node.keywords = self.each(node.keywords)
        self._type_params(node)
        outer = self.scope, self.class_name, self.receivers
        self.scope, self.class_name, self.receivers = self.scopes[node], node.name, []
        body = self.each(node.body)
        self.scope, self.class_name, self.receivers = outer
        mark = ast.Assign([ast.Name("__module__", ast.Store())], _guard("mark"))
        node.body = _after_docstring(body, [ast.copy_location(mark, node)])
        return node

    def visit_FunctionDef(self, node: Any) -> ast.AST:
        if not (self.scope.is_class and node.name in DEFINABLE - {"__slots__", "__match_args__", "__doc__"}):
            self.check_binding(node, node.name)
        node.decorator_list = self.each(node.decorator_list)
        self._arguments(node.args)
        node.returns = self.annotation(node.returns)
        self._type_params(node)
        receiver = self._receiver_of(node)
        outer = self.scope, self.receivers
        # In a nested function only constant receivers stay known; its own scope decides about everything else.
        self.scope, self.receivers = self.scopes[node], [*self.receivers, *([receiver] if receiver else [])]
        if receiver:
            self.methods.add(node)
        body = self.each(node.body)
        self.scope, self.receivers = outer
        entry = [ast.copy_location(statement, node.body[0]) for statement in receiver.entry()] if receiver else []
        node.body = _after_docstring(body, entry)
        return cast(ast.AST, node)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        self._arguments(node.args)
        outer, self.scope = self.scope, self.scopes[node]
        node.body = self.visit(node.body)
        self.scope = outer
        return node

    def _receiver_of(self, node: Any) -> _Receiver | None:
        """The first parameter of a method, if it is called as everybody calls it and is never bound again."""
        parameters = [*node.args.posonlyargs, *node.args.args]
        if not self.scope.is_class or not parameters or parameters[0].arg not in ("self", "cls"):
            return None
        name = parameters[0].arg
        decorators = {decorator.id for decorator in node.decorator_list if isinstance(decorator, ast.Name)}
        if "staticmethod" in decorators or not self.scopes[node].is_constant(name):
            return None
        return _Receiver(name, "classmethod" in decorators or node.name in CLASS_RECEIVERS)

    def _arguments(self, arguments: ast.arguments) -> None:
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        every += [extra for extra in (arguments.vararg, arguments.kwarg) if extra is not None]
        for argument in every:
            self.check_binding(argument, argument.arg)
            argument.annotation = self.annotation(argument.annotation)
        arguments.defaults = self.each(arguments.defaults)
        arguments.kw_defaults = [self.maybe(default) for default in arguments.kw_defaults]

    def _type_params(self, node: Any) -> None:
        if getattr(node, "type_params", None):
            node.type_params = self.each(node.type_params)

    def _comprehension(self, node: Any) -> ast.AST:
        first = node.generators[0]
        first.iter = self.visit(first.iter)
        outer, self.scope = self.scope, self.scopes[node]
        for generator in node.generators:
            generator.target = self.visit(generator.target)
            if generator is not first:
                generator.iter = self.visit(generator.iter)
            generator.ifs = self.each(generator.ifs)
        for field in ("elt", "key", "value"):
            if getattr(node, field, None) is not None:
                setattr(node, field, self.visit(getattr(node, field)))
        self.scope = outer
        return cast(ast.AST, node)

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension


def _after_docstring(body: list[Any], extra: list[Any]) -> list[Any]:
    """`extra` in front of `body`, but behind its docstring, which must stay the first statement."""
    first = body[0] if body else None
    has_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    return [*body[:1], *extra, *body[1:]] if has_text else [*extra, *body]

