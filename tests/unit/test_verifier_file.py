"""Files of verifiers: what is in them, who may have them, and what becomes of changes and damage."""

import json
import os
import stat
import subprocess
import sys
import threading
from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from emporion.errors import ConfigurationError
from emporion.validators.connection.passphrases import Passphrases
from emporion.validators.connection.scram import stretch
from emporion.validators.connection.verifier_file import MAX_FILE_BYTES, VerifierFile
from emporion.validators.connection.verifiers import Verifiers

FEW = 4096
SETTLED = "emporion.validators.watched.SETTLED_NS"


def empty() -> Verifiers:
    return Verifiers([], iterations=FEW)


def add(file: VerifierFile, passphrase: str, label: str | None = None) -> Verifiers:
    return file.update(lambda now: now.added(passphrase, label), new=empty)


def opens(verifiers: Verifiers | None, passphrase: str, login: str | None = None) -> str | None:
    """The label that it opens as; "-" for nothing."""
    assert verifiers is not None
    found, _ = verifiers.check(passphrase, login)
    return "-" if found is None else found.label


@pytest.fixture
def file(tmp_path: Path) -> VerifierFile:
    file = VerifierFile(tmp_path / "verifiers")
    add(file, "of nora", "nora")
    add(file, "of anybody")
    return file


def test_what_is_written_is_what_is_read(file: VerifierFile) -> None:
    again = VerifierFile(str(file.path)).current()
    assert opens(again, "of nora") == "nora" == opens(again, "of nora", "nora")
    assert opens(again, "of anybody") is None
    assert opens(again, "of nobody") == "-" == opens(again, "of anybody", "nora")
    assert again.iterations == FEW and [one.label for one in again] == ["nora", None]


def test_the_file_is_closed_to_others_from_its_first_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[tuple[str, int]] = []
    honest = os.open

    def watching(path: Any, flags: int, mode: int = 0o777, **more: Any) -> int:
        descriptor = honest(path, flags, mode, **more)
        if flags & os.O_CREAT:
            opened.append((os.fspath(path), stat.S_IMODE(os.fstat(descriptor).st_mode)))
        return descriptor

    monkeypatch.setattr(os, "open", watching)
    before = os.umask(0)
    try:
        file = VerifierFile(tmp_path / "verifiers")
        add(file, "one")
        add(file, "two")
    finally:
        os.umask(before)
    assert [mode for _, mode in opened] == [0o600, 0o600]
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["verifiers"]


def test_only_salted_verifiers_reach_the_disk(tmp_path: Path) -> None:
    file = VerifierFile(tmp_path / "verifiers")
    add(file, "correct horse battery staple", "nora")
    data = file.path.read_bytes()
    content = json.loads(data)
    keys = stretch("correct horse battery staple", b64decode(content["salt"]), FEW)
    salted = _salted("correct horse battery staple", b64decode(content["salt"]))
    for secret in (b"correct horse battery staple", keys.client, salted):
        for spelled in (secret, b64encode(secret), secret.hex().encode()):
            assert spelled not in data
    assert content["entries"] == [
        {"label": "nora", "stored_key": b64encode(keys.stored).decode(), "server_key": b64encode(keys.server).decode()}
    ]
    assert content.keys() == {"version", "iterations", "salt", "entries"}


def _salted(passphrase: str, salt: bytes) -> bytes:
    from hashlib import pbkdf2_hmac

    return pbkdf2_hmac("sha256", passphrase.encode(), salt, FEW)


@pytest.mark.parametrize("coarse", [False, True])
def test_a_change_is_seen_at_once_however_soon_it_comes(
    file: VerifierFile, coarse: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the same file, of the same size, and within one step of the clock, where the file system's is a slow one."""
    if coarse:
        step_ns = 10**12
        monkeypatch.setattr(SETTLED, 2 * step_ns)
        monkeypatch.setattr(
            "emporion.validators.watched._stamp", lambda found: (0, found.st_ctime_ns // step_ns * step_ns)
        )
    reader, text = VerifierFile(file.path), file.path.read_text()
    for number in range(100):
        label = f"no{number:02x}"
        file.path.write_text(text.replace("nora", label))
        assert label in {one.label for one in reader.current()}


def test_the_file_is_read_when_it_changes_and_not_otherwise(
    file: VerifierFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SETTLED, -1)  # as if it had been written long ago
    assert file.current() is file.current()
    file.path.write_text("damage")
    told = [str(_fails(file.current)) for _ in range(2)]
    monkeypatch.setattr(file._file, "_read", lambda _: pytest.fail("it was read again"))
    assert [str(_fails(file.current))] * 2 == told


def _fails(what: Callable[[], object]) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        what()
    return caught.value


def test_many_additions_at_once_lose_nothing(tmp_path: Path) -> None:
    """Threads and processes, of which the first ones find no file."""
    script = (
        "import sys; from emporion.tests.unit.test_verifier_file import VerifierFile, add\n"
        "for n in range(8): add(VerifierFile(sys.argv[1]), f'of {sys.argv[2]} {n}', f'{sys.argv[2]} {n}')"
    )
    path = tmp_path / "verifiers"
    others = [subprocess.Popen([sys.executable, "-c", script, str(path), name]) for name in ("one", "two")]
    go = threading.Barrier(4)

    def adding(name: str) -> None:
        go.wait()
        for number in range(8):
            add(VerifierFile(path), f"of {name} {number}", f"{name} {number}")

    threads = [threading.Thread(target=adding, args=(name,)) for name in ("t1", "t2", "t3", "t4")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [process.wait(60) for process in others] == [0, 0]
    labels = {one.label for one in VerifierFile(path).current()}
    assert labels == {f"{name} {n}" for name in ("one", "two", "t1", "t2", "t3", "t4") for n in range(8)}
    assert [path.name for path in tmp_path.iterdir()] == ["verifiers"]


def test_who_reads_while_it_is_written_never_sees_half(file: VerifierFile) -> None:
    done = threading.Event()
    seen: list[object] = []

    def reading() -> None:
        reader = VerifierFile(file.path)
        while not done.is_set():
            try:
                seen.append(opens(reader.current(), "of nora"))
            except ConfigurationError as error:
                seen.append(error)

    thread = threading.Thread(target=reading)
    thread.start()
    for number in range(60):
        file.update(lambda now, n=number: now.added("x", "other") if n % 2 == 0 else now.removed("other"))  # type: ignore[misc]
    done.set()
    thread.join()
    assert set(seen) == {"nora"}


DAMAGE: dict[str, Callable[[str], str]] = {
    "empty": lambda text: "",
    "cut": lambda text: text[:-20],
    "zeroes": lambda text: "\0" * len(text),
    "no json": lambda text: "nora:secret\n",
    "no object": lambda text: "[]",
    "no utf-8": lambda text: text.replace("nora", "\udcff"),
    "a lone surrogate": lambda text: text.replace("nora", "\\ud800"),
    "very deep": lambda text: '{"version": 1, "x": ' + "[" * 100_000,
    "another version": lambda text: text.replace('"version": 1', '"version": 2'),
    "a version that is none": lambda text: text.replace('"version": 1', '"version": "1"'),
    "a field too many": lambda text: text.replace('"version"', '"more": 1, "version"'),
    "a field too few": lambda text: text.replace('"salt"', '"pepper"'),
    "a short key": lambda text: text.replace('"stored_key": "', '"stored_key": "AAAA'),
    "keys that are no base64": lambda text: text.replace('"stored_key": "', '"stored_key": "-'),
    "few iterations": lambda text: text.replace("4096", "1"),
    "many iterations": lambda text: text.replace("4096", "5000001"),
    "huge iterations": lambda text: text.replace("4096", "1" + "0" * 400),
    "a label that is no text": lambda text: text.replace('"nora"', "1"),
    "an empty label": lambda text: text.replace('"nora"', '""'),
    "a label with a line's end": lambda text: text.replace("nora", "no\\nra"),
    "a label with a zero byte": lambda text: text.replace("nora", "no\\u0000ra"),
    "a label that is too long": lambda text: text.replace("nora", "n" * 256),
    "a label twice": lambda text: text.replace("null", '"nora"'),
    "a label twice in two spellings": lambda text: text.replace("nora", "\u00e9").replace("null", '"e\u0301"'),
    "a million labels": lambda text: text.replace('"entries": [', '"entries": [' + "{}," * 1_000_000),
    "too long": lambda text: text + " " * MAX_FILE_BYTES,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_file_lets_nobody_in_and_says_so(file: VerifierFile, damage: Callable[[str], str]) -> None:
    whole = file.path.read_text()
    assert opens(file.current(), "of nora") == "nora"
    file.path.write_text(damage(whole), errors="surrogateescape")
    assert str(file.path) in str(_fails(file.current))
    assert len(str(_fails(file.current))) < 500
    _fails(lambda: add(file, "more"))  # what is damaged is not written over
    assert file.path.read_text(errors="surrogateescape") == damage(whole)
    file.path.write_text(whole)
    assert opens(file.current(), "of nora") == "nora"


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    file = VerifierFile(tmp_path / "none")
    assert "emporion passphrase add" in str(_fails(file.current))
    _fails(lambda: file.update(lambda now: now))
    _fails(lambda: VerifierFile("/nonexistent/folder/verifiers").update(lambda now: now, new=empty))
    _fails(lambda: VerifierFile("nul\0"))


def test_a_file_that_goes_away_lets_nobody_in(file: VerifierFile) -> None:
    file.current()
    file.path.unlink()
    _fails(file.current)


@pytest.mark.parametrize("mode", [0o640, 0o620, 0o604, 0o602, 0o610, 0o601, 0o644, 0o666])
def test_a_file_that_others_can_use_is_refused(file: VerifierFile, mode: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SETTLED, -1)
    file.current()
    file.path.chmod(mode)
    error = str(_fails(file.current))
    assert "others can read or write" in error and f"{mode:o}" in error and "chmod 600" in error
    _fails(lambda: add(file, "more"))
    file.path.chmod(0o600)
    file.current()


def test_a_file_of_somebody_elses_is_refused(file: VerifierFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root's is as good as one's own; this user becomes another one for the test, the file stays what it is."""
    ours = os.geteuid()
    if ours == 0:
        os.chown(file.path, 1234, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 1234)
    assert "is not yours but user" in str(_fails(VerifierFile(file.path).current))


def test_a_link_is_followed_when_it_is_ours(file: VerifierFile, tmp_path: Path) -> None:
    """Where secrets are mounted as links, they are links to what was checked; a change leaves the link alone."""
    folder = tmp_path / "linked"
    folder.mkdir()
    link = folder / "link"
    link.symlink_to(file.path)
    assert opens(VerifierFile(link).current(), "of nora") == "nora"
    add(VerifierFile(link), "of otto", "otto")
    assert link.is_symlink() and opens(file.current(), "of otto") == "otto"
    assert [path.name for path in folder.iterdir()] == ["link"]

    file.path.chmod(0o644)
    assert "others can read" in str(_fails(VerifierFile(link).current))
    file.path.chmod(0o600)
    if os.geteuid() == 0:
        os.lchown(link, 1234, -1)
        assert "a link of somebody else's" in str(_fails(VerifierFile(link).current))
        _fails(lambda: add(VerifierFile(link), "more"))
    else:
        link.unlink()
        link.symlink_to("/proc/1/environ")
        _fails(VerifierFile(link).current)


def test_a_link_to_nothing_makes_no_file_elsewhere(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "target")
    _fails(lambda: add(VerifierFile(link), "one"))
    assert [path.name for path in tmp_path.iterdir()] == ["link"]


def test_what_is_no_file_is_refused_and_nobody_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/null")):
        _fails(VerifierFile(path).current)
        _fails(lambda path=path: add(VerifierFile(path), "one"))  # type: ignore[misc]


def test_what_an_edit_raises_leaves_the_file_alone(file: VerifierFile) -> None:
    before = file.path.read_bytes()

    def fail(now: Verifiers) -> Verifiers:
        raise FileNotFoundError("of the edit's own")

    with pytest.raises(FileNotFoundError, match="own"):
        file.update(fail)
    assert file.path.read_bytes() == before
    add(file, "one more")  # and the lock is free


# --- what a host goes by ----------------------------------------------------------------------------------------


def test_a_host_takes_passphrases_in_every_form(file: VerifierFile) -> None:
    ready = Verifiers({"nora": "of nora"}, iterations=FEW)
    for given in (ready, file, file.path):
        assert opens(Passphrases(given).current(), "of nora") == "nora"
    assert Passphrases(None).current() is None
    for wrong in ("one text", b"bytes", ["ok", ""], file.path.with_name("none"), [3]):
        _fails(lambda wrong=wrong: Passphrases(wrong))  # type: ignore[misc]


def test_passphrases_change_from_one_form_to_another(file: VerifierFile) -> None:
    held = Passphrases(Verifiers(["one"], iterations=FEW))
    salt = held.current() and held.current().salt  # type: ignore[union-attr]
    held.change({"ann": "two"})
    now = held.current()
    assert now is not None and (now.salt, opens(now, "two"), opens(now, "one")) == (salt, "ann", "-")
    held.change(file.path)
    assert opens(held.current(), "of nora") == "nora"
    held.change(lambda now: now.added("of otto", "otto"))
    assert opens(VerifierFile(file.path).current(), "of otto") == "otto"
    held.change(["three"])
    now = held.current()
    assert now is not None and now.salt == file.current().salt and opens(now, "three") is None
    held.change(None)
    assert held.current() is None
    _fails(lambda: held.change(lambda now: now))


def test_a_change_that_fails_leaves_what_there_was(tmp_path: Path) -> None:
    held = Passphrases(Verifiers(["one"], iterations=FEW))
    for wrong in (["two", ""], tmp_path / "none", lambda now: None, lambda now: now.removed("nobody"), "text"):
        _fails(lambda wrong=wrong: held.change(wrong))  # type: ignore[misc]
        assert opens(held.current(), "one") is None


def test_a_damaged_file_can_be_done_without(file: VerifierFile) -> None:
    held = Passphrases(file)
    file.path.write_text("damage")
    _fails(held.current)
    held.change(["another"])  # stretched anew: the file's cost cannot be had
    assert opens(held.current(), "another") is None


def test_changes_from_many_threads_lose_nothing() -> None:
    held = Passphrases(empty())
    go = threading.Barrier(8)

    def adding(name: int) -> None:
        go.wait()
        for number in range(10):
            held.change(lambda now, n=number: now.added(f"{name} {n}", f"{name}-{n}"))  # type: ignore[misc]

    threads = [threading.Thread(target=adding, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    now = held.current()
    assert now is not None and len(now) == 80
