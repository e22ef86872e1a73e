"""Tries the operating-system wall from inside, as if the language wall had fallen: any Python text that *this host*
sends is run in a jailed process. `ATTEMPTS` is what `emporion doctor` tries; the tests have more.

Only a `Jailer` made with ``entry=ENTRY`` runs this; visits never do.
"""

import base64
import ctypes
import decimal
import fractions
import json
import mmap
import os
import random
import resource
import signal
import socket
import struct
import subprocess
import threading
import time
from dataclasses import dataclass
from typing import Any, Final

from ..options import Limits
from .supervisor import Jailed, Jailer

__all__ = ["ATTEMPTS", "ENTRY", "Outcome", "attempt", "main", "run_in", "warm_up"]

ENTRY: Final = "emporion.runtime.sandbox.probe:main"

# What hostile code would import; in the zygote already, as nothing can be imported in a spare.
_MODULES: Final = (
    *(base64, ctypes, decimal, fractions, json, mmap, os, random),
    *(resource, signal, socket, struct, subprocess, threading, time),
)
_NAMES: Final[dict[str, object]] = {module.__name__: module for module in _MODULES}

_LENGTH: Final = struct.Struct("<I")
_MAX_BYTES: Final = 2**20

ATTEMPTS: Final = {
    "read a file": "open('/etc/passwd').read()",
    "list a directory": "os.listdir('/')",
    "write a file": "open('/tmp/emporion-probe', 'w')",
    "open a socket": "socket.socket(socket.AF_INET)",
    "fork": "os.fork()",
    "start a thread": "threading.Thread(target=print).start()",
    "run a program": "os.execv('/bin/true', ['true'])",
    "signal another process": "os.kill(1, signal.SIGTERM)",
    "map executable memory": "mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC)",
    "raise its own limits": "resource.setrlimit(resource.RLIMIT_CPU, (100, 100))",
    "ignore a signal": "signal.signal(signal.SIGXCPU, signal.SIG_IGN)",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an attempt: what it said, or the error it met, or how its process ended."""

    said: Any = None
    error: str = ""  # "PermissionError: ..." when it went on living
    ended: str = ""  # `Exit.reason` when it did not

    @property
    def refused(self) -> bool:
        """Whether the wall held."""
        return bool(self.error or self.ended)


def warm_up() -> None:
    """One round of what `main` does."""
    exec(compile("json.dumps({'said': 1 + 1})", "<warm-up>", "exec"), dict(_NAMES))


def main(sock: socket.socket, role: str) -> None:
    """In the jail: run each text that comes, say what its variable `said` holds afterwards, or its error."""
    names: dict[str, object] = {**_NAMES, "sock": sock, "role": role}
    while source := _receive(sock):
        answer: dict[str, object] = {}
        try:
            names["said"] = None
            exec(compile(source, "<attempt>", "exec"), names)
            answer["said"] = names["said"]
        except MemoryError:
            raise
        except Exception as error:
            answer["error"] = f"{type(error).__name__}: {error}"
        _send(sock, json.dumps(answer).encode())


def run_in(jailed: Jailed, source: str) -> Outcome:
    """On the host: have one text run in a process that this module serves. Waits as long as its limits let it live."""
    try:
        _send(jailed.socket, source.encode())
        answer = _receive(jailed.socket)
    except (BrokenPipeError, ConnectionResetError):
        answer = b""
    if not answer:
        return Outcome(ended=jailed.wait(10).reason)
    content = json.loads(answer)
    return Outcome(content.get("said"), content.get("error", ""))


def attempt(jailer: Jailer, source: str, limits: Limits | None = None) -> Outcome:
    """Run one text in a process of its own. The jailer's entry must be `ENTRY`."""
    jailed = jailer.open(limits or Limits(cpu_s=2, wall_s=10, memory_mib=64))
    try:
        return run_in(jailed, source)
    finally:
        jailed.close()


def _send(sock: socket.socket, body: bytes) -> None:
    sock.sendall(_LENGTH.pack(len(body)) + body)


def _receive(sock: socket.socket) -> bytes:
    """One body; empty at the end of the stream."""
    head = sock.recv(_LENGTH.size, socket.MSG_WAITALL)
    if len(head) < _LENGTH.size:
        return b""
    size = min(_LENGTH.unpack(head)[0], _MAX_BYTES)
    return sock.recv(size, socket.MSG_WAITALL)
