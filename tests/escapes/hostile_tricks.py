# ruff: noqa: E501, RUF001  (rows of hostile source read better in one line; some hide behind odd letters)
"""Agents as strangers would write them: bindings, class hooks, objects that lie, and the compiler itself.

Also the plain ones, which ask for what they want: a file, the environment, a socket, a process. Rows as in
`language_receivers`.
"""

ROWS: list[tuple[str, str, str, str, bool]] = []


def row(family: str, name: str, source: str, stop: str = "run", alone: bool = True) -> None:
    ROWS.append((family, name, stop, source.strip() + "\n", alone))


# --- who asks for it

for _name, _statements in {
    "a file": "x = open('CANARY').read()",
    "a file by io": "import io\nx = io.open('CANARY').read()",
    "a file by pathlib": "import pathlib\nx = pathlib.Path('CANARY').read_text()",
    "a file by os": "import os\nx = os.read(os.open('CANARY', 0), 99)",
    "a file by linecache": "import linecache\nx = linecache.getlines('CANARY')",
    "a file by fileinput": "import fileinput\nx = list(fileinput.input('CANARY'))",
    "a file by codecs": "import codecs\nx = codecs.open('CANARY').read()",
    "a file by tokenize": "import tokenize\nx = tokenize.open('CANARY').read()",
    "a file by a loader": "import importlib.machinery\nx = importlib.machinery.SourceFileLoader('x', 'CANARY').get_data('CANARY')",
    "a file by mmap": "import mmap, os\nx = mmap.mmap(os.open('CANARY', 0), 0, prot=1)[:]",
    "a file by ctypes": "import ctypes\nb = ctypes.create_string_buffer(99)\nc = ctypes.CDLL(None)\nx = c.read(c.open(b'CANARY', 0), b, 99) > 0",
    "a file by a shell": "import os\nx = os.popen('cat CANARY').read()",
    "a file by a subprocess": "import subprocess\nx = subprocess.check_output(['cat', 'CANARY'])",
    "a file by exec": "exec(\"x = open('CANARY').read()\")",
    "a file by eval": "x = eval(\"open('CANARY').read()\")",
    "a file by a link": "import os, tempfile\np = tempfile.mktemp()\nos.symlink('CANARY', p)\nx = open(p).read()",
    "the environment": "import os\nx = os.environ.copy() or 1",
    "the environment of the process": "x = open('/proc/self/environ').read() or 1",
    "the environment of the parent": "x = open('/proc/1/stat').read()",
    "the environment by posix": "import posix\nx = posix.environ or 1",
    "the environment by ctypes": "import ctypes\nx = ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.CDLL(None), 'environ') and 1",
    "a socket": "import socket\nx = socket.socket()",
    "a socket by asyncio": "import asyncio\nx = asyncio.new_event_loop()",
    "a socket by its C module": "import _socket\nx = _socket.socket()",
    "a socket from a descriptor": "import socket\na, b = socket.socketpair()\nx = socket.fromfd(a.fileno(), socket.AF_UNIX, socket.SOCK_STREAM)",
    "a process": "import os\nx = os.fork()\nif not x: os._exit(0)",
    "a process by multiprocessing": "import multiprocessing\nx = multiprocessing.get_context('fork').Process(target=print)\nx.start()\nx.join()",
    "a thread": "import threading\nt = threading.Thread(target=print)\nt.start()\nt.join()\nx = 1",
    "a thread by its C module": "import _thread\nx = _thread.start_new_thread(print, ())",
    "a signal": "import os\nx = os.kill(os.getpid(), 0) is None",
    "a tracer": "import sys\nsys.settrace(lambda *a: None)\nsys.settrace(None)\nx = 1",
    "its own frame": "import sys\nx = sys._getframe()",
    "its own frame by inspect": "import inspect\nx = inspect.currentframe()",
    "everything alive": "import gc\nx = gc.get_objects()",
    "who refers to it": "import gc\nx = gc.get_referrers(gc)",
    "every module": "import sys\nx = sys.modules",
    "memory by its address": "import ctypes\nx = ctypes.string_at(id(b'abc'), 8)",
    "code by marshal": "import marshal, types\nx = types.FunctionType(marshal.loads(marshal.dumps(compile('1', '', 'eval'))), {})() == 1",
    "objects by pickle": "import pickle\nx = pickle.loads(b'cos\\ngetpid\\n(tR.')",
    "what is done at exit": "import atexit\nx = atexit.register(print)",
    "an audit hook": "import sys\nx = sys.addaudithook(lambda *a: None) is None",
}.items():
    row("plain", _name, f"{_statements}\nprint('ESCAPED' if x else '')", stop="compile" if "open(" in _statements.split(".")[0] or _name in ("a file by exec", "a file by eval", "a file by a link", "code by marshal", "the environment of the process", "the environment of the parent") else "run",
        alone=_name not in ("a file by fileinput", "a file by mmap"))

# --- names

for _name, _statements in {
    "a guard's name in a global statement": "def f():\n    global __build_class__\n    __build_class__ = print\nf()",
    "a guard's name by a star argument": "def f(*args, **__builtins__): return 1\nf()",
    "a guard's name in a nested comprehension": "[[1 for __builtins__ in ()] for x in [1]]",
    "a guard's name in a with of two": "import contextlib\nwith contextlib.nullcontext() as a, contextlib.nullcontext() as __import__: pass",
    "a guard's name in a starred target": "*__builtins__, a = [1, 2]",
    "a guard's name in an async for": "async def f():\n    async for __import__ in x: pass",
    "a guard's name in a chained assignment": "a = __builtins__ = {}",
    "a guard's name as a class pattern's capture": "match 1:\n    case int(__import__): pass",
    "a guard's name in an or pattern": "match 1:\n    case 1 as __import__: pass",
    "a guard's name in wide letters": "__ｂuiltins__ = {}",
    "a guard's name as a class": "class __build_class__: pass",
    "a guard's name in a decorated function": "@(lambda f: f)\ndef __import__(*a): pass",
    "a guard's name as an import's first part": "from math import pi as __loader__",
    "a guard's name as a keyword argument's": "f = lambda *, __builtins__=1: 1",
    "a class's name that mangles": "class A:\n    __import__ = 1",
    "a mangled name that is another's": "class Random: pass\nimport random\nclass _andom(random.Random):\n    def f(self): return self.__reduce__",
    "del of a guard's name": "del __builtins__",
    "del of an attribute's class": "class A: pass\ndel A.__module__",
    "a type alias": "__spec__: int = 1",
    "the module's name": "global __name__\n__name__ = 'os'",
}.items():
    row("binding", _name, f"{_statements}\nprint('ESCAPED')", stop="compile", alone=_name not in ("del of an attribute's class",))
row("binding", "a module's own builtins by import", "import agent.trial as here\nhere.__builtins__\nprint('ESCAPED')", "compile", alone=False)
row("binding", "a module's own builtins by a star", "import agent.trial as here\nhere.__all__ = ['__builtins__']\nfrom agent.trial import *\nprint('ESCAPED' if __builtins__ else '')", "compile", alone=False)
row("binding", "a guard by its own name", "import agent.trial as here\nx = getattr(here, '_.mark')\nprint('ESCAPED')", alone=False)
row("binding", "a guard by setattr", "import agent.trial as here\nsetattr(here, '_.store', lambda x: x)\nprint('ESCAPED')", alone=False)
row("binding", "a guard by a star import", "import agent.trial as here\nhere.__all__ = ['_.mark']\nfrom agent.trial import *\nprint('ESCAPED')", alone=False, stop="compile")
row("binding", "a guard as a class keyword", "class A: pass\nclass B(A, **{'_.privates': 1}): pass\nprint('ESCAPED')", alone=False)
row("binding", "a builtin shadowed for others", "import agent.trial as here\nhere.getattr = 1\nimport json\nx = json.loads('1', object_hook=None)\nprint('ESCAPED' if x != 1 else '')", alone=False)

# --- class hooks

for _dunder in ("__init_subclass__", "__set_name__"):
    row("hook of a class", f"{_dunder} sees the namespace", f"class A:\n    def {_dunder}(self, *a, **k): print('ESCAPED' if getattr(self, '__sub' + 'classes__', None) or [getattr(x, '__ba' + 'se__', 0) for x in a][:1] not in ([], [0]) else '')\nclass B(A):\n    x = A()" if _dunder == "__init_subclass__" else f"class A:\n    def {_dunder}(self, owner, name): print('ESCAPED' if getattr(owner, '__ba' + 'se__') else '')\nclass B:\n    x = A()")
for _name, _statements in {
    "subclass check": "class A:\n    def __subclasscheck__(c, x): return True",
    "instance check by a class method": "class A:\n    @classmethod\n    def __instancecheck__(c, x): return True",
    "mro entries": "class A:\n    def __mro_entries__(s, b): return (int,)\nclass B(A()): pass",
    "class getitem": "class A:\n    def __class_getitem__(c, i): return c.__base__\nA[1]",
    "prepare": "class A:\n    @classmethod\n    def __prepare__(m, n, b): return {}",
    "getattribute": "class A:\n    def __getattribute__(s, n): return 1",
    "a class that lies about its class": "class A:\n    @property\n    def __class__(s): return int",
    "a dict of one's own": "class A:\n    __dict__ = {'a': 1}",
    "a reduce of one's own": "class A:\n    def __reduce_ex__(s, p): return print, ()",
    "a destructor": "class A:\n    def __del__(s): print(1)",
    "a module of one's own": "class A:\n    __module__ = 'builtins'",
    "slots that are computed": "class A:\n    __slots__ = 'gi_' + 'frame'",
    "slots in a dict": "class A:\n    __slots__ = {'__reduce__': 'doc'}",
    "match args that are a list": "class A:\n    __match_args__ = ['gi_frame'].copy()",
    "a metaclass": "class M(type): pass\nclass A(metaclass=M): pass",
    "a metaclass that is a function": "def m(n, b, d): return d\nclass A(metaclass=m): pass",
    "a metaclass of a library's": "import enum\nclass A(metaclass=enum.EnumType): pass",
}.items():
    row("hook of a class", _name, f"{_statements}\nprint('ESCAPED')", stop="compile")
for _name, _statements in {
    "a metaclass by keywords": "class A(**dict(metaclass=lambda *a, **k: 1)): pass",
    "a base that is a metaclass": "class A(type(type)): pass",
    "a base that is a facade": "import json\nclass A(type(json)): pass",
    "a base that is an iterator's type": "class A(type(iter([]))): pass",
    "a base by an alias": "import types\nclass A(type(list[int])(type(lambda: 0), ())): pass",
    "slots by setattr": "class A: pass\nsetattr(A, '__slots__', ('a',))",
    "a hash by setattr": "import fractions\nsetattr(fractions.Fraction, '__ha' + 'sh__', lambda s: 1)",
    "a new by setattr": "class A: pass\nsetattr(A, '__new__', lambda c: 5)",
    "a class attribute by object": "class A: pass\nclass B: pass\nobject.__setattr__(A(), '__cl' + 'ass__', B)",
    "a class attribute by super": "class B: pass\nclass A:\n    def f(self): super().__setattr__('__cl' + 'ass__', B)\nA().f()",
    "the true dict of a class": "class A: pass\nclass L:\n    def __eq__(s, o): s.o = o; return True\nl = L()\nvars(A) == l\nl.o['gi_frame'] = 1\nA.x = 1\nassert getattr(A, 'gi_' + 'frame')",
}.items():
    row("hook of a class", _name, f"{_statements}\nprint('ESCAPED')", alone=_name not in ("a base that is an iterator's type", "a base by an alias", "a base that is a facade"))

# --- objects that lie

for _name, _statements in {
    "an attribute's name": "class S(str):\n    def __eq__(s, o): return True\n    def __hash__(s): return hash('real')\nx = getattr(lambda: 0, S('__globals__'))",
    "a name that changes when it is checked": "class S(str):\n    def startswith(s, *a): return False\n    def isidentifier(s): return True\nx = getattr(lambda: 0, S('__code__'))",
    "a name for attrgetter": "import operator\nclass S(str):\n    def split(s, *a): return ['__globals__']\nx = operator.attrgetter(S('a'))(lambda: 0)",
    "a name for methodcaller": "import operator\nclass S(str): pass\nx = operator.methodcaller(S('__subclasses__'))(object)",
    "a format string": "class S(str):\n    def __str__(s): return 'a'\n    def __format__(s, f): return 'b'\nx = S('{0.__globals__}').format(lambda: 0)",
    "a format's key": "class D(dict):\n    def __getitem__(s, k): return lambda: 0\nx = '{a.__globals__}'.format_map(D())",
    "a format's arguments": "class T(tuple):\n    def __getitem__(s, i): return lambda: 0\nimport string\nx = string.Formatter().vformat('{0.__globals__}', T([1]), {})",
    "a field's name": "import dataclasses\nclass S(str):\n    def isidentifier(s): return True\n    def startswith(s, *a): return False\nx = dataclasses.make_dataclass('X', [S('__reduce__')])",
    "a list that changes": "import collections\nclass L(list):\n    n = 0\n    def __iter__(s):\n        L.n += 1\n        return iter(['gi_frame'])\nx = collections.namedtuple('X', L())",
    "a tuple of base classes": "import dataclasses\nclass T(tuple):\n    def __iter__(s): return iter([int])\nimport json\nx = dataclasses.make_dataclass('X', [], bases=T([json.JSONDecoder]))",
    "a namespace's keys": "import dataclasses\nclass N(dict):\n    def items(s): return []\n    def __iter__(s): return iter(())\nx = dataclasses.make_dataclass('X', [], namespace=N(__reduce__=1))",
    "the names of an enum": "import enum\nclass D(dict):\n    n = 0\n    def items(s): return [('__reduce__', 1)]\nx = enum.Enum('X', D(a=1))\nassert False",
    "the type of an enum": "import enum\nclass M:\n    def __hash__(s): return hash(int)\n    def __eq__(s, o): return True\nx = enum.Enum('X', 'a', type=M())",
    "a truth that changes": "import functools\nclass B:\n    n = 0\n    def __bool__(s): B.n += 1; return B.n % 2 == 0\nclass A(Exception): pass\nx = getattr(lambda: 0, '__co' + 'de__', B())\nassert not isinstance(x, B)",
    "what it is registered as": "import numbers\nclass A: numerator = denominator = 1\nnumbers.Rational.register(A)\nimport fractions\nx = fractions.Fraction(A())._numerator",
    "keyword names": "class S(str): pass\ndef f(**k): return k\nx = f(**{S('a'): 1})\nclass X(**{S('metaclass'): type}): pass",
    "a mapping of keywords": "class M:\n    def keys(s): return ['metaclass']\n    def __getitem__(s, k): return lambda *a, **k: 1\nclass X(**M()): pass\nx = 1",
    "a receiver": "class A:\n    def f(self): self._x = 1; return self._x\nimport textwrap\nx = A.f(textwrap.dedent)",
    "a receiver that is a module": "class A:\n    def f(self): self._x = 1; return self._x\nimport json\nx = A.f(json)",
    "a receiver of a generator": "class A:\n    def f(self):\n        yield\n        self._x = 1\nimport textwrap\nx = [1 for _ in A.f(textwrap.dedent)]",
    "a receiver of a coroutine": "class A:\n    async def f(self): self._x = 1\nimport textwrap\ntry: A.f(textwrap.dedent).send(None)\nexcept StopIteration: x = 1",
    "a class's receiver": "class A:\n    def f(cls): cls.x = 1; return 1\nimport json\nx = A.f(json.JSONDecoder)",
}.items():
    row("lie", _name, f"{_statements}\nprint('ESCAPED' if x else '')",
        alone=_name not in ("an attribute's name", "a name for attrgetter", "a namespace's keys", "the names of an enum", "the type of an enum", "a tuple of base classes", "keyword names"))

# --- the compiler

for _name, _source in {
    "brackets": "x = " + "(" * 150 + "int.__base__" + ")" * 150,
    "minus signs": "x = " + "-" * 100_000 + "1",
    "a tower of powers": "x = " + "2**" * 20_000 + "1",
    "attributes": "x = a" + ".b" * 100_000,
    "calls": "x = a" + "()" * 100_000,
    "nested functions": "".join(" " * n + "def f():\n" for n in range(99)) + " " * 99 + "int.__base__",
    "nested lists": "x = " + "[" * 150 + "int.__base__" + "]" * 150,
    "nested comprehensions": "x = " + "[" * 50 + "int.__base__" + " for _ in [1]]" * 50,
    "nested f-strings": "x = f\"{f'{int.__base__}'}\"",
    "a name a million letters long": "__" + "a" * 900_000 + "__ = 1",
    "a null": "x = 1\0\nint.__base__",
    "an encoding": "# coding: rot13\nx = 1\nint.__base__",
    "a form feed": "\fint.__base__",
    "a continuation": "int.\\\n__base__",
    "a comment between": "(int\n# harmless\n.\n__base__)",
    "a carriage return in a comment": "# harmless\rint.__base__",
    "an encoding that hides a line": "# -*- coding: utf-7 -*-\nx = '+AAo-int.__base__'\nint.__base__",
    "a lambda of lambdas": "x = " + "lambda: " * 20_000 + "1",
    "a chain of comparisons": "x = 1" + " < 1" * 20_000 + "\nint.__base__",
    "many branches": "if 1: pass\n" + "elif 1: pass\n" * 20_000 + "int.__base__",
    "many decorators": "@print\n" * 20_000 + "def f(): pass\nint.__base__",
    "many targets": "x = " * 20_000 + "int.__base__",
    "a giant number": "x = 0x" + "f" * 900_000 + "\nint.__base__",
    "constants that fold": "x = " + "('a' * 4096) + " * 100 + "''\nint.__base__",
}.items():
    row("compiler", _name, _source, stop="compile", alone=False)
