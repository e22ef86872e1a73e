"""The `copy` module for agents: same results, but it never writes into an object that the agent did not make.

The standard one applies whatever `__getstate__` returned to whatever `__new__` returned, with `setattr` or on the true
``__dict__``: an agent that returns a library class from `__new__` would rewrite that class.
Source: https://docs.python.org/3/library/copy.html
"""

import copy
import types
from collections import ChainMap, Counter, OrderedDict, UserString, defaultdict, deque
from enum import Enum
from typing import Any, Final

from .guards import write_name
from .ownership import class_dict, describe, is_own_class

__all__ = ["CONTAINERS", "Error", "copy_value", "deepcopy_value", "rebuild"]

Error: Final = copy.Error
# Containers of the library that are copied from their parts; `stdlib_collections` adds its own.
_STANDARD: Final = (bytearray, dict, list, set, ChainMap, Counter, OrderedDict, UserString, defaultdict, deque)
CONTAINERS: Final[set[type]] = set(_STANDARD)


def _is_rebuilt(kind: type) -> bool:
    """Whether copies of instances are made from their parts; all else from outside is a value: it is its own copy."""
    if issubclass(kind, Enum):
        return False
    return is_own_class(kind) or kind in CONTAINERS or issubclass(kind, (BaseException, types.SimpleNamespace))


def copy_value(value: Any) -> Any:
    """A shallow copy of `value`.

    Raises:
        Error: It has no copy: a generator, say.
        TypeError: Its class says it is made of something that is not its own.
    """
    kind = type(value)
    if issubclass(kind, type) or not _is_rebuilt(kind):
        return _immutable(value)
    if (hook := _own_hook(kind, "__copy__")) is not None:
        return hook(value)
    return rebuild(value, lambda part: part)


def deepcopy_value(value: Any, memo: dict[int, Any] | None = None) -> Any:
    """A copy of `value` and of everything in it; what occurs twice is copied once. Errors as in `copy_value`."""
    memo = {} if memo is None else memo
    if id(value) in memo:
        return memo[id(value)]
    kind = type(value)
    if kind in (tuple, frozenset):
        parts = [deepcopy_value(part, memo) for part in value]
        if id(value) in memo:  # a cycle through this tuple has made its copy already
            return memo[id(value)]
        copied = kind(parts)
    elif issubclass(kind, type) or not _is_rebuilt(kind):
        return _immutable(value)
    elif (hook := _own_hook(kind, "__deepcopy__")) is not None:
        copied = hook(value, memo)
    else:
        return rebuild(value, lambda part: deepcopy_value(part, memo), memo)
    memo[id(value)] = copied
    memo.setdefault(id(memo), []).append(value)  # keep it alive: a freed object's id would come back
    return copied


_NO_COPIES: Final = (types.GeneratorType, types.CoroutineType, types.AsyncGeneratorType, memoryview)


def _immutable(value: Any) -> Any:
    if isinstance(value, _NO_COPIES):
        raise Error(f"{describe(value)} cannot be copied")
    return value


def _own_hook(kind: type, name: str) -> Any:
    for base in type.__dict__["__mro__"].__get__(kind):
        if name in class_dict(base):
            return class_dict(base)[name] if is_own_class(base) else None
    return None


def rebuild(value: Any, part: Any, memo: dict[int, Any] | None = None) -> Any:
    """A new object of the same class with the same state, each part of it through `part`."""
    kind = type(value)
    reduced = object.__reduce_ex__(value, 4) if not isinstance(value, BaseException) else value.__reduce__()
    maker, arguments, state, items, pairs = (*reduced, None, None, None)[:5]
    if issubclass(kind, AttributeError) and type(state) is dict:
        state = {name: part for name, part in state.items() if name != "obj"}  # whose attribute was missing: anybody's
    if maker is kind:
        new = kind(*[part(argument) for argument in arguments])
    else:
        new = kind.__new__(kind, *[part(argument) for argument in arguments[1:]])
    if type(new) is not kind:
        raise TypeError(f"{kind.__name__}.__new__ made {describe(new)}: it cannot be copied")
    if memo is not None:
        memo[id(value)] = new
        memo.setdefault(id(memo), []).append(value)
    if state is not None:
        _restore(new, part(state))
    for item in items or ():
        new.append(part(item))
    for key, item in pairs or ():
        new[part(key)] = part(item)
    return new


def _restore(new: Any, state: Any) -> None:
    """Apply what `__getstate__` gave: through the class's own `__setstate__`, or name by name as an agent could."""
    hook = _own_hook(type(new), "__setstate__")
    if hook is not None:
        hook(new, state)
        return
    attributes, slots = state if isinstance(state, tuple) and len(state) == 2 else (state, None)
    if attributes:
        object.__getattribute__(new, "__dict__").update(attributes)
    for name, item in (slots or {}).items():
        write_name(new, name)
        object.__setattr__(new, name, item)
