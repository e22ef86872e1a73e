"""Gates that go by the peer's address. Each adds its condition to the default proof."""

from abc import abstractmethod
from collections.abc import Callable

from ...errors import ConfigurationError, DenyReason
from ..networks import parse_networks, plain, within
from ..verdict import ACCEPT, Verdict, deny, read_verdict
from .steps import Connection, ConnectionValidator, HostView

__all__ = ["Gate", "allowed_networks", "blocked_networks", "by_host"]


class Gate(ConnectionValidator):
    """A condition before the handshake's challenge; what follows, and the host's `max_connections`, stay in force."""

    def accept_host(self, host: HostView, connection: Connection) -> bool | Verdict:
        verdict = read_verdict(super().accept_host(host, connection))
        return self._weigh(host, connection) if verdict else verdict

    @abstractmethod
    def _weigh(self, host: HostView, connection: Connection) -> Verdict: ...


class _Networks(Gate):
    def __init__(self, *networks: str) -> None:
        self.networks = parse_networks(type(self).__name__, networks)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(repr(str(network)) for network in self.networks)})"

    def _listed(self) -> str:
        return ", ".join(map(str, self.networks))


class allowed_networks(_Networks):
    """Lets peers come from `networks` only, e.g. ``"10.0.0.0/8"`` or ``"::1"``; all others are HOST_BLOCKED.

    The peer of a Unix socket is in no network, and so is denied. IPv4 peers count as IPv4 on every socket:
    ``"::/0"`` does not mean them.
    """

    def _weigh(self, host: HostView, connection: Connection) -> Verdict:
        address = connection.address[0]
        if within(address, self.networks):
            return ACCEPT
        return deny(DenyReason.HOST_BLOCKED, f"the address {address[:100]} lies in none of {self._listed()}")


class blocked_networks(_Networks):
    """Lets nobody come from `networks`, e.g. ``"192.0.2.0/24"``: HOST_BLOCKED.

    The peer of a Unix socket is in no network, and so passes. IPv4 peers count as IPv4 on every socket: to block
    everybody, say ``"0.0.0.0/0", "::/0"``.
    """

    def _weigh(self, host: HostView, connection: Connection) -> Verdict:
        address = connection.address[0]
        found = [network for network in self.networks if within(address, [network])]
        if not found:
            return ACCEPT
        return deny(DenyReason.HOST_BLOCKED, f"the address {address[:100]} lies in {found[0]}")


class by_host(Gate):
    """Asks ``decide((ip, port))`` about each peer, in the host's connection threads, several at a time.

    The answer is a bool, 0, 1 or a `Verdict`: False becomes HOST_BLOCKED, anything else and whatever it raises denies.
    IPv4 addresses come as IPv4, whatever the socket; for a Unix socket's peer it is ``("uid=1000,pid=123", 0)``.
    """

    def __init__(self, decide: Callable[[tuple[str, int]], bool | int | Verdict]) -> None:
        if not callable(decide):
            raise ConfigurationError(f"by_host({decide!r:.100}): a function is needed that takes (ip, port)")
        self.decide = decide

    def __repr__(self) -> str:
        return f"by_host({getattr(self.decide, '__qualname__', None) or repr(self.decide)})"

    def _weigh(self, host: HostView, connection: Connection) -> Verdict:
        ip, port = connection.address
        answer = self.decide((plain(ip), port))
        if type(answer) in (bool, int) and answer == 0:
            return deny(DenyReason.HOST_BLOCKED, f"{self!r} said no")
        return read_verdict(answer)
