"""What the tests of samples and pages share: programs of their own, in folders that have only what is theirs."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[1]
WAIT_S = 60.0  # nothing here takes seconds


@dataclass
class Hosting:
    """A host's process: its first line, while it runs, and all its further lines once it is over."""

    uri: str
    lines: list[str] = field(default_factory=list)


def laid_out(sample: str, folder: Path, *names: str) -> Path:
    """A new folder with these files and folders of a sample, and nothing else that an import could find."""
    folder.mkdir()
    for name in names:
        source = ROOT / "samples" / sample / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    return folder


@contextlib.contextmanager
def hosting(folder: Path, *arguments: str, program: str = "host.py") -> Iterator[Hosting]:
    """A program that hosts, run in `folder`, which must end well when it is told to."""
    with tempfile.TemporaryFile("w+") as errors:
        command = [sys.executable, program, *arguments]
        with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=errors, text=True) as process:
            assert process.stdout is not None
            running = Hosting(process.stdout.readline().strip())
            try:
                assert running.uri, _text(errors)
                yield running
            finally:
                process.send_signal(signal.SIGTERM)
                running.lines += process.communicate(timeout=WAIT_S)[0].splitlines()
        assert process.returncode == 0, _text(errors)


def _text(file: IO[str]) -> str:
    file.seek(0)
    return file.read()


def in_shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a line of a page's in a shell, with this checkout's command line and this Python."""
    names = f'emporion() {{ "{sys.executable}" -P -m emporion "$@"; }}\npython() {{ "{sys.executable}" "$@"; }}\n'
    clean = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    return subprocess.run(
        ["/bin/sh", "-c", names + command], cwd=folder, env=clean, capture_output=True, text=True, timeout=WAIT_S
    )


def told(folder: Path, *arguments: str, program: str = "client.py") -> list[str]:
    """The lines that a program prints, which ends well and says nothing on stderr."""
    command = [sys.executable, program, *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=WAIT_S)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def commands(sample: str) -> list[str]:
    """The commands that a sample's docstring gives, in its order, without their comments."""
    text = (ROOT / "samples" / sample / "__init__.py").read_text(encoding="utf-8")
    return re.findall(r"^    ((?:emporion|python|echo) .*?)(?: +#.*)?$", text, re.MULTILINE)
