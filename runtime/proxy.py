"""Proxies: the stand-ins of objects elsewhere. Holding one is the only way to reach the object."""

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from ..errors import NotExposed
from .exposure import Interface
from .wire.messages import Op

if TYPE_CHECKING:
    from .peer import Peer

__all__ = ["Proxy", "interface_of_proxy", "new_proxy", "peer_and_number", "received_again"]

MAX_CLASSES: Final = 200  # proxy classes kept; a peer that invents interfaces pays for the others each time


class Proxy:
    """An object elsewhere: its exposed methods can be called, its exposed properties read and written.

    The proxy that `connect` gives is a context manager that closes the connection; leaving any other one does nothing.
    """

    __slots__ = ("__weakref__", "_counted", "_number", "_owner", "_peer")

    _interface: Interface

    def __getattr__(self, name: str) -> Any:
        raise _not_exposed(self._interface, name)

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
        self._peer.dropped(self._number, self._counted)


def new_proxy(peer: "Peer", number: int, interface: Interface) -> Proxy:
    """The proxy of the peer's object `number`."""
    proxy = _class_for(interface)()
    put = object.__setattr__
    put(proxy, "_peer", peer)
    put(proxy, "_number", number)
    put(proxy, "_counted", 1)  # how often it was received: said when it is released
    put(proxy, "_owner", False)  # whether it closes its connection
    return proxy


def received_again(proxy: Proxy) -> None:
    """The same object came once more; its release will say so."""
    object.__setattr__(proxy, "_counted", proxy._counted + 1)


@lru_cache(MAX_CLASSES)
def _class_for(interface: Interface) -> type[Proxy]:
    """A class with the exposed members: so Python finds them as fast as any method, and shows them as it does any."""
    members: dict[str, Any] = {name: _method(name) for name in interface.methods}
    members |= {name: _property(name) for name in interface.properties}
    return type("Proxy", (Proxy,), {**members, "__slots__": (), "_interface": interface, "__module__": __name__})


def _method(name: str) -> Callable[..., Any]:
    def method(self: Proxy, /, *args: Any, **kwargs: Any) -> Any:
        return self._peer.call(self._number, Op.CALL, name, args, kwargs)

    method.__name__ = method.__qualname__ = name
    return method


def _property(name: str) -> Any:
    def read(self: Proxy) -> Any:
        return self._peer.call(self._number, Op.GET, name, (), {})

    return property(read)  # writing goes through `Proxy.__setattr__`


def _not_exposed(interface: Interface, name: str) -> NotExposed:
    names = ", ".join(sorted(interface.methods | interface.properties)) or "nothing"
    return NotExposed(f"{interface.label} does not expose {name!r}; it exposes {names:.300}")


def interface_of_proxy(proxy: Proxy) -> Interface:
    """What the proxied object exposes: for handing the proxy on to somebody else."""
    return proxy._interface


def peer_and_number(proxy: Proxy) -> "tuple[Peer, int]":
    """Where the object of `proxy` lives."""
    return proxy._peer, proxy._number
