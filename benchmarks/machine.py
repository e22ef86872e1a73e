"""What a reader must know of the machine before believing a number: processor, versions, and who else worked."""

import os
import platform
import ssl
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

__all__ = ["BUSY_SHARE", "busy_share", "facts", "processors"]

# Of a processor, taken by others: from here on rounds disturb one another visibly, and only ratios mean anything.
BUSY_SHARE: Final = 0.10
_WORK_FIELDS: Final = (0, 1, 2, 4, 5, 6, 7)  # of a cpu line in /proc/stat, proc(5): all but idle and waiting for disks


def processors() -> list[int]:
    """The processors that this process may use."""
    return sorted(os.sched_getaffinity(0))


def busy_share(seconds: float = 0.3) -> dict[int, float]:
    """How much of each processor is in use, 0 to 1, while this process sleeps for `seconds`."""
    before = _ticks()
    time.sleep(seconds)
    after = _ticks()
    shares = {}
    for cpu, (work, total) in after.items():
        work_before, total_before = before.get(cpu, (work, total))
        shares[cpu] = (work - work_before) / max(1, total - total_before)
    return shares


def _ticks() -> dict[int, tuple[int, int]]:
    """Clock ticks of each processor since the start of the machine: (at work, all)."""
    found = {}
    for line in Path("/proc/stat").read_text().splitlines():
        name, *counts = line.split()
        if name.startswith("cpu") and name != "cpu":
            ticks = [int(count) for count in counts[:8]]
            found[int(name[3:])] = (sum(ticks[field] for field in _WORK_FIELDS), sum(ticks))
    return found


def facts() -> dict[str, str]:
    """The machine and the versions of what is compared, for people."""
    known = {
        "processor": f"{_processor()}, {len(processors())} usable",
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}, {ssl.OPENSSL_VERSION}",
    }
    packages = ", ".join(f"{name} {found}" for name in ("msgspec", "Pyro5", "msgpack") if (found := _version(name)))
    return known | {"packages": packages}


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
