"""The msgpack codec: every message there and back, and what is refused before it is built."""

import time

import msgspec
import pytest
from emporion.errors import ProtocolError, ValueNotPortable
from emporion.runtime.wire.bounds import Bounds
from emporion.runtime.wire.codecs import CODECS, CODECS_BY_ID
from emporion.runtime.wire.messages import (
    Body,
    Call,
    Cancel,
    Code,
    Fault,
    Goodbye,
    Message,
    NeedCode,
    Ping,
    Pong,
    Release,
    Result,
)
from emporion.runtime.wire.msgpack import MsgpackCodec
from emporion.runtime.wire.scan import count_containers

CODEC = MsgpackCodec()


@pytest.mark.parametrize(
    "message",
    [
        Call(1, 2, 3, 0, "buy", ["count"], Body([1, [0]], [[0, 1.5, None]], [{"m": "0" * 64}]), 500),
        Result(1, Body([2**64 - 1, -(2**63)])),
        Fault(1, "ValueError", "text", "traceback", Body([])),
        Release({1: 2}),
        NeedCode(1, 2, {"m": "0" * 64}),
        Code(1, {"0" * 64: "x = 1\n"}),
        Cancel(1),
        Ping(1),
        Pong(1),
        Goodbye("done"),
    ],
    ids=lambda message: type(message).__name__,
)
def test_every_message_survives(message: Message) -> None:
    wire = CODEC.encode(message)
    assert CODEC.decode(wire) == message
    assert CODEC.decode(memoryview(wire)) == message


def test_the_codec_is_found_by_name_and_by_number() -> None:
    assert CODECS["msgpack"] is CODECS_BY_ID[1]
    assert (CODECS["msgpack"].name, CODECS["msgpack"].id) == ("msgpack", 1)


@pytest.mark.parametrize(
    "wire",
    [
        b"",
        b"\xc0",
        b"\x80",
        b"\x90",
        b"\x91\x63",  # no such message
        b"\x92\x08",  # cut short
        b"\x92\x08\xa1x",  # a text for a number
        b"\x92\x0a\xa1\xff",  # not UTF-8
        b"\x92\x08\x01\x01",  # something behind the message
        b"\xdd\xff\xff\xff\xff",
        b"\x91" * 100_000,
        b"\xc1",
    ],
)
def test_bytes_that_are_no_message_are_refused(wire: bytes) -> None:
    with pytest.raises(ProtocolError):
        CODEC.decode(wire)


@pytest.mark.parametrize(
    "value",
    [{}, {1: 2}, {(1, 2): 3}, msgspec.msgpack.Ext(5, b"x"), b"bytes", [[[1]]]],
    ids=["map", "filled map", "map with array keys", "extension", "bytes", "deep nest"],
)
def test_values_hold_no_maps_extensions_bytes_or_deep_nests(value: object) -> None:
    """A map of a peer's would be built, and its keys hashed, before anybody could count equal hashes."""
    for roots, rows in (([value], []), ([[0]], [[0, value]])):
        with pytest.raises(ProtocolError):
            CODEC.decode(msgspec.msgpack.encode([2, 1, [roots, rows]]))


def test_a_name_that_is_not_unicode_is_refused_at_the_sender() -> None:
    with pytest.raises(ValueNotPortable):
        CODEC.encode(Call(1, 1, 1, 0, "\ud800", [], Body([])))


def test_more_containers_than_allowed_are_refused_before_they_are_built() -> None:
    codec = MsgpackCodec(Bounds(max_nodes=1_000))
    inside = codec.encode(Result(1, Body([], [[0]] * 994)))
    assert codec.decode(inside)
    with pytest.raises(ProtocolError, match="more than 1,000 containers"):
        codec.decode(codec.encode(Result(1, Body([], [[0]] * 1_000))))


def test_a_long_text_full_of_marker_bytes_is_no_container() -> None:
    codec = MsgpackCodec(Bounds(max_nodes=1_000))
    message = Result(1, Body(["\u4e10" * 5_000, 3, "\u4e10" * 100]))
    assert codec.decode(codec.encode(message)) == message


def test_sixteen_megabytes_of_empty_arrays_are_refused_fast() -> None:
    wire = b"\x93\x02\x01\x92\xdd" + (2**24).to_bytes(4) + b"\x90" * 2**24 + b"\x90"
    started = time.perf_counter()
    with pytest.raises(ProtocolError, match="containers"):
        CODEC.decode(wire)
    assert time.perf_counter() - started < 5.0  # seconds; the machine may be busy


@pytest.mark.parametrize(
    "value",
    [
        [],
        [1, "a", 2.5, None, True, 300, -5, 2**40, "x" * 40, "x" * 300, "x" * 70_000],
        [b"", b"x" * 300, b"x" * 70_000],
        [[]] * 20,
        list(range(70_000)),
        {"a": {1: []}},
        [msgspec.msgpack.Ext(5, b"x" * size) for size in (1, 2, 4, 8, 16, 3, 300, 70_000)],
    ],
)
def test_the_exact_count_agrees_with_what_msgspec_builds(value: object) -> None:
    def containers(one: object) -> int:
        if isinstance(one, dict):
            return 1 + sum(map(containers, one.values()))
        return 1 + sum(map(containers, one)) if isinstance(one, list) else 0

    wire = msgspec.msgpack.encode([value, "\u4e10" * 40_000])
    assert count_containers(wire, 30_000) == containers(value) + 1
