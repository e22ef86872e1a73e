"""What a connection costs a host before it is let in: memory of the host's process, at each step of the handshake.

    python benchmarks/half_open.py

A host runs in a process of its own; as many strangers as have room go as far as a step, and stay there. The growth of
the process's private memory (Private_Clean + Private_Dirty of /proc/PID/smaps_rollup) is divided by their number. They
are taken to the step once before that, and closed, so that what is allocated once for all is not counted.
"""

import socket
import ssl
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from emporion.runtime.connection.handshake_messages import PREFACE, SCRAM, Hello, encode
from emporion.runtime.connection.tls import client_context
from emporion.runtime.connection.uri import URI

COUNT = 250
RUNS = 5  # of which the median is told: allocators take memory by the piece
SETTLED_S = 0.5  # after which the last step has been taken; nothing tells from outside. Less than the host's deadline
HOST = """
import logging, sys, emporion
logging.disable(logging.CRITICAL)
with emporion.Host(sys.argv[1], passphrases=emporion.Verifiers(["x"], iterations=4096)) as host:
    print(host.uri, flush=True)
    sys.stdin.read()
"""


def silent(uri: URI) -> socket.socket:
    return socket.create_connection(uri.address, 10)


def half_a_hello(uri: URI) -> socket.socket:
    sock = silent(uri)
    sock.sendall(hello(b"n")[:40])
    return sock


def in_the_middle_of_tls(uri: URI) -> socket.socket:
    """A ClientHello, and nothing after the host's flight."""
    out = ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):
        client_context().wrap_bio(ssl.MemoryBIO(), out).do_handshake()
    sock = silent(uri)
    sock.sendall(out.read())
    sock.recv(1)
    return sock


def within_tls(uri: URI) -> socket.socket:
    return client_context().wrap_socket(silent(uri))


def challenged(uri: URI) -> socket.socket:
    sock = within_tls(uri) if uri.scheme == "emporion" else silent(uri)
    sock.sendall(hello(b"p" if uri.scheme == "emporion" else b"n"))
    sock.recv(1)
    return sock


def half_a_token(uri: URI) -> socket.socket:
    """The most that the handshake itself keeps: all of a largest message but its last byte."""
    sock = challenged(uri)
    sock.sendall((4096).to_bytes(4) + bytes(4095))
    return sock


def hello(flag: bytes) -> bytes:
    return PREFACE + encode(Hello(SCRAM, flag, b"n" * 18, "l" * 255, ("msgpack",)))


STEPS: list[tuple[str, list[Callable[[URI], socket.socket]]]] = [
    ("emporion+tcp://127.0.0.1:0", [silent, half_a_hello, challenged, half_a_token]),
    ("127.0.0.1:0", [silent, in_the_middle_of_tls, within_tls, challenged, half_a_token]),
]


def private_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) * 1024


def cost(place: str, step: Callable[[URI], socket.socket]) -> float:
    """Bytes of a connection that has come so far."""
    command = [sys.executable, "-c", HOST, place]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        uri = URI.parse(process.stdout.readline().strip())
        for sock in [step(uri) for _ in range(20)]:
            sock.close()
        time.sleep(SETTLED_S)
        before = private_bytes(process.pid)
        socks = [step(uri) for _ in range(COUNT)]
        time.sleep(SETTLED_S)
        after = private_bytes(process.pid)
        for sock in socks:
            sock.close()
        assert process.stdin is not None
        process.stdin.close()
        return (after - before) / COUNT


if __name__ == "__main__":
    print(f"{COUNT} connections, KiB each")
    for place, steps in STEPS:
        print("in the clear" if "tcp" in place else "TLS")
        for step in steps:
            kib = statistics.median(cost(place, step) for _ in range(RUNS)) / 1024
            print(f"  {step.__name__.replace('_', ' '):22} {kib:6.1f}")
