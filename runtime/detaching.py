"""Calls that the caller does not wait for: one-way ones, and those that leave a ticket for their result."""

import contextlib
import threading
import time
from collections.abc import Callable
from types import MethodType
from typing import Any, Final, TypeVar

from ..errors import CallTimeout, ConfigurationError, ConnectionLost, EmporionError, ProtocolError
from .client import ClientPeer
from .peer import DIRECTORY, Peer
from .proxy import Proxy, peer_and_number
from .wire.messages import Op

__all__ = ["Ticket", "dispatch", "oneway"]

T = TypeVar("T")

LOOK_S: Final = 2.0  # one question about a ticket; a host lets none wait longer
RUNNING: Final = "running"


def oneway(method: Callable[..., Any]) -> Callable[..., None]:
    """A proxy's method as a one-way call: ``oneway(mall.go_shopping)(agent)``.

    The call returns once everything has arrived, code included, and has been let in; the hosted method runs then, and
    what it returns or raises is nobody's concern but the host's log. It goes on when this connection ends.

    Raises:
        ConfigurationError: `method` is no proxy's. Calling raises what stands in the way of an arrival: `CodeDenied`,
            `ValueNotPortable`, `NotExposed`, `ConnectionLost`, `LimitExceeded`.
    """
    peer, number, name = _called(method, "oneway(mall.go_shopping)")

    def send(*args: Any, **kwargs: Any) -> None:
        peer.call(number, Op.ONE_WAY, name, args, kwargs)

    send.__name__ = send.__qualname__ = name
    return send


def dispatch(method: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Ticket":
    """Call a proxy's method without waiting for its end: ``ticket = dispatch(mall.go_shopping, agent)``.

    Returns once everything has arrived, as with `oneway`. The hosted method goes on when this connection ends; the
    ticket fetches its result, by a new connection if need be.

    Raises:
        ConfigurationError: `method` is no proxy's, or not one that `connect` leads to. Else as for `oneway`.
    """
    peer, number, name = _called(method, "dispatch(mall.go_shopping, agent)")
    if not isinstance(peer, ClientPeer):
        raise ConfigurationError("dispatch() takes a method of an object at a host: only hosts keep results")
    id = peer.call(number, Op.DISPATCH, name, args, kwargs)
    if type(id) is not str or not id:
        raise ProtocolError("the host gave no ticket for the call")
    return Ticket(peer, id, name)


def _called(method: Any, example: str) -> tuple[Peer, int, str]:
    """Where a proxy's bound method leads: the peer, the object's number there, the member's name."""
    proxy = method.__self__ if type(method) is MethodType else None
    if not isinstance(proxy, Proxy):
        raise ConfigurationError(f"{method!r:.100} is no method of a proxy: write {example}")
    peer, number = peer_and_number(proxy)
    return peer, number, method.__name__


class Ticket:
    """A call that was dispatched, and a way to its result; `id` is the host's name for it. Thread-safe.

    The host keeps a result for an hour. When the connection has been cut the ticket makes a new one, with what
    `connect` was given; that one stays open for as long as the result may need it.
    """

    def __init__(self, peer: ClientPeer, id: str, method: str) -> None:
        self.id = id
        self._peer = peer
        self._method = method
        self._lock = threading.RLock()
        self._status = RUNNING
        self._own = False  # whether the connection is this ticket's own
        self._came: list[Any] = []  # the result, once it is here
        self._raised: Exception | None = None  # or what the method raised

    def status(self) -> str:
        """``"running"``, ``"done"``, or ``"failed"``: then `result` raises.

        Raises:
            NamingError: The host has forgotten the call. ConnectionLost, ConnectionDenied: It cannot be reached.
        """
        return self._look(0.0, None)

    def result(self, timeout_s: float | None = None) -> Any:
        """What the method returned, once it has; agents among it are home. Raises what the method raised.

        Args:
            timeout_s: How long to wait; None: as long as it takes.

        Raises:
            CallTimeout: The method was still running then; ask again. Else as for `status`.
        """
        until_s = None if timeout_s is None else time.monotonic() + timeout_s
        with self._lock:
            while not self._came and self._raised is None:
                left_s = LOOK_S if until_s is None else max(until_s - time.monotonic(), 0.0)
                if self._look(min(left_s, LOOK_S), until_s) != RUNNING:
                    self._fetch()
                elif until_s is not None and time.monotonic() >= until_s:
                    raise CallTimeout(f"{self._method} is still running: ask its ticket again")
            if self._raised is not None:
                raise self._raised
            return self._came[0]

    def _look(self, wait_s: float, until_s: float | None) -> str:
        with self._lock:
            if self._status == RUNNING:
                status = self._ask("ticket_status", self.id, wait_s)
                if status not in (RUNNING, "done", "failed"):
                    raise ProtocolError("the host gave no status of a call")
                self._status = status
            return self._status

    def _fetch(self) -> None:
        try:
            self._came.append(self._ask("ticket_result", self.id))
        except Exception as error:
            if self._status != "failed" or self._peer.driver.error is not None:
                raise  # nothing of the method's: it can be asked for again
            self._raised = error
        # Only now, for it might have been lost on the way; and not later, for the caller may leave now.
        self._forget()

    def _forget(self) -> None:
        """Let the host forget the call, and end a connection that nothing of the result needs."""
        peer = self._peer
        with contextlib.suppress(EmporionError):  # else it forgets by itself, after an hour
            peer.call(DIRECTORY, Op.CALL, "ticket_forget", (self.id,), {})
        if self._own and not peer.holds_proxies:
            peer.close()

    def _ask(self, method: str, *args: Any) -> Any:
        """Ask the host, by a new connection where the old one is over, or breaks in that very moment."""
        if self._peer.driver.error is None:
            try:
                return self._peer.call(DIRECTORY, Op.CALL, method, args, {})
            except ConnectionLost:
                if self._peer.driver.error is None:
                    raise
        self._peer, self._own = self._peer.reopened(), True
        return self._peer.call(DIRECTORY, Op.CALL, method, args, {})

    def __repr__(self) -> str:
        return f"<ticket {self.id} for {self._method} at {self._peer.where}, {self._status}>"
