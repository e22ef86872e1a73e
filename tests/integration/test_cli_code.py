"""`emporion code`, as real processes on a real store: what is typed, what is printed, which code it ends with."""

import hashlib
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from emporion.agents.manifest import digest_of
from emporion.runtime.code.database import FILE
from emporion.runtime.code.disk import DiskCodeStore
from emporion.tests.integration.test_cli import WAIT_S, emporion, failed

OLD = "import bells\nbells.ring(3)\n"
NEW = "import bells\n# \x1b[2J\rbells.ring(4)\n\tbells.stop()" + " " * 3_000 + "steal()\n"
OLD_DIGEST, NEW_DIGEST = digest_of(OLD), digest_of(NEW)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A store with two texts."""
    folder = tmp_path / "state"
    store = DiskCodeStore(folder, clock=lambda: 1_700_000_000.0)
    for source in (OLD, NEW):
        store.put(digest_of(source), source)
    store.record({"church.bells": OLD_DIGEST, "church.tower": NEW_DIGEST}, "nora@192.0.2.1")
    store.close()
    return folder


def code(state: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return emporion("code", *arguments, "--state-dir", str(state), cwd=state.parent)


def listed(state: Path) -> dict[str, dict[str, object]]:
    done = code(state, "list", "--json")
    assert done.returncode == 0, done.stderr
    return {record["digest"]: record for record in map(json.loads, done.stdout.splitlines())}


def at_terminal(state: Path, *arguments: str) -> str:
    """What a command shows to a terminal."""
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as screen:
        process = subprocess.Popen(
            [sys.executable, "-m", "emporion", "code", *arguments, "--state-dir", str(state)],
            stdin=subprocess.DEVNULL, stdout=theirs, stderr=subprocess.PIPE,
        )  # fmt: skip
        os.close(theirs)
        seen = b""
        try:
            while data := screen.read(4096):
                seen += data
        except OSError:
            pass  # how Linux says that nobody has the other end open any more
        with process:
            assert process.wait(WAIT_S) == 0, process.stderr and process.stderr.read()
    return seen.decode().replace("\r\n", "\n")


def test_the_list_is_a_table_with_names_senders_and_decisions(state: Path) -> None:
    assert code(state, "pin", OLD_DIGEST[:8]).stdout == f"pinned  {OLD_DIGEST[:16]}  church.bells\n"
    done = code(state, "yank", NEW_DIGEST, "ab" * 32, "--why", "noise at\nnight\x1b")
    assert done.stdout == f"yanked  {NEW_DIGEST[:16]}  church.tower\nyanked  {'ab' * 8}  not seen yet\n"
    lines = code(state, "list").stdout.splitlines()
    assert lines[0].split() == ["digest", "bytes", "names", "from", "last", "used", "decided"]
    (bells,) = [line for line in lines if line.startswith(OLD_DIGEST[:16])]
    assert [word in bells for word in (f"{len(OLD)}", "church.bells", "nora@192.0.2.1", "2023-11-1", "pinned")]
    text = " ".join(" ".join(lines).split())
    assert "yanked:" in text and "\\n" in text and "\x1b" not in text
    assert any(line.startswith("ab" * 8) for line in lines)


def test_json_lines_say_all(state: Path) -> None:
    code(state, "yank", NEW_DIGEST[:8], "--why", "noise")
    found = listed(state)
    assert found.keys() == {OLD_DIGEST, NEW_DIGEST}
    seen = "2023-11-14T22:13:20.000+00:00"
    assert found[NEW_DIGEST] == {
        "digest": NEW_DIGEST, "size": len(NEW), "used": seen, "pinned": False, "yanked": "noise",
        "labels": [{"name": "church.tower", "peer": "nora@192.0.2.1", "first": seen, "last": seen}],
    }  # fmt: skip


def test_pins_and_yanks_are_taken_back(state: Path) -> None:
    for do, undo, flag, before in (("pin", "unpin", "pinned", False), ("yank", "unyank", "yanked", None)):
        why = ("--why", "noise") if do == "yank" else ()
        assert code(state, do, OLD_DIGEST[:10].upper(), *why).returncode == 0
        assert listed(state)[OLD_DIGEST][flag] in (True, "noise")
        assert code(state, undo, OLD_DIGEST[:10]).returncode == 0
        assert listed(state)[OLD_DIGEST][flag] is before
        failed(code(state, undo, OLD_DIGEST[:10]), OLD_DIGEST, f"is not {flag}")


def test_a_source_goes_into_a_pipe_as_it_is(state: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "emporion", "code", "show", NEW_DIGEST[:9], "--state-dir", str(state)],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=WAIT_S,
    )  # fmt: skip
    assert hashlib.sha256(done.stdout).hexdigest() == NEW_DIGEST


def test_a_source_cannot_steer_a_terminal_or_hide_its_end(state: Path) -> None:
    harmless = ["import bells", "# \\x1b[2J", "bells.ring(4)", "        bells.stop()" + " " * 3_000 + "steal()"]
    assert at_terminal(state, "show", NEW_DIGEST[:8]).splitlines() == harmless
    assert "\x1b[2J" in at_terminal(state, "show", NEW_DIGEST[:8], "--raw")
    shown = at_terminal(state, "diff", OLD_DIGEST[:8], NEW_DIGEST[:8])
    assert "\x1b" not in shown and "+# \\x1b[2J" in shown and "steal()" in shown


def test_a_yanked_source_can_still_be_looked_at(state: Path) -> None:
    code(state, "yank", OLD_DIGEST, "--why", "noise")
    assert code(state, "show", OLD_DIGEST[:8]).stdout == OLD


def test_two_versions_are_compared(state: Path) -> None:
    store = DiskCodeStore(state)
    for source in (OLD.replace("3", "4"), OLD.replace("\n", "\r\n")):
        store.put(digest_of(source), source)
    store.close()
    done = code(state, "diff", OLD_DIGEST[:8], digest_of(OLD.replace("3", "4"))[:8])
    assert done.stdout.splitlines()[0] == f"--- {OLD_DIGEST[:16]}"
    assert done.stdout.splitlines()[-2:] == ["-bells.ring(3)", "+bells.ring(4)"]
    windows = code(state, "diff", OLD_DIGEST, digest_of(OLD.replace("\n", "\r\n")))
    assert windows.stdout == "no line differs: only how lines end\n"


def test_an_abbreviation_must_fit_one_digest(state: Path) -> None:
    digests = ["abcdef01" + digit * 56 for digit in "12"]
    assert code(state, "yank", *digests, "--why", "twins").returncode == 0
    failed(code(state, "unyank", "abcdef01"), "2 digests", *digests, "write more")
    failed(code(state, "show", "abcdef011"), digests[0], "not kept")
    failed(code(state, "show", "00000000"), "nothing with the digest", "emporion code list")
    failed(code(state, "yank", OLD_DIGEST[:8], "0" * 63, "--why", "x"), "nothing with the digest")
    assert listed(state)[OLD_DIGEST]["yanked"] is None, "all of them, or none"
    failed(code(state, "yank", OLD_DIGEST[:8], "--why", " "), "say why")


@pytest.mark.parametrize(
    "arguments",
    [
        ("list",),
        ("show", OLD_DIGEST[:7], "--state-dir", "state"),
        ("show", "nonsense", "--state-dir", "state"),
        ("yank", OLD_DIGEST, "--state-dir", "state"),
        ("pin", "--state-dir", "state"),
        ("diff", OLD_DIGEST, "--state-dir", "state"),
    ],
)
def test_wrong_usage_ends_with_code_two(arguments: tuple[str, ...], state: Path) -> None:
    done = emporion("code", *arguments, cwd=state.parent)
    assert done.returncode == 2
    assert "Usage" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("command", [("list",), ("pin", OLD_DIGEST), ("yank", OLD_DIGEST, "--why", "noise")])
def test_a_store_that_does_not_exist_is_an_error_and_nothing_is_made(command: tuple[str, ...], tmp_path: Path) -> None:
    failed(code(tmp_path / "none", *command), "there is no code store in", "none")
    (tmp_path / "empty").mkdir()
    failed(code(tmp_path / "empty", *command), "there is no code store in", "empty")
    assert not (tmp_path / "none").exists() and not list((tmp_path / "empty").iterdir())


def test_a_file_that_others_can_read_is_an_error(state: Path) -> None:
    (state / FILE).chmod(0o644)
    failed(code(state, "list"), "chmod 600")
