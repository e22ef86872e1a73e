"""Detached calls: they go on by themselves, whatever becomes of the connection that they came by."""

import logging
import secrets
import threading
import time
from collections.abc import Callable
from enum import Enum
from types import TracebackType
from typing import Any, Final

from ...errors import LimitExceeded, NamingError
from ..context import Caller, enter, here
from ..events import one_line
from ..wire.raised import text_of
from .scope import Scope

__all__ = ["Detached", "Status", "Tickets"]

log = logging.getLogger("emporion.visit")

# A result keeps what its agents brought home, up to `Limits.bytes_out` each; so there are not many, and not for ever.
MOST: Final = 200
MOST_OF_ONE: Final = 20  # of one identity, or of one address where there are no identities
KEPT_S: Final = 3600.0  # from the end of a call until its result is forgotten, should nobody come for it
WAIT_S: Final = 2.0  # how long one question about a ticket may keep a thread of the host's; the client asks again


class Status(Enum):
    """How far a detached call has come."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Detached:
    """One call whose arguments have arrived, code included. Its ticket is `id`, which nobody can guess.

    Args:
        what: The call, for the log.
        work: The hosted method with its arguments.
    """

    def __init__(self, scope: Scope, what: str, work: Callable[[], Any]) -> None:
        self.id = secrets.token_urlsafe(16)
        self.scope = scope
        self.owner = _owner(scope.caller)
        self.ended_s = 0.0
        self._what = what
        self._work: Callable[[], Any] | None = work
        self._status = Status.RUNNING
        self._done = threading.Event()
        self._result: Any = None
        self._error: BaseException | None = None
        self._trace: TracebackType | None = None  # of the error, as it was raised: each raising would add to it

    def run(self) -> None:
        """Do it, on a thread of the host's own; never raises."""
        assert self._work is not None
        before = enter(self.scope)
        nested, here.nested = here.nested, 1
        status = Status.DONE
        try:
            self._result = self._work()
            self.scope.fresh = self.scope.settle((self._result,), _label)
        except BaseException as error:  # hosted code may quit (SystemExit); the ticket tells of it
            status, self._result, self._error, self._trace = Status.FAILED, None, error, error.__traceback__
            self._settle_error(error)
            log.info("detached call %s of %s failed: %s", self._what, self.scope.traveller.label, _told(error))
        finally:
            here.nested = nested
            enter(before)
            self._work = None  # with its arguments
            self.scope.leave()
            self.ended_s = time.monotonic()
            self._status = status
            self._done.set()

    def _settle_error(self, error: BaseException) -> None:
        try:
            self.scope.fresh = self.scope.settle((error,), _label)
        except Exception as failure:  # its text can go all the same
            log.debug("what an error carried stays behind: %s", _told(failure))

    @property
    def running(self) -> bool:
        """Whether the hosted method has not returned yet."""
        return not self._done.is_set()

    def status(self, wait_s: float) -> str:
        """How far it has come, after waiting for its end up to `wait_s` seconds."""
        self._done.wait(wait_s)
        return self._status.value

    def result(self, owner: object, caller: Caller) -> Any:
        """The result, to be packed for `owner`, the end of a connection of its caller's; raises what the method raised.

        This thread works for the call's scope from here on: what came with the call goes home unasked, all else is
        asked about.
        """
        if self.running:
            raise NamingError("this call has not ended: ask for its status first")
        self.scope.come_back_by(owner, caller)
        enter(self.scope)
        if self._error is not None:
            raise self._error.with_traceback(self._trace)
        return self._result


class Tickets:
    """The detached calls of one host.

    Args:
        submit: Runs a job on a thread of the host's.
        threads: How many there are. Some may wait for the end of a call at a time, and not those that are to run it.
    """

    def __init__(self, submit: Callable[[Callable[[], None]], None], threads: int) -> None:
        self._submit = submit
        self._may_wait = threading.Semaphore(threads // 4)
        self._lock = threading.Lock()
        self._running: dict[str, Detached] = {}
        self._kept: dict[str, Detached] = {}

    def take_over(self, detached: Detached, *, kept: bool) -> None:
        """Let a call go on by itself; `kept` until somebody has come for its result.

        Raises:
            LimitExceeded: There are too many, of this caller or in all.
        """
        with self._lock:
            self._drop_old()
            every = {**self._running, **self._kept}.values()
            own = sum(one.owner == detached.owner for one in every)
            if own >= MOST_OF_ONE:
                raise LimitExceeded("detached calls of one caller", own + 1, MOST_OF_ONE)
            if len(every) >= MOST:
                raise LimitExceeded("detached calls", len(every) + 1, MOST)
            self._running[detached.id] = detached
            if kept:
                self._kept[detached.id] = detached
        self._submit(lambda: self._run(detached))

    def _run(self, detached: Detached) -> None:
        detached.run()
        with self._lock:
            self._running.pop(detached.id, None)
            kept = detached.id in self._kept
        if not kept:
            detached.scope.end()

    def find(self, id: str, caller: Caller) -> Detached:
        """The call behind a ticket, for the one who made it.

        Raises:
            NamingError: There is none, or it is somebody else's: the answer is the same.
        """
        with self._lock:
            self._drop_old()
            detached = self._kept.get(id)
        if detached is None or detached.owner != _owner(caller):
            raise NamingError("this host has no such ticket of yours (any more): its result was fetched, or forgotten")
        return detached

    def status(self, id: str, wait_s: float, caller: Caller) -> str:
        """How far a call has come, after waiting for its end up to `wait_s` seconds, and at most `WAIT_S`; not at all
        where many wait already.

        Raises:
            NamingError: As for `find`.
        """
        detached = self.find(id, caller)
        if not wait_s > 0 or not self._may_wait.acquire(blocking=False):
            return detached.status(0.0)
        try:
            return detached.status(min(wait_s, WAIT_S))
        finally:
            self._may_wait.release()

    def forget(self, id: str, caller: Caller) -> None:
        """The result has arrived, or nobody wants it; the call itself goes on should it still run."""
        detached = self.find(id, caller)
        with self._lock:
            self._kept.pop(id, None)
            running = id in self._running
        if not running:
            detached.scope.end()

    def _drop_old(self) -> None:
        now_s = time.monotonic()
        for id, one in list(self._kept.items()):
            if not one.running and now_s - one.ended_s > KEPT_S:
                del self._kept[id]
                one.scope.end()

    @property
    def busy(self) -> bool:
        """Whether a detached call is running."""
        return bool(self._running)

    def close(self, error: Any) -> None:
        """End all visits of detached calls. Idempotent."""
        with self._lock:
            every = list({**self._running, **self._kept}.values())
            self._kept.clear()
        for one in every:
            one.scope.cancel(error)


def _owner(caller: Caller) -> tuple[str | None, str]:
    """Whose tickets: those of an identity, from wherever it comes; without one, of an address."""
    return caller.identity, "" if caller.identity is not None else caller.address[0]


def _label(_: int) -> str:
    return "result"


def _told(error: BaseException) -> str:
    return one_line(f"{type(error).__name__}: {text_of(error)}", 500)
