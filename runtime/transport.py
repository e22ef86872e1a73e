"""Sockets: bytes in, bytes out, with or without TLS. Owns a non-blocking socket, and nothing of what the bytes mean.

One thread may receive while another sends. OpenSSL objects bear no two threads at once, so with TLS each single
operation holds a lock, and waiting is done outside of it: a sender that waits for the peer never keeps the receiver
out.
"""

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from ..errors import ConnectionLost

__all__ = ["PlainTransport", "TLSTransport", "Transport"]

READ_BYTES: Final = 16 * 1024  # one receive: a whole frame for nearly every call
# While bulk data comes. Not always: CPython allocates the whole buffer for each receive, and one of this size costs a
# mapping of fresh memory each time, 20 us; 16 KiB come from the heap.
BULK_BYTES: Final = 256 * 1024
SEND_TIMEOUT_S: Final = 30.0  # a peer that takes nothing for this long is gone: its thread here is worth more
MAX_BUFFERS: Final = 512  # of one sendmsg; IOV_MAX is 1024 on Linux
TLS_RECORD_BYTES: Final = 16 * 1024  # RFC 8446, section 5.1: the plaintext of one record


class Transport(Protocol):
    """What the driver needs of a connection."""

    def receive(self) -> bytes | None:
        """Bytes, ``b""`` at the end of the stream, or None where nothing is there yet."""
        ...

    def wait_readable(self, timeout_s: float | None) -> bool:
        """Wait until `receive` has something to say; False when the time is over."""
        ...

    def send(self, buffers: Sequence[bytes], full: Callable[[], None]) -> None:
        """Send all buffers; `full` is called before waiting for the peer to take some.

        Raises:
            ConnectionLost: The peer is gone, or takes nothing for 30 seconds.
        """
        ...

    def buffered(self) -> bool:
        """Whether bytes wait on this side of the socket, where no selector sees them."""
        ...

    def fileno(self) -> int: ...

    def abort(self) -> None:
        """Make every thread that waits here return at once; `close` follows from whoever owns it."""
        ...

    def close(self) -> None: ...


class PlainTransport:
    """A stream socket without encryption: TCP on request, Unix sockets, and the socketpair of a visit."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._readable = select.poll()
        self._readable.register(sock, select.POLLIN)
        self._receive = sock.recv
        self._size = READ_BYTES
        _without_delay(sock)

    def receive(self) -> bytes | None:
        try:
            data = self._receive(self._size)
            self._size = BULK_BYTES if len(data) == self._size else READ_BYTES
            return data
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def wait_readable(self, timeout_s: float | None) -> bool:
        return bool(self._readable.poll(None if timeout_s is None else timeout_s * 1000))

    def send(self, buffers: Sequence[bytes], full: Callable[[], None]) -> None:
        try:
            if len(buffers) == 1:
                sent = self._sock.send(buffers[0])
                if sent == len(buffers[0]):
                    return
            else:
                sent = self._sock.sendmsg(buffers[:MAX_BUFFERS])
        except BlockingIOError:
            sent = 0
        except OSError as error:
            raise ConnectionLost(f"the connection broke while sending: {error}") from None
        full()
        self._send_rest(_skip(buffers, sent))

    def _send_rest(self, rest: list[memoryview]) -> None:
        while rest:
            _wait_writable(self._sock)
            try:
                rest = _skip(rest, self._sock.sendmsg(rest[:MAX_BUFFERS]))
            except BlockingIOError:
                continue
            except OSError as error:
                raise ConnectionLost(f"the connection broke while sending: {error}") from None

    def buffered(self) -> bool:
        return False

    def fileno(self) -> int:
        return self._sock.fileno()

    def abort(self) -> None:
        _shutdown(self._sock)

    def close(self) -> None:
        _shutdown(self._sock)
        self._sock.close()


class TLSTransport:
    """A TLS 1.3 connection whose handshake is done."""

    def __init__(self, sock: ssl.SSLSocket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._lock = threading.Lock()
        self._readable = select.poll()
        self._readable.register(sock, select.POLLIN)
        _without_delay(sock)

    def receive(self) -> bytes | None:
        with self._lock:
            try:
                data = self._sock.recv(READ_BYTES)
                return data if len(data) < TLS_RECORD_BYTES else self._drain(data)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                # TLS 1.3 has no renegotiation, and a key update is answered from OpenSSL's own buffer: reading
                # only ever waits for reading.
                return None
            except OSError:  # ssl.SSLError is one: a broken record ends the connection like a cut one
                return b""

    def _drain(self, first: bytes) -> bytes:
        """More records of a large frame, as far as they are decrypted or at hand: fewer turns for the reader."""
        parts, size = [first], len(first)
        while size < BULK_BYTES:
            try:
                part = self._sock.recv(READ_BYTES)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                break
            except OSError:
                break  # the next receive reports the end; these bytes came before it
            if not part:
                break
            parts.append(part)
            size += len(part)
        return b"".join(parts)

    def wait_readable(self, timeout_s: float | None) -> bool:
        if self.buffered():
            return True
        return bool(self._readable.poll(None if timeout_s is None else timeout_s * 1000))

    def send(self, buffers: Sequence[bytes], full: Callable[[], None]) -> None:
        for buffer in buffers:
            view = memoryview(buffer).cast("B")
            while view:
                view = view[self._send_some(view, full) :]

    def _send_some(self, view: memoryview, full: Callable[[], None]) -> int:
        try:
            with self._lock:
                return self._sock.send(view)
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
            full()
            _wait_writable(self._sock)
            return 0
        except (OSError, ValueError) as error:
            raise ConnectionLost(f"the connection broke while sending: {error}") from None

    def buffered(self) -> bool:
        with self._lock:
            try:
                return self._sock.pending() > 0
            except (OSError, ValueError):
                return True  # closed under us: let the reader find out

    def fileno(self) -> int:
        return self._sock.fileno()

    def abort(self) -> None:
        _shutdown(self._sock)

    def close(self) -> None:
        _shutdown(self._sock)
        with self._lock:
            self._sock.close()


def _without_delay(sock: socket.socket) -> None:
    if sock.family in (socket.AF_INET, socket.AF_INET6):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _wait_writable(sock: socket.socket) -> None:
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


def _shutdown(sock: socket.socket) -> None:
    # Not through ssl: its shutdown talks to the peer, and this one only has to wake whoever waits.
    with contextlib.suppress(OSError, ValueError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
