"""The `enum` module for agents: the same classes under a metaclass whose functional API judges the names it is given.

``Enum("X", {"__init__": ..., "__match_args__": ("tb_frame",)})`` would put any name into a new class.
Source: https://docs.python.org/3/library/enum.html#functional-api
"""

import enum
from typing import Any

from .builtin_table import ALLOWED_BASES
from .names import is_risky
from .ownership import describe, is_own_class, making, require_exact
from .stdlib_dataclasses import caller_mark, check_field_name

__all__ = ["Enum", "Flag", "IntEnum", "IntFlag", "StrEnum"]


class _AgentEnumType(enum.EnumType):
    """Looks values up as `EnumType` does; makes new enumerations from checked names only."""

    def __call__(cls, value: Any, *names: Any, **options: Any) -> Any:
        require_exact(options)
        if not names and "names" not in options:
            return super().__call__(value, **options)
        if cls._member_map_:
            # Not by way of `EnumType`, which asks again whether there are members: that table is the agent's to alter.
            return cls.__new__(cls, (value, *names))  # type: ignore[call-arg, arg-type]  # Enum.__new__ looks members up
        if len(names) > 1:
            raise TypeError("write one list of names: Enum('Color', ['RED', 'GREEN'])")
        checked = _checked_names(names[0] if names else options.pop("names"))
        mixin = options.get("type")
        # A class, before it is looked up: an agent's object could claim to be one that stands there.
        is_class = issubclass(type(mixin), type)
        if mixin is not None and not (is_class and (mixin in ALLOWED_BASES or is_own_class(mixin))):
            raise TypeError(f"agents may not inherit from {describe(mixin)}")
        options.update(module=caller_mark(), qualname=None)
        privates = filter(is_risky, (each if type(each) is str else each[0] for each in checked))
        with making(value, privates, (cls,) if mixin is None else (mixin, cls)):
            return super().__call__(value, checked, **options)


def _checked_names(names: Any) -> Any:
    """The functional API's three ways to give names, as plain lists of checked names (or of pairs)."""
    if type(names) is str:
        names = names.replace(",", " ").split()
    pairs = list(names.items()) if isinstance(names, dict) else list(names)
    return [check_field_name(item) if isinstance(item, str) else _checked_pair(*item) for item in pairs]


def _checked_pair(name: Any, value: Any) -> tuple[str, Any]:
    return check_field_name(name), value


# What the classes below repeat, `EnumType` would otherwise take from the last of their bases.
class Enum(enum.Enum, metaclass=_AgentEnumType):
    """`enum.Enum` for agents."""


class IntEnum(enum.IntEnum, Enum, metaclass=_AgentEnumType):
    """`enum.IntEnum` for agents."""

    __str__ = enum.IntEnum.__str__
    __format__ = enum.IntEnum.__format__  # type: ignore[assignment]  # int's, as the library has it


class StrEnum(enum.StrEnum, Enum, metaclass=_AgentEnumType):
    """`enum.StrEnum` for agents."""

    __str__ = enum.StrEnum.__str__
    __format__ = enum.StrEnum.__format__  # type: ignore[assignment]  # str's, likewise

    @staticmethod
    def _generate_next_value_(name: str, start: int, count: int, last_values: list[str]) -> str:
        return enum.StrEnum._generate_next_value_(name, start, count, last_values)  # else the last base's is taken


class Flag(enum.Flag, Enum, metaclass=_AgentEnumType, boundary=enum.STRICT):
    """`enum.Flag` for agents."""

    @staticmethod
    def _generate_next_value_(name: str, start: int, count: int, last_values: list[Any]) -> Any:
        return enum.Flag._generate_next_value_(name, start, count, last_values)


class IntFlag(enum.IntFlag, Flag, metaclass=_AgentEnumType, boundary=enum.KEEP):
    """`enum.IntFlag` for agents."""

    __str__ = enum.IntFlag.__str__
    __format__ = enum.IntFlag.__format__  # type: ignore[assignment]  # int's, likewise


for _cls in (Enum, IntEnum, StrEnum, Flag, IntFlag):
    _cls.__module__ = "enum"
