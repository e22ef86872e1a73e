"""The benchmark runs, from its command line to its tables: a moment long, with real processes and a real sandbox."""

import json
import subprocess
import sys
from pathlib import Path

import emporion
import pytest
from emporion.benchmarks.report import targets
from emporion.benchmarks.rounds import Measured

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox needs Linux")

RUN = Path(emporion.__path__[0]) / "benchmarks" / "run.py"
WALL_LIMIT = RUN.with_name("wall_limit.py")


def run(*options: str, program: Path = RUN) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, program, *options], capture_output=True, text=True, timeout=120)


def test_a_short_run_measures_everything_and_prints_its_tables(tmp_path: Path) -> None:
    """Without Pyro5, which is no part of the test environment."""
    file = tmp_path / "measured.json"
    done = run("--seconds", "0.02", "--rounds", "2", "--one-processor", "--without-pyro", "--json", str(file))

    assert done.returncode == 0, done.stderr
    for words in ("processor", "Pyro5 is left out", "raw ping-pong", "connections/s", "emporion, plain", "emporion, TLS", "visit, TLS"):
        assert words in done.stdout
    assert "x" not in done.stdout.partition("emporion, plain")[2].partition("\n")[0], "a ratio to nobody"

    found = json.loads(file.read_text())
    (calls,), (connections,), (visits,) = found["calls"], found["connections"], found["visits"]
    assert set(connections) == {"connect-raw", "connect-plain", "connect-raw-tls", "connect-tls"}
    assert all(min(one["rates"]) > 0 for one in connections.values())
    assert {"visit-plain", "visit-tls"} <= set(visits)
    assert set(calls) == {"raw", "plain", "raw-tls", "tls"}
    assert all(len(one["rates"]) == 2 and min(one["rates"]) > 0 for one in calls.values())
    for one in visits.values():
        # Not their sum beside the whole: these are medians, each of a visit of its own.
        assert min(one["phases_s"]["opening_s"], one["phases_s"]["questions_s"], *one["times_s"]) > 0
    assert [cost["label"] for cost in found["values"]][:1] == ["add(1, 2)"]


def test_a_target_is_judged_by_the_rounds_of_one_run() -> None:
    """Two rounds at 1.9 and one at 1.0 times a peer's rate: met; the same the other way round: missed."""
    pyro = Measured("Pyro5", rates=[100.0, 200.0, 300.0])
    quick = {"plain": Measured("plain", rates=[190.0, 380.0, 300.0]), "pyro5": pyro}
    slow = {"plain": Measured("plain", rates=[100.0, 200.0, 570.0]), "pyro5": pyro}
    visits = {"visit-plain": Measured("visit, plain", times_s=[0.001, 0.0039, 0.5])}
    late = {"visit-plain": Measured("visit, plain", times_s=[0.001, 0.0041, 0.5])}

    assert [met for met, _ in targets(quick, visits)] == [True, True]
    assert [met for met, _ in targets(slow, late)] == [False, False]
    assert targets({"plain": pyro}, None) == [], "nothing can be said without the peer"


def test_options_that_make_no_sense_are_refused_before_anything_runs() -> None:
    done = run("--rounds", "0")

    assert done.returncode == 2
    assert "--rounds must be positive" in done.stderr


def test_how_late_a_visit_is_gone_after_its_wall_limit_is_measured() -> None:
    done = run("--visits", "6", program=WALL_LIMIT)

    assert done.returncode == 0, done.stderr
    median_ms = float(done.stdout.partition("median ")[2].split()[0])
    assert "6 visits" in done.stdout and 0 < median_ms < 5_000
    assert ("met" in done.stdout.split()) == (median_ms <= 100)
