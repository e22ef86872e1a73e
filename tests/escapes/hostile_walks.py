# ruff: noqa: E501, RUF001  (rows of hostile source read better in one line; some hide behind odd letters)
"""Agents as strangers would write them, after the public record: walks over attributes, frames and format strings.

From the exercises known as pyjails, and from the advisories of RestrictedPython and its like: CVE-2023-37271 (frames of
generators), CVE-2023-41039 and CVE-2024-47532 (format strings, `string.Formatter`), CVE-2025-22153 (``except*``). Rows
as in `language_receivers`.
"""

ROWS: list[tuple[str, str, str, str, bool]] = []


def row(family: str, name: str, source: str, stop: str = "run", alone: bool = True) -> None:
    ROWS.append((family, name, stop, source.strip() + "\n", alone))


# --- from any object to `os`

for _name, _expression in {
    "warnings through subclasses": "[c for c in ().__class__.__base__.__subclasses__() if c.__name__ == 'catch_warnings'][0]()._module.__builtins__",
    "the os wrapper": "[c for c in ''.__class__.__mro__[1].__subclasses__() if 'wrap_close' in str(c)][0].__init__.__globals__['system']",
    "importer through subclasses": "[c for c in object.__subclasses__() if 'BuiltinImporter' in str(c)][0].load_module('os')",
    "quit and its globals": "quit.__init__.__globals__",
    "license and its globals": "license._Printer__setup.__globals__",
    "help and its globals": "help.__class__.__call__.__globals__",
    "self of print": "print.__self__.__import__('os')",
    "self of len by getattr": "getattr(len, '__self__')",
    "loader of the module": "__spec__",
    "name of builtins": "__builtins__['__import__']('os') if type(__builtins__) is dict else __builtins__.__import__('os')",
    "builtins in wide letters": "__bｕiltins__",
    "import in mathematical letters": "__𝘪𝘮𝘱𝘰𝘳𝘵__('os')",
    "class in italic letters": "''.__𝘤𝘭𝘢𝘴𝘴__.__base__",
    "globals in wide letters by getattr": "(lambda: 0).__glｏbals__",
    "an exception's frame": "Exception().with_traceback(None).__traceback__ or ''.__doc__.__class__.__base__",
    "a method's function": "''.join.__class__.__base__.__subclasses__()",
    "a wrapper's class": "type.__dict__['__mro__'].__get__(int)",
    "a property's getter": "int.real.__objclass__.__base__",
    "a slot's owner": "str.__add__.__objclass__.__mro__",
    "init of object": "object.__init__.__objclass__.__subclasses__()",
    "reduce of an instance": "(1).__reduce__ and (1).__reduce_ex__(2)[0].__globals__",
    "a comprehension's code": "(lambda: [x for x in ()]).__code__.co_consts",
    "code by replace": "(lambda: 0).__code__.replace(co_consts=(1,))",
    "default arguments": "(lambda a=1: a).__kwdefaults__ or 'x'.__class__.__base__",
    "closure of a lambda": "(lambda a: lambda: a)(1).__closure__",
    "annotations of a function": "(lambda: 0).__annotations__.__class__.__base__",
    "module of a class": "__import__(int.__module__)",
    "walrus on the way": "[(a := ''.__class__), (b := a.__base__), b.__subclasses__()]",
    "in a slice": "[1, 2, 3][''.__class__.__base__ and 0:1]",
    "in a subscript": "{object: 1}[''.__class__.__base__]",
    "in a conditional": "1 if ''.__class__.__base__ else 0",
    "in a chained comparison": "0 < 1 < len(''.__class__.__base__.__subclasses__())",
    "in a star argument": "list(*[''.__class__.__base__.__subclasses__()])",
    "in keyword arguments": "dict(**{'a': ''.__class__.__base__})",
    "in a nested format spec": "f'{1:{len(str(int.__base__))}}'",
    "in a lambda's default": "(lambda x=int.__base__: x)()",
    "in a generator": "next(c for c in [int.__base__])",
    "in a dict comprehension": "{k: k.__base__ for k in [int]}",
    "in an awaitable": "(lambda: (yield int.__base__))().__next__().__subclasses__()",
}.items():
    row("walk", _name, f"x = {_expression}\nprint('ESCAPED' if x else '')", stop="run" if _name in ("self of len by getattr", "a wrapper's class") else "compile")

for _name, _statements in {
    "in an assert": "assert int.__base__, 'x'",
    "in a raise": "try: raise ValueError(int.__base__)\nexcept ValueError: pass",
    "in raise from": "try: raise ValueError from (int.__base__ and KeyError())\nexcept ValueError: pass",
    "in a del": "d = {object: 1}\ndel d[int.__base__]",
    "in a return": "def f(): return int.__base__\nf()",
    "in a class body": "class A: x = int.__base__",
    "in a class's bases": "class A(int.__base__): pass",
    "in a class keyword": "class B:\n    def __init_subclass__(cls, k): pass\nclass A(B, k=int.__base__): pass",
    "in a while": "while int.__base__: break",
    "in a with": "import contextlib\nwith contextlib.nullcontext(int.__base__): pass",
    "in an except": "try: pass\nexcept int.__base__: pass",
    "in a match": "match int.__base__:\n    case _: pass",
    "in a match guard": "match 1:\n    case _ if int.__base__: pass",
    "in a default of a method": "class A:\n    def f(self, x=int.__base__): pass",
    "in an annotation of a return": "def f() -> int.__base__: pass",
    "in an annotation that stays text": "from __future__ import annotations\ndef f(x: int.__base__): pass",
    "in an augmented target": "class A: pass\nA.__name__ += 'x'\nA.__qualname__ = 'Y'",
    "in an async for": "async def f():\n    async for x in int.__base__: pass",
    "in an async comprehension": "async def f(): return [x async for x in int.__base__]",
    "in a yield from": "def f(): yield from [int.__base__]\nlist(f())",
    "in a decorator of a class": "@(lambda c: int.__base__)\nclass A: pass",
    "a store into the code": "def f(): pass\ndef g(): print(1)\nf.__code__ = g.__code__",
    "a store into globals": "def f(): pass\nf.__globals__['x'] = 1",
    "a store into kwdefaults": "def f(*, a): pass\nf.__kwdefaults__ = {'a': 1}",
    "a store into __class__ of an exception": "class E(Exception): pass\nclass F(Exception): pass\ne = E()\ne.__class__ = F",
    "a store into bases": "class A: pass\nclass B(A): pass\nclass C: pass\nB.__bases__ = (C,) if 0 else B.__bases__",
}.items():
    row("walk", _name, f"{_statements}\nprint('ESCAPED')", stop="compile")

# --- frames and tracebacks (CVE-2023-37271 and after)

_CLIMB = "\nwhile f.f_back: f = f.f_back\nprint('ESCAPED' if f.f_globals else '')"
for _name, _statements in {
    "of a generator that runs": "def g():\n    yield it.gi_frame.f_back\nit = g()\nf = next(it)",
    "of a generator expression": "it = (it.gi_frame.f_back for _ in [1])\nf = next(it)",
    "of a coroutine": "async def g(): return 1\nit = g()\nf = it.cr_frame\nit.close()",
    "of an async generator": "async def g(): yield 1\nit = g()\nf = it.ag_frame",
    "of a traceback": "try: 1 / 0\nexcept Exception as e: f = e.__traceback__.tb_frame",
    "of a traceback's next": "def g(): 1 / 0\ntry: g()\nexcept Exception as e: f = e.__traceback__.tb_next.tb_frame",
    "of a context": "try:\n    try: 1 / 0\n    except Exception: [][0]\nexcept Exception as e: f = e.__context__.__traceback__.tb_frame",
    "of a cause": "try:\n    try: 1 / 0\n    except Exception as e: raise KeyError from e\nexcept Exception as e: f = e.__cause__.__traceback__.tb_frame",
    "of __exit__": "class C:\n    def __enter__(self): pass\n    def __exit__(self, k, e, tb):\n        self.tb = tb\n        return True\nc = C()\nwith c: 1 / 0\nf = c.tb.tb_frame",
    "of a delegate": "def g(): yield 1\ndef h(): yield from g()\nit = h()\nnext(it)\nf = it.gi_yieldfrom.gi_frame",
    "of a generator thrown into": "def g():\n    try: yield\n    except Exception as e: yield e.__traceback__.tb_frame\nit = g()\nnext(it)\nf = it.throw(KeyError())",
    "of a context manager's generator": "import contextlib\n@contextlib.contextmanager\ndef g(): yield\nc = g()\nc.__enter__()\nf = c.gen.gi_frame",
}.items():
    row("frame", _name, _statements + _CLIMB, stop="compile")
for _name, _expression in {
    "by getattr": "getattr(it, 'gi_' + 'frame')",
    "by attrgetter": "operator.attrgetter('gi_frame.f_globals')(it)",
    "by methodcaller": "operator.methodcaller('__getattribute__', 'gi_frame')(it)",
    "by format": "'{0.gi_frame.f_globals}'.format(it)",
    "by format_map": "'{g.gi_code.co_filename}'.format_map({'g': it})",
    "by Formatter": "string.Formatter().format('{0.gi_frame}', it)",
    "by object's getattribute": "getattr(object, '__getattribute__')(it, 'gi_frame')",
    "by the type's slot": "getattr(type(it), 'gi_frame').__get__(it)",
    "by vars of the type": "vars(type(it))['gi_frame'].__get__(it)",
    "by map": "next(map(getattr, [it], ['gi_frame']))",
    "by a default": "getattr(it, 'gi_frame', None)",
    "by hasattr": "hasattr(it, 'gi_frame')",
    "by dir": "'gi_frame' in dir(it)",
}.items():
    row("frame", f"of a generator {_name}", f"import operator, string\ndef g(): yield\nit = g()\nx = {_expression}\nprint('ESCAPED' if x else '')")

# --- format strings (CVE-2023-41039, CVE-2024-47532)

for _name, _expression in {
    "of a joined text": "''.join(['{0.__cla', 'ss__.__base__}']).format(1)",
    "of decoded bytes": "b'{0.__class__.__base__}'.decode().format(1)",
    "of decoded base64": "base64.b64decode('ezAuX19jbGFzc19fLl9fYmFzZV9ffQ==').decode().format(1)",
    "of a reversed text": "'}__esab__.__ssalc__.0{'[::-1].format(1)",
    "of an enum's member": "enum.Enum('E', {'A': '{0.__class__.__base__}'}).A.value.format(1)",
    "of a str enum's member": "enum.StrEnum('E', {'A': '{0.__class__.__base__}'}).A.format(1)",
    "by a bound method kept in a dict": "{'f': '{0.__class__.__base__}'.format}['f'](1)",
    "by starmap": "list(itertools.starmap('{0.__class__.__base__}'.format, [(1,)]))[0]",
    "by reduce": "functools.reduce(str.format, ['{0.__class__.__base__}', 1])",
    "by partial": "functools.partial(str.format, '{0.__class__.__base__}')(1)",
    "by partial of a bound method": "functools.partial('{0.__class__.__base__}'.format)(1)",
    "by partialmethod": "P().f()",
    "by a sort key": "max([1], key='{0.__class__.__base__}'.format) and '{0.__class__.__base__}'.format(1)",
    "by map of the unbound": "list(map(str.format, ['{0.__class__.__base__}'], [1]))[0]",
    "by a property of an own class": "Q().shown",
    "by UserString": "collections.UserString('{0.__class__.__base__}').format(1)",
    "by UserString's data": "collections.UserString('{0.__class__.__base__}').data.format(1)",
    "with a conversion": "'{0.__class__.__base__!r:>20}'.format(1)",
    "with an index first": "'{0[a].__class__.__base__}'.format({'a': 1})",
    "with a keyword": "'{a.__class__.__base__}'.format(a=1)",
    "with automatic numbers": "'{.__class__.__base__}'.format(1)",
    "in the width of a field": "'{:>{0.__class__.__itemsize__}}'.replace('{:', '{1:').format(1, 'x')",
    "of a class's method": "'{0.__init__.__globals__}'.format(Q())",
    "of a module's function": "'{0.__globals__[__name__]}'.format(textwrap.dedent)",
    "by Formatter's vformat": "string.Formatter().vformat('{0.__class__.__base__}', (1,), {})",
    "by Formatter's get_field": "string.Formatter().get_field('0.__class__.__base__', (1,), {})[0]",
    "by a Formatter of one's own": "F().format('{0.__class__.__base__}', 1)",
    "by Formatter's method unbound": "string.Formatter.format(F(), '{0.__class__.__base__}', 1)",
    "by super of a Formatter": "F().above()",
}.items():
    row("format", _name, f"""
import base64, collections, enum, functools, itertools, string, textwrap
class P:
    def __str__(self): return ''
    f = functools.partialmethod(lambda s, t: t.format(1), '{{0.__class__.__base__}}')
class Q:
    def __init__(self): pass
    shown = property(lambda s: '{{0.__class__.__base__}}'.format(1))
class F(string.Formatter):
    def above(self): return super().get_field('0.__class__.__base__', (1,), {{}})[0]
x = {_expression}
print('ESCAPED' if x else '')
""")
row("format", "by a template's own pattern", "import string\nclass T(string.Template):\n    delimiter = '{'\n    idpattern = '[^}]+'\nprint('ESCAPED' if 'class' in T('{0.__class__}').safe_substitute(**{'0.__class__': int.__name__}) else '')", alone=False)
row("format", "percent with a mapping that reads attributes", "class M(dict):\n    def __getitem__(self, k): return getattr(self, k)\nprint('ESCAPED' if '%(__init__)s' % M() and '%(__reduce__)s' % M() else '')")
