# ruff: noqa: E501  (rows of hostile source read better in one piece)
"""More rows for the table in `language_escapes`: library methods on what is not their own, and names that lie.

A method of the library in Python takes any object for its ``self``: given a class it hands out the true `type`, given
anybody's object it writes there. A name of an agent's own class is one thing when it is checked, another when it is
used. A mixin comes before the library's class. Each row: family, name, where the wall stops it, source, and whether it
escapes in plain CPython.
"""

ROWS: list[tuple[str, str, str, str, bool]] = []


def row(family: str, name: str, source: str, stop: str = "run", alone: bool = True) -> None:
    ROWS.append((family, name, stop, source.strip() + "\n", alone))


# --- the true `type`, out of ``self.__class__``

_TRUE_TYPE = "print('ESCAPED' if T('X', (), {'a': 1}).a else '')"
for _name, _statements in {
    "Counter.copy": "T = collections.Counter.copy(A)",
    "ChainMap.new_child": "A.maps = ((), {'a': 1})\nX = collections.ChainMap.new_child(A, 'X')\nT = lambda *a: X",
    "ChainMap.copy": "A.maps = [M(), (), {'a': 1}]\nX = collections.ChainMap.copy(A)\nT = lambda *a: X",
    "ChainMap.parents": "A.maps = [0, A]\nT = collections.ChainMap.parents.fget(A)",
    "ChainMap.__ror__": "A.maps = [{}]\nT = collections.ChainMap.__ror__\nT = type(T(A, {}))",
    "UserList.__getitem__": "class D:\n    def __getitem__(self, i): return A\nA.data = D()\nT = collections.UserList.__getitem__(A, slice(1))",
    "UserList.__mul__": "class D:\n    def __mul__(self, n): return A\nA.data = D()\nT = collections.UserList.__mul__(A, 2)",
    "UserList.__add__": "class D:\n    def __add__(self, n): return A\nA.data = D()\nT = collections.UserList.__add__(A, collections.UserList())",
    "UserString.upper": "class D:\n    def upper(self): return A\nA.data = D()\nT = collections.UserString.upper(A)",
    "UserString.translate": "class D:\n    def translate(self, *a): return A\nA.data = D()\nT = collections.UserString.translate(A, {})",
    "UserString.__mod__": "class D:\n    def __mod__(self, a): return A\nA.data = D()\nT = collections.UserString.__mod__(A, 1)",
    "UserDict.__or__": "class D:\n    def __or__(self, a): return A\nA.data = D()\nT = collections.UserDict.__or__(A, {})",
    "Counter.copy bound by MethodType": "import types\nT = types.MethodType(collections.Counter.copy, A)()",
    "Counter.copy by partial": "import functools\nT = functools.partial(collections.Counter.copy, A)()",
    "Counter.copy by map": "T = list(map(collections.Counter.copy, [A]))[0]",
    "Counter.copy as a method": "class B: copy = classmethod(collections.Counter.copy)\nT = B.copy()",
    "Counter.copy as a property": "class B: pass\nB.t = property(collections.Counter.copy)\nT = B.t.__get__(A)",
    "RegexFlag.__or__": "import re\nA._value_ = A\nclass V(int):\n    def __or__(self, o): return A\nA._value_ = V()\nT = type(re.I).__or__(A, 1)",
    "RegexFlag.__invert__": "import re\nclass N:\n    def __invert__(self): return A\nA._value_ = 1; A._inverted_ = None; A._boundary_ = None; A._flag_mask_ = 1; A._singles_mask_ = A\nT = type(re.I).__xor__(A, 0)",
}.items():
    row("true type", _name, f"import collections\nclass M:\n    def copy(self): return 'X'\nclass A: pass\n{_statements}\n{_TRUE_TYPE}",
        alone=_name not in ("ChainMap.__ror__", "RegexFlag.__or__", "RegexFlag.__invert__"))
row(
    "true type",
    "a dispatcher on another object",
    """
import functools
@functools.singledispatch
def f(x): pass
class F:
    def dispatch(self, t): return lambda *a: print('ESCAPED' if t('X', (), {}) else '')
type(f).__call__(F(), F)
""",
    alone=False,
)
row(
    "true type",
    "all the way to a file",
    """
import collections
class A: pass
T = collections.Counter.copy(A)
Meta = T('Meta', (T,), {'__instancecheck__': lambda c, i: True})
def pattern(name): return Meta('P', (), {'__match_args__': (name,)})
Frame, Back, Builtins = pattern('gi_frame'), pattern('f_back'), pattern('f_builtins')
def climb():
    match this:
        case Frame(frame): pass
    while frame is not None:
        last = frame
        match frame:
            case Back(frame): pass
    match last:
        case Builtins(found):
            print('ESCAPED' if 'open' in found else '')
            print(found['open']('CANARY').read())
    yield
this = climb()
next(this)
""",
)

# --- writing into a foreign receiver

for _name, _statements in {
    "Random.setstate": "import random\ntry: random.Random.setstate(F, (3, (), 1))\nexcept TypeError: pass\nprint('ESCAPED' if hasattr(F, 'gauss_next') else '')",
    "Random.gauss": "import random\nclass X:\n    gauss_next = 1.0\n    random = lambda: 0.5\nrandom.Random.gauss(X, 0, 1)\nprint('ESCAPED' if X.gauss_next is None else '')",
    "ExitStack.pop_all": "import contextlib\nclass X:\n    _exit_callbacks = 1\ncontextlib.ExitStack.pop_all(X())\nprint('ESCAPED')",
    "ExitStack.callback": "import contextlib\nclass X:\n    def _create_cb_wrapper(self, *a): return lambda: 0\n    def _push_exit_callback(self, f): self.f = f\nx = X()\ncontextlib.ExitStack.callback(x, print)\nprint('ESCAPED' if x.f else '')",
    "a context manager's __enter__": "import contextlib\n@contextlib.contextmanager\ndef g(): yield\nclass X:\n    args = kwds = func = 1\n    gen = iter([1])\nx = X(); x.args = x.kwds = x.func = 1\ntype(g()).__enter__(x)\nprint('ESCAPED')",
    "UserList.__iadd__": "import collections\nclass X:\n    data = []\ncollections.UserList.__iadd__(X, [1])\nprint('ESCAPED' if X.data else '')",
    "UserDict.__ior__": "import collections\nclass X:\n    data = {}\ncollections.UserDict.__ior__(X, {1: 1})\nprint('ESCAPED' if X.data else '')",
    "a classmethod hands on a descriptor": "import functools, textwrap\nclass A:\n    @functools.cached_property\n    def hacked(self): return 1\nclassmethod(A.hacked).__get__(None, textwrap.dedent)\nprint('ESCAPED' if textwrap.dedent.hacked else '')",
    "an alias marks what its origin returns": "import textwrap\nGA = type(list[int])\nGA(lambda: textwrap.dedent, int)()\nprint('ESCAPED')",
}.items():
    row("foreign receiver", _name, f"import fractions\nF = fractions.Fraction\n{_statements}")
row("foreign receiver", "SequenceMatcher.set_seq1", "import difflib, fractions\nclass X(fractions.Fraction): b = a = None\ndifflib.SequenceMatcher.set_seq1(X, 'x')\nprint('ESCAPED' if X.a == 'x' else '')")

# --- names that are one thing now, another later

_TOGGLE = """
class S(str):
    asked = 0
    def __hash__(self): return str.__hash__(self)
    def __eq__(self, other):
        S.asked += 1
        return S.asked > LIES and str.__eq__(self, other)
"""
for _lies in range(4):
    _toggle = _TOGGLE.replace("LIES", str(_lies))
    row("lying name", f"metaclass after {_lies} questions", f"{_toggle}\nclass X(**{{S('metaclass'): lambda *a, **k: print('ESCAPED') or int}}): pass", alone=_lies == 0)
    row("lying name", f"names of an enum after {_lies} questions", f"{_toggle}\nimport enum\nenum.Enum('X', **{{S('names'): {{'__reduce__': 1, 'a': 1}}}})\nprint('ESCAPED')", alone=_lies == 0)
    row("lying name", f"decorator of make_dataclass after {_lies} questions", f"{_toggle}\nimport dataclasses\ndataclasses.make_dataclass('X', [], **{{S('module'): 'os'}})\nprint('ESCAPED')", alone=False)
row("lying name", "update_wrapper reads it", "import functools, statistics\nclass S(str):\n    def startswith(self, *a): return False\n    def __eq__(self, o): return o == '__module__'\n    def __hash__(self): return 1\ndef f(): pass\nfunctools.update_wrapper(f, statistics.fmean, assigned=[S('__code__')], updated=())\nprint('ESCAPED')")
row("lying name", "namedtuple takes the str of it", "import collections\nclass S(str):\n    def isidentifier(self): return False\n    def __str__(self): return 'tb_frame'\nclass N:\n    def __str__(self): return S('x')\nX = collections.namedtuple('X', [N()], rename=True)\nprint('ESCAPED' if 'tb_frame' in X._fields else '')", alone=False)
row("lying name", "fields that the instance claims", "import dataclasses\n" + _TOGGLE.replace("LIES", "1") + """
@dataclasses.dataclass
class A:
    x: object = None
class Field:
    init = True; _field_type = None; default = 1
field = Field()
field.name = '__red' + 'uce_ex__'
a = A()
vars(a)[S('__dataclass_' + 'fields__')] = {'x': field}
S.asked = 0
try: dataclasses.replace(a)
except TypeError as error: print('ESCAPED' if 'reduce' in str(error) else '')
""", alone=False)

# --- a mixin before the library

for _name, _statements in {
    "in its body": "class M:\n    def _randbelow(self, n): return 0\nclass R(M, random.Random): pass",
    "below another": "class L:\n    def _randbelow(self, n): return 0\nclass M(L): pass\nclass R(M, random.Random): pass",
    "written late": "class M: pass\nclass R(M, random.Random): pass\nM._randbelow = lambda s, n: 0",
    "written by setattr": "class M: pass\nclass R(M, random.Random): pass\nsetattr(M, '_rand' + 'below', lambda s, n: 0)",
    "written by a classmethod": "class M:\n    @classmethod\n    def f(cls): cls._randbelow = lambda s, n: 0\nclass R(M, random.Random): pass\nM.f()",
    "written while the class is made": "class M: pass\nclass R(M, random.Random):\n    M._randbelow = lambda s, n: 0",
    "by make_dataclass": "import dataclasses\nM = dataclasses.make_dataclass('M', [('_randbelow', object, lambda n: 0)], eq=False)\nclass R(M, random.Random): pass",
}.items():
    row("mixin", _name, f"import random\n{_statements}\nprint('ESCAPED' if {{R().randrange(10) for _ in range(50)}} == {{0}} else '')")
row("mixin", "an enum's maker of classes", "import enum\nclass M:\n    @classmethod\n    def _create_(cls, *a, **k): print('ESCAPED')\nclass E(M, enum.Enum): pass\nE('X', names=['a'])")
row("mixin", "an enum's search for mixins", "import enum\nclass M:\n    @staticmethod\n    def _get_mixins_(*a): print('ESCAPED')\nclass E(M, enum.Enum): pass\nE('X', names=['a'])")
row("mixin", "an enum's maker, written late", "import enum\nclass M: pass\nclass E(M, enum.Enum): pass\nM._create_ = classmethod(lambda cls, *a, **k: print('ESCAPED'))\nE('X', names=['a'])")

# --- text of a signature

for _name, _statements in {
    "of a base": "@dataclasses.dataclass(init=False)\nclass A(B): pass",
    "of a class in __init__'s place": "@dataclasses.dataclass\nclass A:\n    x: int = 0\n    __init__ = B",
    "with an answer that changes": "class Not:\n    n = 0\n    def __bool__(self): Not.n += 1; return Not.n == 1\n@dataclasses.dataclass(init=Not())\nclass A(B): pass",
    "by make_dataclass": "A = dataclasses.make_dataclass('A', [], bases=(B,), init=False)",
    "behind an empty docstring": "@dataclasses.dataclass(init=False)\nclass A(B):\n    ''",
    "behind a docstring that changes": "class Doc:\n    n = 0\n    def __bool__(self): Doc.n += 1; return Doc.n == 1\n@dataclasses.dataclass(init=False)\nclass A(B):\n    __doc__ = Doc()",
}.items():
    row("text to code", f"signature {_name}", f"import dataclasses\nclass B:\n    'B(a=os.name)\\n--\\n\\n'\n{_statements}\nprint('ESCAPED' if 'posix' in str(A.__doc__) else '')", alone="changes" not in _name and "place" not in _name)
row("deputy", "__new__ under a staticmethod that is another", "import agent.trial as here\nhere.staticmethod = lambda f: lambda *a: print('ESCAPED')\nclass A:\n    @staticmethod\n    def __new__(cls): return 1\nA()", alone=False)
row("exception", "object of an AttributeError by copy", "import copy, math\ntry: math.nope\nexcept AttributeError as e:\n    print('ESCAPED' if vars(copy.copy(e)).get('obj') or vars(copy.deepcopy(e)).get('obj') else '')", alone=False)
for _name, _statements in {
    "written by a method that was entered before": "class A:\n    @classmethod\n    def late(cls, make):\n        make()\n        cls._randbelow = lambda self, n, *a: 0\ndef make():\n    global R\n    class R(A, random.Random): pass\nA.late(make)",
    "written by a generator that was entered before": "class A:\n    @classmethod\n    def late(cls):\n        yield\n        cls._randbelow = lambda self, n, *a: 0\nlate = A.late()\nnext(late)\nclass R(A, random.Random): pass\nnext(late, None)",
    "written by += after its right side": "class N:\n    def __add__(self, other): return lambda self, n, *a: 0\nclass A: _randbelow = N()\ndef make():\n    global R\n    del A._randbelow\n    class R(A, random.Random): pass\nA._randbelow += make()",
    "made a dataclass": "import dataclasses\nclass A:\n    def _randbelow(self, n, *a): return 0\nclass B(random.Random): pass\nR = dataclasses.make_dataclass('R', [], bases=(A, B), init=False, eq=False)",
    "made a field of a dataclass": "import dataclasses\nclass B(random.Random): pass\ndef zero(self, n, *a): return 0\nR = dataclasses.make_dataclass('R', [('_randbelow', int, zero)], bases=(B,), init=False, eq=False)",
}.items():
    row("mixin", _name, f"import random\n{_statements}\nprint('ESCAPED' if {{R().randrange(10) for _ in range(50)}} == {{0}} else '')")
row("mixin", "an enum made by a call", "import enum\nclass M:\n    @classmethod\n    def _create_(cls, *a, **k): print('ESCAPED')\nE = enum.Enum('E', [], type=M)\nE('X', names=['a'])")

# --- what is one thing when it is checked, another when it is used

_LIE = "class Lie:\n    asked = 0\n    def __bool__(self):\n        self.asked += 1\n        return self.asked > 1\n"
_FORMATS = "match F('{0.gi_frame.f_builtins}'):\n    case F(f): pass\nprint('ESCAPED' if '__build_class__' in f(x for x in ()) else '')"
row("lying option", "of a dataclass", f"import dataclasses\n{_LIE}@dataclasses.dataclass(match_args=Lie(), init=False, eq=False, repr=False)\nclass F(str):\n    format: int\n{_FORMATS}", alone=False)
row("lying option", "of a dataclass made by a call", f"import dataclasses\n{_LIE}class S(str): pass\nF = dataclasses.make_dataclass('F', ['format'], bases=(S,), match_args=Lie(), init=False, eq=False, repr=False)\n{_FORMATS}", alone=False)
row(
    "lying dict",
    "fields that replace() does not see",
    """
import dataclasses
class Dict(dict):
    def __contains__(self, key): return False
    def __iter__(self): return iter(())
class Field:
    init, name, default, _field_type = True, 'format', 0, None
got = []
@dataclasses.dataclass(init=False, eq=False, repr=False)
class F(str):
    def __new__(cls, text='', **fields):
        got.extend(fields.values())
        return str.__new__(cls, text)
    def __init__(self, *a, **k): pass
f = F('{0.gi_frame.f_builtins}')
d = Dict()
dict.__setitem__(d, '__dataclass_fields__', {'x': Field()})
f.__dict__ = d
dataclasses.replace(f)
print('ESCAPED' if '__build_class__' in got[0](x for x in ()) else '')
""",
)
row(
    "lying class",
    "the type of an enum made by a call",
    """
import enum
class Lie:
    def __hash__(self): return hash(int)
    def __eq__(self, other): return True
    def __getattr__(self, name):
        print('ESCAPED')
        raise AttributeError(name)
try: enum.Enum('X', ['a'], type=Lie())
except Exception: pass
""",
)

# --- what the makers of classes keep in a class

_WRITES_INTO_COUNTER = "try: F(3)\nexcept TypeError: pass\nprint('ESCAPED' if hasattr(collections.Counter, '_name_') else '')"
for _name, _statements in {
    "set": "F._member_type_ = o",
    "set by setattr": "setattr(F, '_member' + '_type_', o)",
    "set by a classmethod": "class G(enum.Flag):\n    A, B = 1, 2\n    @classmethod\n    def f(cls): cls._member_type_ = o\nG.f()",
}.items():
    row("kept by a maker", f"an enum's type of members, {_name}", f"import collections, enum\nclass F(enum.Flag):\n    A = 1\n    B = 2\nclass O: pass\no = O()\nvars(o)['__new__'] = lambda cls, value: collections.Counter\n{_statements}\n{_WRITES_INTO_COUNTER.replace('F', 'G', 1) if 'class G' in _statements else _WRITES_INTO_COUNTER}")
for _name, _statement in {"deleted": "del A._abc_impl", "deleted by delattr": "delattr(A, '_abc' + '_impl')"}.items():
    row("kept by a maker", f"a class's cache of subclasses, {_name}", f"import collections.abc\nclass D(dict): pass\nclass A(collections.abc.Mapping): pass\n{_statement}\nisinstance(D(), A)\nprint('' if isinstance(D(), collections.abc.Mapping) else 'ESCAPED')")

_EVIL = "import functools\nclass Evil:\n    def dispatch(self, T):\n        print('ESCAPED' if T('X', (), {'a': 1}).a else '')\n        return lambda *a: None\n"
for _name, _body in {
    "offered by __getattr__": "    def __init__(self): pass\n    def __getattr__(self, name): return Evil()",
    "offered by __getattr__, set later": "    def __init__(self): pass\nM.__getattr__ = lambda self, name: Evil()",
}.items():
    row("true type", f"a singledispatchmethod's dispatcher {_name}", f"{_EVIL}class M(functools.singledispatchmethod):\n{_body}\nclass A: f = M()\nA().f(int)")
row(
    "true type",
    "compared by a typed cache, with hashes made to fit",
    """
import functools, typing
M = 2 ** 64
P1, P2, P5 = 11400714785074694791, 14029467366897019727, 2870177450012600261
I1, I2 = pow(P1, -1, M), pow(P2, -1, M)
def step(acc, lane):
    acc = (acc + lane * P2) % M
    acc = (acc << 31 | acc >> 33) % M
    return acc * P1 % M
def back(acc):
    acc = acc * I1 % M
    return (acc >> 31 | acc << 33) % M    # acc_before + lane * P2
def undo(acc, lane): return (back(acc) - lane * P2) % M
def end(n): return n ^ (P5 ^ 3527539)
# the hash of the true type, out of an alias
acc = (hash(typing.Type[int]) - end(2)) % M
acc = undo(acc, hash((int,)))
h_type = (back(acc) - P5) * I2 % M
class A: pass
class X:
    def __eq__(self, other): return True
    def __hash__(self): return 5
got = []
class Z:
    def __eq__(self, other):
        got.append(other)
        return False
    def __hash__(self): return h_z
target = (step(step(P5, hash(A)), h_type) + end(2)) % M
acc = (target - end(4)) % M
acc = undo(undo(acc, hash(Z)), hash(X))
h_z = (back(acc) - step(P5, 5)) * I2 % M
if h_z >= M // 2: h_z -= M
@functools.lru_cache(typed=True)
def f(*a): pass
f(A)
f(X(), Z())
print('ESCAPED' if [T for T in got if T is not type(1) and T('X', (), {'a': 1}).a] else '')
""",
)

row(
    "library class",
    "a fraction's hash from a cache",
    """
import fractions, numbers
class N(int):
    def __hash__(self): return hash(5)
    def __eq__(self, other): return True
class R:
    numerator = N(7)
    denominator = 1
numbers.Rational.register(R)
hash(fractions.Fraction(R()))
print('ESCAPED' if hash(fractions.Fraction(5)) != 5 else '')
""",
    alone=False,  # that cache is there since Python 3.12
)
