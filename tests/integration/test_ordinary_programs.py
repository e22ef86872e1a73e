"""Ordinary Python means in a visit what it means in CPython: the programs in ``tests/ordinary`` run here and there.

Each is a module with a class `Agent` whose method `run` gives plain data; what it gives and what it prints must agree.
"""

import ast
import asyncio
import io
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path
from types import CoroutineType, ModuleType
from typing import Final

import pytest
from emporion.errors import LimitExceeded
from emporion.runtime.events import one_line
from emporion.runtime.options import Limits
from emporion.runtime.sandbox.language.trial import Trial
from emporion.tests.harbour import Harbour, Shelf

ORDINARY: Final = Path(__file__).parents[1] / "ordinary"
PROGRAMS: Final = {path.stem: path.read_text(encoding="utf-8") for path in sorted(ORDINARY.glob("*.py"))}

# What the language of agents promises: the program that shows it, and what must stand there (see `facts`).
INDEX: Final[dict[str, tuple[str, str]]] = {
    "inheritance, super()": ("mixins", "super() class(LoudMixin,Named,Priced)"),
    "properties": ("properties", "@property @setter @deleter @getter property(doc=)"),
    "class and static methods": ("properties", "@classmethod @staticmethod"),
    "private names": ("private_names", "._code .__opened ._later .__Key"),
    "dataclasses": (
        "dataclass_zoo",
        "@dataclass @dataclass(frozen=) @dataclass(order=) @dataclass(slots=) @dataclass(kw_only=) @dataclass(eq=) "
        "field(default_factory=) def:__post_init__ replace() asdict()",
    ),
    "enums": ("traffic_light", "class(Enum) class(IntEnum) class(StrEnum) class(Flag) class(IntFlag) auto()"),
    "iteration": (
        "iteration_protocols",
        "def:__iter__ def:__next__ def:__reversed__ def:__length_hint__ def:__missing__",
    ),
    "comparison and hash": ("value_objects", "@total_ordering def:__eq__ def:__lt__ def:__hash__ def:__new__"),
    "arithmetic": (
        "matrix",
        "def:__add__ def:__sub__ def:__mul__ def:__matmul__ def:__truediv__ def:__floordiv__ def:__mod__ "
        "def:__divmod__ def:__pow__ def:__lshift__ def:__rshift__ def:__and__ def:__or__ def:__xor__ def:__neg__ "
        "def:__pos__ def:__abs__ def:__invert__ def:__round__ def:__iadd__",
    ),
    "reflected operands, conversions": (
        "reflected_operands",
        "def:__radd__ def:__rmul__ def:__rsub__ def:__rtruediv__ def:__rfloordiv__ def:__rmod__ def:__rdivmod__ "
        "def:__rpow__ def:__rmatmul__ def:__rlshift__ def:__rand__ def:__int__ def:__float__ def:__complex__ "
        "def:__index__ def:__trunc__ def:__floor__ def:__ceil__ NotImplemented",
    ),
    "containers": (
        "lru_cache",
        "def:__getitem__ def:__setitem__ def:__delitem__ def:__contains__ def:__len__ @cached_property",
    ),
    "abstract classes": ("abstract_shapes", "@abstractmethod class(ABC) class(metaclass=) class(Mapping) .register()"),
    "context managers": (
        "context_managers",
        "def:__enter__ def:__exit__ @contextmanager With class(ContextDecorator) ExitStack()",
    ),
    "call": ("decorators", "def:__call__"),
    "format": ("formatting", "def:__format__"),
    "repr, bool, str": ("reflected_operands", "def:__repr__ def:__bool__"),
    "__init_subclass__ of one's own": ("plugin_registry", "def:__init_subclass__ class(name=)"),
    "descriptors": ("validated_fields", "def:__get__ def:__set__ def:__delete__ def:__set_name__"),
    "__slots__": ("slots", "=__slots__"),
    "copy hooks": ("copying", "def:__copy__ def:__deepcopy__ def:__getstate__ def:__setstate__"),
    "attribute hooks": ("mixins", "def:__getattr__ def:__setattr__ def:__delattr__ def:__dir__"),
    "computed names": ("dynamic_attributes", "getattr() setattr() delattr() hasattr() vars() dir() callable()"),
    "generators": ("generators", "Yield YieldFrom GeneratorExp .send() .throw() .close()"),
    "comprehensions": ("comprehensions", "ListComp SetComp DictComp GeneratorExp"),
    "closures, nonlocal, lambda": ("closures", "Nonlocal Lambda Global"),
    "decorators of one's own": ("decorators", "@retry(times=) @optional @Counted @with_repr @tagged(kind=) @command"),
    "class decorators": ("class_decorators", ".__repr__ setattr() def:__init__ @registered @singleton @counted"),
    "star arguments": ("unpacking", "Starred f(*) f(**) def(*) def(**)"),
    "chained assignment": ("unpacking", "a=b="),
    "unpacking": ("unpacking", "a,b= a,*b= Starred"),
    "augmented assignment": (
        "augmented",
        "Name+= Attribute+= Subscript+= Add Sub Mult Div FloorDiv Mod Pow LShift RShift BitOr BitAnd BitXor",
    ),
    "walrus": ("comprehensions", "NamedExpr"),
    "match": (
        "settings",
        "Match MatchClass MatchMapping MatchSequence MatchStar MatchAs MatchOr MatchValue MatchSingleton "
        "match-if match**",
    ),
    "try/except/else/finally": ("finally_flow", "try-except-else-finally return-in-finally"),
    "exceptions of one's own": ("exceptions", "class(Exception) raise-from Assert .add_note()"),
    "f-strings": ("formatting", "JoinedStr f-spec f-spec-nested f-conversion"),
    "str.format": ("formatting", ".format() .format_map() class(string.Formatter)"),
    "string.Template": ("text_report", "class(string.Template) .substitute() .safe_substitute()"),
    "print": ("printing", "print(sep=) print(end=) print(file=) print(flush=)"),
    "annotations": (
        "annotations_now",
        "AnnAssign class(TypedDict) class(NamedTuple) Annotated Literal ParamSpec TypeVar TypeVarTuple TypeAlias Final",
    ),
    "generic classes, protocols": ("generic_containers", "class(Generic) class(Protocol) @runtime_checkable @overload"),
    "from __future__ import annotations": ("annotations_late", "import:__future__ Self ClassVar TYPE_CHECKING"),
    "async def, run by the visit": ("async_pipeline", "async:run Await AsyncFor AsyncWith async-comprehension"),
    "async def, driven by hand": ("hand_driven", "AsyncFunctionDef Await def:__await__ .send() .throw()"),
    "slices": ("slicing", "Slice slice() Delete Ellipsis"),
    "global constants, __name__": (
        "module_constants",
        "Global __name__ =__version__ =__all__ __doc__ if-main star-import",
    ),
    "type(x).__name__": ("value_objects", "type() .__name__"),
}
MODULES: Final = """
    math cmath json re datetime decimal fractions statistics random itertools functools collections collections.abc
    heapq bisect string textwrap dataclasses enum typing abc copy operator uuid hashlib base64 time contextlib types
    numbers array graphlib difflib unicodedata zoneinfo
""".split()


def facts(source: str) -> set[str]:
    """What stands in a program: kinds of nodes, names, what is defined, decorated, called with which keywords."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        found.add(type(node).__name__)
        found.update(_facts_of(node))
    return found


def _facts_of(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Import(names) | ast.ImportFrom(names=names):
            home = getattr(node, "module", None)
            yield from (f"import:{home or alias.name}" for alias in names)
            yield from ("star-import" for alias in names if alias.name == "*")
        case ast.Name(id=name, ctx=context):
            yield name if isinstance(context, ast.Load) else f"={name}"
        case ast.Attribute(attr=name):
            yield f".{name}"
        case ast.Constant(value=value) if value is ...:
            yield "Ellipsis"
        case ast.Call(func, args, keywords):
            yield from _called(func, keywords)
            yield from ("f(*)" for one in args if isinstance(one, ast.Starred))
            yield from ("f(**)" for one in keywords if one.arg is None)
        case (
            ast.FunctionDef(name=name, decorator_list=decorators)
            | ast.AsyncFunctionDef(name=name, decorator_list=decorators)
        ):
            yield f"async:{name}" if isinstance(node, ast.AsyncFunctionDef) else f"def:{name}"
            yield from _decorated(decorators)
        case ast.ClassDef(bases=bases, keywords=keywords, decorator_list=decorators):
            yield f"class({','.join(ast.unparse(base).partition('[')[0] for base in bases)})"
            yield from (f"class({keyword.arg}=)" for keyword in keywords)
            yield from _decorated(decorators)
        case ast.arguments(vararg=rest, kwarg=named):
            yield "def(*)" if rest else "def()"
            yield "def(**)" if named else "def()"
        case ast.Assign(targets=targets):
            yield "a=b=" if len(targets) > 1 else "a="
            lists = [target.elts for target in targets if isinstance(target, ast.Tuple | ast.List)]
            yield from ("a,*b=" if any(isinstance(e, ast.Starred) for e in each) else "a,b=" for each in lists)
        case ast.AugAssign(target=target):
            yield f"{type(target).__name__}+="
        case ast.FormattedValue(format_spec=spec, conversion=conversion):
            yield "f-conversion" if conversion > 0 else "f-plain"
            if spec is not None:
                nested = any(isinstance(part, ast.FormattedValue) for part in ast.walk(spec))
                yield from ["f-spec", "f-spec-nested"] if nested else ["f-spec"]
        case ast.Try(handlers=handlers, orelse=otherwise, finalbody=final):
            if handlers and otherwise and final:
                yield "try-except-else-finally"
            if any(isinstance(inner, ast.Return) for statement in final for inner in ast.walk(statement)):
                yield "return-in-finally"
        case ast.Raise(cause=cause) if cause is not None:
            yield "raise-from"
        case ast.comprehension(is_async=1):
            yield "async-comprehension"
        case ast.match_case(guard=condition) if condition is not None:
            yield "match-if"
        case ast.MatchMapping(rest=rest) if rest is not None:
            yield "match**"
        case ast.If(test=test) if ast.unparse(test) == "__name__ == '__main__'":
            yield "if-main"


def _called(function: ast.expr, keywords: list[ast.keyword]) -> Iterator[str]:
    name = f".{function.attr}" if isinstance(function, ast.Attribute) else ast.unparse(function)
    yield f"{name}()"
    yield from (f"{name}({keyword.arg}=)" for keyword in keywords)


def _decorated(decorators: list[ast.expr]) -> Iterator[str]:
    for one in decorators:
        function, keywords = (one.func, one.keywords) if isinstance(one, ast.Call) else (one, [])
        name = function.attr if isinstance(function, ast.Attribute) else ast.unparse(function)
        yield f"@{name}"
        yield from (f"@{name}({keyword.arg}=)" for keyword in keywords)


@pytest.mark.parametrize("item", INDEX)
def test_what_the_language_promises_is_in_a_program(item: str) -> None:
    program, wanted = INDEX[item]

    assert set(wanted.split()) - facts(PROGRAMS[program]) == set()


@pytest.mark.parametrize("module", MODULES)
def test_every_module_for_agents_is_imported_by_a_program(module: str) -> None:
    assert [name for name, source in PROGRAMS.items() if f"import:{module}" in facts(source)]


class Plain:
    """A program as CPython runs it: its module, what `run` gave, all that was printed."""

    def __init__(self, shelf: Shelf, source: str) -> None:
        out = io.StringIO()
        with redirect_stdout(out):
            self.module: ModuleType = shelf.module(source)
            self.result = self.module.Agent().run()
            if type(self.result) is CoroutineType:
                self.result = asyncio.run(self.result)
        self.printed = out.getvalue()


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    shelf = Shelf(tmp_path_factory.mktemp("ordinary"))
    yield shelf
    shelf.close()


@pytest.fixture(scope="module")
def plainly(shelf: Shelf) -> Callable[[str], Plain]:
    return cache(lambda name: Plain(shelf, PROGRAMS[name]))


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_ordinary_program_does_in_a_visit_what_it_does_in_cpython(
    name: str, plainly: Callable[[str], Plain], harbour: Harbour
) -> None:
    here = plainly(name)
    there = harbour.stage(lambda agent: agent.run()).go(here.module.Agent())

    assert repr(there) == repr(here.result) != "None"
    assert harbour.ears.printed() == [one_line(line, 2000) for line in here.printed.splitlines()] != []


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_ordinary_program_passes_the_language_wall_alone(name: str, plainly: Callable[[str], Plain]) -> None:
    here = plainly(name)
    trial = Trial({here.module.__name__: PROGRAMS[name]})
    result = trial.load(here.module.__name__, "Agent")().run()
    if type(result) is CoroutineType:
        result = asyncio.run(result)

    assert repr(result) == repr(here.result)
    assert trial.output == here.printed


def test_a_sleep_that_is_too_long_meets_the_wall_clock(harbour: Harbour) -> None:
    agent = harbour.shelf.agent("import time\nclass Agent:\n    def run(self):\n        time.sleep(600)\n")
    with pytest.raises(LimitExceeded, match="wall_s"):
        harbour.stage(lambda agent: agent.run(), limits=Limits(wall_s=0.3)).go(agent)
