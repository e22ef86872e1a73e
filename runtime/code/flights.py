"""What several threads want at the same moment is made once: sources on their way, modules being compiled."""

import threading
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

__all__ = ["Flight", "Flights"]

K = TypeVar("K")
V = TypeVar("V")


class Flight(Generic[V]):
    """One value on its way."""

    __slots__ = ("_landed", "_value")

    def __init__(self) -> None:
        self._landed = threading.Event()
        self._value: V | None = None

    def land(self, value: V | None) -> None:
        """Give it to whoever waits; None: it will not come, and each fends for himself. The first call counts."""
        if not self._landed.is_set():
            self._value = value
            self._landed.set()

    def wait(self, timeout_s: float) -> V | None:
        """What came; None when nothing did within `timeout_s`, or will."""
        return self._value if self._landed.wait(timeout_s) else None


class Flights(Generic[K, V]):
    """Values on their way, by key.

    Who claims a key has to land it before waiting for anybody else's: then nobody waits in a circle. A claim is cleared
    once its value has been put where `present` finds it, or will never be.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flights: dict[K, Flight[V]] = {}

    def claim(
        self, keys: Iterable[K], present: Callable[[K], V | None]
    ) -> tuple[dict[K, Flight[V]], dict[K, Flight[V]], dict[K, V]]:
        """Divide `keys`: those that the caller has to bring now, those that others bring, and what is there already.

        Args:
            present: Looks again where values are kept, for what has arrived meanwhile; must not wait.
        """
        mine: dict[K, Flight[V]] = {}
        theirs: dict[K, Flight[V]] = {}
        found: dict[K, V] = {}
        with self._lock:
            for key in dict.fromkeys(keys):
                flight = self._flights.get(key)
                if flight is not None:
                    theirs[key] = flight
                elif (value := present(key)) is not None:
                    found[key] = value
                else:
                    mine[key] = self._flights[key] = Flight()
        return mine, theirs, found

    def clear(self, mine: dict[K, Flight[V]]) -> None:
        """Forget what the caller had claimed; what did not land will not."""
        with self._lock:
            for key, flight in mine.items():
                flight.land(None)
                self._flights.pop(key, None)
