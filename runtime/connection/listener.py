"""The front door: accepts connections and walks them through TLS and the handshake, without a thread for silence.

A half-open connection is a socket in the selector, a few KiB of buffers and one deadline for all of its handshake.
Whoever has said something gets one of a few threads for the moment that its next step takes. These threads are the
door's own: strangers cannot use up those that serve clients, nor can busy clients keep anybody out.
"""

import errno
import logging
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from ...validators.connection import Connection
from ..workers import Parking, Workers
from .half_open import HalfOpen
from .handshake import HostHandshake
from .ports import address_of, close_socket
from .transport import Transport, without_delay
from .waiting import LineBudget, WaitingRoom

if TYPE_CHECKING:
    from .tls import HostTLS

__all__ = ["Listener"]

log = logging.getLogger("emporion.connection")

MAX_HALF_OPEN: Final = 256  # sockets in the middle of a handshake; more than a busy host has at one moment
HANDSHAKE_S: Final = 10.0  # for all of it: a slow network needs three round trips and some stretching of keys
MOST_OF_ONE: Final = 6  # of these, for one origin: where a validator waits for somebody, others still get in
STEP_THREADS: Final = 8  # a step takes some 100 us, TLS a few times that; a validator that asks a directory, longer
TURN_S: Final = 0.001  # that newcomers wait in the kernel while others have to be heard
FULL_S: Final = 0.1  # the same, while there is no descriptor for anybody, and nobody half open who could give one
LOOK_S: Final = 0.05  # between two looks at who keeps a thread reading
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
        with self._lock:
            if self._accepting or self._closed:
                return
            self._accepting = True
            self.parking.add(self.sock.fileno(), self._accept)
            self.parking.watch(self.sock.fileno())

    def stop(self) -> None:
        """Accept nobody any more; the socket stays bound until `close`."""
        with self._lock:
            if self._accepting:
                self._accepting = False
                self.parking.remove(self.sock.fileno())

    def close(self) -> None:
        """Stop, and end what is half open."""
        self.stop()
        with self._lock:
            self._closed = True  # `_greet` looks at it, on the selector's thread
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
        """On the selector's thread: take what is there, and look again, whatever became of it."""
        again_s = 0.0
        try:
            again_s = self._take_newcomers()
        finally:
            if again_s:
                self.parking.call_at(time.monotonic() + again_s, self._watch)
            else:
                self._watch()

    def _take_newcomers(self) -> float:
        """Take a bounded number in a row; gives the seconds for which the others have to wait in the kernel."""
        for _ in range(64):
            try:
                sock, address = self.sock.accept()
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno not in _FULL:
                    continue  # this one is gone already: accept(2) reports its error
                if not self._made_room(error):
                    return FULL_S
                continue
            self._greet(sock, address)
        with self._lock:
            # Those who have said something come before newcomers, who would take the places of the slowest.
            return TURN_S if self._ready and self._waiting.in_the_way() is not None else 0.0

    def _watch(self) -> None:
        with self._lock:
            if self._accepting:
                self.parking.watch(self.sock.fileno())

    def _made_room(self, error: OSError) -> bool:
        """Out of descriptors: what is half open has to give, here too."""
        with self._lock:
            first = self._waiting.first_to_go()
        if self.tells("this machine"):
            log.error("no room for another connection: %s; raise the limit (ulimit -n)", error.strerror)
        if first is not None:
            first.end("silent for longest, and the process has no descriptor left")
        return first is not None

    def _greet(self, sock: socket.socket, address: Any) -> None:
        try:
            sock.setblocking(False)
            without_delay(sock)
            one = HalfOpen(self, sock, address_of(sock, address), time.monotonic() + self._handshake_s)
        except BaseException:
            sock.close()
            raise
        with self._lock:
            in_the_way = self._waiting.in_the_way()
        if in_the_way is not None:
            in_the_way.end(f"silent for longest of {self._most} connections in their handshake")
        with self._lock:
            self._waiting.enter(one, one.origin)
            first, self._ticking = not self._ticking, True
            closed = self._closed
        if closed:  # on another thread, which has perhaps ended those who were here before
            one.end("the host is closing")
        try:
            one.begin()
        except (OSError, ValueError) as error:  # the kernel watches no more of them: that must not shut the door
            one.end(f"it cannot be watched: {error}")
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
        with self._lock:
            self._waiting.heard(one)
            self._ready[one] = None
            if self._stepping >= STEP_THREADS:
                return
            self._stepping += 1
        try:
            self._workers.submit(self._take_steps)
        except RuntimeError as error:
            with self._lock:
                self._stepping -= 1
            one.end(f"there is no thread for it: {error}")

    def _take_steps(self) -> None:
        """On a thread of the door's, as long as somebody has said something."""
        while True:
            with self._lock:
                one = self._next()
                if one is None:
                    self._stepping -= 1
                    return
                del self._ready[one]
                self._walking[one] = 0
                first, self._looking = not self._looking and self.tls is not None, True
            if first:
                self.parking.call_at(time.monotonic() + LOOK_S, self._look_at_readers)
            try:
                one.step()
            except Exception:  # a thread that is lost here would be lost to everybody
                one.fail("a step of the handshake with %s failed here")
            finally:
                with self._lock:
                    self._walking.pop(one, None)

    def _next(self) -> "HalfOpen | None":
        """With the lock held: whose turn it is. An origin that has its share of the threads waits for one of these."""
        walked = Counter(one.origin for one in self._walking)
        return next((one for one in self._ready if walked[one.origin] < MOST_OF_ONE), None)

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
        with self._lock:
            self._waiting.moved_on(one)

    def forget(self, one: "HalfOpen") -> None:
        with self._lock:
            self._waiting.leave(one)
            self._ready.pop(one, None)

    # --- what the log tells -------------------------------------------------------------------------------------

    def tells(self, origin: str) -> bool:
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
