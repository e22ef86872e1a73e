"""Parcels: mobile code that a client took in without opening it, and may hand on as it came."""

from collections.abc import Mapping
from typing import Any

from ..errors import CodeDenied
from ..validators.consignment import Consignment
from .wire.hooks import Mobile, Named

__all__ = ["Parcel", "Sources", "put_in"]


class Sources(dict[str, str]):
    """The sources of one closure by digest, shared by the parcels that it came with."""

    __slots__ = ("__weakref__",)


class Parcel:
    """An object of a host's class, still wrapped: nothing of its code has run here, and nothing of it can be used.

    Any use raises `CodeDenied`; given to a hosted method, of this host or of another one, it is the object again. It
    keeps its state, and its code as plain text.
    """

    __slots__ = ("__weakref__", "_goods", "_module", "_named", "_qualname", "_sources", "_state")

    def __init__(self, goods: Consignment, module: str, qualname: str, sources: Mapping[str, str], *,
                 named: bool) -> None:
        put = object.__setattr__
        put(self, "_goods", goods)
        put(self, "_module", module)
        put(self, "_qualname", qualname)
        put(self, "_sources", sources)
        put(self, "_named", named)
        put(self, "_state", None)

    def _taken_apart(self) -> Mobile | Named:
        if self._named:
            return Named(self._goods, self._module, self._qualname)
        return Mobile(self._goods, self._module, self._qualname, self._state)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)  # what tools look for on any object
        raise self.closed()

    def __setattr__(self, name: str, value: object) -> None:
        raise self.closed()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise self.closed()

    def closed(self) -> CodeDenied:
        why = "this connection takes no code in: connect(..., mobile_code=True) opens what comes"
        return CodeDenied(self._module, "download", why)

    def __repr__(self) -> str:
        return f"<parcel with {self._module}.{self._qualname}, unopened>"

    def __reduce__(self) -> Any:
        raise TypeError("a parcel goes on in calls to hosted objects, not in pickles")


def put_in(parcel: Parcel, state: object) -> None:
    """Fill a parcel that has just come."""
    object.__setattr__(parcel, "_state", state)
