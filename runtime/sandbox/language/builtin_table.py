"""The builtins of agent code: the harmless ones themselves, guarded ones where a name or an attribute is computed.

What is missing here does not exist for agents; `policy` says so already while compiling for the well-known ones.
"""

import abc
import builtins
import itertools
import types
from collections.abc import Callable, Iterable
from typing import Any, Final

from .guards import (
    TYPE,
    enter,
    made,
    may_private,
    private_of,
    store,
    store_dict,
    store_method,
    store_private,
    store_watched,
    type_of,
    write_name,
)
from .guards import private as private_guard
from .names import GUARD, PATCHABLE, PRIVATES, Kind, is_matchable, kind_of
from .ownership import PURE, class_dict, describe, is_own_class, making, may_store, require_exact
from .watched import read, watched

__all__ = ["ABCMETA", "ALLOWED_BASES", "agent_builtins", "build_class", "make_print", "plain_print", "trim_match_args"]

_HARMLESS: Final = """
    abs aiter all anext any ascii bin bool bytearray bytes callable chr classmethod complex dict divmod enumerate
    filter float format frozenset hash hex id int isinstance issubclass iter len list map max memoryview min next object
    oct ord pow property range repr reversed round set slice sorted staticmethod str sum super tuple zip
    True False None NotImplemented Ellipsis __debug__
""".split()
_EXCEPTIONS: Final = [
    name
    for name, value in vars(builtins).items()
    # Groups stay out with except*: `split` and `derive` let an agent's class stand between C code and its result.
    if isinstance(value, type) and issubclass(value, BaseException) and not name.endswith("ExceptionGroup")
]


# --- attributes by computed names ------------------------------------------------------------------------------------


def _getattr(target: Any, name: str, *default: Any) -> Any:
    if len(default) > 1:
        raise TypeError(f"getattr expected at most 3 arguments, got {len(default) + 2}")
    try:
        return read(target, name)
    except AttributeError:
        if default:
            return default[0]
        raise


def _hasattr(target: Any, name: str) -> bool:
    try:
        _getattr(target, name)
    except AttributeError:
        return False
    return True


def _setattr(target: Any, name: str, value: Any) -> None:
    write_name(target, name)
    setattr(target, name, value)


def _delattr(target: Any, name: str) -> None:
    write_name(target, name)
    if name in PATCHABLE:
        raise AttributeError(f"agents may set {name!r} of a class, not delete it")
    delattr(target, name)


_NOTHING: Final = object()


def _vars(target: Any = _NOTHING) -> Any:
    if target is _NOTHING:
        raise TypeError("vars() needs an object here: keep values in a dict of your own")
    try:
        return watched(target, "__dict__")
    except AttributeError:
        raise TypeError("vars() argument must have __dict__ attribute that agents may read") from None


def _dir(target: Any = _NOTHING) -> list[str]:
    if target is _NOTHING:
        raise TypeError("dir() needs an object here: keep values in a dict of your own")
    return [name for name in dir(target) if type(name) is str and _is_visible(target, name)]


def _is_visible(target: Any, name: str) -> bool:
    kind = kind_of(name)
    return kind is not Kind.DENIED and (kind is not Kind.PRIVATE or may_private(target, name))


# --- print -----------------------------------------------------------------------------------------------------------


def make_print(write: Callable[[str], None]) -> Callable[..., None]:
    """`print` that gives each call's whole text to `write`; ``file=`` takes objects of the agent's own classes."""

    def print(*values: Any, sep: Any = " ", end: Any = "\n", file: Any = None, flush: bool = False) -> None:
        pieces = _printed(values, sep, end)
        if file is None:
            write("".join(pieces))
            return
        if not is_own_class(type(file)):
            raise TypeError(f"print(file=...) takes an object of a class of your own, not {describe(file)}")
        for piece in pieces:
            file.write(piece)
        if flush:
            file.flush()

    return print


def plain_print(write: Callable[[str], None]) -> Callable[..., None]:
    """`print` for a world without the language wall: ``file=`` takes anything with a `write` method."""

    def print(*values: Any, sep: Any = " ", end: Any = "\n", file: Any = None, flush: bool = False) -> None:
        (write if file is None else file.write)("".join(_printed(values, sep, end)))

    return print


def _printed(values: Iterable[Any], sep: str | None, end: str | None) -> list[str]:
    """The pieces of text that `print` writes one by one."""
    for name, value in (("sep", sep), ("end", end)):
        if value is not None and not issubclass(type(value), str):
            raise TypeError(f"{name} must be None or a string, not {type(value).__name__}")
    pieces: list[str] = []
    for value in values:
        pieces += [" " if sep is None else sep, str(value)]
    return [*pieces[1:], "\n" if end is None else end]


# --- classes ---------------------------------------------------------------------------------------------------------

# Foreign classes an agent may inherit from: builtin types, and what the facades list as classes (they add to it).
ALLOWED_BASES: Final[set[type]] = {
    *(value for name, value in vars(builtins).items() if name in _HARMLESS and isinstance(value, type)),
    *(getattr(builtins, name) for name in _EXCEPTIONS),
} - {super, classmethod, staticmethod}


class _ABCMeta:
    """What agents have as `abc.ABCMeta`: a word for class statements. The true one makes classes out of any dict."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<class 'abc.ABCMeta'>"


ABCMETA: Final = _ABCMeta()


def build_class(body: Callable[..., Any], name: str, /, *bases: Any, **keywords: Any) -> type:
    """What a class statement calls.

    Raises:
        TypeError: A base that agents may not inherit from, a computed metaclass, or a method that would step into a
            library class's private workings.
    """
    require_exact(keywords)
    if "metaclass" in keywords:
        if keywords["metaclass"] is not ABCMETA:
            raise TypeError("agents may not choose a metaclass: inherit from ABC or Enum instead")
        keywords["metaclass"] = abc.ABCMeta  # what inheriting from ABC gives
    resolved = types.resolve_bases(bases)
    for base in (*bases, *resolved):
        if not issubclass(type(base), type):
            # Aliases such as Generic[T] say themselves what they stand for. An object of the agent's, with the method
            # for that put into its `__dict__`, could say one thing now and another when the class is made.
            is_bad = may_store(base) or any(base is each for each in resolved)  # it stands for nothing but itself
        else:
            is_bad = not (is_own_class(base) or base in ALLOWED_BASES)
        if is_bad:
            raise TypeError(f"agents may not inherit from {describe(base)}")
    if "_simple" in keywords:
        raise TypeError("_simple=True would leave an enumeration half made: leave it out")
    with making(name, keywords.pop(PRIVATES, ()), resolved):
        cls: type = builtins.__build_class__(body, name, *bases, **keywords)
    trim_match_args(cls)
    return cls


def trim_match_args(cls: type) -> None:
    """Cut a class's `__match_args__` before the first name that a pattern may not read unchecked."""
    names = class_dict(cls).get("__match_args__", ())
    kept = tuple(itertools.takewhile(is_matchable, names))
    if len(kept) < len(names):
        type.__setattr__(cls, "__match_args__", kept)


# --- the table -------------------------------------------------------------------------------------------------------


def agent_builtins(write: Callable[[str], None], import_module: Callable[..., Any]) -> dict[str, Any]:
    """The ``__builtins__`` of one world's agent code; `import_module` serves its import statements."""
    table = {name: getattr(builtins, name) for name in (*_HARMLESS, *_EXCEPTIONS) if hasattr(builtins, name)}
    table |= {
        "delattr": _delattr,
        "dir": _dir,
        "getattr": _getattr,
        "hasattr": _hasattr,
        "print": make_print(write),
        "setattr": _setattr,
        "type": TYPE,
        "vars": _vars,
        "__build_class__": build_class,
        "__import__": import_module,
        "__name__": "builtins",
    }
    table |= {GUARD + name: guard for name, guard in _COMPILED_GUARDS.items()}
    return table


_COMPILED_GUARDS: Final[dict[str, Any]] = {
    "enter": enter,
    "made": made,
    "private": private_guard,
    "private_of": private_of,
    "pure": PURE,
    "store": store,
    "store_dict": store_dict,
    "store_method": store_method,
    "store_private": store_private,
    "store_watched": store_watched,
    "staticmethod": staticmethod,
    "super": super,
    "type_of": type_of,
    "watched": watched,
}
for _function in (_getattr, _hasattr, _setattr, _delattr, _vars, _dir):
    _function.__name__ = _function.__qualname__ = _function.__name__.lstrip("_")
