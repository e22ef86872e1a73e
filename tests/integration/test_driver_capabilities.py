"""Objects that two drivers lend each other: released when dropped, and themselves again when they come home."""

import gc

import pytest
from emporion.errors import ProtocolError
from emporion.runtime.wire.messages import Body, Call, Op, Release, Result
from emporion.tests.desks import PATIENCE_S, Counter, against_raw, connected, in_thread, until


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
