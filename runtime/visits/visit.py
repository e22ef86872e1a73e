"""Visits, from the host's side: the process that a call's agents live in, and its end."""

import contextlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from ...errors import CodeDenied, ConnectionLost, EmporionError, LimitExceeded, VisitEnded
from ..context import enter
from ..events import VisitOver, announce, one_line
from ..sandbox.supervisor import Jailed
from .handle import Handle
from .office import Office
from .peer import VisitPeer

if TYPE_CHECKING:
    from .scope import Scope

__all__ = ["Visit"]

EXIT_WAIT_S: Final = 2.0  # from a visit's socket closing to the report of its process's end; 1 to 2 ms as measured
ENTRANCE_LOOK_S: Final = 0.25  # how often a thread that waits for its turn looks whether the visit is still there


class Visit:
    """One stay of the agents of one call: one process, entered by one chain at a time."""

    def __init__(self, scope: "Scope", office: Office) -> None:
        self._scope = scope
        self._begun_s = self._ended_s = time.monotonic()
        self._entrance = threading.RLock()
        self._end_lock = threading.Lock()
        self._ended = False
        self._why: EmporionError | None = None
        self._reported = False
        self.agent = str(object.__getattribute__(scope.handles[0], "_reference"))
        self.limits = office.limits(scope.home.limits, scope.caller)
        self._jailed: Jailed = office.jailer(scope.home.isolation).open(self.limits)
        try:
            self.peer = VisitPeer(scope, self._jailed, self)
        except BaseException:
            self._jailed.close()
            raise

    def load(self, handles: Sequence[Handle]) -> None:
        """Bring `handles` to life."""
        self._enter(lambda: self.peer.load(list(handles)))

    def call(self, handle: Handle, op: int, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Call, read or write a member of a mobile object in this visit."""
        if not handle._number:
            self.receive()
        return self._enter(lambda: self.peer.call(handle._number, op, name, args, kwargs))

    def receive(self) -> None:
        """Bring to life what came while the visit was going on: together, so that what it shares stays shared."""
        self._enter(self._load_new)

    def _load_new(self) -> None:
        handles = [handle for handle in self._scope.handles if not handle._number]
        if handles:  # else another thread was here first
            self.peer.load(handles)

    def depart(self, handles: Sequence[Handle]) -> None:
        """Let `handles` have the state of their objects as it is now."""
        self._enter(lambda: self.peer.depart(list(handles)))

    def _enter(self, work: Callable[[], Any]) -> Any:
        self._wait_for_turn()
        before = enter(self._scope)
        try:
            try:
                self.peer.check_yanks()
                return work()
            except EmporionError as error:
                raise self._explain(error) from error
            finally:
                self.peer.tell_output()
        finally:
            enter(before)
            self._entrance.release()

    def _wait_for_turn(self) -> None:
        # Whoever is inside may wait for this very thread: the visit's wall clock must end that, so look now and then.
        while not self._entrance.acquire(timeout=ENTRANCE_LOOK_S):
            if self._ended or self._jailed.ended:
                raise self._over()

    def _explain(self, error: EmporionError) -> EmporionError:
        """What to tell the hosted method: a limit, a yank, a death, our own word; or the agent's error, and the visit
        goes on."""
        if self._ended:
            return self._over()
        broken = self.peer.driver.error
        if isinstance(broken or error, LimitExceeded):
            self.end(broken or error)
            return broken or error
        if broken is None:
            return error
        if isinstance(broken, CodeDenied):
            self.end(broken)
            return broken
        if isinstance(broken, ConnectionLost):
            how = self._exit_reason()
            limit = self._jailed.limit_error()
            over = limit or VisitEnded(f"the agent's process ended in the middle of a call ({how}): {broken}")
        else:
            over = VisitEnded(f"the agent's process broke the rules: {one_line(str(broken))}")
        self.end(over)
        return over

    def _exit_reason(self) -> str:
        """How the process ended whose socket is closed. What closes it and lives on is killed."""
        with contextlib.suppress(TimeoutError):
            return self._jailed.wait(EXIT_WAIT_S).reason
        self._jailed.kill()
        return "it closed its connection and went on"

    def _over(self) -> VisitEnded:
        return VisitEnded(f"the visit is over: {self._why}" if self._why is not None else "the visit is over")

    def end(self, error: EmporionError | None = None) -> None:
        """Kill the process, whatever it does. Idempotent; waits for nothing."""
        with self._end_lock:
            if self._ended:
                return
            self._why = error
            self._ended = True
            self._ended_s = time.monotonic()
        self._remove()

    def leave(self) -> None:
        """The call is answered: nobody here listens to the visit any more. Idempotent; waits for nothing.

        Its process, which waits for a word, dies a moment later: a dying process takes 1 to 2 ms of a processor, and
        the caller shall have the answer first.
        """
        with self._end_lock:
            if self._ended:
                return
            self._ended = True
            self._ended_s = time.monotonic()
        self._scope.office.later(self._remove)

    def _remove(self) -> None:
        self._jailed.kill()
        self.peer.driver.close(VisitEnded("the visit is over"))
        self._jailed.discard()
        self._scope.office.refill(self._scope.home.isolation)

    def report(self) -> None:
        """Say that the visit is over, once; not in `end`, which may run where nothing may wait, not even for a log."""
        with self._end_lock:
            if self._reported:
                return
            self._reported = True
        why = self._why
        ended_by = "" if why is None else why.limit if isinstance(why, LimitExceeded) else str(why)
        wall_s = self._ended_s - self._begun_s
        announce(VisitOver(self.agent, self._scope.traveller.label, wall_s, self.peer.calls, ended_by))
