"""Sources that one end has announced to the other, which may ask for them: nothing else is ever supplied."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from ..agents.manifest import MAX_CLOSURE_BYTES, MAX_MODULES

__all__ = ["Announced"]

# Of one connection. The code of agents that pass through a host has no natural end; whoever is sent something asks for
# its code at once or not at all, so the oldest announcements are the ones that nobody misses.
MOST_BYTES: Final = 4 * MAX_CLOSURE_BYTES
MOST_MODULES: Final = 8 * MAX_MODULES


class Announced:
    """Sources by module name and digest; where there are too many, the oldest announcements go. Thread-safe."""

    def __init__(self) -> None:
        self._sources: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def add(self, name: str, digest: str, text: Callable[[str], str]) -> None:
        """Announce a module; `text` gives the source for its digest, and is asked once."""
        key = name, digest
        if key in self._sources:
            return
        source = text(digest)
        with self._lock:
            if key in self._sources:
                return
            self._sources[key] = source
            self._size += len(source)
            while len(self._sources) > MOST_MODULES or (self._size > MOST_BYTES and len(self._sources) > 1):
                _, dropped = self._sources.popitem(last=False)
                self._size -= len(dropped)

    def get(self, name: str, digest: str) -> str | None:
        """The source of an announced module; None where it was not, or long ago."""
        return self._sources.get((name, digest))
