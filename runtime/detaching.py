"""Calls that the caller does not wait for: one-way ones, and those that leave a ticket for their result."""

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from types import MethodType
from typing import Any, Final, TypeVar

from ..errors import CallTimeout, ConfigurationError, ConnectionLost, EmporionError, NamingError, ProtocolError
from .client import ClientPeer
from .connection.driver import Answer
from .peer import DIRECTORY, Peer
from .proxy import Proxy, peer_and_number
from .wire.messages import Body, Call, Fault, Op

__all__ = ["Ticket", "dispatch", "oneway"]

T = TypeVar("T")

LOOK_S: Final = 2.0  # one question about a ticket; a host lets none wait longer
AGAIN_S: Final = 0.2  # before the next one, where a host with much to do let it not wait at all
ARRIVAL_S: Final = 30.0  # for an answer to arrive, beside the time that the user has for the method to end
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
        self._connecting = threading.Lock()
        self._fetching = threading.Lock()  # nobody waits for the method's end with either of them
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
            timeout_s: How long to wait for the method's end; None: as long as it takes.

        Raises:
            CallTimeout: The method was still running then, or the host does not answer; ask again. Else as for
                `status`.
        """
        until_s = None if timeout_s is None else time.monotonic() + timeout_s
        while not self._came and self._raised is None:
            begun_s = time.monotonic()
            wait_s = LOOK_S if until_s is None else min(max(until_s - begun_s, 0.0), LOOK_S)
            if self._look(wait_s, until_s) != RUNNING:
                self._fetch(until_s)
            elif until_s is not None and time.monotonic() >= until_s:
                raise CallTimeout(f"{self._method} is still running: ask its ticket again")
            elif time.monotonic() - begun_s < wait_s / 2:
                time.sleep(AGAIN_S)
        if self._raised is not None:
            raise self._raised
        return self._came[0]

    def _look(self, wait_s: float, until_s: float | None) -> str:
        if self._status == RUNNING:
            peer, answer, came = self._ask(until_s, "ticket_status", self.id, wait_s)
            try:
                status = peer.take(answer, came)
            except NamingError:
                self._let_go(peer)
                if not self._came and self._raised is None:
                    raise
                return self._status  # another thread has fetched it meanwhile, and let the host forget
            if status not in (RUNNING, "done", "failed"):
                raise ProtocolError("the host gave no status of a call")
            if status != RUNNING:  # an answer that is older than another thread's is no news
                self._status = status
        return self._status

    def _fetch(self, until_s: float | None) -> None:
        with self._fetching:
            if self._came or self._raised is not None:
                return
            peer, answer, came = self._ask(until_s, "ticket_result", self.id)
            if type(answer) is Fault and self._status == "failed":
                self._raised = peer.fault_in(answer, came)
            else:  # what this raises is nothing of the method's: the result can be asked for again
                self._came.append(peer.take(answer, came))
            # Only now: it might have been lost on the way. And here, not later: a program that ends with its result
            # would leave the ticket at the host, where only so many are kept.
            with contextlib.suppress(EmporionError):  # else the host forgets by itself, after an hour
                self._ask(time.monotonic(), "ticket_forget", self.id)
            self._let_go(peer)

    def _let_go(self, peer: ClientPeer) -> None:
        """End a connection of this ticket's own that nothing of the result needs."""
        if self._own and not peer.holds_proxies:
            peer.close()

    def _ask(self, until_s: float | None, method: str, *args: Any) -> tuple[ClientPeer, Answer, Any]:
        """Ask the host, by a new connection where the old one is over, or breaks in that very moment."""
        before = self._peer
        if before.driver.error is None:
            try:
                return self._ask_by(before, until_s, method, args)
            except ConnectionLost:
                if before.driver.error is None:
                    raise
        with self._connecting:
            if self._peer.driver.error is not None:
                self._peer, self._own = self._peer.reopened(), True
            peer = self._peer
        return self._ask_by(peer, until_s, method, args)

    def _ask_by(self, peer: ClientPeer, until_s: float | None, method: str,
                args: Sequence[Any]) -> tuple[ClientPeer, Answer, Any]:
        """An error that this raises arose here; what the host raised is in the answer."""
        by_s = None if until_s is None else max(until_s, time.monotonic()) + ARRIVAL_S
        if peer.timeout_s is not None:
            own_s = time.monotonic() + max(peer.timeout_s, 2 * LOOK_S)  # the host may keep the question that long
            by_s = own_s if by_s is None else min(by_s, own_s)
        return peer, *peer.request(Call(0, 0, DIRECTORY, Op.CALL, method, [], Body(list(args))), (), by_s)

    def __repr__(self) -> str:
        return f"<ticket {self.id} for {self._method} at {self._peer.where}, {self._status}>"
