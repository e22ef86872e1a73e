"""The registry behind `emporion.portable`: classes that both ends know, whose instances go by value."""

import dataclasses
import re
from collections.abc import Callable
from enum import Enum, Flag
from operator import attrgetter
from types import MemberDescriptorType
from typing import Any, Final, TypeVar, overload

from ...errors import ConfigurationError

__all__ = ["Portable", "find", "find_named", "portable", "registered_name"]

C = TypeVar("C", bound=type)

_NAME: Final = re.compile(r"[^\W\d]\w*(\.([^\W\d]\w*|<locals>))+")


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Portable:
    """What the wire knows about one registered class."""

    name: str
    cls: type[Any]
    kind: type  # Enum, Flag, Exception, or object for a dataclass
    fields: tuple[str, ...]  # a dataclass's, in order; empty for the others
    read: Callable[[Any], tuple[Any, ...]]  # the fields' values of an instance
    into_dict: bool  # whether all fields live in __dict__, so that they can be put there in one go

    def write(self, instance: object, names: tuple[str, ...], values: list[Any]) -> None:
        """Set the fields `names` of a new `instance`, past __init__, __setattr__ and frozen dataclasses' refusal."""
        if self.into_dict:
            vars(instance).update(zip(names, values, strict=True))
            return
        for name, value in zip(names, values, strict=True):
            object.__setattr__(instance, name, value)


_BY_TYPE: Final[dict[type, Portable]] = {}
_BY_NAME: Final[dict[str, Portable]] = {}


@overload
def portable(cls: C, *, name: str | None = None) -> C: ...
@overload
def portable(cls: None = None, *, name: str | None = None) -> Callable[[C], C]: ...
def portable(cls: C | None = None, *, name: str | None = None) -> C | Callable[[C], C]:
    """Declare that instances of `cls` travel by value: a class that both ends have and register. No code moves.

    Use it as ``@portable`` or ``@portable(name="shop.Price")``. Possible are dataclasses (also frozen, with slots,
    inherited), `Enum` and `Flag` classes, and exception classes. A dataclass travels as exactly its declared fields and
    an exception as its `args` and attributes; both are rebuilt without `__init__` and `__post_init__`, and **nobody
    checks the types of the values**: a method that takes a `Price` from a stranger takes whatever fields they sent.

    Args:
        cls: The class. Subclasses are classes of their own: register each that is to travel.
        name: What both ends call it; by default its module and qualified name. Give one if the module's name differs
            at the two ends, as with ``__main__``.

    Raises:
        ConfigurationError: The class is of another kind, cannot be made without its `__init__`, or the name belongs to
            another class already.
    """
    if cls is None:
        return lambda decorated: portable(decorated, name=name)
    if not isinstance(cls, type):
        raise ConfigurationError(f"portable({cls!r}): a class is needed")
    entry = _describe(cls, name or f"{cls.__module__}.{cls.__qualname__}")
    other = _BY_NAME.get(entry.name)
    if other is not None and not _same(other.cls, cls):
        raise ConfigurationError(f"portable: {entry.name} already is {other.cls!r}: give one of them another name=")
    _BY_TYPE[cls] = _BY_NAME[entry.name] = entry
    return cls


def find(cls: type) -> Portable | None:
    """The entry of exactly this class, or None."""
    return _BY_TYPE.get(cls)


def find_named(name: object) -> Portable | None:
    """The entry that a peer means by `name`, or None; nothing is ever imported or looked up elsewhere."""
    return _BY_NAME.get(name) if type(name) is str else None


def registered_name(cls: type) -> str | None:
    """The name under which `cls` travels, or None if it is not registered."""
    entry = _BY_TYPE.get(cls)
    return entry.name if entry else None


def _same(old: type, new: type) -> bool:
    """Whether `new` is `old` defined once more (a reloaded module, a notebook cell run again)."""
    return (old.__module__, old.__qualname__) == (new.__module__, new.__qualname__)


def _describe(cls: type, name: str) -> Portable:
    if not _NAME.fullmatch(name) or len(name) > 500:
        raise ConfigurationError(f"portable: {name!r} is no dotted name such as 'shop.Price': give one as name=")
    if name.startswith("emporion.errors."):
        name_owner = "emporion's own errors"
        raise ConfigurationError(f"portable: names under emporion.errors belong to {name_owner}: give another name=")
    if issubclass(cls, Flag):
        return Portable(name, cls, Flag, (), _nothing, False)
    if issubclass(cls, Enum):
        return Portable(name, cls, Enum, (), _nothing, False)
    if issubclass(cls, Exception):
        return Portable(name, cls, Exception, (), _nothing, False)
    if not dataclasses.is_dataclass(cls) or "__dataclass_fields__" not in cls.__dict__:
        raise ConfigurationError(
            f"portable({cls.__qualname__}): only dataclasses, Enum classes and exception classes can be portable; "
            "make it a dataclass, or expose members of it"
        )
    try:
        empty = object.__new__(cls)
    except TypeError as error:
        raise ConfigurationError(f"portable({cls.__qualname__}): cannot be made without __init__: {error}") from None
    fields = tuple(field.name for field in dataclasses.fields(cls))
    return Portable(name, cls, object, fields, _reader(fields), _all_in_dict(empty, fields))


def _nothing(instance: object) -> tuple[Any, ...]:
    return ()


def _reader(fields: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    if not fields:
        return _nothing
    get = attrgetter(*fields)
    return get if len(fields) > 1 else lambda instance: (get(instance),)


def _all_in_dict(empty: object, fields: tuple[str, ...]) -> bool:
    """Whether plain attributes are all there is: no slots, and no property or other descriptor under a field's name."""
    if not hasattr(empty, "__dict__"):
        return False
    found = (getattr(type(empty), name, None) for name in fields)
    return not any(isinstance(one, MemberDescriptorType) or hasattr(type(one), "__set__") for one in found)
