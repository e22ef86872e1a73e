"""Inline values: immutable things that msgpack has no type for, each as ``[tag, ...]``."""

import re
from collections.abc import Callable
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from types import EllipsisType
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from .kinds import Item, Tag

__all__ = ["READ", "WRITE", "mend", "use_zones"]

_HEX: Final = re.compile(r"-?[0-9a-f]+")
_ZONE_KEY: Final = re.compile(r"[A-Za-z0-9_+-]{1,40}(/[A-Za-z0-9_+-]{1,40}){0,3}")
_MICROSECOND: Final = timedelta(microseconds=1)
_LONGEST_DECIMAL: Final = 65_536  # characters; arithmetic on longer ones is not what anybody sends
_LONGEST_FRACTION: Final = 1_024  # hexadecimal digits a part: the greatest common divisor takes quadratic time


def mend(value: object) -> Item:
    """The item for a str or int that msgpack cannot hold as it is; any other item comes back unchanged."""
    if type(value) is int and not -(2**63) <= value < 2**64:
        return [Tag.INT, format(value, "x")]
    if type(value) is str and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            return [Tag.STR, value.encode("utf-8", "surrogatepass").decode("latin-1")]
    return value


# --- writing ---------------------------------------------------------------------------------------------------------
def _decimal(value: Decimal) -> Item:
    text = str(value)
    if len(text) > _LONGEST_DECIMAL:
        raise ValueError(f"a Decimal of {len(text):,} characters: {_LONGEST_DECIMAL:,} is the most")
    return [Tag.DECIMAL, text]


def _fraction(value: Fraction) -> Item:
    parts = format(value.numerator, "x"), format(value.denominator, "x")
    if max(map(len, parts)) > _LONGEST_FRACTION:
        raise ValueError(f"a Fraction with more than {4 * _LONGEST_FRACTION} bits in a part")
    return [Tag.FRACTION, *parts]


_ZONES: Final[set[type[tzinfo]]] = {ZoneInfo}  # classes of named zones


def _zone(zone: tzinfo | None) -> Item:
    """None, microseconds east of UTC, [microseconds, name], or the key of a named zone."""
    if zone is None:
        return None
    if type(zone) is timezone:
        offset, *name = zone.__getinitargs__()  # type: ignore[attr-defined]  # for pickle: (offset,) or (offset, name)
        return [offset // _MICROSECOND, _writable(name[0])] if name else offset // _MICROSECOND
    if type(zone) in _ZONES:
        key: str | None = zone.key  # type: ignore[attr-defined]  # all in _ZONES have one
        if key is not None and _ZONE_KEY.fullmatch(key):
            return str(key)
    raise ValueError(f"a time with the zone {zone!r}: use datetime.timezone or a named zoneinfo.ZoneInfo")


def _writable(text: str) -> str:
    """`text` if every codec can write it; a zone's name with lone surrogates is nobody's need."""
    if type(mend(text)) is not str:
        raise ValueError("a time zone whose name is not valid Unicode")
    return text


def _time(value: time) -> Item:
    clock = value.hour, value.minute, value.second, value.microsecond, value.fold
    return [Tag.TIME, *clock, _zone(value.tzinfo)]


def _datetime(value: datetime) -> Item:
    day = value.year, value.month, value.day
    clock = value.hour, value.minute, value.second, value.microsecond, value.fold
    return [Tag.DATETIME, *day, *clock, _zone(value.tzinfo)]


def _span(tag: int) -> Callable[[Any], Item]:
    def write(value: range | slice) -> Item:
        ends = [value.start, value.stop, value.step]
        for end in ends:
            if end is not None and (type(end) is not int or not -(2**63) <= end < 2**63):
                raise ValueError(f"a {type(value).__name__} whose ends are not 64-bit ints")
        return [tag, *ends]

    return write


WRITE: Final[dict[type, Callable[[Any], Item]]] = {
    complex: lambda value: [Tag.COMPLEX, value.real, value.imag],
    Decimal: _decimal,
    Fraction: _fraction,
    UUID: lambda value: [Tag.UUID, value.hex],
    date: lambda value: [Tag.DATE, value.toordinal()],
    time: _time,
    datetime: _datetime,
    timedelta: lambda value: [Tag.TIMEDELTA, value.days, value.seconds, value.microseconds],
    timezone: lambda value: [Tag.TIMEZONE, _zone(value)],
    ZoneInfo: lambda value: [Tag.ZONEINFO, _zone(value)],
    range: _span(Tag.RANGE),
    slice: _span(Tag.SLICE),
    EllipsisType: lambda value: [Tag.ELLIPSIS, None],
}


# --- reading: each takes the item as it came; the usual errors it may raise become one in the decoder ----------------
def _exactly(item: list[Any], *types: type) -> list[Any]:
    payload = item[1:]
    if tuple(map(type, payload)) != types:
        raise TypeError(f"an inline value with tag {item[0]} has the wrong parts")
    return payload


def _hex(text: object) -> int:
    if type(text) is not str or not _HEX.fullmatch(text):
        raise ValueError("not a number in hexadecimal digits")
    return int(text, 16)


def _read_int(item: list[Any]) -> int:
    return _hex(*_exactly(item, str))


def _read_str(item: list[Any]) -> str:
    (text,) = _exactly(item, str)
    return str(text).encode("latin-1").decode("utf-8", "surrogatepass")


def _read_decimal(item: list[Any]) -> Decimal:
    (text,) = _exactly(item, str)
    if len(text) > _LONGEST_DECIMAL:
        raise ValueError("a Decimal with too many characters")
    return Decimal(text)


def _read_fraction(item: list[Any]) -> Fraction:
    parts = _exactly(item, str, str)
    if max(map(len, parts)) > _LONGEST_FRACTION:
        raise ValueError("a Fraction with too many digits")
    above, below = map(_hex, parts)
    value = Fraction(above, below)
    if value.denominator != below:
        raise ValueError("a Fraction that is not in lowest terms")
    return value


def _read_uuid(item: list[Any]) -> UUID:
    (digits,) = _exactly(item, str)
    if len(digits) != 32 or not _HEX.fullmatch(digits) or digits[0] == "-":
        raise ValueError("not a UUID")
    return UUID(hex=digits)


# What makes a named zone. Reading zone data opens files: a peer that names all zones in turn must not make us do it
# again and again.
_named_zone: Callable[[str], tzinfo] = lru_cache(maxsize=1024)(ZoneInfo)


def _read_zone(zone: object) -> tzinfo | None:
    if zone is None:
        return None
    if type(zone) is int:
        return timezone(zone * _MICROSECOND)
    if type(zone) is list and tuple(map(type, zone)) == (int, str):
        return timezone(zone[0] * _MICROSECOND, zone[1])
    if type(zone) is str and _ZONE_KEY.fullmatch(zone):
        return _named_zone(zone)
    raise ValueError("not a time zone")


def _read_time(item: list[Any]) -> time:
    *clock, zone = item[1:]
    hour, minute, second, microsecond, fold = _exactly([Tag.TIME, *clock], *[int] * 5)
    return time(hour, minute, second, microsecond, _read_zone(zone), fold=fold)


def _read_datetime(item: list[Any]) -> datetime:
    *clock, zone = item[1:]
    year, month, day, hour, minute, second, microsecond, fold = _exactly([Tag.DATETIME, *clock], *[int] * 8)
    return datetime(year, month, day, hour, minute, second, microsecond, _read_zone(zone), fold=fold)


def _read_tz(kinds: set[type[tzinfo]]) -> Callable[[list[Any]], tzinfo]:
    def read(item: list[Any]) -> tzinfo:
        (part,) = item[1:]
        zone = _read_zone(part)
        if zone is None or type(zone) not in kinds:
            raise ValueError("not a time zone of that kind")
        return zone

    return read


def _read_slice(item: list[Any]) -> slice:
    start, stop, step = item[1:]
    if not {type(start), type(stop), type(step)} <= {int, type(None)}:
        raise TypeError("a slice whose ends are not ints")
    return slice(start, stop, step)


def _read_ellipsis(item: list[Any]) -> EllipsisType:
    _exactly(item, type(None))
    return ...


READ: Final[dict[int, Callable[[list[Any]], object]]] = {
    Tag.INT: _read_int,
    Tag.STR: _read_str,
    Tag.COMPLEX: lambda item: complex(*_exactly(item, float, float)),
    Tag.DECIMAL: _read_decimal,
    Tag.FRACTION: _read_fraction,
    Tag.UUID: _read_uuid,
    Tag.DATE: lambda item: date.fromordinal(*_exactly(item, int)),
    Tag.TIME: _read_time,
    Tag.DATETIME: _read_datetime,
    Tag.TIMEDELTA: lambda item: timedelta(*_exactly(item, int, int, int)),
    Tag.TIMEZONE: _read_tz({timezone}),
    Tag.ZONEINFO: _read_tz(_ZONES),
    Tag.RANGE: lambda item: range(*_exactly(item, int, int, int)),
    Tag.SLICE: _read_slice,
    Tag.ELLIPSIS: _read_ellipsis,
}


def use_zones(kind: type[tzinfo]) -> None:
    """From now on named zones are read as instances of `kind`, which is made with a key and has it as `key`.

    For a visit, where agents must not get the library's class, and no file with a zone's data can be read.
    """
    global _named_zone
    _named_zone = kind  # a zone of that class knows its own name
    _ZONES.add(kind)
    WRITE[kind] = WRITE[ZoneInfo]
