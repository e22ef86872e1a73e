"""Byte strings that travel behind a message's body, and how much of them its receiver may be made to build."""

from typing import Any

from ...errors import ProtocolError

__all__ = ["Blobs"]


class Blobs:
    """What came behind one message's body. All that is made of it is together no longer than what came."""

    __slots__ = ("_data", "_left", "_made")

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._left = len(data)
        self._made: dict[tuple[int, int], bytes] = {}  # by offset and length

    def take(self, item: list[Any], *, share: bool = True) -> bytes:
        """The byte string that ``[tag, offset, length]`` means; the same object each time, and counted once.

        Args:
            item: As it came.
            share: False where the caller copies it into something of its own: then it counts each time.

        Raises:
            ProtocolError: It is not there, or the message has made all bytes that it brought.
        """
        if tuple(map(type, item)) != (int, int, int):
            raise ProtocolError("a byte string without offset and length")
        _, offset, length = item
        made = self._made.get((offset, length)) if share else None
        if made is not None:
            return made
        if offset < 0 or length < 0 or offset + length > len(self._data) or length > self._left:
            raise ProtocolError("a byte string that did not come with the message")
        self._left -= length
        made = bytes(self._data[offset : offset + length])
        if share:
            self._made[offset, length] = made
        return made
