"""One process of the benchmark: a contender's server or its client, on one processor. Started by `run.py`.

    worker.py serve KIND CPU            prints its address; ends with its input
    worker.py ask KIND CPU ADDRESS      prints "ready"; for each line of seconds, one line of JSON

The lines of JSON are ``{"count": ..., "elapsed_s": ..., "times_s": [...]}``: the single times of visits only. The line
"phases" is answered with what the mall has measured.
"""

import contextlib
import functools
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any, Final

from emporion.benchmarks.contenders import CALLS, CONTENDERS, VISITS, Client, Contender

BATCH: Final = 20  # calls between two looks at the clock
WARM_CALLS: Final = 500
WARM_VISITS: Final = 10  # or connections; the first one uploads the code, or stretches keys


def main(role: str, kind: str, cpu: str, *address: str) -> None:
    os.sched_setaffinity(0, {int(cpu)})  # what `taskset -c` does; threads and children inherit it
    contender = CONTENDERS[kind]
    if role == "serve":
        with contextlib.contextmanager(contender.serve)() as place:
            print(place, flush=True)
            sys.stdin.read()
    else:
        with contextlib.contextmanager(contender.connect)(*address) as client:
            _warm_up(contender, client, WARM_CALLS if kind in CALLS else WARM_VISITS)
            _obey(client, functools.partial(_visits, contender.pause_s) if kind in VISITS else _calls)


def _warm_up(contender: Contender, client: Client, times: int) -> None:
    for _ in range(times):
        answer = client.ask()
        if answer != contender.expected:
            raise SystemExit(f"{contender.label} answered {answer!r}, not {contender.expected!r}")
    client.phases()
    print("ready", flush=True)


def _obey(client: Client, measure: Callable[[Callable[[], object], float], dict[str, Any]]) -> None:
    for order in sys.stdin:
        done = client.phases() if order.strip() == "phases" else measure(client.ask, float(order))
        print(json.dumps(done), flush=True)


def _calls(ask: Callable[[], object], seconds: float) -> dict[str, Any]:
    for _ in range(BATCH):  # the processor's caches belong to whoever ran last
        ask()
    count = 0
    begun_s = now_s = time.perf_counter()
    while now_s - begun_s < seconds:
        for _ in range(BATCH):
            ask()
        count += BATCH
        now_s = time.perf_counter()
    return {"count": count, "elapsed_s": now_s - begun_s, "times_s": []}


def _visits(pause_s: float, ask: Callable[[], object], seconds: float) -> dict[str, Any]:
    ask()
    times_s: list[float] = []
    begun_s = now_s = time.perf_counter()
    while now_s - begun_s < seconds:
        if pause_s:
            time.sleep(pause_s)
        before_s = time.perf_counter()
        ask()
        now_s = time.perf_counter()
        times_s.append(now_s - before_s)
    return {"count": len(times_s), "elapsed_s": now_s - begun_s, "times_s": times_s}


if __name__ == "__main__":
    main(*sys.argv[1:])
