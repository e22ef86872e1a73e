"""Two drivers over a socketpair, or one against a peer by hand, with desks to call and threads to wait in."""

import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from emporion import expose
from emporion.errors import EmporionError, RemoteError
from emporion.runtime.connection.channel import Channel
from emporion.runtime.connection.driver import Driver
from emporion.runtime.connection.tls import client_context, server_context
from emporion.runtime.connection.tls_transport import TLSTransport
from emporion.runtime.connection.transport import PlainTransport, Transport
from emporion.runtime.peer import DIRECTORY, Peer
from emporion.runtime.wire.codecs import CODECS
from emporion.runtime.wire.frames import FrameReader, write_frame
from emporion.runtime.wire.messages import Message, Op
from emporion.runtime.workers import Parking, Workers

PATIENCE_S = 10.0
MIB = 2**20
CODEC = CODECS["msgpack"]


class Quit(BaseException):
    """Like SystemExit, not an Exception: hosted code can raise such things too."""


class Counter:
    """An object that an end hands out."""

    def __init__(self) -> None:
        self.count = 0

    @expose
    def add(self) -> int:
        self.count += 1
        return self.count


class Desk:
    """What each end exports first."""

    def __init__(self) -> None:
        self.other: Any = None
        self.begun = threading.Event()
        self.may_go_on = threading.Event()

    @expose
    def echo(self, value: Any) -> Any:
        return value

    @expose
    def bulk(self, size: int) -> bytes:
        return bytes(size)

    @expose
    def wait(self) -> str:
        self.begun.set()
        assert self.may_go_on.wait(PATIENCE_S)
        return "at last"

    @expose
    def ask_back(self) -> str:
        """Wait, in a nested call, for what the caller's end does."""
        answer: str = self.other.wait()
        return answer

    @expose
    def counter(self) -> Counter:
        return Counter()

    @expose
    def use(self, counter: Any) -> int:
        counter.add()
        count: int = counter.add()
        return count

    @expose
    def quit(self) -> None:
        raise Quit("enough")

    @expose
    def interrupt(self) -> None:
        signal.raise_signal(signal.SIGINT)

    @expose
    def ask_to_interrupt(self) -> None:
        with pytest.raises(RemoteError, match="broken off"):
            self.other.interrupt()
        self.may_go_on.set()


class DeskPeer(Peer):
    """An end whose directory gives its desk; remembers what it was told about cancelled calls and the end."""

    def __init__(self, where: str) -> None:
        super().__init__(where)
        self.root = Desk()
        self.cancels: list[Any] = []
        self.cancel_heard = threading.Event()
        self.ends: list[EmporionError] = []
        self.end_heard = threading.Event()

    def directory(self, method: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        return self.root

    def cancelled(self, asked: Any) -> None:
        self.cancels.append(asked)
        self.cancel_heard.set()

    def closed(self, error: EmporionError) -> None:
        self.ends.append(error)
        self.end_heard.set()


def transports(tls: bool) -> tuple[Transport, Transport]:
    left, right = socket.socketpair()
    if not tls:
        return PlainTransport(left), PlainTransport(right)
    context = server_context().context
    hosts: list[ssl.SSLSocket] = []
    accepting = threading.Thread(target=lambda: hosts.append(context.wrap_socket(right, server_side=True)))
    accepting.start()
    client = client_context().wrap_socket(left)
    accepting.join(PATIENCE_S)
    return TLSTransport(client), TLSTransport(hosts[0])


@contextmanager
def machines(count: int, workers: int = 4) -> Iterator[list[tuple[Parking, Workers]]]:
    made = [(Parking("test"), Workers(workers, "test")) for _ in range(count)]
    try:
        yield made
    finally:
        for parking, pool in made:
            pool.close(PATIENCE_S)
            parking.close()


def driven(peer: DeskPeer, transport: Transport, machine: tuple[Parking, Workers], *, initiator: bool,
           max_frame_bytes: int = 64 * MIB) -> DeskPeer:
    channel = Channel(transport, codecs=CODECS.values(), max_frame_bytes=max_frame_bytes)
    peer.driver = Driver(channel, peer, initiator=initiator, parking=machine[0], workers=machine[1])
    peer.driver.start()
    return peer


@contextmanager
def connected(*, tls: bool = False, workers: int = 4, max_frame_bytes: int = 64 * MIB
              ) -> Iterator[tuple[DeskPeer, DeskPeer]]:
    """Two ends that know each other's desks."""
    with machines(2, workers) as (here, there):
        left, right = transports(tls)
        client = driven(DeskPeer("host"), left, here, initiator=True, max_frame_bytes=max_frame_bytes)
        host = driven(DeskPeer("client"), right, there, initiator=False, max_frame_bytes=max_frame_bytes)
        try:
            client.root.other = client.call(DIRECTORY, Op.CALL, "root", (), {})
            host.root.other = host.call(DIRECTORY, Op.CALL, "root", (), {})
            yield client, host
        finally:
            for peer in (client, host):
                peer.root.may_go_on.set()
                peer.close()


class RawPeer:
    """The other end by hand: sends and reads single messages."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        sock.settimeout(PATIENCE_S)
        self._frames = FrameReader(64 * MIB)
        self._come: list[Message] = []

    def send(self, *messages: Message) -> None:
        """All in one piece, so that they are read in one piece."""
        self.sock.sendall(b"".join(b"".join(write_frame(CODEC.id, CODEC.encode(one))) for one in messages))

    def receive(self) -> Message:
        while not self._come:
            data = self.sock.recv(65536)
            if not data:
                raise EOFError
            self._come += [CODEC.decode(frame.body) for frame in self._frames.feed(data)]
        return self._come.pop(0)


@contextmanager
def against_raw(workers: int = 4) -> Iterator[tuple[DeskPeer, RawPeer]]:
    """An initiator's driver against a peer by hand."""
    with machines(1, workers) as (machine,):
        left, right = socket.socketpair()
        peer = driven(DeskPeer("raw"), PlainTransport(left), machine, initiator=True)
        try:
            yield peer, RawPeer(right)
        finally:
            peer.root.may_go_on.set()
            peer.close()
            right.close()


def in_thread(work: Callable[[], Any]) -> "Background":
    return Background(work)


class Background:
    """A thread whose result, or error, is fetched later; waiting for ever is a failure."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._outcome: list[Any] = []
        self._work = work
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._outcome += [None, self._work()]
        except BaseException as error:
            self._outcome.append(error)

    def ended(self, within_s: float) -> bool:
        self._thread.join(within_s)
        return bool(self._outcome)

    def result(self, patience_s: float = PATIENCE_S) -> Any:
        self._thread.join(patience_s)
        assert self._outcome, "the thread waits for ever"
        if self._outcome[0] is not None:
            raise self._outcome[0]
        return self._outcome[1]


def until(condition: Callable[[], bool], what: str) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until_s, what
        time.sleep(0.002)  # other threads have to get on; there is no event for what is checked here
