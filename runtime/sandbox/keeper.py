"""The host's half of one zygote: its process, its control socket, the clock of its visits; one thread for all of it."""

import heapq
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from ...errors import ProtocolError, SandboxUnavailable
from .jail import Jailed
from .protocol import (
    MAX_CONTROL_BYTES,
    Ended,
    Failed,
    Forked,
    Hello,
    Spawn,
    Start,
    WallReport,
    encode,
    from_zygote_untrusted,
)
from .rlimits import address_space_of

__all__ = ["Keeper"]

_log = logging.getLogger(__name__)

_START_TIMEOUT_S: Final = 30.0
_STOP_TIMEOUT_S: Final = 3.0
_COMMAND: Final = ("-s", "-P", "-m", "emporion.runtime.sandbox.zygote")
# Nothing of the host's environment goes in. -I would be stricter than -s -P but ignores the hash seed, and a fixed
# one is what makes visits repeatable.
_ENVIRONMENT: Final = {"PYTHONHASHSEED": "0"}
_UNMEASURED_WARM_UP: Final = 32 * 2**20  # room for the warm-up where /proc hides other processes
_MAX_STALE_DEADLINES: Final = 256


class Keeper:
    """Starts one zygote and keeps it: a dead one is never revived, the `Jailer` makes a new keeper."""

    def __init__(self, entry: str, *, os_wall: bool, modules: tuple[str, ...] = ()) -> None:
        """Nothing is started yet.

        Args:
            entry: what spares run, "package.module:function".
            os_wall: whether they get seccomp, Landlock and namespaces.
            modules: what their agents may import beyond what all may.
        """
        self.may_limit = True
        # Its own folders lead a fresh interpreter to the library only; an operator's module may lie beside the host's.
        self._start = Start(entry, os_wall, modules, _absolute_path() if modules else ())
        self._hello: Hello | None = None
        self._failure = ""
        self._up = threading.Event()
        self._down = threading.Event()
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._live: dict[int, Jailed] = {}
        self._deadlines: list[tuple[float, int]] = []
        self._sleeps_until = 0.0
        self._spare_bytes = 0
        self._next_number = 1
        self._stopping = False
        self._zygote_pidfd = -1
        self._control, self._far_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        # The zygote dies with the *thread* that started it (PR_SET_PDEATHSIG): this one lives as long as it should.
        self._thread = threading.Thread(target=self._run, name="emporion-zygote", daemon=True)

    @property
    def alive(self) -> bool:
        """Whether spares can be had from it."""
        return self._up.is_set() and not self._down.is_set()

    def spare_bytes(self, pid: int) -> int:
        """The address space of a ready spare, of which `pid` is one.

        Measured once: 100 spares of one zygote had the same size to the byte, and reading /proc takes 0.1 ms.
        """
        if not self._spare_bytes:
            zygote_bytes = self._hello.address_space if self._hello else 0
            self._spare_bytes = address_space_of(pid) or zygote_bytes + _UNMEASURED_WARM_UP
        return self._spare_bytes

    def start(self) -> WallReport:
        """Start the zygote and wait for its walls.

        Raises:
            SandboxUnavailable: it cannot be started, or a wall that must stand cannot; says what to install.
        """
        self._thread.start()
        self._up.wait(_START_TIMEOUT_S)
        if self._hello is None:
            why = self._failure or f"the sandbox's zygote was not up within {_START_TIMEOUT_S:g} s"
            self.stop()
            raise SandboxUnavailable(why)
        self._check_that_we_may_kill()
        return self._hello.walls

    def _check_that_we_may_kill(self) -> None:
        try:
            signal.pidfd_send_signal(self._zygote_pidfd, 0)
        except PermissionError as error:
            self.stop()
            text = f"the host may not kill its sandbox processes ({error}): give it CAP_KILL, or an ordinary user"
            raise SandboxUnavailable(text) from None
        except OSError:
            pass  # it died this moment; whoever asks it for a spare is told so

    def spawn(self) -> Jailed:
        """Ask for one more spare; returns at once, before it exists.

        Raises:
            SandboxUnavailable: the zygote has died.
        """
        ours, theirs = socket.socketpair()
        with self._lock:
            jailed = Jailed(self._next_number, ours)
            self._next_number += 1
            self._live[jailed.number] = jailed  # before it is asked for: the answer may be faster than this thread
        # A lock of its own: when the zygote cannot keep up, this waits, and the thread that would relieve it must not.
        with self._sending, theirs:
            try:
                if self._down.is_set():
                    raise BrokenPipeError
                socket.send_fds(self._control, [encode(Spawn(jailed.number))], [theirs.fileno()])
            except OSError:
                with self._lock:
                    self._live.pop(jailed.number, None)
                ours.close()
                raise SandboxUnavailable("the sandbox's zygote has died: try again, a new one is started") from None
        return jailed

    def watch(self, jailed: Jailed, wall_s: float) -> None:
        """Kill `jailed` with reason "wall_s" in `wall_s` seconds, should it still live then."""
        deadline = time.monotonic() + wall_s
        with self._lock:
            heapq.heappush(self._deadlines, (deadline, jailed.number))
            if len(self._deadlines) > 4 * len(self._live) + _MAX_STALE_DEADLINES:
                self._deadlines = [entry for entry in self._deadlines if entry[1] in self._live]
                heapq.heapify(self._deadlines)
            if deadline < self._sleeps_until and not self._down.is_set():
                os.eventfd_write(self._wake, 1)

    def stop(self) -> None:
        """End the zygote and all in it, and wait until that is done. Idempotent."""
        self._stopping = True
        with suppress(OSError):
            self._control.shutdown(socket.SHUT_RDWR)
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

    # --- everything below runs in the keeper's thread ----------------------------------------------------------------

    def _run(self) -> None:
        process = None
        try:
            process = self._launch()
            self._serve()
            if not self._stopping:
                _log.warning("the sandbox's zygote ended: %s", self._failure or "it said nothing")
        except (ProtocolError, OSError) as error:
            self._failure = self._failure or f"the sandbox's zygote failed: {error}"
            _log.exception("the sandbox's zygote has to be stopped")
        finally:
            self._clean_up(process)

    def _launch(self) -> subprocess.Popen[bytes]:
        if not sys.executable:
            raise OSError("this Python does not know its own path (sys.executable): the sandbox cannot be started")
        with self._far_end:
            process = subprocess.Popen(
                [sys.executable, *_COMMAND],
                stdin=self._far_end.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=_ENVIRONMENT,
                cwd="/",
                start_new_session=True,  # Ctrl-C in the host's terminal is the host's affair
            )
        self._control.send(encode(self._start))
        return process

    def _serve(self) -> None:
        poller = select.poll()
        poller.register(self._control, select.POLLIN)
        poller.register(self._wake, select.POLLIN)
        while True:
            for descriptor, _ in poller.poll(self._until_next_ms()):
                if descriptor == self._wake:
                    os.eventfd_read(self._wake)
                elif not self._receive():
                    return
            self._expire()

    def _receive(self) -> bool:
        """Take one message; False at the end of the stream."""
        try:
            packet, pidfds, _, _ = socket.recv_fds(self._control, MAX_CONTROL_BYTES, 1, socket.MSG_CMSG_CLOEXEC)
        except ConnectionResetError:  # it died before it had read all that we sent
            return False
        if not packet:
            return False
        pidfd = pidfds[0] if pidfds else -1
        match from_zygote_untrusted(packet):
            case Hello() as hello if self._hello is None and pidfd >= 0:
                self._hello, self._zygote_pidfd = hello, pidfd
                self._up.set()
            case Forked(number) if number in self._live and pidfd >= 0:
                self._live[number].forked(pidfd)
            case Ended(number) as report if number in self._live:
                with self._lock:
                    jailed = self._live.pop(number)
                jailed.finish(report)
            case Failed(text):
                self._failure = text
            case message:
                if pidfd >= 0:
                    os.close(pidfd)
                raise ProtocolError(f"unexpected {type(message).__name__}")
        return True

    def _until_next_ms(self) -> int | None:
        with self._lock:
            if not self._deadlines:
                self._sleeps_until = float("inf")
                return None
            self._sleeps_until = self._deadlines[0][0]
            # poll(2) counts in a C int; a clock that looks up once an hour does no harm.
            seconds = min(self._sleeps_until - time.monotonic(), 3600.0)
        return max(0, int(seconds * 1000) + 1)

    def _expire(self) -> None:
        now = time.monotonic()
        while True:
            with self._lock:
                if not self._deadlines or self._deadlines[0][0] > now:
                    return
                jailed = self._live.get(heapq.heappop(self._deadlines)[1])
            if jailed is not None:
                jailed.expire()

    def _clean_up(self, process: subprocess.Popen[bytes] | None) -> None:
        with self._lock:
            self._down.set()
            lost, self._live = self._live, {}
        with self._sending:
            self._control.close()
        if process is not None:
            self._end_process(process)
        with self._lock:
            os.close(self._wake)
        for jailed in lost.values():
            jailed.kill()  # dead with the zygote already, where there is a pid namespace
            jailed.finish(None)
        if self._zygote_pidfd >= 0:
            os.close(self._zygote_pidfd)
        self._up.set()

    def _end_process(self, process: subprocess.Popen[bytes]) -> None:
        """The zygote ends by itself when the control socket closes; kill what does not."""
        assert process.stderr is not None
        try:
            process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            if self._zygote_pidfd >= 0:
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(self._zygote_pidfd, signal.SIGKILL)
            process.kill()
            process.wait()
        if self._hello is None and not self._failure:
            said = process.stderr.read(MAX_CONTROL_BYTES).decode(errors="replace").strip()
            self._failure = (
                f"the sandbox's interpreter did not come up: {said or 'it said nothing'}; "
                f"emporion must be installed in the environment of {sys.executable}"
            )
        process.stderr.close()


def _absolute_path() -> tuple[str, ...]:
    """Where this process finds modules: ``sys.path`` as another process, in another folder, can use it."""
    return tuple(str(Path(entry).absolute()) for entry in sys.path)
