"""The state of exceptions: beside attributes they have arguments, and fields that are kept in C.

The code that trusts these fields is C as well: `str` of a `UnicodeDecodeError` reads memory where its
`start` points. What comes from a peer is therefore checked here before it is set.
"""

import os
from types import GetSetDescriptorType, MemberDescriptorType
from typing import Any, Final, TypeGuard
from weakref import WeakKeyDictionary

from ..errors import ProtocolError

__all__ = ["exception_fields", "exception_shell", "heap_slots", "is_exception_class", "is_sound", "set_exception"]

_HEAP: Final = 1 << 9  # Py_TPFLAGS_HEAPTYPE: made by a class statement, or at least like one
_SCALARS: Final = frozenset({type(None), bool, int, float, str, bytes})
# What happened on the way stays where it happened; `obj` is whatever an attribute was missing from.
_LEFT: Final = frozenset(
    {"__cause__", "__context__", "__dict__", "__suppress_context__", "__traceback__", "args", "obj"}
)
_ANY_VALUE: Final = frozenset({"value"})  # of StopIteration: what a generator returned
_KINDS: Final = {
    **dict.fromkeys(("msg", "name", "name_from", "path", "text"), str),
    **dict.fromkeys(("lineno", "offset", "end_lineno", "end_offset"), int),
}
_LARGEST: Final = 1_000_000  # of a line or a column: a traceback draws as many blanks and carets

_args: Final[Any] = vars(BaseException)["args"]
_bases: Final[WeakKeyDictionary[type, type[Exception]]] = WeakKeyDictionary()


def is_exception_class(cls: type) -> TypeGuard[type[BaseException]]:
    """Whether instances of a class are exceptions."""
    return BaseException in cls.__mro__


def _built_on(cls: type) -> type[Exception]:
    """The builtin exception that gives instances of `cls` their layout.

    Raises:
        TypeError: exceptions of that class cannot be made from state.
    """
    found = _bases.get(cls)
    if found is not None:
        return found
    base: Any = cls
    while base.__flags__ & _HEAP:
        base = base.__base__
    if base is cls:
        raise TypeError(f"{cls.__qualname__} is a builtin exception, which travels as a value")
    if issubclass(base, BaseExceptionGroup):
        raise TypeError(f"{cls.__qualname__} is a group, whose members are fixed when it is made: keep them in a list")
    if not issubclass(base, Exception):
        raise TypeError(f"{cls.__qualname__} is built on {base.__qualname__}, which ends programs: use an Exception")
    _bases[cls] = base
    return base  # type: ignore[no-any-return]  # a class, by the checks above


def _fields(base: type[Exception]) -> dict[str, Any]:
    """The descriptors of what a builtin exception keeps in C, by name."""
    found: dict[str, Any] = {}
    for cls in base.__mro__[:-1]:
        for name, value in vars(cls).items():
            if type(value) in (MemberDescriptorType, GetSetDescriptorType) and name not in _LEFT:
                found.setdefault(name, value)
    return found


def exception_fields(error: BaseException) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of an exception, and its fields that are not None; what is no plain value stays here.

    Raises:
        TypeError: see `exception_shell`.
    """
    found: dict[str, Any] = {}
    for name, field in _fields(_built_on(type(error))).items():
        try:
            value = field.__get__(error)
        except AttributeError:
            continue  # OSError.characters_written, mostly
        if isinstance(value, os.PathLike):
            value = os.fspath(value)
        if value is not None and _is_plain(name, value):
            found[name] = value
    if isinstance(error, UnicodeError) and not _sound_unicode(_built_on(type(error)), found):
        found = {}  # its own `__init__` did not set them, or set nonsense
    return _args.__get__(error), found


def is_sound(error: BaseException) -> bool:
    """Whether an exception that was made with a peer's arguments can be printed without harm: `str` and tracebacks
    believe what it keeps in C (a `UnicodeDecodeError`'s ``start``, a `SyntaxError`'s ``end_offset``)."""
    if isinstance(error, BaseExceptionGroup):
        return True  # its parts were made before it
    base: Any = type(error)
    while base.__flags__ & _HEAP:
        base = base.__base__
    found: dict[str, Any] = {}
    for name, field in _fields(base).items():
        try:
            value = field.__get__(error)
        except AttributeError:
            continue
        if value is not None:
            found[name] = value
    if not all(_is_plain(name, value) for name, value in found.items()):
        return False
    return "object" not in found or _sound_unicode(base, found)


def exception_shell(cls: type) -> object:
    """An exception of `cls` on which nothing of its own has run, without arguments.

    Raises:
        TypeError: `cls` is no class written in Python that derives from `Exception`, or an exception group.
    """
    return _built_on(cls).__new__(cls)


def set_exception(shell: BaseException, args: object, fields: object) -> None:
    """Give an exception the arguments and fields that `exception_fields` had found.

    Raises:
        ProtocolError: they are of another shape or type, or no such fields.
    """
    cls = type(shell)
    base = _built_on(cls)
    if type(args) is not tuple or type(fields) is not dict:
        raise ProtocolError(f"the state of {cls.__qualname__} has no tuple of arguments, or no dict of fields")
    known = _fields(base)
    for name, value in fields.items():
        if type(name) is not str or name not in known:
            raise ProtocolError(f"{base.__qualname__} has no field {name!a} to restore")
        if not _is_plain(name, value):
            raise ProtocolError(f"field {name} of {cls.__qualname__} has no sound value ({type(value).__name__})")
    if issubclass(base, UnicodeError) and not _sound_unicode(base, fields):
        raise ProtocolError(f"the state of {cls.__qualname__} does not describe a place in a text")
    _args.__set__(shell, args)
    for name, value in fields.items():
        try:
            known[name].__set__(shell, value)
        except (AttributeError, TypeError, ValueError, OverflowError) as error:
            raise ProtocolError(f"field {name} of {cls.__qualname__} cannot be restored: {error}") from None


def _is_plain(name: str, value: object) -> bool:
    if name in _ANY_VALUE:
        return True
    kind = _KINDS.get(name)
    if kind is None:
        return type(value) in _SCALARS
    return type(value) is kind and not (type(value) is int and abs(value) > _LARGEST)


def _sound_unicode(base: type[Exception], fields: dict[str, Any]) -> bool:
    """Whether the fields of a UnicodeError are all there, or none, and do not point before its object."""
    if not fields or base is UnicodeError:
        return not fields
    texts = {"encoding", "reason"} if base is not UnicodeTranslateError else {"reason"}
    inside = bytes if base is UnicodeDecodeError else str
    kinds = {**dict.fromkeys(texts, str), "object": inside, "start": int, "end": int}
    return {name: type(value) for name, value in fields.items()} == kinds and min(fields["start"], fields["end"]) >= 0


def heap_slots(cls: type) -> frozenset[str]:
    """The names of slots that classes written in Python made."""
    return frozenset(
        name
        for base in cls.__mro__
        if base.__flags__ & _HEAP
        for name, value in vars(base).items()
        if type(value) is MemberDescriptorType
    )
