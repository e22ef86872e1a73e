"""Proxies: the stand-ins of objects elsewhere. Holding one is the only way to reach the object."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..errors import NotExposed
from .exposure import Interface
from .wire.messages import Op

if TYPE_CHECKING:
    from .peer import Peer

__all__ = ["Proxy", "interface_of_proxy", "peer_and_number"]


class Proxy:
    """An object elsewhere: its exposed methods can be called, its exposed properties read and written.

    The proxy that `connect` gives is a context manager that closes the connection; leaving any other one does nothing.
    """

    __slots__ = ("__weakref__", "_counted", "_interface", "_number", "_owner", "_peer")

    def __init__(self, peer: "Peer", number: int, interface: Interface) -> None:
        put = object.__setattr__
        put(self, "_peer", peer)
        put(self, "_number", number)
        put(self, "_interface", interface)
        put(self, "_counted", 1)  # how often it was received: said when it is released
        put(self, "_owner", False)  # whether it closes its connection

    def __getattr__(self, name: str) -> Any:
        interface: Interface = self._interface
        if name in interface.methods:
            return _bind(self._peer, self._number, name)
        if name in interface.properties:
            return self._peer.call(self._number, Op.GET, name, (), {})
        raise _not_exposed(interface, name)

    def __setattr__(self, name: str, value: object) -> None:
        if name not in self._interface.properties:
            raise _not_exposed(self._interface, name)
        self._peer.call(self._number, Op.SET, name, (value,), {})

    def __dir__(self) -> list[str]:
        return sorted(self._interface.methods | self._interface.properties)

    def __repr__(self) -> str:
        return f"<proxy of {self._interface.label!s:.100} at {self._peer.where}>"

    def __reduce__(self) -> Any:
        raise TypeError("a proxy is a capability: it travels in calls, not in pickles")

    def __enter__(self) -> "Proxy":
        return self

    def __exit__(self, *exc: object) -> None:
        if self._owner:
            self._peer.close()

    def __del__(self) -> None:
        peer = getattr(self, "_peer", None)
        if peer is not None:
            peer.dropped(self._number, self._counted)


def _bind(peer: "Peer", number: int, name: str) -> Callable[..., Any]:
    def method(*args: Any, **kwargs: Any) -> Any:
        return peer.call(number, Op.CALL, name, args, kwargs)

    method.__name__ = method.__qualname__ = name
    return method


def _not_exposed(interface: Interface, name: str) -> NotExposed:
    names = ", ".join(sorted(interface.methods | interface.properties)) or "nothing"
    return NotExposed(f"{interface.label} does not expose {name!r}; it exposes {names:.300}")


def interface_of_proxy(proxy: Proxy) -> Interface:
    """What the proxied object exposes: for handing the proxy on to somebody else."""
    interface: Interface = proxy._interface
    return interface


def peer_and_number(proxy: Proxy) -> "tuple[Peer, int]":
    """Where the object of `proxy` lives."""
    return proxy._peer, proxy._number
