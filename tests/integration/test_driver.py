"""Two drivers over a socketpair, with real threads: deadlines, the end of a connection, much at once."""

import contextlib
import socket
import time
from functools import partial

import pytest
from emporion.errors import CallTimeout, ConnectionLost, EmporionError, ProtocolError, ValueNotPortable
from emporion.runtime.connection import session as session_module
from emporion.runtime.peer import DIRECTORY
from emporion.runtime.wire.frames import write_frame
from emporion.runtime.wire.messages import Body, Call, Cancel, Op, Ping, Result
from emporion.tests.desks import CODEC, MIB, PATIENCE_S, DeskPeer, against_raw, connected, in_thread, transports, until

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
