"""The front door: accepts connections and walks them through TLS and the handshake, without a thread for silence.

A half-open connection is a socket in the selector, a few KiB of buffers and one deadline. Whoever has said enough gets
a worker for the moment that its next step takes. When there are too many, the one that has been silent longest goes:
a flood of silent peers cannot keep anybody out.
"""

import contextlib
import functools
import logging
import os
import socket
import ssl
import stat
import struct
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ...errors import ConfigurationError, ConnectionDenied, EmporionError, ProtocolError
from ...validators.connection import Connection
from ..events import one_line
from ..workers import Parking, Workers
from .handshake import HostHandshake, denial
from .tls_faults import PLAIN_ALERT, TLS_HELLO, client_fault
from .tls_transport import TLSTransport
from .transport import PlainTransport, Transport
from .uri import UNIX, Listen

if TYPE_CHECKING:
    from .tls import HostTLS

__all__ = ["HalfOpen", "Listener", "open_socket"]

log = logging.getLogger("emporion.connection")

MAX_HALF_OPEN: Final = 256  # sockets in the middle of a handshake; more than a busy host has at one moment
HANDSHAKE_S: Final = 10.0  # for all of it: a slow network needs three round trips and some stretching of keys
READ_BYTES: Final = 8 * 1024  # one step of the handshake is at most 4 KiB
BACKLOG: Final = 512


def open_socket(listen: Listen) -> socket.socket:
    """Bind and listen.

    Raises:
        ConfigurationError: The address cannot be had; the text says what to do.
    """
    if listen.scheme == UNIX:
        return _unix_socket(Path(listen.path))
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((listen.host, listen.port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        text = f"cannot listen on {listen}: {error.strerror}; is another host running there?"
        raise ConfigurationError(text) from None
    sock.setblocking(False)
    return sock


def _unix_socket(path: Path) -> socket.socket:
    """A socket in the file system that only its owner can reach; a dead one in its place is removed."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.exists():
            if not stat.S_ISSOCK(path.stat().st_mode):
                raise ConfigurationError(f"cannot listen on {path}: there is a file of another kind")
            with contextlib.suppress(ConnectionRefusedError), socket.socket(socket.AF_UNIX) as probe:
                probe.connect(str(path))
                raise ConfigurationError(f"cannot listen on {path}: another host is running there")
            path.unlink()
        before = os.umask(0o177)
        try:
            sock.bind(str(path))
        finally:
            os.umask(before)
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise ConfigurationError(f"cannot listen on {path}: {error.strerror}") from None
    except BaseException:
        sock.close()
        raise
    sock.setblocking(False)
    return sock


class Listener:
    """Accepts for one host.

    Args:
        handshake: Makes the host's half for a connection.
        admitted: Takes a connection whose handshake is done, on a worker thread.
    """

    def __init__(
        self,
        sock: socket.socket,
        tls: "HostTLS | None",
        *,
        parking: Parking,
        workers: Workers,
        handshake: Callable[[Connection], HostHandshake],
        admitted: Callable[[Transport, Connection, HostHandshake], None],
    ) -> None:
        self.sock = sock
        self.tls = tls
        self.parking = parking
        self.workers = workers
        self.handshake = handshake
        self.admitted = admitted
        self._lock = threading.Lock()
        self._half_open: dict[HalfOpen, None] = {}  # the longest silent first
        self._accepting = False

    def start(self) -> None:
        """Begin to accept; what has been waiting in the backlog comes first."""
        if not self._accepting:
            self._accepting = True
            self.parking.add(self.sock.fileno(), self._accept)
            self.parking.watch(self.sock.fileno())

    def stop(self) -> None:
        """Accept nobody any more; the socket stays bound until `close`."""
        if self._accepting:
            self._accepting = False
            self.parking.remove(self.sock.fileno())

    def close(self) -> None:
        """Stop, and end what is half open."""
        self.stop()
        with self._lock:
            half_open = list(self._half_open)
        for one in half_open:
            one.end("the host is closing")
        self.sock.close()

    def half_open(self) -> int:
        """How many connections are in the middle of their handshake."""
        return len(self._half_open)

    def _accept(self) -> None:
        """On the selector's thread: take what is there, a bounded number in a row."""
        for _ in range(64):
            try:
                sock, address = self.sock.accept()
            except BlockingIOError:
                break
            except OSError as error:  # out of descriptors: leave it in the backlog, try again soon
                log.error("cannot accept a connection: %s", error.strerror)
                self.parking.call_at(time.monotonic() + 0.1, self._watch)
                return
            self._greet(sock, address)
        self._watch()

    def _watch(self) -> None:
        if self._accepting:
            self.parking.watch(self.sock.fileno())

    def _greet(self, sock: socket.socket, address: Any) -> None:
        sock.setblocking(False)
        with self._lock:
            oldest = next(iter(self._half_open)) if len(self._half_open) >= MAX_HALF_OPEN else None
        if oldest is not None:
            oldest.end(f"silent for longest of {MAX_HALF_OPEN} connections in their handshake")
        one = HalfOpen(self, sock, _address(sock, address))
        with self._lock:
            self._half_open[one] = None
        one.begin()

    def heard(self, one: "HalfOpen") -> None:
        """`one` said something: it is the last to go now."""
        with self._lock:
            if self._half_open.pop(one, 0) is None:
                self._half_open[one] = None

    def forget(self, one: "HalfOpen") -> None:
        with self._lock:
            self._half_open.pop(one, None)


class HalfOpen:
    """One connection before it is let in."""

    def __init__(self, listener: Listener, sock: socket.socket, address: tuple[str, int]) -> None:
        self._listener = listener
        self._sock = sock
        self._fd = sock.fileno()
        self._lock = threading.Lock()
        self._over = False
        self._connection = Connection(address)
        self._handshake: HostHandshake | None = None

    def begin(self) -> None:
        """Wait for the client's first bytes; the deadline runs."""
        listener = self._listener
        listener.parking.add(self._fd, lambda: listener.workers.submit(self._step))
        # Weakly: the clock holds on for the whole time, and with the handshake it would hold a guest that has left.
        listener.parking.call_at(time.monotonic() + HANDSHAKE_S, functools.partial(_too_late, weakref.ref(self)))
        listener.parking.watch(self._fd)

    def end(self, why: str = "") -> None:
        """Close it; from any thread, idempotent. A step that is under way runs into the closed socket.

        `why` goes to the log; empty: it has been told there.
        """
        with self._lock:
            if self._over:
                return
            self._over = True
        self._connection.closed = True
        self._listener.forget(self)
        self._listener.parking.remove(self._fd)
        if why:
            log.info("closed %s before it was let in: %s", self._connection.address, why)
        with contextlib.suppress(OSError):
            self._sock.close()

    def _step(self) -> None:
        """On a worker: one step forward with what has come."""
        self._listener.heard(self)
        try:
            if not self._advance():
                with self._lock:
                    if not self._over:
                        self._listener.parking.watch(self._fd)
        except (OSError, ValueError, EmporionError) as error:
            self.end(f"{type(error).__name__}: {error}"[:300])

    def _advance(self) -> bool:
        """True when nothing more is to come: let in, or ended."""
        if self._handshake is None:
            if not self._encrypted():
                return False
            self._handshake = self._listener.handshake(self._connection)
        while True:
            try:
                data = self._sock.recv(READ_BYTES)
            except (BlockingIOError, ssl.SSLWantReadError):
                return False
            if not data:
                self.end("the client left")
                return True
            try:
                answer = self._handshake.receive(data)
            except ProtocolError:
                if self._listener.tls is not None or not data.startswith(TLS_HELLO):
                    raise
                self._refuse("it speaks TLS, and this host does not: its URI begins with emporion+tcp://", PLAIN_ALERT)
                return True
            if answer:
                self._sock.sendall(answer)  # less than any socket's buffer: it does not wait
            if self._handshake.failed is not None:
                self.end()
                return True
            if self._handshake.done:
                self._let_in()
                return True

    def _encrypted(self) -> bool:
        """Whether TLS is up, where it is wanted."""
        tls = self._listener.tls
        if tls is None:
            return True
        if not isinstance(self._sock, ssl.SSLSocket):
            self._sock = tls.context.wrap_socket(self._sock, server_side=True, do_handshake_on_connect=False,
                                                 suppress_ragged_eofs=True)
        assert isinstance(self._sock, ssl.SSLSocket)
        try:
            self._sock.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
            self.end("the client left")
            return False
        except ssl.SSLError as error:
            # OpenSSL tells who speaks TLS by an alert, and says nothing to who does not.
            self._refuse(client_fault(error), PLAIN_ALERT if error.reason == "WRONG_VERSION_NUMBER" else b"")
            return False
        try:
            self._connection.certificate = tls.client_certificate(self._sock)
        except ConnectionDenied as denied:
            self._refuse(denied.text, denial(denied.reason))
            return False
        return True

    def _refuse(self, why: str, answer: bytes = b"") -> None:
        """Deny a client whose TLS is not as it should be, before it has said anything.

        `answer` goes into the TLS connection where there is one; `PLAIN_ALERT` is what TLS itself would say.
        """
        log.warning("denied %s: %s", self._connection.address, one_line(why, 500))
        with contextlib.suppress(OSError, ValueError):
            if answer == PLAIN_ALERT:
                socket.socket.send(self._sock, answer)
            elif answer:
                self._sock.send(answer)
        self.end()

    def _let_in(self) -> None:
        with self._lock:
            if self._over:
                return
            self._over = True
        self._listener.forget(self)
        self._listener.parking.remove(self._fd)
        assert self._handshake is not None
        transport: Transport = (
            TLSTransport(self._sock) if isinstance(self._sock, ssl.SSLSocket) else PlainTransport(self._sock)
        )
        self._listener.admitted(transport, self._connection, self._handshake)


def _too_late(half_open: "weakref.ref[HalfOpen]") -> None:
    one = half_open()
    if one is not None:
        one.end("no handshake in time")


def _address(sock: socket.socket, address: Any) -> tuple[str, int]:
    """(ip, port); for a Unix socket ("uid=1000,pid=123", 0): the kernel's word on who connected (SO_PEERCRED)."""
    if sock.family == socket.AF_UNIX:
        pid, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        return f"uid={uid},pid={pid}", 0
    return str(address[0]), int(address[1])


