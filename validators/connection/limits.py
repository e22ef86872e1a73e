"""Gates that count: connections that are open, and how often new ones come."""

import threading
import time
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary, ref

from ...errors import ConfigurationError, DenyReason
from ..networks import sender_of
from ..verdict import ACCEPT, Verdict, deny
from ..window import Window
from .by_address import Gate
from .steps import Connection, HostView

__all__ = ["max_connections", "rate"]


class max_connections(Gate):
    """Bounds the connections that are open at a time: in all, from one address, of one identity. SERVER_TOO_BUSY.

    Accepted ones count, and those that it is letting in at this moment; whoever has proved nothing counts for nothing.
    IPv6 addresses count by their /64, a Unix socket's peers by user. Connections without identity are not counted by
    identity. At two hosts, each counts for itself. The host's own `max_connections` holds as well.
    """

    def __init__(
        self, total: int | None = None, *, per_address: int | None = None, per_identity: int | None = None
    ) -> None:
        self._most = {"total": total, "per_address": per_address, "per_identity": per_identity}
        if all(most is None for most in self._most.values()):
            raise ConfigurationError("max_connections() needs a bound: total=, per_address= or per_identity=")
        for name, most in self._most.items():
            if most is not None and (type(most) is not int or most < 1):
                raise ConfigurationError(f"max_connections({name}={most!r}): a positive number is needed, or None")
        self._lock = threading.Lock()
        # Let in by us, though their host may not list them yet; the host is held weakly, and need not be hashable.
        self._let_in: WeakKeyDictionary[Connection, ref[Any]] = WeakKeyDictionary()

    def __repr__(self) -> str:
        bounds = (f"{name}={most}" for name, most in self._most.items() if most is not None)
        return f"max_connections({', '.join(bounds)})"

    def _weigh(self, host: HostView, connection: Connection) -> Verdict:
        """Deny early what would be denied at the end, before anybody computes anything."""
        return self._judge(host.connections(), connection)

    def accept_identity(self, host: HostView, connection: Connection) -> bool | Verdict:
        # Handshakes run side by side: nobody may be counted between another one's counting and its being let in.
        with self._lock:
            open_now = set(host.connections())
            open_now.update(one for one, where in self._let_in.items() if where() is host)
            open_now.discard(connection)
            verdict = self._judge(open_now, connection)
            if verdict:
                self._let_in[connection] = ref(host)
            return verdict

    def _judge(self, others: Any, connection: Connection) -> Verdict:
        others = [one for one in others if not one.closed]
        total, per_address, per_identity = self._most.values()
        if total is not None and len(others) >= total:
            return self._busy("total", "in all")
        sender = sender_of(connection.address[0])
        if per_address is not None and sum(sender_of(one.address[0]) == sender for one in others) >= per_address:
            return self._busy("per_address", f"from {sender}")
        identity = connection.identity
        if per_identity is None or identity is None:
            return ACCEPT
        if sum(one.identity == identity for one in others) >= per_identity:
            return self._busy("per_identity", f"of {identity!r:.100}")
        return ACCEPT

    def _busy(self, bound: str, which: str) -> Verdict:
        most = self._most[bound]
        many = f"1 connection {which} is" if most == 1 else f"{most} connections {which} are"
        return deny(DenyReason.SERVER_TOO_BUSY, f"{many} the most")


class rate(Gate):
    """Lets one address begin at most `most` connections in any `per_s` seconds: SERVER_TOO_BUSY.

    What it lets through counts, whatever becomes of it; what it denies does not, so that asking too often does not
    prolong the wait. IPv6 addresses count by their /64, a Unix socket's peers by user. There is no bound for all
    addresses together: strangers could use it up. It remembers 100,000 arrivals, and then forgets the oldest. In an
    `all_of` put it behind the other gates, lest it count what they deny.

    Args:
        clock: Seconds that never run backwards.
    """

    def __init__(self, most: int, per_s: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._window = Window("rate", "connections", most, per_s, clock)
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"rate({self._window.most}, {self._window.per_s:g})"

    def _weigh(self, host: HostView, connection: Connection) -> Verdict:
        sender = sender_of(connection.address[0])
        window = self._window
        with self._lock:
            window.forget()
            if window.exhausted(sender):
                often = f"{window.most} new connections from {sender} in {window.per_s:g} s are the most"
                return deny(DenyReason.SERVER_TOO_BUSY, often)
            if window.full:
                window.forget_oldest()
            window.count(sender)
            return ACCEPT
