"""Methods of library classes, held to instances of their own class.

A method of the library written in Python takes any object for its ``self``: ``Counter.copy(Shop)`` calls
``Shop.__class__``, which is the true `type`, and ``Random.setstate(Fraction, ...)`` writes into `Fraction`. Methods
written in C look for themselves. Importing `facades` mends every class that agents can reach.
"""

import functools
import types
from collections.abc import Callable, Iterable
from opcode import opmap
from typing import Any, Final

from .names import Kind, is_risky, kind_of
from .ownership import class_dict, class_mro, describe

__all__ = ["hold_to_instances", "is_careless"]

_WRITES: Final = {opmap["STORE_ATTR"], opmap["DELETE_ATTR"]}
# What a function that never writes an attribute may still do with a class, or with names, that are not its own.
_TELLING: Final = frozenset("__class__ __dict__ delattr getattr setattr type vars".split())
_HELD: Final[set[types.FunctionType]] = set()


def is_careless(function: Any) -> bool:
    """Whether a Python function does to its arguments what depends on their being what it expects."""
    if type(function) is not types.FunctionType or function in _HELD:
        return False
    codes = [function.__code__]
    for code in codes:  # grows while we walk
        if not _TELLING.isdisjoint(code.co_names) or not _WRITES.isdisjoint(code.co_code[::2]):
            return True
        codes += [each for each in code.co_consts if type(each) is types.CodeType]
    return False


def hold_to_instances(classes: Iterable[type]) -> None:
    """Make the careless methods and properties of `classes`, and of their bases, refuse a foreign receiver."""
    for cls in {base for each in classes for base in class_mro(each)}:
        for name, value in list(class_dict(cls).items()):
            if kind_of(name) in (Kind.DENIED, Kind.WATCHED) or is_risky(name):
                continue  # out of reach, or looked after by a guard
            held = _held(cls, value)
            if held is not value:
                type.__setattr__(cls, name, held)


def _held(cls: type, value: Any) -> Any:
    if is_careless(value):
        return _only_for(cls, value)
    if type(value) is property and any(map(is_careless, (value.fget, value.fset, value.fdel))):
        fget, fset, fdel = (_held(cls, each) for each in (value.fget, value.fset, value.fdel))
        return property(fget, fset, fdel, value.__doc__)
    return value


def _only_for(cls: type, function: Any) -> Callable[..., Any]:
    name = function.__name__

    @functools.wraps(function)
    def method(self: Any, /, *arguments: Any, **keywords: Any) -> Any:
        if cls not in class_mro(type(self)):
            raise TypeError(f"{name}() of {cls.__name__!r} does not apply to {describe(self)}")
        return function(self, *arguments, **keywords)

    del method.__wrapped__
    _HELD.add(method)  # type: ignore[arg-type]  # `wraps` gives a type of its own
    return method
