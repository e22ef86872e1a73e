"""Who takes part: for each contender, how its server serves and how its client asks. Every call is ``add(1, 2)``.

A server half is a generator: it yields its address and ends its service when it is closed. A client half is a
generator too: it yields its `Client`.
"""

import contextlib
import importlib
import socket
import ssl
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import emporion
from emporion.runtime.connection.tls import client_context, server_context
from emporion.runtime.wire.frames import write_frame
from emporion.runtime.wire.messages import Body, Call, Op, Result
from emporion.runtime.wire.msgpack import MsgpackCodec

__all__ = ["CALLS", "CONNECTIONS", "CONTENDERS", "PAUSE_S", "QUESTIONS", "VISITS", "Client", "Contender", "missing"]

QUESTIONS: Final = 10  # of one visit
# Between visits, so that a sandbox waits for the next one as it does at a host with something to spare. Without a pause
# the time of a visit is that of making a sandbox: the row that says so tells how many a processor bears.
PAUSE_S: Final = 0.03
PASSPHRASE: Final = "a passphrase for loopback"



@dataclass(frozen=True, slots=True)
class Client:
    """The asking end of a contender."""

    ask: Callable[[], object]
    phases: Callable[[], Any] = dict  # medians by name since the last time, in seconds; of visits only


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to ask something elsewhere."""

    label: str
    serve: Callable[[], Iterator[str]]
    connect: Callable[[str], Iterator[Client]]
    needs: tuple[str, ...] = ()  # modules that must be installed
    expected: object = 3
    pause_s: float = 0.0  # of the client before each visit


def missing(contender: Contender) -> list[str]:
    """What is not installed of the modules that `contender` needs."""
    absent = []
    for name in contender.needs:
        try:
            importlib.import_module(name)
        except ImportError:
            absent.append(name)
    return absent


# --- the raw socket: what any protocol pays on this machine, with the bytes of ours ------------------------------


def _frames() -> tuple[bytes, bytes]:
    """The very bytes of one of our calls and of its answer, after some thousand calls."""
    codec = MsgpackCodec()
    call = Call(5_000, 9_999, 1, Op.CALL, "add", [], Body([1, 2]))
    request, answer = codec.encode(call), codec.encode(Result(5_000, Body([3])))
    return b"".join(write_frame(codec.id, request)), b"".join(write_frame(codec.id, answer))


def _raw_server(context: ssl.SSLContext | None) -> Iterator[str]:
    _, answer = _frames()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        sock, _ = listener.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with sock if context is None else context.wrap_socket(sock, server_side=True) as stream:
            while stream.recv(4096):
                stream.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    with listener:
        yield str(listener.getsockname()[1])


def _raw_client(address: str, context: ssl.SSLContext | None) -> Iterator[Client]:
    request, answer = _frames()
    sock = socket.create_connection(("127.0.0.1", int(address)))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with sock if context is None else context.wrap_socket(sock) as stream:

        def ask() -> object:
            stream.sendall(request)
            return 3 if stream.recv(4096) == answer else None

        yield Client(ask)


def _raw_door(context: ssl.SSLContext | None) -> Iterator[str]:
    """One call for each connection, one connection after the other."""
    _, answer = _frames()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            sock, _ = listener.accept()
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with sock if context is None else context.wrap_socket(sock, server_side=True) as stream:
                stream.recv(4096)
                stream.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    with listener:
        yield str(listener.getsockname()[1])


# --- Pyro5 -------------------------------------------------------------------------------------------------------


def _pyro_server() -> Iterator[str]:
    api: Any = importlib.import_module("Pyro5.api")
    api.config.SERVERTYPE = "thread"

    class Shop:
        def add(self, a: int, b: int) -> int:
            return a + b

    with api.Daemon(host="127.0.0.1", port=0) as daemon:
        uri = daemon.register(api.expose(Shop)(), "shop")
        threading.Thread(target=daemon.requestLoop, daemon=True).start()
        yield str(uri)
        daemon.shutdown()


def _pyro_client(address: str) -> Iterator[Client]:
    api: Any = importlib.import_module("Pyro5.api")
    api.config.SERIALIZER = "msgpack"
    with api.Proxy(address) as shop:
        yield Client(lambda: shop.add(1, 2))


# --- emporion ----------------------------------------------------------------------------------------------------


class Shop:
    """What is asked, by callers and by agents."""

    @emporion.expose
    def add(self, a: int, b: int) -> int:
        return a + b

    @emporion.expose
    def price(self, number: int) -> int:
        return 100 + number


class Mall:
    """Lets agents in, and takes the time of what they do."""

    def __init__(self) -> None:
        self._shop = Shop()
        self._phases: list[tuple[float, float]] = []

    @emporion.expose
    def welcome(self, visitor: Any) -> int:
        begun_s = time.perf_counter()
        look_around = visitor.look_around  # the first use of a handle opens the visit
        inside_s = time.perf_counter()
        total: int = look_around(self._shop)
        self._phases.append((inside_s - begun_s, time.perf_counter() - inside_s))
        return total

    @emporion.expose
    def phases(self) -> dict[str, float]:
        """Medians in seconds since the last time somebody asked."""
        seen, self._phases = self._phases, []
        opening, questions = zip(*seen, strict=True)
        return {"opening_s": statistics.median(opening), "questions_s": statistics.median(questions)}


def _only_visitors(name: str, module: str | None, address: tuple[str, int] | None) -> bool:
    return name == "visitor" and module is not None


def _host(listen: str) -> Iterator[str]:
    with emporion.Host(listen, passphrases=[PASSPHRASE]) as host:
        yield str(host.register(Shop(), "shop"))


def _visited_host(listen: str) -> Iterator[str]:
    with emporion.Host(listen, passphrases=[PASSPHRASE]) as host:
        yield str(host.register(Mall(), "mall", code_validator=_only_visitors))


def _caller(address: str) -> Iterator[Client]:
    with emporion.connect(address, passphrase=PASSPHRASE) as shop:
        yield Client(lambda: shop.add(1, 2))


def _sender(address: str) -> Iterator[Client]:
    # By its plain name, as an agent's author has it: as a part of the package it would take all of it along.
    visitor: Any = importlib.import_module("visitor")
    with emporion.connect(address, passphrase=PASSPHRASE, mobile_code=True) as mall:
        yield Client(lambda: mall.welcome(visitor.Visitor(QUESTIONS)), mall.phases)


def _anew(client: Callable[[str], Iterator[Client]]) -> Callable[[str], Iterator[Client]]:
    """As `client`, with a connection of its own for each call."""

    def connect(address: str) -> Iterator[Client]:
        def ask() -> object:
            with contextlib.contextmanager(client)(address) as one:
                return one.ask()

        yield Client(ask)

    return connect


_PLAIN, _TLS = "emporion+tcp://127.0.0.1:0", "127.0.0.1:0"
_SUM: Final = sum(100 + number for number in range(QUESTIONS))

CALLS: Final = {
    "raw": Contender("raw ping-pong", lambda: _raw_server(None), lambda at: _raw_client(at, None)),
    "pyro5": Contender("Pyro5, msgpack", _pyro_server, _pyro_client, ("Pyro5.api", "msgpack")),
    "plain": Contender("emporion, plain", lambda: _host(_PLAIN), _caller),
    "raw-tls": Contender(
        "raw ping-pong, TLS",
        lambda: _raw_server(server_context().context),
        lambda at: _raw_client(at, client_context()),
    ),
    "tls": Contender("emporion, TLS", lambda: _host(_TLS), _caller),
}
# Each call on a connection of its own: TCP, TLS, the handshake, the call, the end. Keys are stretched once.
CONNECTIONS: Final = {
    "connect-raw": Contender("raw", lambda: _raw_door(None), _anew(lambda at: _raw_client(at, None))),
    "connect-pyro5": Contender("Pyro5, msgpack", _pyro_server, _anew(_pyro_client), ("Pyro5.api", "msgpack")),
    "connect-plain": Contender("emporion, plain", lambda: _host(_PLAIN), _anew(_caller)),
    "connect-raw-tls": Contender(
        "raw, TLS",
        lambda: _raw_door(server_context().context),
        _anew(lambda at: _raw_client(at, client_context())),
    ),
    "connect-tls": Contender("emporion, TLS", lambda: _host(_TLS), _anew(_caller)),
}
VISITS: Final = {
    "visit-plain": Contender("visit, plain", lambda: _visited_host(_PLAIN), _sender, (), _SUM, PAUSE_S),
    "visit-tls": Contender("visit, TLS", lambda: _visited_host(_TLS), _sender, (), _SUM, PAUSE_S),
    "visits-in-a-row": Contender("without pause", lambda: _visited_host(_PLAIN), _sender, (), _SUM),
}
CONTENDERS: Final = CALLS | CONNECTIONS | VISITS
