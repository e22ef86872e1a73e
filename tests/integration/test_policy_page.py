"""What the page about policies shows is what happens: files are written, commands run, their output compared."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from emporion.tests.programs import ROOT, WAIT_S, in_shell
from emporion.validators import code

PAGE = (ROOT / "docs" / "decide-which-code-may-cross.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^```python\n# (\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
KEY = re.compile(r"ed25519:[0-9a-f]{16}(?:[0-9a-f]{48}|\.\.\.)")


def same(text: str) -> str:
    """Keys are drawn anew each time; a table's cells end in blanks."""
    return "\n".join(line.rstrip() for line in KEY.sub(lambda key: f"<key of {len(key[0])}>", text).splitlines())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Somebody's folder with the page's files in it."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_the_commands_print_what_the_page_says(folder: Path) -> None:
    """The page from top to bottom."""
    blocks = "".join(re.findall(r"^```console\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
    told = re.findall(r"^\$ (.*)\n((?:[^$].*\n)*)", blocks, re.MULTILINE)
    assert len(told) == 7
    for command, printed in told:
        done = in_shell(command, folder)
        assert (done.returncode, done.stderr) == (0, ""), command
        assert same(done.stdout.replace(str(folder), "/home/nora")) == same(printed), command


def test_the_programs_of_the_page_run(folder: Path) -> None:
    assert set(FILES) == {
        "plain.py", "policy.py", "agents/agent/shopping.py", "agents/agent/thief.py", "test_policy.py", "signed.py",
    }  # fmt: skip
    (folder / "publishers").touch()
    for name in FILES:
        done = subprocess.run([sys.executable, name], cwd=folder, capture_output=True, text=True, timeout=WAIT_S)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), name


def test_the_pages_table_has_every_block() -> None:
    table = PAGE.partition("| block |")[2].partition("\n\n")[0]
    public = {getattr(code, name) for name in code.__all__}
    blocks = {one.__name__ for one in public if isinstance(one, type) and issubclass(one, code.Block)} - {"Block"}
    assert blocks == set(re.findall(r"[`,] ?`?([a-z_]+)\(", table))
