"""What an agent remembers: its state taken out as an ordinary value, and put into an instance that was never begun.

The rules are those of pickling (``__getstate__``, ``__setstate__``, slots) without its power to name functions: state
is only ever attributes.
"""

from enum import Enum, Flag
from types import BuiltinFunctionType, FunctionType
from typing import Any, Final, TypeGuard
from weakref import WeakKeyDictionary, WeakSet

from ..errors import ProtocolError
from .exceptions import exception_fields, exception_shell, heap_slots, is_exception_class, set_exception

__all__ = [
    "Unbuilt",
    "capture",
    "definition_name",
    "is_combination",
    "is_definition",
    "is_whole",
    "name_of",
    "new_shell",
    "remember_path",
    "restore",
    "subject_of",
]


_REACHED: Final = (type, FunctionType)
_DEFINITIONS: Final = (*_REACHED, Enum)


def is_definition(obj: object) -> bool:
    """Whether `obj` travels by its name alone, without state: a class, a function, a member of an `Enum`."""
    return isinstance(obj, _DEFINITIONS)


def is_combination(obj: object) -> TypeGuard[Flag]:
    """Whether `obj` is a combination of flags without a name of its own: it travels as its class and its value."""
    return isinstance(obj, Flag) and type(obj).__members__.get(obj._name_ or "") is not obj


def is_whole(obj: object) -> bool:
    """Whether instances like `obj` are made with their state and never filled (`Unbuilt`)."""
    return isinstance(obj, (tuple, Flag))


def subject_of(obj: object) -> Any:
    """The class or function whose closure `obj` travels with (`closure_of` takes it): its own, or its class's."""
    return obj if isinstance(obj, _REACHED) else type(obj)


def definition_name(obj: object) -> str | None:
    """The name under which a definition travels, as `name_of` gives it; None for an instance, which has state."""
    return name_of(obj) if is_definition(obj) else None


def capture(obj: object) -> object:
    """The state of `obj`: what its ``__getstate__`` gives, so by default None, a dict, or (dict | None, slots dict).

    The dict may be the instance's own, not a copy: encode it before anything else runs. Definitions have no state
    (None), `name_of` says which they are. Tuples have their contents, combinations of flags
    their value. Exceptions have (arguments, what ``__getstate__``
    gives, fields): the latter are plain values which builtin exceptions keep beside their attributes, like ``errno``.
    Traceback, context and cause stay behind.

    Raises:
        TypeError: the class keeps contents where no state can reach (subclasses of list and the like), or attributes
            beside those of a tuple.
    """
    if is_combination(obj):
        if not _are_named(obj._value_, type(obj)):
            raise TypeError(f"{obj!r} has bits that {type(obj).__qualname__} does not name: keep its .value instead")
        return obj._value_
    if is_definition(obj):
        return None
    cls: type = type(obj)
    if isinstance(obj, BaseException):
        args, fields = exception_fields(obj)
        return args, cls.__getstate__(obj), fields  # type: ignore[call-arg]  # of the class: unbound
    _check_plain(cls)
    if issubclass(cls, tuple):
        return _contents(obj, cls)
    state: object = cls.__getstate__(obj)
    return state


def _contents(obj: Any, cls: type) -> tuple[object, ...]:
    """What is in a tuple of a class of one's own, whatever that class makes of iteration."""
    if _attributes(obj):
        raise TypeError(
            f"a {cls.__qualname__} with attributes beside its contents, which do not travel: "
            "keep them in an object that holds the tuple"
        )
    if any("__getstate__" in vars(base) or "__setstate__" in vars(base) for base in cls.__mro__[:-1]):
        raise TypeError(
            f"{cls.__qualname__} is a tuple with a __getstate__ or __setstate__: its contents are its state, "
            "so leave these out, or keep the tuple in an attribute"
        )
    contents: tuple[object, ...] = tuple.__getitem__(obj, slice(None))
    return contents


def name_of(obj: object) -> str:
    """The path an object travels under: a definition's own, an instance's class's, ``Colour.RED`` for a member.

    It is the path by which `closure_of` found the class or function, where that is not its ``__qualname__``.

    Raises:
        TypeError: the value of a `Flag` that is a combination without a name of its own.
    """
    subject: Any = subject_of(obj)
    path: str = _PATHS.get(subject) or subject.__qualname__ if _PATHS else subject.__qualname__
    if not isinstance(obj, Enum):
        return path
    name = obj._name_
    if name is None or type(obj).__members__.get(name) is not obj:
        raise TypeError(f"{obj!r} combines members and has no name of its own: keep its .value and rebuild it")
    return f"{path}.{name}"


_PATHS: Final[WeakKeyDictionary[Any, str]] = WeakKeyDictionary()


def remember_path(definition: Any, path: str) -> None:
    """Have `name_of` give `path` for a definition and its instances: a ``__qualname__`` may lead nowhere."""
    if path != definition.__qualname__:
        _PATHS[definition] = path
    else:
        _PATHS.pop(definition, None)


def new_shell(cls: object) -> object:
    """An instance of `cls` on which neither ``__new__`` nor ``__init__`` of its own has run, for `restore` to fill.

    A member of an `Enum` (what `name_of` of one leads to) is its own shell. For a class built on tuple, or a
    `Flag`, it is an `Unbuilt`: such an instance cannot be filled, only made with its state.

    Raises:
        TypeError: instances of `cls` cannot be made so.
    """
    if isinstance(cls, Enum):
        return cls
    if not isinstance(cls, type):
        raise TypeError(f"{cls!r} is not a class")
    if is_exception_class(cls):
        return exception_shell(cls)
    if issubclass(cls, Flag):
        return Unbuilt(cls)
    _check_plain(cls)
    return Unbuilt(cls) if issubclass(cls, tuple) else object.__new__(cls)


class Unbuilt:
    """Stands for a tuple of a class of one's own, or a combination of flags, until its state is there."""

    __slots__ = ("_cls",)

    def __init__(self, cls: Any) -> None:
        self._cls = cls

    def build(self, state: object) -> object:
        """The instance with `state` as `capture` gave it. No code of the class runs.

        Raises:
            ProtocolError: `state` is no tuple, or not as long as the class has fields; or no bits that the class names.
        """
        if issubclass(self._cls, Flag):
            return self._combined(state)
        if type(state) is not tuple:
            raise ProtocolError(f"the state of {self._cls.__qualname__} is a {type(state).__name__}, not a tuple")
        fields = getattr(self._cls, "_fields", None)
        if type(fields) is tuple and len(fields) != len(state):
            raise ProtocolError(f"{self._cls.__qualname__} with {len(state)} values for {len(fields)} fields")
        made: object = tuple.__new__(self._cls, state)
        return made

    def _combined(self, bits: object) -> object:
        """Only bits of members: Python keeps every combination that was ever made."""
        if type(bits) is not int or not _are_named(bits, self._cls):
            raise ProtocolError(f"{self._cls.__qualname__} has no such bits")
        return self._cls(bits)


def _are_named(bits: int, cls: Any) -> bool:
    named = 0
    for member in cls.__members__.values():
        named |= member._value_
    return bits >= 0 and not bits & ~named


_PLAIN: Final[WeakSet[type]] = WeakSet()


def _check_plain(cls: type) -> None:
    """Refuse classes built on a type made in C, whose contents (a list's items) are no attributes; tuples pass."""
    if cls in _PLAIN:
        return
    if issubclass(cls, Enum):
        raise TypeError(f"{cls.__qualname__} is an Enum: its members are found by name, not made")
    for base in cls.__mro__[:-1]:
        if base is not tuple and isinstance(base.__dict__.get("__new__"), BuiltinFunctionType):
            raise TypeError(
                f"{cls.__qualname__} is built on {base.__qualname__}, whose contents are no attributes and cannot "
                f"travel with them: keep the {base.__qualname__} in an attribute instead"
            )
    _PLAIN.add(cls)


def restore(shell: object, state: object) -> None:
    """Fill `shell` with `state` as `capture` gave it; None changes nothing.

    A ``__setstate__`` of the class gets all the rest; of an exception's state, what its ``__getstate__`` gave. Without
    one, attributes are set past properties and ``__setattr__``: frozen dataclasses work, and no code of the class runs.

    Raises:
        ProtocolError: `state` does not fit the class; the text says how. What ``__setstate__`` raises passes through.
    """
    if isinstance(shell, BaseException):
        if type(state) is not tuple or len(state) != 3:
            raise ProtocolError(f"the state of {type(shell).__qualname__} is not that of an exception")
        args, state, fields = state
        set_exception(shell, args, fields)
    if state is None:
        return
    cls = type(shell)
    setstate = getattr(cls, "__setstate__", None)
    if setstate is not None and setstate is not BaseException.__setstate__:
        setstate(shell, state)
        return
    if type(state) is tuple and len(state) == 2:
        parts: tuple[object, ...] = state
    else:
        parts = (state,)
    for part in parts:
        if part is not None:
            _set(shell, cls, part)


def _set(shell: object, cls: type, values: object) -> None:
    if type(values) is not dict:
        raise ProtocolError(f"the state of {cls.__qualname__} is a {type(values).__name__}, not a dict of attributes")
    if not all(type(name) is str for name in values):
        raise ProtocolError(f"the state of {cls.__qualname__} has an attribute whose name is not text")
    slots = _slots(cls)
    room = _attributes(shell)
    if room is not None and slots.isdisjoint(values):
        room.update(values)
        return
    for name, value in values.items():
        if name in slots:
            object.__setattr__(shell, name, value)
        elif room is not None:
            room[name] = value
        else:
            raise ProtocolError(f"{cls.__qualname__} has no attribute {name!a} to restore")


def _attributes(shell: object) -> dict[str, Any] | None:
    """The instance's own dict, None in a class of slots only."""
    try:
        room = object.__getattribute__(shell, "__dict__")
    except AttributeError:
        return None
    return room if type(room) is dict else None


_SLOTS: Final[WeakKeyDictionary[type, frozenset[str]]] = WeakKeyDictionary()


def _slots(cls: type) -> frozenset[str]:
    """The names that really are slots: setting any other through `object` could reach ``__class__`` or a property."""
    slots = _SLOTS.get(cls)
    if slots is None:
        slots = _SLOTS[cls] = heap_slots(cls)
    return slots
