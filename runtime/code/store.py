"""Code at rest: accepted modules' texts by their digest, and what was compiled from them."""

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol

from ...agents.manifest import MAX_CLOSURE_BYTES, digest_of
from ...errors import LimitExceeded, ProtocolError
from .kept import MAX_LABELS, Kept, Label, checked_digest, checked_peer, checked_why, leaving

__all__ = ["DEFAULT_BYTES", "DEFAULT_MODULES", "CodeStore", "MemoryCodeStore"]

DEFAULT_BYTES: Final = 8 * MAX_CLOSURE_BYTES  # 64 MiB: thousands of ordinary agents with what was compiled of them
DEFAULT_MODULES: Final = 20_000  # bounds the store's own bookkeeping (about 1 KB a module) when modules are tiny


class CodeStore(Protocol):
    """Where texts stay between visits. Thread-safe; whatever keeps them, a text is checked on its way in and out.

    What the operator has yanked is not here for anybody: `get` and `compiled` give None, `put` keeps nothing.
    """

    def get(self, digest: str) -> str | None:
        """The text with that digest; None when it is not here (any more), yanked, or no longer what it was."""

    def put(self, digest: str, source: str) -> None:
        """Keep a text.

        Raises:
            ProtocolError: `digest` is not the text's.
            LimitExceeded: it does not fit beside what is pinned or held.
        """

    def check(self, digest: str, source: str) -> None:
        """Raise `ProtocolError` unless `digest` is the text's."""

    def compiled(self, digest: str, key: str) -> bytes | None:
        """What was compiled from a text under `key`, which names the policy's and Python's version; None without it."""

    def put_compiled(self, digest: str, key: str, code: bytes) -> None:
        """Keep what was compiled from a text, if the text is here; it goes when the text goes."""

    def hold(self, digests: Iterable[str]) -> None:
        """Keep these, here already or still to come, until as many `release` have followed: for calls that run."""

    def release(self, digests: Iterable[str]) -> None:
        """Take back one `hold` of each."""

    def record(self, modules: Mapping[str, str], peer: str) -> list[tuple[str, str]]:
        """Remember that texts came, as {name: digest}, from `peer`; gives (name, digest) of those that are news."""

    # --- the operator's hand ------------------------------------------------------------------------------------

    def pin(self, digest: str) -> None:
        """Keep a text, here already or still to come, until `unpin`; it counts for the bounds all the same.

        Raises:
            ConfigurationError: `digest` is none; the decision cannot be written down.
        """

    def unpin(self, digest: str) -> None:
        """Let a text go when its turn comes; nothing happens where it was not pinned. Raises as `pin`."""

    def yank(self, digest: str, why: str) -> None:
        """Refuse a text from now on, known or not, in both directions, and end visits that hold it at their next call.

        Raises:
            ConfigurationError: `digest` is none; `why` is empty; the decision cannot be written down.
        """

    def unyank(self, digest: str) -> None:
        """Take a `yank` back; nothing happens where there was none. Raises as `pin`."""

    def yanked(self, digest: str) -> str | None:
        """Why a text was yanked; None where it was not."""

    def yanks(self) -> Mapping[str, str]:
        """{digest: why} of all that is yanked: the same object as long as nothing has changed, so that ``is`` tells."""

    def text(self, digest: str) -> str | None:
        """As `get`, but yanked texts too, and it counts as no use: for the operator's eyes."""

    def listing(self) -> list[Kept]:
        """What is here, last used first; then what only was decided about."""

    def close(self) -> None:
        """Write down what is not yet. Idempotent; what is asked later finds what memory has."""


@dataclass(slots=True)
class _Entry:
    source: str
    size: int
    used_s: float
    compiled: dict[str, bytes] = field(default_factory=dict)
    labels: dict[tuple[str, str], Label] = field(default_factory=dict)  # (name, peer), last seen last

    @property
    def weight(self) -> int:
        return self.size + sum(map(len, self.compiled.values())) + sum(map(_label_size, self.labels))


def _label_size(label: tuple[str, str]) -> int:
    return len(label[0]) + len(label[1])


class MemoryCodeStore:
    """A `CodeStore` for as long as the process lives; what was not used for longest goes first.

    Args:
        max_bytes: All texts (in UTF-8), everything compiled from them, and their labels together.
        max_modules: How many texts.
        clock: Seconds since the epoch, for the list; which text goes first does not depend on it.
    """

    def __init__(self, *, max_bytes: int = DEFAULT_BYTES, max_modules: int = DEFAULT_MODULES,
                 clock: Callable[[], float] = time.time) -> None:
        self.max_bytes = max_bytes
        self.max_modules = max_modules
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._holds: Counter[str] = Counter()
        self._pinned: frozenset[str] = frozenset()
        self._yanks: Mapping[str, str] = {}  # replaced, never altered: who has it has a moment's truth
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, digest: str) -> bool:
        return digest in self._entries

    @property
    def used_bytes(self) -> int:
        """Bytes of all texts, of what was compiled from them, and of their labels."""
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
        if digest in self._yanks:
            return
        size = len(source.encode())
        with self._lock:
            if digest in self._entries:
                self._entries.move_to_end(digest)
                return
            self._make_room(size, 1)
            self._entries[digest] = _Entry(source, size, self._clock())
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

    def hold(self, digests: Iterable[str]) -> None:
        with self._lock:
            self._holds.update(digests)

    def release(self, digests: Iterable[str]) -> None:
        with self._lock:
            for digest in digests:
                self._holds[digest] -= 1
                if self._holds[digest] <= 0:
                    del self._holds[digest]

    def held(self, digest: str) -> bool:
        """Whether a running call needs it."""
        return digest in self._holds

    @contextmanager
    def holding(self, digests: Iterable[str]) -> Iterator[None]:
        """`hold` on entering, `release` on leaving: around a visit that needs these."""
        kept = list(digests)
        self.hold(kept)
        try:
            yield
        finally:
            self.release(kept)

    def record(self, modules: Mapping[str, str], peer: str) -> list[tuple[str, str]]:
        peer, now_s, news = checked_peer(peer), self._clock(), []
        with self._lock:
            for name, digest in modules.items():
                entry = self._entries.get(digest)
                before = None if entry is None else entry.labels.pop((name, peer), None)
                if before is None:
                    news.append((name, digest))
                if entry is None:
                    continue
                entry.labels[name, peer] = Label(name, peer, now_s if before is None else before.first_s, now_s)
                if before is None:
                    self._bytes += _label_size((name, peer))
                if len(entry.labels) > MAX_LABELS:
                    oldest = next(iter(entry.labels))
                    del entry.labels[oldest]
                    self._bytes -= _label_size(oldest)
        return news

    # --- the operator's hand ------------------------------------------------------------------------------------

    def pin(self, digest: str) -> None:
        with self._lock:
            self._pinned |= {checked_digest(digest)}

    def unpin(self, digest: str) -> None:
        with self._lock:
            self._pinned -= {checked_digest(digest)}

    def yank(self, digest: str, why: str) -> None:
        decided = {checked_digest(digest): checked_why(why)}
        with self._lock:
            self._yanks = {**self._yanks, **decided}

    def unyank(self, digest: str) -> None:
        checked_digest(digest)
        with self._lock:
            self._yanks = {one: why for one, why in self._yanks.items() if one != digest}

    def yanked(self, digest: str) -> str | None:
        return self._yanks.get(digest)

    def yanks(self) -> Mapping[str, str]:
        return self._yanks

    def text(self, digest: str) -> str | None:
        entry = self._entries.get(digest)
        return None if entry is None or digest_of(entry.source) != digest else entry.source

    def listing(self) -> list[Kept]:
        with self._lock:
            found = [
                Kept(digest, entry.size, entry.used_s, digest in self._pinned, self._yanks.get(digest),
                     tuple(reversed(entry.labels.values())))
                for digest, entry in reversed(self._entries.items())
            ]
            decided = sorted((self._pinned | self._yanks.keys()) - self._entries.keys())
            return found + [Kept(one, None, None, one in self._pinned, self._yanks.get(one)) for one in decided]

    def drop(self, digests: Iterable[str]) -> None:
        """Forget texts, held or not."""
        with self._lock:
            for digest in digests:
                self._drop(digest)

    def close(self) -> None:
        """Nothing to do: what is here ends with the process."""

    # --- the books ----------------------------------------------------------------------------------------------

    def _used(self, digest: str) -> _Entry | None:
        if digest in self._yanks:
            return None
        with self._lock:
            entry = self._entries.get(digest)
            if entry is not None:
                self._entries.move_to_end(digest)
                entry.used_s = self._clock()
            return entry

    def _make_room(self, size: int, modules: int) -> None:
        """Drop what is neither held nor pinned, oldest use first, until `size` bytes and `modules` texts more fit."""
        may_go = (
            (digest, entry.weight)
            for digest, entry in self._entries.items()
            if digest not in self._holds and digest not in self._pinned
        )
        wanted = self._bytes + size, len(self._entries) + modules
        for digest in leaving(may_go, wanted=wanted, bounds=(self.max_bytes, self.max_modules)):
            self._drop(digest)

    def _drop(self, digest: str) -> None:
        entry = self._entries.pop(digest, None)
        if entry is not None:
            self._bytes -= entry.weight
