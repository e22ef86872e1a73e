# ruff: noqa: E501  (the programs are data: dense on purpose)
"""The standard library does under the language wall what it does in CPython: each program runs both ways and prints the same."""

from typing import Final

import pytest
from emporion.runtime.sandbox.language.trial import try_source
from emporion.tests.both_ways import Programs, plainly

PROGRAMS: Final = Programs()
program = PROGRAMS.add


program(
    "dataclasses and enums",
    """
from __future__ import annotations
import dataclasses, enum, typing
from dataclasses import dataclass, field, asdict, astuple, replace, fields, InitVar, KW_ONLY, FrozenInstanceError, make_dataclass
from enum import Enum, IntEnum, Flag, IntFlag, StrEnum, auto, unique
from typing import ClassVar
@dataclass(order=True, frozen=True)
class Item:
    price: float
    name: str = "x"
    tags: list[str] = field(default_factory=list, compare=False)
    count: ClassVar[int] = 0
    extra: typing.ClassVar[int] = 1
    _hidden: int = field(default=3, repr=False)
a, b = Item(1.0), Item(2.0, "b", ["t"])
print(a, b, a < b, sorted([b, a]), replace(a, name="z"), asdict(b), astuple(b), [f.name for f in fields(Item)], [f.type for f in fields(a)])
try: a.price = 3
except FrozenInstanceError as e: print(type(e).__name__, e)
@dataclass(slots=True, kw_only=True)
class S:
    x: int
    scale: InitVar[int] = 2
    def __post_init__(self, scale): self.x *= scale
print(S(x=3), S(x=1, scale=5).x)
@dataclass
class K:
    a: int
    _: KW_ONLY
    b: int = 2
@dataclass
class Sub(K):
    c: int = 3
    def total(self): return self.a + self.b + self.c
print(Sub(1, b=5), Sub(1).total(), Sub(1) == Sub(1), dataclasses.is_dataclass(Sub))
D = make_dataclass("D", [("x", int), ("y", int, field(default=5))], namespace={"sum": lambda self: self.x + self.y}); print(D(1), D(2).sum())
@unique
class Colour(Enum):
    RED = auto(); GREEN = auto()
    _ignore_ = []
    @property
    def nice(self): return self.name.title()
    @classmethod
    def _missing_(cls, value): return cls.RED
    def __str__(self): return self._name_ + "!"
print(Colour.RED, repr(Colour.GREEN), Colour(2), Colour["RED"], Colour("?"), [c.value for c in Colour], Colour.RED.nice, len(Colour), Colour.RED in Colour)
print(list(Colour.__members__), Colour.RED.name, Colour.RED is Colour(1), isinstance(Colour.RED, Colour), Colour.RED._value_)
class N(IntEnum): A = 1; B = 2
class Perm(Flag): R = auto(); W = auto(); RW = R | W
class IP(IntFlag): R = 4; W = 2
class St(StrEnum): ONE = auto()
print(f'{N.A:03d} {IP.R:x} {IP.R} {Perm.R} {St.ONE:>5} {str(IP.W)}', N.A + 1, N.B > N.A, Perm.R | Perm.W, Perm.RW & Perm.W, IP.R | IP.W, IP(6), St.ONE, f"{St.ONE}", N(2), repr(N.A))
class Planet(Enum):
    EARTH = (5.9, 6.3)
    def __init__(self, mass, radius): self.mass = mass; self.radius = radius
    def g(self): return round(self.mass / self.radius, 2)
print(Planet.EARTH.g(), Planet.EARTH.value)
E = Enum("E", "X Y"); print(list(E), E.X.value, Enum("F", {"P": 1, "Q": "z"}).Q)
""",
)
program(
    "typing and abc",
    """
import abc, typing, numbers, collections.abc as cabc
from abc import ABC, abstractmethod
from typing import Any, Generic, TypeVar, Protocol, NamedTuple, TypedDict, Optional, Union, Callable, runtime_checkable, NewType, cast, Literal, get_origin, get_args, overload, final, Annotated
T = TypeVar("T"); K = TypeVar("K", bound="Shape")
class Stack(Generic[T]):
    def __init__(self) -> None: self._items: list[T] = []
    def push(self, item: T) -> "Stack[T]": self._items.append(item); return self
    def pop(self) -> T: return self._items.pop()
print(Stack[int]().push(3).pop())
class Shape(ABC):
    _n = 0
    @property
    @abstractmethod
    def area(self) -> float: ...
    @abstractmethod
    def name(self): return "shape"
class Sq(Shape):
    def __init__(self, s): self._s = s; Shape._n += 1
    @property
    def area(self): return self._s ** 2
    def name(self): return "sq " + super().name()
print(Sq(3).area, Sq(2).name(), Shape._n)
try: Shape()
except TypeError as e: print("abstract")
@runtime_checkable
class HasLen(Protocol):
    def __len__(self) -> int: ...
print(isinstance([], HasLen), isinstance(3, HasLen))
class Emp(NamedTuple):
    name: str
    id: int = 3
    def hi(self): return self.name + str(self.id)
print(Emp("a"), Emp("b", 4).hi(), Emp("c")._asdict(), NamedTuple("Z", [("q", int)])(1))
class Movie(TypedDict, total=False):
    title: str
print(Movie(title="x"), cast(int, "s"), NewType("U", int)(3), get_origin(list[int]), get_args(dict[str, int]), get_origin(type[int]) is type)
class Seq(cabc.Sequence):
    def __init__(self, *v): self._v = v
    def __len__(self): return len(self._v)
    def __getitem__(self, i): return self._v[i]
print(list(Seq(1, 2)), 2 in Seq(1, 2), Seq(1, 2).index(2), list(reversed(Seq(1, 2))), isinstance(Seq(), cabc.Sequence))
class MySet(cabc.Set):
    def __init__(self, it): self._d = frozenset(it)
    def __contains__(self, x): return x in self._d
    def __iter__(self): return iter(sorted(self._d))
    def __len__(self): return len(self._d)
print(list(MySet([1, 2]) & MySet([2, 3])), list(MySet([1]) | MySet([3])))
class Duck: pass
cabc.Hashable.register(Duck); Shape.register(Duck); print(isinstance(Duck(), Shape))
@overload
def f(x: int) -> int: ...
@overload
def f(x: str) -> str: ...
def f(x): return x
@final
class Fin: pass
x: Annotated[int, "meta"] = 3; y: Optional[Union[int, str]] = None; z: Literal["a"] = "a"; c: Callable[..., Any] = f; w: int | None = None
print(f(3), x, y, z, c(4), w)
""",
)
program(
    "functools and friends",
    """
import functools, operator, copy, itertools, contextlib, heapq, bisect, types, collections
from functools import wraps, lru_cache, cache, partial, reduce, singledispatch, total_ordering, cached_property, cmp_to_key, singledispatchmethod, partialmethod
def log(fn):
    @wraps(fn)
    def inner(*a, **k):
        inner.n += 1
        return fn(*a, **k)
    inner.n = 0
    return inner
@log
def add(a, b=1):
    "adds"
    return a + b
print(add(1), add(2, b=3), add.n, add.__name__, add.__doc__, add.__wrapped__(5))
@lru_cache(maxsize=None)
def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
print(fib(30), fib.cache_info().hits > 0, partial(add, 5)(b=6), reduce(operator.add, [1, 2, 3], 0), reduce(lambda a, b: a * b, [2, 3]))
@singledispatch
def show(x): return "obj"
@show.register
def _(x: int): return "int"
@show.register(list)
def _show_list(x): return "list"
show.register(str, lambda x: "str")
print(show(1), show([]), show("a"), show(2.0), show.dispatch(int)(3))
@total_ordering
class V:
    def __init__(self, v): self.v = v
    def __eq__(self, o): return self.v == o.v
    def __lt__(self, o): return self.v < o.v
    @cached_property
    def big(self): print("once"); return self.v * 100
    @singledispatchmethod
    def on(self, x): return "any"
    @on.register
    def _(self, x: int): return f"int{self.v}"
    def two(self, a, b): return a, b
    one = partialmethod(two, 1)
print(V(1) <= V(2), V(3) >= V(2), V(2).big, V(5).on(3), V(1).on("s"), V(1).one(2)); v = V(4); v.big; print(v.big)
print(sorted([3, 1, 2], key=cmp_to_key(lambda a, b: b - a)), operator.itemgetter(1)([5, 6]), operator.attrgetter("v", "v")(V(3)), operator.methodcaller("upper")("x"))
class Node:
    def __init__(self, x, kids=()): self.x = x; self.kids = list(kids); self.me = self
n = Node(1, [Node(2)]); m = copy.deepcopy(n); k = copy.copy(n)
print(m.kids[0].x, m.kids[0] is n.kids[0], k.kids is n.kids, m.me is m, copy.deepcopy({"a": [1, (2, [3])]}), copy.copy([1]), copy.deepcopy((1, [2])))
class C:
    def __init__(self): self.a = 1
    def __copy__(self): c = C(); c.a = 2; return c
    def __deepcopy__(self, memo): c = C(); c.a = 3; return c
print(copy.copy(C()).a, copy.deepcopy([C()])[0].a)
class L(list):
    pass
l = L([1, 2]); l.tag = "t"; l2 = copy.deepcopy(l); print(l2, l2.tag, type(l2).__name__, copy.deepcopy(collections.Counter("aab")), copy.copy(collections.deque([1])))
class Err(ValueError):
    pass
e = Err("x"); e.extra = 1; e2 = copy.copy(e); print(repr(e2), e2.extra)
@contextlib.contextmanager
def tag(name):
    print("<" + name)
    try: yield name
    except KeyError: print("swallowed")
    finally: print(">")
with tag("a") as t: print(t)
with tag("b"): raise KeyError("x")
with contextlib.suppress(ZeroDivisionError): 1 / 0
with contextlib.ExitStack() as st: st.enter_context(tag("c")); st.callback(print, "cb")
with contextlib.nullcontext(3) as q: print(q)
class CM(contextlib.ContextDecorator):
    def __enter__(self): print("e"); return self
    def __exit__(self, *a): print("x")
@CM()
def deco(): print("d")
deco()
h = [3, 1]; heapq.heapify(h); heapq.heappush(h, 0); print(heapq.heappop(h), heapq.nlargest(2, [1, 5, 3]), bisect.bisect([1, 3], 2), list(itertools.chain([1], [2])), list(itertools.groupby("aab"))[0][0])
ns = types.SimpleNamespace(a=1); ns.b = 2; print(ns, ns.b, vars(ns), types.MappingProxyType({"a": 1})["a"])
class UD(collections.UserDict):
    def __setitem__(self, k, v): super().__setitem__(k, v * 2)
u = UD(a=1); u["b"] = 2; print(u, u.data, u.copy(), copy.copy(u), dict(u), type(u.copy()).__name__, collections.UserDict(a=1) | collections.UserDict(b=2))
class UL(collections.UserList): pass
print(UL([1]) + [2], UL([3]).copy(), collections.UserString("ab").upper(), collections.UserList([1]) + collections.UserList([2]))
""",
)
program(
    "library",
    """
import math, cmath, json, re, datetime, decimal, fractions, statistics, random, string, textwrap, uuid, hashlib, base64, array, graphlib, difflib, unicodedata, time
from decimal import Decimal, getcontext, localcontext
print(math.sqrt(16), math.pi, cmath.sqrt(-1), json.dumps({"b": [1, None, True], "a": "é"}, sort_keys=True, indent=1), json.loads('[1, {"x": 2.5}]'))
class Enc(json.JSONEncoder):
    def default(self, o): return f"<{type(o).__name__}>" if isinstance(o, set) else super().default(o)
print(json.dumps([{1}], cls=Enc), json.dumps(Decimal("1"), default=str), json.loads('{"a": 1}', object_hook=lambda d: list(d)))
try: json.loads("{")
except json.JSONDecodeError as e: print(e.msg, e.pos, isinstance(e, ValueError))
p = re.compile(r"(?P<k>\\w+)=(\\d+)", re.I | re.X); m = p.search("a=1 B=22"); print(m.group("k"), m[2], m.groupdict(), p.findall("a=1 b=2"), re.sub(r"\\d", lambda x: x[0] * 2, "a1b2"), m.span())
d = datetime.datetime(2024, 2, 29, 12, 30, tzinfo=datetime.timezone.utc); print(d.isoformat(), d + datetime.timedelta(days=1), d.strftime("%Y/%j %A"), datetime.datetime.strptime("2024-01-02", "%Y-%m-%d").date(), d.replace(year=2028).year)
print(f"{d:%H:%M}", datetime.date(2024, 1, 1).weekday(), datetime.date.fromisoformat("2024-05-06") - datetime.date(2024, 5, 1), time.strftime("%Y", time.gmtime(0)), time.strptime("2020", "%Y").tm_year)
getcontext().prec = 6; print(Decimal(1) / Decimal(7)); getcontext().prec = 28
with localcontext() as ctx: ctx.prec = 3; print(Decimal(2).sqrt())
print(Decimal("1.25").quantize(Decimal("0.1"), rounding=decimal.ROUND_HALF_UP), fractions.Fraction(3, 6) + 1, fractions.Fraction("0.125").numerator)
print(statistics.mean([1, 2, 4]), statistics.median([3, 1, 2]), round(statistics.stdev([1, 2, 3, 4]), 4), statistics.mode("aab"), statistics.NormalDist(0, 1).cdf(0))
r = random.Random(42); print(r.randint(1, 100), r.choice("abc"), r.sample(range(10), 3), round(r.random(), 6)); random.seed(7); print(random.randint(0, 9), random.shuffle([1, 2]) is None)
print(string.ascii_lowercase[:3], string.capwords("a b"), string.Template("$x-${y}").substitute(x=1, y=2), textwrap.fill("aa bb cc", 5), textwrap.dedent("  a\\n   b"), textwrap.shorten("hello world", 8))
w = textwrap.TextWrapper(); w.width = 4; print(w.wrap("aa bb"))
class F(string.Formatter):
    def get_value(self, key, args, kwargs): return kwargs.get(key, "?") if isinstance(key, str) else args[key]
print(F().format("{a} {0} {b[0]}", 1, b=[2]), string.Formatter().format("{0:>3}{x.real}", 1, x=2), string.Formatter().vformat("{}", (3,), {}))
print(uuid.UUID(int=5), uuid.uuid5(uuid.NAMESPACE_DNS, "a").hex, len(str(uuid.uuid4())), uuid.uuid4().version, hashlib.sha256(b"a").hexdigest()[:8], hashlib.new("md5", b"").hexdigest()[:4], base64.b64encode(b"hi"), base64.b64decode("aGk="))
a = array.array("i", [1, 2]); a.append(3); print(a, a.tolist(), list(graphlib.TopologicalSorter({"b": ["a"]}).static_order()), difflib.get_close_matches("appel", ["apple"]), unicodedata.name("é"), unicodedata.normalize("NFD", "é") == "e\\u0301", "\\N{BULLET}")
print(list(difflib.unified_diff(["a"], ["b"], lineterm="")), difflib.SequenceMatcher(None, "ab", "abc").ratio(), time.monotonic() > 0, time.time() > 1e9)
from math import *
from string import digits as dd, hexdigits
print(floor(2.5), dd)
import collections.abc
import collections as c2
print(issubclass(list, collections.abc.Sequence), c2.abc is collections.abc)
""",
)
program(
    "beside the guards",
    """
import enum, graphlib, random, re
from collections import UserString
from dataclasses import dataclass
class Once:
    made = None
    def __new__(cls, *a):
        if cls.made is None: cls.made = super().__new__(cls)
        return cls.made
class Answer:
    def __new__(cls): return 42
class Planet(enum.Enum):
    def __new__(cls, mass, name):
        one = object.__new__(cls); one._value_ = mass; one.label = name
        return one
    EARTH = 6, "e"
class Dull(random.Random):
    def __init__(self): super().__init__(1)
    def random(self): return 0.25
class Report:
    obj = 1
    def __init__(self): self.format = ""
    def add(self): self.format += "x"; self.obj += 1; return self.format, self.obj
class Sub(Report): pass
Sub.obj += 5
@dataclass
class Row:
    x: int
    format: str = "f"
    def __post_init__(self): self.seen = True
match Row(3):
    case Row(x): print(x)
print(Once() is Once(1), Answer(), Planet.EARTH.label, Planet(6), Dull().randrange(4), Report().add(), Sub.obj, Report.obj)
print(UserString("{} {a}").format(1, a=2), UserString("{a:>3}").format_map({"a": 1}), UserString("ab") * 2, UserString("a") + "b")
sorter = graphlib.TopologicalSorter({"d": {"b"}, "b": {"a"}}); print(list(sorter.static_order()))
print(list(Planet.__members__), dict(re.compile("(?P<n>x)(?P<m>y)").groupindex), re.sub("(a)", r"<\\1>", "aba", flags=re.I | re.M))
""",
)
program(
    "time zones",
    """
import copy
from datetime import datetime, timedelta, timezone, UTC
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones
b = ZoneInfo("Europe/Berlin")
print(b, repr(b), b.key, b == ZoneInfo("Europe/Berlin"), b is ZoneInfo("Europe/Berlin"), b == ZoneInfo("Europe/Paris"))
for text in ("2024-03-31T01:59:00", "2024-03-31T02:30:00", "2024-10-27T02:30:00", "1893-01-01", "2050-07-01"):
    for fold in (0, 1):
        d = datetime.fromisoformat(text).replace(tzinfo=b, fold=fold)
        print(d, d.isoformat(), d.utcoffset(), d.dst(), d.tzname(), d.astimezone(UTC), d + timedelta(days=1), (d + timedelta(hours=1)).astimezone(UTC))
for h in range(4):
    u = datetime(2024, 10, 27, h, 15, 3, 9, tzinfo=UTC)
    l = u.astimezone(b)
    print(l, l.fold, l.astimezone(ZoneInfo("America/New_York")), l == u, l - u)
class D(datetime): pass
d = D(2024, 10, 27, 1, 30, tzinfo=UTC).astimezone(b)
print(type(d).__name__, d, d.fold)
print(len(available_timezones()) > 500, "Asia/Tokyo" in available_timezones())
for k in ("Nope/Zone", "/etc/passwd", "a/../b"):
    try: ZoneInfo(k)
    except Exception as e: print(type(e).__name__, e)
try: ZoneInfo(5)
except TypeError as e: print("TypeError")
print(copy.copy(b) is b, copy.deepcopy([d])[0] == d, hash(b) == hash(b), b.utcoffset(None), ZoneInfo("UTC").utcoffset(None), isinstance(b, ZoneInfo))
print(b.fromutc(datetime(2024,1,1,tzinfo=b)), ZoneInfo.no_cache("Europe/Berlin") is b)
class Z(ZoneInfo): pass
print(Z("Asia/Tokyo"), Z("Asia/Tokyo") is Z("Asia/Tokyo"), Z("Asia/Tokyo") == ZoneInfo("Asia/Tokyo"), datetime(2024,1,1,tzinfo=Z("Asia/Tokyo")))
""",
)


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.filterwarnings("ignore::SyntaxWarning", "ignore::DeprecationWarning")
def test_an_ordinary_program_prints_what_cpython_prints(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    source = PROGRAMS[name]

    assert try_source(source) == plainly(source, monkeypatch) != ""
