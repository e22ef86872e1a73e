"""Exceptions as values: which may be rebuilt at the other end, and from what."""

import builtins
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ... import errors
from ...agents.exceptions import is_sound
from ...errors import DenyReason, EmporionError, RemoteError
from .portable import find, find_named, portable

__all__ = ["LONGEST_TEXT", "Raised", "bounded", "is_bearable", "raised", "rebuild", "text_of"]

LONGEST_TEXT: Final = 65_536  # characters of a message or a traceback that travel
_MOST_PARTS: Final = 100_000  # in all that `str` of an exception may write out: more than `LONGEST_TEXT` can tell
_MOST_CHARACTERS: Final = 64 * 1024 * 1024  # likewise: what a frame holds
_OURS: Final = "emporion.errors."
_ATTRIBUTE: Final = re.compile(r"[^\W\d]\w*")

_ARGS: Final[Any] = vars(BaseException)["args"]

# Exceptions that any Python knows and that derive from Exception: SystemExit, KeyboardInterrupt and GeneratorExit from
# a peer would end our threads, so they are not here.
_BUILTIN: Final[dict[str, type[Exception]]] = {
    name: cls
    for name, cls in vars(builtins).items()
    if isinstance(cls, type) and issubclass(cls, Exception) and cls.__name__ == name and not name.startswith("_")
}


def _number(value: object) -> bool:
    return type(value) in (int, float)


def _text(value: object) -> bool:
    return type(value) is str


# Our own errors come back with their attributes, which code decides by: so these are checked.
_FIELDS: Final[dict[type[BaseException], dict[str, Callable[[object], bool]]]] = {
    errors.ConnectionDenied: {"reason": lambda value: type(value) is DenyReason, "text": _text},
    errors.CodeDenied: {"module": _text, "direction": _text, "reason": _text},
    errors.ValueNotPortable: {"path": _text, "why": _text},
    errors.LimitExceeded: {"limit": _text, "used": _number, "allowed": _number},
    errors.AgentError: {"traceback": _text},
    errors.RemoteError: {"type_name": _text, "traceback": _text},
}
_OWN: Final[dict[str, type[EmporionError]]] = {
    _OURS + name: cls
    for name in errors.__all__
    if isinstance(cls := getattr(errors, name), type) and issubclass(cls, EmporionError)
}
_OWN_NAMES: Final[dict[type[BaseException], str]] = {cls: name for name, cls in _OWN.items()}


@dataclass(frozen=True, slots=True)
class Raised:
    """An exception taken apart: enough to rebuild it, or to tell of it where it may not be rebuilt."""

    type_name: str
    text: str
    args: tuple[Any, ...]
    attributes: Mapping[str, object]


def raised(obj: object, *, known_only: bool) -> Raised | None:
    """`obj` taken apart if it is an exception; with `known_only`, if it is one that can be rebuilt elsewhere."""
    if not isinstance(obj, BaseException):
        return None
    cls = type(obj)
    text = text_of(obj)
    if cls in _OWN_NAMES:
        names = _FIELDS.get(cls, {})
        attributes = {name: bounded(value) if type(value := getattr(obj, name)) is str else value for name in names}
        return Raised(_OWN_NAMES[cls], text, tuple(map(_bounded_text, obj.args)), attributes)
    if _BUILTIN.get(cls.__name__) is cls:
        return Raised(cls.__name__, text, _builtin_args(obj), {})
    entry = find(cls)
    if entry is not None and entry.kind is Exception:
        attributes = {name: value for name, value in vars(obj).items() if name != "__notes__"}
        return Raised(entry.name, text, obj.args, attributes)
    return None if known_only else Raised(cls.__qualname__, text, (), {})


def rebuild(told: Raised, traceback: str = "") -> Exception:
    """The exception that a peer tells of; `RemoteError` where its type is not one that a peer may name.

    Never raises: what cannot be rebuilt (arguments that its class does not take) becomes a `RemoteError` too.
    """
    cls: type[Exception] | None = _OWN.get(told.type_name) or _BUILTIN.get(told.type_name)
    entry = find_named(told.type_name)
    try:
        if cls is not None and told.type_name in _OWN:
            return _rebuild_own(cls, told)
        made: Exception | None = None
        if cls is not None and not told.attributes:
            made = cls(*told.args)
        elif entry is not None and entry.kind is Exception:
            made = _rebuild_registered(entry.cls, told)
        if made is not None and is_sound(made):
            return made
    except Exception:
        pass
    return RemoteError(told.type_name, told.text, traceback)


def _rebuild_own(cls: type[Exception], told: Raised) -> Exception:
    checks = _FIELDS.get(cls, {})
    if set(told.attributes) != set(checks):
        raise ValueError("missing or unknown attributes")
    if not all(check(told.attributes[name]) for name, check in checks.items()):
        raise TypeError("an attribute of another type")
    made = cls.__new__(cls, *told.args)
    made.__dict__.update(told.attributes)
    return made


def _rebuild_registered(cls: type[Exception], told: Raised) -> Exception:
    if not all(_ATTRIBUTE.fullmatch(name) and not name.startswith("__") for name in told.attributes):
        raise ValueError("an attribute name that no program writes")
    made = cls.__new__(cls, *told.args)
    made.__dict__.update(told.attributes)
    return made


def _builtin_args(obj: BaseException) -> tuple[Any, ...]:
    if isinstance(obj, BaseExceptionGroup):
        return (obj.message, obj.exceptions)  # as a tuple: complete before the group is made
    if isinstance(obj, OSError) and len(obj.args) == 2 and obj.filename is not None:
        args = (*obj.args, obj.filename)
        return args if obj.filename2 is None else (*args, None, obj.filename2)
    return obj.args


def is_bearable(error: BaseException) -> bool:
    """Whether the text of an exception, of its members, and of those behind it (cause, context) can be written out.

    Its arguments came from a peer, perhaps: a list that stands twice in the next one, forty times over, is small on the
    wire and in memory, and 2**40 times as large in ``str(error)``.
    """
    parts, characters = _MOST_PARTS, _MOST_CHARACTERS
    behind: dict[int, BaseException] = {}
    waiting: list[Any] = [error]
    while waiting:
        one = waiting.pop()
        inside: Any = ()
        if isinstance(one, str | bytes | bytearray):
            characters -= len(one)
        elif isinstance(one, dict):
            inside = (*one.keys(), *one.values()) if len(one) <= parts else one
        elif isinstance(one, list | tuple | set | frozenset):
            inside = one
        elif isinstance(one, BaseException):
            notes = one.__dict__.get("__notes__")
            inside = (*_ARGS.__get__(one), *(notes if isinstance(notes, list | tuple) else ()))
            for other in (one.__cause__, one.__context__):
                if other is not None and id(other) not in behind:
                    behind[id(other)] = other
                    waiting.append(other)
        elif (entry := find(type(one))) is not None and entry.kind is object:
            inside = [getattr(one, name, None) for name in entry.fields]
        parts -= len(inside)
        if parts < 0 or characters < 0:
            return False
        waiting += inside
    return True


def bounded(text: str, *, keep_end: bool = False) -> str:
    """`text`, cut to `LONGEST_TEXT` and free of lone surrogates, so that every codec can write it."""
    if len(text) > LONGEST_TEXT:
        text = "..." + text[3 - LONGEST_TEXT :] if keep_end else text[: LONGEST_TEXT - 3] + "..."
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _bounded_text(value: object) -> object:
    return bounded(value) if type(value) is str else value


def text_of(error: BaseException) -> str:
    """str(error), which is foreign code where the class is a user's: whatever it does, there is a text."""
    try:
        return bounded(str(error)) if is_bearable(error) else "(its text is too long)"
    except Exception as failure:
        return f"(its text cannot be had: {type(failure).__name__})"


portable(DenyReason, name="emporion.DenyReason")  # ConnectionDenied.reason is one
