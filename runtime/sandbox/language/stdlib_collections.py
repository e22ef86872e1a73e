"""What of `collections`, `typing` and `textwrap` makes classes from text, or holds state that all would share.

Source: https://docs.python.org/3/library/collections.html, typing.html
"""

import collections
import importlib.util
import textwrap
import types
import typing
from typing import Any, Final

from .builtin_table import trim_match_args
from .facade import Frozen
from .ownership import require_exact
from .stdlib_copy import CONTAINERS, rebuild
from .stdlib_dataclasses import caller_mark, check_field_name
from .watched import safe_format, safe_format_map

__all__ = ["NamedTuple", "TextWrapper", "TypedDict", "UserDict", "UserList", "UserString", "namedtuple", "text_module"]


def namedtuple(
    typename: str, field_names: Any, *, rename: bool = False, defaults: Any = None, module: Any = None
) -> Any:
    """`collections.namedtuple`; ValueError for a field that agents may not name."""
    names = field_names.replace(",", " ").split() if type(field_names) is str else list(field_names)
    require_exact(names)  # the library takes the `str` of others, which may be another each time
    checked = [name if rename and not name.isidentifier() else check_field_name(name) for name in names]
    make: Any = collections.namedtuple
    made = make(typename, checked, rename=rename, defaults=defaults, module=caller_mark())
    trim_match_args(made)
    return made


class _ClassForm:
    """`typing.NamedTuple` and `typing.TypedDict`: bases of class statements, and functions that make a class."""

    __slots__ = ("__name__", "_real")

    def __init__(self, name: str) -> None:
        self.__name__ = name
        self._real = getattr(typing, name)

    def __mro_entries__(self, bases: tuple[Any, ...]) -> Any:
        return self._real.__mro_entries__(tuple(self._real if base is self else base for base in bases))

    def __repr__(self) -> str:
        return f"<function {self.__name__}>"

    def __call__(self, typename: str, fields: Any = None, /, **options: Any) -> Any:
        if type(self) is not _ClassForm:  # called on an agent's object, whose "real" form could return anybody's class
            raise TypeError("call NamedTuple or TypedDict itself")
        given = options if fields is None else fields
        pairs = given.items() if isinstance(given, dict) else list(given)
        checked = [(check_field_name(name), kind) for name, kind in pairs]
        if self.__name__ == "TypedDict":
            total = options.get("total", True) if fields is not None else True
            made = self._real(typename, dict(checked), total=total)
        else:
            made = self._real(typename, checked)
        mark = caller_mark()
        if mark is not None:
            made.__module__ = mark
        trim_match_args(made)
        return made


NamedTuple: Final = _ClassForm("NamedTuple")
TypedDict: Final = _ClassForm("TypedDict")


def _user_class(real: Any, **changed: Any) -> Any:
    """`UserDict` and its like with other ways to copy and to format.

    The standard `format` is unguarded; the standard copy updates the ``__dict__`` of whatever the class's `__new__`
    returned, be it the library's. A class of its own, not a subclass: ``super()`` with two arguments would find the
    method behind it. Its methods get globals in which the class's name means this class.
    """
    scope = dict(vars(collections))
    namespace: dict[str, Any] = {"__module__": "collections", "__doc__": real.__doc__, **changed}
    for name, value in vars(real).items():
        if isinstance(value, types.FunctionType) and name not in changed:
            namespace[name] = types.FunctionType(value.__code__, scope, name, value.__defaults__, value.__closure__)
        elif isinstance(value, classmethod):
            function = value.__func__
            namespace[name] = classmethod(types.FunctionType(function.__code__, scope, name, function.__defaults__))
    made = scope[real.__name__] = type(real)(real.__name__, real.__bases__, namespace)
    CONTAINERS.add(made)
    return made


def _shallow_dict(self: Any) -> Any:
    """A new object of the same class around a copy of the data."""
    made = rebuild(self, lambda part: part)
    made.data = dict(self.data)
    return made


def _updated_dict(self: Any) -> Any:
    """A new object of the same class that was given each item again."""
    made = rebuild(self, lambda part: part)
    made.data = {}
    made.update(self)
    return made


def _copied_list(self: Any) -> Any:
    """A new object of the same class around a copy of the data."""
    made = rebuild(self, lambda part: part)
    made.data = list(self.data)
    return made


UserDict: Final = _user_class(collections.UserDict, copy=_updated_dict, __copy__=_shallow_dict)
UserList: Final = _user_class(collections.UserList, copy=_copied_list, __copy__=_copied_list)
UserString: Final = _user_class(
    collections.UserString,
    maketrans=str.maketrans,
    format=lambda self, /, *args, **kwargs: safe_format(self.data, *args, **kwargs),
    format_map=lambda self, mapping: safe_format_map(self.data, mapping),
)


def _private_textwrap() -> types.ModuleType:
    """A `textwrap` of the agents' own: its class holds a dict that every user of the module shares."""
    spec = importlib.util.find_spec("textwrap")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.TextWrapper.unicode_whitespace_trans = Frozen(textwrap.TextWrapper.unicode_whitespace_trans)
    return module


text_module: Final = _private_textwrap()
TextWrapper: Final[Any] = text_module.TextWrapper

