# ruff: noqa: E501  (the programs are data: dense on purpose)
"""Python's own syntax means under the language wall what it means in CPython: each program runs both ways and prints the same."""

from typing import Final

import pytest
from emporion.runtime.sandbox.language.trial import try_source
from emporion.tests.both_ways import Programs, plainly

PROGRAMS: Final = Programs()
program = PROGRAMS.add


program(
    "classes",
    '''
class Shop:
    """A shop."""
    opened = 0
    _secret = 3
    def __init__(self, name, *goods, till=0, **more):
        super().__init__()
        self.name, self._goods = name, list(goods)
        self.__till = till
        self.more = more
        Shop.opened += 1
    @property
    def till(self): return self.__till
    @till.setter
    def till(self, value): self.__till = value
    @till.deleter
    def till(self): del self.__till
    @classmethod
    def count(cls): return cls.opened + cls._secret
    @classmethod
    def reset(cls): cls.opened = 0; cls._secret = 0
    @staticmethod
    def double(x): return x * 2
    def __repr__(self): return f"{type(self).__name__}({self.name!r})"
    def __eq__(self, other): return isinstance(other, Shop) and self.__till == other.__till
    def __hash__(self): return hash(self.name)
    def __len__(self): return len(self._goods)
    def __getitem__(self, i): return self._goods[i]
    def __setitem__(self, i, v): self._goods[i] = v
    def __delitem__(self, i): del self._goods[i]
    def __contains__(self, x): return x in self._goods
    def __iter__(self): return iter(self._goods)
    def __call__(self, n): return self.name * n
    def __bool__(self): return True
    def __format__(self, spec): return f"<{spec}>"
class Mall(Shop):
    def __init__(self, name):
        super().__init__(name, 1, 2, till=5, colour="red")
        self.sub = [Shop("a"), Shop("b")]
    def __repr__(self): return "Mall:" + super().__repr__()
    @property
    def till(self): return super().till + 1
m = Mall("big")
print(m, m.till, Shop.count(), Mall.count(), Mall.double(4), m.more, len(m), m[0], 2 in m, list(m), m(2), f"{m:xyz}")
m[0] = 9; del m[1]
print(m[0], m == Shop("x", till=5), m != 3, {m: 1}[m], bool(m), Shop.__doc__, Shop.__name__, m.__class__.__name__)
s = Shop("t"); s.till = 4; print(s.till); del s.till
try: s.till
except AttributeError as e: print(type(e).__name__, e)
Shop.reset(); print(Shop.opened, isinstance(m, Shop), issubclass(Mall, Shop), Mall.__qualname__, Shop.__module__ == __name__)
m.sub[0].name = "new"; m.sub[0]._goods += [1]; print(m.sub[0].name, m.sub[0]._goods)
print(vars(s), s.__dict__, sorted(k for k in vars(Shop) if not k.startswith("_")), hasattr(s, "nope"), getattr(s, "nope", 7))
setattr(s, "later", 1); print(s.later); delattr(s, "later"); print(hasattr(s, "later"), callable(s), Shop.__init__ is not None)
''',
)
program(
    "hooks and descriptors",
    """
class Base:
    kinds = []
    def __init_subclass__(cls, /, tag="none", **kw):
        super().__init_subclass__(**kw)
        cls.tag = tag
        cls.kinds.append(cls.__name__)
class A(Base, tag="a"): pass
class B(A): pass
print(Base.kinds, A.tag, B.tag)
class Typed:
    def __set_name__(self, owner, name): self._name = "_" + name
    def __get__(self, obj, owner=None): return self if obj is None else getattr(obj, self._name, None)
    def __set__(self, obj, value): setattr(obj, self._name, int(value))
    def __delete__(self, obj): delattr(obj, self._name)
class P:
    x = Typed(); y = Typed()
    def __init__(self, x): self.x = x
p = P("3"); p.y = "4"; print(p.x, p.y, p._x, P.x is P.__dict__["x"]); del p.y; print(p.y)
class Lazy:
    def __getattr__(self, name):
        if name.startswith("get_"): return lambda: name[4:]
        raise AttributeError(name)
    def __setattr__(self, name, value): super().__setattr__(name, value * 2)
    def __delattr__(self, name): object.__delattr__(self, name)
    def __dir__(self): return ["a", "b"]
z = Lazy(); z.v = 2; print(z.get_it(), z.v, dir(z)); del z.v; print(hasattr(z, "v"))
class Frozen:
    __slots__ = ("a", "_b")
    def __init__(self, a):
        object.__setattr__(self, "a", a); object.__setattr__(self, "_b", a)
    def __setattr__(self, n, v): raise AttributeError("frozen")
f = Frozen(1); print(f.a, f._b)
try: f.a = 2
except AttributeError as e: print(e)
class One:
    _it = None
    def __new__(cls, *a):
        if cls._it is None: cls._it = super().__new__(cls)
        return cls._it
print(One() is One())
class Up(str):
    def __new__(cls, s): return super().__new__(cls, s.upper())
print(Up("abc"), Up("x").format(), type(Up("x")).__name__)
class D(dict):
    def __missing__(self, k): return k * 2
    def __getitem__(self, k): return super().__getitem__(k)
print(D(a=1)["a"], D()["bb"])
class V:
    def __init__(self, x): self.x = x
    def __add__(self, o): return V(self.x + o.x)
    def __radd__(self, o): return V(o + self.x)
    def __iadd__(self, o): self.x += o.x; return self
    def __mul__(self, k): return V(self.x * k)
    __rmul__ = __mul__
    def __neg__(self): return V(-self.x)
    def __lt__(self, o): return self.x < o.x
    def __repr__(self): return f"V({self.x})"
    __str__ = __repr__
    __hash__ = None
    def __enter__(self): print("in"); return self
    def __exit__(self, t, v, tb): print("out", t and t.__name__); return True
    def __index__(self): return self.x
    def __round__(self, n=None): return round(self.x, n)
    def __matmul__(self, o): return self.x @ o if False else "at"
v = V(1); v += V(5); print(v, 2 + v, 3 * v, -v, max(V(2), V(9)), sorted([V(3), V(1)]), [0, 1, 2, 3, 4, 5, 6, 7][v], v @ 1)
with V(1) as w, V(2) as u: raise ValueError("x")
try: hash(v)
except TypeError as e: print(e)
""",
)
program(
    "statements",
    """
import math, itertools as it
from collections import Counter, defaultdict, OrderedDict, deque, ChainMap, namedtuple
calls = []
def once(v): calls.append(v); return v
a = b, c = once([1, 2]); print(a, b, c, calls)
(p, (q, *r)), s = (1, (2, 3, 4)), 5; print(p, q, r, s)
[x, y] = y0, x0 = once((7, 8)); print(x, y, y0, x0, len(calls))
for i, (j, k) in enumerate([(1, 2), (3, 4)]): print(i, j, k, end=";")
else: print("else")
class O: pass
o = O(); o.a = 1; o.d = {}; o.a += 4; o.d["k"] = [1]; o.d["k"] += [2]; o.d["k"][0] *= 7; print(o.a, o.d)
for o.a in range(3): pass
print(o.a)
with_list = [0]
for with_list[0] in "ab": pass
print(with_list)
def outer():
    n = 0
    def inc(by=1, /, *, times=1):
        nonlocal n
        n += by * times
        return n
    return inc
f = outer(); f(); print(f(2, times=3))
g = 0
def setg():
    global g
    g = 5
setg(); print(g)
if (n := len("abc")) > 2: print(n)
print([y for x in range(4) if (y := x * 2)], {k: v for k, v in zip("ab", (1, 2))}, {x % 2 for x in range(5)}, sum(x for x in range(4)))
print((lambda x, *a, k=1, **kw: (x, a, k, kw))(1, 2, 3, k=4, z=5))
def deco(*names):
    def wrap(fn):
        def inner(*args, **kwargs):
            inner.calls = getattr(inner, "calls", 0) + 1
            return (names, fn(*args, **kwargs))
        return inner
    return wrap
@deco("a", "b")
def dec(x): return x
print(dec(1), dec(2), dec.calls)
def gen():
    got = yield 1
    try: yield got
    finally: print("closed")
    yield from ()
    return 3
t = gen(); print(next(t), t.send("hi")); t.close()
def chain():
    r = yield from (x for x in "ab")
print(list(chain()))
try:
    try: 1 / 0
    except ZeroDivisionError as e: raise ValueError("bad") from e
    finally: print("finally")
except ValueError as e: print(e, type(e.__cause__).__name__, e.args)
else: print("no")
class MyError(Exception):
    def __init__(self, code): super().__init__(f"code {code}"); self.code = code
try: raise MyError(4)
except (MyError, KeyError) as e: print(e, e.code, repr(e)); e.code = 9; print(e.code)
s = list(range(10)); print(s[2:5], s[::-2], s[-3:]); s[1:3] = []; del s[0]; print(s)
w = "x"; print(f"{w!r:>5} {3.14159:.2f} {1000:,} {{}} {w=} {'n' + w:{'>'}{6}}")
print("{} {1}".format if False else "{0} {name:>4} {0!r} {lst[1]} {z.imag}".format("p", name="q", lst=[1, 2], z=3j))
print("{} {}".format(1, 2), "%s-%05d %(a)s" % () if False else "%s-%05d" % ("a", 3), "{a}{b}".format_map({"a": 1, "b": 2}))
print(1, 2, sep="-", end="!\\n"); print(); print("a", None, [1], sep="", flush=True)
while True:
    break
else: print("never")
assert True, "x"
del w
print(*[1, 2], *(3,), **{"sep": ","}); print([*range(2), *"ab"], {**{"a": 1}, "b": 2})
print(1 if g else 2, not g, g and 3, g or 4, 1 < 2 < 3, 5 // 2, -5 % 3, 2 ** 8, 7 & 3, 6 ^ 2, 1 << 4, ~5, 3 is 3 if False else 1)
print(Counter("hello").most_common(1), defaultdict(list, a=[1]), OrderedDict(a=1), deque([1, 2], maxlen=2), ChainMap({"a": 1})["a"])
def anno(a: int, b: "str" = "x", *c: float, d: list[int] = [], **e: dict[str, int]) -> None: ...
v: int = 3; u: "undefined"; print(v, anno(1), anno.__name__, __name__ == "__main__", type(anno).__name__)
P = namedtuple("P", ["x", "y"], defaults=[0]); print(P(1), P(1, 2)._replace(x=5), P(3)._asdict(), P._fields, P._make([1, 2]), P(1, 2).x)
__version__ = "1.0"; __all__ = ["x"]; print(__version__, __all__)
if __name__ == "__main__": print("main")
print(abs(-1), divmod(7, 2), round(2.567, 1), sorted("bca", reverse=True), list(reversed([1, 2])), list(map(str, [1])), any([0, 1]), hex(255))
print(type(3) is int, type(O()) is O, isinstance(int, type), type(int) is type, isinstance(3, type), type(type(3)) == type)
""",
)
program(
    "match",
    """
from dataclasses import dataclass
from enum import Enum
class Colour(Enum):
    RED = 1; BLUE = 2
@dataclass
class Point:
    x: int
    y: int
class Q:
    __match_args__ = ("a", "b")
    def __init__(self, a, b): self.a, self.b = a, b
def what(v):
    match v:
        case None | True | False: return "single"
        case 0 | 1: return "small"
        case int(n) if n > 100: return f"big {n}"
        case str() as s: return s.upper()
        case [1, *rest]: return rest
        case (a, b): return a, b
        case {"k": [x, _], **more}: return x, more
        case Point(0, y): return "axis", y
        case Point(x=x, y=y): return x, y
        case Q(a, b): return a + b
        case Colour.RED: return "red"
        case float(): return "float"
        case -1: return "minus"
        case type(): return "class"
        case _: return "other"
for v in (None, 0, 500, "a", [1, 2, 3], (4, 5), {"k": [6, 7], "z": 1}, Point(0, 3), Point(1, 2), Q(3, 4), Colour.RED, 2.5, -1, int, Colour.BLUE):
    print(what(v))
""",
)
program(
    "async by hand",
    """
class Wait:
    def __init__(self, v): self.v = v
    def __await__(self):
        got = yield self.v
        return got
class ACM:
    async def __aenter__(self): print("aenter"); return self
    async def __aexit__(self, t, v, tb): print("aexit")
class AIt:
    def __init__(self): self.n = 0
    def __aiter__(self): return self
    async def __anext__(self):
        self.n += 1
        if self.n > 2: raise StopAsyncIteration
        return self.n
async def agen():
    yield 1
    yield 2
async def helper(x): return await Wait(x) + 1
async def main():
    a = await helper(1)
    async with ACM() as m:
        async for i in AIt(): print("i", i)
    print([x async for x in agen()], [await helper(3)])
    return a
c = main(); sent = None
try:
    while True:
        sent = c.send(sent); print("asked", sent); sent = (sent or 0) * 10
except StopIteration as e: print("result", e.value)
""",
)
program(
    "deep things",
    """
total = 0
def tree(depth): return None if depth == 0 else (tree(depth - 1), depth, tree(depth - 1))
def walk(t):
    if t: yield from walk(t[0]); yield t[1]; yield from walk(t[2])
print(sum(walk(tree(8))))
def rec(n): return 1 if n == 0 else 1 + rec(n - 1)
print(rec(500))
try: rec(10**6)
except RecursionError: print("too deep")
class LinkedList:
    class _Node:
        def __init__(self, value, next_=None): self.value = value; self._next = next_
    def __init__(self): self._head = None; self.__size = 0
    def push(self, v):
        self._head = self._Node(v, self._head); self.__size += 1
    def reverse(self):
        prev, node = None, self._head
        while node: node._next, prev, node = prev, node, node._next
        self._head = prev
    def __iter__(self):
        node = self._head
        while node is not None: yield node.value; node = node._next
    def __len__(self): return self.__size
    def map(self, fn):
        out = LinkedList()
        for v in self: out.push(fn(v))
        return out
    def compare(self, other): return self.__size == other.__size and self._head._next.value == other._head._next.value
l = LinkedList(); [l.push(i) for i in range(5)]; l.reverse(); print(list(l), len(l), list(l.map(lambda v: v * 2)), l.compare(l))
class Out:
    def __init__(self): self.text = []
    def write(self, s): self.text.append(s)
    def flush(self): self.text.append("!")
o = Out(); print("a", "b", file=o, sep="_", flush=True); print(o.text)
class Weird:
    @property
    def f_score(self): return 1
    def format(self, x): return x * 2
    def register(self, fn): return fn
    obj = 3
    co_author = "me"
w = Weird(); print(w.f_score, w.format(4), w.register(5), w.obj, w.co_author)
def f(self=3, cls=4): return self + cls
print(f(), "".join(map("{:02d}".format, [1, 2])), str.format("{}", 1), list(map(str.upper, "ab")))
x = [1, 2, 3]; x[0], x[1] = x[1], x[0]; print(x)
import sys_ if False else None if False else math if False else None
""".replace("import sys_ if False else None if False else math if False else None\n", ""),
)


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.filterwarnings("ignore::SyntaxWarning", "ignore::DeprecationWarning")
def test_an_ordinary_program_prints_what_cpython_prints(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    source = PROGRAMS[name]

    assert try_source(source) == plainly(source, monkeypatch) != ""
