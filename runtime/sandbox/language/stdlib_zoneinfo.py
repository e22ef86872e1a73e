"""The `zoneinfo` module for agents: the zones of the `tzdata` package, read into memory before the files are gone.

A class around the library's zones, not derived from theirs: ``super(ZoneInfo, ...)`` would find the methods that open
files. `from_file` (C code that parses what it is handed) and `clear_cache` (which all agents of a visit share) are left
out; `no_cache` only makes one more object here.
Source: https://docs.python.org/3/library/zoneinfo.html
"""

import io
import zoneinfo
from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo
from functools import cache
from importlib import resources
from typing import Any, Final

__all__ = ["TZPATH", "ZoneInfo", "available_timezones", "load_zones"]

TZPATH: Final[tuple[str, ...]] = ()  # no folder is searched here

# What the package holds is 0.35 MB in 600 zones, 0.2 MB without repetitions; no host should be made to keep much more.
MAX_ZONES: Final = 2_000
MAX_BYTES: Final = 4 * 1024 * 1024


@cache
def load_zones() -> Mapping[str, bytes]:
    """The compiled data (RFC 9636) of each named zone; read once, which needs a file system.

    Raises:
        RuntimeError: The package holds more than a table of zones should.
    """
    package = resources.files("tzdata")
    found: dict[str, bytes] = {}
    same: dict[bytes, bytes] = {}  # most names are links to others
    for key in package.joinpath("zones").read_text(encoding="utf-8").split():
        data = package.joinpath("zoneinfo", *key.split("/")).read_bytes()
        found[key] = same.setdefault(data, data)
    if len(found) > MAX_ZONES or sum(map(len, same)) > MAX_BYTES:
        raise RuntimeError("the tzdata package is far larger than the one of the IANA: which one is installed?")
    return found


def available_timezones() -> set[str]:
    """The names of all zones; a set of its own each time."""
    return set(load_zones())


def _checked_key(key: Any) -> str:
    """`key` as an exact string that could name a zone; what it cannot be is a ValueError, as in the library."""
    if not issubclass(type(key), str):
        raise TypeError(f"a time zone's key is a string, not {type(key).__name__}")
    text = str.__getitem__(key, slice(None))  # an agent's string may claim to equal another's key
    if text.startswith("/"):
        raise ValueError(f"ZoneInfo keys may not be absolute paths, got: {text}")
    if text != text.strip("/") or {"..", ".", ""} & set(text.split("/")):
        raise ValueError(f"ZoneInfo keys must be normalized relative paths, got: {text}")
    return text


_shared: Final[dict[tuple[type, str], "ZoneInfo"]] = {}


class ZoneInfo(tzinfo):
    """`zoneinfo.ZoneInfo`: one object for a key, unless `no_cache` makes it."""

    __slots__ = ("_key", "_zone")
    _key: str
    _zone: zoneinfo.ZoneInfo

    def __new__(cls, key: str) -> "ZoneInfo":
        text = _checked_key(key)
        found = _shared.get((cls, text))
        if found is None:
            found = _shared.setdefault((cls, text), _made(cls, text))
        return found

    @classmethod
    def no_cache(cls, key: str) -> "ZoneInfo":
        """A new object for a key."""
        return _made(cls, _checked_key(key))

    @property
    def key(self) -> str:
        """The zone's name."""
        return self._key

    def utcoffset(self, dt: datetime | None, /) -> timedelta | None:
        """How far the zone's clocks are east of UTC at `dt`; None for None, unless the zone never changes."""
        return self._zone.utcoffset(_plain(dt))

    def dst(self, dt: datetime | None, /) -> timedelta | None:
        """By how much they are put forward then."""
        return self._zone.dst(_plain(dt))

    def tzname(self, dt: datetime | None, /) -> str | None:
        """What the zone's time is called then."""
        return self._zone.tzname(_plain(dt))

    def fromutc(self, dt: datetime, /) -> datetime:
        """The local time of `dt`, which is in UTC and carries this zone."""
        plain = _plain(dt)
        if plain is None:
            raise TypeError("fromutc: argument must be a datetime instance")
        if dt.tzinfo is not self:
            raise ValueError("fromutc: dt.tzinfo is not self")
        local = self._zone.fromutc(plain.replace(tzinfo=self._zone))
        if type(dt) is datetime:
            return local.replace(tzinfo=self)
        moved = dt + (local.replace(tzinfo=None) - plain.replace(tzinfo=None))
        return moved.replace(fold=1) if local.fold else moved

    def __str__(self) -> str:
        return self._key

    def __repr__(self) -> str:
        return f"{type(self).__module__}.{type(self).__qualname__}(key={self._key!r})"

    def __reduce__(self) -> Any:
        return type(self), (self._key,)


def _plain(dt: datetime | None) -> datetime | None:
    """An exact datetime: the zone inside is handed to no method of an agent's subclass, and C takes each argument for a
    datetime unseen, reading its memory."""
    if dt is None or type(dt) is datetime:
        return dt
    if not issubclass(type(dt), datetime):
        raise TypeError(f"a datetime is needed, not a {type(dt).__name__}")
    return datetime(dt.year, dt.month, dt.day, dt.hour, dt.minute, dt.second, dt.microsecond, fold=dt.fold)


def _made(cls: type[ZoneInfo], key: str) -> ZoneInfo:
    data = load_zones().get(key)
    if data is None:
        raise zoneinfo.ZoneInfoNotFoundError(f"No time zone found with key {key}")
    made = tzinfo.__new__(cls)
    object.__setattr__(made, "_key", key)  # a subclass of an agent's may have a `__setattr__`
    object.__setattr__(made, "_zone", zoneinfo.ZoneInfo.from_file(io.BytesIO(data), key=key))
    return made


ZoneInfo.__module__ = "zoneinfo"
