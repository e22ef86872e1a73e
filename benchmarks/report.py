"""What the benchmark prints: tables, and whether the project's own targets were met."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from emporion.benchmarks.contenders import QUESTIONS, VISITS
from emporion.benchmarks.rounds import Measured
from emporion.benchmarks.values import Cost

__all__ = ["CALL_TARGET", "VISIT_TARGET_S", "calls_table", "targets", "times_as_fast", "values_table", "visits_table"]

CALL_TARGET: Final = 1.8  # times Pyro5's calls, without TLS, on one processor
VISIT_TARGET_S: Final = 0.004  # the median from the client's call to its return, known code, on one processor


def times_as_fast(one: Measured, other: Measured) -> tuple[float, float]:
    """The ratio of the medians, and the median of the ratios round by round, which a noisy machine disturbs less."""
    pairs = zip(one.rates, other.rates, strict=True)
    return one.rate / other.rate, statistics.median(mine / theirs for mine, theirs in pairs)


def calls_table(measured: Mapping[str, Measured], what: str = "call", prefix: str = "") -> str:
    """Calls a second, or what else is counted, beside the raw socket's and Pyro5's."""
    head = ["", f"{what}s/s", "slowest to fastest round", f"us a {what}", "of raw", "of Pyro5", "round by round"]
    rows, pyro5 = [head], measured.get(f"{prefix}pyro5")
    for kind, one in measured.items():
        raw = measured[f"{prefix}raw-tls" if kind.endswith("tls") else f"{prefix}raw"]
        row = [one.label, f"{one.rate:,.0f}", f"{min(one.rates):,.0f} to {max(one.rates):,.0f}"]
        row += [f"{1e6 / one.rate:.1f}", f"{one.rate / raw.rate:.0%}"]
        if pyro5 is not None:
            row += [f"{ratio:.2f} x" for ratio in times_as_fast(one, pyro5)]
        rows.append(row)
    return _table(rows if pyro5 is not None else [rows[0][:5], *rows[1:]])


def visits_table(measured: Mapping[str, Measured]) -> str:
    """Milliseconds of a visit, and what the host saw of them."""
    times, phases = ["ms, median", "fastest tenth", "slowest tenth"], ["opening", f"{QUESTIONS} questions", "the rest"]
    rows = [["", *times, "visits", *phases]]
    for one in measured.values():
        median_s = statistics.median(one.times_s)
        fast_s, slow_s = _tenths(one.times_s)
        opening_s, questions_s = one.phases_s["opening_s"], one.phases_s["questions_s"]
        times = [_ms(each) for each in (median_s, fast_s, slow_s)]
        phases = [_ms(each) for each in (opening_s, questions_s, median_s - opening_s - questions_s)]
        rows.append([one.label, *times, f"{len(one.times_s):,}", *phases])
    return _table(rows)


def values_table(costs: Iterable[Cost]) -> str:
    """Microseconds of one message between objects and bytes."""
    rows = [["", "bytes", "encode, us", "decode, us", "both", "pickle, both"]]
    for cost in costs:
        times = (cost.encode_s, cost.decode_s, cost.encode_s + cost.decode_s, cost.pickle_s)
        rows.append([cost.label, f"{cost.size:,}", *(f"{each * 1e6:.2f}" for each in times)])
    return _table(rows)


def targets(calls: Mapping[str, Measured] | None, visits: Mapping[str, Measured] | None) -> list[tuple[bool, str]]:
    """Whether each target that can be judged was met, and the sentence to say."""
    verdicts = []
    if calls is not None and "pyro5" in calls:
        ratio, paired = times_as_fast(calls["plain"], calls["pyro5"])
        text = f"plain calls: {paired:.2f} times Pyro5's round by round ({ratio:.2f} by medians), {CALL_TARGET} wanted"
        verdicts.append((paired >= CALL_TARGET, text))
    if visits is not None:
        for one in (each for kind, each in visits.items() if VISITS[kind].pause_s):
            median_s = statistics.median(one.times_s)
            text = f"{one.label}: {_ms(median_s)} ms median, at most {_ms(VISIT_TARGET_S)} wanted"
            verdicts.append((median_s <= VISIT_TARGET_S, text))
    return verdicts


def _tenths(times_s: Sequence[float]) -> tuple[float, float]:
    if len(times_s) < 2:
        return times_s[0], times_s[0]
    cuts = statistics.quantiles(times_s, n=10, method="inclusive")
    return cuts[0], cuts[-1]


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.2f}"


def _table(rows: Sequence[Sequence[str]]) -> str:
    """Columns under one another: the first to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        first, *rest = row
        cells = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
