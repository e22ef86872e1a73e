"""Messages over one transport: frames and codecs on the way in and out, counted, one writer at a time."""

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from ...errors import ConnectionLost, ProtocolError
from ..wire.codecs import Codec
from ..wire.frames import FrameReader, longest_small, small_frame, write_frame
from ..wire.messages import Message
from .transport import Transport

__all__ = ["Arrived", "Channel"]


# One message of the peer's, the bytes that travelled beside it, and the number of the codec it came in.
Arrived = tuple[Message, memoryview, int, int]


_NO_BLOBS: Final = memoryview(b"")
TURN_S: Final = 0.002  # another thread's frame is mostly out long before; a longer wait means that the peer is slow


class Channel:
    """Sends from any thread, receives on one.

    Args:
        codecs: What this end understands; the first one is what it writes unasked.
        meter: Called with the bytes received and sent so far; what it raises ends the connection (quotas of a visit).
        trailing: Bytes that came with the end of the handshake.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        codecs: Iterable[Codec],
        max_frame_bytes: int,
        meter: Callable[[int, int], None] | None = None,
        trailing: bytes = b"",
    ) -> None:
        self.transport = transport
        self._codecs = {codec.id: codec for codec in codecs}
        self.default_codec = next(iter(self._codecs))
        self._max_frame_bytes = max_frame_bytes  # of this end; the other end has the same, or less
        self._frames = FrameReader(max_frame_bytes, self._codecs.keys())
        self._meter = meter
        self._small_bytes = longest_small(max_frame_bytes)
        # Found once instead of with every message.
        self._receive, self._single = transport.receive, self._frames.single
        self._encode = {codec.id: codec.encode for codec in self._codecs.values()}
        self._decode = {codec.id: codec.decode for codec in self._codecs.values()}
        self._trailing = trailing
        self.hides = transport.hides  # whether bytes can wait on this side of the socket
        self._writing = threading.Lock()
        self.full: Callable[[], None] = lambda: None
        self.broken: ProtocolError | None = None  # set when a broken frame follows what `receive` has just returned
        self._closed = False
        self._bytes_in = 0
        self._bytes_out = 0

    def send(self, message: Message, blobs: Sequence[bytes], codec: int = 0) -> None:
        """Send one message whole. `full` of this channel is called before waiting for the peer to take bytes.

        Raises:
            ConnectionLost: The peer is gone. After any error nothing more may be sent: half a frame may be out.
        """
        codec = codec or self.default_codec
        body = self._encode[codec](message)
        if blobs or len(body) > self._small_bytes:
            buffers = write_frame(codec, body, blobs, max_frame_bytes=self._max_frame_bytes)
        else:
            buffers = [small_frame(codec, body)]
        try:
            if not self._writing.acquire(blocking=False) and not self._writing.acquire(timeout=TURN_S):
                self.full()  # whoever sends waits for the peer, and this thread with it: it must not be the reader
                self._writing.acquire()
            try:
                if self._closed:
                    raise ConnectionLost("the connection is closed")
                if self._meter is not None:
                    self._count(0, sum(map(len, buffers)))
                self.transport.send(buffers, self.full)
            finally:
                self._writing.release()
        finally:
            if self._closed:
                self._shut()

    def say_last(self, message: Message) -> None:
        """Send a small message without waiting, and perhaps not at all; nothing may be sent after it.

        Who ends a connection, often because of what the peer does, must not depend on the peer for that.
        """
        frame = small_frame(self.default_codec, self._encode[self.default_codec](message))
        if self._writing.acquire(timeout=TURN_S):
            try:
                if not self._closed:
                    self.transport.say_last(frame)
            finally:
                self._writing.release()
                if self._closed:
                    self._shut()

    def receive(self, timeout_s: float | None) -> list[Arrived] | None:
        """What the next bytes complete, perhaps nothing yet; None when no byte came in time.

        Raises:
            ConnectionLost: The stream ended.
            ProtocolError: The bytes are no frames of ours.
        """
        if self._trailing:
            data, self._trailing = self._trailing, b""
        else:
            received = self._receive(timeout_s)
            if received is None:
                return None
            data = received
        if self._meter is None:
            single = self._single(data)
            if single is not None:  # nearly always
                codec, body = single
                return [(self._decode[codec](body), _NO_BLOBS, codec, 0)]
        return self._receive_more(data)

    def _receive_more(self, data: bytes) -> list[Arrived]:
        if not data:
            raise ConnectionLost("the other end closed the connection")
        if self._meter is not None:
            self._count(len(data), 0)
        arrived = []
        for frame in self._frames.feed(data):
            codec = self._codecs.get(frame.codec)
            if codec is None:
                raise ProtocolError(f"a frame in codec {frame.codec}, which this end does not accept")
            size = len(frame.body) + len(frame.blobs)
            arrived.append((codec.decode(frame.body), frame.blobs, frame.codec, size))
        self.broken = self._frames.error
        return arrived

    @property
    def sending(self) -> bool:
        """Whether a thread is at it right now."""
        return self._writing.locked()

    def buffered(self) -> bool:
        """Whether bytes wait on this side of the socket, where no selector sees them."""
        return bool(self._trailing) or self.transport.buffered()

    def close(self) -> None:
        """Close the socket, once; nobody may be receiving. A sender that is at it closes it when it is through."""
        self._closed = True
        self._shut()

    def _shut(self) -> None:
        # Never waits: who closes may hold a lock that a sender wants in `full`.
        if self._writing.acquire(blocking=False):
            try:
                self.transport.close()
            finally:
                self._writing.release()

    def _count(self, received: int, sent: int) -> None:
        self._bytes_in += received
        self._bytes_out += sent
        assert self._meter is not None
        self._meter(self._bytes_in, self._bytes_out)
