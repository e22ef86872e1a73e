"""Threads for calls that begin a chain, and the one selector that watches connections on which nobody works.

An active connection has a thread; an idle one costs a place in an epoll set. Nested calls never come here: they run on
the thread that waits in their chain, so the bound on threads cannot make them wait for one another.
"""

import contextlib
import heapq
import logging
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

__all__ = ["Parking", "Workers"]

log = logging.getLogger("emporion.workers")

DEFAULT_THREADS: Final = 64  # far more than two cores use; hosted methods wait for visits and databases
MOMENT_S: Final = 0.005  # after which the selector takes up a connection that nobody reads
READERS: Final = 4  # beside them, when all are busy; not one, which a peer that takes no answers could keep waiting
IDLE_S: Final = 10.0  # a thread that had nothing to do for this long ends

Job = Callable[[], None]


class Workers:
    """Up to `limit` threads, started as needed; the one that ran last runs next, its caches are warm."""

    def __init__(self, limit: int = DEFAULT_THREADS, name: str = "emporion") -> None:
        self._limit = limit
        self._name = name
        self._lock = threading.Lock()
        self._jobs: deque[Job] = deque()
        self._idle: list[tuple[threading.Lock, list[Job]]] = []
        self._threads: set[threading.Thread] = set()
        self._looks: deque[Job] = deque()  # what is read when all threads are busy
        self._looking = 0  # threads beside the others that are at that
        self._closed = False

    def submit(self, job: Job) -> None:
        """Run `job` on a thread; in turn when all are busy. After `close` it is dropped.

        Raises:
            RuntimeError: The system can start no thread, and there is none here that could come to it: it will not run.
        """
        with self._lock:
            if self._closed:
                return
            if self._idle:
                wake, slot = self._idle.pop()
                slot.append(job)
                wake.release()
            elif len(self._threads) >= self._limit or not self._start(job):
                self._jobs.append(job)

    def submit_reading(self, serve: Job, look: Job) -> None:
        """Run `serve`; or, when all threads are busy, `look` on one of a few beside them: it serves nobody.

        What ends calls must be heard when every thread waits for one to end.
        """
        with self._lock:
            busy = not self._idle and len(self._threads) >= self._limit
            if busy and not self._closed:
                self._looks.append(look)
                if self._looking < READERS and not self._start_reader() and not self._looking:
                    self._looks.pop()  # there is nobody to come to it: `serve` has its turn
                else:
                    return
        self.submit(serve)

    def _start_reader(self) -> bool:
        """With the lock held: one more thread for `_looks`; False where the system has none to give."""
        try:
            threading.Thread(target=self._look, name=f"{self._name}-reader", daemon=True).start()
        except RuntimeError:
            return False
        self._looking += 1
        return True

    def _look(self) -> None:
        while True:
            with self._lock:
                if not self._looks:
                    self._looking -= 1
                    return
                look = self._looks.popleft()
            _guarded(look)

    @property
    def pressed(self) -> bool:
        """Whether jobs wait for a thread: one that could linger should not."""
        return bool(self._jobs)

    def close(self, timeout_s: float = 5.0) -> None:
        """End all threads once their present job is done; waits for them up to `timeout_s`."""
        with self._lock:
            self._closed = True
            self._jobs.clear()
            self._looks.clear()
            idle, self._idle = self._idle, []
            threads = [t for t in self._threads if t is not threading.current_thread()]
        for wake, _ in idle:
            wake.release()
        until_s = time.monotonic() + timeout_s
        for thread in threads:
            thread.join(max(until_s - time.monotonic(), 0.0))

    def _start(self, job: Job) -> bool:
        """With the lock held: a thread that begins with `job`; False where the system has none to give, but those that
        are busy here will come to it."""
        thread = threading.Thread(target=self._work, args=([job],), name=f"{self._name}-worker", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            if not self._threads:
                raise
            return False
        self._threads.add(thread)  # only now: what never ran would keep a place for ever
        return True

    def _work(self, first: list[Job]) -> None:
        # A thread remembers what it was given as long as it lives: what hangs on a job, a whole connection, must not be
        # kept by one that is idle. So the first one comes in a list, and none stays in a variable.
        job: Job | None = first.pop()
        while job is not None:
            _guarded(job)
            job = None
            job = self._next()

    def _next(self) -> Job | None:
        with self._lock:
            if self._jobs:
                return self._jobs.popleft()
            if self._closed:
                self._leave()
                return None
            wake, slot = threading.Lock(), list[Job]()
            wake.acquire()
            place = (wake, slot)
            self._idle.append(place)
        wake.acquire(timeout=IDLE_S)
        with self._lock:
            if slot:
                return slot[0]
            if place in self._idle:
                self._idle.remove(place)
            self._leave()
            return None

    def _leave(self) -> None:
        self._threads.discard(threading.current_thread())


class Parking:
    """One thread and one epoll set for all connections that nobody reads at the moment, and its clock.

    Entries are one-shot: `watch` arms one, and it reports once. `ignore` takes it back; a report that was already on
    its way is harmless, the connection knows by itself whether it has a reader.
    """

    def __init__(self, name: str = "emporion") -> None:
        self._epoll = select.epoll()
        self._lock = threading.Lock()
        self._readable: dict[int, Job] = {}
        self._alarms: list[tuple[float, int, Job]] = []
        self._alarm_number = 0
        self._resting: list[Callable[[], bool]] = []
        self._closed = False
        self._bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._epoll.register(self._bell, select.EPOLLIN)
        self._thread = threading.Thread(target=self._run, name=f"{name}-parking", daemon=True)
        self._thread.start()

    def add(self, fd: int, readable: Job) -> None:
        """Know `fd`, not yet watching it; `readable` runs on the parking thread and must not wait."""
        self._readable[fd] = readable
        self._epoll.register(fd, select.EPOLLONESHOT)

    def watch(self, fd: int) -> None:
        """Report once when `fd` has bytes or has ended."""
        self._epoll.modify(fd, select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLONESHOT)

    def ignore(self, fd: int) -> None:
        """Do not report `fd`; one-shot all the same, for a hang-up is reported whether asked for or not."""
        self._epoll.modify(fd, select.EPOLLONESHOT)

    def remove(self, fd: int) -> None:
        """Forget `fd`; call it before the socket is closed, for numbers are used again."""
        self._readable.pop(fd, None)
        with contextlib.suppress(OSError, ValueError):
            self._epoll.unregister(fd)

    def rest(self, settle: Callable[[], bool]) -> None:
        """Run `settle` on the parking thread a moment later, and again as long as it says True; it must not wait."""
        with self._lock:
            self._resting.append(settle)
            first = len(self._resting) == 1
        if first:
            self._ring()

    def call_at(self, when_s: float, job: Job) -> None:
        """Run `job` on the parking thread at `when_s` of `time.monotonic`; it must not wait."""
        with self._lock:
            self._alarm_number += 1
            heapq.heappush(self._alarms, (when_s, self._alarm_number, job))
            first = self._alarms[0][1] == self._alarm_number
            late = self._closed
        if late:
            self._drain()
        elif first:
            self._ring()

    def close(self) -> None:
        """End the thread; connections are their owners' to close."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._ring()
        if self._thread is not threading.current_thread():
            self._thread.join()
        self._drain()
        self._epoll.close()
        os.close(self._bell)

    def _drain(self) -> None:
        """After the end: what was to come is done now, for it may hold a process or a socket."""
        while True:
            with self._lock:
                if not self._alarms:
                    return
                job = heapq.heappop(self._alarms)[2]
            _guarded(job)

    def _ring(self) -> None:
        with contextlib.suppress(OSError):
            os.eventfd_write(self._bell, 1)

    def _run(self) -> None:
        next_look_s = 0.0
        while not self._closed:
            wait_s = self._due()
            if self._resting:
                wait_s = MOMENT_S if wait_s < 0 else min(wait_s, MOMENT_S)
            for fd, _ in self._epoll.poll(wait_s):
                self._report(fd)
            now_s = time.monotonic()
            if self._resting and now_s >= next_look_s:
                next_look_s = now_s + MOMENT_S
                self._look()

    def _look(self) -> None:
        with self._lock:
            resting, self._resting = self._resting, []
        again = [settle for settle in resting if settle()]
        with self._lock:
            self._resting += again

    def _report(self, fd: int) -> None:
        if fd == self._bell:
            with contextlib.suppress(BlockingIOError):
                os.eventfd_read(self._bell)
            return
        readable = self._readable.get(fd)
        if readable is not None:
            _guarded(readable)

    def _due(self) -> float:
        """Run what is due; seconds until the next alarm, or -1."""
        while True:
            with self._lock:
                wait_s = self._alarms[0][0] - time.monotonic() if self._alarms else -1.0
                if not self._alarms or wait_s > 0:
                    return wait_s
                job = heapq.heappop(self._alarms)[2]
            _guarded(job)


def _guarded(job: Job) -> None:
    try:
        job()
    except BaseException:  # hosted code may quit (SystemExit and the like): it has been told, and the thread goes on
        log.exception("a job of the runtime failed")
