"""`emporion demo`: the sample's mall and its shoppers as two processes, and their story as it happens.

The mall is an ordinary `emporion host`; its log comes as JSON lines on a pipe. The shoppers are the sample's own
program, which tells each act as a line of JSON.
"""

import json
import os
import secrets
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

from ...errors import CallTimeout, ConnectionLost, EmporionError, SandboxUnavailable
from .telling import Teller

__all__ = ["divided", "run"]

SAMPLE: Final = Path(__file__).parents[2] / "samples" / "shopping_mall"
PEOPLE: Final = ("nora", "otto", "moll")
PATIENCE_S: Final = 60.0  # for the whole story, which takes about three seconds
END_S: Final = 10.0  # for a process that was asked to end

Record = dict[str, Any]


def run() -> None:
    """Play the story and tell it on stdout.

    Raises:
        EmporionError: One of the two processes failed, or let something pass; the text has its last words.
    """
    until_s = time.monotonic() + PATIENCE_S
    with tempfile.TemporaryDirectory(prefix="emporion-demo-") as folder:
        logins = Path(folder, "logins")
        logins.touch(mode=0o600)
        logins.write_text("".join(f"{name}:{secrets.token_urlsafe(16)}\n" for name in PEOPLE), encoding="utf-8")
        with _process(_mall(logins)) as mall:
            stage = _Stage(mall, until_s)
            uri = stage.opening()
            with _process(_shoppers(uri, logins)) as client:
                stage.play(client)


def _mall(logins: Path) -> list[str]:
    file = SAMPLE / "server" / "mall.py"
    return [
        # -P: not whatever is called emporion in the current folder
        *(sys.executable, "-P", "-m", "emporion", "host", f"{file}:Mall", "--name", "mall"),
        *("--code-validator", f"{file}:code_validator", "--logins-file", str(logins), "--log-format", "json"),
    ]


def _shoppers(uri: str, logins: Path) -> list[str]:
    return [sys.executable, str(SAMPLE / "client" / "shoppers.py"), uri, str(logins), "--json"]


class _Stage:
    """Listens to both processes and hands the teller an act together with what the mall's log says about it."""

    def __init__(self, mall: subprocess.Popen[bytes], until_s: float) -> None:
        self._mall = mall
        self._until_s = until_s
        self._log = _Lines(mall.stderr)
        self._teller = Teller()
        self._records: list[Record] = []

    def opening(self) -> str:
        """Wait until the mall is open, walls around agents included; gives its URI.

        Raises:
            SandboxUnavailable: This machine cannot hold agents.
            ConnectionLost: The mall's process ended.
        """
        out = _Lines(self._mall.stdout)
        uri = ""
        while not uri or not any("agents" in record["message"] for record in self._records):
            self._wait(out, self._log)
            uri = uri or next(iter(out.drain()), "")
            self._hear()
            for record in self._records:
                if record["level"] == "ERROR":
                    raise SandboxUnavailable(record["message"])
            if out.ended or self._log.ended:
                raise ConnectionLost(f"the mall did not open: {self._log.last or 'it said nothing'}")
        self._teller.opening(uri, self._mall.pid, self._records)
        self._records.clear()
        return uri

    def play(self, client: subprocess.Popen[bytes]) -> None:
        """Tell the acts until the shoppers' program is over."""
        self._teller.shoppers(client.pid)
        out = _Lines(client.stdout)
        while not out.ended:
            self._wait(out, self._log)
            acts = [json.loads(line) for line in out.drain()]
            # Whatever the mall logged about an act was in our pipe before the shoppers could know its outcome.
            self._hear()
            for act in acts:
                about, self._records = divided(self._records, act["ended_s"])
                self._teller.act(act, about)
        if client.wait(END_S) == 0:
            self._teller.closing()

    def _hear(self) -> None:
        for line in self._log.drain():
            try:
                self._records.append(json.loads(line))
            except ValueError:
                continue  # no log record: a warning of Python's, or last words; `last` has them

    def _wait(self, *pipes: "_Lines") -> None:
        left_s = self._until_s - time.monotonic()
        with selectors.DefaultSelector() as selector:
            for pipe in pipes:
                if not pipe.ended:
                    selector.register(pipe.fd, selectors.EVENT_READ)
            if left_s <= 0 or not selector.select(left_s):
                raise CallTimeout(f"the demo did not come to its end within {PATIENCE_S:.0f} s: is the machine busy?")


def divided(records: list[Record], ended_s: float) -> tuple[list[Record], list[Record]]:
    """Log records until an act's end (seconds since the epoch) and after it: the next act may have begun by now."""
    until = datetime.fromtimestamp(ended_s, UTC).isoformat(timespec="microseconds")
    return [one for one in records if one["time"] <= until], [one for one in records if one["time"] > until]


class _Lines:
    """The whole lines that have come through a pipe."""

    def __init__(self, pipe: IO[bytes] | None) -> None:
        assert pipe is not None
        self.fd = pipe.fileno()
        self.ended = False
        self.last = ""
        self._rest = b""
        os.set_blocking(self.fd, False)

    def drain(self) -> list[str]:
        """What is there now; does not wait."""
        while not self.ended:
            try:
                data = os.read(self.fd, 65536)
            except BlockingIOError:
                break
            self.ended = not data
            self._rest += data
        *lines, self._rest = self._rest.split(b"\n")
        found = [line.decode(errors="replace") for line in lines]
        self.last = found[-1] if found else self.last
        return found


@contextmanager
def _process(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process that does not outlive its block.

    Raises:
        EmporionError: It ended with another code than 0; the text has the last line of its stderr.
    """
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                code = process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        if code:
            words = (process.stderr and process.stderr.read()) or b""
            lines = words.decode(errors="replace").split("\n")
            raise EmporionError(f"a process of the demo failed: {next(filter(None, reversed(lines)), code)}")
