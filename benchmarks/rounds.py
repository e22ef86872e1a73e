"""Rounds in turn: every contender's processes stay up, and each works for a moment while all others wait."""

import contextlib
import json
import select
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from emporion.benchmarks.contenders import Contender

__all__ = ["Measured", "Pairing", "play"]

WORKER: Final = Path(__file__).with_name("worker.py")
PATIENCE_S: Final = 30.0  # beyond the time asked for; then the contender hangs, and the run is over


@dataclass(frozen=True, slots=True)
class Pairing:
    """Where the two ends of each contender run."""

    server_cpu: int
    client_cpu: int

    def __str__(self) -> str:
        if self.server_cpu == self.client_cpu:
            return f"client and server on one processor ({self.server_cpu})"
        return f"server on processor {self.server_cpu}, client on processor {self.client_cpu}"


@dataclass(slots=True)
class Measured:
    """What one contender did."""

    label: str
    rates: list[float] = field(default_factory=list)  # calls a second, one for each round
    times_s: list[float] = field(default_factory=list)  # of single visits, all rounds together
    phases_s: dict[str, float] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """The median of the rounds, in calls a second."""
        return statistics.median(self.rates)


class _Worker:
    """A process of `worker.py`, told what to do line by line."""

    def __init__(self, role: str, kind: str, cpu: int, *address: str) -> None:
        self._name = f"{role} {kind}"
        self._process = subprocess.Popen(
            [sys.executable, WORKER, role, kind, str(cpu), *address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def line(self, timeout_s: float = PATIENCE_S) -> str:
        """What the worker says next."""
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], timeout_s)[0]:
            raise SystemExit(f"benchmark: {self._name} says nothing for {timeout_s:g} s; its own lines are above")
        said = self._process.stdout.readline().strip()
        if not said:
            raise SystemExit(f"benchmark: {self._name} has ended early; its own lines above say why")
        return said

    def ask(self, order: str, timeout_s: float = PATIENCE_S) -> Any:
        """Give an order and wait for what comes of it."""
        assert self._process.stdin is not None
        self._process.stdin.write(order + "\n")
        self._process.stdin.flush()
        return json.loads(self.line(timeout_s))

    def end(self) -> None:
        """Let the process finish; kill it if it does not."""
        assert self._process.stdin is not None and self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


@contextlib.contextmanager
def _client(kind: str, pairing: Pairing) -> Iterator[_Worker]:
    """A contender with both ends up and warm."""
    with contextlib.ExitStack() as stack:
        server = _Worker("serve", kind, pairing.server_cpu)
        stack.callback(server.end)
        client = _Worker("ask", kind, pairing.client_cpu, server.line())
        stack.callback(client.end)
        client.line()
        yield client


def play(contenders: Mapping[str, Contender], pairing: Pairing, *, rounds: int, seconds: float) -> dict[str, Measured]:
    """Let `contenders` work in turn, `rounds` times for `seconds` each; what they did, by kind.

    Who else uses the machine disturbs all of them alike: compare within a round, not between runs.
    """
    measured = {kind: Measured(contender.label) for kind, contender in contenders.items()}
    with contextlib.ExitStack() as stack:
        clients = {kind: stack.enter_context(_client(kind, pairing)) for kind in contenders}
        for _ in range(rounds):
            for kind, client in clients.items():
                done = client.ask(repr(seconds), PATIENCE_S + seconds)
                measured[kind].rates.append(done["count"] / done["elapsed_s"])
                measured[kind].times_s += done["times_s"]
        for kind, client in clients.items():
            measured[kind].phases_s = client.ask("phases")
    return measured
