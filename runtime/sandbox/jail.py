"""A jailed process as the host holds it: one socket, a way to kill it, and how it ended."""

import os
import select
import signal
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from ...errors import LimitExceeded, SandboxUnavailable
from ..options import Limits
from .protocol import BEGIN, EXIT_CRASHED, EXIT_MEMORY, READY, READY_MARK, ROLES, Ended
from .rlimits import kernel_limits, limit

__all__ = ["READY_TIMEOUT_S", "Exit", "Jailed"]

READY_TIMEOUT_S: Final = 10.0  # a spare takes milliseconds; this is for a machine on its knees
_REAP_TIMEOUT_S: Final = 5.0
_DIED: Final = "the sandbox process died before its visit: try again"
_MAX_FAILURE_BYTES: Final = 8192


@dataclass(frozen=True, slots=True)
class Exit:
    """How a jailed process ended.

    `reason` is "exited", "killed" (by us, or by the kernel for want of memory), "cpu_s", "wall_s", "memory_mib" or
    "crashed" (a signal that nobody sent, a forbidden system call, or an error that nothing handled).
    """

    signal: int  # 0: none
    status: int  # 0 when a signal ended it
    cpu_s: float  # the visit's own: without the warm-up
    max_rss_kib: int
    reason: str


class Prison(Protocol):
    """What `Jailed.begin` needs of its keeper."""

    may_limit: bool  # False once the kernel has said that the host may not limit its sandbox processes

    def spare_bytes(self, pid: int) -> int:
        """The address space of a ready spare, of which `pid` is one."""


class Jailed:
    """One process for one visit. Thread-safe; `Jailer.open` makes them.

    `socket` is the host's end of its stream socket, `pid` its process id as the host sees it.
    """

    def __init__(self, number: int, sock: socket.socket) -> None:
        self.number = number
        self.socket = sock
        self.pid = 0  # as the host sees it, once `forked` was called
        self._pidfd = -1
        self._lock = threading.Lock()
        self._forked = threading.Event()
        self._ended = threading.Event()
        self._exit: Exit | None = None
        self._doom: str | None = None  # why we killed it
        self._limits: Limits | None = None
        self._began_s = self._ended_s = 0.0
        self._cpu_before_s = 0.0

    def __repr__(self) -> str:
        return f"<Jailed pid={self.pid} {self._exit.reason if self._exit else 'alive'}>"

    # --- the life of a spare; called by the supervisor -----------------------------------------------------------

    def forked(self, pidfd: int) -> None:
        """The process exists; owns `pidfd` from here on."""
        with self._lock:
            self._pidfd = pidfd
            self.pid = _pid_of(pidfd)
        self._forked.set()

    def begin(self, limits: Limits, role: str, keeper: Prison) -> None:
        """Wait for the spare, put the visit's limits on it and let it run as `role`.

        Raises:
            SandboxUnavailable: it was not ready in time, has died meanwhile, or its warm-up failed.
        """
        self._cpu_before_s = self._wait_until_ready()
        cpu_s, size = kernel_limits(
            limits, address_space=keeper.spare_bytes(self.pid), cpu_used_s=self._cpu_before_s
        )
        try:
            if self.ended:  # its number may be another process's by now
                raise ProcessLookupError
            if keeper.may_limit and self.pid > 0:  # 0 means a process of another /proc; to prlimit(2) it means us
                self._limit(cpu_s, size, keeper)
            self._limits = limits
            self._began_s = time.monotonic()
            self.socket.send(BEGIN.pack(ROLES[role], cpu_s, size))
        except (ProcessLookupError, BrokenPipeError, ConnectionResetError):
            raise SandboxUnavailable(_DIED) from None

    def _limit(self, cpu_s: int, size: int, keeper: Prison) -> None:
        """Limit it from outside, where that is allowed. Root in a container is not: it lacks CAP_SYS_RESOURCE.

        There the spare's own act alone counts: it takes the same limits before it reads a foreign byte.
        """
        try:
            limit(self.pid, cpu_s, size)
        except PermissionError:
            keeper.may_limit = False

    def _wait_until_ready(self) -> float:
        """The CPU seconds that the spare has used so far."""
        deadline = time.monotonic() + READY_TIMEOUT_S
        if not self._forked.wait(READY_TIMEOUT_S):
            raise SandboxUnavailable(f"the zygote forked no sandbox process within {READY_TIMEOUT_S:g} s")
        try:
            self.socket.settimeout(max(deadline - time.monotonic(), 0.001))
            head = self.socket.recv(READY.size, socket.MSG_WAITALL)
            if len(head) < READY.size:
                raise SandboxUnavailable(_DIED)
            mark, cpu_s = READY.unpack(head)
            if mark == READY_MARK:
                self.socket.settimeout(None)
                return float(cpu_s)
            text = self.socket.recv(_MAX_FAILURE_BYTES, socket.MSG_WAITALL).decode(errors="replace")
            raise SandboxUnavailable(f"the warm-up of a sandbox process failed: {text}")
        except TimeoutError:
            text = f"a sandbox process was not ready within {READY_TIMEOUT_S:g} s: is the machine overloaded?"
            raise SandboxUnavailable(text) from None
        except ConnectionResetError:
            raise SandboxUnavailable(_DIED) from None

    def finish(self, report: Ended | None) -> None:
        """The process was reaped; None when it went down with its zygote."""
        with self._lock:
            self._ended_s = time.monotonic()
            self._exit = self._judge(report)
        for event in (self._forked, self._ended):  # there is nothing left to wait for
            event.set()

    def _judge(self, report: Ended | None) -> Exit:
        if report is None:
            return Exit(signal.SIGKILL, 0, 0.0, 0, self._doom or "killed")
        number = os.WTERMSIG(report.status) if os.WIFSIGNALED(report.status) else 0
        status = 0 if number else os.WEXITSTATUS(report.status)
        cpu_s = max(report.cpu_s - self._cpu_before_s, 0.0)
        if number == signal.SIGKILL:
            spent = self._limits is not None and cpu_s > self._limits.cpu_s  # the hard limit: it had dodged SIGXCPU
            reason = self._doom or ("cpu_s" if spent else "killed")
        elif number:
            reason = "cpu_s" if number == signal.SIGXCPU else "crashed"
        else:
            reason = {EXIT_MEMORY: "memory_mib", EXIT_CRASHED: "crashed"}.get(status, "exited")
        return Exit(number, status, cpu_s, report.max_rss_kib, reason)

    def expire(self) -> None:
        """The wall clock has run out."""
        self._kill("wall_s")

    # --- for whoever holds the visit ---------------------------------------------------------------------------------

    @property
    def ended(self) -> bool:
        """Whether the process has died, reaped or not; one that is still to be born has not."""
        with self._lock:
            if self._ended.is_set() or self._pidfd < 0:
                return self._ended.is_set()
            poller = select.poll()
            poller.register(self._pidfd, select.POLLIN)
            return bool(poller.poll(0))

    def kill(self) -> None:
        """Send SIGKILL, by pidfd: it cannot hit a process that has taken over the number. Idempotent."""
        self._kill("killed")

    def _kill(self, reason: str) -> None:
        with self._lock:
            if self._pidfd < 0 or self._exit is not None:
                return
            self._doom = self._doom or reason
            with suppress(ProcessLookupError):  # dead already; the zygote is about to say so
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def wait(self, timeout_s: float | None = None) -> Exit:
        """Wait until the process has been reaped.

        Raises:
            TimeoutError: it lives on after `timeout_s` seconds.
        """
        if not self._ended.wait(timeout_s) or self._exit is None:
            raise TimeoutError(f"the sandbox process {self.pid} has not ended within {timeout_s:g} s: kill() ends it")
        return self._exit

    def limit_error(self) -> LimitExceeded | None:
        """The limit that ended the process, as an error to raise; None while it runs or where it was something else."""
        end, limits = self._exit, self._limits
        if end is None or limits is None:
            return None
        if end.reason == "cpu_s":
            return LimitExceeded("cpu_s", end.cpu_s, limits.cpu_s)
        if end.reason == "wall_s":
            return LimitExceeded("wall_s", self._ended_s - self._began_s, limits.wall_s)
        if end.reason == "memory_mib":
            # The allocation that was refused is not known; what had been granted is at most the limit.
            return LimitExceeded("memory_mib", limits.memory_mib, limits.memory_mib)
        return None

    def close(self) -> None:
        """Kill the process, wait until it is reaped (5 s at most), close socket and pidfd. Idempotent."""
        self.kill()
        if self._pidfd >= 0:
            self._ended.wait(_REAP_TIMEOUT_S)
        self.discard()

    def __enter__(self) -> "Jailed":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def discard(self) -> None:
        """As `close`, without waiting: the zygote reaps in its own time. Idempotent."""
        self.kill()
        self.socket.close()
        with self._lock:
            pidfd, self._pidfd = self._pidfd, -1
        if pidfd >= 0:
            os.close(pidfd)


def _pid_of(pidfd: int) -> int:
    """The process id behind a pidfd in our own pid namespace (pidfd_open(2)); 0 or less: none."""
    for line in Path(f"/proc/self/fdinfo/{pidfd}").read_text().splitlines():
        if line.startswith("Pid:"):
            return int(line[4:])
    return 0
