"""Members of registered Enum and Flag classes as inline values."""

from enum import Enum, Flag
from typing import Any

from ...errors import ProtocolError
from .kinds import Item, Tag
from .portable import find, find_named

__all__ = ["enum_item", "read_enum", "read_flag"]


def enum_item(obj: object) -> Item:
    """The inline value for a member of a registered class; None for anything else.

    Raises:
        ValueError: A flag has bits that no member of its class names.
    """
    entry = find(type(obj))
    if entry is None or not isinstance(obj, Enum) or entry.kind is object:
        return None
    if entry.kind is Flag:
        value = obj.value
        if not 0 <= value < 2**64 or value & ~_all_bits(entry.cls):
            raise ValueError(f"{obj!r} has bits that {entry.cls.__qualname__} does not name")
        return [Tag.FLAG, entry.name, value]
    return [Tag.ENUM, entry.name, obj.name]


def read_enum(item: list[Any]) -> object:
    """The member that ``[ENUM, class, name]`` means; there is one of each, so nothing is made."""
    _, name, member = item
    entry = find_named(name)
    if entry is None or entry.kind is not Enum or type(member) is not str:
        raise ProtocolError(f"no Enum class {name!r} is registered here: both ends need emporion.portable")
    try:
        return entry.cls.__members__[member]
    except KeyError:
        raise ProtocolError(f"{name} has no member {member!r} here") from None


def read_flag(item: list[Any]) -> object:
    """The flags that ``[FLAG, class, value]`` means; only bits that the class names.

    Python keeps every combination that was ever made; refusing unknown bits keeps that to what the class allows.
    """
    _, name, value = item
    entry = find_named(name)
    if entry is None or entry.kind is not Flag or type(value) is not int:
        raise ProtocolError(f"no Flag class {name!r} is registered here: both ends need emporion.portable")
    if value < 0 or value & ~_all_bits(entry.cls):
        raise ProtocolError(f"{name} has no such bits: {value}")
    return entry.cls(value)


def _all_bits(cls: Any) -> int:
    bits = 0
    for member in cls.__members__.values():
        bits |= member.value
    return bits
