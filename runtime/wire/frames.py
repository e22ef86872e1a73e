"""Frames: where one message ends and the next begins. Bytes in, frames out; what is inside is a codec's business.

A frame is: 4 bytes length of what follows, 1 byte codec, 4 bytes length of the message body, the body, and then the
blobs (large byte strings of the message) one after the other; integers are big-endian.
"""

import struct
from collections.abc import Collection, Sequence
from typing import Final

import msgspec

from ...errors import ProtocolError, ValueNotPortable

__all__ = ["Frame", "FrameReader", "longest_small", "small_frame", "write_frame"]

_LENGTH: Final = struct.Struct(">I")
_HEADER: Final = struct.Struct(">IBI")
_FIXED: Final = _HEADER.size - _LENGTH.size  # bytes of a frame's length that are not body or blobs
_LONGEST: Final = 2**32 - 1
_EMPTY: Final = memoryview(b"")

# Below this, one copy is cheaper than one more buffer in sendmsg, or than a memoryview that keeps a large read alive.
_SMALL: Final = 64 * 1024


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One frame as it came: the codec's number, the message body, and all blobs in one piece."""

    codec: int
    body: bytes | memoryview
    blobs: memoryview = _EMPTY


class FrameReader:
    """Cuts a stream of bytes into frames, however the network has cut it before.

    Args:
        max_frame_bytes: The most that a frame's length field may say; a longer frame is refused when its first four
            bytes are here, before anything of it is kept.
        codecs: The codec numbers that this connection takes.

    Source: docs/protocol.md, "Frames".
    """

    __slots__ = ("_codecs", "_held", "_max", "_need", "error")

    def __init__(self, max_frame_bytes: int, codecs: Collection[int] = frozenset({1})) -> None:
        self._max = max_frame_bytes
        self._codecs = frozenset(codecs)
        self._held = bytearray()
        self._need = 0  # bytes that must be held before a look at them can tell anything new
        self.error: ProtocolError | None = None  # set once the stream is broken; the connection is to be closed

    @property
    def missing(self) -> int:
        """How many bytes the frame that has begun still lacks: a good size for the next read; 0 between frames."""
        return self._need - len(self._held) if self._held else 0

    def feed(self, data: bytes) -> list[Frame]:
        """Take what was read and return the frames that are complete now, often none or one.

        Frames keep views of `data`, so hand over a fresh bytes object each time. Frames before a broken one are
        still returned; `error` is set then, and the next call raises it.

        Raises:
            ProtocolError: A length is out of bounds or the codec is not one of ours; raised again on every later call.
        """
        if not self._held and self.error is None and len(data) >= _HEADER.size:
            length, codec, size = _HEADER.unpack_from(data)
            if length == len(data) - 4 and length <= self._max and size + _FIXED <= length and codec in self._codecs:
                return [_frame(data, 0, length, codec, size)]
        return self._feed_slowly(data)

    def single(self, data: bytes) -> tuple[int, bytes] | None:
        """(codec, body) where `data` is one whole small frame without blobs, and nothing is held; else None."""
        if self._held or self.error is not None or not _HEADER.size <= len(data) <= _SMALL:
            return None
        length, codec, size = _HEADER.unpack_from(data)
        if length == len(data) - 4 and size + _FIXED == length and length <= self._max and codec in self._codecs:
            return codec, data[_HEADER.size :]
        return None

    def _feed_slowly(self, data: bytes) -> list[Frame]:
        """The general case: part of a frame, or several, or something wrong."""
        if self.error is not None:
            raise self.error
        whole: bytes | bytearray = data
        if self._held:
            # A bytearray grows in place (realloc moves pages, not bytes), and tiny pieces cost no object each.
            self._held += data
            if len(self._held) < self._need:
                return []
            whole, self._held = self._held, bytearray()
        frames: list[Frame] = []
        start = 0
        try:
            while (length := self._length_at(whole, start)) is not None:
                _, codec, size = _HEADER.unpack_from(whole, start)
                frames.append(_frame(whole, start, length, codec, size))
                start += 4 + length
        except ProtocolError as error:
            self.error = error
            if not frames:
                raise
            return frames
        if start < len(whole):
            self._held += memoryview(whole)[start:]
        return frames

    def _length_at(self, data: bytes | bytearray, start: int) -> int | None:
        """The length field of the frame at `start` if the whole frame is there; says in `_need` what is, if not."""
        have = len(data) - start
        if have < _HEADER.size:
            self._need = 4 if have < 4 else _HEADER.size
            if have >= 4:
                self._check(_LENGTH.unpack_from(data, start)[0])
            return None
        length, codec, size = _HEADER.unpack_from(data, start)
        self._check(length)
        if codec not in self._codecs:
            raise ProtocolError(f"a frame in codec {codec}, which this connection does not take")
        if size > length - _FIXED:
            raise ProtocolError(f"a frame of {length} bytes says that its body has {size}")
        self._need = 4 + length
        return int(length) if have >= 4 + length else None

    def _check(self, length: int) -> None:
        if not _FIXED <= length <= self._max:
            raise ProtocolError(f"a frame of {length} bytes; this connection takes {_FIXED} to {self._max}")


def _frame(data: bytes | bytearray, start: int, length: int, codec: int, size: int) -> Frame:
    """The frame at `start`, whose header has been checked."""
    first = start + _HEADER.size
    end = start + 4 + length
    body: bytes | memoryview
    if size <= _SMALL:
        body = bytes(data[first : first + size])
    else:
        body = memoryview(data)[first : first + size]
    if first + size == end:
        return Frame(codec, body)
    return Frame(codec, body, memoryview(data)[first + size : end])


def longest_small(max_frame_bytes: int) -> int:
    """The longest body for `small_frame` where the other end takes frames of `max_frame_bytes`."""
    return min(_SMALL, max_frame_bytes - _FIXED)


def small_frame(codec: int, body: bytes) -> bytes:
    """A frame without blobs around a body of at most `longest_small` bytes: one buffer, as nearly all are."""
    size = len(body)
    return _HEADER.pack(_FIXED + size, codec, size) + body


def write_frame(
    codec: int, body: bytes, blobs: Sequence[bytes] = (), *, max_frame_bytes: int = _LONGEST
) -> list[bytes]:
    """The buffers that make one frame, for `sendmsg`; one buffer when everything is small, and large ones uncopied.

    Raises:
        ValueNotPortable: The frame would be longer than `max_frame_bytes`, which is what the other end takes.
    """
    length = _FIXED + len(body)
    if blobs:
        length += sum(map(len, blobs))
    if length > max_frame_bytes:
        why = f"needs a frame of {length:,} bytes, and {max_frame_bytes:,} is the most: send it in parts"
        raise ValueNotPortable("the message", why)
    header = _HEADER.pack(length, codec, len(body))
    if length <= _SMALL:
        return [b"".join((header, body, *blobs)) if blobs else header + body]
    if len(body) <= _SMALL:
        return [header + body, *blobs]
    return [header, body, *blobs]
