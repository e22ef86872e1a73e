"""`str.format` and `string.Formatter` for agents: the attributes named in a format string are read as agents read them.

``"{0.__class__.__init__.__globals__}".format(x)`` reads attributes that no compiler has seen.
Source: https://docs.python.org/3/library/string.html#format-string-syntax
"""

import _string  # type: ignore[import-not-found]  # the parser behind str.format and string.Formatter
import string
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

__all__ = ["format_functions", "formatter_class"]

_PER_CLASS: Final = ("__dict__", "__weakref__")  # descriptors that belong to the class they were made for
Read = Callable[[Any, str], Any]


def _field_getter(read: Read) -> Callable[..., tuple[Any, Any]]:
    def get_field(self: Any, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Any, Any]:
        """Look up ``name.attribute[item]...``, attributes as far as agents may read them."""
        first, rest = _string.formatter_field_name_split(field_name)
        value = self.get_value(first, args, kwargs)
        for is_attribute, key in rest:
            value = read(value, key) if is_attribute else value[key]
        return value, first

    return get_field


def formatter_class(read: Read) -> Any:
    """`string.Formatter` with guarded attributes.

    A class of its own, not a subclass: ``super(Formatter, formatter).get_field`` would find the unguarded method.
    """
    namespace = {name: value for name, value in vars(string.Formatter).items() if name not in _PER_CLASS}
    return type("Formatter", (), {**namespace, "get_field": _field_getter(read)})


def format_functions(read: Read) -> tuple[Callable[..., str], Callable[..., str]]:
    """Guarded ``str.format(text, *args, **kwargs)`` and ``str.format_map(text, mapping)``.

    Both raise AttributeError where a field reads an attribute that agents may not read, else what the methods raise.
    """

    class Automatic(string.Formatter):
        get_field = _field_getter(read)

        def get_value(self, key: int | str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
            if not isinstance(key, int):
                return kwargs[key]
            if key >= len(args):
                raise IndexError(f"Replacement index {key} out of range for positional args tuple")
            return args[key]

    vformat = Automatic().vformat

    def safe_format(text: str, /, *args: Any, **kwargs: Any) -> str:
        return vformat(_plain(text), args, kwargs)

    def safe_format_map(text: str, mapping: Mapping[str, Any], /) -> str:
        return vformat(_plain(text), (), mapping)

    return safe_format, safe_format_map


def _plain(text: str) -> str:
    """The characters of `text`, past any method that a subclass of str may have."""
    if not issubclass(type(text), str):
        raise TypeError(f"format is a method of strings, not of {type(text).__name__}")
    return text if type(text) is str else str.__getitem__(text, slice(None))
