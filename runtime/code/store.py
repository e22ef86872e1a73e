"""Code at rest: accepted modules' texts by their digest, and what was compiled from them."""

import threading
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol

from ...agents.manifest import MAX_CLOSURE_BYTES, digest_of
from ...errors import LimitExceeded, ProtocolError

__all__ = ["CodeStore", "MemoryCodeStore"]

DEFAULT_BYTES: Final = 8 * MAX_CLOSURE_BYTES  # 64 MiB: thousands of ordinary agents with what was compiled of them
DEFAULT_MODULES: Final = 20_000  # bounds the store's own bookkeeping (about 1 KB a module) when modules are tiny


class CodeStore(Protocol):
    """Where texts stay between visits. Thread-safe; whatever keeps them, a text is checked on its way in and out."""

    def get(self, digest: str) -> str | None:
        """The text with that digest; None when it is not here (any more), or no longer what it was."""

    def put(self, digest: str, source: str) -> None:
        """Keep a text.

        Raises:
            ProtocolError: `digest` is not the text's.
            LimitExceeded: it does not fit beside what is pinned.
        """

    def check(self, digest: str, source: str) -> None:
        """Raise `ProtocolError` unless `digest` is the text's."""

    def compiled(self, digest: str, key: str) -> bytes | None:
        """What was compiled from a text under `key`, which names the policy's and Python's version; None without it."""

    def put_compiled(self, digest: str, key: str, code: bytes) -> None:
        """Keep what was compiled from a text, if the text is here; it goes when the text goes."""

    def pin(self, digests: Iterable[str]) -> None:
        """Keep these, here already or still to come, until as many `unpin` have followed."""

    def unpin(self, digests: Iterable[str]) -> None:
        """Take back one `pin` of each."""


@dataclass(slots=True)
class _Entry:
    source: str
    size: int
    compiled: dict[str, bytes] = field(default_factory=dict)


class MemoryCodeStore:
    """A `CodeStore` for as long as the process lives; what was not used for longest goes first.

    Args:
        max_bytes: All texts (in UTF-8) and everything compiled from them together.
        max_modules: How many texts.
    """

    def __init__(self, *, max_bytes: int = DEFAULT_BYTES, max_modules: int = DEFAULT_MODULES) -> None:
        self.max_bytes = max_bytes
        self.max_modules = max_modules
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._pins: Counter[str] = Counter()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, digest: str) -> bool:
        return digest in self._entries

    @property
    def used_bytes(self) -> int:
        """Bytes of all texts and of what was compiled from them."""
        return self._bytes

    def check(self, digest: str, source: str) -> None:
        if digest_of(source) != digest:
            raise ProtocolError(f"a module's source does not have the digest {digest[:16]!a} that was announced")

    def get(self, digest: str) -> str | None:
        entry = self._used(digest)
        if entry is None:
            return None
        if digest_of(entry.source) == digest:
            return entry.source
        with self._lock:
            self._drop(digest)  # not what was put in: it is asked for, and judged, again
        return None

    def put(self, digest: str, source: str) -> None:
        self.check(digest, source)
        size = len(source.encode())
        with self._lock:
            if digest in self._entries:
                self._entries.move_to_end(digest)
                return
            self._make_room(size, 1)
            self._entries[digest] = _Entry(source, size)
            self._bytes += size

    def compiled(self, digest: str, key: str) -> bytes | None:
        entry = self._used(digest)
        return None if entry is None else entry.compiled.get(key)

    def put_compiled(self, digest: str, key: str, code: bytes) -> None:
        with self._lock:
            entry = self._entries.get(digest)
            if entry is None:
                return
            self._entries.move_to_end(digest)
            self._bytes -= len(entry.compiled.pop(key, b""))
            try:
                self._make_room(len(code), 0)
            except LimitExceeded:
                return  # compiled code can be made again: do without
            if digest in self._entries:
                entry.compiled[key] = code
                self._bytes += len(code)

    def pin(self, digests: Iterable[str]) -> None:
        with self._lock:
            self._pins.update(digests)

    def unpin(self, digests: Iterable[str]) -> None:
        with self._lock:
            for digest in digests:
                self._pins[digest] -= 1
                if self._pins[digest] <= 0:
                    del self._pins[digest]

    @contextmanager
    def pinned(self, digests: Iterable[str]) -> Iterator[None]:
        """`pin` on entering, `unpin` on leaving: around a visit that needs these."""
        kept = list(digests)
        self.pin(kept)
        try:
            yield
        finally:
            self.unpin(kept)

    def _used(self, digest: str) -> _Entry | None:
        with self._lock:
            entry = self._entries.get(digest)
            if entry is not None:
                self._entries.move_to_end(digest)
            return entry

    def _make_room(self, size: int, modules: int) -> None:
        """Drop what is not pinned, oldest use first, until `size` bytes and `modules` texts more fit."""
        over_bytes = self._bytes + size - self.max_bytes
        over_modules = len(self._entries) + modules - self.max_modules
        leaving = []
        for digest, entry in self._entries.items():
            if over_bytes <= 0 and over_modules <= 0:
                break
            if digest not in self._pins:
                leaving.append(digest)
                over_bytes -= entry.size + sum(map(len, entry.compiled.values()))
                over_modules -= 1
        if over_bytes > 0:
            raise LimitExceeded("max_bytes", over_bytes + self.max_bytes, self.max_bytes)
        if over_modules > 0:
            raise LimitExceeded("max_modules", over_modules + self.max_modules, self.max_modules)
        for digest in leaving:
            self._drop(digest)

    def _drop(self, digest: str) -> None:
        entry = self._entries.pop(digest, None)
        if entry is not None:
            self._bytes -= entry.size + sum(map(len, entry.compiled.values()))
