"""Sockets: bytes in, bytes out. Owns a socket, and nothing of what the bytes mean.

One thread may receive while another sends. TLS is `tls_transport`: visits do without it, and without OpenSSL.
"""

import contextlib
import select
import socket
import struct
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from ...errors import ConnectionLost

__all__ = [
    "BULK_BYTES",
    "READ_BYTES",
    "PlainTransport",
    "Transport",
    "poll_ms",
    "shut_down",
    "wait_writable",
    "without_delay",
]

READ_BYTES: Final = 16 * 1024  # one receive: a whole frame for nearly every call
# While bulk data comes. Not always: CPython allocates the whole buffer for each receive, and one of this size costs a
# mapping of fresh memory each time (mmap, page faults, munmap); 16 KiB come from the heap.
BULK_BYTES: Final = 256 * 1024
FIRST_WAIT_S: Final = 0.005
_FIRST_WAIT: Final = struct.pack("@ll", 0, int(FIRST_WAIT_S * 1_000_000))  # a struct timeval
SEND_TIMEOUT_S: Final = 30.0  # a peer that takes nothing for this long is gone: its thread here is worth more
MAX_BUFFERS: Final = 512  # of one sendmsg; IOV_MAX is 1024 on Linux


class Transport(Protocol):
    """What the driver needs of a connection."""

    def receive(self, timeout_s: float | None) -> bytes | None:
        """Wait for bytes; ``b""`` at the end of the stream, None when the time is over."""
        ...

    def send(self, buffers: Sequence[bytes], full: Callable[[], None]) -> None:
        """Send all buffers; `full` is called before waiting for the peer to take some.

        Raises:
            ConnectionLost: The peer is gone, or takes nothing for 30 seconds.
        """
        ...

    def say_last(self, data: bytes) -> None:
        """Send as much of `data` as takes no waiting, for anybody; the connection is closed next anyway."""
        ...

    hides: bool  # whether bytes can wait on this side of the socket, where no selector sees them

    def buffered(self) -> bool:
        """Whether some do now."""
        ...

    def fileno(self) -> int: ...

    def abort(self) -> None:
        """Make every thread that waits here return at once; `close` follows from whoever owns it."""
        ...

    def close(self) -> None: ...


class PlainTransport:
    """A stream socket without encryption: TCP on request, Unix sockets, and the socketpair of a visit."""

    hides = False

    def __init__(self, sock: socket.socket) -> None:
        # The first wait is the receive itself, bounded by the kernel: mostly the answer comes within microseconds, and
        # a poll before each receive would cost as much as the receive. Sending never blocks (MSG_DONTWAIT).
        sock.setblocking(True)
        self._first_wait_s = FIRST_WAIT_S
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _FIRST_WAIT)
        except PermissionError:  # in a jail; there a receive waits as long as it takes
            self._first_wait_s = float("inf")
        self._sock = sock
        self._readable = select.poll()
        self._readable.register(sock, select.POLLIN)
        self._receive = sock.recv
        self._size = READ_BYTES
        without_delay(sock)

    def receive(self, timeout_s: float | None) -> bytes | None:
        if timeout_s is not None and timeout_s < self._first_wait_s and not self._readable.poll(poll_ms(timeout_s)):
            return None
        try:
            data = self._receive(self._size)
        except BlockingIOError:
            return self._receive_later(timeout_s)
        except OSError:
            return b""
        self._size = BULK_BYTES if len(data) == self._size else READ_BYTES
        return data

    def _receive_later(self, timeout_s: float | None) -> bytes | None:
        """Nothing came within the first wait."""
        if timeout_s is not None and timeout_s <= FIRST_WAIT_S:
            return None
        left_ms = None if timeout_s is None else poll_ms(timeout_s - FIRST_WAIT_S)
        while True:
            if not self._readable.poll(left_ms):
                return None
            try:
                return self._receive(self._size)
            except BlockingIOError:  # a checksum was wrong, says poll(2): the bytes that woke us are gone
                continue
            except OSError:
                return b""

    def send(self, buffers: Sequence[bytes], full: Callable[[], None]) -> None:
        try:
            if len(buffers) == 1:
                sent = self._sock.send(buffers[0], socket.MSG_DONTWAIT)
                if sent == len(buffers[0]):
                    return
            else:
                sent = self._sock.sendmsg(buffers[:MAX_BUFFERS], (), socket.MSG_DONTWAIT)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            raise ConnectionLost(f"the connection broke while sending: {error}") from None
        full()
        self._send_rest(_skip(buffers, sent))

    def _send_rest(self, rest: list[memoryview]) -> None:
        while rest:
            wait_writable(self._sock)
            try:
                rest = _skip(rest, self._sock.sendmsg(rest[:MAX_BUFFERS], (), socket.MSG_DONTWAIT))
            except BlockingIOError:
                continue
            except OSError as error:
                raise ConnectionLost(f"the connection broke while sending: {error}") from None

    def say_last(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            self._sock.send(data, socket.MSG_DONTWAIT)

    def buffered(self) -> bool:
        return False

    def fileno(self) -> int:
        return self._sock.fileno()

    def abort(self) -> None:
        shut_down(self._sock)

    def close(self) -> None:
        shut_down(self._sock)
        self._sock.close()


def without_delay(sock: socket.socket) -> None:
    """Send small frames at once, where TCP would wait for more."""
    if sock.family in (socket.AF_INET, socket.AF_INET6):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def poll_ms(timeout_s: float) -> float:
    """`timeout_s` for poll(2), whose int of milliseconds ends at 24 days: at most one, and who waits comes again."""
    return min(timeout_s, 86_400.0) * 1000


def wait_writable(sock: socket.socket) -> None:
    """Wait until the peer takes bytes; `ConnectionLost` after `SEND_TIMEOUT_S`."""
    poll = select.poll()
    try:
        poll.register(sock, select.POLLOUT)
    except (OSError, ValueError):
        raise ConnectionLost("the connection was closed while sending") from None
    if not poll.poll(SEND_TIMEOUT_S * 1000):
        raise ConnectionLost(f"the peer took no bytes for {SEND_TIMEOUT_S:g} seconds")


def _skip(buffers: Sequence[bytes | memoryview], sent: int) -> list[memoryview]:
    """What is left of `buffers` once `sent` bytes are gone, without copying."""
    rest: list[memoryview] = []
    for buffer in buffers:
        view = memoryview(buffer).cast("B")
        if sent >= len(view):
            sent -= len(view)
            continue
        rest.append(view[sent:])
        sent = 0
    return rest


def shut_down(sock: socket.socket) -> None:
    """End both directions, so that whoever waits on the socket returns."""
    # Not through ssl: its shutdown talks to the peer, and this one only has to wake whoever waits.
    with contextlib.suppress(OSError, ValueError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
