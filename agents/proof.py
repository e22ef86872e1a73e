"""Whether code that runs here was made from a text: its functions tell, by their byte code."""

import ast
from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib.machinery import SourceFileLoader
from types import CodeType, FunctionType
from zipimport import zipimporter

from .modules import Found, Namespace

__all__ = ["Print", "code_objects", "constants_fit", "functions_in", "made_from", "print_of"]

Print = tuple[object, ...]


def made_from(found: Found, source: str) -> bool:
    """Whether the module that runs here can have been made from `source`: all its functions are found in it.

    A file may have been edited since it was imported. Functions tell: compiled again, their byte code must be the
    same. Values of constants do not tell, nor do modules whose loader changes the code it loads (as pytest's does
    with tests): those pass.
    """
    if found.namespace is None or type(found.spec.loader) not in (SourceFileLoader, zipimporter):
        return True
    filename = str(found.namespace.get("__file__"))
    try:
        known = _prints(source, filename)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    functions = functions_in(found.namespace.values(), found.name)
    return all(
        (code.co_firstlineno, print_of(code)) in known
        for f in functions
        if f.__code__.co_filename == filename
        for code in code_objects(f.__code__)
    )


@lru_cache(maxsize=256)
def _prints(source: str, filename: str) -> frozenset[tuple[int, Print]]:
    code = compile(source, filename, "exec", dont_inherit=True)
    return frozenset((inner.co_firstlineno, print_of(inner)) for inner in code_objects(code))


def constants_fit(namespace: Namespace, source: str) -> bool:
    """Whether plain constants of a module, and of its classes, still have the values that the text gives them.

    For a module that has been replaced: its file may hold other numbers by now, and functions do not tell of these.
    """
    waiting = [(ast.parse(source).body, namespace)]
    while waiting:
        body, names = waiting.pop()
        expected: dict[str, object] = {}
        for node in body:
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=value)):
                    expected[name] = value
                case ast.AnnAssign(target=ast.Name(id=name), value=ast.Constant(value=value)):
                    expected[name] = value
                case ast.ClassDef(name=name, body=inner) if isinstance(names.get(name), type):
                    waiting.append((inner, vars(names[name])))
        if any(repr(names.get(name)) != repr(value) for name, value in expected.items() if name != "__slots__"):
            return False
    return True


def functions_in(values: Iterable[object], module: str) -> list[FunctionType]:
    """The functions among `values` and, however deep, in the classes among them that `module` made."""
    found: list[FunctionType] = []
    seen: set[int] = set()
    waiting = list(values)
    while waiting:
        value = waiting.pop()
        if isinstance(value, staticmethod | classmethod):
            value = value.__func__
        if isinstance(value, FunctionType):
            found.append(value)
        elif isinstance(value, property):
            waiting += (value.fget, value.fset, value.fdel)
        elif isinstance(value, type) and id(value) not in seen and value.__module__ == module:
            seen.add(id(value))
            waiting += vars(value).values()
    return found


def code_objects(code: CodeType) -> Iterator[CodeType]:
    """`code` and every code object inside it."""
    waiting = [code]
    while waiting:
        code = waiting.pop()
        yield code
        waiting += [constant for constant in code.co_consts if isinstance(constant, CodeType)]


def print_of(code: CodeType) -> Print:
    """What two compilations of one text share. Not the code object itself: running code specialises what it holds."""
    plain = [constant for constant in code.co_consts if not isinstance(constant, CodeType)]
    constants = tuple(constant if isinstance(constant, frozenset) else repr(constant) for constant in plain)
    return code.co_qualname, code.co_code, code.co_names, code.co_varnames, constants
