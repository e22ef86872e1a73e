"""From a visit's wall limit to its process reaped: ``python benchmarks/wall_limit.py``. At most 100 ms, median of 100.

Visits that spin, that wait for bytes which never come, and that hold 100 MiB, in turn; each has `LIMIT_S`. What is
measured begins when that is over and ends when the host knows, from the zygote, that the process has been reaped.
"""

import argparse
import statistics
import sys
import time
from typing import Final

from emporion.benchmarks.machine import facts
from emporion.runtime.options import Limits
from emporion.runtime.sandbox.probe import ENTRY
from emporion.runtime.sandbox.supervisor import Jailer

LIMIT_S: Final = 0.05
TARGET_S: Final = 0.100
DEEDS: Final = (b"while True: pass", b"sock.recv(1)", b"x = b'x' * (100 << 20)\nwhile True: pass")
END_S: Final = 30.0


def late_by(jailer: Jailer, deed: bytes) -> float:
    """Seconds from one visit's limit to the end of its process."""
    with jailer.open(Limits(wall_s=LIMIT_S, cpu_s=END_S)) as jailed:
        began_s = time.monotonic()  # the visit's clock has run for some microseconds by now
        jailed.socket.sendall(len(deed).to_bytes(4, "little") + deed)
        end = jailed.wait(END_S)
        late_s = time.monotonic() - began_s - LIMIT_S
    if end.reason != "wall_s":
        raise SystemExit(f"a visit ended by {end.reason}, where wall_s was to end it")
    return late_s


def main() -> int:
    """Measure and print; gives the exit status."""
    parser = argparse.ArgumentParser(description="Measure how late a visit's process is gone after its wall limit.")
    parser.add_argument("--visits", type=int, default=100, help="how many (%(default)s)")
    parser.add_argument("--check", action="store_true", help="end with status 1 when the target was missed")
    chosen = parser.parse_args()
    if chosen.visits < 2:
        parser.error("--visits must be 2 or more")
    for name, fact in facts().items():
        print(f"{name:10} {fact}")
    with Jailer(entry=ENTRY) as jailer:
        late_s = sorted(late_by(jailer, DEEDS[number % len(DEEDS)]) for number in range(chosen.visits))
    median_s = statistics.median(late_s)
    print(
        f"from wall limit to reaped, {len(late_s)} visits: median {median_s * 1e3:.1f} ms, "
        f"p95 {late_s[int(len(late_s) * 0.95)] * 1e3:.1f} ms, worst {late_s[-1] * 1e3:.1f} ms"
    )
    met = median_s <= TARGET_S
    print(f"{'met   ' if met else 'MISSED'}  median at most {TARGET_S * 1e3:.0f} ms")
    return 1 if chosen.check and not met else 0


if __name__ == "__main__":
    sys.exit(main())
