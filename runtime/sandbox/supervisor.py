"""The supervisor: hands out jailed processes, ready before they are needed. Foreign code runs in them only."""

import sys
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from ...errors import ConfigurationError, SandboxUnavailable
from ..options import Limits
from .jail import Exit, Jailed
from .keeper import Keeper
from .protocol import EXIT_CRASHED, EXIT_MEMORY, ROLES, WallReport

__all__ = ["EXIT_CRASHED", "EXIT_MEMORY", "Exit", "Jailed", "Jailer", "WallReport"]

VISIT_ENTRY: Final = "emporion.runtime.sandbox.visit:main"


class Jailer:
    """Owns the zygote and gives out jailed processes. Thread-safe. Linux only.

    The zygote is started on first use or by `start`, and anew after it has died.
    """

    def __init__(self, *, spares: int = 2, os_wall: bool = True, modules: Sequence[str] = (),
                 entry: str = VISIT_ENTRY) -> None:
        """Nothing is started yet.

        Args:
            spares: how many warm processes wait ahead of time; each costs 2 to 3 MB.
            os_wall: False leaves out seccomp, Landlock and namespaces, to test the language wall alone.
            modules: what agents may import beyond what all may; imported when the zygote starts.
            entry: "package.module:function"; called as ``function(sock, role)`` in each process, behind its walls.
        """
        if type(spares) is not int or not 0 <= spares <= 1000:
            raise ConfigurationError(f"Jailer(spares={spares!r}): a number from 0 to 1000 is needed")
        self._spares = spares
        self._os_wall = os_wall
        self._modules = tuple(modules)
        self._entry = entry
        self._lock = threading.Lock()
        self._keeper: Keeper | None = None
        self._walls: WallReport | None = None
        self._pool: deque[Jailed] = deque()
        self._closed = False

    def start(self) -> None:
        """Start the zygote and ask for the first spares, unless that is done.

        Raises:
            SandboxUnavailable: a wall that must stand cannot; the text says what to install.
        """
        self._living()

    def open(self, limits: Limits, *, role: str = "visit") -> Jailed:
        """A process of its own for one visit, limited to `limits`, with its clock running.

        Args:
            role: "visit" or "compile"; the process's entry is told.

        Raises:
            SandboxUnavailable: no process could be had within ten seconds.
        """
        if role not in ROLES:
            raise ConfigurationError(f"role {role!r}: one of {', '.join(ROLES)} is needed")
        keeper = self._living()
        jailed = self._take(keeper)
        try:
            jailed.begin(limits, role, keeper)
        except BaseException:
            jailed.close()
            raise
        keeper.watch(jailed, limits.wall_s)
        if not self._pool:
            self._refill(keeper)  # the next visit would find nobody: better that this one shares its processor
        return jailed

    def refill(self) -> None:
        """Have spares ready again; for whoever has ended a visit.

        Making a spare takes some 6 ms of a processor, about as much as a whole short visit; done while the visit runs
        it doubles the visit's time where there is one processor.
        """
        keeper = self._keeper
        if keeper is not None:
            self._refill(keeper)

    def report(self) -> WallReport:
        """Which walls stand on this machine; starts the zygote to find out. Raises `SandboxUnavailable`."""
        self._living()
        assert self._walls is not None
        return self._walls

    def close(self) -> None:
        """End the zygote and every process in it, wait until they are reaped, close all descriptors. Idempotent."""
        with self._lock:
            self._closed = True
            keeper, self._keeper = self._keeper, None
            self._retire(keeper)

    def __enter__(self) -> "Jailer":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _living(self) -> Keeper:
        with self._lock:
            if self._closed:
                raise SandboxUnavailable("this Jailer is closed: make a new one")
            if self._keeper is None or not self._keeper.alive:
                if not sys.platform.startswith("linux"):
                    raise SandboxUnavailable(f"the sandbox needs Linux, this is {sys.platform}: host agents on Linux")
                self._retire(self._keeper)
                self._keeper = None
                keeper = Keeper(self._entry, os_wall=self._os_wall, modules=self._modules)
                self._walls = keeper.start()
                self._keeper = keeper
                self._fill(keeper)
            return self._keeper

    def _retire(self, keeper: Keeper | None) -> None:
        if keeper is not None:
            keeper.stop()
        for jailed in self._pool:
            jailed.discard()
        self._pool.clear()

    def _take(self, keeper: Keeper) -> Jailed:
        """The spare that has waited longest; a new one where none waits."""
        with self._lock:
            while self._pool:
                jailed = self._pool.popleft()
                if not jailed.ended:
                    return jailed
                jailed.discard()
        return keeper.spawn()

    def _refill(self, keeper: Keeper) -> None:
        with self._lock:
            if keeper is self._keeper and keeper.alive:
                with suppress(SandboxUnavailable):  # the zygote died this moment: the next visit starts a new one
                    self._fill(keeper)

    def _fill(self, keeper: Keeper) -> None:
        while len(self._pool) < self._spares:
            self._pool.append(keeper.spawn())
