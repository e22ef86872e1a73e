"""The jailers of a host: one for each way in which its objects isolate visits."""

import logging
import threading
from typing import Final

from ..errors import SandboxUnavailable
from .options import Isolation
from .sandbox.supervisor import Jailer

__all__ = ["Jails"]

log = logging.getLogger("emporion.host")

_Key = tuple[bool, tuple[str, ...]]


class Jails:
    """Makes jailers as they are needed, and ends them together. Thread-safe.

    Objects that allow the same modules share a zygote: whoever may import what another may not never meets it, be it
    as a value or as a facade that another's agent got.
    """

    def __init__(self, *, spares: int) -> None:
        """Nothing is started yet; `spares` processes will wait for visits in each jailer."""
        self._spares: Final = spares
        self._lock = threading.Lock()
        self._jailers: dict[_Key, Jailer] = {}
        self._told: set[_Key] = set()
        self._shut = False

    def of(self, isolation: Isolation) -> Jailer:
        """The jailer for visits with these walls and modules.

        Raises:
            SandboxUnavailable: The host is closed: a new zygote would outlive it.
        """
        key = _key(isolation)
        with self._lock:
            jailer = self._jailers.get(key)
            if jailer is None:
                if self._shut:
                    raise SandboxUnavailable("the host is closed")
                jailer = Jailer(spares=self._spares, os_wall=isolation.os, modules=isolation.modules)
                self._jailers[key] = jailer
            return jailer

    def prepare(self, isolation: Isolation) -> None:
        """Have the zygote ready before the first agent comes, and say early, and once, what stands."""
        try:
            walls = self.of(isolation).report()
            with self._lock:
                if _key(isolation) in self._told:
                    return
                self._told.add(_key(isolation))
            more = f"; they may also import {', '.join(isolation.modules)}" if isolation.modules else ""
            log.info("walls around agents: %s%s", walls, more)
            for note in walls.notes:
                log.info("walls: %s", note)
        except SandboxUnavailable as error:
            if not self._shut:
                log.error("this host takes no agents: %s", error)

    def refill(self, isolation: Isolation) -> None:
        """Make good for a process that was used."""
        self._jailers[_key(isolation)].refill()

    def shut(self) -> None:
        """From now on no new zygote is started."""
        with self._lock:
            self._shut = True

    def close(self) -> None:
        """End every zygote and all that is in them; what `Jailer.close` says. Idempotent."""
        self.shut()
        for jailer in self._jailers.values():  # there will be no more
            jailer.close()


def _key(isolation: Isolation) -> _Key:
    return isolation.os, tuple(isolation.modules)
