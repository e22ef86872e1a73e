"""The file behind a store that survives restarts: made whole or not at all, private, and checked before it is used.

Source: sqlite.org, "Write-Ahead Logging" and "Pragma statements".
"""

import os
import secrets
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

from ...errors import ConfigurationError

__all__ = ["FILE", "connected", "explained", "opened"]

FILE: Final = "code.sqlite3"
APPLICATION: Final = 0x454D504F  # "EMPO": in the file's header, so that no other program's database is taken for ours
VERSION: Final = 1

# Compared with what a file says of itself: another table, or a trigger, would be somebody else's idea.
SCHEMA: Final = (
    "CREATE TABLE texts (digest TEXT PRIMARY KEY, source BLOB NOT NULL, size INTEGER NOT NULL, used REAL NOT NULL)",
    "CREATE INDEX texts_by_use ON texts (used, size, digest)",  # what leaves first, without reading a text
    "CREATE TABLE labels (digest TEXT NOT NULL, name TEXT NOT NULL, peer TEXT NOT NULL, first REAL NOT NULL, "
    "last REAL NOT NULL, PRIMARY KEY (digest, name, peer)) WITHOUT ROWID",
    "CREATE TABLE pins (digest TEXT PRIMARY KEY)",
    "CREATE TABLE yanks (digest TEXT PRIMARY KEY, why TEXT NOT NULL, since REAL NOT NULL)",
)


def opened(folder: Path, *, make: bool, busy_s: float) -> Path:
    """Find the store's file in `folder`; make both (0700, 0600) where there are none and `make` says so.

    Raises:
        ConfigurationError: No file, one that others can get at, or one that is no store of ours; what to do about it.
    """
    path = folder / FILE
    with explained(path):
        if make:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if make and not path.exists():
            _make_once(path, busy_s)
        # By name, not by descriptor: closing one would drop the locks that SQLite holds on this file in this process.
        try:
            found = path.lstat()
        except FileNotFoundError:
            text = f"there is no code store in {folder}: a host makes one that is given this folder as its state_dir"
            raise ConfigurationError(text) from None
        mode = stat.S_IMODE(found.st_mode)
        if not stat.S_ISREG(found.st_mode):
            raise ConfigurationError(f"{path} is no ordinary file: move it away")
        if mode & 0o077:
            raise ConfigurationError(f"others can get at {path} (mode {mode:o}): chmod 600 it, or remove it")
        with closing(connected(path, busy_s)) as database:
            _check(path, database)
    return path


def connected(path: Path, busy_s: float) -> sqlite3.Connection:
    """A connection for any thread, one at a time. `busy_s`: how long to wait for another process that writes."""
    where = f"file:{quote(os.fsencode(path))}?mode=rw"  # never made here, however the file went missing
    database = sqlite3.connect(where, uri=True, timeout=busy_s, isolation_level=None, check_same_thread=False)
    try:
        database.execute("PRAGMA trusted_schema = OFF")
    except BaseException:
        database.close()
        raise
    return database


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what goes wrong with the file at `path` into a `ConfigurationError` that says what to do."""
    try:
        yield
    except sqlite3.Error as error:
        raise ConfigurationError(_advice(path, error)) from None
    except OSError as error:
        raise ConfigurationError(f"state_dir: {error}") from None


def _advice(path: Path, error: sqlite3.Error) -> str:
    code = getattr(error, "sqlite_errorname", "")
    if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return f"another process keeps {path} locked: end it, or try again"
    if code.startswith("SQLITE_FULL"):
        return f"there is no room to write {path}: free some space on its disk"
    if code.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return f"{path} is damaged ({error}): move it away; code is sent again when it is needed, yanks are lost"
    return f"{path} cannot be used ({error}): check its owner, its folder and its disk"


def _make_once(path: Path, busy_s: float) -> None:
    """Put an empty store there, whole or not at all; who comes second leaves the first one's in place."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        with closing(connected(draft, busy_s)) as database:
            database.execute("PRAGMA journal_mode = WAL")  # is kept in the file
            database.execute("BEGIN IMMEDIATE")
            for statement in SCHEMA:
                database.execute(statement)
            database.execute(f"PRAGMA application_id = {APPLICATION}")
            database.execute(f"PRAGMA user_version = {VERSION}")
            database.execute("COMMIT")
        try:
            os.link(draft, path)  # unlike a rename, this never replaces
        except FileExistsError:
            return
    finally:
        for name in (draft, f"{draft}-wal", f"{draft}-shm"):
            Path(name).unlink(missing_ok=True)


def _check(path: Path, database: sqlite3.Connection) -> None:
    application = database.execute("PRAGMA application_id").fetchone()[0]
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if application == APPLICATION and version > VERSION:
        raise ConfigurationError(f"{path} was made by a newer emporion (format {version}): upgrade this one")
    found = {row[0] for row in database.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")}
    if application != APPLICATION or version != VERSION or found != set(SCHEMA):
        raise ConfigurationError(f"{path} is no code store of emporion's: move it away")
