"""Code at rest that survives restarts: texts, where they came from and the operator's decisions, in a file.

Compiled code is kept in memory only. Visits unmarshal it, and what can be unmarshalled cannot be checked: whoever could
write the file would have byte code run that no policy has seen. A text is checked by its digest each time it is read.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from os import PathLike
from pathlib import Path
from typing import Any, Final

from ...agents.manifest import digest_of
from ...errors import LimitExceeded, ProtocolError
from ..events import one_line
from .database import connected, explained, opened
from .kept import MAX_LABELS, Kept, Label, checked_digest, checked_peer, checked_why, leaving
from .store import DEFAULT_BYTES, DEFAULT_MODULES, MemoryCodeStore

__all__ = ["LOOK_S", "DiskCodeStore"]

log = logging.getLogger("emporion.code")

# How long a decision of another process may go unnoticed; who decides waits as long, so that a yank holds everywhere
# once `yank` has returned. A look costs 2 us and gives the interpreter away for a moment; looking at the clock, 0.1 us.
LOOK_S: Final = 0.002
BUSY_S: Final = 5.0  # for another process that writes: transactions here take a millisecond
FLUSH_S: Final = 60.0  # uses and sightings wait so long, or until there are so many, before they are written down
FLUSH_USES: Final = 1_000
ROW_BYTES: Final = 1024 * 1024  # that a row may be longer than all texts may be together

_UNUSED_FIRST: Final = "SELECT digest, size FROM texts WHERE digest NOT IN (SELECT digest FROM pins) ORDER BY used"
_YANKS: Final = "SELECT CAST(digest AS TEXT), CAST(why AS TEXT) FROM yanks"
_SAW_AGAIN: Final = "UPDATE labels SET last = ? WHERE digest = ? AND name = ? AND peer = ?"
_SAW: Final = (
    "INSERT INTO labels SELECT :digest, :name, :peer, :now_s, :now_s "
    "WHERE EXISTS (SELECT 1 FROM texts WHERE digest = :digest) "
    "ON CONFLICT DO UPDATE SET last = excluded.last"
)
_TRIM: Final = (
    "DELETE FROM labels WHERE digest = :digest AND (name, peer) NOT IN "
    "(SELECT name, peer FROM labels WHERE digest = :digest ORDER BY last DESC LIMIT :most)"
)


class DiskCodeStore:
    """A `CodeStore` in the file `code.sqlite3` of a folder, which other processes may use at the same time.

    A `MemoryCodeStore` stands in front of it: what it has costs no read. Where the file cannot be read or written while
    the host runs, texts are kept in memory and the log says so; decisions of the operator raise.

    Args:
        folder: Made where there is none (0700), and the file in it (0600).
        max_bytes, max_modules: Of the texts in the file; the memory in front has the same bounds by default.
        make: False: a file that is not there is an error, and nothing is made.
        busy_s: How long to wait for another process that writes.
        clock: Seconds since the epoch; in the file, it says what was used last.

    Raises:
        ConfigurationError: The file is missing, damaged, foreign, of a newer version, locked, or open to others.
    """

    def __init__(self, folder: str | PathLike[str], *, max_bytes: int = DEFAULT_BYTES,
                 max_modules: int = DEFAULT_MODULES, memory: MemoryCodeStore | None = None, make: bool = True,
                 busy_s: float = BUSY_S, clock: Callable[[], float] = time.time) -> None:
        self.max_bytes = max_bytes
        self.max_modules = max_modules
        self._memory = MemoryCodeStore() if memory is None else memory
        self._clock = clock
        self._path = opened(Path(folder), make=make, busy_s=busy_s)
        # Readers do not wait for writers (WAL): a call is never held up by another process that writes.
        self._reading = threading.Lock()
        self._writing = threading.Lock()
        self._waiting = threading.Lock()  # guards the three below
        self._uses: dict[str, float] = {}
        self._sightings: dict[tuple[str, str, str], float] = {}
        self._flush_at_s = time.monotonic() + FLUSH_S
        self._closed = False
        self._yanks: Mapping[str, str] = {}  # replaced, never altered
        self._version: int | None = None
        self._look_at_s = 0.0
        self._silent_until_s = 0.0
        with explained(self._path), ExitStack() as opened_here:
            self._reader = opened_here.enter_context(closing(connected(self._path, busy_s)))
            self._reader.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, max_bytes + ROW_BYTES)
            self._writer = opened_here.enter_context(closing(connected(self._path, busy_s)))
            self._writer.execute("PRAGMA synchronous = NORMAL")  # enough in WAL; see `_decide`
            self._latest_s = float(self._reader.execute("SELECT coalesce(max(used), 0) FROM texts").fetchone()[0])
            self._load(told=False)
            opened_here.pop_all()  # all is well: they stay open

    def __len__(self) -> int:
        return int(self._totals()[1])

    def __contains__(self, digest: str) -> bool:
        return bool(self._rows("SELECT 1 FROM texts WHERE digest = ?", digest))

    @property
    def used_bytes(self) -> int:
        """Bytes of all texts in the file."""
        return int(self._totals()[0])

    # --- texts --------------------------------------------------------------------------------------------------

    def check(self, digest: str, source: str) -> None:
        self._memory.check(digest, source)

    def get(self, digest: str) -> str | None:
        if digest in self.yanks():
            return None
        source = self._memory.get(digest)
        if source is None:
            source = self._read(digest)
            if source is None:
                return None
            with suppress(LimitExceeded):  # full of code in use: it is read from the file each time
                self._memory.put(digest, source)
        self._touch(digest)
        return source

    def put(self, digest: str, source: str) -> None:
        known = digest in self._memory  # and so in the file
        if not known:
            self._memory.check(digest, source)
            if digest in self.yanks():
                return
            known = self._write(digest, source)
        try:
            self._memory.put(digest, source)
        except LimitExceeded:
            if not known:
                raise  # it is nowhere
        self._touch(digest)

    def compiled(self, digest: str, key: str) -> bytes | None:
        return None if digest in self.yanks() else self._memory.compiled(digest, key)

    def put_compiled(self, digest: str, key: str, code: bytes) -> None:
        self._memory.put_compiled(digest, key, code)

    def hold(self, digests: Iterable[str]) -> None:
        self._memory.hold(digests)

    def release(self, digests: Iterable[str]) -> None:
        self._memory.release(digests)

    def record(self, modules: Mapping[str, str], peer: str) -> list[tuple[str, str]]:
        news = self._memory.record(modules, peer)
        peer, now_s = checked_peer(peer), self._clock()
        with self._waiting:
            known = {(digest, name, peer): now_s for name, digest in modules.items() if (name, digest) not in news}
            self._sightings.update(known)
        if news:
            with self._excused("write down where code came from"), self._transaction() as db:
                seen = {"peer": peer, "now_s": now_s}
                db.executemany(_SAW, [{"digest": digest, "name": name, **seen} for name, digest in news])
                db.executemany(_TRIM, [{"digest": one, "most": MAX_LABELS} for one in {digest for _, digest in news}])
        return news

    def _read(self, digest: str) -> str | None:
        with self._excused("read a text"):
            rows = self._rows("SELECT source FROM texts WHERE digest = ?", digest)
            if not rows:
                return None
            source = _as_text(rows[0][0], digest)
            if source is not None:
                return source
            log.warning("the code store's text of %s is not what was put in: dropped", one_line(digest, 64))
            with self._transaction() as db:
                db.execute("DELETE FROM texts WHERE digest = ?", (digest,))
        return None

    def _write(self, digest: str, source: str) -> bool:
        """Put a text into the file; False where that cannot be done now."""
        data = source.encode()
        self.flush()
        with self._excused("keep a text"), self._transaction() as db:
            size, count = self._totals(db)
            if not db.execute("SELECT 1 FROM texts WHERE digest = ?", (digest,)).fetchone():
                may_go = (row for row in db.execute(_UNUSED_FIRST) if not self._memory.held(row[0]))
                bounds = self.max_bytes, self.max_modules
                gone = leaving(may_go, wanted=(size + len(data), count + 1), bounds=bounds)
                for table in ("texts", "labels"):
                    db.executemany(f"DELETE FROM {table} WHERE digest = ?", [(one,) for one in gone])
                self._memory.drop(gone)
            row = digest, data, len(data), self._now()
            db.execute("INSERT OR REPLACE INTO texts VALUES (?, ?, ?, ?)", row)
            return True
        return False

    # --- the operator's hand ------------------------------------------------------------------------------------

    def pin(self, digest: str) -> None:
        self._decide("INSERT OR IGNORE INTO pins VALUES (?)", checked_digest(digest))

    def unpin(self, digest: str) -> None:
        self._decide("DELETE FROM pins WHERE digest = ?", checked_digest(digest))

    def yank(self, digest: str, why: str) -> None:
        self._decide("INSERT OR REPLACE INTO yanks VALUES (?, ?, ?)", checked_digest(digest), checked_why(why),
                     self._clock())

    def unyank(self, digest: str) -> None:
        self._decide("DELETE FROM yanks WHERE digest = ?", checked_digest(digest))

    def yanked(self, digest: str) -> str | None:
        return self.yanks().get(digest)

    def yanks(self) -> Mapping[str, str]:
        if time.monotonic() >= self._look_at_s:
            self._look()
        return self._yanks

    def text(self, digest: str) -> str | None:
        rows = self._rows("SELECT source FROM texts WHERE digest = ?", digest)
        return _as_text(rows[0][0], digest) if rows else self._memory.text(digest)

    def listing(self) -> list[Kept]:
        self.flush()
        with explained(self._path):
            labels: dict[str, list[Label]] = {}
            for digest, *label in self._rows("SELECT digest, name, peer, first, last FROM labels ORDER BY last DESC"):
                labels.setdefault(digest, []).append(Label(*label))
            pins = {row[0] for row in self._rows("SELECT digest FROM pins")}
            yanks = dict(self._rows(_YANKS))
            texts = self._rows("SELECT digest, size, used FROM texts ORDER BY used DESC")
        found = [
            Kept(digest, size, used_s, digest in pins, yanks.get(digest), tuple(labels.get(digest, ())))
            for digest, size, used_s in texts
        ]
        decided = sorted((pins | yanks.keys()) - {kept.digest for kept in found})
        return found + [Kept(digest, None, None, digest in pins, yanks.get(digest)) for digest in decided]

    def _decide(self, statement: str, *values: object) -> None:
        with explained(self._path), self._transaction(lasting=True) as db:
            db.execute(statement, values)
        time.sleep(LOOK_S)  # no event crosses processes here: by now each of them, and this one, looks before it acts

    def _look(self) -> None:
        """Notice what other processes, and this one, have decided."""
        with self._reading:
            now_s = time.monotonic()
            if now_s < self._look_at_s or self._closed:
                return
            with self._excused("see what was yanked; what was so before stays so"):
                self._load()
            self._look_at_s = now_s + LOOK_S

    def _load(self, *, told: bool = True) -> None:
        # It changes with each transaction of another connection, the writer's here included.
        version = self._reader.execute("PRAGMA data_version").fetchone()[0]
        if version == self._version:
            return
        yanks = dict(self._reader.execute(_YANKS))
        self._version = version
        if yanks == self._yanks:
            return
        for digest, why in yanks.items() if told else ():
            if digest not in self._yanks:
                log.warning("code %s was yanked: %s", one_line(digest, 64), one_line(why, 500))
        self._yanks = yanks

    # --- the file -----------------------------------------------------------------------------------------------

    def _now(self) -> float:
        """The clock, but never backwards: it orders uses."""
        self._latest_s = now_s = max(self._clock(), self._latest_s + 1e-6)
        return now_s

    def _touch(self, digest: str) -> None:
        with self._waiting:
            self._uses[digest] = self._now()
            due = len(self._uses) >= FLUSH_USES or time.monotonic() >= self._flush_at_s
        if due:
            self.flush()

    def flush(self) -> None:
        """Write down which texts were used, and which senders were seen again."""
        with self._waiting:
            uses, self._uses = self._uses, {}
            sightings, self._sightings = self._sightings, {}
            self._flush_at_s = time.monotonic() + FLUSH_S
        if uses or sightings:
            with self._excused("write down what was used"), self._transaction() as db:
                db.executemany("UPDATE texts SET used = ? WHERE digest = ?", [(at, one) for one, at in uses.items()])
                db.executemany(_SAW_AGAIN, [(last, *label) for label, last in sightings.items()])

    def _rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with self._reading:
            return [] if self._closed else self._reader.execute(statement, values).fetchall()

    def _totals(self, db: sqlite3.Connection | None = None) -> tuple[int, int]:
        """Bytes and number of the texts."""
        statement = "SELECT coalesce(sum(size), 0), count(*) FROM texts INDEXED BY texts_by_use"
        size, count = db.execute(statement).fetchone() if db is not None else (self._rows(statement) or [(0, 0)])[0]
        return size, count

    @contextmanager
    def _transaction(self, *, lasting: bool = False) -> Iterator[sqlite3.Connection]:
        """One whole change, or none. `lasting`: on the disk, whatever happens to the machine's power afterwards."""
        with self._writing:
            if self._closed:
                raise sqlite3.ProgrammingError("the store is closed")
            self._writer.execute(f"PRAGMA synchronous = {'FULL' if lasting else 'NORMAL'}")
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                self._writer.rollback()
                raise

    @contextmanager
    def _excused(self, what: str) -> Iterator[None]:
        """A host goes on without its file: what it could not do is said, though not for each of a thousand calls."""
        try:
            yield
        except sqlite3.Error as error:
            now_s = time.monotonic()
            if not self._closed and now_s >= self._silent_until_s:
                self._silent_until_s = now_s + 1.0
                log.error("the code store %s could not %s: %s", self._path, what, error)

    def close(self) -> None:
        self.flush()
        with self._writing, self._reading:
            self._closed = True
            self._writer.close()
            self._reader.close()

    def __repr__(self) -> str:
        return f"<DiskCodeStore {str(self._path)!r}>"


def _as_text(data: object, digest: str) -> str | None:
    """What stands in a row, where it is the text that its digest says."""
    with suppress(UnicodeDecodeError, ProtocolError):
        source = data.decode() if type(data) is bytes else ""
        return source if digest_of(source) == digest else None
    return None
