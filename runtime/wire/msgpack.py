"""The default codec: msgpack by msgspec, typed and strict."""

from typing import Final

import msgspec

from ...errors import ProtocolError, ValueNotPortable
from .bounds import BOUNDS, Bounds
from .messages import Message
from .scan import count_containers
from .values import mend_body

__all__ = ["MsgpackCodec"]

_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final[msgspec.msgpack.Decoder[Message]] = msgspec.msgpack.Decoder(Message)


class MsgpackCodec:
    """Messages as msgpack arrays (https://github.com/msgpack/msgpack/blob/master/spec.md); docs/protocol.md, "Codecs".

    Args:
        bounds: `max_nodes` bounds the arrays and maps in one body, counted before any is built.
    """

    name: str = "msgpack"
    id: int = 1

    def __init__(self, bounds: Bounds = BOUNDS) -> None:
        self._max_nodes = bounds.max_nodes

    def encode(self, message: Message) -> bytes:
        """The message's bytes.

        Raises:
            ValueNotPortable: A name in the message is not valid Unicode.
        """
        try:
            return _ENCODER.encode(message)
        except (OverflowError, UnicodeEncodeError):
            body = getattr(message, "body", None)
            if body is not None:
                mend_body(body)
        try:
            return _ENCODER.encode(message)
        except (OverflowError, UnicodeEncodeError) as error:
            raise ValueNotPortable("the message", f"holds a name or number that cannot be written: {error}") from None

    def decode(self, body: bytes | memoryview) -> Message:
        """The message in `body`.

        Raises:
            ProtocolError: Not a message, or one that would build too much.
        """
        # A body cannot hold more containers than bytes: only a long one is looked at.
        if len(body) > self._max_nodes and count_containers(body, self._max_nodes) > self._max_nodes:
            raise ProtocolError(f"a message with more than {self._max_nodes:,} containers")
        try:
            return _DECODER.decode(body)
        except (msgspec.MsgspecError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise ProtocolError(f"not a message: {error}"[:300]) from None
