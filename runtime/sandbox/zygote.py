"""The zygote: a fresh, single-threaded interpreter that imports once, walls itself in, and forks spares.

Started by the host as ``python -s -P -m emporion.runtime.sandbox.zygote`` with the control socket as standard input
and an environment that holds nothing but the hash seed. Inside a pid namespace it is process 1.
"""

import fcntl
import gc
import os
import select
import signal
import socket
import traceback
from typing import Final

from ...errors import SandboxUnavailable
from . import landlock, namespaces
from .libc import die_with_parent, drop_capabilities, set_dumpable, set_no_new_privs
from .protocol import (
    MAX_CONTROL_BYTES,
    Ended,
    Failed,
    Forked,
    FromZygote,
    Hello,
    Spawn,
    Start,
    WallReport,
    encode,
    from_host,
)
from .rlimits import address_space_of, process_limit_binds, raise_descriptors
from .spare import Entry, run
from .syscalls import Program, build, number_of

__all__ = ["main"]

_FIRST_FREE: Final = 10  # descriptors of the zygote's own live above what a spare uses
_MAX_TEXT: Final = 8000


def main() -> None:
    """Take the control socket from descriptor 0, build the walls, fork spares until the host hangs up."""
    control = _take_control()
    try:
        packet = control.recv(MAX_CONTROL_BYTES)
        if not packet:
            return
        start = from_host(packet)
        if not isinstance(start, Start):
            raise SandboxUnavailable(f"the host began with {type(start).__name__}: host and zygote differ in version")
        zygote = Zygote(control, start)
    except SandboxUnavailable as error:
        control.send(encode(Failed(str(error))))
    except BaseException:
        control.send(encode(Failed(traceback.format_exc()[-_MAX_TEXT:])))
    else:
        zygote.serve()


def _take_control() -> socket.socket:
    """Move the control socket up, put /dev/null on descriptors 0 to 2, and forget what signals the host had set."""
    control = socket.socket(fileno=fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, _FIRST_FREE))
    null = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(null, standard)
    os.close(null)
    # The host may have been started with signals ignored or blocked: an ignored SIGXCPU would lift the CPU limit,
    # an ignored SIGCHLD would reap our children behind our back.
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        if signal.getsignal(number) is not None:
            signal.signal(number, signal.SIG_DFL)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # as Python has them: an error instead of a silent death
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    return control


class Zygote:
    """The walls, the entry that spares run, and the spares that live."""

    def __init__(self, control: socket.socket, start: Start) -> None:
        """Build the walls in the one order that works, and tell the host which ones stand.

        Raises:
            SandboxUnavailable: one of the walls that must stand cannot.
        """
        self._control = control
        self._program: Program | None = None
        self._spares: dict[int, tuple[int, int]] = {}  # pidfd: (number, pid)
        os.chdir("/")
        if 0 in os.getresuid():
            self._import(start)  # as root: an ordinary user may not be able to read the checkout
        names = namespaces.leave_root(unshare=start.os_wall)
        notes: list[str] = []
        if start.os_wall:
            names, notes = namespaces.enter(names)
        if "pid" in names:
            namespaces.become_init()
        self._entry = self._import(start)
        address_space = address_space_of("self") or 0
        walls = self._close_walls(start, names, notes)
        gc.collect()
        gc.disable()  # a collection in a child would copy every page it touches
        gc.freeze()
        self._send(Hello(walls, address_space), os.pidfd_open(os.getpid()), close=True)

    @staticmethod
    def _import(start: Start) -> Entry:
        """Import all that visits run, while files can still be read."""
        if start.os_wall:
            build()  # imports and opens libseccomp
        return Entry.load(start.entry, start.modules, start.path)

    def _close_walls(self, start: Start, names: list[str], notes: list[str]) -> WallReport:
        empty_root, abi = False, 0
        if start.os_wall:
            self._program = build()
            if "user" in names and "mount" in names:
                try:
                    namespaces.use_empty_root(number_of("pivot_root"))
                    empty_root = True
                except OSError as error:
                    notes.append(f"the file tree is shared with the host: {error}")
        drop_capabilities()
        set_dumpable(False)
        die_with_parent(signal.SIGKILL)  # after the last change of credentials, which clears it
        try:
            set_no_new_privs()
        except OSError as error:
            text = f"no_new_privs is refused here ({error}): Linux 3.5 or newer is needed, and no container in the way"
            raise SandboxUnavailable(text) from None
        if self._program is not None:
            self._program.try_out()
            abi = landlock.deny_all(number_of)
            if not abi:
                notes.append("Landlock is missing: it needs Linux 5.13, lsm=landlock at boot and libseccomp 2.5.2")
        self._descriptors = raise_descriptors()
        if not process_limit_binds():
            raise SandboxUnavailable("a process limit does not hold for this user: run the host as an ordinary user")
        return WallReport(
            seccomp=self._program is not None,
            no_new_privs=True,
            rlimits=True,
            landlock=abi,
            namespaces=tuple(names),
            empty_root=empty_root,
            uid=os.getuid(),
            notes=tuple(notes),
        )

    def serve(self) -> None:
        """Fork and reap until the host hangs up; then end every spare."""
        poller = select.poll()
        poller.register(self._control, select.POLLIN)
        while True:
            for descriptor, _ in poller.poll():
                if descriptor != self._control.fileno():
                    poller.unregister(descriptor)
                    self._reap(descriptor)
                elif not self._obey(poller):
                    self._end()
                    return

    def _obey(self, poller: select.poll) -> bool:
        """Do what the host's next message says; False when it has hung up."""
        packet, descriptors, _, _ = socket.recv_fds(self._control, MAX_CONTROL_BYTES, 1, socket.MSG_CMSG_CLOEXEC)
        if not packet:
            return False
        match from_host(packet):
            case Spawn(number) if descriptors:
                poller.register(self._fork(number, descriptors[0]), select.POLLIN)
            case message:
                raise SandboxUnavailable(f"the host sent {message!r} with {len(descriptors)} descriptors")
        return True

    def _fork(self, number: int, descriptor: int) -> int:
        """One more spare, on the socket `descriptor`; returns its pidfd."""
        zygote = os.getpid()
        pid = os.fork()
        if pid == 0:
            run(descriptor, self._entry, self._program, descriptors=self._descriptors, zygote=zygote)
        os.close(descriptor)
        pidfd = os.pidfd_open(pid)
        self._spares[pidfd] = (number, pid)
        self._send(Forked(number), pidfd)
        return pidfd

    def _reap(self, pidfd: int) -> None:
        number, pid = self._spares.pop(pidfd)
        os.close(pidfd)
        _, status, usage = os.wait4(pid, 0)
        self._send(Ended(number, status, usage.ru_utime + usage.ru_stime, usage.ru_maxrss))

    def _send(self, message: FromZygote, pidfd: int | None = None, *, close: bool = False) -> None:
        try:
            if pidfd is None:
                self._control.send(encode(message))
            else:
                socket.send_fds(self._control, [encode(message)], [pidfd])
        except (BrokenPipeError, ConnectionResetError):
            pass  # the host has gone: the next poll says so
        finally:
            if close and pidfd is not None:
                os.close(pidfd)

    def _end(self) -> None:
        """Without a pid namespace nothing but this ends and reaps the spares in time."""
        for pidfd in self._spares:
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        for _, pid in self._spares.values():
            os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
