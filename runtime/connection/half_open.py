"""One connection before it is let in: its socket, its TLS, its handshake, and the one end that it comes to."""

import contextlib
import logging
import socket
import ssl
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from ...errors import ConnectionDenied, EmporionError, ProtocolError
from ...validators.connection import Connection
from ..events import one_line
from ..workers import Parking
from .handshake import HostHandshake, denial
from .ports import heard, origin_of
from .tls_faults import PLAIN_ALERT, TLS_HELLO, client_fault
from .tls_transport import TLSTransport
from .transport import PlainTransport, Transport

if TYPE_CHECKING:
    from .tls import HostTLS

__all__ = ["Door", "HalfOpen"]

log = logging.getLogger("emporion.connection")
T = TypeVar("T")

READ_BYTES: Final = 8 * 1024  # one step of the handshake is at most 4 KiB
# More than any handshake has, certificates included. OpenSSL deals with key updates by itself, as long as they come,
# and only an end of the connection takes the thread out of that: the listener looks.
MOST_HEARD: Final = 128 * 1024


class Door(Protocol):
    """What a half-open connection asks of whoever accepted it."""

    parking: Parking
    tls: "HostTLS | None"

    @property
    def handshake(self) -> Callable[[Connection], HostHandshake]:
        """Makes the host's half for a connection."""
        ...

    @property
    def admitted(self) -> Callable[[Transport, Connection, HostHandshake], None]:
        """Takes a connection whose handshake is done."""
        ...

    def ready(self, one: "HalfOpen") -> None:
        """`one` has said something: it gets a thread in turn."""
        ...

    def moved_on(self, one: "HalfOpen") -> None:
        """`one` has completed a step: others go before it now."""
        ...

    def forget(self, one: "HalfOpen") -> None:
        """`one` is over, or has been let in."""
        ...

    def tells(self, origin: str) -> bool:
        """Whether the log has a line for one more that is refused; if not, it is counted, and told of later."""
        ...


class HalfOpen:
    """One connection before it is let in. `until_s` is its deadline on the clock of `time.monotonic`."""

    def __init__(self, door: Door, sock: socket.socket, address: tuple[str, int], until_s: float) -> None:
        self.until_s = until_s
        self.origin = origin_of(address[0])
        self._door = door
        self._sock = sock
        self._fd = sock.fileno()
        self._lock = threading.Lock()
        self._over = False  # ended, or let in
        self._let_in = False
        self._inside = False  # `admitted` is through: there is a session
        self._in_step = False
        self._reads = 0
        self.reading = 0  # the number of the read in which OpenSSL is now; 0: in none
        self._sent_away: str | None = None  # a validator closed the connection while it was being let in
        self._connection = Connection(address, on_close=self._send_away)
        self._handshake: HostHandshake | None = None

    def begin(self) -> None:
        """Wait for the client's first bytes."""
        with self._lock:
            if not self._over:
                self._door.parking.add(self._fd, self._readable)
                self._door.parking.watch(self._fd)

    def _readable(self) -> None:
        self._door.ready(self)

    def end(self, why: str) -> None:
        """Close it; from any thread, idempotent. `why`, if any, goes to the log."""
        with self._lock:
            if self._over:
                return
            self._over = True
            in_step = self._in_step
            self._door.parking.remove(self._fd)
        self._connection.closed = True
        self._door.forget(self)
        if why and self._door.tells(self.origin):
            log.info("closed %s before it was let in: %s", self._connection.where, one_line(why, 300))
        with contextlib.suppress(OSError):
            if in_step:  # the step has the descriptor in its hands: its number must not become another socket's
                socket.socket.shutdown(self._sock, socket.SHUT_RDWR)
            else:
                self._sock.close()

    def fail(self, what: str) -> None:
        """Close it for what is being handled, which is this end's own fault: the log has `what`, and the traceback."""
        if self._door.tells(self.origin):  # strangers who know how to bring it about must not fill the disk either
            log.exception(what, self._connection.where)
        self.end("this end failed")

    def _send_away(self, reason: str) -> None:
        """`Connection.close` before there is a session; who calls it may come late."""
        with self._lock:
            inside = self._inside
            if self._let_in:
                self._sent_away = reason
        if inside:
            self._connection.close(reason)  # which is the session's by now
            return
        self.end(f"its connection was closed here: {reason}" if reason else "its connection was closed here")

    def step(self) -> None:
        """On a thread of the door's: one step forward with what has come."""
        with self._lock:
            # In a step already: the selector's word was about the socket that had this number before. Two threads in
            # one OpenSSL object would be the end of the process; the step that runs looks again when it is through.
            if self._over or self._in_step:
                return
            self._in_step = True
        more = False
        try:
            more = not self._advance()
        except (OSError, ValueError, EmporionError) as error:
            self.end(f"{type(error).__name__}: {error}")
        except BaseException:  # nobody should wait for this one until its deadline, and the thread has others to walk
            self.fail("the handshake with %s failed here")
        with self._lock:
            self._in_step = False
            if more and not self._over:
                self._door.parking.watch(self._fd)
            if not self._over or self._let_in:
                return
        with contextlib.suppress(OSError):
            self._sock.close()

    def _advance(self) -> bool:
        """True when nothing more is to come: let in, or ended."""
        if self._handshake is None:
            if not self._encrypted():
                return False
            self._handshake = self._door.handshake(self._connection)
            self._handshake.tells = lambda: self._door.tells(self.origin)
        while True:
            try:
                data = self._read(lambda: self._sock.recv(READ_BYTES))
            except BlockingIOError:
                return False
            except ssl.SSLWantReadError:
                self.listen_no_more()
                return False
            if not data:
                self.end("the client left")
                return True
            try:
                answer = self._handshake.receive(data)
            except ProtocolError:
                if self._door.tls is not None or not data.startswith(TLS_HELLO):
                    raise
                self._refuse("it speaks TLS, and this host does not: its URI begins with emporion+tcp://", PLAIN_ALERT)
                return True
            if answer:
                self._sock.sendall(answer)  # less than any socket's buffer: it does not wait, or raises
                self._door.moved_on(self)
            if self._handshake.failed is not None:
                self.end("")  # the handshake has logged why
                return True
            if self._handshake.done:
                self._pass_on(self._handshake)
                return True

    def _encrypted(self) -> bool:
        """Whether TLS is up, where it is wanted."""
        tls = self._door.tls
        if tls is None:
            return True
        if not isinstance(self._sock, ssl.SSLSocket):
            self._wrap(tls.context)
        assert isinstance(self._sock, ssl.SSLSocket)
        try:
            self._read(self._sock.do_handshake)
        except ssl.SSLWantReadError:
            self.listen_no_more()
            return False
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
            self.end("the client left")
            return False
        except ssl.SSLError as error:
            # OpenSSL tells who speaks TLS by an alert, and says nothing to who does not.
            self._refuse(client_fault(error), PLAIN_ALERT if error.reason == "WRONG_VERSION_NUMBER" else b"")
            return False
        self._door.moved_on(self)
        try:
            self._connection.certificate = tls.client_certificate(self._sock)
        except ConnectionDenied as denied:
            self._refuse(denied.text, denial(denied.reason))
            return False
        return True

    def listen_no_more(self) -> None:
        """End it if so much has come that it cannot have been a handshake."""
        if heard(self._sock) > MOST_HEARD:
            self.end(f"more than {MOST_HEARD} bytes, and no handshake in them")

    def _read(self, read: Callable[[], T]) -> T:
        self._reads += 1
        self.reading = self._reads
        try:
            return read()
        finally:
            self.reading = 0

    def _wrap(self, context: ssl.SSLContext) -> None:
        """Make the socket one of TLS; nothing is sent yet."""
        with self._lock:
            # Where the peer has sent a reset this closes the socket, and somebody new has its number at once: the
            # selector must have forgotten it before, or it would forget them.
            self._door.parking.remove(self._fd)
            self._fd = -1
        sock = context.wrap_socket(self._sock, server_side=True, do_handshake_on_connect=False,
                                   suppress_ragged_eofs=True)
        with self._lock:
            self._sock = sock
            if not self._over:
                self._fd = sock.fileno()
                self._door.parking.add(self._fd, self._readable)

    def _refuse(self, why: str, answer: bytes = b"") -> None:
        """Deny a client whose TLS is not as it should be, before it has said anything.

        `answer` goes into the TLS connection where there is one; `PLAIN_ALERT` is what TLS itself would say.
        """
        if self._door.tells(self.origin):
            log.warning("denied %s: %s", self._connection.where, one_line(why, 500))
        with contextlib.suppress(OSError, ValueError):
            if answer == PLAIN_ALERT:
                socket.socket.send(self._sock, answer)
            elif answer:
                self._sock.send(answer)
        self.end("")

    def _pass_on(self, handshake: HostHandshake) -> None:
        with self._lock:
            if self._over:
                return
            self._over = self._let_in = True
        self._door.forget(self)
        self._door.parking.remove(self._fd)
        transport: Transport = (
            TLSTransport(self._sock) if isinstance(self._sock, ssl.SSLSocket) else PlainTransport(self._sock)
        )
        try:
            self._door.admitted(transport, self._connection, handshake)
        except BaseException:
            self._connection.closed = True
            transport.close()
            raise
        with self._lock:
            self._inside = True
            sent_away = self._sent_away
        if sent_away is not None:
            self._connection.close(sent_away)  # there is a session now, which ends as sessions do
