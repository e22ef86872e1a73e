"""Strangers at the door: silent ones, slow ones and many of them, while good clients are served."""

import contextlib
import errno
import os
import resource
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import emporion
import pytest
from emporion.runtime.connection import half_open, listener
from emporion.runtime.connection.dialing import _dial
from emporion.runtime.connection.half_open import MOST_HEARD
from emporion.runtime.connection.handshake import HostHandshake
from emporion.runtime.connection.handshake_messages import PREFACE, SCRAM, Hello, encode
from emporion.runtime.connection.listener import MAX_HALF_OPEN, MOST_OF_ONE, STEP_THREADS
from emporion.runtime.connection.tls import client_context
from emporion.runtime.connection.transport import Transport
from emporion.runtime.connection.waiting import HEARD
from emporion.tests.door import LONG_S, Door, open_door
from emporion.tests.harbour import ANSWER_S, PASSPHRASE, Ears, in_thread, listening, open_host, until
from emporion.tests.strangers import RESET, Shop, Stranger, Wire, dribble, key_updates
from emporion.validators.connection import Connection, ConnectionValidator

HELLO = PREFACE + encode(Hello(SCRAM, b"n", b"n" * 18, "somebody" * 30, ("msgpack",)))
CROWD = 2_000


@pytest.fixture
def ears() -> Iterator[Ears]:
    with listening() as ears:
        yield ears


def client_hello() -> bytes:
    """The first bytes of a TLS client."""
    out = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        client_context().wrap_bio(ssl.MemoryBIO(), out).do_handshake()
    return out.read()


@pytest.fixture
def many_descriptors() -> Iterator[int]:
    """So many clients as the machine lets one process have; both ends of each are in this one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CROWD + MAX_HALF_OPEN + 500
    got = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, got), hard))
    yield min(CROWD, max(soft, got) - MAX_HALF_OPEN - 500)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


SILENCE: dict[str, tuple[bool, Callable[[], bytes]]] = {
    "silent": (False, bytes),
    "half a HELLO": (False, lambda: HELLO[:30]),
    "a HELLO and nothing more": (False, lambda: HELLO),
    "silent before TLS": (True, bytes),
    "half a ClientHello": (True, lambda: client_hello()[:100]),
    "in the middle of TLS": (True, client_hello),
}


@pytest.mark.parametrize("how", SILENCE)
def test_two_thousand_that_go_no_further_keep_no_good_client_out(how: str, many_descriptors: int, ears: Ears) -> None:
    """From the same address as the good ones; each new one is taken, and has the place of an older one."""
    tls, first_bytes = SILENCE[how]
    words = first_bytes()
    with open_door(tls, handshake_s=LONG_S) as door:
        threads = threading.active_count()
        crowd: list[Wire] = []
        for number in range(many_descriptors):
            crowd.append(door.stranger())
            if words:
                crowd[-1].send(words)
            if number % 401 == 400:
                door.lets_in()
        until(lambda: door.listener.half_open() == MAX_HALF_OPEN)
        door.lets_in()
        assert threading.active_count() - threads <= STEP_THREADS
        assert crowd[0].rest()[4096:] == b"", "the first ones have gone long ago"
        crowd[-1].sock.settimeout(0)
        with pytest.raises(BlockingIOError):
            while crowd[-1].sock.recv(4096):  # what the host has said to it
                pass
        assert len(ears.records) < 100, "silence fills the log"
        for one in crowd:
            one.close()


def test_a_host_serves_its_clients_while_two_thousand_are_silent(many_descriptors: int, ears: Ears) -> None:
    with open_host(threads=2) as host:
        uri = host.register(Shop(), "shop")
        with emporion.connect(uri, passphrase=PASSPHRASE) as old:
            over = threading.Event()

            def come_and_buy() -> int:
                visits = 0
                while not over.is_set() or not visits:
                    with emporion.connect(uri, passphrase=PASSPHRASE) as new:
                        assert new.stock() == old.stock() == 3
                    visits += 1
                return visits

            buying = [in_thread(come_and_buy) for _ in range(3)]
            crowd = [socket.create_connection(uri.address, ANSWER_S) for _ in range(many_descriptors)]
            over.set()
            assert all(visits() for visits in buying)
            assert old.stock() == 3
        assert not any("denied" in record.getMessage() for record in ears.records)
        for one in crowd:
            one.close()


def test_no_end_waits_for_more_bytes_before_it_sends_a_small_message_of_the_handshake() -> None:
    """With Nagle's algorithm and delayed acknowledgements each TLS connection would take 40 ms longer."""
    with open_door(True) as door, closing(_dial(door.uri, time.monotonic() + ANSWER_S)) as mine:
        until(lambda: door.listener.half_open() == 1)
        (theirs,) = door.listener._waiting
        for sock in (mine, theirs._sock):
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_who_is_at_it_is_not_pushed_out_by_a_flood_from_elsewhere(tls: bool, ears: Ears) -> None:
    with open_door(tls, handshake_s=LONG_S, most=8) as door:
        good = Stranger(door.uri, source="127.0.0.2")
        half = good.handshake()
        good.send(half.start())
        token = half.receive(good.message())
        flood = [door.stranger("127.0.0.3") for _ in range(50)]
        until(lambda: sum("silent for longest of 8" in r.getMessage() for r in list(ears.records)) >= 30)
        door.lets_in("127.0.0.4")

        good.send(token)

        half.receive(good.message())
        assert half.done
        for one in (good, *flood):
            one.close()


def sent_away(one: Wire) -> bool:
    """Whether the host has ended the connection; it has said nothing."""
    one.sock.settimeout(0)
    try:
        return one.sock.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


def test_a_byte_now_and_then_is_no_progress_and_keeps_no_place(ears: Ears) -> None:
    """They talk all the time, the good one has to think: it is they that make room, until there are as few of them as
    of those who are silent."""
    with open_door(handshake_s=LONG_S, most=4) as door:
        talkers = [door.stranger() for _ in range(3)]
        until(lambda: door.listener.half_open() == 3)
        good = Stranger(door.uri)
        half = good.handshake()
        good.send(half.start())
        token = half.receive(good.message())
        for byte in HELLO[:20]:
            for one in talkers:
                one.send(bytes([byte]))
        until(lambda: len(door.listener._waiting._crowds["127.0.0.1"].get(HEARD, ())) == 3)
        newcomers = [door.stranger() for _ in range(2)]
        until(lambda: sum(map(sent_away, talkers)) == 2)

        good.send(token)

        half.receive(good.message())
        assert half.done
        for one in (good, *talkers, *newcomers):
            one.close()


SLOW: dict[bool, list[Callable[[Door], tuple[Wire, bytes]]]] = {
    False: [lambda door: (door.stranger(), HELLO), lambda door: asked(door.stranger())],
    True: [
        lambda door: (door.stranger(), client_hello()),
        lambda door: (Stranger(door.uri), HELLO),
        lambda door: asked(Stranger(door.uri)),
    ],
}


def asked(wire: Wire) -> tuple[Wire, bytes]:
    seen = b"p" if isinstance(wire.sock, ssl.SSLSocket) else b"n"
    wire.send(PREFACE + encode(Hello(SCRAM, seen, b"n" * 18, "", ("msgpack",))))
    assert wire.message()
    return wire, (400).to_bytes(4) + b"Tb" + (397).to_bytes(2) + bytes(396)


@pytest.mark.parametrize("tls", SLOW, ids=["HELLO and TOKEN", "ClientHello, and within TLS HELLO and TOKEN"])
def test_a_slow_loris_meets_one_deadline_whatever_it_trickles(tls: bool, ears: Ears) -> None:
    with open_door(tls, handshake_s=1.5) as door:
        slow = [begin(door) for begin in SLOW[tls]]
        over = threading.Event()
        talking = [in_thread(partial(dribble, wire, words, lambda: over.wait(0.02))) for wire, words in slow]

        ears.wait_for(lambda: sum("no handshake in time" in r.getMessage() for r in list(ears.records)) == len(slow))

        over.set()
        for wire, _ in slow:
            wire.rest()
            wire.close()
        for one in talking:
            one()
        assert door.listener.half_open() == 0
        assert door.guests == []


def test_the_clock_holds_nothing_of_those_that_have_gone() -> None:
    """One alarm for all of them, or a flood would fill the memory of ten seconds."""
    with open_door(handshake_s=LONG_S, most=4) as door:
        for _ in range(50):
            door.stranger().close()
        door.lets_in()
        until(lambda: door.listener.half_open() == 0)
        assert len(door.listener.parking._alarms) <= 2, "the clock's, and the log's"


def test_a_process_without_descriptors_takes_newcomers_in_place_of_the_silent(ears: Ears) -> None:
    with open_door(handshake_s=LONG_S) as door:
        silent = [door.stranger() for _ in range(20)]
        until(lambda: door.listener.half_open() == 20)
        newcomer = socket.socket()
        newcomer.settimeout(ANSWER_S)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        taken: list[int] = []
        highest = max(int(name.name) for name in Path("/proc/self/fd").iterdir())
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 8, hard))
        try:
            with pytest.raises(OSError) as caught:
                while True:
                    taken.append(os.dup(newcomer.fileno()))
            assert caught.value.errno == errno.EMFILE
            newcomer.connect(door.uri.address)
            assert silent[0].rest() == b"", "the one that was silent for longest"
        finally:
            for fd in taken:
                os.close(fd)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert any("no room for another connection" in record.getMessage() for record in ears.records)
        door.lets_in()
        newcomer.close()
        for one in silent:
            one.close()


def test_who_takes_no_answer_holds_no_thread() -> None:
    """A window of nearly nothing, and nobody who reads: the answer waits in the kernel, and the door does not."""
    with open_door(handshake_s=LONG_S) as door:
        deaf = []
        for _ in range(4 * STEP_THREADS):
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            sock.connect(door.uri.address)
            sock.sendall(HELLO)
            deaf.append(sock)
        door.lets_in()
        for one in deaf:
            one.close()


def test_who_only_ever_changes_keys_is_soon_ended(
    tmp_path: Path, ears: Ears, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenSSL answers that by itself, for as long as it comes, and the host's own reading would never return."""
    monkeypatch.setattr(listener, "LOOK_S", LONG_S)
    with open_door(True, handshake_s=LONG_S) as door:
        context = client_context()
        context.keylog_filename = str(tmp_path / "keys")
        wire = door.stranger()
        wire.sock = context.wrap_socket(wire.sock)
        (secret,) = (line.split()[2] for line in (tmp_path / "keys").read_text().splitlines()
                     if line.startswith("CLIENT_TRAFFIC_SECRET_0 "))
        updates = key_updates(bytes.fromhex(secret), MOST_HEARD // 27 + 2)

        with contextlib.suppress(ConnectionError):
            socket.socket.sendall(wire.sock, updates)

        ears.wait_for(lambda: [r for r in list(ears.records) if "no handshake in them" in r.getMessage()])
        door.lets_in()
        wire.close()


def test_who_is_heard_on_and_on_in_one_read_is_ended_by_another_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    with open_door(True, handshake_s=LONG_S) as door:
        wire = Stranger(door.uri)
        until(lambda: not door.listener._walking)
        (one,) = door.listener._waiting
        monkeypatch.setattr(half_open, "MOST_HEARD", 100)
        for reads, ends in (((1, 2), False), ((2, 0), False), ((3, 3), True)):
            with door.listener._lock:
                door.listener._walking[one], one.reading = reads
            door.listener._look_at_readers()
            assert one._over is ends, reads
        assert wire.rest() == b""
        door.listener._walking.clear()
        wire.close()


def test_one_that_cannot_be_greeted_does_not_shut_the_door(monkeypatch: pytest.MonkeyPatch, ears: Ears) -> None:
    with open_door(handshake_s=LONG_S) as door:
        add = door.listener.parking.add
        failures = [OSError(errno.ENOSPC, "no more watches"), OSError(errno.ENOMEM, "no memory")]

        def full(fd: int, job: Callable[[], None]) -> None:
            if failures:
                raise failures.pop()
            add(fd, job)

        monkeypatch.setattr(door.listener.parking, "add", full)
        for _ in range(2):
            with closing(door.stranger()) as unlucky:
                assert unlucky.rest() == b""
        door.lets_in()
        until(lambda: door.listener.half_open() == 0)


def test_two_threads_never_walk_one_stranger() -> None:
    """The selector may call for one that is being walked: what it saw was the socket that had this number before."""
    validator = Thinking("accept_host")
    with open_door(validator=validator, handshake_s=LONG_S) as door:
        good = Stranger(door.uri, source="127.0.0.9")
        half = good.handshake()
        good.send(half.start())
        assert validator.at_it.acquire(timeout=ANSWER_S)
        (one,) = door.listener._waiting
        good.send(b"what must not come before the host has asked")

        one.step()  # comes back, for another thread is in there

        assert not one._over
        validator.go_on.set()
        assert good.message(), "the step that was on has gone on"
        good.close()


def test_a_reset_takes_no_newcomer_from_the_selector(monkeypatch: pytest.MonkeyPatch) -> None:
    """`ssl` closes a socket on which a reset has come, and the next one that is accepted has its number at once."""
    with open_door(True, handshake_s=LONG_S) as door:
        real, forgotten = ssl.SSLContext.wrap_socket, door.listener.parking.remove
        at_it, gone, newcomers = threading.Event(), threading.Event(), []

        def wrap_socket(context: ssl.SSLContext, sock: socket.socket, **options: Any) -> ssl.SSLSocket:
            if not options.get("server_side") or gone.is_set():
                return real(context, sock, **options)
            number = sock.fileno()
            at_it.set()
            assert gone.wait(ANSWER_S)
            with pytest.raises(OSError):
                real(context, sock, **options)
            newcomers.append(number)
            raise ConnectionResetError

        def remove(fd: int) -> None:
            assert fd not in newcomers, "the newcomer would wait for its deadline"
            forgotten(fd)

        monkeypatch.setattr(ssl.SSLContext, "wrap_socket", wrap_socket)
        monkeypatch.setattr(door.listener.parking, "remove", remove)
        wire = door.stranger()
        wire.send(client_hello())
        assert at_it.wait(ANSWER_S)
        wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        wire.close()
        gone.set()
        until(lambda: door.listener.half_open() == 0)
        until(lambda: not door.listener._walking)
        newcomers.clear()
        door.lets_in()


class Thinking(ConnectionValidator):
    """Asks somebody about each client of 127.0.0.9, who takes a while."""

    def __init__(self, step: str) -> None:
        self.at_it = threading.Semaphore(0)
        self.go_on = threading.Event()
        self.connections: list[Connection] = []
        setattr(self, step, self._think)

    def _think(self, host: Any, connection: Connection) -> bool:
        if connection.address[0] == "127.0.0.9":
            self.connections.append(connection)
            self.at_it.release()
            assert self.go_on.wait(ANSWER_S)
        return True


def test_a_validator_that_thinks_holds_its_own_threads_and_strangers_of_elsewhere_get_in_meanwhile() -> None:
    validator = Thinking("accept_host")
    with open_door(validator=validator, handshake_s=LONG_S) as door:
        threads = threading.active_count()
        crowd = []
        for _ in range(3 * STEP_THREADS):
            crowd.append(door.stranger("127.0.0.9"))
            crowd[-1].send(HELLO)
        for _ in range(MOST_OF_ONE):
            assert validator.at_it.acquire(timeout=ANSWER_S)
        until(lambda: len(door.listener._ready) == 3 * STEP_THREADS - MOST_OF_ONE)
        assert threading.active_count() - threads <= STEP_THREADS
        assert not door.listener._workers.pressed, "what waits for a thread waits where it can be taken out again"
        door.lets_in("127.0.0.2")
        assert not validator.at_it.acquire(blocking=False)
        validator.go_on.set()
        door.lets_in("127.0.0.9")
        for one in crowd:
            one.close()


def test_who_is_ended_in_the_middle_of_a_step_is_not_let_in(ears: Ears) -> None:
    """While its validator thinks: the step runs to its end, and leads nowhere."""
    validator = Thinking("accept_identity")
    with open_door(validator=validator, handshake_s=LONG_S) as door:
        slow = Stranger(door.uri, source="127.0.0.9")
        half = slow.handshake()
        slow.send(half.start())
        slow.send(half.receive(slow.message()))
        assert validator.at_it.acquire(timeout=ANSWER_S)
        validator.connections[0].close("enough")
        assert door.listener.half_open() == 0
        door.lets_in()  # by another thread, while that one thinks on
        validator.go_on.set()
        assert slow.rest() == b""
        assert [connection.address[0] for _, connection in door.guests] == ["127.0.0.1"]
        ears.wait_for(lambda: [r for r in list(ears.records) if "denied" in r.getMessage()])
        assert not [r for r in ears.records if "accepted" in r.getMessage() and "127.0.0.9" in r.getMessage()]
        slow.close()


@pytest.mark.parametrize("after", [False, True], ids=["at once", "as it was let in"])
def test_a_connection_closed_by_its_validator_does_not_stay(after: bool, ears: Ears) -> None:
    class Regretful(ConnectionValidator):
        def accept_identity(self, host: Any, connection: Connection) -> bool:
            if not after:
                connection.close("second\nthoughts")
                connection.close("third ones")
            return True

    with open_door(validator=Regretful(), handshake_s=LONG_S) as door:
        let_in = door.listener.admitted
        ended: list[str] = []

        def admitted(transport: Transport, connection: Connection, handshake: HostHandshake) -> None:
            if after:
                connection.close("too late")  # the session is not there yet, and hears of it all the same
                connection.attach(ended.append)
            let_in(transport, connection, handshake)

        door.listener.admitted = admitted
        stranger = Stranger(door.uri)
        half = stranger.handshake()
        stranger.send(half.start())
        stranger.send(half.receive(stranger.message()))
        if after:
            until(lambda: ended == ["too late"])
        else:
            stranger.rest()
            assert door.guests == []
            told = [r.getMessage() for r in ears.records if "before it was let in" in r.getMessage()]
            assert len(told) == 1 and told[0].endswith("second\\nthoughts")
        stranger.close()


@pytest.mark.parametrize("where", ["handshake", "admitted"])
def test_a_fault_of_this_end_leaves_nobody_waiting_and_the_door_open(where: str, ears: Ears) -> None:
    with open_door(handshake_s=LONG_S) as door:
        sound = getattr(door.listener, where)

        def fail(*_: Any) -> Any:
            setattr(door.listener, where, sound)
            raise KeyError("nobody thought of this")

        setattr(door.listener, where, fail)
        with closing(Stranger(door.uri)) as unlucky:
            half = unlucky.handshake()
            unlucky.send(half.start())
            if where == "admitted":
                unlucky.send(half.receive(unlucky.message()))
                assert unlucky.message(), "it is told that it is welcome, and then it is not"
            assert unlucky.rest() == b""
        ears.wait_for(lambda: [r for r in list(ears.records) if r.exc_info and "failed here" in r.getMessage()])
        door.lets_in()


def test_denials_and_broken_handshakes_have_a_bounded_number_of_lines(ears: Ears) -> None:
    with open_door(handshake_s=LONG_S) as door:
        for number in range(300):
            with closing(door.stranger("127.0.0.5")) as one:
                one.send(b"GET / HTTP/1.1\r\n" if number % 2 else PREFACE + bytes(4))
                one.rest()
        with closing(door.stranger("127.0.0.6")) as other:
            other.send(b"GET / HTTP/1.1\r\n")
            other.rest()
            until(lambda: any("127.0.0.6" in r.getMessage() for r in list(ears.records)))
        assert sum("127.0.0.5" in record.getMessage() for record in ears.records) == 30
    assert ears.records[-1].getMessage() == "270 more connections were denied or broken off, 270 of them from 127.0.0.5"
