# ruff: noqa: E501  (rows of hostile source read better in one line)
"""Agents as strangers would write them: what the standard library does for whoever asks.

Hooks, registries, generated code, caches, copies and codecs. Rows as in `language_receivers`.
"""

ROWS: list[tuple[str, str, str, str, bool]] = []


# What the policy refuses; the others fail when they run.
_WHILE_COMPILING = {
    "decimal's C",
    "heapq's doc",
    "importlib's import",
    "by pickling it of json",
    "by a bound method of json",
    "by a class's module of json",
    "by a subclass of json",
    "wrapped of a cache",
    "reduce of a partial",
    "a method's function",
    "a simple namespace's class",
    "a dynamic attribute",
    "a suppressed error's frame",
    "dataclass with slots of a dunder",
    "named tuple's class attribute",
    "enum's module",
    "enum's missing hook",
    "enum's ignore hook",
    "a new type's module",
    "a protocol's hook",
    "a generic's origin",
    "a generic's parameters",
    "a type variable's bound",
    "an abstract class's caches",
    "a template's pattern",
    "copy by a class's reduce",
    "json's hook for classes",
    "json's default",
    "json's class",
    "json's encoder in C",
    "json's float hook",
    "a substitution that is a method",
    "a match's pattern",
    "a sum that is asked",
    "an iterator's reduce",
    "a random state",
    "the library's generator",
    "the system's generator",
    "a hash's constructor",
    "a file to hash",
    "an array from a file",
    "a dump into a file",
    "a load of a file",
}
# What shows nothing in plain CPython 3.11 either, or not in every version.
_SHOWS_NOTHING = {
    "abc's C",
    "by a star import of json",
    "total_ordering of the library",
    "enum with a mixin type",
    "a substitution that is a method",
    "by iteration of json",
    "by import_module of a lying name of json",
    "by copy of json",
    "by its type of json",
    "by pickling it of json",
    "a simple namespace's class",
    "enum's missing hook",
    "dataclass field with code",
    "dataclass name with code",
    "copy of an exception by reduce",
    "deepcopy's memo",
    "new arguments in the instance",
    "a codec by name",
    "a codec's module",
    "a codec that compresses",
    "an error's memory",
    "a load of a file",
    "deepcopy with a hook in the instance",
}


def row(family: str, name: str, source: str) -> None:
    stop = "compile" if name in _WHILE_COMPILING else "run"
    ROWS.append((family, name, stop, source.strip() + "\n", name not in _SHOWS_NOTHING))


# --- modules behind modules

for _name, _path in {
    "json's decoder": "json.decoder", "json's codecs": "json.codecs", "re's enum": "re.enum", "re's copyreg": "re.copyreg",
    "random's os": "random._os", "enum's sys": "enum.sys", "dataclasses' sys": "dataclasses.sys",
    "dataclasses' builtins": "dataclasses.builtins", "typing's sys": "typing.sys", "collections' sys": "collections._sys",
    "contextlib's os": "contextlib.os", "functools' cache": "functools._lru_cache_wrapper", "string's re": "string._re",
    "statistics' sys": "statistics.sys", "textwrap's re": "textwrap.re", "uuid's os": "uuid.os", "fractions' sys": "fractions.sys",
    "decimal's C": "decimal.__loader__", "base64's struct": "base64.struct", "copy's registry": "copy.dispatch_table",
    "abc's C": "abc._abc", "heapq's doc": "heapq.__spec__", "types' code": "types.CodeType", "types' frames": "types.FrameType",
    "types' functions": "types.FunctionType", "types' modules": "types.ModuleType", "types' new_class": "types.new_class",
    "types' coroutine": "types.coroutine", "operator's C": "operator._abs", "time's tzset": "time.tzset",
    "functools' wrapper assignments": "functools.get_cache_token", "importlib's util": "importlib.util",
    "importlib's machinery": "importlib.machinery", "importlib's reload": "importlib.reload", "importlib's import": "importlib.__import__",
    "importlib's sys": "importlib.sys", "hashlib's C": "hashlib.file_digest", "unicodedata's class": "unicodedata.UCD",
    "datetime's C": "datetime.datetime_CAPI", "re's cache": "re._cache", "re's scanner": "re.Scanner", "inspect by dataclasses": "dataclasses.inspect",
}.items():
    _module = _path.partition(".")[0]
    row("module", _name, f"import {_module}\nx = {_path}\nprint('ESCAPED')")
for _name, _statements in {
    "by getattr": "x = getattr(json, 'deco' + 'der')",
    "by attrgetter": "import operator\nx = operator.attrgetter('decoder.scanner')(json)",
    "by format": "x = '{0.decoder.scanner}'.format(json)",
    "by a pattern": "match json:\n    case object(decoder=x): pass",
    "by a star import": "from json import *\nx = decoder",
    "by an import that falls back": "from json import scanner as x",
    "by a dotted import": "import json.scanner as x",
    "by import_module": "import importlib\nx = importlib.import_module('json.scanner')",
    "by import_module relative": "import importlib\nx = importlib.import_module('.scanner', 'json')",
    "by import_module of a lying name": "import importlib\nclass S(str):\n    def __hash__(self): return hash('json')\n    def __eq__(self, o): return True\nx = importlib.import_module(S('os'))",
    "by iteration": "x = list(json)",
    "by vars": "x = vars(json)['decoder']",
    "by dir": "x = [n for n in dir(json) if n == 'decoder'][0]",
    "by an exception's object": "try: json.nothing\nexcept AttributeError as e: x = e.obj.decoder",
    "by copy": "import copy\nx = copy.copy(json).decoder",
    "by its type": "x = type(json)('os').__init__",
    "by pickling it": "x = json.__reduce_ex__(4)",
    "by a bound method": "x = json.dumps.__globals__",
    "by a class's module": "x = json.JSONDecoder.decode.__globals__",
    "by a subclass": "class J(json.JSONDecoder): pass\nx = J.decode.__globals__",
}.items():
    row("module", f"{_name} of json", f"import json\n{_statements}\nprint('ESCAPED' if x else '')")

# --- functions and wrappers that hold others

for _name, _statements in {
    "wrapped of a cache": "@functools.lru_cache\ndef f(): pass\nf.cache_clear.__self__\nx = 1",
    "wrapped of a context manager": "x = contextlib.contextmanager(json.loads).__wrapped__",
    "dict of a context manager's function": "x = vars(contextlib.contextmanager(json))",
    "cache of a class": "x = vars(functools.lru_cache(json.JSONDecoder))",
    "setstate of a partial": "p = functools.partial(print)\np.__setstate__((lambda *a, **k: 1, (), {}, {}))\nx = 1",
    "reduce of a partial": "x = functools.partial(print).__reduce__()",
    "update_wrapper of code": "def f(): pass\ndef g(): return 1\nfunctools.update_wrapper(f, g, assigned=['__code__'], updated=())\nx = f()",
    "update_wrapper of defaults": "def f(a): return a\ndef g(a=1): pass\nfunctools.update_wrapper(f, g, assigned=['__defaults__'], updated=())\nx = f()",
    "update_wrapper into a class's dict": "class A: pass\nclass W: pass\nW.__dict__\nfunctools.update_wrapper(json.loads, W)\nx = 1",
    "registry of a dispatcher": "@functools.singledispatch\ndef f(a): pass\nx = f.registry",
    "cached_property's own lock": "x = functools.cached_property(len).__set_name__(json.JSONDecoder, 'x') or 1",
    "total_ordering of the library": "class A(json.JSONDecoder): pass\nfunctools.total_ordering(json.JSONDecoder)\nx = 1",
    "cmp_to_key's object": "x = functools.cmp_to_key(lambda a, b: 0)(json).obj",
    "a method's function": "x = types.MethodType(json.loads, '1').__func__.__globals__",
    "a simple namespace's class": "n = types.SimpleNamespace()\nn.__class__ = type(n)\nx = 1",
    "a proxy's dict": "class L:\n    def __eq__(self, o): self.o = o; return True\nl = L()\ntypes.MappingProxyType({'a': 1}) == l\nx = json.JSONDecoder.__dict__",
    "a dynamic attribute": "class A:\n    d = types.DynamicClassAttribute(lambda s: s.__reduce_ex__)\nx = A().d",
    "an exit stack's callbacks": "s = contextlib.ExitStack()\nx = s._exit_callbacks.append",
    "a suppressed error's frame": "class S(contextlib.suppress):\n    def __exit__(self, k, e, tb): self.f = tb.tb_frame; return True\ns = S(KeyError)\nwith s: {}[1]\nx = s.f",
}.items():
    row("wrapper", _name, f"import contextlib, functools, json, types\n{_statements}\nprint('ESCAPED' if x else '')")

# --- code and classes made from text

for _name, _statements in {
    "dataclass field with code": "import dataclasses\nX = dataclasses.make_dataclass('X', [('a', int, dataclasses.field(default_factory=lambda: 1)), 'b:int'])",
    "dataclass name with code": "import dataclasses\nX = dataclasses.make_dataclass('X(print(1))', ['a', ('__class__', int)])",
    "dataclass with a dunder field": "import dataclasses\nX = dataclasses.make_dataclass('X', ['__reduce__'])",
    "dataclass in a namespace": "import dataclasses\nX = dataclasses.make_dataclass('X', [], namespace={'__getattribute__': lambda s, n: 1})",
    "dataclass of a library base": "import dataclasses, json\nX = dataclasses.make_dataclass('X', ['a'], bases=(json.JSONDecoder,))",
    "a dataclass's own inspector": "import dataclasses\nX = dataclasses.inspect",
    "dataclass with slots of a dunder": "import dataclasses\n@dataclasses.dataclass(slots=True)\nclass X:\n    __reduce__: int = 0",
    "named tuple with a dunder": "import collections\nX = collections.namedtuple('X', 'gi_frame')",
    "named tuple by typing": "import typing\nX = typing.NamedTuple('X', [('cr_frame', int)])",
    "named tuple's class attribute": "import typing\nclass X(typing.NamedTuple):\n    f_back: int",
    "enum with a dunder": "import enum\nX = enum.Enum('X', [('__class_getitem__', 1), ('a', 2)])",
    "enum with a mixin type": "import enum\nX = enum.Enum('X', 'a', type=type)",
    "enum's module": "import enum\nX = enum.EnumType('X', (enum.Enum,), enum.EnumType.__prepare__('X', (enum.Enum,)))",
    "enum's missing hook": "import enum\nclass X(enum.Enum):\n    a = 1\n    @classmethod\n    def _missing_(cls, v): return cls.__base__\nX(3)",
    "enum's ignore hook": "import enum\nclass X(enum.Enum):\n    _ignore_ = ['a']\n    a = 1\n    __subclasshook__ = None",
    "forward reference": "import typing\nx = typing.ForwardRef('print(1)')",
    "evaluated forward reference": "import typing\nr = typing.get_args(typing.Optional['1'])[0]\nx = r._evaluate({}, {}, frozenset())",
    "type hints": "import typing\nclass A: a: 'print(\"ESCAPED\")'\ntyping.get_type_hints(A)",
    "a new type's module": "import typing\nx = typing.NewType('X', int).__supertype__.__base__",
    "a protocol's hook": "import typing\n@typing.runtime_checkable\nclass P(typing.Protocol):\n    gi_frame: object",
    "a typed dict": "import typing\nX = typing.TypedDict('X', {'__class__': int})",
    "a generic's origin": "import typing\nx = typing.List[int].__origin__.__base__",
    "a generic's parameters": "import typing\nx = typing.List[int].__class__.__call__.__globals__",
    "a type variable's bound": "import typing\nx = typing.TypeVar('T', bound='int').__bound__.__forward_code__",
    "a class by types": "import types\nX = types.new_class('X')",
    "a class by prepare": "import types\nX = types.prepare_class('X')",
    "an abstract class's caches": "import abc\nclass A(abc.ABC): pass\nx = A._abc_impl.__class__.__base__",
    "an abstract class's registry": "import abc\nclass A(abc.ABC): pass\nA._dump_registry()",
    "a template's pattern": "import string\nx = string.Template.pattern.__class__.__base__",
}.items():
    row("from text", _name, f"{_statements}\nprint('ESCAPED')")

# --- copying, comparing, encoding

for _name, _statements in {
    "copy by reduce in the instance": "class A: pass\na = A()\nvars(a)['__reduce_' + 'ex__'] = lambda n: (print, ('ESCAPED',))\ncopy.copy(a)",
    "copy by a class's reduce": "class A:\n    def __reduce__(self): return print, ('ESCAPED',)\ncopy.copy(A())",
    "copy of an exception by reduce": "class E(Exception): pass\ne = E()\nvars(e)['__redu' + 'ce__'] = lambda: (print, ('ESCAPED',))\ncopy.copy(e)",
    "copy into a library class": "class A:\n    def __new__(cls): return json.JSONDecoder\n    def __getstate__(self): return {'hacked': 1}\ncopy.copy(A())\nprint('ESCAPED')",
    "deepcopy with a hook in the instance": "class A: pass\na = A()\nvars(a)['__deep' + 'copy__'] = lambda m: print('ESCAPED')\ncopy.deepcopy(a)\nclass B: pass\nb = B()\nb.__deepcopy__ = lambda m: 1",
    "deepcopy's memo": "m = {}\nx = copy.deepcopy([1], m)\nm[id(json)] = 1\nprint('ESCAPED' if copy.deepcopy(json, m) == 1 and x is None else '')",
    "new arguments in the instance": "class A: pass\na = A()\nvars(a)['__getnew' + 'args__'] = lambda: (json,)\nx = copy.copy(a)\nprint('ESCAPED' if x is json else '')",
    "json's hook for classes": "x = json.loads('{\"a\": 1}', object_hook=lambda d: (lambda: 0).__globals__)\nprint('ESCAPED')",
    "json's default": "x = json.dumps(object(), default=lambda o: str(o.__class__.__base__))\nprint('ESCAPED')",
    "json's class": "class J:\n    def __init__(self, **k): self.k = k\n    def decode(self, s): return s.__class__.__base__\nx = json.loads('1', cls=J)\nprint('ESCAPED')",
    "json's encoder in C": "e = json.JSONEncoder()\nx = e.iterencode.__globals__\nprint('ESCAPED')",
    "json's float hook": "x = json.loads('1.5', parse_float=eval)\nprint('ESCAPED')",
    "a codec by name": "x = 'abc'.encode('rot13')\nprint('ESCAPED')",
    "a codec's module": "x = 'abc'.encode('os')\nprint('ESCAPED')",
    "a codec that compresses": "x = b'abc'.decode('zip')\nprint('ESCAPED')",
    "an error handler of one's own": "import codecs\ncodecs.register_error('x', lambda e: ('', 1))\nprint('ESCAPED')",
    "an error's memory": "x = memoryview(b'abc').obj\ny = memoryview(bytearray(8)).cast('P')\nprint('ESCAPED' if y[0] else '')",
    "a substitution that is a method": "x = re.sub('a', re.Pattern.sub.__objclass__, 'a')\nprint('ESCAPED')",
    "a match's pattern": "x = re.match('a', 'a').re.__class__.__base__\nprint('ESCAPED')",
    "a pattern that prints": "re.compile('a', re.DEBUG)\nprint('ESCAPED')",
    "a sum that is asked": "class A:\n    def __radd__(self, o): return (lambda: 0).__globals__\nx = sum([A()])\nprint('ESCAPED')",
    "an iterator's state": "it = iter([1, 2])\nit.__setstate__(5)\nprint('ESCAPED')",
    "an iterator's reduce": "x = iter([1]).__reduce__()[0]\nprint('ESCAPED')",
    "a random state": "random.Random().__reduce__()\nprint('ESCAPED')",
    "the library's generator": "x = random.random.__self__\nprint('ESCAPED')",
    "the system's generator": "x = random.SystemRandom._randbelow.__globals__\nprint('ESCAPED')",
    "a hash's constructor": "x = hashlib.new.__globals__\nprint('ESCAPED')",
    "a file to hash": "hashlib.file_digest(open('CANARY', 'rb'), 'sha256')\nprint('ESCAPED')",
    "an array from a file": "import array\narray.array('b').fromfile(open('CANARY', 'rb'), 1)\nprint('ESCAPED')",
    "a dump into a file": "json.dump(1, open('/dev/null', 'w'))\nprint('ESCAPED')",
    "a load of a file": "json.load(open('CANARY'))\nprint('ESCAPED')",
}.items():
    row("hook", _name, f"import copy, hashlib, json, random, re\n{_statements}")
