"""What the README shows is what happens: its programs are taken out of it and run."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
WAIT_S = 60.0


def programs() -> dict[str, str]:
    """The README's Python blocks by the file name in their first line."""
    blocks = re.findall(r"^```python\n# (\S+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return dict(blocks)


def written(folder: Path) -> Path:
    for name, text in programs().items():
        (folder / name).write_text(text.replace("127.0.0.1:7766", "127.0.0.1:0"), encoding="utf-8")
    return folder


@pytest.fixture
def mall(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """The README's mall, on a port of its own; gives the programs' folder and the URI."""
    written(tmp_path)
    command = [sys.executable, "mall.py"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as host:
        assert host.stdout is not None and host.stderr is not None
        try:
            uri = host.stdout.readline().decode().strip()
            assert uri, host.stderr.read().decode()
            yield tmp_path, uri
        finally:
            host.send_signal(signal.SIGTERM)
            assert host.wait(WAIT_S) == 0


def test_the_first_mall_and_the_first_agent_are_under_forty_lines_each() -> None:
    assert set(programs()) == {"mall.py", "shopper.py", "go.py"}
    assert all(text.count("\n") + 1 < 40 for text in programs().values())
    assert "127.0.0.1:7766" in programs()["mall.py"]


def test_the_readmes_agent_comes_home_as_the_readme_says(mall: tuple[Path, str]) -> None:
    folder, uri = mall
    done = subprocess.run([sys.executable, "go.py", uri], cwd=folder, capture_output=True, text=True, timeout=WAIT_S)
    promised = re.search(r"^```text\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert promised is not None
    assert (done.stdout, done.stderr) == (promised[1], "")


def test_the_readmes_commands_do_the_same(tmp_path: Path) -> None:
    """The two commands as they stand there, with a free port and the URI filled in."""
    written(tmp_path)
    (tmp_path / "secret").touch(mode=0o600)
    (tmp_path / "secret").write_text("correct horse battery staple\n", encoding="utf-8")
    blocks = re.findall(r"^    emporion .*\n(?:^        .*\n)*", README, re.MULTILINE)
    serve, send = (f"exec {sys.executable} -m {block.strip()}".replace("\\\n", " ") for block in blocks)
    with subprocess.Popen(
        serve.replace(":7766", ":0"), shell=True, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as host:
        assert host.stdout is not None
        uri = host.stdout.readline().decode().strip()
        command = send.replace("emporion://...", uri)
        done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True, timeout=WAIT_S)
        host.send_signal(signal.SIGTERM)
        assert host.wait(WAIT_S) == 0
    assert done.returncode == 0, done.stderr
    assert "bought  ['tea for 4', 'map for 12']" in done.stdout
    assert "cash    4" in done.stdout


def test_every_page_that_the_readme_points_to_is_there() -> None:
    links = re.findall(r"\]\(([^):]+)\)", README)
    assert links
    for link in links:
        assert (Path(__file__).parents[2] / link).exists(), link
