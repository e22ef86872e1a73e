"""Two drivers over a socketpair, with real threads: deadlines, cuts, large messages, idleness, interrupts, the end."""

import contextlib
import gc
import signal
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from typing import Any

import pytest
from emporion import expose
from emporion.errors import CallTimeout, ConnectionLost, EmporionError, ProtocolError, RemoteError, ValueNotPortable
from emporion.runtime.connection import session as session_module
from emporion.runtime.connection.channel import Channel
from emporion.runtime.connection.driver import Driver
from emporion.runtime.connection.tls import client_context, server_context
from emporion.runtime.connection.tls_transport import TLSTransport
from emporion.runtime.connection.transport import PlainTransport, Transport
from emporion.runtime.peer import DIRECTORY, Peer
from emporion.runtime.wire.codecs import CODECS
from emporion.runtime.wire.frames import FrameReader, write_frame
from emporion.runtime.wire.messages import Body, Call, Cancel, Message, Op, Ping, Release, Result
from emporion.runtime.workers import Parking, Workers

PATIENCE_S = 10.0
MIB = 2**20
CODEC = CODECS["msgpack"]
WAITING = ("receive", "_receive_later")  # where a thread waits for bytes


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


# --- deadlines -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_call_that_takes_too_long_is_cancelled_and_the_connection_goes_on(tls: bool) -> None:
    with connected(tls=tls) as (client, host):
        client.timeout_s = 0.05
        with pytest.raises(CallTimeout):
            client.root.other.wait()
        client.timeout_s = None

        assert host.cancel_heard.wait(PATIENCE_S), "the peer was not told"
        assert [asked.message.method for asked in host.cancels] == ["wait"]
        assert client.root.other.echo("next") == "next"  # while the cancelled one still runs
        host.root.may_go_on.set()
        until(lambda: not client.driver._session.pending, "the late answer was not dropped")
        assert client.root.other.echo("after") == "after"


def test_a_deadline_counts_also_while_another_thread_reads() -> None:
    with connected() as (client, host):
        reading = in_thread(client.root.other.wait)
        assert host.root.begun.wait(PATIENCE_S)
        message = Call(0, 0, client.root.other._number, Op.CALL, "wait", [], Body([]))
        begun_s = time.monotonic()

        with pytest.raises(CallTimeout):
            client.driver.request(message, deadline_s=begun_s + 0.05)

        assert time.monotonic() - begun_s < PATIENCE_S / 2
        host.root.may_go_on.set()
        assert reading.result() == "at last"


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_deadline_in_a_month_is_not_too_far_away(tls: bool) -> None:
    left, right = transports(tls)
    receiving = in_thread(lambda: left.receive(31 * 86_400.0))
    assert not receiving.ended(0.05)  # past the first moments, in which nobody looks at the time

    right.send([b"in time"], lambda: None)

    assert receiving.result() == b"in time"
    left.close()
    right.close()


def test_the_deadline_travels_with_the_call() -> None:
    with against_raw() as (peer, raw):
        peer.timeout_s = 2.0
        asking = in_thread(lambda: peer.call(5, Op.CALL, "add", (), {}))
        call = raw.receive()
        assert isinstance(call, Call)
        raw.send(Result(call.call, Body([1])))

        assert asking.result() == 1
        assert call.deadline_ms == 2000


def test_a_peer_that_never_answers_cancelled_calls_loses_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "MAX_ABANDONED", 3)
    with against_raw() as (peer, raw):
        peer.timeout_s = 0.001
        for _ in range(3):
            with pytest.raises(CallTimeout):
                peer.call(5, Op.CALL, "add", (), {})
        with pytest.raises(EmporionError):
            peer.call(5, Op.CALL, "add", (), {})

        assert isinstance(peer.driver.error, ProtocolError)
        with pytest.raises(EOFError):
            while True:
                assert isinstance(raw.receive(), Call | Cancel)


# --- the end of a connection -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_cut_connection_ends_every_waiting_thread(tls: bool) -> None:
    with connected(tls=tls, workers=8) as (client, host):
        waiting = [in_thread(client.root.other.wait) for _ in range(5)]
        nested = in_thread(client.root.other.ask_back)
        assert client.root.begun.wait(PATIENCE_S)
        until(lambda: len(host.driver._session.asked) == 6, "the calls did not arrive")

        host.driver._channel.transport.abort()

        for one in waiting:
            with pytest.raises(ConnectionLost):
                one.result()
        client.root.may_go_on.set()
        with pytest.raises(ConnectionLost):
            nested.result()
        assert host.end_heard.wait(PATIENCE_S)
        assert (len(client.ends), len(host.ends)) == (1, 1)
        with pytest.raises(ConnectionLost):
            client.root.other.echo(1)


def test_goodbye_ends_both_ends_with_its_reason_and_frees_the_sockets() -> None:
    with connected() as (client, host):
        waiting = in_thread(host.root.other.wait)
        assert client.root.begun.wait(PATIENCE_S)
        fds = [peer.driver._channel.transport.fileno() for peer in (client, host)]

        client.close("shop closes")

        with pytest.raises(ConnectionLost, match="shop closes"):
            waiting.result()
        assert host.end_heard.wait(PATIENCE_S)
        until(lambda: host.driver._channel.transport.fileno() == -1, f"the host keeps socket {fds[1]}")
        until(lambda: client.driver._channel.transport.fileno() == -1, f"the client keeps socket {fds[0]}")
        client.close()  # once more does no harm
        assert len(client.ends) == 1


def test_bytes_after_a_broken_frame_are_not_needed_to_find_it_broken() -> None:
    with against_raw() as (peer, raw):
        good = b"".join(write_frame(CODEC.id, CODEC.encode(Ping(7))))
        raw.sock.sendall(good + b"\xff" * 9)

        assert peer.end_heard.wait(PATIENCE_S)
        assert isinstance(peer.driver.error, ProtocolError)


# --- much at once ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_both_ends_can_send_20_mb_to_each_other_at_the_same_time(tls: bool) -> None:
    bulk = bytes(20_000_000)
    with connected(tls=tls) as (client, host):
        sending = [in_thread(partial(peer.root.other.echo, bulk)) for peer in (client, host)]

        for one in sending:
            assert one.result(25.0) == bulk


def test_a_thread_that_waits_to_send_behind_another_does_not_keep_reading_to_itself() -> None:
    """One thread sends more than the peer takes; a second one asks, became the reader, and has to wait its turn."""
    with against_raw() as (peer, raw):
        big = in_thread(lambda: peer.call(5, Op.CALL, "take", (bytes(20 * MIB),), {}))
        until(lambda: peer.driver._channel._writing.locked() and not peer.driver._reader, "the sender reads on")
        small = in_thread(lambda: peer.call(5, Op.CALL, "add", (), {}))
        until(lambda: len(peer.driver._session.pending) == 2, "the second call has not begun")

        raw.send(Ping(1))  # heard, though the peer takes no bytes: the pong waits in turn

        until(lambda: _heard_ping(peer), "nobody reads while two threads wait to send")
        with contextlib.suppress(EOFError):
            answers = [raw.receive() for _ in range(2)]
            raw.send(*(Result(one.call, Body([1])) for one in answers if isinstance(one, Call)))
            calls = [one for one in (raw.receive(),) if isinstance(one, Call)]
            raw.send(*(Result(one.call, Body([1])) for one in calls))
        assert (big.result(), small.result()) == (1, 1)


def _heard_ping(peer: DeskPeer) -> bool:
    """Whether the bytes of the ping have been read off the socket."""
    sock = peer.driver._channel.transport
    left = bytearray(1)
    with contextlib.suppress(BlockingIOError), socket.socket(fileno=socket.dup(sock.fileno())) as again:
        return again.recv_into(left, 1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == 0
    return True


def test_what_is_too_large_for_a_frame_is_an_error_for_its_caller_and_for_nobody_else() -> None:
    with connected(max_frame_bytes=MIB) as (client, _):
        with pytest.raises(ValueNotPortable, match="send it in parts"):
            client.root.other.echo(bytes(2 * MIB))
        with pytest.raises(EmporionError, match="send it in parts"):
            in_thread(lambda: client.root.other.bulk(2 * MIB)).result()

        assert client.root.other.echo("next") == "next"


def test_a_call_that_comes_together_with_an_answer_is_served() -> None:
    """One read brings the answer and the first call of a new chain, on a thread that only wanted the answer."""
    with against_raw() as (peer, raw):
        asking = in_thread(lambda: peer.call(5, Op.CALL, "add", (), {}))
        call = raw.receive()
        assert isinstance(call, Call)

        raw.send(Result(call.call, Body([1])), Call(1, 2, DIRECTORY, Op.CALL, "root", [], Body([])))

        assert asking.result() == 1
        answer = raw.receive()
        assert isinstance(answer, Result)
        assert answer.call == 1


def test_a_connection_that_nobody_can_read_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system has no thread to give: who is at the other end must not wait for ever."""
    with against_raw() as (peer, raw):
        until(lambda: peer.driver._watched, "the selector does not watch")
        monkeypatch.setattr(peer.driver._workers, "submit", _no_thread)

        raw.send(Call(1, 2, DIRECTORY, Op.CALL, "root", [], Body([])))

        assert peer.end_heard.wait(PATIENCE_S)
        assert "no thread" in str(peer.ends[0])


def test_a_connection_whose_calls_nobody_can_serve_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    with against_raw() as (peer, raw):
        asking = in_thread(lambda: peer.call(5, Op.CALL, "add", (), {}))
        call = raw.receive()
        assert isinstance(call, Call)
        monkeypatch.setattr(peer.driver._workers, "submit", _no_thread)

        raw.send(Result(call.call, Body([1])), Call(1, 2, DIRECTORY, Op.CALL, "root", [], Body([])))

        assert asking.result() == 1, "what had come had come"
        assert peer.end_heard.wait(PATIENCE_S)
        assert "no thread" in str(peer.ends[0])


def _no_thread(job: Any) -> None:
    raise RuntimeError("can't start new thread")


# --- threads ---------------------------------------------------------------------------------------------------------


def test_idle_connections_cost_no_thread() -> None:
    with machines(2, workers=3) as (here, there):
        pairs = []
        for _ in range(40):
            left, right = socket.socketpair()
            host = driven(DeskPeer("client"), PlainTransport(right), there, initiator=False)
            client = driven(DeskPeer("host"), PlainTransport(left), here, initiator=True)
            client.root.other = client.call(DIRECTORY, Op.CALL, "root", (), {})
            pairs.append((client, host))
        before = threading.active_count()

        assert [client.root.other.echo(n) for n, (client, _) in enumerate(pairs)] == list(range(40))

        assert threading.active_count() <= before + 1
        assert before < 20
        for client, host in pairs:
            client.close()
            assert host.end_heard.wait(PATIENCE_S)


def test_a_new_connection_is_watched_at_once_and_its_first_call_waits_for_no_look_of_the_selector() -> None:
    class Noting(Parking):
        def __init__(self) -> None:
            self.noted: list[str] = []
            super().__init__("test")

        def watch(self, fd: int) -> None:
            self.noted.append("watch")
            super().watch(fd)

        def rest(self, settle: Callable[[], bool]) -> None:
            self.noted.append("rest")
            super().rest(settle)

    parking, pool = Noting(), Workers(1, "test")
    with closing(parking), closing(pool):
        left, right = transports(tls=True)
        peer = driven(DeskPeer("client"), right, (parking, pool), initiator=False)
        assert parking.noted == ["watch"]
        peer.close()
        left.close()


def test_one_worker_serves_nested_calls_and_calls_that_queue() -> None:
    with connected(workers=1) as (client, host):
        nested = in_thread(client.root.other.ask_back)
        assert client.root.begun.wait(PATIENCE_S)
        queued = in_thread(lambda: client.root.other.echo("queued"))
        until(lambda: len(host.driver._session.asked) == 2, "the second call did not arrive")

        client.root.may_go_on.set()

        assert nested.result() == "at last"
        assert queued.result() == "queued"


def test_what_is_no_exception_ends_the_call_and_not_the_worker() -> None:
    with connected(workers=1) as (client, _):
        for _ in range(3):
            with pytest.raises(RemoteError, match="Quit"):
                in_thread(client.root.other.quit).result()

        assert in_thread(lambda: client.root.other.echo(1)).result() == 1


def test_ctrl_c_in_a_waiting_thread_leaves_the_connection_usable() -> None:
    with connected() as (client, host):
        def interrupt() -> None:
            # Not while it still sends: then half a frame may be out, and the connection has to end.
            main = threading.main_thread().ident or 0
            host.root.begun.wait(PATIENCE_S)
            until(lambda: sys._current_frames()[main].f_code.co_name in WAITING, "the main thread does not wait")
            signal.pthread_kill(main, signal.SIGINT)

        interrupting = threading.Thread(target=interrupt)
        interrupting.start()

        with pytest.raises(KeyboardInterrupt):
            client.root.other.wait()

        interrupting.join()
        assert host.cancel_heard.wait(PATIENCE_S)
        assert client.root.other.echo("still here") == "still here"
        host.root.may_go_on.set()
        until(lambda: not client.driver._session.pending, "the late answer was not dropped")
        assert client.root.other.echo("and now") == "and now"


def test_ctrl_c_in_a_nested_call_answers_it_and_leaves_the_connection_usable() -> None:
    with connected() as (client, host):
        with pytest.raises(KeyboardInterrupt):
            client.root.other.ask_to_interrupt()

        assert host.root.may_go_on.wait(PATIENCE_S), "the hosted method waits for an answer for ever"
        assert client.root.other.echo("still here") == "still here"
        until(lambda: not (client.driver._session.chains or host.driver._session.chains), "a chain is left over")


# --- capabilities ----------------------------------------------------------------------------------------------------


def test_a_proxy_that_is_dropped_releases_its_object() -> None:
    with connected() as (client, host):
        before = len(host.exports)
        counters = [client.root.other.counter() for _ in range(10)]
        assert [counter.add() for counter in counters] == [1] * 10
        assert len(host.exports) == before + 10

        del counters
        gc.collect()
        client.root.other.echo("the releases go out with the next call")

        until(lambda: len(host.exports) == before, "objects nobody can reach are kept")


def test_a_capability_that_comes_home_is_the_object_itself_and_counts_go_down_to_nothing() -> None:
    with connected() as (client, host):
        before = len(client.exports)
        mine = Counter()

        assert client.root.other.use(mine) == 2
        assert client.root.other.echo(mine) is mine

        gc.collect()
        host.root.other.echo("the releases go out with the next call")
        until(lambda: len(client.exports) == before, "objects nobody can reach are kept")
        assert mine.count == 2


def test_releasing_what_was_never_had_ends_the_connection() -> None:
    with against_raw() as (peer, raw):
        raw.send(Release({1: 1}))

        assert peer.end_heard.wait(PATIENCE_S)
        assert isinstance(peer.driver.error, ProtocolError)
        with pytest.raises(EOFError):
            raw.receive()


def test_an_object_that_comes_home_is_there_although_its_release_follows_at_once() -> None:
    """The reader meets both in one read; the thread that decodes the answer comes later."""
    mine = Counter()
    with against_raw() as (peer, raw):
        waiting = in_thread(lambda: peer.call(5, Op.CALL, "echo", (mine,), {}))
        call = raw.receive()
        assert isinstance(call, Call)
        number = call.body.rows[0][2]
        raw.send(Result(call.call, Body([[0]], [[7, 1, number]])), Release({number: 1}))
        assert waiting.result() is mine
        assert len(peer.exports) == 0
