"""Visits, from the host's side: the call that agents come with, the process they live in, and its end.

The host never runs foreign code. A mobile object in a call's arguments becomes a `Handle`; the first use of one opens
the call's visit, where all handles of the call come to life together; when the call has returned, the visit is over.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from ...agents.manifest import closure_id
from ...errors import CodeDenied, ConnectionLost, EmporionError, LimitExceeded, VisitEnded
from ..code.admission import Realm, Traveller
from ..context import Caller, enter
from ..events import Printed, VisitOver, announce, one_line
from ..sandbox.supervisor import Jailed
from .handle import Handle, Reference
from .office import Office
from .peer import VisitPeer

__all__ = ["Scope", "Visit"]

EXIT_WAIT_S: Final = 2.0  # from a visit's socket closing to the report of its process's end; 1 to 2 ms as measured
ENTRANCE_LOOK_S: Final = 0.25  # how often a thread that waits for its turn looks whether the visit is still there


_OVER: Final = VisitEnded("the visit ended with the call that the agent came with")  # only its text is raised


class Scope:
    """One call of a client's: whose it is, what it may do, its handles, and its visit once there is one."""

    # One is made for every call: slots take half the time.
    __slots__ = (
        *("_kept", "_loaded", "_opening", "_output", "_over", "_visit", "brought", "caller", "fresh", "handles"),
        *("home", "office", "realm"),
    )

    def __init__(self, realm: Realm, caller: Caller, office: Office, output: Callable[[str, str], None]) -> None:
        self.home = realm  # of the object that was called: its limits and walls are the visit's
        self.realm = realm  # of the object whose code runs now: its validator decides what it hands out and takes
        self.caller = caller
        self.office = office
        self.handles: list[Handle] = []
        self.brought: dict[str, Mapping[str, str]] = {}  # by closure id: what came with this call, and was let in
        self.fresh: Sequence[Handle] = ()  # whose state is of this moment: on the way out
        self._kept: list[Sequence[str]] = []  # digests that stay in the code store until the call is over
        self._output = output
        self._opening = threading.RLock()
        self._visit: Visit | None = None
        self._loaded = False  # until then other threads wait: alone, their handles would share nothing with the others
        self._over: EmporionError | None = None

    @property
    def traveller(self) -> Traveller:
        """The caller, for validators and logs."""
        who = "anonymous" if self.caller.identity is None else self.caller.identity
        return Traveller(self.caller.address, self.caller, f"{who}@{self.caller.address[0]}:{self.caller.address[1]}")

    # --- code ---------------------------------------------------------------------------------------------------

    def keep(self, manifest: Mapping[str, str]) -> None:
        """Hold modules in the code store, here already or still to come, until the call is over."""
        digests = list(manifest.values())
        self.office.admission.store.hold(digests)
        self._kept.append(digests)

    def let_in(self, manifest: Mapping[str, str], fetch: Callable[[dict[str, str]], Mapping[str, str]]) -> None:
        """Ask the validator of the object that takes a closure, and have its code here.

        Raises:
            CodeDenied: Nothing of it was kept.
        """
        self.keep(manifest)
        self.office.admission.upload(manifest, self.realm, self.traveller, fetch)
        self.brought[closure_id(manifest)] = manifest

    def let_in_again(self) -> None:
        """An agent of this call reaches an object with a validator of its own: what another accepted counts nothing.

        Raises:
            CodeDenied: It does not want this code near its object.
        """
        if self.realm is not self.home:
            for manifest in self.brought.values():
                self.office.admission.upload(manifest, self.realm, self.traveller, _here_already)

    # --- the visit ----------------------------------------------------------------------------------------------

    def handle(self, manifest: Mapping[str, str], module: str, qualname: str) -> Handle:
        """A handle for a mobile object that arrived with the call."""
        handle = Handle(self, Reference(manifest, module, qualname))
        self.handles.append(handle)
        return handle

    @property
    def started(self) -> "Visit | None":
        """The visit, if one was needed."""
        return self._visit

    def visit(self) -> "Visit":
        """The visit of this call, opened at the first use of a handle.

        Raises:
            VisitEnded: The call is over, or the caller has gone.
            SandboxUnavailable: This machine cannot hold an agent.
        """
        if self._loaded and self._visit is not None and self._over is None:
            return self._visit
        with self._opening:
            if self._over is not None:
                raise VisitEnded(str(self._over)) from None
            if self._visit is None:
                visit = self._visit = Visit(self, self.office)
                if self._over is not None:
                    visit.end(self._over)  # cancelled while it opened
                try:
                    visit.load(self.handles)
                except EmporionError as error:
                    # Nobody came to life: not all of them will, and some without the others are not what was sent.
                    visit.end(error)
                    raise
                finally:
                    self._loaded = True
            return self._visit

    def output(self, agent: str, text: str) -> None:
        """Lines that an agent printed: to the host's log, and home to its sender."""
        announce(Printed(agent, self.traveller.label, text))
        with contextlib.suppress(EmporionError):  # the sender may be gone; its agent prints all the same
            self._output(agent, text)

    def cancel(self, error: EmporionError) -> None:
        """Nobody waits for the call any more: its visit dies now. Waits for nothing; idempotent; from any thread."""
        # No lock, for `visit` holds it while agents come to life. It sets `_visit` and then reads `_over`; here it is
        # the other way round, so one of the two sees the other.
        self._over = self._over or error
        if self._visit is not None:
            self._visit.end(error)

    def end(self) -> None:
        """The call is over and answered. Idempotent; comes after every call, cancelled or not."""
        self._over = self._over or _OVER
        if self._visit is not None:
            self._visit.leave()
            self._visit.report()
        while self._kept:
            self.office.admission.store.release(self._kept.pop())


class Visit:
    """One stay of the agents of one call: one process, entered by one chain at a time."""

    def __init__(self, scope: Scope, office: Office) -> None:
        self._scope = scope
        self._begun_s = self._ended_s = time.monotonic()
        self._entrance = threading.RLock()
        self._end_lock = threading.Lock()
        self._ended = False
        self._why: EmporionError | None = None
        self._reported = False
        self.agent = str(object.__getattribute__(scope.handles[0], "_reference"))
        self._jailed: Jailed = office.jailer(scope.home.isolation.os).open(scope.home.limits)
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
            self.load([handle])
        return self._enter(lambda: self.peer.call(handle._number, op, name, args, kwargs))

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
        self._scope.office.refill(self._scope.home.isolation.os)

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


def _here_already(missing: dict[str, str]) -> dict[str, str]:
    raise CodeDenied(next(iter(missing)), "upload", "its text is gone from the code store: send it again")
