"""One connection as threads see it: who reads, who sends, how it ends. What the messages mean is the driver's.

At most one thread reads. Who stops reading hands over to a thread that waits, else to the selector.
"""

import contextlib
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from threading import get_ident

from ...errors import ConnectionLost, EmporionError, ProtocolError, ValueNotPortable
from ..wire.messages import Message
from ..workers import Parking, Workers
from .channel import Arrived, Channel

__all__ = ["Line", "Waiter"]


class Waiter:
    """How to wake a thread that waits: a lock used as a bell, cheaper than an Event."""

    __slots__ = ("bell", "idle")

    def __init__(self) -> None:
        self.bell = threading.Lock()
        self.bell.acquire()
        self.idle = False

    def ring(self) -> None:
        """With the line's lock held."""
        if self.idle:
            self.idle = False
            self.bell.release()


class Line(ABC):
    """The turns of one connection's threads.

    Args:
        parking, workers: Where the connection goes when no thread of its own waits. None at an end with one thread.
    """

    def __init__(self, channel: Channel, *, parking: Parking | None, workers: Workers | None) -> None:
        self._channel = channel
        self._parking = parking
        self._workers = workers
        self._lock = threading.Lock()  # who reads, who waits, and the session's books
        self._reader = 0  # the identity of the thread that reads, or 0
        self._watched = False  # the selector watches the socket
        self._resting = False  # the selector will look whether it should
        self._turns = 0  # how often reading was taken up
        self._turns_seen = -1  # at the selector's last look
        self._idle: deque[Waiter] = deque()
        self._error: EmporionError | None = None
        self._shut = False  # the socket is closed
        self._hides = channel.hides
        channel.full = self._step_aside
        if parking is not None:
            parking.add(channel.transport.fileno(), self._readable)

    @abstractmethod
    def _work(self) -> None:
        """On a worker: read and serve until nothing comes for a while."""

    @abstractmethod
    def _look(self) -> None:
        """On a thread that all connections share while every worker is busy: read what is there, and serve nothing."""

    @abstractmethod
    def _over(self, error: EmporionError) -> None:
        """Told once, without the lock: the connection has ended."""

    def start(self) -> None:
        """Let the selector, or bytes that are here already, begin the reading."""
        with self._lock:
            parking = self._parking
            if parking is None or self._workers is None or self._reader or self._error is not None:
                self._pass_on(get_ident())
            elif self._channel.buffered():
                self._wake_worker()
            else:
                # At once, unlike between calls: nobody here will read, and the first call should not wait for a moment.
                self._watched = True
                parking.watch(self._channel.transport.fileno())

    @property
    def error(self) -> EmporionError | None:
        """Why the connection is over, or None while it lives."""
        return self._error

    def _gone(self) -> EmporionError:
        error = self._error
        assert error is not None
        # Every thread raises a copy of its own: an exception object holds one traceback.
        again = type(error).__new__(type(error), *error.args)
        again.__dict__.update(error.__dict__)
        return again

    # --- reading ------------------------------------------------------------------------------------------------

    def _take_reading(self, me: int) -> bool:
        """With the lock held: be the reader, or stay it, unless another thread is."""
        if self._reader or self._error is not None:
            return self._reader == me
        self._reader = me
        self._turns += 1
        if self._watched:
            self._watched = False
            assert self._parking is not None
            self._parking.ignore(self._channel.transport.fileno())
        return True

    def _pass_on(self, me: int) -> None:
        """With the lock held: this thread does not read now; a waiting thread does, or the selector watches."""
        if self._reader == me:
            self._reader = 0
        if self._reader or (self._resting and not self._idle and not self._hides and self._error is None):
            return
        if self._error is not None:
            self._shut_down()
            return
        while self._idle:
            waiter = self._idle.popleft()
            if waiter.idle:
                waiter.ring()
                return
        if self._parking is None or self._workers is None or self._watched:
            return
        if self._channel.buffered():
            # Bytes on this side of the socket, where the selector sees nothing.
            self._wake_worker()
        elif not self._resting:
            # Not watched at once: two system calls for every call would be the price. The next reader mostly comes
            # within microseconds; the selector looks a moment later, and watches if none did.
            self._resting = True
            self._parking.rest(self._settle)

    def _settle(self) -> bool:
        """On the selector's thread: watch the socket if nobody has read lately. True: look again."""
        with self._lock:
            quiet = self._turns == self._turns_seen
            self._turns_seen = self._turns
            if not quiet and self._error is None:
                return True
            self._resting = False
            if self._reader or self._watched or self._error is not None:
                return False
            assert self._parking is not None
            self._watched = True
            self._parking.watch(self._channel.transport.fileno())
            return False

    def _readable(self) -> None:
        """On the selector's thread: bytes came while nobody read."""
        with self._lock:
            if not self._watched:
                return  # a reader came first
            self._watched = False
            self._wake_worker()

    def _wake_worker(self) -> None:
        """With the lock held: have a worker read."""
        assert self._workers is not None
        try:
            self._workers.submit_reading(self._sound(self._work), self._sound(self._look))
        except RuntimeError as error:
            self._fail_without_thread(error)

    def _fail_without_thread(self, error: RuntimeError) -> None:
        """With the lock held: the system has no thread for this connection, and nobody may wait for one."""
        self._fail(ConnectionLost(f"this end has no thread to serve with: {error}"))
        self._pass_on(get_ident())

    def _step_aside(self) -> None:
        """A sender has to wait for the peer, which may wait for somebody here to read: it must not be the reader."""
        with self._lock:
            self._pass_on(get_ident())

    def _sleep(self, waiter: Waiter, timeout_s: float | None) -> None:
        """With the lock held: wait until somebody rings, be it to read or because something has come."""
        waiter.idle = True
        self._idle.append(waiter)
        self._lock.release()
        try:
            waiter.bell.acquire(timeout=-1 if timeout_s is None else timeout_s)
        finally:
            self._lock.acquire()
            if not waiter.idle:
                waiter.bell.acquire(blocking=False)  # rung while the time ran out
            waiter.idle = False
            with contextlib.suppress(ValueError):
                self._idle.remove(waiter)

    def _receive(self, timeout_s: float | None) -> list[Arrived] | EmporionError | None:
        """As the reader, without the lock: what came, or why nothing more will; None when nothing came in time."""
        try:
            return self._channel.receive(timeout_s)
        except EmporionError as broken:
            return broken

    def _sound(self, work: Callable[[], None]) -> Callable[[], None]:
        """`work` for this connection, which ends where that fails: nobody shall wait for a thread that is gone."""

        def watched() -> None:
            try:
                work()
            except BaseException:
                self.close(ProtocolError("this end failed; its log says why"))
                raise

        return watched

    # --- sending and ending -------------------------------------------------------------------------------------

    def _send_one(self, message: Message, blobs: Sequence[bytes], codec: int = 0) -> None:
        try:
            self._channel.send(message, blobs, codec)
        except ValueNotPortable:
            raise  # too large for a frame: nothing went out
        except EmporionError as error:
            self.close(error)
            raise
        except BaseException:
            self.close(ConnectionLost("interrupted while sending"))  # half a frame may be out
            raise

    def close(self, error: EmporionError | None = None) -> None:
        """End the connection; every thread that waits on it gets `error`. Idempotent; the first error stays."""
        with self._lock:
            self._fail(error or ConnectionLost("this connection was closed here"))
            self._pass_on(get_ident())

    def _fail(self, error: EmporionError) -> None:
        """With the lock held: the connection is over."""
        if self._error is not None:
            return
        self._error = error
        while self._idle:
            self._idle.popleft().ring()
        self._channel.transport.abort()
        self._lock.release()
        try:
            self._over(error)
        finally:
            self._lock.acquire()

    def _shut_down(self) -> None:
        """With the lock held, nobody reading: close the socket once. Senders do not take long: `abort` woke them."""
        if self._shut:
            return
        self._shut = True
        if self._parking is not None:
            self._parking.remove(self._channel.transport.fileno())
        self._channel.close()
