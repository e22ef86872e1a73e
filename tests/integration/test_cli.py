"""The command line, as real processes: what is typed, what is printed, which code it ends with."""

import json
import os
import pty
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

WAIT_S = 60.0
PASSPHRASE = "correct horse battery staple"

TAVERN = '''
import emporion

runs = []
runs.append(1)
assert len(runs) == 1


class Tavern:
    @emporion.expose
    def welcome(self, guest, drinks=1):
        return [guest.drink("ale") for _ in range(drinks)] and guest

    @emporion.expose
    def whoami(self, guest):
        return emporion.caller().identity

    @emporion.expose
    def brawl(self, guest):
        raise ValueError("\\x1b[31mno brawls")


ready_made = Tavern()


def code_validator(name, module, address):
    return name == "guest"
'''

GUEST = '''
class Guest:
    def __init__(self, name="Nobody", thirst=3):
        self.name = name
        self.thirst = thirst
        self._mood = "private"

    def drink(self, what):
        if self.thirst == 0:
            raise RuntimeError("no more")
        self.thirst -= 1
        print(self.name + " drinks " + what + " \\x1b[2J")
'''


@dataclass
class Served:
    process: subprocess.Popen[bytes]
    uri: str
    log: Path


def emporion(*arguments: str, cwd: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end; it has no terminal."""
    clean = {name: value for name, value in os.environ.items() if name != "EMPORION_PASSPHRASE"}
    return subprocess.run(
        [sys.executable, "-m", "emporion", *arguments],
        cwd=cwd, env={**clean, **settings}, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=WAIT_S,
    )  # fmt: skip


def serve(folder: Path, *options: str) -> Served:
    log = folder / f"log-{len(list(folder.iterdir()))}"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "emporion", "host", *options],
            cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr,
        )  # fmt: skip
    assert process.stdout is not None
    uri = process.stdout.readline().decode().strip()
    assert uri, log.read_text(encoding="utf-8")
    return Served(process, uri, log)


def ended(served: Served, number: signal.Signals = signal.SIGTERM) -> int:
    with served.process:
        served.process.send_signal(number)
        return served.process.wait(WAIT_S)


def secret(path: Path, text: str, mode: int = 0o600) -> Path:
    path.touch(mode=mode)
    path.chmod(mode)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tavern, a guest, and passphrases."""
    folder = tmp_path_factory.mktemp("tavern")
    (folder / "tavern.py").write_text(TAVERN, encoding="utf-8")
    (folder / "guest.py").write_text(GUEST, encoding="utf-8")
    secret(folder / "secret", PASSPHRASE + "\n")
    secret(folder / "logins", f"nora:{PASSPHRASE}\notto:with: colons\n")
    return folder


TAVERN_OPTIONS = ("tavern.py:Tavern", "--name", "tavern", "--code-validator", "tavern.py:code_validator")


@pytest.fixture(scope="module")
def tavern(folder: Path) -> Iterator[Served]:
    served = serve(folder, *TAVERN_OPTIONS, "--logins-file", "logins", "--log-format", "json")
    yield served
    assert ended(served) == 0


def send(tavern: Served, folder: Path, *options: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return emporion("send", "guest.py:Guest", "--to", tavern.uri, *options, cwd=folder, **settings)


def failed(done: subprocess.CompletedProcess[str], *words: str, code: int = 1) -> None:
    """One line of error, with `words` in it, and nothing on stdout."""
    assert done.returncode == code, done
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1, done.stderr
    assert done.stdout == ""
    for word in words:
        assert word in done.stderr


# --- help and usage ---------------------------------------------------------------------------------------------


def test_help_names_the_commands_and_every_option_its_value(tmp_path: Path) -> None:
    assert all(word in emporion("--help", cwd=tmp_path).stdout for word in ("demo", "host", "send"))
    for command in ("host", "send"):
        done = emporion(command, "--help", cwd=tmp_path, COLUMNS="100")
        assert done.returncode == 0
        assert "--passphrase-file" in done.stdout and "EMPORION_PASSPHRASE" in done.stdout


def test_it_says_its_version(tmp_path: Path) -> None:
    assert emporion("--version", cwd=tmp_path).stdout.startswith("emporion 0.")


@pytest.mark.parametrize(
    "arguments",
    [
        ("host", "tavern.py", "--name", "tavern"),
        ("host", "tavern.py:Tavern"),
        ("host", "tavern.py:Tavern", "--name", "tavern", "--log-format", "xml"),
        ("host", "tavern.py:Tavern", "--name", "tavern", "--passphrase", PASSPHRASE),
        ("send", "guest.py:Guest", "--call", "welcome"),
        ("send", "guest.py:Guest", "--to", "emporion://h:1/x", "--call", "welcome", "--set", "thirst"),
        ("send", "guest.py:Guest", "--to", "emporion://h:1/x", "--call", "welcome", "--passphrase", PASSPHRASE),
    ],
)
def test_wrong_usage_ends_with_code_two_and_no_traceback(arguments: tuple[str, ...], folder: Path) -> None:
    done = emporion(*arguments, cwd=folder)
    assert done.returncode == 2
    assert "Usage" in done.stderr and "Traceback" not in done.stderr


# --- hosting ----------------------------------------------------------------------------------------------------


def test_a_host_without_passphrases_says_where_they_could_come_from(folder: Path) -> None:
    done = emporion("host", *TAVERN_OPTIONS, cwd=folder)
    failed(done, "--passphrase-file", "EMPORION_PASSPHRASE", "--anonymous")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_host_ends_cleanly_when_it_is_told_to(number: signal.Signals, code: int, folder: Path) -> None:
    served = serve(folder, *TAVERN_OPTIONS, "--passphrase-file", "secret")
    address = served.uri.split("//")[1].split("/")[0]
    host, _, port = address.partition(":")
    assert send(served, folder, "--call", "welcome", "--passphrase-file", "secret").returncode == 0  # it does serve
    assert ended(served, number) == code
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), WAIT_S)
    assert "Traceback" not in served.log.read_text(encoding="utf-8")


def test_only_the_uri_goes_to_stdout(folder: Path) -> None:
    served = serve(folder, *TAVERN_OPTIONS, "--passphrase-file", "secret", "--listen", "127.0.0.1:0")
    assert served.uri.startswith("emporion://127.0.0.1:") and "/tavern?fp=sha256:" in served.uri
    assert served.process.stdout is not None
    served.process.send_signal(signal.SIGTERM)
    assert served.process.stdout.read() == b""
    assert ended(served) == 0
    assert " host       serving at emporion://127.0.0.1:" in served.log.read_text(encoding="utf-8")


def test_a_state_folder_keeps_the_fingerprint_over_a_restart(folder: Path, tmp_path: Path) -> None:
    marks = []
    for _ in range(2):
        served = serve(folder, *TAVERN_OPTIONS, "--passphrase-file", "secret", "--state-dir", str(tmp_path / "state"))
        marks.append(served.uri.partition("?")[2])
        assert ended(served) == 0
    assert marks[0] == marks[1] != ""


def test_a_unix_socket_needs_no_passphrase_and_an_instance_can_be_hosted(folder: Path, tmp_path: Path) -> None:
    address = f"emporion+unix://{tmp_path}/tavern.sock"
    served = serve(
        folder, "tavern:ready_made", "--name", "tavern", "--listen", address,
        *("--code-validator", "tavern:code_validator"),
    )  # fmt: skip
    done = send(served, folder, "--call", "welcome")
    assert ended(served) == 0
    assert done.returncode == 0, done.stderr
    assert "thirst  2" in done.stdout


def test_a_passphrase_file_that_others_can_read_is_warned_of(folder: Path, tmp_path: Path) -> None:
    loose = secret(tmp_path / "loose", PASSPHRASE, 0o644)
    assert stat.S_IMODE(loose.stat().st_mode) == 0o644
    served = serve(folder, *TAVERN_OPTIONS, "--passphrase-file", str(loose))
    assert ended(served) == 0
    assert f"warning: {loose} is open to other users" in served.log.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty", "\n\n", "a passphrase on each line"),
        ("binary", "\udcff", "no UTF-8"),
        ("missing", None, "No such file"),
    ],
)
def test_a_passphrase_file_that_is_none_is_refused(
    name: str, content: str | None, words: str, folder: Path, tmp_path: Path
) -> None:
    if content is not None:
        secret(tmp_path / name, "")
        (tmp_path / name).write_text(content, encoding="utf-8", errors="surrogateescape")
    failed(emporion("host", *TAVERN_OPTIONS, "--passphrase-file", str(tmp_path / name), cwd=folder), words)


def test_a_line_without_a_login_is_named_by_its_number_not_by_its_text(folder: Path, tmp_path: Path) -> None:
    secret(tmp_path / "logins", f"nora:{PASSPHRASE}\nopen sesame\n")
    done = emporion("host", *TAVERN_OPTIONS, "--logins-file", str(tmp_path / "logins"), cwd=folder)
    failed(done, "entry 2", "NAME:PASSPHRASE")
    assert "sesame" not in done.stderr


def typed(command: list[str], lines: list[str], folder: Path) -> tuple[int, str, str]:
    """Run a command at a terminal, type a line at each prompt (a text that ends in ": "); code, stdout, screen."""
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "r+b", buffering=0) as screen:
        process = subprocess.Popen(
            [sys.executable, "-m", "emporion", *command],
            cwd=folder, stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, start_new_session=True,
        )  # fmt: skip
        os.close(theirs)
        seen, waiting = b"", list(lines)
        try:
            while data := screen.read(1024):
                seen += data
                if waiting and seen.endswith(b": "):
                    screen.write(waiting.pop(0).encode() + b"\n")
        except OSError:
            pass  # how Linux says that nobody has the other end open any more
        assert process.stdout is not None
        with process:
            return process.wait(WAIT_S), process.stdout.read().decode(), seen.decode()


def test_a_passphrase_is_asked_for_at_a_terminal_and_not_shown(tavern: Served, folder: Path) -> None:
    command = ["send", "guest.py:Guest", "--to", tavern.uri, "--call", "whoami"]
    code, out, screen = typed(command, [PASSPHRASE], folder)
    assert (code, out.splitlines()[0]) == (0, "result  'nora'"), screen
    assert "Passphrase: " in screen and PASSPHRASE not in screen
    code, _, screen = typed(command, [""], folder)
    assert code == 1 and "an empty passphrase opens nothing" in screen


def test_an_anonymous_client_gives_no_passphrase_wherever_there_is_one(tavern: Served, folder: Path) -> None:
    whoami = ("--call", "whoami", "--anonymous")
    failed(send(tavern, folder, *whoami, EMPORION_PASSPHRASE=PASSPHRASE), "denied the connection")
    failed(send(tavern, folder, *whoami, "--passphrase-file", "secret"), "not both")


def test_a_host_asks_for_its_passphrase_twice(folder: Path) -> None:
    code, out, screen = typed(["host", *TAVERN_OPTIONS], ["one", "another"], folder)
    assert (code, out) == (1, "")
    assert "the two are not the same" in screen


# --- sending ----------------------------------------------------------------------------------------------------


def test_an_agent_is_sent_and_shown_when_it_comes_home(tavern: Served, folder: Path) -> None:
    done = send(
        tavern, folder, "--call", "welcome", "--set", "name=Harry", "--set", "thirst=5", "--arg", "2",
        EMPORION_PASSPHRASE=PASSPHRASE,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    *lines, time = done.stdout.splitlines()
    assert lines[0] == "output"
    assert [line.startswith("  Harry drinks ale ") for line in lines[1:3]] == [True, True]
    assert lines[3:] == ["result  guest.Guest", "  name    'Harry'", "  thirst  3"]
    assert time.startswith("time    0.") and time.endswith(" s")
    assert "\x1b" not in done.stdout


RULES = """
import emporion
from emporion.validators.connection import all_of, blocked_networks, logins, rate

gate = all_of(blocked_networks("127.0.0.0/8"), rate(30, per_s=60))
people = logins(emporion.Verifiers({"otto": "with: colons"}, iterations=4096))
nobody = lambda host, connection: True
"""


def test_rules_of_the_operators_own_decide_who_may_connect(folder: Path, tmp_path: Path) -> None:
    (folder / "rules.py").write_text(RULES, encoding="utf-8")
    calls = ("--call", "whoami", "--passphrase-file", str(secret(tmp_path / "secret", "with: colons")))
    people = serve(folder, *TAVERN_OPTIONS, "--connection-validator", "rules.py:people")
    gated = serve(folder, *TAVERN_OPTIONS, "--connection-validator", "rules.py:gate", "--logins-file", "logins")
    try:
        assert send(people, folder, *calls, "--login", "otto").stdout.splitlines()[0] == "result  'otto'"
        failed(send(gated, folder, *calls, "--login", "otto"), "from this address")
    finally:
        assert (ended(people), ended(gated)) == (0, 0)
    wrong = emporion("host", *TAVERN_OPTIONS, "--connection-validator", "rules.py:nobody", "--anonymous", cwd=folder)
    failed(wrong, "by_host")


def test_a_host_that_nothing_proves_is_asked_only_by_who_says_so(folder: Path) -> None:
    anybody = serve(folder, *TAVERN_OPTIONS, "--anonymous")
    try:
        bare = Served(anybody.process, anybody.uri.partition("?")[0], anybody.log)
        whoami = ("--call", "whoami", "--anonymous")
        failed(send(bare, folder, *whoami), "verify_host=False")
        assert send(bare, folder, *whoami, "--any-host").stdout.splitlines()[0] == "result  None"
    finally:
        assert ended(anybody) == 0


def test_the_passphrase_of_a_login_makes_the_identity(tavern: Served, folder: Path, tmp_path: Path) -> None:
    file = secret(tmp_path / "secret", "with: colons")
    done = send(tavern, folder, "--call", "whoami", "--login", "otto", "--passphrase-file", str(file))
    assert done.stdout.splitlines()[0] == "result  'otto'"
    records = [json.loads(line) for line in tavern.log.read_text(encoding="utf-8").splitlines()]
    uploads = [record["event"] for record in records if record["event"] and record["event"]["kind"] == "CodeCrossed"]
    assert uploads[-1]["module"] == "guest" and uploads[-1]["peer"].startswith("otto@127.0.0.1:")
    failed(send(tavern, folder, "--call", "whoami", "--login", "nora", "--passphrase-file", str(file)), "login")


def test_a_wrong_passphrase_is_an_error_in_one_line(tavern: Served, folder: Path) -> None:
    failed(send(tavern, folder, "--call", "welcome", EMPORION_PASSPHRASE="guessed"), "check passphrase and login")


def test_a_client_without_a_passphrase_says_where_it_could_come_from(tavern: Served, folder: Path) -> None:
    failed(send(tavern, folder, "--call", "welcome"), "--passphrase-file", "EMPORION_PASSPHRASE")


def test_an_agent_that_the_validator_does_not_know_stays_out(tavern: Served, folder: Path) -> None:
    (folder / "stranger.py").write_text(GUEST, encoding="utf-8")
    done = emporion(
        "send", "stranger.py:Guest", "--to", tavern.uri, "--call", "welcome", cwd=folder,
        EMPORION_PASSPHRASE=PASSPHRASE,
    )  # fmt: skip
    failed(done, "upload of module 'stranger' denied")


def test_what_an_agent_raises_is_told_as_its_own(tavern: Served, folder: Path) -> None:
    options = ("--call", "welcome", "--set", "thirst=0")
    done = send(tavern, folder, *options, EMPORION_PASSPHRASE=PASSPHRASE)
    failed(done, "RuntimeError: no more")
    more = send(tavern, folder, *options, "--debug", EMPORION_PASSPHRASE=PASSPHRASE)
    assert more.returncode == 1
    assert "Traceback" in more.stderr and "in drink" in more.stderr


def test_an_error_from_a_host_cannot_steer_the_terminal(tavern: Served, folder: Path) -> None:
    done = send(tavern, folder, "--call", "brawl", EMPORION_PASSPHRASE=PASSPHRASE)
    failed(done, r"ValueError: \x1b[31mno brawls")


def test_a_method_that_is_not_exposed_does_not_exist(tavern: Served, folder: Path) -> None:
    failed(send(tavern, folder, "--call", "burn_down", EMPORION_PASSPHRASE=PASSPHRASE), "burn_down")


def test_nobody_at_the_address_is_an_error_in_one_line(folder: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, but not listening
        uri = f"emporion://127.0.0.1:{unused.getsockname()[1]}/tavern"
        done = emporion("send", "guest.py:Guest", "--to", uri, "--call", "welcome", cwd=folder, EMPORION_PASSPHRASE="x")
    failed(done, "no host answers", "is it running?")


def test_a_reader_that_leaves_early_gets_no_traceback(tavern: Served, folder: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as pipe:
        done = subprocess.run(
            [sys.executable, "-m", "emporion", "send", "guest.py:Guest", "--to", tavern.uri, "--call", "welcome"],
            cwd=folder, stdin=subprocess.DEVNULL, stdout=pipe, stderr=subprocess.PIPE, timeout=WAIT_S,
            env={**os.environ, "EMPORION_PASSPHRASE": PASSPHRASE},
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, b"")


def test_the_clients_own_validator_can_be_given_as_patterns(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "shop.py").write_text(
        "import emporion, wares\n"
        "class Shop:\n"
        "    @emporion.expose\n"
        "    def sell(self, guest): return wares.Lamp()\n"
        "def any_code(name, module, address): return True\n",
        encoding="utf-8",
    )
    (tmp_path / "wares.py").write_text("class Lamp:\n    watts = 40\n", encoding="utf-8")
    served = serve(
        tmp_path, "shop.py:Shop", "--name", "shop", "--code-validator", "shop.py:any_code",
        "--passphrase-file", str(folder / "secret"),
    )  # fmt: skip
    options = ("--call", "sell", "--passphrase-file", "secret")
    refused = send(served, folder, *options, "--accept", "objects.*")
    taken = send(served, folder, *options, "--accept", "objects.*", "--accept", "wares")
    assert ended(served) == 0
    failed(refused, "download of module 'wares' denied")
    assert taken.stdout.splitlines()[0] == "result  Lamp()"


# --- what stands where ------------------------------------------------------------------------------------------


def test_missing_files_modules_and_names_are_errors_in_one_line(folder: Path) -> None:
    for place, words in (
        ("nowhere.py:Tavern", "no file"),
        ("nowhere:Tavern", "no module 'nowhere'"),
        ("tavern.py:Inn", "has no 'Inn'"),
        ("json.py:Tavern", "no file"),
    ):
        done = emporion("host", place, "--name", "tavern", "--passphrase-file", "secret", cwd=folder)
        failed(done, words)


def test_an_error_in_the_users_own_file_shows_where_with_debug(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("import nothing_of_that_name\n", encoding="utf-8")
    command = ("host", "broken.py:X", "--name", "x", "--anonymous")
    failed(emporion(*command, cwd=tmp_path), "ModuleNotFoundError", "nothing_of_that_name", "--debug")
    assert 'broken.py", line 1' in emporion(*command, "--debug", cwd=tmp_path).stderr
