"""Visits in which a script speaks: to the host they are sandboxes like any other, for the time of one conversation."""

import contextlib
import select
import socket
import threading
from collections.abc import Sequence
from typing import Any, Final

from emporion.runtime.options import Limits
from emporion.runtime.sandbox.supervisor import Jailed, Jailer
from emporion.tests.fuzz.conversations import HOST

__all__ = ["PuppetJailer"]

# How long the host may think before the script goes on regardless: what was altered may be what it waits for.
PATIENCE_MS: Final = 10
MAX_BYTES: Final = 1 << 20


class _Puppet(Jailed):
    """A sandbox without a process: it is over when its script is, or when the host kills it."""

    def __init__(self, sock: socket.socket, limits: Limits) -> None:
        super().__init__(0, sock)
        self._limits = limits

    def over(self) -> None:
        with self._lock:
            known = self._exit is not None
        if not known:
            self.finish(None)

    def _kill(self, reason: str) -> None:
        self._doom = self._doom or reason
        self.over()


class PuppetJailer:
    """Stands where a host has a `Jailer`. Compiles in real jails; visits play `script`, steps of a `Conversation`."""

    def __init__(self, jailer: Jailer) -> None:
        self._jailer = jailer
        self.script: Sequence[bytes] = ()
        self.threads: list[threading.Thread] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._jailer, name)

    def open(self, limits: Limits, *, role: str = "visit") -> Jailed:
        if role != "visit":
            return self._jailer.open(limits, role=role)
        ours, theirs = socket.socketpair()
        puppet = _Puppet(ours, limits)
        thread = threading.Thread(target=_play, args=(theirs, tuple(self.script), puppet), daemon=True)
        self.threads.append(thread)
        thread.start()
        return puppet

    def refill(self) -> None:
        """Puppets need no making ahead."""

    def join(self) -> None:
        """Wait until all scripts are over."""
        while self.threads:
            thread = self.threads.pop()
            thread.join(30)
            assert not thread.is_alive(), "the host neither heard a visit out nor ended it"


def _play(sock: socket.socket, script: tuple[bytes, ...], puppet: _Puppet) -> None:
    ear = _Ear(sock)
    with sock, contextlib.suppress(BrokenPipeError, ConnectionResetError):
        sock.setblocking(False)
        for step in script:
            if step is HOST:
                ear.wait_for_a_frame()
            else:
                _say(sock, step, ear)
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_WR)
        ear.listen_to_the_end()
    puppet.over()


def _say(sock: socket.socket, data: bytes, ear: "_Ear") -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[sock.send(view) :]
        except BlockingIOError:  # the host is saying something too, and waits for us
            ear.hear(PATIENCE_MS)
            select.select([], [sock], [], PATIENCE_MS / 1000)


class _Ear:
    """Counts the host's frames, and keeps nothing of them."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)
        self._held = b""
        self._frames = 0

    def wait_for_a_frame(self) -> None:
        while not self._frames:
            if not self.hear(PATIENCE_MS):
                return
        self._frames -= 1

    def hear(self, timeout_ms: int | None) -> bool:
        """Take what is there; False when nothing came in time. Raises `BrokenPipeError` at the end."""
        if not self._poll.poll(timeout_ms):
            return False
        data = self._sock.recv(MAX_BYTES)
        if not data:
            raise BrokenPipeError
        self._held += data
        while len(self._held) >= 4 and len(self._held) >= (end := 4 + int.from_bytes(self._held[:4])):
            self._held = self._held[end:]
            self._frames += 1
        return True

    def listen_to_the_end(self) -> None:
        while self.hear(None):
            pass
