"""The benchmark: `make bench`, or ``python benchmarks/run.py``. Calls and connections beside the
raw socket and Pyro5, and visits.

Every contender has a server process and a client process of its own, and all work in turn, round after round, so that
whatever else the machine does disturbs them alike. Processes are pinned with `os.sched_setaffinity`, which is what
`taskset` calls. Compare ratios of one run; never numbers of two runs.
"""

import argparse
import dataclasses
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from emporion.benchmarks.contenders import CALLS, CONNECTIONS, PAUSE_S, QUESTIONS, VISITS, Contender, missing
from emporion.benchmarks.machine import BUSY_SHARE, busy_share, facts, processors
from emporion.benchmarks.report import calls_table, targets, values_table, visits_table
from emporion.benchmarks.rounds import Measured, Pairing, play
from emporion.benchmarks.values import costs

PARTS: Final = ("calls", "connections", "visits", "values")


def options() -> argparse.Namespace:
    """What the command line asks for."""
    cpus = processors()
    parser = argparse.ArgumentParser(description="Measure this project beside its peers, in one run.")
    parser.add_argument("--seconds", type=float, default=0.3, help="of one round of one contender (%(default)s)")
    parser.add_argument("--rounds", type=int, default=9, help="of every contender, in turn (%(default)s)")
    parser.add_argument("--cpu", type=int, default=cpus[-1], help="processor of the hosts, and of all in table one")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="parts to run")
    parser.add_argument("--one-processor", action="store_true", help="leave out the tables with two processors")
    parser.add_argument("--without-pyro", action="store_true", help="leave Pyro5 out, as when it is not installed")
    parser.add_argument("--json", type=Path, help="also write everything that was measured to this file")
    parser.add_argument("--check", action="store_true", help="end with status 1 when a target was missed")
    chosen = parser.parse_args()
    if not chosen.seconds > 0 or chosen.rounds < 1 or chosen.cpu not in cpus:
        parser.error(f"--seconds and --rounds must be positive, and --cpu one of {cpus}")
    return chosen


def main() -> int:
    """Run what was asked for; gives the exit status."""
    chosen = options()
    found: dict[str, Any] = {"machine": facts(), "load_before": os.getloadavg(), "busy_before": busy_share()}
    for name, fact in found["machine"].items():
        print(f"{name:10} {fact}")
    print(f"{'load':10} {', '.join(f'{load:.2f}' for load in found['load_before'])}")
    for cpu, share in found["busy_before"].items():
        if share > BUSY_SHARE and cpu in processors():
            print(f"WARNING: others use {share:.0%} of processor {cpu}: compare ratios only, or come back later")
    pairings = [Pairing(chosen.cpu, chosen.cpu)]
    others = [cpu for cpu in processors() if cpu != chosen.cpu]
    if others and not chosen.one_processor:
        pairings.append(Pairing(chosen.cpu, others[0]))
    if "calls" in chosen.only:
        found["calls"] = [calls(pairing, chosen) for pairing in pairings]
    if "connections" in chosen.only:
        found["connections"] = [connections(pairing, chosen) for pairing in pairings]
    if "visits" in chosen.only:
        found["visits"] = [visits(pairing, chosen) for pairing in pairings]
    if "values" in chosen.only:
        found["values"] = costs(chosen.seconds)
        title("values: objects into the bytes of a frame and back, in one process, no socket")
        print(values_table(found["values"]))
    met = judged(found)
    if chosen.json is not None:
        chosen.json.write_text(json.dumps(found, default=_plain, indent=1) + "\n")
    return 1 if chosen.check and not met else 0


def calls(pairing: Pairing, chosen: argparse.Namespace) -> dict[str, Measured]:
    """The call rates of all contenders that are here."""
    title(f"calls of add(1, 2): {pairing}")
    measured = _play(_present(CALLS, "pyro5", chosen), pairing, chosen)
    print(calls_table(measured))
    return measured


def connections(pairing: Pairing, chosen: argparse.Namespace) -> dict[str, Measured]:
    """How often a client can come, ask one thing, and go."""
    title(f"connections, each for one call: {pairing}")
    measured = _play(_present(CONNECTIONS, "connect-pyro5", chosen), pairing, chosen)
    print(calls_table(measured, "connection", "connect-"))
    return measured


def _present(contenders: Mapping[str, Contender], pyro5: str, chosen: argparse.Namespace) -> Mapping[str, Contender]:
    absent = ["--without-pyro"] if chosen.without_pyro else missing(contenders[pyro5])
    if not absent:
        return contenders
    why = "as asked" if chosen.without_pyro else f"not installed: {', '.join(absent)}; pip install Pyro5 msgpack"
    print(f"Pyro5 is left out ({why}); so are the ratios to it")
    return {kind: contender for kind, contender in contenders.items() if kind != pyro5}


def visits(pairing: Pairing, chosen: argparse.Namespace) -> dict[str, Measured]:
    """The times of visits with ten questions, of code that the host knows."""
    title(f"visits with {QUESTIONS} questions, {PAUSE_S * 1e3:.0f} ms of pause before each: {pairing}")
    measured = _play(VISITS, pairing, chosen)
    print(visits_table(measured))
    return measured


def _play(contenders: Mapping[str, Contender], pairing: Pairing, chosen: argparse.Namespace) -> dict[str, Measured]:
    print(f"({chosen.rounds} rounds of {chosen.seconds:g} s each, in turn)", flush=True)
    return play(contenders, pairing, rounds=chosen.rounds, seconds=chosen.seconds)


def judged(found: Mapping[str, Any]) -> bool:
    """Say of each target whether it was met, on one processor; whether all were that could be judged."""
    on_one = {part: found[part][0] for part in ("calls", "visits") if part in found}
    verdicts = targets(on_one.get("calls"), on_one.get("visits"))
    if verdicts:
        title("targets, on one processor")
    for met, text in verdicts:
        print(f"{'met   ' if met else 'MISSED'}  {text}")
    return all(met for met, _ in verdicts)


def title(text: str) -> None:
    """Begin a part of the report."""
    print(f"\n{text}", flush=True)


def _plain(value: object) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    raise TypeError(f"{value!r} is not for JSON")


if __name__ == "__main__":
    sys.exit(main())
