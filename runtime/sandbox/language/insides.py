"""What a library's functions use inside, where agents cannot look: roads out of the process.

Read from byte code, as names that a function mentions and what its globals have under them. That is a hint for a person
who decides, and no proof: C code shows nothing of itself.
"""

import builtins
import dis
import functools
import io
import sys
import types
from collections.abc import Iterator
from typing import Any, Final

from .ownership import class_dict, class_mro

__all__ = ["outside"]

# What leads out of a visit, or into the interpreter.
_MODULES: Final = frozenset(
    """
    _ctypes _io _pickle _posixshmem _posixsubprocess _socket _thread asyncio atexit builtins ctypes fcntl ftplib gc glob
    http.client http.server importlib inspect io linecache marshal mmap multiprocessing nt ntpath os pathlib pickle
    posix posixpath pty resource runpy select selectors shelve shutil signal smtplib socket socketserver sqlite3 ssl
    subprocess sys tempfile threading urllib.request webbrowser
    """.split()
)
_BUILTINS: Final = frozenset(
    getattr(builtins, name) for name in "__import__ breakpoint compile eval exec globals input open".split()
)
# What `sys` says without giving anything away or altering anything: half of all libraries ask it for these.
_TELLS_ONLY: Final = frozenset(
    "byteorder float_info getsizeof hash_info implementation int_info intern maxsize maxunicode platform version "
    "version_info".split()
)
_GLOBAL_STEPS: Final = ("LOAD_GLOBAL", "LOAD_NAME")
_CACHED: Final = type(functools.lru_cache(lambda: None))
_MAX_CALLS: Final = 6  # functions that call functions
_MAX_FUNCTIONS: Final = 400  # looked into, for one value

_Road = tuple[types.FunctionType, str]


def outside(value: Any) -> str:
    """How `value`, called or used, comes to something outside, in words; "" where nothing of that can be seen."""
    if isinstance(value, types.BuiltinFunctionType):
        return _named(value)
    todo: list[tuple[_Road, int]] = [((function, _label(function)), 0) for function in _functions(value)]
    seen = {road[0] for road, _ in todo}
    while todo:
        (function, road), depth = todo.pop(0)
        for used in _mentioned(function):
            if name := used if isinstance(used, str) else _named(used):
                return f"{road} uses {name}"
            for inner in _functions(used) if depth < _MAX_CALLS and len(seen) < _MAX_FUNCTIONS else ():
                if inner not in seen:
                    seen.add(inner)
                    todo.append(((inner, f"{road} -> {_label(inner)}"), depth + 1))
    return ""


def _named(value: Any) -> str:
    """The name of what leads outside; "" for all else."""
    if isinstance(value, types.ModuleType):
        return value.__name__ if _leads_out(value.__name__) else ""
    if not isinstance(value, (type, types.BuiltinFunctionType, types.FunctionType)):
        return ""
    try:
        if value in _BUILTINS:
            return f"{value.__name__}()"
        home = value.__module__
    except Exception:  # a class answers through its metaclass
        return ""
    if type(home) is str and home != "builtins" and _leads_out(home) and value not in (io.StringIO, io.BytesIO):
        return f"{home}.{value.__name__}"
    return ""


def _leads_out(module: str) -> bool:
    return any(module == each or module.startswith(f"{each}.") for each in _MODULES)


def _functions(value: Any) -> list[types.FunctionType]:
    """The Python functions of a function, a method, or a class with its bases."""
    if isinstance(value, type):
        return [function for base in class_mro(value) for each in class_dict(base).values() for function in _bare(each)]
    return list(_bare(value))


def _bare(value: Any) -> Iterator[types.FunctionType]:
    if isinstance(value, types.FunctionType):
        yield value
        yield from _bare(value.__dict__.get("__wrapped__"))
    elif isinstance(value, (classmethod, staticmethod, types.MethodType)):
        yield from _bare(value.__func__)
    elif isinstance(value, property):
        for part in (value.fget, value.fset, value.fdel):
            yield from _bare(part)
    elif type(value) is _CACHED:
        yield from _bare(value.__wrapped__)


def _mentioned(function: types.FunctionType) -> Iterator[Any]:
    """What a function's globals, builtins and closure have under the names in its code, and in the code inside; the
    names of modules that it imports itself and that lead outside."""
    codes, scope = [function.__code__], function.__globals__
    for code in codes:
        codes += [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
        imports = {step.argval for step in dis.get_instructions(code) if step.opname == "IMPORT_NAME"}
        yield from filter(_leads_out, imports)
        for name in {step.argval for step in dis.get_instructions(code) if step.opname in _GLOBAL_STEPS}:
            if name in scope:
                if scope[name] is not sys or {n for n in code.co_names if hasattr(sys, n)} - _TELLS_ONLY - {name}:
                    yield scope[name]
            elif name in builtins.__dict__:
                yield builtins.__dict__[name]
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:
            continue  # nothing in it yet


def _label(function: types.FunctionType) -> str:
    return f"{function.__module__}.{function.__qualname__}"
