"""The `dataclasses` module for agents: only their own classes are altered, and names given as text are judged.

Source: https://docs.python.org/3/library/dataclasses.html
"""

import contextlib
import dataclasses
import inspect
import itertools
import re
import sys
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from .facade import Facade
from .names import Kind, is_dunder, is_matchable, is_risky, kind_of
from .ownership import (
    MARK,
    class_dict,
    class_mro,
    describe,
    is_own_class,
    making,
    namespace_of,
    require_exact,
    require_own_class,
)
from .stdlib_copy import deepcopy_value

__all__ = ["asdict", "astuple", "caller_mark", "check_field_name", "dataclass", "make_dataclass", "replace"]


def caller_mark(depth: int = 2) -> Any:
    """The mark of the agent's module that called the function which asks; None when it was not an agent's module."""
    return sys._getframe(depth).f_globals.get(MARK)


def check_field_name(name: Any) -> str:
    """`name` as an attribute of a class that a library makes from text; ValueError when an agent may not write it."""
    if type(name) is not str or not name.isidentifier():
        raise ValueError(f"field names must be identifiers, not {name!r}")
    if is_dunder(name) or kind_of(name) is Kind.DENIED:
        raise ValueError(f"agents may not make an attribute {name!r}: use another name")
    return name


_PRIVATE: Final[Any] = dataclasses  # names that no stub has
_OPTIONS: Final = frozenset(
    "init repr eq order unsafe_hash frozen match_args kw_only slots weakref_slot".split()
)


def _settled(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options as plain yes and no: an agent's object could be false to our check, and true to the library."""
    require_exact(options)
    return {name: bool(value) for name, value in options.items()}


class _Text:
    """An annotation that is text, while `dataclass` works.

    The library would look up the text's first name in `sys.modules`, where an agent's modules are not.
    """

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return repr(self.text)


_DOTTED: Final = re.compile(r"\s*(\w+)(?:\s*\.\s*(\w+))?")


def _resolve(text: str, namespace: Mapping[str, Any]) -> Any:
    """ClassVar, InitVar and KW_ONLY mean something to `dataclass` even as text; all other text stays text."""
    match = _DOTTED.match(text)
    if match is None:
        return _Text(text)
    found: Any = namespace.get(match[1])
    if match[2] and isinstance(found, Facade):
        found = getattr(found, match[2], None)
    if found is typing.ClassVar or found is dataclasses.KW_ONLY:
        return found
    if found is dataclasses.InitVar:
        return dataclasses.InitVar[_Text(text)]  # type: ignore[misc]  # no type: a text that stands for one
    return _Text(text)


def dataclass(cls: Any = None, /, **options: Any) -> Any:
    """`dataclasses.dataclass` for an agent's own class; TypeError for any other."""
    if cls is None:
        return lambda cls: dataclass(cls, **options)
    require_own_class(cls, "dataclass")
    options = _settled(options)
    annotations = class_dict(cls).get("__annotations__", {})
    texts = {name: text for name, text in annotations.items() if isinstance(text, str)}
    namespace = namespace_of(class_dict(cls)["__module__"])
    is_guarded = _guards_matching(class_mro(cls)[1:], annotations, options)
    is_documented = type(class_dict(cls).get("__doc__")) is str and class_dict(cls)["__doc__"]
    if not is_documented:
        type.__setattr__(cls, "__doc__", _PLACEHOLDER)
    annotations.update({name: _resolve(text, namespace) for name, text in texts.items()})
    try:
        made = dataclasses.dataclass(cls, **options)
    finally:
        annotations.update(texts)
    for name, text in texts.items():
        if name in made.__dataclass_fields__:
            made.__dataclass_fields__[name].type = text
    if is_guarded:
        _set_match_args(made)
    if not is_documented:
        _document(made)
    return made


# Where a class has no docstring, the library would write its signature there; for some classes that is read from the
# text of another docstring, and the names in it are evaluated in `sys.modules`.
_PLACEHOLDER: Final = "-"


def _document(made: Any) -> None:
    """The docstring that the library would have written, where ``__init__`` is a plain function."""
    function, shown = class_dict(made).get("__init__"), ""
    if type(function) is types.FunctionType:
        with contextlib.suppress(TypeError, ValueError):  # one without a receiver, say
            signature = inspect.signature(types.MethodType(function, made), follow_wrapped=False)
            shown = str(signature).replace(" -> None", "")
    type.__setattr__(made, "__doc__", f"{type.__dict__['__name__'].__get__(made)}{shown}")


def _guards_matching(bases: Iterable[type], names: Iterable[str], options: dict[str, Any]) -> bool:
    """Whether the standard `__match_args__` would name an attribute that no pattern may read; then none are made.

    Also makes sure of the inherited fields: their names become source text.
    """
    fields = [field for base in bases for field in class_dict(base).get("__dataclass_fields__", {}).values()]
    for field in fields:
        if type(field) is not dataclasses.Field:
            raise TypeError(f"{describe(field)} is not a field that a dataclass could inherit")
        check_field_name(field.name)
    if not options.get("match_args", True) or all(map(is_matchable, (*names, *(field.name for field in fields)))):
        return False
    options["match_args"] = False
    return True


def _set_match_args(made: Any) -> None:
    """The standard `__match_args__`, up to the first name that a pattern may not read."""
    names = (field.name for field in dataclasses.fields(made) if field.init and not field.kw_only)
    type.__setattr__(made, "__match_args__", tuple(itertools.takewhile(is_matchable, names)))


def make_dataclass(
    cls_name: str,
    fields: Iterable[Any],
    *,
    bases: tuple[type, ...] = (),
    namespace: Mapping[str, Any] | None = None,
    **options: Any,
) -> Any:
    """`dataclasses.make_dataclass`; the names in `fields` and `namespace` are held to what a class body may bind."""
    # Copied first, each once: an agent's mapping could say one thing to a check and another when it is used.
    options = _settled(options)
    listed = [field if isinstance(field, str) else tuple(field) for field in fields]
    bases, namespace = tuple(bases), dict(namespace or {})
    if unknown := options.keys() - _OPTIONS - {"module"}:
        raise TypeError(f"make_dataclass does not take {', '.join(sorted(unknown))} here")
    for field in listed:
        check_field_name(field if isinstance(field, str) else field[0])
    for name in namespace:
        check_field_name(name)
    for base in bases:
        if not (issubclass(type(base), type) and (base is object or is_own_class(base))):
            raise TypeError(f"make_dataclass inherits from classes of your own only, not from {describe(base)}")
    options.pop("module", None)
    names = [field if isinstance(field, str) else field[0] for field in listed]
    inherited = itertools.chain.from_iterable(map(class_mro, bases))
    is_guarded = _guards_matching(inherited, names, options)
    namespace["__doc__"] = _PLACEHOLDER
    with making(cls_name, filter(is_risky, (*names, *namespace)), bases):
        made = dataclasses.make_dataclass(cls_name, listed, bases=bases, namespace=namespace, **options)
    _document(made)
    mark = caller_mark()
    if mark is not None:
        made.__module__ = mark
    if is_guarded:
        _set_match_args(made)
    return made


def asdict(instance: Any, *, dict_factory: Callable[[list[tuple[str, Any]]], Any] = dict) -> Any:
    """The fields of a dataclass instance as a dict, nested ones too, everything else deep-copied."""
    _require_instance(instance, "asdict")
    return _convert(instance, dict_factory)


def astuple(instance: Any, *, tuple_factory: Callable[[list[Any]], Any] = tuple) -> Any:
    """The fields of a dataclass instance as a tuple, nested ones too, everything else deep-copied."""
    _require_instance(instance, "astuple")
    return _convert(instance, lambda pairs: tuple_factory([value for _, value in pairs]))


def replace(instance: Any, /, **changes: Any) -> Any:
    """`dataclasses.replace`; the fields are those of the class.

    The library takes what the instance's ``__dict__`` says instead, and reads whatever a field there names.
    """
    _require_instance(instance, "replace")
    for field in type(instance).__dataclass_fields__.values():
        kind = field._field_type
        if kind is _PRIVATE._FIELD_CLASSVAR:
            continue
        if not field.init and field.name in changes:
            raise ValueError(f"field {field.name} is declared with init=False, it cannot be specified with replace()")
        if not field.init or field.name in changes:
            continue
        if kind is _PRIVATE._FIELD_INITVAR and field.default is dataclasses.MISSING:
            raise ValueError(f"InitVar {field.name!r} must be specified with replace()")
        changes[field.name] = getattr(instance, field.name)
    return type(instance)(**changes)


def _is_instance(value: Any) -> bool:
    return not issubclass(type(value), type) and dataclasses.is_dataclass(type(value))


def _require_instance(value: Any, what: str) -> None:
    if not _is_instance(value):
        raise TypeError(f"{what}() should be called on dataclass instances")


def _convert(value: Any, make: Callable[[list[tuple[str, Any]]], Any]) -> Any:
    kind = type(value)
    if _is_instance(value):
        names = [field.name for field in dataclasses.fields(kind)]
        return make([(name, _convert(getattr(value, name), make)) for name in names])
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return kind(*[_convert(item, make) for item in value])
    if issubclass(kind, (list, tuple)):
        return kind(_convert(item, make) for item in value)
    if issubclass(kind, dict):
        pairs = [(_convert(key, make), _convert(item, make)) for key, item in value.items()]
        if hasattr(kind, "default_factory"):
            made = kind(value.default_factory)
            made.update(pairs)
            return made
        return kind(pairs)
    return deepcopy_value(value)
