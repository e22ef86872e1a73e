# ruff: noqa: E501  (rows of hostile source read better in one piece)
"""More rows for the table in `language_escapes`: where library code does what the agent may not.

A deputy writes into what an agent's `__new__`, table or origin names; a cache believes a key that claims to equal
another's; a read-only view hands its dict to whatever it is compared with. Each row: family, name, where the wall stops
it, source, and whether it escapes in plain CPython.
"""

ROWS: list[tuple[str, str, str, str, bool]] = [
    (
        "altering",
        "super().__init__ of a class is unbound",
        "run",
        """
import uuid
class A(uuid.UUID):
    def f(self): return super().__init__
raw = A.f(A)
raw(uuid.NAMESPACE_DNS, int=5)
print("ESCAPED" if uuid.NAMESPACE_DNS.int == 5 else "")
""",
        True,
    ),
    (
        "altering",
        "super().__init__ of a classmethod is unbound",
        "run",
        """
import fractions
class P(property):
    @classmethod
    def f(cls): return super().__init__
P.f()(fractions.Fraction.numerator, lambda s: 666)
print("ESCAPED" if fractions.Fraction(1,2).numerator == 666 else "")
""",
        True,
    ),
    (
        "deputy",
        "a mixin's __new__ gives Fraction what to fill",
        "run",
        """
import fractions
class M:
    def __new__(cls): return fractions.Fraction
class C(fractions.Fraction, M): pass
try: C(1, 2)
except TypeError: pass
try: fractions.Fraction(3, 4)
except AttributeError: print("ESCAPED")
""",
        True,
    ),
    (
        "making classes",
        "a namespace that changes its mind",
        "run",
        """
import dataclasses
class N:
    def __iter__(self): return iter(())
    def keys(self): return ["__class__"]
    def __getitem__(self, k): return property(lambda s: int)
    def __bool__(self): return True
X = dataclasses.make_dataclass("X", [], namespace=N())
print("ESCAPED" if X().__class__ is int or isinstance(X(), int) else "")
""",
        True,
    ),
    (
        "text to code",
        "a Field whose name is code",
        "run",
        """
import dataclasses
class F(dataclasses.Field):
    @property
    def name(self): return "x=print('ESC'+'APED')#"
    @name.setter
    def name(self, v): pass
f = F(dataclasses.MISSING, dataclasses.MISSING, True, True, None, True, {}, False)
try: dataclasses.make_dataclass("A", [("x", int, f)], repr=False, eq=False)
except SyntaxError: print("ESCAPED")
""",
        True,
    ),
    (
        "deputy",
        "an enum's __new__ gives a member of another",
        "run",
        """
import enum, re
class E(enum.Enum):
    def __new__(cls, *a): return re.I
    A = 1
print("ESCAPED" if re.I.name != "IGNORECASE" else re.I.name)
""",
        True,
    ),
    (
        "deputy",
        "an enum's __new__ gives a library class",
        "run",
        """
import enum, fractions
try:
    class E(enum.Enum):
        def __new__(cls, *a): return fractions.Fraction
        A = 1
except Exception as e: print(e)
print("ESCAPED" if hasattr(fractions.Fraction, "_value_") else "")
""",
        True,
    ),
    (
        "deputy",
        "ExitStack.pop_all fills what __new__ gave",
        "run",
        """
import contextlib, fractions
class E(contextlib.ExitStack):
    given = None
    def __new__(cls): return cls.given or super().__new__(cls)
e = E()
E.given = fractions.Fraction
if e.pop_all() is fractions.Fraction: print("ESCAPED")
""",
        True,
    ),
    (
        "deputy",
        "a registered protocol makes instances writable",
        "run",
        """
import collections, typing, dataclasses
@typing.runtime_checkable
class P(typing.Protocol):
    def __set_name__(self, a, b): ...
collections.UserDict.register(P)
f = dataclasses.field()
f.name = "evil"
print("ESCAPED", f.name)
""",
        True,
    ),
    (
        "altering",
        "a protocol registered with a library ABC",
        "run",
        """
import collections.abc, typing
@typing.runtime_checkable
class P(typing.Protocol):
    def bit_length(self): ...
collections.abc.Sequence.register(P)
print("ESCAPED" if isinstance(5, collections.abc.Sequence) else "")
""",
        True,
    ),
    (
        "making classes",
        "an enum that hides its members",
        "run",
        """
import enum
class E(enum.Enum):
    A = 1
E._member_names_.clear()
X = E("X", names={"__reduce__": lambda s: 1, "__match_args__": ("tb_frame",)})
print("ESCAPED", X)
""",
        True,
    ),
    (
        "making classes",
        "a half made enum",
        "run",
        """
import enum
class E(enum.Enum, _simple=True):
    A = 1
print("ESCAPED" if type(E.A) is int else "")
""",
        True,
    ),
    (
        "private names",
        "an override seen by __init_subclass__",
        "run",
        """
import random
got = []
class H:
    def __init_subclass__(cls): got.append(cls)
try:
    class R(H, random.Random):
        def _randbelow(self, n): return 0
except TypeError as e: print(e)
r = got[0]()
print("ESCAPED" if {r.randrange(10) for _ in range(50)} == {0} else "")
""",
        True,
    ),
    (
        "poisoned cache",
        "flags of re.compile",
        "run",
        """
import re
class Fl(int):
    def __hash__(self): return hash(0)
    def __eq__(self, o): return o == 0
re.compile("abc", Fl(2))
print("ESCAPED" if re.search("abc", "ABC") else "")
""",
        True,
    ),
    (
        "poisoned cache",
        "templates of re.sub",
        "run",
        """
import re
class S(str):
    def __hash__(self): return hash("<\\\\1>")
    def __eq__(self, o): return True
p = re.compile("(a)")
p.sub(S("X\\\\1"), "a")
print(p.sub("<\\\\1>", "a"))
print("ESCAPED" if p.sub("<\\\\1>", "a") != "<a>" else "")
""",
        True,
    ),
    (
        "poisoned cache",
        "members of RegexFlag",
        "run",
        """
import re
class Fl(int):
    def __hash__(self): return hash(10)
    def __eq__(self, o): return int(o) == 10
    __or__ = __ror__ = __and__ = __rand__ = lambda s, o: 0
RF = type(re.I)
try: print(RF(Fl(64)))
except Exception as e: print(type(e), e)
x = re.I | re.M
print(repr(x), int(x))
print("ESCAPED" if int(x) != 10 else "")
""",
        True,
    ),
    (
        "poisoned cache",
        "typing",
        "run",
        """
import typing
class E:
    def __call__(self): pass
    def __hash__(self): return hash(int)
    def __eq__(self, o): return True
typing.List[E()]
print("ESCAPED" if typing.get_args(typing.List[int]) != (int,) or typing.get_args(typing.List[int])[0] is not int else "")
""",
        True,
    ),
    (
        "poisoned cache",
        "formats of strptime",
        "run",
        """
import datetime
class S(str):
    def __hash__(self): return hash("%Y")
    def __eq__(self, other): return other == "%Y"
try: datetime.datetime.strptime("13", S("%d"))
except ValueError: pass
try: datetime.datetime.strptime("2021", "%Y")
except ValueError: print("ESCAPED")
""",
        True,
    ),
    (
        "view",
        "__members__ compared",
        "run",
        """
import re
class L:
    def __eq__(self, o): self.o = o; return True
l = L()
type(re.I).__members__ == l; l.o["HACK"]=1
print("ESCAPED" if "HACK" in type(re.I).__members__ else "")
""",
        True,
    ),
    (
        "view",
        "groupindex joined",
        "run",
        """
import re
class L:
    def __ror__(self, o): self.o = o; return 1
l = L()
re.compile("(?P<a>x)").groupindex | l
l.o["a"] = 0
print("ESCAPED" if re.match("(?P<a>x)", "x").groupdict() and re.compile("(?P<a>x)").groupindex["a"] == 0 else "")
""",
        True,
    ),
    (
        "view",
        "metadata of a field joined",
        "run",
        """
import dataclasses
class L:
    def __ror__(self, o): self.o = o; return 1
l = L()
dataclasses.field().metadata | l
l.o["hacked"] = 1
print("ESCAPED" if dataclasses.field().metadata else "")
""",
        True,
    ),
    (
        "view",
        "the table of textwrap joined",
        "run",
        """
import textwrap
class L:
    def __ror__(self, o): self.o = o; return 1
l = L()
textwrap.TextWrapper.unicode_whitespace_trans | l
l.o[97] = 98
print("ESCAPED" if textwrap.fill("aaa") == "bbb" else "")
""",
        True,
    ),
    (
        "exception",
        "object of an AttributeError by +=",
        "run",
        """
class R:
    def __radd__(self, o): self.o = o; return 1
r = R()
import math
try: math.nope
except AttributeError as e: e.obj += r
print("ESCAPED" if r.o is math else "")
""",
        True,
    ),
    (
        "computed name",
        "str.format by +=",
        "run",
        """
class R:
    def __radd__(self, o): self.o = o; return 1
r = R()
class S(str): pass
s = S("{0.__globals__}")
s.format += r
print("ESCAPED" if "import" in r.o(lambda: 0) or 1 and r.o(lambda: 0) else "")
""",
        True,
    ),
    (
        "computed name",
        "UserString.format",
        "run",
        """
import collections
print("ESCAPED" if collections.UserString("{0.__globals__}").format(lambda: 0) else "")
""",
        True,
    ),
    (
        "computed name",
        "UserString.format_map",
        "run",
        """
import collections
print("ESCAPED" if collections.UserString("{a.__globals__}").format_map({"a": lambda: 0}) else "")
""",
        True,
    ),
    (
        "deputy",
        "__setattr__ of a typing alias on another object",
        "run",
        """
import typing, fractions
GA = type(typing.List[int])
class D: pass
d = D(); vars(d)["__origin__"] = fractions.Fraction
GA.__setattr__(d, "hacked", 1)
print("ESCAPED" if hasattr(fractions.Fraction, "hacked") else "")
""",
        True,
    ),
    (
        "deputy",
        "NamedTuple's form on another object",
        "run",
        """
import typing, fractions
CF = type(typing.NamedTuple)
class D: pass
d = D(); d._real = lambda *a, **k: fractions.Fraction; d.__name__ = "x"
CF.__call__(d, "X", [])
fractions.Fraction.hacked = 1
print("ESCAPED")
""",
        False,
    ),
    (
        "making classes",
        "inherit from a property",
        "run",
        """
G = type(list[int])
p = property()
class X(p): print("ESCAPED")
""",
        True,
    ),
    (
        "pattern",
        "positional patterns of a protocol",
        "run",
        """
import typing, dataclasses, math
@dataclasses.dataclass
class Protocol(typing.Protocol):
    obj: object
@typing.runtime_checkable
class P(Protocol, typing.Protocol):
    def with_traceback(self): ...
try: math.nope
except AttributeError as e:
    match e:
        case P(o): print("ESCAPED" if o is math else o)
""",
        True,
    ),
    (
        "making classes",
        "inherit from TypeVar",
        "run",
        """
import typing
class T(typing.TypeVar, _root=True): pass
print("ESCAPED")
""",
        True,
    ),
    (
        "deputy",
        "a sorter's table in a subclass",
        "run",
        """
import graphlib, fractions
class T(graphlib.TopologicalSorter):
    def hack(self):
        self._node2info = {"a": fractions.Fraction}; self._ready_nodes = ["a"]
t = T(); t.hack(); t.get_ready()
print("ESCAPED" if hasattr(fractions.Fraction, "npredecessors") else "")
""",
        True,
    ),
    (
        "deputy",
        "a sorter's method on another object",
        "run",
        """
import graphlib, fractions
class D: pass
d = D(); d._node2info = {"a": fractions.Fraction}; d._ready_nodes = ["a"]
graphlib.TopologicalSorter.get_ready(d)
print("ESCAPED" if hasattr(fractions.Fraction, "npredecessors") else "")
""",
        False,
    ),
    (
        "private names",
        "an override by __set_name__",
        "run",
        """
import random
class D:
    def __set_name__(self, owner, name): setattr(owner, "_randbelow", 1)
class R(random.Random):
    d = D()
print("ESCAPED")
""",
        True,
    ),
    (
        "private names",
        "an override by __slots__",
        "run",
        """
import random
class R(random.Random):
    __slots__ = ("_randbelow",)
print("ESCAPED")
""",
        True,
    ),
    (
        "deputy",
        "__new__ by assignment",
        "compile",
        """
class A:
    __new__ = lambda cls: 5
print("ESCAPED")
""",
        True,
    ),
    (
        "deputy",
        "__new__ that returns from finally",
        "run",
        """
import fractions
class A(fractions.Fraction):
    def __new__(cls, *a):
        try: return 5
        finally: return fractions.Fraction
A()
print("ESCAPED")
""",
        True,
    ),
    (
        "deputy",
        "__new__ under a decorator",
        "compile",
        """
def own(f): return f
class A:
    @own
    def __new__(cls): return 5
print('ESCAPED')
""",
        True,
    ),
    (
        "import",
        "relative future",
        "compile",
        """
from .__future__ import annotations
x: int = 1
print('ESCAPED')
""",
        False,
    ),
]
