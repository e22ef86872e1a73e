"""The numbers that stand for kinds of rows and of inline values (docs/protocol.md, "Values").

An *item* is a scalar (None, bool, 64-bit int, float, str) or an array: ``[i]`` refers to row i, ``[tag, ...]`` is an
inline immutable value. A *row* is ``[kind, ...]`` and describes one object that has an identity.
"""

from typing import TYPE_CHECKING, Any, Final, TypeAlias

__all__ = ["PLAIN", "SALTED", "Item", "Kind", "Row", "Tag"]

if TYPE_CHECKING:
    Item: TypeAlias = Any
else:
    # What codecs hold values to while reading them, before any is built: nothing deeper than a list in a list, and no
    # maps, whose keys would be hashed before anybody could look at them.
    Scalar = None | bool | int | float | str
    Item = Scalar | list[Scalar | list[Scalar]]
Row: TypeAlias = list[Item]

# What goes into a row as it is. bytes are not among them: msgspec cannot tell str from bytes in one typed union, and
# only a typed union keeps maps, extension types and deep nesting out at C speed; bytes travel behind the body anyway.
PLAIN: Final = frozenset({type(None), bool, int, float, str})

# Types whose equal hashes a peer cannot prepare: str and bytes are salted for each process, the others are few.
SALTED: Final = frozenset({str, bytes, type(None), bool})


class Kind:
    """The first element of a row."""

    LIST: Final = 0  # items
    TUPLE: Final = 1  # items
    SET: Final = 2  # items
    FROZENSET: Final = 3  # items
    DICT: Final = 4  # keys, then as many values
    DICT_LIKE: Final = 5  # number of an earlier DICT row with the same keys, values
    BYTEARRAY: Final = 6  # one item: bytes
    CAPABILITY: Final = 7  # payload of the session's own: scalars and lists of scalars
    MOBILE: Final = 8  # number of the manifest, module, qualified name, state
    PORTABLE: Final = 9  # registered name, list of field names, values
    PORTABLE_LIKE: Final = 10  # number of an earlier PORTABLE row of the same class, values
    EXCEPTION: Final = 11  # type name, text, args, list of attribute names, values
    NAMED: Final = 12  # number of the manifest, module, qualified name: a class, function or enum member of mobile code
    COLLECTION: Final = 13  # name, parameter, a LIST or DICT row of its own: see `collected`


class Tag:
    """The first element of an inline value."""

    INT: Final = 1  # hexadecimal text: beyond 64 bits
    STR: Final = 2  # UTF-8 with lone surrogates let through, each byte as one character
    COMPLEX: Final = 3  # real, imaginary
    DECIMAL: Final = 4  # its str()
    FRACTION: Final = 5  # numerator, denominator: hexadecimal text
    UUID: Final = 6  # 32 hexadecimal digits
    DATE: Final = 7  # proleptic Gregorian ordinal
    TIME: Final = 8  # hour, minute, second, microsecond, fold, zone
    DATETIME: Final = 9  # year, month, day, hour, minute, second, microsecond, fold, zone
    TIMEDELTA: Final = 10  # days, seconds, microseconds
    TIMEZONE: Final = 11  # a zone: microseconds east of UTC, or [microseconds, name]
    ZONEINFO: Final = 12  # a zone: key of the IANA database
    RANGE: Final = 13  # start, stop, step
    SLICE: Final = 14  # start, stop, step
    ELLIPSIS: Final = 15  # None
    BYTES: Final = 16  # offset among the blobs, length
    ENUM: Final = 17  # registered name, member's name
    FLAG: Final = 18  # registered name, value
