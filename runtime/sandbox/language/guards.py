"""What compiled agent code calls where a name alone does not decide.

An object of an agent could lie about anything Python asks it (`__class__`, `__eq__`, `__hash__`), so the guards use
`type`, identity and the true namespace of classes only.
"""

import types
from decimal import Decimal
from typing import Any, Final

from .names import PATCHABLE, SETTABLE_DUNDERS, Kind, is_dunder, is_risky, kind_of, why_denied
from .ownership import (
    PURE,
    class_dict,
    class_mro,
    describe,
    is_own_class,
    is_own_function,
    is_own_module,
    is_pure,
    may_store,
    replaced_below,
)

__all__ = [
    "TYPE",
    "enter",
    "made",
    "may_private",
    "private",
    "private_of",
    "store",
    "store_dict",
    "store_method",
    "store_private",
    "store_watched",
    "type_of",
    "write_name",
]

# What library code that was given it can do no harm to: there is no attribute to write.
_VALUES: Final = frozenset(
    {int, float, complex, bool, str, bytes, bytearray, tuple, list, dict, set, frozenset, type(None), Decimal}
)


# --- private names ---------------------------------------------------------------------------------------------------


def _provider(name: str, classes: tuple[type, ...]) -> type | None:
    return next((cls for cls in classes if name in class_dict(cls)), None)


def may_private(target: object, name: str) -> bool:
    """Whether `name` of `target`, if it is there at all, was made by an agent."""
    kind = type(target)
    if kind in PURE or not is_risky(name) or is_pure(kind):
        return True
    if issubclass(kind, type):
        own = is_own_class(target)  # type: ignore[arg-type]  # a class, by `kind`
        providers = (*class_mro(target), *class_mro(kind))  # a class also answers with its metaclass's names
    elif kind is super:
        start = class_mro(target.__self_class__)  # type: ignore[attr-defined]  # a super(), by `kind`
        providers = start[start.index(target.__thisclass__) + 1 :]  # type: ignore[attr-defined]  # likewise
        own = True
    else:
        own = is_own_class(kind) or is_own_function(target) or is_own_module(target)
        providers = class_mro(kind)
    provider = _provider(name, providers)
    return own and (provider is None or is_own_class(provider))


def private_of(target: Any, name: str) -> Any:
    """`target` itself, if agents may use its private `name`.

    Raises:
        AttributeError: `name` belongs to somebody else.
    """
    if may_private(target, name):
        return target
    raise AttributeError(f"{name!r} of {describe(target)} is private to its maker: use a public name")


def private(target: Any, name: str) -> Any:
    """The value of the private attribute `name`; AttributeError when it is somebody else's."""
    return getattr(private_of(target, name), name)


# --- writing ---------------------------------------------------------------------------------------------------------


def store(target: Any) -> Any:
    """`target` itself, if agents may alter it: what their own modules made.

    Raises:
        AttributeError: It belongs to the library or to the host; TypeError where it is a class. CPython has the same
            two for numbers, tuples, dates and the classes of those.
    """
    if may_store(target):
        return target
    error = TypeError if issubclass(type(target), type) else AttributeError
    raise error(f"agents alter only what their own modules made, not a {describe(target)}")


def store_dict(target: Any) -> Any:
    """`target` itself, if agents may give it another `__dict__`: an object of a class of their own.

    Its `__dict__` is the agent's to fill as it stands; another one can only be a dict that the agent has, which is
    nobody else's. Not of functions: the library reads marks there.

    Raises:
        AttributeError, TypeError: It is something else.
    """
    if is_own_class(type(target)):
        return target
    raise AttributeError(f"agents set the __dict__ of objects of their own classes only, not of a {describe(target)}")


def store_method(target: Any) -> Any:
    """`target` itself, if it is a class of the agent's own: such may get dunder methods after they are made.

    Nothing comes of it that plain assignment in the class's body could not bring about.

    Raises:
        AttributeError, TypeError: It is something else.
    """
    if issubclass(type(store(target)), type):
        return target
    raise AttributeError(f"dunder methods belong to classes: set it on the class, not on a {describe(target)}")


def store_private(target: Any, name: str) -> Any:
    """`target` itself, if agents may set or delete its private `name`."""
    private_of(store(target), name)
    if issubclass(type(target), type) and is_risky(name) and replaced_below(target, name):
        raise AttributeError(f"{name!r} of {describe(target)} would replace a private name of the library: rename it")
    return target


def enter(receiver: Any, names: tuple[str, ...], stores: bool) -> None:
    """Check a method's receiver once for all private `names` and stores in the method's body."""
    if stores:
        store(receiver)
    for name in names:
        store_private(receiver, name) if stores else private_of(receiver, name)


def write_name(target: Any, name: str) -> None:
    """Check an attribute name that is computed at run time, before `target` gets or loses it.

    Raises:
        TypeError: `name` is not exactly a string.
        AttributeError: The name may not be written; this or TypeError: `target` may not be altered.
    """
    if type(name) is not str:
        raise TypeError(f"attribute name must be a string, not {describe(name)}")
    store(target)
    if name in PATCHABLE:
        store_method(target)
        return
    kind = kind_of(name)
    if kind is Kind.DENIED or (is_dunder(name) and name not in SETTABLE_DUNDERS):
        raise AttributeError(f"agents may not write {name!r}: {why_denied(name)[0]}")
    if kind is Kind.PRIVATE:
        store_private(target, name)


def store_watched(target: Any, name: str) -> Any:
    """`target` itself, if agents may alter it and its watched `name`, which ``+=`` reads too, is nobody else's."""
    store(target)
    provider = _provider(name, class_mro(target if issubclass(type(target), type) else type(target)))
    if provider is None or is_own_class(provider):
        return target
    raise TypeError(f"write x.{name} = x.{name} + ...: {describe(target)} has {name!r} from a class of the library")


def made(value: Any) -> Any:
    """What a `__new__` of an agent's class may return: its own objects, and plain values.

    The library takes what `__new__` returned for a new object and writes into it: a member's name, a fraction's parts.

    Raises:
        TypeError: It belongs to the library or to the host.
    """
    if type(value) in _VALUES or may_store(value):
        return value
    raise TypeError(f"__new__ may return objects of your own classes and plain values, not a {describe(value)}")


# --- type ------------------------------------------------------------------------------------------------------------


class _TypeMeta(type):
    """Makes `TYPE` answer as `type` does where that is harmless."""

    def __call__(cls, *arguments: Any) -> Any:
        if len(arguments) != 1:
            raise TypeError("agents make classes with a class statement: type() takes one argument here")
        return type_of(arguments[0])

    def __instancecheck__(cls, instance: object) -> bool:
        return issubclass(type(instance), type)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return subclass is cls or issubclass(subclass, type)

    def __repr__(cls) -> str:
        return "<class 'type'>"


class TYPE(metaclass=_TypeMeta):
    """What agents have as `type`: the true one makes classes out of any dict, which no compiler has read."""

    def __class_getitem__(cls, item: Any) -> Any:
        return types.GenericAlias(cls, item)


TYPE.__name__ = TYPE.__qualname__ = "type"
TYPE.__module__ = "builtins"


class _AliasMeta(type):
    """Makes `ALIAS` answer as `types.GenericAlias` does where that is harmless."""

    def __call__(cls, *arguments: Any) -> Any:
        raise TypeError("agents make aliases with brackets: write list[int]")

    def __instancecheck__(cls, instance: object) -> bool:
        return type(instance) is types.GenericAlias


class ALIAS(metaclass=_AliasMeta):
    """The type of ``list[int]``: the true one calls anything, and marks whatever object that returns."""


ALIAS.__name__ = ALIAS.__qualname__ = "GenericAlias"
ALIAS.__module__ = "types"


def type_of(value: object) -> Any:
    """The type of `value`; for classes the harmless `TYPE`, never a metaclass: those can be called to make classes."""
    kind = type(value)
    if kind in PURE:
        return kind
    return TYPE if issubclass(kind, type) else ALIAS if kind is types.GenericAlias else kind
