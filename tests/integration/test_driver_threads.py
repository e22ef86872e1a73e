"""The driver and its threads: none for idle connections, one worker for many calls, Ctrl-C, none to be had."""

import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from emporion.errors import RemoteError
from emporion.runtime.connection.transport import PlainTransport
from emporion.runtime.peer import DIRECTORY
from emporion.runtime.wire.messages import Body, Call, Op, Result
from emporion.runtime.workers import Parking, Workers
from emporion.tests.desks import (
    PATIENCE_S,
    DeskPeer,
    against_raw,
    connected,
    driven,
    in_thread,
    machines,
    transports,
    until,
)

WAITING = ("receive", "_receive_later")  # where a thread waits for bytes


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
