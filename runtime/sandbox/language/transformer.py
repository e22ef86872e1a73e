"""The language itself: which syntax agents may write, and what it becomes.

RestrictedPython's transformer is the base for one property: a node it has no method for is refused, so syntax of a
Python that we have not read yet stays out. Its guards for reads, items, iteration and unpacking are replaced: names are
decided here, while compiling, and what is left for run time is small (`guards`). Names and bindings are in `bindings`,
attributes and patterns in `attributes`, statements and what opens a scope here.
"""

import ast
import copy
from typing import Any, cast

from .attributes import Patterns
from .bindings import Receiver, call, constant, guard
from .names import CLASS_RECEIVERS, DEFINABLE, GUARD, PATCHABLE, PRIVATES, is_dunder, is_risky, mangle

__all__ = ["AgentTransformer"]


class _Statements(Patterns):
    """Statements that open no scope."""

    def plain(self, node: Any) -> Any:
        return self.contents(node)

    visit_For = visit_AsyncFor = visit_With = visit_AsyncWith = plain
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
            # ``from .__future__`` is a future import to some versions of the compiler and none to others.
            if is_dunder(part) and (node.module != "__future__" or node.level):
                self.refuse(node, f"import from {node.module}", "it reaches into the interpreter", "")
        return cast(ast.AST, self.contents(node))


class AgentTransformer(_Statements):
    """The whole language: what opens a scope, on top of names, attributes, patterns and statements.

    After `visit` has returned the new tree, `complaints` says what was refused; the tree counts only when it is empty.
    """

    def __init__(self, tree: ast.Module, name: str) -> None:
        super().__init__(tree, name)
        self.methods = set()
        self.makers: set[ast.AST] = set()

    def visit_Module(self, node: ast.Module) -> ast.AST:
        self.lazy_annotations = any(
            isinstance(statement, ast.ImportFrom)
            and statement.module == "__future__"
            and statement.level == 0
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
            if keyword.arg == "metaclass" and not _is_named_abcmeta(keyword.value):
                self.refuse(node, "metaclass=", "it makes and alters classes unseen", "inherit from ABC or Enum")
        node.keywords = self.each(node.keywords)
        self._type_params(node)
        outer = self.scope, self.class_name, self.receivers
        self.scope, self.class_name, self.receivers = self.scopes[node], node.name, []
        body = self.each(node.body)
        self.scope, self.class_name, self.receivers = outer
        if privates := self._privates_of(node):
            node.keywords.append(ast.keyword(PRIVATES, constant(privates)))
        mark = ast.Assign([ast.Name("__module__", ast.Store())], guard("mark"))
        node.body = _after_docstring(body, [ast.copy_location(mark, node)])
        return node

    def _privates_of(self, node: ast.ClassDef) -> tuple[str, ...]:
        """The private names that a class body binds: `build_class` holds them against the bases."""
        scope = self.scopes[node]
        names = {mangle(name, node.name) for name in scope.assigned - scope.elsewhere}
        return tuple(sorted(filter(is_risky, names)))

    def visit_Return(self, node: ast.Return) -> ast.AST:
        node.value = self.maybe(node.value)
        if self.scope.node in self.makers and node.value is not None:
            node.value = ast.copy_location(call("made", node.value), node.value)
        return node

    def _maker(self, node: Any) -> None:
        """Library code goes on to write into what a class's `__new__` returned: its results are checked."""
        self.makers.add(node)
        for decorator in node.decorator_list:
            if not (isinstance(decorator, ast.Name) and decorator.id == "staticmethod") or "staticmethod" in self.bound:
                self.refuse(decorator, "decorated __new__", "what it returns must be seen", "call the function in it")
            else:  # a star import, or a store into this module, could bind the name to something else
                decorator.id = GUARD + "staticmethod"

    def visit_FunctionDef(self, node: Any) -> ast.AST:
        # In a function such a name is a variable like others: what a class decorator will put into a class.
        may_define = DEFINABLE - {"__slots__", "__match_args__", "__doc__"} if self.scope.is_class else PATCHABLE
        if not (node.name in may_define and (self.scope.is_class or self.scope.is_function)):
            self.check_binding(node, node.name)
        if self.scope.is_class and node.name == "__new__":
            self._maker(node)
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

    def _receiver_of(self, node: Any) -> Receiver | None:
        """The first parameter of a method, if it is called as everybody calls it and is never bound again."""
        parameters = [*node.args.posonlyargs, *node.args.args]
        if not self.scope.is_class or not parameters or parameters[0].arg not in ("self", "cls"):
            return None
        name = parameters[0].arg
        decorators = {decorator.id for decorator in node.decorator_list if isinstance(decorator, ast.Name)}
        if "staticmethod" in decorators or not self.scopes[node].is_constant(name):
            return None
        return Receiver(name, "classmethod" in decorators or node.name in CLASS_RECEIVERS)

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


def _is_named_abcmeta(value: ast.expr) -> bool:
    """Whether it looks like the one metaclass that is harmless; `build_class` makes sure that it is."""
    return (value.id if isinstance(value, ast.Name) else getattr(value, "attr", None)) == "ABCMeta"


def _after_docstring(body: list[Any], extra: list[Any]) -> list[Any]:
    """`extra` in front of `body`, but behind its docstring, which must stay the first statement."""
    value = body[0].value if body and isinstance(body[0], ast.Expr) else None
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        return [body[0], *extra, *body[1:]]
    return [*extra, *body]

