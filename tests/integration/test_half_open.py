"""Strangers at the door: silent ones, slow ones and many of them, while good clients are served."""

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

import emporion
import pytest
from emporion.runtime.connection.dialing import _dial
from emporion.runtime.connection.handshake_messages import PREFACE, SCRAM, Hello, encode
from emporion.runtime.connection.listener import MAX_HALF_OPEN, STEP_THREADS
from emporion.runtime.connection.waiting import HEARD
from emporion.tests.door import LONG_S, Door, open_door
from emporion.tests.harbour import ANSWER_S, PASSPHRASE, Ears, in_thread, open_host, until
from emporion.tests.strangers import HELLO, Shop, Stranger, Wire, client_hello, dribble

CROWD = 2_000


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


@pytest.mark.parametrize("elsewhere", ["127.0.0.1", "127.0.0.2"])
def test_a_host_serves_its_clients_while_two_thousand_are_silent(
    elsewhere: str, many_descriptors: int, ears: Ears
) -> None:
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
            crowd = [socket.create_connection(uri.address, ANSWER_S, (elsewhere, 0)) for _ in range(many_descriptors)]
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
