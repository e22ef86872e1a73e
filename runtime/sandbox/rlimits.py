"""Resource limits: the ceiling that a spare puts on itself, and the visit's limits that the host puts on it."""

import math
import os
import resource
from contextlib import suppress
from pathlib import Path
from typing import Final

from ..options import Limits
from .protocol import SOCKET_FD

__all__ = [
    "address_space_of",
    "kernel_limits",
    "limit",
    "lower_to_ceiling",
    "process_limit_binds",
    "raise_descriptors",
]

ZYGOTE_DESCRIPTORS: Final = 4096  # one pidfd a living spare
_WARM_UP_CPU_S: Final = 20  # soft limits of a spare that nobody has taken yet: our own code, but bounded
_WARM_UP_BYTES: Final = 4 * 2**30
_STACK_BYTES: Final = 8 * 2**20
_MOST: Final = 2**62  # what the kernel and Python can both count
_NOTHING: Final = (
    resource.RLIMIT_NPROC,  # no processes, no threads; does not bind root
    resource.RLIMIT_FSIZE,
    resource.RLIMIT_CORE,
    resource.RLIMIT_MEMLOCK,
    resource.RLIMIT_MSGQUEUE,
    resource.RLIMIT_RTPRIO,
    resource.RLIMIT_NICE,
    resource.RLIMIT_SIGPENDING,
)


def raise_descriptors() -> int:
    """Let this process, the zygote, hold up to `ZYGOTE_DESCRIPTORS`; returns how many it may."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = ZYGOTE_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, ZYGOTE_DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, allowed))
    return allowed


def lower_to_ceiling() -> None:
    """Limit this process, a spare, to what no visit may exceed; memory and CPU get their real limits from the host."""
    for which in _NOTHING:
        resource.setrlimit(which, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (SOCKET_FD + 1, SOCKET_FD + 1))
    _lower(0, resource.RLIMIT_STACK, _STACK_BYTES, _STACK_BYTES)
    _soften(resource.RLIMIT_CPU, _WARM_UP_CPU_S)
    _soften(resource.RLIMIT_AS, _WARM_UP_BYTES)


def _soften(which: int, most: int) -> None:
    """Lower a soft limit and leave the hard one, which the host may still need."""
    soft, hard = resource.getrlimit(which)
    if soft == resource.RLIM_INFINITY or soft > most:
        resource.setrlimit(which, (most, hard))


def process_limit_binds() -> bool:
    """Try it: with RLIMIT_NPROC at zero, can a child of this process still fork? It can where the user is root."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
            if os.fork() == 0:
                os._exit(0)
        except BlockingIOError:
            status = 0
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1] == 0


def kernel_limits(limits: Limits, *, address_space: int, cpu_used_s: float) -> tuple[int, int]:
    """A visit's `limits` as the kernel counts them: whole CPU seconds since birth, and all bytes of address space.

    Args:
        address_space: bytes that the process has before the visit; `limits.memory_mib` comes on top.
        cpu_used_s: seconds that the process has used before the visit.
    """
    cpu_s, size = math.ceil(cpu_used_s + limits.cpu_s), address_space + limits.memory_mib * 2**20
    return min(cpu_s, _MOST), min(size, _MOST)


def limit(pid: int, cpu_s: int, address_space: int) -> None:
    """Limit the process `pid` (0: this one) with prlimit(2) to what `kernel_limits` says.

    Raises:
        ProcessLookupError: there is no such process any more.
        PermissionError: it belongs to another user and we lack CAP_SYS_RESOURCE, as root in a container does.
    """
    # SIGXCPU at the soft limit names the reason; whoever dodges it meets SIGKILL a second later.
    _lower(pid, resource.RLIMIT_CPU, cpu_s, cpu_s + 1)
    _lower(pid, resource.RLIMIT_AS, address_space, address_space)


def _lower(pid: int, which: int, soft: int, hard: int) -> None:
    _, ceiling = resource.prlimit(pid, which)
    if ceiling != resource.RLIM_INFINITY:  # the operator's own limit is lower still: only root could raise it
        soft, hard = min(soft, ceiling), min(hard, ceiling)
    resource.prlimit(pid, which, (soft, hard))


def address_space_of(pid: int | str) -> int | None:
    """Bytes of address space of a process ("self" for this one), or None where /proc does not show it."""
    with suppress(OSError, ValueError, IndexError), Path(f"/proc/{pid}/statm").open("rb") as file:
        return int(file.read(64).split()[0]) * resource.getpagesize()
    return None
