"""The codecs that a connection can speak: one value model, several ways to write it."""

from collections.abc import Mapping
from typing import Final, Protocol

from .messages import Message
from .msgpack import MsgpackCodec

__all__ = ["CODECS", "CODECS_BY_ID", "Codec"]


class Codec(Protocol):
    """Writes messages and reads them: stateless, and safe with any bytes."""

    name: str  # as in ``Host(codecs=...)``
    id: int  # as in a frame's header

    def encode(self, message: Message) -> bytes:
        """The message's bytes. Raises `ValueNotPortable` for texts that no codec can write."""

    def decode(self, body: bytes | memoryview) -> Message:
        """The message in `body`. Raises `ProtocolError`, and nothing else, for any other bytes."""


_ALL: Final[tuple[Codec, ...]] = (MsgpackCodec(),)
CODECS: Final[Mapping[str, Codec]] = {codec.name: codec for codec in _ALL}
CODECS_BY_ID: Final[Mapping[int, Codec]] = {codec.id: codec for codec in _ALL}
