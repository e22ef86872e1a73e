# ruff: noqa: E501, RUF001  (rows of hostile source read better in one line; some hide behind odd letters)
"""Every way out of the language that the wall must stop, one row each.

A row's source prints ESCAPED when it reached what it was after. `stop` says where the wall stops it: "compile" (the policy
refuses the source) or "run" (it compiles, and raises or finds nothing). `alone` is False for the few rows that show
nothing in plain CPython either; all others must escape there, or the row proves nothing.
"""

from typing import NamedTuple

__all__ = ["ESCAPES", "Escape"]


class Escape(NamedTuple):
    family: str
    name: str
    stop: str
    source: str
    alone: bool = True


ESCAPES: list[Escape] = []


def compile_time(family: str, name: str, source: str, alone: bool = True) -> None:
    ESCAPES.append(Escape(family, name, "compile", source.strip() + "\n", alone))


def run_time(family: str, name: str, source: str, alone: bool = True) -> None:
    ESCAPES.append(Escape(family, name, "run", source.strip() + "\n", alone))


# --- attribute walks -------------------------------------------------------------------------------------------------

for _name, _expression in {
    "subclasses of object": "object.__subclasses__()",
    "base of a class": "int.__base__",
    "bases of a class": "bool.__bases__",
    "mro tuple": "bool.__mro__",
    "mro method": "bool.mro()",
    "globals of a function": "(lambda: 0).__globals__",
    "code of a function": "(lambda: 0).__code__",
    "closure of a function": "(lambda x: (lambda: x))(1).__closure__[0].cell_contents",
    "defaults of a function": "(lambda x=[]: x).__defaults__",
    "builtins of a function": "(lambda: 0).__builtins__",
    "self of a builtin": "print.__self__",
    "func of a method": "[].append.__self__",
    "getattribute": "object.__getattribute__('', '__class__')",
    "reduce": "(1).__reduce_ex__(4)",
    "sizeof": "object.__sizeof__(1)",
    "objclass": "str.join.__objclass__",
    "loader": "__loader__ if '__loader__' in dir() else __builtins__",
    "builtins": "__builtins__",
    "import function": "__import__('os')",
    "build class": "__build_class__(lambda: None, 'X')",
    "generator frame": "(x for x in ()).gi_frame",
    "generator code": "(x for x in ()).gi_code",
    "generator delegate": "(x for x in ()).gi_yieldfrom or 1",
}.items():
    compile_time("attribute walk", _name, f"x = {_expression}\nprint('ESCAPED')")

compile_time(
    "attribute walk",
    "coroutine frame",
    "async def f(): pass\nc = f()\nx = c.cr_frame.f_globals\nc.close()\nprint('ESCAPED')",
)
compile_time("attribute walk", "async generator frame", "async def f(): yield\nx = f().ag_frame\nprint('ESCAPED')")
compile_time("attribute walk", "spec of the module", "x = __spec__\nprint('ESCAPED')")
run_time("attribute walk", "module dict", "import math\nx = math.__dict__\nprint('ESCAPED')")
compile_time("attribute walk", "module loader", "import math\nx = math.__loader__\nprint('ESCAPED')")
compile_time("attribute walk", "augmented", "def f(): pass\nf.__defaults__ = (1,)\nprint('ESCAPED')")
compile_time("attribute walk", "deleted", "def f(a: int): pass\ndel f.__annotations__\nprint('ESCAPED')")
compile_time("attribute walk", "for target", "def f(): pass\nfor f.__defaults__ in [(1,)]: pass\nprint('ESCAPED')")
compile_time(
    "attribute walk", "with target", "import contextlib\ndef f(): pass\nwith contextlib.nullcontext((1,)) as f.__defaults__: print('ESCAPED')"
)
compile_time("attribute walk", "unpacking target", "def f(): pass\n(f.__defaults__, x) = (1,), 2\nprint('ESCAPED')")
compile_time("attribute walk", "in an f-string", "print(f\"{''.__class__.__base__}\" and 'ESCAPED')")
compile_time("attribute walk", "in a default argument", "def f(x=int.__base__): print('ESCAPED')\nf()")
compile_time("attribute walk", "in a decorator", "@(lambda f: f if int.__base__ else 0)\ndef f(): print('ESCAPED')\nf()")
compile_time("attribute walk", "in an annotation", "x: int.__base__ = 1\nprint('ESCAPED')")
compile_time("attribute walk", "fullwidth letters", "x = (lambda: 0).__ｇlobals__\nprint('ESCAPED')")
compile_time("attribute walk", "class assignment", "class A: pass\nclass B: pass\na = A()\na.__class__ = B\nprint('ESCAPED')")
compile_time("attribute walk", "class dict", "print('ESCAPED' if int.__dict__ and int.__base__ else '')")
run_time("attribute walk", "dict of a library class", "print('ESCAPED' if int.__dict__ else '')")
run_time("attribute walk", "vars of a library class", "print('ESCAPED' if vars(int) else '')")
run_time("attribute walk", "vars of a module", "import math\nprint('ESCAPED' if vars(math) else '')")
run_time(
    "attribute walk",
    "descriptor out of a class's dict",
    "class A: pass\nprint('ESCAPED' if '__dict__' in vars(A) or '__module__' in A.__dict__ else '')",
)

# --- attributes by computed names ------------------------------------------------------------------------------------

for _name, _expression in {
    "getattr": "getattr(lambda: 0, '__glo' + 'bals__')",
    "getattr of a frame": "getattr((x for x in ()), 'gi_' + 'frame')",
    "attrgetter": "__import_operator.attrgetter('__glo' + 'bals__')(lambda: 0)",
    "attrgetter with dots": "__import_operator.attrgetter('__class__.__ba' + 'se__')(1)",
    "methodcaller": "__import_operator.methodcaller('__subcl' + 'asses__')(object)",
    "map over getattr": "list(map(getattr, [lambda: 0], ['__glo' + 'bals__']))[0]",
    "reduce over getattr": "__import_functools.reduce(getattr, ['__class__', '__ba' + 'se__'], 1)",
    "partial of getattr": "__import_functools.partial(getattr, lambda: 0)('__co' + 'de__')",
    "name of a str subclass": "getattr(lambda: 0, S('__globals__'))",
    "str.format": "'{0.__globals__}'.format(lambda: 0)",
    "str.format with an index": "'{0[0].__globals__}'.format([lambda: 0])",
    "str.format with a nested spec": "'{0:{1.__code__.co_argcount}}'.format('x', lambda a: 0)",
    "unbound str.format": "str.format('{0.__globals__}', lambda: 0)",
    "str.format_map": "'{a.__globals__}'.format_map({'a': lambda: 0})",
    "unbound str.format_map": "str.format_map('{a.__globals__}', {'a': lambda: 0})",
    "getattr of format": "getattr('{0.__globals__}', 'for' + 'mat')(lambda: 0)",
    "methodcaller of format": "__import_operator.methodcaller('format', lambda: 0)('{0.__globals__}')",
    "map over format": "list(map('{0.__globals__}'.format, [lambda: 0]))[0]",
    "super().format": "F('{0.__globals__}').through()",
    "super with two arguments": "super(F, F('{0.__globals__}')).format(lambda: 0)",
    "format of a subclass": "S('{0.__globals__}').format(lambda: 0)",
    "string.Formatter": "__import_string.Formatter().format('{0.__globals__}', lambda: 0)",
    "Formatter.vformat": "__import_string.Formatter().vformat('{0.__globals__}', (lambda: 0,), {})",
    "Formatter.get_field": "__import_string.Formatter().get_field('0.__globals__', (lambda: 0,), {})",
    "Formatter behind super": "super(__import_string.Formatter, G()).get_field('0.__globals__', (lambda: 0,), {})",
    "Formatter subclass": "G().format('{0.__globals__}', lambda: 0)",
}.items():
    _modules = "".join(f"import {name} as import_{name}\n" for name in ("operator", "functools", "string"))
    _classes = (
        "class S(str): pass\n"
        "class F(str):\n    def through(self): return super().format(lambda: 0)\n"
        "class G(import_string.Formatter): pass\n"
    )
    run_time(
        "computed name",
        _name,
        f"{_modules}{_classes}x = {_expression.replace('__import_', 'import_')}\nprint('ESCAPED' if x else '')",
        alone=_name != "Formatter behind super",
    )
run_time("computed name", "hasattr", "print('ESCAPED' if hasattr(lambda: 0, '__glo' + 'bals__') else '')")
run_time("computed name", "setattr", "class A: pass\nsetattr(A(), '__cl' + 'ass__', A)\nprint('ESCAPED')")
run_time("computed name", "object.__setattr__", "class A: pass\nclass B: pass\na = A()\nobject.__setattr__(a, '__cl' + 'ass__', B)\nprint('ESCAPED')")
run_time("computed name", "super().__setattr__", "class B: pass\nclass A:\n    def f(self): super().__setattr__('__class__', B)\na = A()\na.f()\nprint('ESCAPED')")
run_time(
    "computed name",
    "update_wrapper reads any name",
    """
import functools
class W:
    def __init__(self): super().__setattr__('seen', [])
    def __setattr__(self, name, value): self.seen.append((name, value))
w = W()
functools.update_wrapper(w, lambda: 0, assigned=['__glo' + 'bals__'], updated=())
print('ESCAPED' if any(n == '__globals__' for n, v in w.seen) else '')
""",
)
run_time(
    "computed name",
    "guards' own namespace",
    "import collections\nM = collections\nprint('ESCAPED' if getattr(M, '__dict__', None) else '')",
)
run_time("computed name", "mark of a module", "print('ESCAPED' if getattr(print, '_.mark', 0) or hasattr(print, '__globals__') else '')", alone=False)

# --- making and altering classes -------------------------------------------------------------------------------------

run_time("making classes", "type with three arguments", "X = type('X', (), {})\nprint('ESCAPED')")
run_time("making classes", "type of a class", "X = type(int)('X', (), {})\nprint('ESCAPED')")
run_time("making classes", "class of a class", "X = int.__class__('X', (), {})\nprint('ESCAPED')")
run_time("making classes", "type out of map", "X = list(map(type, [int]))[0]('X', (), {})\nprint('ESCAPED')")
run_time("making classes", "ABCMeta", "import abc\nX = type(abc.ABC)('X', (), {})\nprint('ESCAPED')")
run_time("making classes", "EnumType", "import enum\nX = type(enum.Enum)\nprint('ESCAPED' if X is not type else '')")
run_time("making classes", "type[...] called", "X = type[int]('X', (), {})\nprint('ESCAPED')")
run_time("making classes", "origin of Type", "import typing\nX = typing.get_origin(typing.Type[int])('X', (), {})\nprint('ESCAPED')")
run_time("making classes", "inherit from type", "class M(type): pass\nprint('ESCAPED')")
run_time("making classes", "inherit from type of a class", "class M(type(int)): pass\nprint('ESCAPED')")
run_time("making classes", "computed metaclass", "class X(**{'metaclass': lambda *a, **k: print('ESCAPED')}): pass")
for _name, _statements in {
    "called": "abc.ABCMeta('X', (), {})",
    "with its own name given to another": "ABCMeta = lambda *a, **k: print('made')\nclass X(metaclass=ABCMeta): pass",
    "with an attribute of its name": "class A:\n    ABCMeta = staticmethod(lambda *a, **k: 1)\nclass X(metaclass=A.ABCMeta): pass",
    "inherited from": "class ABCMeta(abc.ABCMeta): pass\nclass X(metaclass=ABCMeta): pass",
    "computed, with another": "class X(**{'metaclass': abc.ABCMeta.__class__}): pass",
    "its new": "abc.ABCMeta.__new__(abc.ABCMeta, 'X', (), {})",
    "its type": "type(abc.ABCMeta)('X', (), {})",
    "its instance check": "isinstance(abc.ABC, abc.ABCMeta) or 1 / 0",
}.items():
    run_time("making classes", f"ABCMeta {_name}", f"import abc\n{_statements}\nprint('ESCAPED')")
run_time("making classes", "ABCMeta over a library class", "import abc, fractions\nclass X(metaclass=abc.ABCMeta): pass\nX.register(fractions.Fraction)\nprint('ESCAPED')")
run_time("making classes", "names of a class under ABCMeta", "import abc\nclass X(metaclass=abc.ABCMeta): pass\nX._abc_registry_clear()\nprint('ESCAPED')")
compile_time("making classes", "metaclass keyword", "class X(metaclass=lambda *a, **k: print('ESCAPED')): pass")
for _dunder in ("__class_getitem__", "__instancecheck__", "__subclasshook__", "__mro_entries__", "__prepare__", "__reduce__",
                "__reduce_ex__", "__getattribute__", "__del__", "__class__", "__dict__", "__subclasscheck__", "__getinitargs__"):
    compile_time("making classes", f"defines {_dunder}", f"class X:\n    def {_dunder}(self, *a): pass\nprint('ESCAPED')")
    compile_time("making classes", f"binds {_dunder}", f"class X:\n    {_dunder} = None\nprint('ESCAPED')")
for _dunder in ("__new__", "__match_args__", "__slots__", "__init_subclass__", "__set_name__", "__class_getitem__", "__subclasshook__",
                "__getattribute__", "__del__", "__reduce__", "__bases__", "__mro_entries__"):
    compile_time("making classes", f"{_dunder} put into a class", f"class X: pass\nX.{_dunder} = None\nprint('ESCAPED')", alone=_dunder != "__bases__")
compile_time("making classes", "a module's __getattr__ from a function", "def f():\n    global __getattr__\n    def __getattr__(name): pass\nprint('ESCAPED')")
compile_time("making classes", "a local __new__", "def f():\n    def __new__(cls): return print\n    return __new__\nprint('ESCAPED')")
compile_time("making classes", "a dunder deleted", "class X:\n    def __init__(self): pass\ndel X.__init__\nprint('ESCAPED')")
compile_time("making classes", "module by assignment", "class X:\n    __module__ = 'os'\nprint('ESCAPED')")
compile_time("making classes", "qualname by assignment", "class X:\n    __qualname__ = 'Y'\nprint('ESCAPED')")
compile_time("making classes", "dunder by for", "class X:\n    for __init__ in [1]: pass\nprint('ESCAPED')")
compile_time("making classes", "dunder by import", "class X:\n    from math import sqrt as __reduce__\nprint('ESCAPED')")
compile_time("making classes", "dunder by match", "class X:\n    match 1:\n        case __reduce__: print('ESCAPED')")
compile_time("making classes", "computed slots", "class X:\n    __slots__ = [n for n in ['a']]\nprint('ESCAPED')")
compile_time("making classes", "slots with a dunder", "class X:\n    __slots__ = ('__reduce__',)\nprint('ESCAPED')")
run_time("making classes", "namedtuple of a frame name", "import collections\nX = collections.namedtuple('X', 'tb_' + 'frame')\nprint('ESCAPED')")
run_time("making classes", "make_dataclass of a frame name", "import dataclasses\nX = dataclasses.make_dataclass('X', ['tb_' + 'frame'])\nprint('ESCAPED')")
run_time("making classes", "make_dataclass with a dunder", "import dataclasses\nX = dataclasses.make_dataclass('X', [], namespace={'__reduce' + '__': 1})\nprint('ESCAPED')")
run_time("making classes", "Enum with a dunder", "import enum\nX = enum.Enum('X', {'__reduce' + '__': 1, 'a': 1})\nprint('ESCAPED')")
run_time("making classes", "Enum subclass with a dunder", "import enum\nclass B(enum.Enum): pass\nX = B('X', names={'__reduce' + '__': 1, 'a': 1})\nprint('ESCAPED')")
run_time("making classes", "NamedTuple of a frame name", "import typing\nX = typing.NamedTuple('X', [('tb_' + 'frame', int)])\nprint('ESCAPED')")
run_time("making classes", "TypedDict of a dunder", "import typing\nX = typing.TypedDict('X', {'__reduce' + '__': int})\nprint('ESCAPED')")
run_time(
    "making classes",
    "annotations written late",
    """
import dataclasses
class X: a: int
X.__annotations__['tb_' + 'frame'] = int
X = dataclasses.dataclass(X)
print('ESCAPED' if 'tb_frame' in X.__match_args__ else '')
""",
)
run_time("making classes", "new of a metaclass", "X = type(int).__new__(type(int), 'X', (), {})\nprint('ESCAPED')")
run_time("making classes", "inherit from a private base", "class A(type(iter(enumerate(())).__class__)): pass\nprint('ESCAPED')")

# --- patterns --------------------------------------------------------------------------------------------------------

_TRACEBACK = """
class Trap:
    def __enter__(self): return self
    def __exit__(self, kind, error, tb):
        self.tb = tb
        return True
trap = Trap()
with trap: 1 / 0
tb = trap.tb
"""
compile_time("pattern", "class keyword", "match 1:\n    case int(__class__=c): print('ESCAPED')")
compile_time("pattern", "traceback keyword", _TRACEBACK + "match tb:\n    case object(tb_frame=f): print('ESCAPED')")
compile_time("pattern", "private keyword", "class A: _x = 1\nmatch A():\n    case A(_x=f): print('ESCAPED')")
compile_time("pattern", "format keyword", "match '':\n    case str(format=f): print('ESCAPED')")
compile_time("pattern", "obj keyword", "try: math.x\nexcept NameError: pass\nmatch AttributeError(obj=1):\n    case AttributeError(obj=f): print('ESCAPED')")
compile_time("pattern", "value with a dunder", "match int:\n    case int.__base__: print('?')\n    case _: print('ESCAPED')")
compile_time("pattern", "match args of a frame name", "class A:\n    __match_args__ = ('tb_frame',)\nprint('ESCAPED')")
compile_time("pattern", "computed match args", "class A:\n    __match_args__ = tuple(['tb_' + 'frame'])\nprint('ESCAPED')")
compile_time("pattern", "match args with a private name", "class A:\n    __match_args__ = ('_x',)\nprint('ESCAPED')")
run_time("pattern", "match args set late", "class A: pass\nsetattr(A, '__match_' + 'args__', ('tb_frame',))\nprint('ESCAPED')")
compile_time("pattern", "field of a frame name", "import dataclasses\n@dataclasses.dataclass\nclass A:\n    tb_frame: int\nprint('ESCAPED')")
run_time(
    "pattern",
    "registered tracebacks",
    _TRACEBACK + "import abc\nclass A(abc.ABC): pass\nA.register(type(tb))\nprint('ESCAPED' if isinstance(tb, A) else '')",
)

# --- exceptions ------------------------------------------------------------------------------------------------------

compile_time("exception", "traceback", "try: 1 / 0\nexcept Exception as e: x = e.__traceback__.tb_frame\nprint('ESCAPED')")
compile_time("exception", "traceback of __exit__", _TRACEBACK + "x = tb.tb_frame\nprint('ESCAPED')")
compile_time("exception", "context", "try:\n    try: 1 / 0\n    finally: {}[1]\nexcept Exception as e: x = e.__context__\nprint('ESCAPED')")
run_time("exception", "traceback by getattr", "try: 1 / 0\nexcept Exception as e:\n    if getattr(e, '__trace' + 'back__', None): print('ESCAPED')")
run_time("exception", "object of an AttributeError", "import math\ntry: math.nope\nexcept AttributeError as e:\n    if e.obj is math: print('ESCAPED')")
run_time(
    "exception",
    "object of an AttributeError through a method",
    "import types\nclass E(AttributeError):\n    def __call__(self): pass\n"
    "print('ESCAPED' if types.MethodType(E(obj=print), 1).obj is print else '')",
)
compile_time("exception", "except*", "try: 1 / 0\nexcept* Exception: print('ESCAPED')")
run_time("exception", "exception groups", "print('ESCAPED' if ExceptionGroup else '')")

# --- text that becomes code ------------------------------------------------------------------------------------------

for _builtin, _call in {
    "eval": "eval('1')", "exec": "exec('1')", "compile": "compile('1', '', 'eval')", "open": "open", "input": "input",
    "globals": "globals()", "locals": "locals()", "breakpoint": "breakpoint", "help": "help", "__import__": "__import__('os')",
}.items():
    compile_time("text to code", _builtin, f"x = {_call}\nprint('ESCAPED')", alone=_builtin != "help")
run_time("text to code", "eval behind a star import", "from math import *\nX = {'eval': None}\nimport builtins\nprint('ESCAPED')")
run_time("text to code", "get_type_hints", "import typing\ndef f(x: 'print(\"ESCAPED\")'): pass\ntyping.get_type_hints(f)")
run_time("attribute walk", "what the library wrapped", "import contextlib, typing, functools\nx = functools.cache(len).__wrapped__\ny = typing.overload.__wrapped__\nprint('ESCAPED')", alone=False)
run_time("attribute walk", "wrapped builtin of a cache", "import functools\nx = functools.cache(len).__wrapped__\nprint('ESCAPED')")
for _name, _text in {
    "a call": "print('ESCAPED')",
    "a call in a subscript": "list[print('ESCAPED')]",
    "a walrus": "(x := print('ESCAPED'))",
    "a comprehension": "[print('ESCAPED') for _ in 'a']",
    "a lambda": "(lambda: print('ESCAPED'))()",
    "a condition": "int if print('ESCAPED') else int",
    "an f-string": "f'{print(\"ESCAPED\")}'",
    "in text in text": "'list[print(\"ESCAPED\")]'",
    "behind |": "int | print('ESCAPED')",
}.items():
    run_time("text to code", f"get_type_hints with {_name}", f"import typing\nclass A:\n    x: {_text!r}\ntry: typing.get_type_hints(A)\nexcept TypeError: pass")
for _name, _text in {
    "builtins": "__builtins__", "the import function": "__import__", "class making": "__build_class__", "globals": "globals",
    "eval": "eval", "a denied attribute": "int.__subclasses__", "a walk": "A.__mro__", "a wide letter": "int.__ｍro__",
    "frames": "g.gi_frame", "the loader": "__loader__", "a private name": "json._default_encoder",
    "a submodule": "json.decoder",
}.items():
    for _thing, _source in {"class": "class A:\n    x: T\n    g = (i for i in '')", "function": "g = (i for i in '')\nclass A: pass\ndef f(x: T): pass"}.items():
        run_time(
            "text to code",
            f"get_type_hints of a {_thing} that names {_name}",
            f"import typing, json\nT = {_text!r}\n{_source}\n"
            f"try: x = typing.get_type_hints({'A' if _thing == 'class' else 'f'})['x']\nexcept TypeError: x = 1\nprint('ESCAPED')",
            alone=_thing == "function",  # without a module of its own a class's names are not found
        )
run_time("text to code", "get_type_hints of the library's", "import typing, textwrap, statistics\ntyping.get_type_hints(statistics.NormalDist)\nprint('ESCAPED')")
run_time("text to code", "get_type_hints with namespaces given", "import typing\ndef f(x: 'y.__globals__'): pass\ntry: typing.get_type_hints(f, {'y': f}, {'z': 1})\nexcept TypeError: pass\nprint('ESCAPED')")
run_time("text to code", "get_type_hints of deep text", "import typing\ndef f(x: '(' * 900 + 'print' + ')' * 900): pass\ntyping.get_type_hints(f)\nprint('ESCAPED')", alone=False)
run_time("text to code", "ForwardRef", "import typing\nx = typing.ForwardRef('int')\nprint('ESCAPED')")
run_time(
    "text to code",
    "singledispatch evaluates annotations",
    "import functools\n@functools.singledispatch\ndef f(x): pass\n@f.register\ndef g(x: '[print(\"ESCAPED\"), int][1]'): pass",
)
run_time("text to code", "namedtuple with code for a name", "import collections\ncollections.namedtuple('X', ['a=print(1)'])\nprint('ESCAPED')", alone=False)
run_time("text to code", "make_dataclass with code for a name", "import dataclasses\ndataclasses.make_dataclass('X', ['a=1'])\nprint('ESCAPED')", alone=False)

# --- imports ---------------------------------------------------------------------------------------------------------

for _module in ("os", "sys", "builtins", "importlib.util", "subprocess", "inspect", "gc", "ctypes", "io", "pickle", "marshal",
                "types.CodeType", "traceback", "threading", "socket", "weakref", "codecs", "ast", "emporion",
                "emporion.runtime.sandbox.language.guards", "copyreg", "_thread", "posix", "encodings"):
    run_time("import", _module, f"import {_module}\nprint('ESCAPED')", alone="." not in _module)
for _line in (
    "from json import decoder", "from json import scanner", "from re import _parser", "from enum import sys",
    "from dataclasses import sys", "from collections import _sys", "from typing import sys", "from random import _os",
    "from uuid import os", "from datetime import sys", "from contextlib import os", "from string import _re",
    "from abc import _abc_init", "from enum import EnumType", "from types import FunctionType", "from types import CodeType",
    "from contextlib import redirect_stdout", "from typing import ForwardRef", "from functools import namedtuple",
    "import json.decoder", "import json.decoder as d", "from statistics import sys",
):
    run_time("import", _line, f"{_line}\nprint('ESCAPED')", alone="datetime" not in _line)
for _call in ("'os'", "'json.decoder'", "'.os', 'json'", "'importlib.util'", "'builtins'", "'emporion.errors'"):
    run_time("import", f"import_module({_call})", f"import importlib\nimportlib.import_module({_call})\nprint('ESCAPED')",
             alone="json" not in _call)
compile_time("import", "dunder", "from math import __loader__\nprint('ESCAPED')")
compile_time("import", "dunder under a name", "from math import __loader__ as loader\nprint('ESCAPED')")
compile_time("import", "above the top", "from ... import x\nprint('ESCAPED')", alone=False)
compile_time("import", "as a guard", "import math as __builtins__\nprint('ESCAPED')")

# --- altering what others share --------------------------------------------------------------------------------------

for _name, _statements in {
    "a facade": "import math\nmath.pi = 3",
    "a facade by setattr": "import math\nsetattr(math, 'pi', 3)",
    "a facade by object.__setattr__": "import math\nobject.__setattr__(math, 'pi', 3)",
    "deleting from a facade": "import string\ndel string.digits",
    "a library class": "import fractions\nfractions.Fraction.limit_denominator = None",
    "a dunder of a library class": "import fractions\nfractions.Fraction.__repr__ = lambda self: 'x'",
    "a dunder of a library class by setattr": "import fractions\nsetattr(fractions.Fraction, '__init__', lambda *a: None)",
    "a dunder of a library class in a loop": "import statistics\nfor statistics.NormalDist.__eq__ in [None]: pass",
    "a dunder of a library class in a with": "import statistics, contextlib\nwith contextlib.nullcontext() as statistics.NormalDist.__hash__: pass",
    "a dunder of an own object": "class X: pass\nX().__enter__ = 1",
    "a dunder of an own function": "def f(): pass\nf.__get__ = 1",
    "a dunder deleted from a library class": "import fractions\ndelattr(fractions.Fraction, '__add__')",
    "what an own class was made of": "class X: pass\nsetattr(X, '__new__', lambda *a: print)",
    "what an own class may be matched by": "class X: pass\nsetattr(X, '__match_args__', ('gi_frame',))",
    "how an own class is reduced": "class X: pass\nsetattr(X, '__reduce__', lambda self: (print, ()))",
    "how an own class finds attributes": "class X: pass\nsetattr(X, '__getattribute__', lambda self, name: 1)",
    "who is a subclass": "class X: pass\nsetattr(X, '__subclasshook__', classmethod(lambda cls, c: True))",
    "the dict of a library function": "import textwrap\ntextwrap.fill.__dict__ = {}",
    "the dict of a library object": "import typing\ntyping.List.__dict__ = {}",
    "the dict of a library object in a loop": "import typing\nfor typing.Dict.__dict__ in [{'_name': 'x'}]: pass",
    "the dict of an own function": "def f(): pass\nf.__dict__ = {'__isabstractmethod__': True}",
    "the dict of a class": "import collections\nclass X(collections.UserDict): pass\nX.copy.__dict__ = {'a': 1}",
    "a library class in a loop": "import fractions\nfor fractions.Fraction.x in [1]: pass",
    "a library class by unpacking": "import fractions\nfractions.Fraction.x, y = 1, 2",
    "a library class by with": "import contextlib, fractions\nwith contextlib.nullcontext(1) as fractions.Fraction.x: pass",
    "a library class augmented": "import statistics\nstatistics.NormalDist.x = 0\nstatistics.NormalDist.x += 1",
    "a library class through self": "import fractions\nclass A:\n    def f(self): self.x = 1\nA.f(fractions.Fraction)",
    "a library class through cls": "import fractions\nclass A:\n    @classmethod\n    def f(cls): pass\n    def g(cls): cls.x = 1\nA.g(fractions.Fraction)",
    "a library class in a function": "import fractions\ndef f(x): x.y = 1\nf(fractions.Fraction)",
    "a library class in a nested function": "import fractions\ndef f(x):\n    def g(): x.y = 1\n    g()\nf(fractions.Fraction)",
    "a library class swapped late": "import fractions\nclass A: pass\ndef f(x):\n    x.y = (x := fractions.Fraction)\nf(A())\nfractions.Fraction.y",
    "a library class by setattr": "import fractions\nsetattr(fractions.Fraction, 'x', 1)",
    "a library function": "import textwrap\ntextwrap.dedent.x = 1",
    "a shared constant": "import uuid\nuuid.NAMESPACE_DNS.__init__(int=5)\nassert uuid.NAMESPACE_DNS.int == 5",
    "a shared constant, unbound": "import uuid\nuuid.UUID.__init__(uuid.NAMESPACE_DNS, int=5)\nassert uuid.NAMESPACE_DNS.int == 5",
    "a shared constant by descriptor": "import uuid\nuuid.UUID.int.__set__(uuid.NAMESPACE_DNS, 5)",
    "a shared constant by object": "import uuid\nobject.__setattr__(uuid.NAMESPACE_DNS, 'int', 5)",
    "an enum of the library": "import re\nre.I.x = 1",
    "a dataclass field": "import dataclasses\n@dataclasses.dataclass\nclass A:\n    x: int\ndataclasses.fields(A)[0].name = 'y'",
    "dataclass of a library class": "import dataclasses, fractions\ndataclasses.dataclass(fractions.Fraction)",
    "total_ordering of a library class": "import functools, fractions\nfunctools.total_ordering(fractions.Fraction)",
    "abstractmethod on a library function": "import abc, textwrap\nabc.abstractmethod(textwrap.dedent)",
    "wraps on a library function": "import functools, textwrap\nfunctools.wraps(print)(textwrap.dedent)",
    "runtime_checkable on a library class": "import typing\ntyping.runtime_checkable(typing.SupportsInt)",
    "registering with a library ABC": "import collections.abc\ncollections.abc.Sequence.register(int)\nassert issubclass(int, collections.abc.Sequence)",
    "registering through getattr": "import collections.abc\ngetattr(collections.abc.Sequence, 'regi' + 'ster')(float)",
    "a private method overridden": "import random\nclass R(random.Random):\n    def _randbelow(self, n): return 0",
    "the textwrap table": "import textwrap\ntextwrap.TextWrapper.unicode_whitespace_trans[65] = 66",
    "module attribute of a class": "import fractions\nfractions.Fraction.__doc__ = 'x'",
}.items():
    run_time("altering", _name, f"{_statements}\nprint('ESCAPED')")
for _name, _rebinding in {
    "assignment": "self = F",
    "walrus": "[0 for _ in (1,) if (self := F)]",
    "for": "for self in [F]: pass",
    "with": "with contextlib.nullcontext(F) as self: pass",
    "nonlocal": "def g():\n            nonlocal self\n            self = F\n        g()",
    "match": "match F:\n            case self: pass",
    "import": "import fractions as self",
    "deletion": "del self\n        self = F",
}.items():
    run_time(
        "altering",
        f"a receiver rebound by {_name}",
        f"""
import contextlib, fractions
F = fractions.Fraction
class A:
    def f(self):
        {_rebinding}
        self.hacked = 1
A().f()
print('ESCAPED')
""",
    )
run_time(
    "altering",
    "a receiver shadowed in a nested function",
    """
import fractions
class A:
    def f(self):
        def g(self): self.hacked = 1
        g(fractions.Fraction)
A().f()
print('ESCAPED')
""",
)
run_time(
    "altering",
    "copying what __new__ returned",
    """
import copy, fractions
class A:
    given = None
    def __new__(cls): return cls.given or super().__new__(cls)
    def __getstate__(self): return (None, {'hacked': 1})
a = A()
A.given = fractions.Fraction
try: copy.copy(a)
except TypeError: pass
print('ESCAPED' if hasattr(fractions.Fraction, 'hacked') else '')
""",
)
run_time(
    "altering",
    "copying into another class",
    """
import copy
class B: pass
class A:
    def __getstate__(self): return (None, {'__cl' + 'ass__': B})
print('ESCAPED' if type(copy.copy(A())) is B else '')
""",
)
run_time(
    "altering",
    "UserDict copies into what __new__ returned",
    """
import collections, textwrap
class U(collections.UserDict):
    given = None
    def __new__(cls, *a): return cls.given or super().__new__(cls)
u = U(); u.hacked = 1
U.given = textwrap.dedent
try: u.__copy__()
except (TypeError, AttributeError): pass
print('ESCAPED' if hasattr(textwrap.dedent, 'hacked') else '')
""",
)

run_time(
    "altering",
    "cached_property writes into what it is given",
    """
import functools, textwrap
class A:
    @functools.cached_property
    def hacked(self): return 1
A.hacked.__get__(textwrap.dedent)
print('ESCAPED')
""",
)
run_time(
    "making classes",
    "bases that change their mind",
    """
class Base: pass
b = Base()
vars(b)['__mro_' + 'entries__'] = lambda bases: (Base,)
class X(b): pass
print('ESCAPED')
""",
)
run_time(
    "computed name",
    "fields that the instance claims",
    """
import dataclasses
@dataclasses.dataclass
class A:
    x: object = None
class Field:
    name = 'x'; init = True; _field_type = None; default = 1
field = Field()
field.name = '__red' + 'uce_ex__'
a = A()
vars(a)['__dataclass_' + 'fields__'] = {'x': field}
try: dataclasses.replace(a)
except TypeError as error: print('ESCAPED' if 'reduce' in str(error) else '')
""",
)

# --- private names of others -----------------------------------------------------------------------------------------

for _name, _source in {
    "of a library object": "import random\nx = random.Random()._randbelow",
    "of a library class": "import fractions\nx = fractions.Fraction._from_coprime_ints if hasattr(fractions.Fraction, '_from_coprime_ints') else fractions.Fraction._add",
    "by getattr": "import fractions\nx = getattr(fractions.Fraction, '_a' + 'dd')",
    "in a subclass": "import fractions\nclass A(fractions.Fraction):\n    def f(self): return self._add\nA(1).f()",
    "in a subclass, from outside": "import fractions\nclass A(fractions.Fraction): pass\na = A(1)\nx = a._add",
    "through super": "import fractions\nclass A(fractions.Fraction):\n    def f(self): return super()._add\nA(1).f()",
    "through super with two arguments": "import fractions\nclass A(fractions.Fraction): pass\nx = super(A, A(1))._add",
    "through a lying receiver": "import fractions\nclass A:\n    def f(self): return self._add\nA.f(fractions.Fraction(1))",
    "through a class receiver": "import fractions\nclass A:\n    @classmethod\n    def f(cls): return cls._add\nclass B(A, fractions.Fraction): pass\nB.f()",
    "of a library instance's slot": "import fractions\nx = fractions.Fraction(1)._numerator",
    "written": "import fractions\nf = fractions.Fraction(1)\nf._numerator = 2",
    "of a metaclass": "import enum\nclass E(enum.Enum): A = 1\nx = E._check_for_existing_members_",
    "of a Formatter": "import string\nx = string.Formatter()._vformat",
    "of a typing alias": "import typing\nx = typing.List[int]._inst",
}.items():
    run_time("private names", _name, f"{_source}\nprint('ESCAPED')")

# --- shadowing the guards --------------------------------------------------------------------------------------------

for _name, _source in {
    "argument": "def f(__builtins__): return 1",
    "keyword-only argument": "def f(*, __builtins__=1): return 1",
    "star argument": "def f(*__builtins__): return 1",
    "lambda argument": "f = lambda __builtins__: 1",
    "global": "def f():\n    global __builtins__\n    __builtins__ = {}\nif 0: f()",
    "nonlocal": "def f():\n    __build_class__ = 1\n    def g():\n        nonlocal __build_class__\n        __build_class__ = 2\n    g()\nf()",
    "for": "for __import__ in [1]: pass",
    "with": "import contextlib\nwith contextlib.nullcontext() as __import__: pass",
    "except as": "try: 1 / 0\nexcept Exception as __import__: pass",
    "import as": "import math as __import__",
    "from import as": "from math import pi as __import__",
    "match capture": "match 1:\n    case __import__: pass",
    "match star": "match [1]:\n    case [*__import__]: pass",
    "match rest": "match {}:\n    case {**__import__}: pass",
    "walrus": "(__import__ := 1)",
    "walrus in a comprehension": "[(__import__ := x) for x in [1]]",
    "comprehension": "[1 for __import__ in [1]]",
    "del": "__name__ = 1\ndel __name__",
    "def": "def __build_class__(): pass",
    "class": "class __build_class__: pass",
    "augmented": "__name__ += 'x'",
    "annotated": "__name__: str = 'x'",
    "unpacking": "a, __import__ = 1, 2",
    "assignment": "__builtins__ = {}",
    "module getattr": "def __getattr__(name): return 1",
    "package": "__package__ = 'json'",
}.items():
    compile_time("shadowing", _name, f"{_source}\nprint('ESCAPED')")

# --- print and codecs ------------------------------------------------------------------------------------------------

run_time("redirection", "print into a library object", "import collections\nclass W:\n    write = print\nprint('x', file=3)\nprint('ESCAPED')", alone=False)
run_time("redirection", "redirect_stdout", "import contextlib\ncontextlib.redirect_stdout(3)\nprint('ESCAPED')")
run_time("redirection", "the true stdout", "import sys\nprint('ESCAPED' if sys.stdout else '')")
