"""The front door: accepts connections and walks them through TLS and the handshake, without a thread for silence.

A half-open connection is a socket in the selector, a few KiB of buffers and one deadline for all of its handshake.
Whoever has said something gets one of a few threads for the moment that its next step takes. These threads are the
door's own: strangers cannot use up those that serve clients, nor can busy clients keep anybody out.
"""

import contextlib
import errno
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ...errors import ConnectionDenied, EmporionError, ProtocolError
from ...validators.connection import Connection
from ..events import one_line
from ..workers import Parking, Workers
from .handshake import HostHandshake, denial
from .ports import address_of, close_socket, heard, open_socket, origin_of
from .tls_faults import PLAIN_ALERT, TLS_HELLO, client_fault
from .tls_transport import TLSTransport
from .transport import PlainTransport, Transport
from .waiting import LineBudget, WaitingRoom

if TYPE_CHECKING:
    from .tls import HostTLS

__all__ = ["HalfOpen", "Listener", "open_socket"]

log = logging.getLogger("emporion.connection")
T = TypeVar("T")

MAX_HALF_OPEN: Final = 256  # sockets in the middle of a handshake; more than a busy host has at one moment
HANDSHAKE_S: Final = 10.0  # for all of it: a slow network needs three round trips and some stretching of keys
STEP_THREADS: Final = 8  # a step takes some 100 us, TLS a few times that; a validator that asks a directory, longer
TURN_S: Final = 0.001  # that newcomers wait in the kernel while others have to be heard
READ_BYTES: Final = 8 * 1024  # one step of the handshake is at most 4 KiB
# More than any handshake has, certificates included. OpenSSL deals with key updates by itself, as long as they come,
# and only an end of the connection takes the thread out of that: somebody has to look.
LOOK_S: Final = 0.05
MOST_HEARD: Final = 128 * 1024
PAGE_S: Final = 60.0  # after which the log tells how many it left out, and tells of everybody again
_FULL: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Listener:
    """Accepts for one host.

    Args:
        handshake: Makes the host's half for a connection.
        admitted: Takes a connection whose handshake is done, on a thread of the door's.
        handshake_s: From accepting to the end of the handshake, whatever the peer sends meanwhile.
        most: Connections in the middle of their handshake; see `WaitingRoom` for who makes room.
    """

    def __init__(
        self,
        sock: socket.socket,
        tls: "HostTLS | None",
        *,
        parking: Parking,
        handshake: Callable[[Connection], HostHandshake],
        admitted: Callable[[Transport, Connection, HostHandshake], None],
        handshake_s: float = HANDSHAKE_S,
        most: int = MAX_HALF_OPEN,
    ) -> None:
        self.sock = sock
        self.tls = tls
        self.parking = parking
        self.handshake = handshake
        self.admitted = admitted
        self._handshake_s = handshake_s
        self._most = most
        self._workers = Workers(STEP_THREADS, "emporion-door")
        self._lock = threading.Lock()
        self._waiting: WaitingRoom[HalfOpen] = WaitingRoom(most)
        self._ready: dict[HalfOpen, None] = {}  # those that have said something; nobody is in it who has gone
        self._stepping = 0  # threads that take steps
        self._walking: dict[HalfOpen, int] = {}  # whom they walk, and which read of its own was on at the last look
        self._looking = False  # an alarm is set for the next look
        self._lines = LineBudget()
        self._ticking = False  # an alarm is set for whoever came first
        self._accepting = False
        self._closed = False

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
        self._closed = True
        with self._lock:
            half_open = list(self._waiting)
        for one in half_open:
            one.end("the host is closing")
        close_socket(self.sock)
        self._workers.close()
        self._turn_page()

    def half_open(self) -> int:
        """How many connections are in the middle of their handshake."""
        return len(self._waiting)

    # --- who comes ----------------------------------------------------------------------------------------------

    def _accept(self) -> None:
        """On the selector's thread: take what is there, a bounded number in a row."""
        for _ in range(64):
            try:
                sock, address = self.sock.accept()
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno not in _FULL:
                    continue  # this one is gone already: accept(2) reports its error
                if not self._made_room(error):  # leave it in the backlog, try again soon
                    self.parking.call_at(time.monotonic() + 0.1, self._watch)
                    return
                continue
            self._greet(sock, address)
        with self._lock:
            full = bool(self._ready) and self._waiting.in_the_way() is not None
        if full:  # those who have said something come before newcomers, who would take the places of the slowest
            self.parking.call_at(time.monotonic() + TURN_S, self._watch)
        else:
            self._watch()

    def _watch(self) -> None:
        if self._accepting:
            self.parking.watch(self.sock.fileno())

    def _made_room(self, error: OSError) -> bool:
        """Out of descriptors: what is half open has to give, here too."""
        with self._lock:
            stillest = self._waiting.stillest()
        if self.tells("this machine"):
            log.error("no room for another connection: %s; raise the limit (ulimit -n)", error.strerror)
        if stillest is not None:
            stillest.end("silent for longest, and the process has no descriptor left")
        return stillest is not None

    def _greet(self, sock: socket.socket, address: Any) -> None:
        sock.setblocking(False)
        one = HalfOpen(self, sock, address_of(sock, address), time.monotonic() + self._handshake_s)
        with self._lock:
            in_the_way = self._waiting.in_the_way()
        if in_the_way is not None:
            in_the_way.end(f"silent for longest of {self._most} connections in their handshake")
        with self._lock:
            self._waiting.enter(one, one.origin)
            first, self._ticking = not self._ticking, True
        one.begin()
        if first:
            self.parking.call_at(one.until_s, self._look_at_the_clock)

    def _look_at_the_clock(self) -> None:
        """On the selector's thread: end those whose time is over. One alarm for all: they came in this order."""
        while True:
            with self._lock:
                one = None if self._closed else self._waiting.first()
                if one is None:
                    self._ticking = False
                    return
            if one.until_s > time.monotonic():
                self.parking.call_at(one.until_s, self._look_at_the_clock)
                return
            one.end("no handshake in time")

    # --- what they say ------------------------------------------------------------------------------------------

    def ready(self, one: "HalfOpen") -> None:
        """`one` has said something: it gets a thread in turn."""
        with self._lock:
            self._ready[one] = None
            if self._stepping >= STEP_THREADS:
                return
            self._stepping += 1
        self._workers.submit(self._take_steps)

    def _take_steps(self) -> None:
        while True:
            with self._lock:
                one = next(iter(self._ready), None)
                if one is None:
                    self._stepping -= 1
                    return
                del self._ready[one]
                self._walking[one] = 0
                first, self._looking = not self._looking and self.tls is not None, True
            if first:
                self.parking.call_at(time.monotonic() + LOOK_S, self._look_at_readers)
            one.step()
            with self._lock:
                self._walking.pop(one, None)

    def _look_at_readers(self) -> None:
        """On the selector's thread: end those that talk without an end, each to a thread."""
        with self._lock:
            still = [one for one, read in self._walking.items() if read and read == one.reading]
            self._walking = {one: one.reading for one in self._walking}
            self._looking = bool(self._walking) and not self._closed
            again = self._looking
        for one in still:
            one.listen_no_more()
        if again:
            self.parking.call_at(time.monotonic() + LOOK_S, self._look_at_readers)

    def moved_on(self, one: "HalfOpen") -> None:
        """`one` has completed a step: others go before it now."""
        with self._lock:
            self._waiting.moved_on(one)

    def forget(self, one: "HalfOpen") -> None:
        with self._lock:
            self._waiting.leave(one)
            self._ready.pop(one, None)

    # --- what the log tells -------------------------------------------------------------------------------------

    def tells(self, origin: str) -> bool:
        """Whether the log has a line for one more that is refused; if not, it is counted, and told of later."""
        with self._lock:
            first = self._lines.blank and not self._closed
            told = self._lines.spend(origin)
        if first:
            self.parking.call_at(time.monotonic() + PAGE_S, self._turn_page)
        return told

    def _turn_page(self) -> None:
        with self._lock:
            left_out = self._lines.turn()
        if left_out:
            log.warning("%s", left_out)


class HalfOpen:
    """One connection before it is let in. `until_s` is its deadline on the clock of `time.monotonic`."""

    def __init__(self, listener: Listener, sock: socket.socket, address: tuple[str, int], until_s: float) -> None:
        self.until_s = until_s
        self.origin = origin_of(address[0])
        self._listener = listener
        self.sock = sock
        self._fd = sock.fileno()
        self._lock = threading.Lock()
        self._over = False  # ended, or let in
        self._let_in = False
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
                self._listener.parking.add(self._fd, self._readable)
                self._listener.parking.watch(self._fd)

    def _readable(self) -> None:
        self._listener.ready(self)

    def end(self, why: str) -> None:
        """Close it; from any thread, idempotent. `why`, if any, goes to the log."""
        with self._lock:
            if self._over:
                return
            self._over = True
            in_step = self._in_step
            self._listener.parking.remove(self._fd)
        self._connection.closed = True
        self._listener.forget(self)
        if why and self._listener.tells(self.origin):
            log.info("closed %s before it was let in: %s", self._connection.where, one_line(why, 300))
        with contextlib.suppress(OSError):
            if in_step:  # the step has the descriptor in its hands: its number must not become another socket's
                socket.socket.shutdown(self.sock, socket.SHUT_RDWR)
            else:
                self.sock.close()

    def _send_away(self, reason: str) -> None:
        """`Connection.close` before there is a session."""
        with self._lock:
            if self._let_in:
                self._sent_away = reason
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
            log.exception("the handshake with %s failed here", self._connection.where)
            self.end("this end failed")
        with self._lock:
            self._in_step = False
            if more and not self._over:
                self._listener.parking.watch(self._fd)
            if not self._over or self._let_in:
                return
        with contextlib.suppress(OSError):
            self.sock.close()

    def _advance(self) -> bool:
        """True when nothing more is to come: let in, or ended."""
        if self._handshake is None:
            if not self._encrypted():
                return False
            self._handshake = self._listener.handshake(self._connection)
            self._handshake.tells = lambda: self._listener.tells(self.origin)
        while True:
            try:
                data = self._read(lambda: self.sock.recv(READ_BYTES))
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
                if self._listener.tls is not None or not data.startswith(TLS_HELLO):
                    raise
                self._refuse("it speaks TLS, and this host does not: its URI begins with emporion+tcp://", PLAIN_ALERT)
                return True
            if answer:
                self.sock.sendall(answer)  # less than any socket's buffer: it does not wait, or raises
                self._listener.moved_on(self)
            if self._handshake.failed is not None:
                self.end("")  # the handshake has logged why
                return True
            if self._handshake.done:
                self._pass_on(self._handshake)
                return True

    def _encrypted(self) -> bool:
        """Whether TLS is up, where it is wanted."""
        tls = self._listener.tls
        if tls is None:
            return True
        if not isinstance(self.sock, ssl.SSLSocket):
            self._wrap(tls.context)
        assert isinstance(self.sock, ssl.SSLSocket)
        try:
            self._read(self.sock.do_handshake)
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
        self._listener.moved_on(self)
        try:
            self._connection.certificate = tls.client_certificate(self.sock)
        except ConnectionDenied as denied:
            self._refuse(denied.text, denial(denied.reason))
            return False
        return True

    def listen_no_more(self) -> None:
        """End it if so much has come that it cannot have been a handshake."""
        if heard(self.sock) > MOST_HEARD:
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
            self._listener.parking.remove(self._fd)
            self._fd = -1
        sock = context.wrap_socket(self.sock, server_side=True, do_handshake_on_connect=False,
                                   suppress_ragged_eofs=True)
        with self._lock:
            self.sock = sock
            if not self._over:
                self._fd = sock.fileno()
                self._listener.parking.add(self._fd, self._readable)

    def _refuse(self, why: str, answer: bytes = b"") -> None:
        """Deny a client whose TLS is not as it should be, before it has said anything.

        `answer` goes into the TLS connection where there is one; `PLAIN_ALERT` is what TLS itself would say.
        """
        if self._listener.tells(self.origin):
            log.warning("denied %s: %s", self._connection.where, one_line(why, 500))
        with contextlib.suppress(OSError, ValueError):
            if answer == PLAIN_ALERT:
                socket.socket.send(self.sock, answer)
            elif answer:
                self.sock.send(answer)
        self.end("")

    def _pass_on(self, handshake: HostHandshake) -> None:
        with self._lock:
            if self._over:
                return
            self._over = self._let_in = True
        self._listener.forget(self)
        self._listener.parking.remove(self._fd)
        transport: Transport = (
            TLSTransport(self.sock) if isinstance(self.sock, ssl.SSLSocket) else PlainTransport(self.sock)
        )
        try:
            self._listener.admitted(transport, self._connection, handshake)
        except BaseException:
            transport.close()
            raise
        with self._lock:
            sent_away = self._sent_away
        if sent_away is not None:
            self._connection.close(sent_away)  # there is a session now, which ends as sessions do
