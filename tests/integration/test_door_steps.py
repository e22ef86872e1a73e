"""One step of a stranger at the door: which thread takes it, what it may meet, and how it ends in the middle."""

import contextlib
import errno
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from emporion.runtime.connection import half_open, listener
from emporion.runtime.connection.half_open import MOST_HEARD
from emporion.runtime.connection.handshake import HostHandshake
from emporion.runtime.connection.listener import MOST_OF_ONE, STEP_THREADS
from emporion.runtime.connection.tls import client_context
from emporion.tests.door import LONG_S, open_door
from emporion.tests.harbour import ANSWER_S, Ears, in_thread, until
from emporion.tests.strangers import HELLO, RESET, Stranger, client_hello, key_updates
from emporion.validators.connection import Connection, ConnectionValidator


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
        # What waits for a thread waits where it can be taken out again.
        until(lambda: not door.listener._workers.pressed)
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


@pytest.mark.parametrize("error", [OSError(errno.EINVAL, "gone"), KeyError("nobody thought of this")], ids=repr)
def test_a_greeting_that_fails_does_not_shut_the_door(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    failures = [error, error]

    def without_delay(sock: socket.socket) -> None:
        if failures:
            raise failures.pop()

    with open_door(handshake_s=LONG_S) as door:
        monkeypatch.setattr(listener, "without_delay", without_delay)
        for _ in range(2):
            with closing(door.stranger()) as unlucky:
                assert unlucky.rest() == b""
        door.lets_in()


def test_who_speaks_while_the_system_has_no_thread_is_ended_and_the_door_stays_open(
    monkeypatch: pytest.MonkeyPatch, ears: Ears
) -> None:
    with open_door(handshake_s=LONG_S) as door:
        start = threading.Thread.start

        def refuse(thread: threading.Thread) -> None:
            if thread.name.startswith("emporion-door"):
                raise RuntimeError("can't start new thread")
            start(thread)

        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", refuse)
            for _ in range(2 * STEP_THREADS):
                with closing(door.stranger()) as unlucky:
                    unlucky.send(HELLO)
                    assert unlucky.rest() == b""
        assert sum("no thread" in record.getMessage() for record in ears.records) == 2 * STEP_THREADS
        door.lets_in()
        until(lambda: door.listener._stepping == 0)


def test_faults_of_this_end_have_a_bounded_number_of_lines(ears: Ears) -> None:
    with open_door(handshake_s=LONG_S) as door:
        nobody: dict[Connection, HostHandshake] = {}
        door.listener.handshake = nobody.__getitem__
        for _ in range(100):
            with closing(door.stranger()) as unlucky:
                unlucky.send(HELLO)
                assert unlucky.rest() == b""
        assert len(ears.records) <= 30


def test_a_step_whose_end_fails_takes_no_thread_away(monkeypatch: pytest.MonkeyPatch, ears: Ears) -> None:
    with open_door(handshake_s=LONG_S) as door:
        watch = door.listener.parking.watch

        def fail(fd: int) -> None:
            if threading.current_thread().name.startswith("emporion-door"):
                raise OSError(errno.ENOMEM, "no memory")
            watch(fd)

        with monkeypatch.context() as patched:
            patched.setattr(door.listener.parking, "watch", fail)
            for _ in range(2 * STEP_THREADS):
                with closing(door.stranger()) as unlucky:
                    unlucky.send(HELLO[:30])
                    assert unlucky.rest() == b""
        ears.wait_for(lambda: [r for r in list(ears.records) if r.exc_info and "failed here" in r.getMessage()])
        until(lambda: door.listener._stepping == 0)
        assert not door.listener._walking
        door.lets_in()


def test_who_is_greeted_while_the_host_closes_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    with open_door(handshake_s=LONG_S) as door:

        def address_of(sock: socket.socket, address: Any) -> tuple[str, int]:
            in_thread(door.listener.close)()  # all of it, while the selector's thread is at this newcomer
            return "127.0.0.1", 1

        monkeypatch.setattr(listener, "address_of", address_of)
        with closing(door.stranger()) as late:
            assert late.rest() == b""
        until(lambda: door.listener.half_open() == 0)


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
