"""What of an object can be reached from elsewhere: the members marked with `expose`, and nothing else."""

import threading
import weakref
from dataclasses import dataclass
from types import FunctionType
from typing import Any, Final, TypeVar

from ..errors import ConfigurationError

__all__ = ["Interface", "expose", "interface_of"]

T = TypeVar("T")

_MARK: Final = "__emporion_exposed__"


def expose(member: T) -> T:
    """Let peers reach a method or a property, or all public ones of a class. Names with a leading ``_`` cannot be.

    Works as a decorator on a function, a property, a static or class method, or a class.

    Raises:
        ConfigurationError: The member's name is private, or it is nothing that can be called or read.
    """
    if isinstance(member, type):
        for name, value in list(vars(member).items()):
            if not name.startswith("_") and _marked_function(value) is not None:
                expose(value)
        setattr(member, _MARK, True)
        return member
    function = _marked_function(member)
    if function is None:
        raise ConfigurationError(f"expose() takes methods, properties and classes, not {type(member).__name__}")
    if function.__name__.startswith("_"):
        raise ConfigurationError(f"{function.__qualname__} is private: give it a public name to expose it")
    setattr(function, _MARK, True)
    return member


def _marked_function(member: object) -> FunctionType | None:
    """The plain function in which a member's mark is kept."""
    if isinstance(member, property):
        member = member.fget
    elif isinstance(member, staticmethod | classmethod):
        member = member.__func__
    return member if isinstance(member, FunctionType) else None


@dataclass(frozen=True, slots=True)
class Interface:
    """What peers see of an object: a label for messages, and the exposed names."""

    label: str
    methods: frozenset[str]
    properties: frozenset[str]

    def __contains__(self, name: str) -> bool:
        return name in self.methods or name in self.properties


_lock = threading.Lock()
_interfaces: weakref.WeakKeyDictionary[type, Interface | None] = weakref.WeakKeyDictionary()


def interface_of(cls: type) -> Interface | None:
    """The exposed members of a class, inherited ones too; None where there is none.

    A subclass that overrides an exposed member without exposing it takes it back: what runs must have been marked.
    """
    try:
        return _interfaces[cls]
    except KeyError:
        interface = _inspect(cls)
        with _lock:
            return _interfaces.setdefault(cls, interface)


def _inspect(cls: type) -> Interface | None:
    members = {name: value for base in reversed(cls.__mro__) for name, value in vars(base).items()}
    marked = {name: value for name, value in members.items() if not name.startswith("_") and _is_marked(value)}
    if not marked:
        return None
    properties = frozenset(name for name, value in marked.items() if isinstance(value, property))
    return Interface(cls.__qualname__, frozenset(marked) - properties, properties)


def _is_marked(member: Any) -> bool:
    function = _marked_function(member)
    return function is not None and getattr(function, _MARK, False) is True
