"""Clients that break the rules, at a real host: the offender gets an error or loses its connection, no other does."""

import contextlib
import gc
import logging
import secrets
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import emporion
import pytest
from emporion import Host, Verifiers, connect
from emporion.runtime.connection import session
from emporion.runtime.connection.handshake import ClientHandshake
from emporion.runtime.connection.session import MAX_CHAINS, MAX_INBOX, TOO_MANY_CALLS
from emporion.runtime.connection.tls import client_context, end_point_binding
from emporion.runtime.connection.uri import TLS_SCHEME, URI
from emporion.runtime.wire.codecs import CODECS
from emporion.runtime.wire.frames import FrameReader, write_frame
from emporion.runtime.wire.messages import (
    Body,
    Call,
    Cancel,
    Code,
    Fault,
    Goodbye,
    Message,
    NeedCode,
    Op,
    Output,
    Ping,
    Pong,
    Provide,
    Release,
    Result,
)
from emporion.validators.connection import ConnectionValidator, Credentials

PATIENCE_S = 15.0
MIB = 2**20
CODEC = CODECS["msgpack"]
VERIFIERS = Verifiers(["pw"], iterations=4096)
PLACES = ["emporion+tcp://127.0.0.1:0", "127.0.0.1:0"]


class Shop:
    """What the host serves."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Event()
        self.price = 1
        self.heard: list[Any] = []

    @emporion.expose
    def stock(self) -> int:
        return 7

    @emporion.expose
    def wait(self) -> int:
        self.begun.release()
        assert self.go_on.wait(PATIENCE_S)
        return 1

    @emporion.expose
    def take(self, value: Any) -> None:
        self.heard.append(value)

    @property
    @emporion.expose
    def size(self) -> int:
        return 3

    def hidden(self) -> None:
        self.heard.append("hidden")


class Offender:
    """A client that has shaken hands, and from there says what it likes."""

    def __init__(self, uri: URI) -> None:
        sock = socket.create_connection(uri.address, timeout=PATIENCE_S)
        binding = None
        if uri.scheme == TLS_SCHEME:
            sock = client_context().wrap_socket(sock)
            binding = end_point_binding(sock.getpeercert(binary_form=True) or b"")
        self.sock = sock
        self._calls = 0
        self._frames = FrameReader(64 * MIB)
        self._come: list[Message] = []
        self._shake_hands(uri, binding)

    def _shake_hands(self, uri: URI, binding: bytes | None) -> None:
        handshake = ClientHandshake(
            ConnectionValidator(), identity=Credentials(None, "pw"), uri=uri, binding=binding, codec="msgpack",
            peer_address=uri.address, random=secrets.token_bytes, host_known=True,
        )
        self.sock.sendall(handshake.start())
        while not handshake.done:
            self.sock.sendall(handshake.receive(self.sock.recv(4096)))

    def send(self, *messages: Message, blobs: bytes = b"") -> None:
        frames = [b"".join(write_frame(CODEC.id, CODEC.encode(one), [blobs] if blobs else [])) for one in messages]
        self.sock.sendall(b"".join(frames))

    def receive(self) -> Message:
        """The next message; EOFError where the host has closed the connection."""
        while not self._come:
            try:
                data = self.sock.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                raise EOFError
            self._come += [CODEC.decode(frame.body) for frame in self._frames.feed(data)]
        return self._come.pop(0)

    def call(self, target: int, method: str, *roots: Any, op: int = Op.CALL, keywords: tuple[str, ...] = ()) -> Call:
        self._calls += 1
        return Call(self._calls, 2 * self._calls + 1, target, op, method, [*keywords], Body([*roots]))

    def ask(self, target: int, method: str, *roots: Any, op: int = Op.CALL, keywords: tuple[str, ...] = ()) -> Message:
        self.send(self.call(target, method, *roots, op=op, keywords=keywords))
        return self.receive()

    def look_up(self) -> int:
        """The number of the shop on this connection."""
        answer = self.ask(0, "lookup", "shop")
        assert isinstance(answer, Result)
        number: int = answer.body.rows[0][2]
        return number

    def is_sent_away(self) -> bool:
        """Whether the host closes the connection; what it says before does not count."""
        try:
            while True:
                self.receive()
        except EOFError:
            return True
        except TimeoutError:
            return False

    def close(self) -> None:
        self.sock.close()


class Scene:
    """A host with one shop, and what it held before anybody offended it."""

    def __init__(self, host: Host, shop: Shop, uri: URI, caplog: pytest.LogCaptureFixture) -> None:
        self.host, self.shop, self.uri, self.caplog = host, shop, uri, caplog
        self._offenders: list[Offender] = []

    def offender(self) -> Offender:
        one = Offender(self.uri)
        self._offenders.append(one)
        return one

    def serves_others(self) -> bool:
        with connect(self.uri, passphrase="pw", timeout_s=PATIENCE_S) as shop:
            return bool(shop.stock() == 7)

    def log_says(self, text: str) -> bool:
        """Whether the host's log comes to say `text`; a connection's end is logged a moment after it ends."""
        return _becomes(lambda: text in self.caplog.text)

    def everybody_gone(self) -> None:
        self.shop.go_on.set()
        for one in self._offenders:
            one.close()
        assert _becomes(lambda: not self.host.connections()), "the host keeps guests that have gone"


def _becomes(condition: Callable[[], bool]) -> bool:
    until_s = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > until_s:
            return False
        time.sleep(0.005)  # the host's threads have to get on; what is checked here has no event
    return True


def _sockets() -> set[str]:
    links = set()
    for path in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            links.add(str(path.readlink()))
    return {link for link in links if link.startswith("socket:")}


@contextmanager
def scene(place: str, caplog: pytest.LogCaptureFixture, **options: Any) -> Iterator[Scene]:
    """A host that must serve others, and hold nothing, once the offender is through."""
    caplog.set_level(logging.INFO, "emporion")
    sockets, threads = _sockets(), threading.active_count()
    shop = Shop()
    with Host(place, passphrases=VERIFIERS, **options) as host:
        here = Scene(host, shop, host.register(shop, "shop"), caplog)
        assert here.serves_others()
        yield here
        assert here.serves_others()
        here.everybody_gone()
    gc.collect()
    assert _becomes(lambda: _sockets() <= sockets), "sockets are left over"
    # The process's own client threads stay: they end when they had nothing to do for ten seconds.
    clients = sum(thread.name.startswith("emporion-client") for thread in threading.enumerate())
    assert _becomes(lambda: threading.active_count() - clients <= threads), "threads are left over"


def frame(body: bytes, *, length: int | None = None, codec: int = 1, size: int | None = None) -> bytes:
    """A frame with header fields of one's choice."""
    size = len(body) if size is None else size
    return struct.pack(">IBI", 5 + len(body) if length is None else length, codec, size) + body


# --- bytes that are no session ---------------------------------------------------------------------------------------

NO_FRAMES = {
    "noise": bytes(range(256)) * 8,
    "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "zeros": bytes(64),
    "a frame of 4 GiB": frame(b"", length=2**32 - 1),
    "a frame one byte too long": frame(b"", length=64 * MIB + 1),
    "a frame of no length": frame(b"", length=0),
    "a frame shorter than its header": frame(b"", length=4),
    "a body longer than its frame": frame(b"\x90", size=99),
    "an unknown codec": frame(b"\x90", codec=77),
    "an empty body": frame(b""),
    "no array": frame(b"\xc0"),
    "an unknown message": frame(b"\x92\x63\x01"),
    "a message with a wrong type": frame(b"\x92\x08\xa1x"),
    "a message cut short": frame(CODEC.encode(Ping(300))[:-1]),
    "a message and more": frame(CODEC.encode(Ping(1)) + b"\x00"),
    "endless nesting": frame(b"\x91" * 100_000),
    "a good one, then noise": frame(CODEC.encode(Ping(1))) + b"\xff" * 20,
}


@pytest.mark.parametrize("place", PLACES, ids=["plain", "tls"])
def test_bytes_that_are_no_frames_or_messages_end_the_connection(
    place: str, caplog: pytest.LogCaptureFixture
) -> None:
    with scene(place, caplog) as here:
        for what, data in NO_FRAMES.items():
            caplog.clear()
            offender = here.offender()
            offender.sock.sendall(data)

            assert offender.is_sent_away(), what
            assert here.log_says("anonymous@127.0.0.1"), what


def test_frames_may_come_in_any_pieces_but_a_stream_cut_in_a_frame_ends_quietly(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with scene(PLACES[0], caplog) as here:
        offender = here.offender()
        whole = b"".join(write_frame(CODEC.id, CODEC.encode(Ping(5))))
        for at in range(len(whole)):
            offender.sock.sendall(whole[at : at + 1])
        answer = offender.receive()
        assert isinstance(answer, Pong)

        offender.sock.sendall(whole[:-1])
        offender.sock.shutdown(socket.SHUT_WR)

        assert offender.is_sent_away()
        assert here.log_says("left: the other end closed")


OUT_OF_ORDER: dict[str, list[Message]] = {
    "an answer to nothing": [Result(1, Body([1]))],
    "a fault for nothing": [Fault(1, "ValueError", "", "", Body([]))],
    "code that nobody asked for": [Code(1, {"0" * 64: "import os"})],
    "compiled code": [Provide([("os", "0" * 64, b"")])],
    "an agent's output": [Output("agent", "text")],
    "a release of what it does not have": [Release({12: 1})],
    "a negative release": [Release({1: -1})],
    "the same call twice": [Call(1, 1, 0, Op.CALL, "lookup", [], Body(["shop"]))] * 2,
    "too much in one chain": [Call(n, 1, 0, Op.CALL, "lookup", [], Body(["shop"])) for n in range(1, MAX_INBOX + 900)],
}


@pytest.mark.parametrize("what", OUT_OF_ORDER)
def test_messages_that_have_no_place_end_the_connection(what: str, caplog: pytest.LogCaptureFixture) -> None:
    with scene(PLACES[0], caplog) as here:
        offender = here.offender()
        with contextlib.suppress(ConnectionError):
            offender.send(*OUT_OF_ORDER[what])

        assert offender.is_sent_away()
        assert here.log_says("anonymous@127.0.0.1")
        assert here.log_says(" left: ")


def test_goodbye_is_the_polite_way_to_leave(caplog: pytest.LogCaptureFixture) -> None:
    with scene(PLACES[1], caplog) as here:
        offender = here.offender()
        offender.send(Goodbye("enough\nforged line"))

        assert offender.is_sent_away()
        assert here.log_says("said goodbye: enough")
        assert "\nforged line" not in caplog.text, "a peer writes lines into the host's log"


# --- asking for what one may not have --------------------------------------------------------------------------------


@pytest.mark.parametrize("target", [1, 2, 77, -1, 2**62])
def test_a_forged_number_reaches_nothing(target: int, caplog: pytest.LogCaptureFixture) -> None:
    """Before anything was looked up, no number means anything; the directory, 0, answers lookup only."""
    with scene(PLACES[0], caplog) as here:
        offender = here.offender()

        answer = offender.ask(target, "stock")

        assert isinstance(answer, Fault)
        assert answer.type_name == "emporion.errors.NotExposed"


@pytest.mark.parametrize(
    ("op", "method", "roots"),
    [
        (Op.CALL, "hidden", ()),
        (Op.CALL, "price", ()),
        (Op.CALL, "nothing_like_it", ()),
        (Op.CALL, "__init__", ()),
        (Op.CALL, "__class__", ()),
        (Op.CALL, "__getattribute__", ("price",)),
        (Op.CALL, "_x", ()),
        (Op.CALL, "", ()),
        (Op.CALL, "size", ()),
        (Op.CALL, "stock.__self__.hidden", ()),
        (Op.GET, "stock", ()),
        (Op.GET, "price", ()),
        (Op.GET, "__dict__", ()),
        (Op.SET, "price", (5,)),
        (Op.SET, "stock", (5,)),
        (Op.SET, "__class__", (5,)),
        (3, "stock", ()),
        (-1, "stock", ()),
        (2**40, "size", ()),
    ],
)
def test_what_is_not_exposed_or_not_like_that_does_not_exist(
    op: int, method: str, roots: tuple[Any, ...], shared: Scene
) -> None:
    offender = shared.offender()
    number = offender.look_up()

    answer = offender.ask(number, method, *roots, op=op)

    assert isinstance(answer, Fault)
    assert answer.type_name == "emporion.errors.NotExposed"
    assert shared.shop.price == 1
    assert not shared.shop.heard
    fine = offender.ask(number, "stock")
    assert isinstance(fine, Result)
    assert fine.body.roots == [7]


@pytest.fixture(scope="module")
def shared_host() -> Iterator[tuple[Host, Shop, URI]]:
    """One host for the many small questions."""
    shop = Shop()
    with Host(PLACES[0], passphrases=VERIFIERS) as host:
        yield host, shop, host.register(shop, "shop")


@pytest.fixture
def shared(shared_host: tuple[Host, Shop, URI], caplog: pytest.LogCaptureFixture) -> Iterator[Scene]:
    here = Scene(*shared_host, caplog)
    yield here
    here.everybody_gone()


@pytest.mark.parametrize(
    "body",
    [
        Body([[5]]),
        Body([[0]], [[]]),
        Body([[0]], [[99]]),
        Body([[0]], [[9, 1, 77]]),
        Body([[1, 0, 10]]),
        Body([], [[0]], [{"os": "0" * 64}]),
        Body([[0]], [["x"]]),
    ],
)
def test_values_that_make_no_sense_fail_their_call_only(body: Body, shared: Scene) -> None:
    offender = shared.offender()
    number = offender.look_up()
    call = offender.call(number, "take")
    call.body = body

    offender.send(call)
    answer = offender.receive()

    assert isinstance(answer, Fault)
    assert not shared.shop.heard
    assert isinstance(offender.ask(number, "stock"), Result)


@pytest.mark.parametrize("keywords", [("a",), ("value", "value"), ("__class__",), ("x", "y", "z")])
def test_keywords_that_do_not_fit_fail_their_call_only(keywords: tuple[str, ...], shared: Scene) -> None:
    offender = shared.offender()
    number = offender.look_up()

    answer = offender.ask(number, "take", *range(2), keywords=keywords)

    assert isinstance(answer, Fault)
    assert not shared.shop.heard
    assert isinstance(offender.ask(number, "stock"), Result)


@pytest.mark.parametrize(("method", "roots"), [("lookup", ("nobody",)), ("lookup", ()), ("lookup", (1,)),
                                               ("register", ("shop",)), ("__class__", ())])
def test_the_directory_answers_lookups_of_names_only(method: str, roots: tuple[Any, ...], shared: Scene) -> None:
    answer = shared.offender().ask(0, method, *roots)

    assert isinstance(answer, Fault)
    assert answer.type_name in ("emporion.errors.NotExposed", "emporion.errors.NamingError")


def test_code_that_was_not_announced_is_not_given(shared: Scene) -> None:
    offender = shared.offender()
    offender.look_up()

    offender.send(NeedCode(50, 51, {"emporion.runtime.host": "0" * 64}))
    answer = offender.receive()

    assert isinstance(answer, Fault)
    assert answer.type_name == "emporion.errors.CodeDenied"


def test_an_object_that_was_released_is_gone_and_releasing_it_twice_ends_the_connection(shared: Scene) -> None:
    offender = shared.offender()
    number = offender.look_up()
    offender.send(Release({number: 1}))

    answer = offender.ask(number, "stock")
    assert isinstance(answer, Fault)
    assert answer.type_name == "emporion.errors.NotExposed"

    offender.send(Release({number: 1}))
    assert offender.is_sent_away()


def test_cancelling_what_is_not_there_is_nothing(shared: Scene) -> None:
    offender = shared.offender()
    number = offender.look_up()

    offender.send(Cancel(999), Cancel(-1))

    assert isinstance(offender.ask(number, "stock"), Result)


# --- too many, too slow, gone ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", PLACES, ids=["plain", "tls"])
def test_300_silent_connections_keep_nobody_out(place: str, caplog: pytest.LogCaptureFixture) -> None:
    with scene(place, caplog) as here:
        before = threading.active_count()
        address = here.uri.address
        silent = [socket.create_connection(address, timeout=PATIENCE_S) for _ in range(300)]
        try:
            assert here.serves_others()
            assert here.serves_others()
            assert here.log_says("silent for longest"), "more wait in their handshake than the host has room for"
            assert threading.active_count() - before < 20, "silence costs threads"
        finally:
            for one in silent:
                one.close()


@pytest.mark.parametrize("place", PLACES, ids=["plain", "tls"])
def test_one_that_leaves_in_the_middle_of_a_call_holds_nothing(place: str, caplog: pytest.LogCaptureFixture) -> None:
    with scene(place, caplog) as here:
        offender = here.offender()
        offender.send(offender.call(offender.look_up(), "wait"))
        assert here.shop.begun.acquire(timeout=PATIENCE_S)

        offender.close()

        assert _becomes(lambda: not here.host.connections()), "the host still counts it as a guest"
        assert here.log_says(" left: ")
        here.shop.go_on.set()  # the method runs to its end; its answer goes nowhere


def test_1500_calls_at_once_are_all_answered_with_few_threads(caplog: pytest.LogCaptureFixture) -> None:
    """Who has no room answers with a fault; nothing is dropped, and nobody waits for ever."""
    with scene(PLACES[0], caplog, threads=4) as here:
        offender = here.offender()
        number = offender.look_up()
        calls = [offender.call(number, "wait") for _ in range(1_500)]
        offender.send(*calls)
        assert here.shop.begun.acquire(timeout=PATIENCE_S)
        assert threading.active_count() < 30

        here.shop.go_on.set()

        answers = [offender.receive() for _ in calls]
        refused = {one.call for one in answers if isinstance(one, Fault) and one.type_name == TOO_MANY_CALLS}
        served = {one.call for one in answers if isinstance(one, Result)}
        assert refused | served == {call.call for call in calls}
        assert len(refused) + len(served) == 1_500
        assert len(refused) <= 1_500 - MAX_CHAINS


def test_large_calls_do_not_pile_up_behind_those_that_run(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "MAX_WAITING_BYTES", 1_000_000)
    with scene(PLACES[0], caplog, threads=4) as here:
        offender = here.offender()
        number = offender.look_up()
        offender.send(*(offender.call(number, "wait") for _ in range(4)))
        for _ in range(4):
            assert here.shop.begun.acquire(timeout=PATIENCE_S)
        large = [offender.call(number, "wait", "x" * 400_000) for _ in range(10)]
        offender.send(*large)
        refused = [one for one in (offender.receive() for _ in range(8)) if isinstance(one, Fault)]
        assert [one.call for one in refused] == [call.call for call in large[2:]]
        assert {one.type_name for one in refused} == {TOO_MANY_CALLS}

        here.shop.go_on.set()
        answers = [offender.receive() for _ in range(6)]
        assert {one.call for one in answers if isinstance(one, Fault)} == {call.call for call in large[:2]}


def test_one_that_takes_no_answers_is_sent_away_and_others_are_served(caplog: pytest.LogCaptureFixture) -> None:
    """It sends pings and reads nothing: what it should be told must not pile up here, nor hold the host's threads."""
    with scene(PLACES[0], caplog, threads=4) as here:
        offender = here.offender()
        pings = b"".join(write_frame(CODEC.id, CODEC.encode(Ping(1)))) * 10_000
        with pytest.raises(ConnectionError):
            for _ in range(1_000):
                offender.sock.sendall(pings)

        assert here.serves_others()
        assert here.log_says("takes no answers")


def test_a_connection_beyond_the_bound_is_refused_and_those_before_it_go_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with scene(PLACES[0], caplog, max_connections=3) as here:
        assert _becomes(lambda: not here.host.connections())  # the first one has left
        guests = [here.offender(), here.offender(), here.offender()]
        assert _becomes(lambda: len(here.host.connections()) == 3)

        with pytest.raises(emporion.ConnectionDenied) as caught:
            connect(here.uri, passphrase="pw")

        assert caught.value.reason is emporion.DenyReason.SERVER_TOO_BUSY
        assert isinstance(guests[0].ask(0, "lookup", "shop"), Result)
        guests[1].close()
        assert _becomes(lambda: len(here.host.connections()) == 2)
