"""What the page about connections shows is what happens: commands and programs are run, and their output compared."""

import re
import subprocess
import sys
from pathlib import Path

import emporion
import pytest
from emporion.tests.programs import ROOT, WAIT_S, in_shell
from emporion.validators import connection

PAGE = (ROOT / "docs" / "who-may-connect.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"^```python\n# (\S+)\n(.*?)^```$\n\n```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = re.findall(r"^\$ (.*)$", PAGE, re.MULTILINE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Somebody's folder after the commands of the page."""
    folder = tmp_path_factory.mktemp("page")
    for command in COMMANDS:
        done = in_shell(command, folder)
        assert (done.returncode, done.stderr) == (0, ""), command
        if command.startswith("emporion passphrase make"):
            (folder / "note").write_text(done.stdout, encoding="utf-8")
    return folder


def test_every_block_is_a_program_with_its_output_or_commands() -> None:
    assert PAGE.count("```python") == PAGE.count("```text") == len(PROGRAMS) == 6
    assert len(COMMANDS) == 6


@pytest.mark.parametrize(("name", "text", "printed"), PROGRAMS, ids=[name for name, *_ in PROGRAMS])
def test_a_program_of_the_page_prints_what_the_page_says(folder: Path, name: str, text: str, printed: str) -> None:
    (folder / name).write_text(text, encoding="utf-8")
    done = subprocess.run([sys.executable, name], cwd=folder, capture_output=True, text=True, timeout=WAIT_S)
    assert (done.returncode, done.stdout) == (0, printed)
    assert all(line.startswith("denied ") for line in done.stderr.splitlines()), "the host's log"


def test_the_pages_verifier_file_opens_a_host_for_those_in_it(folder: Path) -> None:
    passphrase = (folder / "note").read_text(encoding="utf-8").strip()
    with emporion.Host("emporion+tcp://127.0.0.1:0", passphrases=emporion.VerifierFile(folder / "users")) as host:
        uri = host.register(_Desk(), "desk")
        with emporion.connect(uri, passphrase=passphrase) as desk:
            assert desk.who() == "nora"
        with emporion.connect(uri, login="omar", passphrase="two lamps") as desk:
            assert desk.who() == "omar"


class _Desk:
    @emporion.expose
    def who(self) -> str | None:
        return emporion.caller().identity


def test_the_pages_table_has_every_ready_made_validator() -> None:
    table = PAGE.partition("| validator |")[2].partition("\n\n")[0]
    public = {name: getattr(connection, name) for name in connection.__all__}
    ready_made = {
        name
        for name, one in public.items()
        if isinstance(one, type) and issubclass(one, emporion.ConnectionValidator) and name != "ConnectionValidator"
    }
    assert ready_made == set(re.findall(r"^\| `(\w+)\(", table, re.MULTILINE))
