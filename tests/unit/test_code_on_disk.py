"""The store's file: it survives restarts, believes nothing, is shared with other processes, and fails with advice."""

import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from emporion.errors import ConfigurationError, LimitExceeded
from emporion.runtime.code.database import FILE
from emporion.runtime.code.disk import DiskCodeStore
from emporion.runtime.code.store import MemoryCodeStore
from emporion.tests.harbour import Ears, listening
from emporion.tests.unit.test_code_store import line_of, put, text

Open = Callable[..., DiskCodeStore]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """Opens stores in one folder."""
    stores: list[DiskCodeStore] = []

    def opened(**options: Any) -> DiskCodeStore:
        stores.append(DiskCodeStore(tmp_path / "state", **options))
        return stores[-1]

    yield opened
    for store in stores:
        store.close()


@pytest.fixture
def ears() -> Iterator[Ears]:
    with listening() as ears:
        yield ears


def edit(folder: Path, *statement: Any) -> None:
    """Somebody else at the file."""
    with closing(sqlite3.connect(folder / "state" / FILE, isolation_level=None)) as database:
        database.execute(*statement)


# --- over a restart


def test_texts_labels_and_decisions_survive_a_restart_and_compiled_code_does_not(opened: Open) -> None:
    before = opened()
    first, second = put(before, 1), put(before, 2)
    before.put_compiled(first, "k", b"code")
    before.record({"trip.a": first}, "nora@192.0.2.1")
    before.record({"trip.a": first}, "nora@192.0.2.1")
    before.pin(first)
    before.yank(second, "bad")
    listed = before.listing()
    before.close()
    after = opened()
    assert after.listing() == listed
    assert after.yanked(second) == "bad"
    assert (after.get(first), after.get(second)) == (text(1), None)
    assert after.compiled(first, "k") is None
    assert [(label.name, label.peer) for label in listed[1].labels] == [("trip.a", "nora@192.0.2.1")]


def test_what_was_used_last_before_a_restart_stays_longest_after_it(opened: Open) -> None:
    before = opened(max_modules=3)
    first, second, third = (put(before, n) for n in range(3))
    before.get(first)
    before.close()
    after = opened(max_modules=3, clock=lambda: 0.0)  # a clock that was set back does not turn the order round
    put(after, 3)
    put(after, 4)
    assert (first in after, second in after, third in after) == (True, False, False)


def test_pins_hold_in_the_file_over_a_restart(opened: Open) -> None:
    before = opened()
    first = put(before, 1)
    before.pin(first)
    before.close()
    after = opened(max_modules=1)
    with pytest.raises(LimitExceeded):
        put(after, 2)
    assert after.get(first) == text(1)


def test_a_known_text_is_neither_read_nor_written_again(opened: Open) -> None:
    store = opened()
    digest = put(store, 1)
    statements: list[str] = []
    for connection in (store._reader, store._writer):
        connection.set_trace_callback(statements.append)
    for _ in range(50):
        assert store.get(digest) == text(1)
        put(store, 1)
    store.record({"trip.a": digest}, "nora")
    seen_first = len(statements)
    for _ in range(50):
        store.record({"trip.a": digest}, "nora")
    assert not [one for one in statements if "texts" in one and "EXISTS" not in one]
    assert len([one for one in statements[seen_first:] if "labels" in one]) == 0


def test_a_memory_that_is_full_costs_reads_and_nothing_else(opened: Open) -> None:
    store = opened(memory=MemoryCodeStore(max_bytes=150))
    first = put(store, 1)
    store.hold([first])
    second = put(store, 2)
    assert (store.get(first), store.get(second)) == (text(1), text(2))


# --- what is not what it was


@pytest.mark.parametrize("source", [b"n = 2\n", b"\xff", "n = 1", None, 7])
def test_a_text_that_was_tampered_with_is_dropped_logged_and_taken_anew(
    opened: Open, ears: Ears, tmp_path: Path, source: object
) -> None:
    before = opened()
    digest = put(before, 1)
    before.close()
    if source is None:
        edit(tmp_path, "UPDATE texts SET digest = ?", ("f" * 64,))
        digest = "f" * 64
    else:
        edit(tmp_path, "UPDATE texts SET source = ?", (source,))
    after = opened()
    assert after.text(digest) is None
    assert after.get(digest) is None
    assert digest not in after
    assert [r for r in ears.records if "not what was put in" in r.getMessage() and digest in r.getMessage()]
    assert after.get(put(after, 1)) == text(1)


def test_yanks_that_make_no_sense_stop_nobody_else(opened: Open, tmp_path: Path) -> None:
    store = opened()
    edit(tmp_path, "INSERT INTO yanks VALUES (x'00ff', 5, 'then')")
    store.yank("ab" * 32, "bad")
    assert store.get(put(store, 1)) == text(1)


# --- several at once


def test_what_another_store_decides_holds_here_once_it_has_returned(opened: Open, ears: Ears) -> None:
    here, there = opened(), opened()
    digest = put(here, 1)
    for _ in range(20):
        there.yank(digest, "bad\x1b")
        assert here.get(digest) is None
        there.unyank(digest)
        assert here.get(digest) == text(1)
    said = [record.getMessage() for record in ears.records if "was yanked" in record.getMessage()]
    assert said[0] == f"code {digest} was yanked: bad\\\\x1b"


def test_two_processes_write_at_the_same_time(opened: Open, tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from emporion.agents.manifest import digest_of\n"
        "from emporion.runtime.code.disk import DiskCodeStore\n"
        "store = DiskCodeStore(sys.argv[1])\n"
        "for n in range(100):\n"
        "    source = f'{sys.argv[2]} = {n}\\n'\n"
        "    store.put(digest_of(source), source)\n"
        "    store.pin(digest_of(source))\n"
        "store.close()\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "state")]  # which neither has made yet
    others = [subprocess.Popen([*command, name], stderr=subprocess.PIPE) for name in ("a", "b")]
    for other in others:
        _, complaints = other.communicate(timeout=60)
        assert (other.returncode, complaints) == (0, b"")
    kept = opened().listing()
    assert len(kept) == 200
    assert all(one.pinned and one.size for one in kept)
    assert {path.name for path in (tmp_path / "state").iterdir()} <= {FILE, f"{FILE}-wal", f"{FILE}-shm"}


def test_readers_do_not_wait_for_a_process_that_writes(opened: Open, tmp_path: Path) -> None:
    before = opened()
    digest = put(before, 1)
    before.close()
    store = opened(busy_s=60.0)
    with closing(sqlite3.connect(tmp_path / "state" / FILE, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        came: list[object] = []
        thread = threading.Thread(target=lambda: came.append((store.get(digest), store.yanked(digest))))
        thread.start()
        thread.join(30)
        assert came == [(text(1), None)]
        other.execute("ROLLBACK")


# --- the file and its errors


def test_the_file_and_its_folder_are_private(opened: Open, tmp_path: Path) -> None:
    put(opened(), 1)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "state").iterdir()}
    assert modes == {FILE: 0o600, f"{FILE}-wal": 0o600, f"{FILE}-shm": 0o600}
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602])
def test_a_file_that_others_can_get_at_is_refused(opened: Open, tmp_path: Path, mode: int) -> None:
    opened().close()
    (tmp_path / "state" / FILE).chmod(mode)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        opened()


def test_a_file_elsewhere_is_not_followed(opened: Open, tmp_path: Path) -> None:
    opened().close()
    (tmp_path / "state" / FILE).rename(tmp_path / "elsewhere")
    (tmp_path / "state" / FILE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigurationError, match="no ordinary file"):
        opened()


def test_a_store_that_is_not_there_is_made_only_for_a_host(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no code store"):
        DiskCodeStore(tmp_path / "none", make=False)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("PRAGMA user_version = 2", "newer emporion"),
        ("PRAGMA application_id = 7", "no code store of emporion's"),
        ("CREATE TABLE more (x)", "no code store of emporion's"),
        ("CREATE TRIGGER t AFTER INSERT ON yanks BEGIN DELETE FROM yanks; END", "no code store of emporion's"),
        ("ALTER TABLE texts ADD COLUMN more", "no code store of emporion's"),
    ],
)
def test_a_file_of_another_make_is_refused_and_left_alone(
    opened: Open, tmp_path: Path, statement: str, words: str
) -> None:
    opened().close()
    edit(tmp_path, statement)
    before = (tmp_path / "state" / FILE).read_bytes()
    with pytest.raises(ConfigurationError, match=words):
        opened()
    assert (tmp_path / "state" / FILE).read_bytes() == before


@pytest.mark.parametrize("damage", [b"", b"not a database, but long enough to be taken for one" * 100])
def test_a_file_that_is_no_database_is_refused(opened: Open, tmp_path: Path, damage: bytes) -> None:
    opened().close()
    (tmp_path / "state" / FILE).write_bytes(damage)
    with pytest.raises(ConfigurationError, match="move it away"):
        opened()


def test_a_damaged_file_is_refused(opened: Open, tmp_path: Path) -> None:
    store = opened()
    for number in range(200):
        put(store, number)
    store.close()
    path = tmp_path / "state" / FILE
    data = path.read_bytes()
    path.write_bytes(data[:4096] + b"\xff" * (len(data) - 4096))
    with pytest.raises(ConfigurationError, match="damaged"):
        opened()


def test_a_locked_file_says_so_and_a_host_that_runs_goes_on_in_memory(
    opened: Open, ears: Ears, tmp_path: Path
) -> None:
    store = opened(busy_s=0.01)
    with closing(sqlite3.connect(tmp_path / "state" / FILE, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ConfigurationError, match="another process keeps"):
            store.yank("ab" * 32, "bad")
        digest = put(store, 1)
        assert store.get(digest) == text(1)
        assert digest not in store
        assert [r for r in ears.records if "could not keep a text" in r.getMessage()]
        other.execute("ROLLBACK")
    store.close()
    with closing(sqlite3.connect(tmp_path / "state" / FILE, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ConfigurationError, match="another process keeps"):
            opened(busy_s=0.01)


def test_a_full_disk_says_so_and_a_host_that_runs_goes_on_in_memory(opened: Open, ears: Ears) -> None:
    store = opened()
    store._writer.execute("PRAGMA max_page_count = 1")  # it cannot grow any more
    digest = put(store, 1, 50_000)
    assert store.get(digest) == text(1, 50_000)
    assert [r for r in ears.records if "could not keep a text" in r.getMessage() and "full" in r.getMessage()]
    with pytest.raises(ConfigurationError, match="free some space"):
        for number in range(500):
            store.yank(f"{number:064x}", "x" * 500)


def test_a_folder_that_cannot_be_made_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="state_dir"):
        DiskCodeStore(tmp_path / "state")


def test_a_closed_store_answers_from_memory(opened: Open, ears: Ears) -> None:
    store = opened()
    digest = put(store, 1)
    store.hold([digest])
    store.close()
    store.close()
    assert store.get(digest) == text(1)
    store.record({"trip.a": digest}, "nora")
    store.release([digest])
    assert store.get(put(store, 2)) == text(2)
    with pytest.raises(ConfigurationError, match="closed"):
        store.yank(digest, "bad")
    assert not [record for record in ears.records if record.levelname == "ERROR"]


def test_uses_are_written_down_now_and_then_without_a_close(opened: Open) -> None:
    store = opened()
    first, second = put(store, 1), put(store, 2)
    for _ in range(3):
        store.get(first)
    store.flush()
    assert [kept.digest for kept in opened().listing()] == [first, second]
    assert line_of(store, first).used_s is not None
