"""Visits, from the host's side: the call that agents come with, the process they live in, and its end.

The host never runs foreign code. A mobile object in a call's arguments becomes a `Handle`; the first use of one opens
the call's visit, where all handles of the call come to life together; when the call has returned, the visit is over.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from ...errors import ConnectionLost, EmporionError, LimitExceeded, VisitEnded
from ..code.admission import Admission, Realm, Traveller
from ..context import Caller, enter
from ..events import Printed, VisitOver, announce
from ..sandbox.supervisor import Jailed, Jailer
from .handle import Handle, Reference
from .peer import VisitPeer

__all__ = ["Office", "Scope", "Visit"]

EXIT_WAIT_S: Final = 2.0  # from a visit's socket closing to the report of its process's end; 1 to 2 ms as measured


class Office:
    """What a host needs to hold visits: one for each host."""

    def __init__(self, admission: Admission, jailers: Callable[[bool], Jailer]) -> None:
        self.admission = admission
        self.jailer = jailers  # with or without the operating system's wall


class Scope:
    """One call of a client's: whose it is, what it may do, its handles, and its visit once there is one."""

    def __init__(self, realm: Realm, caller: Caller, office: Office, *, output: Callable[[str, str], None]) -> None:
        self.realm = realm
        self.caller = caller
        self.office = office
        self.handles: list[Handle] = []
        self.held: list[Callable[[], None]] = []  # undoes what holds only while the call runs
        self.departed: dict[int, Handle] = {}  # by id of the handle that left the visit: its state, on the way home
        self._output = output
        self._lock = threading.RLock()
        self._visit: Visit | None = None
        self._over: EmporionError | None = None

    @property
    def traveller(self) -> Traveller:
        """The caller, for validators and logs."""
        who = "anonymous" if self.caller.identity is None else self.caller.identity
        return Traveller(self.caller.address, self.caller, f"{who}@{self.caller.address[0]}:{self.caller.address[1]}")

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
        with self._lock:
            if self._over is not None:
                raise VisitEnded(str(self._over)) from None
            if self._visit is None:
                self._visit = Visit(self, self.office)
                if self._over is not None:
                    self._visit.end(self._over)  # cancelled while it opened
                self._visit.load(self.handles)
            return self._visit

    def output(self, agent: str, text: str) -> None:
        """Lines that an agent printed: to the host's log, and home to its sender."""
        announce(Printed(agent, self.traveller.label, text))
        with contextlib.suppress(EmporionError):  # the sender may be gone; its agent prints all the same
            self._output(agent, text)

    def end(self, error: EmporionError | None = None) -> None:
        """The call has returned, or (with `error`) nobody waits for it any more. Idempotent; from any thread."""
        with self._lock if error is None else contextlib.nullcontext():
            if self._over is None:
                self._over = error or VisitEnded("the visit ended with the call that the agent came with")
            visit = self._visit
        if visit is not None:
            visit.end(error)
        if error is None:
            while self.held:
                self.held.pop()()


class Visit:
    """One stay of the agents of one call: one process, entered by one chain at a time."""

    def __init__(self, scope: Scope, office: Office) -> None:
        self._scope = scope
        self._begun_s = time.monotonic()
        self._entrance = threading.RLock()
        self._end_lock = threading.Lock()
        self._ended = False
        self.agent = str(object.__getattribute__(scope.handles[0], "_reference"))
        self._jailed: Jailed = office.jailer(scope.realm.isolation.os).open(scope.realm.limits)
        self.peer = VisitPeer(scope, self._jailed, self)

    def load(self, handles: Sequence[Handle]) -> None:
        """Bring `handles` to life."""
        self._enter(lambda: self.peer.load(list(handles)))

    def call(self, handle: Handle, op: int, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Call, read or write a member of a mobile object in this visit."""
        if not handle._number:
            self.load([handle])
        return self._enter(lambda: self.peer.call(handle._number, op, name, args, kwargs))

    def depart(self, handles: Sequence[Handle]) -> list[Handle]:
        """The state of `handles` as it is now, in handles that are in no visit."""
        departed: list[Handle] = self._enter(lambda: self.peer.depart(list(handles)))
        return departed

    def _enter(self, work: Callable[[], Any]) -> Any:
        with self._entrance:
            before = enter(self._scope)
            try:
                return work()
            except EmporionError as error:
                raise self._explain(error) from error
            finally:
                self.peer.tell_output()
                enter(before)

    def _explain(self, error: EmporionError) -> EmporionError:
        """Why the visit's connection is over, where it is: a limit, a death, or our own word."""
        ended = self.peer.driver.error
        if ended is None:
            return error
        if self._ended:
            return VisitEnded("the visit ended while the agent was working: its call was cancelled or is over")
        how = self._jailed.wait(EXIT_WAIT_S).reason if isinstance(ended, ConnectionLost) else "it broke the rules"
        limit = ended if isinstance(ended, LimitExceeded) else self._jailed.limit_error()
        self.end(limit or error)
        return limit or VisitEnded(f"the agent's process ended in the middle of a call ({how}): {ended}")

    def end(self, error: EmporionError | None = None) -> None:
        """Kill the process, whatever it does; report the visit. Idempotent."""
        with self._end_lock:
            if self._ended:
                return
            self._ended = True
        self._jailed.kill()
        self.peer.driver.close(VisitEnded("the visit is over"))
        self._jailed.discard()
        wall_s = time.monotonic() - self._begun_s
        why = "" if error is None else error.limit if isinstance(error, LimitExceeded) else str(error)
        announce(VisitOver(self.agent, self._scope.traveller.label, wall_s, self.peer.calls, why))
