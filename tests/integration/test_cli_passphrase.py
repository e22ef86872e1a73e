"""`emporion passphrase`, as real processes: what is typed or piped in, what is printed, which code it ends with."""

import json
import stat
import subprocess
import sys
from pathlib import Path

import emporion as face
import pytest
from emporion.runtime.cli.verifier_files import ALPHABET, new_passphrase
from emporion.tests.integration.test_cli import (
    TAVERN_OPTIONS,
    WAIT_S,
    emporion,
    ended,
    failed,
    folder,
    secret,
    send,
    serve,
    typed,
)
from emporion.validators.connection.verifier_file import VerifierFile
from emporion.validators.connection.verifiers import MAX_PASSPHRASES, Verifiers

__all__ = ["folder"]  # a fixture

FAST = ("--iterations", "4096")


def piped(data: str | bytes, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run `emporion passphrase` with `data` on its stdin, which is no terminal."""
    done = subprocess.run(
        [sys.executable, "-m", "emporion", "passphrase", *arguments],
        cwd=cwd, input=data if isinstance(data, bytes) else data.encode(), capture_output=True, timeout=WAIT_S,
    )  # fmt: skip
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def added(path: Path, passphrase: str, *options: str) -> subprocess.CompletedProcess[str]:
    return piped(passphrase + "\n", "add", path.name, *options, cwd=path.parent)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with a labelled passphrase, and one without a label."""
    file = VerifierFile(tmp_path / "verifiers")
    ours = Verifiers({"nora": "of nora"}, iterations=4096).added("of anybody")
    file.update(lambda new: new, new=lambda: ours)
    return file.path


def shown(file: Path) -> dict[str, object]:
    done = emporion("passphrase", "list", file.name, "--json", cwd=file.parent)
    assert done.returncode == 0, done.stderr
    content: dict[str, object] = json.loads(done.stdout)
    return content


def test_a_made_passphrase_is_long_random_and_easy_to_type() -> None:
    made = {new_passphrase() for _ in range(100)}
    assert len(made) == 100
    assert all(len(one.replace("-", "")) == 25 and set(one) <= set(ALPHABET) | {"-"} for one in made)
    assert len(ALPHABET) ** 25 > 2**120
    assert not set("il1o0") & set(ALPHABET) and ALPHABET.lower() == ALPHABET


def test_make_prints_a_passphrase_and_adds_it_where_it_is_told_to(tmp_path: Path) -> None:
    alone = emporion("passphrase", "make", cwd=tmp_path)
    assert (alone.returncode, alone.stdout.count("\n"), list(tmp_path.iterdir())) == (0, 1, [])
    done = emporion("passphrase", "make", "--into", "new", "--label", "nora", *FAST, cwd=tmp_path)
    made = done.stdout.strip()
    assert done.returncode == 0 and made != alone.stdout.strip() and len(made) == 29
    assert piped(made, "verify", "new", cwd=tmp_path).stdout == "opens as nora\n"
    failed(emporion("passphrase", "make", "--into", "new", "--label", "nora", cwd=tmp_path), "--replace")
    assert emporion("passphrase", "make", "--into", "new", "--label", "nora", "--replace", cwd=tmp_path).returncode == 0
    assert piped(made, "verify", "new", cwd=tmp_path).returncode == 1
    assert emporion("passphrase", "make", "--label", "nora", cwd=tmp_path).returncode == 2


def test_add_makes_a_file_that_only_its_owner_can_read(tmp_path: Path) -> None:
    file = tmp_path / "verifiers"
    assert added(file, "of nora", "--label", "nora", *FAST).returncode == 0
    assert added(file, "of anybody").returncode == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["verifiers"]
    assert shown(file) == {"labels": ["nora"], "unlabelled": 1, "iterations": 4096}
    text = file.read_text()
    assert "of nora" not in text and "of anybody" not in text


def test_a_new_file_has_the_iterations_of_today(tmp_path: Path) -> None:
    assert added(tmp_path / "new", "one").returncode == 0
    assert shown(tmp_path / "new")["iterations"] == 600_000
    failed(added(tmp_path / "new", "two", *FAST), "600,000 iterations")
    failed(added(tmp_path / "other", "two", "--iterations", "1"), "4096 to 5000000")
    assert not (tmp_path / "other").exists()


def test_the_list_shows_labels_and_never_keys(file: Path) -> None:
    added(file, "of rene", "--label", "Ren\u00e9 \u05d0")
    done = emporion("passphrase", "list", "verifiers", cwd=file.parent)
    assert done.stdout.splitlines() == ["Ren\u00e9 \u05d0", "nora", "1 without a label; 4,096 iterations"]
    content = json.loads(file.read_text())
    for output in (done.stdout, json.dumps(shown(file))):
        keys = [one[kind] for one in content["entries"] for kind in ("stored_key", "server_key")]
        assert not [key for key in (*keys, content["salt"]) if key in output]


def test_a_label_that_is_taken_is_replaced_or_removed_first(file: Path) -> None:
    failed(added(file, "another", "--label", "nora"), "'nora'", "remove", "--replace")
    assert piped("of nora", "verify", "verifiers", cwd=file.parent).stdout == "opens as nora\n"
    assert added(file, "another", "--label", "nora", "--replace").returncode == 0
    assert piped("of nora", "verify", "verifiers", cwd=file.parent).returncode == 1
    assert piped("another", "verify", "verifiers", cwd=file.parent).stdout == "opens as nora\n"
    assert emporion("passphrase", "remove", "verifiers", "nora", cwd=file.parent).returncode == 0
    assert added(file, "a third", "--label", "nora").returncode == 0
    assert emporion("passphrase", "remove", "verifiers", "--label", "nora", cwd=file.parent).returncode == 0
    assert added(file, "a fourth", "--label", "nora").returncode == 0
    assert emporion("passphrase", "remove", "verifiers", "nora", "--label", "nora", cwd=file.parent).returncode == 2
    assert shown(file)["labels"] == ["nora"]


def test_a_passphrase_without_a_label_is_removed_by_typing_it(file: Path) -> None:
    failed(piped("of nora\n", "remove", "verifiers", cwd=file.parent), "without a label")
    failed(piped("wrong\n", "remove", "verifiers", cwd=file.parent), "without a label")
    code, out, screen = typed(["passphrase", "remove", "verifiers"], ["of anybody"], file.parent)
    assert (code, out) == (0, ""), screen
    assert "of anybody" not in screen
    assert shown(file)["unlabelled"] == 0
    failed(emporion("passphrase", "remove", "verifiers", "nobody", cwd=file.parent), "no label 'nobody'")


def test_verify_says_what_a_passphrase_opens(file: Path) -> None:
    for options, passphrase, words in (
        ([], "of nora", "opens as nora"),
        (["--label", "nora"], "of nora", "opens as nora"),
        ([], "of anybody", "opens, without an identity"),
    ):
        done = piped(passphrase + "\n", "verify", "verifiers", *options, cwd=file.parent)
        assert (done.returncode, done.stdout) == (0, words + "\n")
    failed(piped("wrong", "verify", "verifiers", cwd=file.parent), "opens nothing", "wrong passphrase")
    failed(piped("of anybody", "verify", "verifiers", "--label", "nora", cwd=file.parent), "wrong password")
    failed(piped("of nora", "verify", "verifiers", "--label", "otto", cwd=file.parent), "unknown login")


def test_one_passphrase_with_two_labels_is_warned_of(file: Path) -> None:
    done = added(file, "of nora", "--label", "otto")
    assert done.returncode == 0 and "warning" in done.stderr and "login" in done.stderr
    failed(piped("of nora", "verify", "verifiers", cwd=file.parent), "several labels")
    assert piped("of nora", "verify", "verifiers", "--label", "otto", cwd=file.parent).returncode == 0
    failed(added(file, "of anybody"), "there already")


# --- what is typed ----------------------------------------------------------------------------------------------


def test_at_a_terminal_a_new_passphrase_is_typed_twice_and_not_shown(file: Path) -> None:
    command = ["passphrase", "add", "verifiers", "--label", "otto"]
    code, out, screen = typed(command, ["of otto", "of otto"], file.parent)
    assert (code, out) == (0, ""), screen
    assert "New passphrase: " in screen and "Once more: " in screen and "of otto" not in screen
    code, out, screen = typed(["passphrase", "verify", "verifiers"], ["of otto"], file.parent)
    assert (code, out) == (0, "opens as otto\n") and "of otto" not in screen
    code, _, screen = typed(["passphrase", "add", "verifiers"], ["one", "another"], file.parent)
    assert code == 1 and "the two are not the same" in screen
    code, _, screen = typed(["passphrase", "add", "verifiers"], [""], file.parent)
    assert code == 1 and "an empty passphrase opens nothing" in screen and "anonymous" not in screen
    code, _, screen = typed(["passphrase", "add", "verifiers"], ["\x04"], file.parent)  # Ctrl-D
    assert code == 1 and "\nerror: an empty passphrase opens nothing" in screen.replace("\r", "")
    assert shown(file) == {"labels": ["nora", "otto"], "unlabelled": 1, "iterations": 4096}


def test_what_is_wrong_with_the_file_is_said_before_anybody_types(file: Path) -> None:
    file.chmod(0o644)
    for command in (["add", "verifiers"], ["remove", "verifiers"], ["verify", "verifiers"]):
        code, _, screen = typed(["passphrase", *command], ["x", "x"], file.parent)
        assert code == 1 and screen.startswith("error: ") and "chmod 600" in screen
    file.chmod(0o600)
    code, _, screen = typed(["passphrase", "add", "verifiers", "--label", "nora"], ["x", "x"], file.parent)
    assert code == 1 and "--replace" in screen and "New passphrase: " not in screen


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "one line"),
        (b"one\ntwo\n", "one line"),
        (b"x" * 1_000_000, "one line"),
        (b"x" * 1_025, "1,024 are the most"),
        (b"caf\xe9\n", "UTF-8"),
        (b"a\0b\n", "control character (U+0000)"),
        ("\u2764\ufe0f".encode(), "invisible character (U+FE0F)"),
    ],
)
def test_what_is_piped_in_is_one_passphrase(data: bytes, words: str, file: Path) -> None:
    before = file.read_bytes()
    failed(piped(data, "add", "verifiers", cwd=file.parent), words)
    assert file.read_bytes() == before


@pytest.mark.parametrize("label", ["", "a\n\x1b[2J", "\u202enora", "n" * 100_000, "caf\udce9"])
def test_a_label_has_to_be_a_login(label: str, file: Path) -> None:
    done = added(file, "one", "--label", label)
    failed(done, "label")
    assert "\x1b" not in done.stderr and "\u202e" not in done.stderr and len(done.stderr) < 400


def test_labels_with_odd_characters_are_kept_and_shown_as_they_are(file: Path) -> None:
    labels = ["--debug", "a,b=c", 'q"u\\o \u05d0', "[red]\U0001f511[/red]"]
    for label in labels:
        assert added(file, f"of {label}", f"--label={label}").returncode == 0
    assert piped(f"of {labels[2]}", "verify", "verifiers", cwd=file.parent).stdout == f"opens as {labels[2]}\n"
    listed = emporion("passphrase", "list", "verifiers", cwd=file.parent).stdout.splitlines()
    assert set(labels) <= set(listed)
    assert emporion("passphrase", "remove", "verifiers", "--", "--debug", cwd=file.parent).returncode == 0


def test_a_file_with_as_many_passphrases_as_may_be_takes_no_more(file: Path) -> None:
    content = json.loads(file.read_text())
    one = content["entries"][0]
    content["entries"] = [{**one, "label": f"n{n}"} for n in range(MAX_PASSPHRASES)]
    file.write_text(json.dumps(content))
    failed(added(file, "one more"), "more than 10,000 passphrases")
    labels = shown(file)["labels"]
    assert isinstance(labels, list) and len(labels) == MAX_PASSPHRASES


@pytest.mark.parametrize("command", ["list", "remove", "verify"])
def test_a_missing_file_is_an_error_that_says_how_to_make_one(command: str, tmp_path: Path) -> None:
    failed(piped("x\n", command, "none", cwd=tmp_path), "emporion passphrase add")
    failed(piped("x\n", "add", "nowhere/none", cwd=tmp_path), "No such file")
    assert list(tmp_path.iterdir()) == []


# --- hosts ------------------------------------------------------------------------------------------------------


def test_a_host_goes_by_the_file_while_it_runs(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "verifiers"
    added(file, "of nora", "--label", "nora", *FAST)
    tavern = serve(folder, *TAVERN_OPTIONS, "--verifiers", str(file))
    try:
        calls = ("--call", "whoami")
        assert send(tavern, folder, *calls, EMPORION_PASSPHRASE="of nora").stdout.startswith("result  'nora'")
        failed(send(tavern, folder, *calls, EMPORION_PASSPHRASE="of otto"), "denied")
        with face.connect(tavern.uri, passphrase="of nora") as early:
            added(file, "of otto", "--label", "otto")
            assert send(tavern, folder, *calls, EMPORION_PASSPHRASE="of otto").stdout.startswith("result  'otto'")
            assert emporion("passphrase", "remove", str(file), "nora", cwd=tmp_path).returncode == 0
            failed(send(tavern, folder, *calls, EMPORION_PASSPHRASE="of nora"), "denied")
            assert early.whoami(None) == "nora"
    finally:
        assert ended(tavern) == 0
    assert "of nora" not in tavern.log.read_text()


def test_a_host_whose_file_cannot_be_used_says_why(folder: Path, tmp_path: Path) -> None:
    file = str(tmp_path / "verifiers")
    failed(emporion("host", *TAVERN_OPTIONS, "--verifiers", file, cwd=folder), "emporion passphrase add")
    added(tmp_path / "verifiers", "one", *FAST)
    (tmp_path / "verifiers").chmod(0o644)
    failed(emporion("host", *TAVERN_OPTIONS, "--verifiers", file, cwd=folder), "chmod 600")
    lines = str(secret(tmp_path / "secret", "one\n"))
    both = ("--verifiers", file, "--passphrase-file", lines)
    failed(emporion("host", *TAVERN_OPTIONS, *both, cwd=folder), "give one of")


def test_help_says_what_each_command_does(tmp_path: Path) -> None:
    commands = ("make", "add", "list", "remove", "verify")
    every = emporion("passphrase", "--help", cwd=tmp_path).stdout
    assert all(command in every for command in commands)
    done = emporion("passphrase", "add", "--help", cwd=tmp_path, COLUMNS="100")
    assert all(word in done.stdout for word in ("FILE", "--label", "--replace", "--iterations"))
    assert "--verifiers" in emporion("host", "--help", cwd=tmp_path, COLUMNS="100").stdout
