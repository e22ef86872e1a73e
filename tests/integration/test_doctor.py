"""`emporion doctor`, and hosts: what they say of the machine, on this one and on machines that lack something."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import emporion
import pytest
from emporion.runtime.sandbox.probe import ATTEMPTS
from emporion.tests.harbour import anything_goes, listening, open_host

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox needs Linux")

CIRCUMSTANCES = Path(__file__).with_name("other_circumstances.py")
DOCTOR = """
import sys
from emporion.runtime.cli import main
sys.argv = ["emporion", "doctor", *{arguments!r}]
main()
"""
# A host and its client; the client's agent is in the script itself.
HOST = """
import logging
import sys
import threading
import emporion

ready = threading.Event()

class Teller(logging.Handler):
    def emit(self, record):
        if record.levelno >= logging.INFO and "agents" in record.getMessage() or "walls" in record.getMessage():
            print(record.levelname, record.getMessage(), flush=True)
            ready.set()

logging.getLogger("emporion.host").addHandler(Teller())
logging.getLogger("emporion").setLevel(logging.INFO)

class Agent:
    def work(self):
        return "worked"

class Shop:
    @emporion.expose
    def go(self, visitor):
        try:
            return visitor.work()
        except emporion.EmporionError as error:
            print("hosted method:", type(error).__name__, error)
            raise
    @emporion.expose
    def hello(self):
        return "hello"

if __name__ == "__main__":
    with emporion.Host("emporion+tcp://127.0.0.1:0", allow_anonymous=True) as host:
        uri = host.register(Shop(), "shop", code_validator=lambda *args: True)
        with emporion.connect(uri, verify_host=False, mobile_code=True) as shop:
            ready.wait(30)
            try:
                print("came home:", shop.go(Agent()))
            except emporion.EmporionError as error:
                print("client:", type(error).__name__, error)
            print(shop.hello())
"""


def doctor(kind: str, *arguments: str) -> tuple[int, str]:
    """Exit code and output of `emporion doctor` on another kind of machine; "here" is this one."""
    text = DOCTOR.format(arguments=arguments)
    done = _run([sys.executable, "-c", text] if kind == "here" else [sys.executable, str(CIRCUMSTANCES), kind, text])
    assert done.stderr == ""
    return done.returncode, done.stdout


def hosted(kind: str) -> str:
    """What `HOST` prints on another kind of machine; from a file, for that user's eyes, because an agent needs one."""
    text = (
        "import pathlib, runpy, tempfile\n"
        "with tempfile.TemporaryDirectory() as folder:\n"
        f"    path = pathlib.Path(folder, 'hosted.py'); path.write_text({HOST!r})\n"
        "    runpy.run_path(str(path), run_name='__main__')"
    )
    done = _run([sys.executable, str(CIRCUMSTANCES), kind, text])
    assert done.returncode == 0, done.stderr
    return done.stdout


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    if str(CIRCUMSTANCES) in command and os.geteuid() != 0:
        pytest.skip("only root can become somebody else; the other tests here run as an ordinary user then")
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode and "unshare: Operation not permitted" in done.stderr:
        pytest.skip("root may not take a mount namespace here")
    return done


def record(kind: str) -> tuple[int, dict[str, Any]]:
    code, text = doctor(kind, "--json")
    return code, json.loads(text)


def test_the_doctor_tries_everything_and_says_what_stands() -> None:
    code, found = record("here")
    assert (code, found["agents"], found["trouble"]) == (0, True, "")
    assert set(found["attempts"]) == set(ATTEMPTS)
    assert all(one["refused"] and one["how"] for one in found["attempts"].values())
    assert found["walls"]["seccomp"] and found["walls"]["no_new_privs"] and found["walls"]["rlimits"]
    assert found["libseccomp"].count(".") == 2
    assert found["root"] == (os.geteuid() == 0)
    code, text = doctor("here")
    assert code == 0
    assert text.endswith("this machine takes agents\n")
    assert text.count("refused: ") == len(ATTEMPTS)


def test_the_doctor_tells_an_ordinary_user_the_same() -> None:
    code, found = record("ordinary")
    assert (code, found["agents"], found["root"], found["walls"]["user"]) == (0, True, False, "uid 65534")


def test_the_doctor_works_in_a_checkout_that_only_root_can_read() -> None:
    code, found = record("private")
    assert (code, found["agents"], found["root"]) == (0, True, True)
    assert found["walls"]["user"] != "uid 0"


def test_walls_that_are_only_wanted_are_missing_aloud_and_agents_are_taken() -> None:
    code, found = record("fewer")
    assert (code, found["agents"]) == (0, True)
    assert found["walls"]["namespaces"] == found["walls"]["file tree"] == ""
    assert "sysctl user.max_user_namespaces" in " ".join(found["missing"])
    assert all(one["refused"] for one in found["attempts"].values())
    _, text = doctor("fewer")
    assert "namespaces              missing" in text


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("bare", "apt install libseccomp2"),
        ("old", "CONFIG_SECCOMP_FILTER"),
        ("lax", "no_new_privs is refused"),
        ("powerless", "CAP_KILL"),
    ],
)
def test_without_the_minimum_the_doctor_says_no_agents_and_what_would_bring_it(kind: str, names: str) -> None:
    code, found = record(kind)
    assert (code, found["agents"], found["attempts"]) == (1, False, {})
    assert names in found["trouble"]
    code, text = doctor(kind)
    assert code == 1
    assert "no agents: " in text and names in text


@pytest.mark.parametrize(("kind", "names"), [("bare", "apt install libseccomp2"), ("old", "CONFIG_SECCOMP_FILTER")])
def test_a_host_without_the_minimum_takes_no_agents_and_goes_on(kind: str, names: str) -> None:
    said = hosted(kind).splitlines()
    assert said[0].startswith("ERROR this host takes no agents: ") and names in said[0]
    assert not any(line.startswith(("came home", "hosted method")) for line in said)
    (client,) = [line for line in said if line.startswith("client: ")]
    assert client.startswith("client: SandboxUnavailable ") and names in client
    assert said[-1] == "hello"


def test_a_host_with_fewer_walls_says_so_and_takes_agents() -> None:
    said = hosted("fewer")
    assert "INFO walls around agents: seccomp, no_new_privs, rlimits, " in said
    assert "no namespaces" in said and "sysctl user.max_user_namespaces" in said
    assert "came home: worked" in said


def test_walls_are_told_once_and_also_when_a_validator_comes_later() -> None:
    class Shop:
        @emporion.expose
        def hello(self) -> str:
            return "hello"

    with listening() as ears, open_host() as host:
        host.register(Shop(), "shop")
        host.set_code_validator("shop", anything_goes)

        def told() -> list[str]:
            return [r.getMessage() for r in list(ears.records) if r.getMessage().startswith("walls around agents: ")]

        ears.wait_for(told)
        host._jails.prepare(emporion.Isolation())  # as one more object with a validator has it done
        assert len(told()) == 1


def test_a_host_that_lets_no_code_in_says_so_when_it_starts() -> None:
    class Shop:
        @emporion.expose
        def hello(self) -> str:
            return "hello"

    host = emporion.Host("emporion+tcp://127.0.0.1:0", allow_anonymous=True)
    host.register(Shop(), "shop")
    with listening() as ears, host:
        said = [record.getMessage() for record in ears.records]
    assert "no code comes in: no object here has a code validator" in said
    host = emporion.Host("emporion+tcp://127.0.0.1:0", allow_anonymous=True)
    host.register(Shop(), "shop", code_validator=anything_goes)
    with listening() as ears, host:
        said = [record.getMessage() for record in ears.records]
    assert not any("no code comes in" in text for text in said)
