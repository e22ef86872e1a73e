"""How many containers are in some msgpack bytes, found out before any is built.

An empty array is one byte on the wire and some 60 in memory: 16 MiB of them would be a gigabyte here.
"""

import re
from typing import Final

from ...errors import ProtocolError

__all__ = ["count_containers"]

_ARRAYS_AND_MAPS: Final = bytes([*range(0x80, 0xA0), *range(0xDC, 0xE0)])
_OTHERS: Final = bytes(sorted(set(range(256)) - set(_ARRAYS_AND_MAPS)))

# A run of tokens of known length that are no containers: small ints, nil, bools, numbers, short strings, small exts.
_RUN: Final = re.compile(
    b"(?:[\\x00-\\x7f\\xc0\\xc2\\xc3\\xe0-\\xff]|[\\xcc\\xd0].|[\\xcd\\xd1].{2}|[\\xca\\xce\\xd2].{4}|[\\xcb\\xcf\\xd3].{8}"
    + b"".join(b"|" + re.escape(bytes([0xA0 + n])) + b".{%d}" % n for n in range(32))
    + b"|\\xd4.{2}|\\xd5.{3}|\\xd6.{5}|\\xd7.{9}|\\xd8.{17})*+",
    re.DOTALL,
)
_HEADS: Final = {0xDC: 3, 0xDD: 5, 0xDE: 3, 0xDF: 5}  # array16, array32, map16, map32: bytes before the content
_SIZED: Final = {  # with a length field: (bytes of that field, bytes besides field and content)
    0xC4: (1, 1),  # bin
    0xC5: (2, 1),
    0xC6: (4, 1),
    0xC7: (1, 2),  # ext
    0xC8: (2, 2),
    0xC9: (4, 2),
    0xD9: (1, 1),  # str
    0xDA: (2, 1),
    0xDB: (4, 1),
}


def count_containers(body: bytes | memoryview, enough: int) -> int:
    """The number of arrays and maps in `body`, or any number above `enough` if there are more, or at most `enough`.

    First an upper bound at C speed: bytes that could be markers, wherever they stand. Only a body with more of those
    than `enough` (long texts in other alphabets have many) is read token by token.

    Raises:
        ProtocolError: The bytes are cut short or not msgpack.
    """
    data = bytes(body)
    most = len(data.translate(None, _OTHERS))
    return most if most <= enough else _count_exactly(data, enough)


def _count_exactly(data: bytes, enough: int) -> int:
    count = 0
    at = 0
    end = len(data)
    while at < end and count <= enough:
        run = _RUN.match(data, at)
        at = run.end() if run else at
        if at >= end:
            break
        marker = data[at]
        if 0x80 <= marker < 0xA0:
            count += 1
            at += 1
        elif marker in _HEADS:
            count += 1
            at += _HEADS[marker]
        elif marker in _SIZED:
            field, besides = _SIZED[marker]
            at += field + besides + int.from_bytes(data[at + 1 : at + 1 + field])
        else:
            raise ProtocolError("not a message: bytes that are no msgpack, or cut short")
    return count
