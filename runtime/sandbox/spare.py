"""The life of one spare: forked ahead of time, walled in, warm; then one visit, then the end.

The order of the steps matters: descriptors and limits first, then the warm-up, which may still make any system call,
then the allow-list, and only then a word to the host.
"""

import gc
import importlib
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NoReturn

from .libc import die_with_parent
from .protocol import BEGIN, EXIT_CRASHED, EXIT_MEMORY, FAILED_MARK, READY, READY_MARK, ROLES, SOCKET_FD
from .rlimits import limit, lower_to_ceiling
from .syscalls import Program

__all__ = ["Entry", "run"]

_ROLE_NAMES: Final = {mark: name for name, mark in ROLES.items()}
_MAX_FAILURE_TEXT: Final = 4000


@dataclass(frozen=True, slots=True)
class Entry:
    """What runs in a spare: `warm_up` before the last wall closes, `main` once the host has given the spare a role."""

    main: Callable[[socket.socket, str], None]
    warm_up: Callable[[], None] | None

    @classmethod
    def load(cls, path: str, modules: tuple[str, ...] = (), folders: tuple[str, ...] = ()) -> "Entry":
        """Import ``"package.module:function"``; the module may define ``prepare()`` and ``warm_up()``.

        `prepare` runs now, in the zygote: what is imported on first use must be here before the files are gone. Where
        there are `modules`, beyond what all agents may import, ``allow(modules, folders)`` runs before it.
        """
        module_name, _, function = path.partition(":")
        module = importlib.import_module(module_name)
        if modules:
            module.allow(modules, folders)
        if hasattr(module, "prepare"):
            module.prepare()
        return cls(getattr(module, function), getattr(module, "warm_up", None))


def run(descriptor: int, entry: Entry, program: Program | None, *, descriptors: int, zygote: int) -> NoReturn:
    """Be a spare on the socket `descriptor`, in a child of the zygote; never returns.

    Args:
        program: the seccomp allow-list; None leaves the operating-system wall down.
        descriptors: the zygote's RLIMIT_NOFILE: no descriptor is at or above it.
        zygote: the zygote's process id, as it sees itself.
    """
    status = EXIT_CRASHED  # set before, so that running out of memory needs no more memory
    try:
        sock = _settle(descriptor, descriptors, zygote)
        if _make_ready(sock, entry, program):
            _serve(sock, entry)
        status = 0
    except MemoryError:
        status = EXIT_MEMORY
    finally:
        os._exit(status)


def _settle(descriptor: int, descriptors: int, zygote: int) -> socket.socket:
    die_with_parent(signal.SIGKILL)
    if os.getppid() != zygote:
        os._exit(EXIT_CRASHED)  # it died before the line above
    if descriptor != SOCKET_FD:  # dup3(2) refuses to copy a descriptor onto itself
        os.dup2(descriptor, SOCKET_FD, inheritable=False)
    os.closerange(SOCKET_FD + 1, descriptors)
    sys.stdin = sys.stdout = sys.stderr = None
    return socket.socket(fileno=SOCKET_FD)


def _make_ready(sock: socket.socket, entry: Entry, program: Program | None) -> bool:
    try:
        lower_to_ceiling()
        if entry.warm_up is not None:
            entry.warm_up()
        gc.enable()
        if program is not None:
            program.load()
    except BaseException:
        text = traceback.format_exc()[-_MAX_FAILURE_TEXT:].encode()
        sock.sendall(FAILED_MARK.ljust(READY.size) + text)
        return False
    sock.sendall(READY.pack(READY_MARK, time.process_time()))
    return True


def _serve(sock: socket.socket, entry: Entry) -> None:
    head = sock.recv(BEGIN.size, socket.MSG_WAITALL)
    if len(head) == BEGIN.size:  # otherwise the host needed no spare any more
        mark, cpu_s, address_space = BEGIN.unpack(head)
        limit(0, cpu_s, address_space)
        entry.main(sock, _ROLE_NAMES[mark])
