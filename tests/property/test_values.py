"""Any value survives; any bytes give a message's values or a ProtocolError, and nothing else."""

import math
from datetime import UTC, timedelta, timezone
from decimal import Decimal
from typing import Any

from emporion.errors import ProtocolError
from emporion.runtime.wire.decode import decode_values
from emporion.runtime.wire.faults import decode_fault
from emporion.runtime.wire.frames import FrameReader, write_frame
from emporion.runtime.wire.messages import Body, Fault, Result
from emporion.runtime.wire.msgpack import MsgpackCodec
from emporion.runtime.wire.values import encode_values
from hypothesis import given, settings
from hypothesis import strategies as st

CODEC = MsgpackCodec()
ZONES = st.none() | st.just(UTC) | st.just(timezone(timedelta(minutes=-90), "mine"))


class Nothing:
    """Hooks of a session that has neither capabilities nor mobile code."""

    def capability(self, _: object) -> None:
        return None

    def mobile(self, *_: object) -> None:
        return None

    def named(self, *_: object) -> None:
        return None

    def fill(self, shell: object, state: object) -> None:
        return None


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(st.characters(exclude_categories=()), max_size=5)
    | st.binary(max_size=5)
    | st.complex_numbers()
    | st.decimals()
    | st.fractions()
    | st.uuids()
    | st.dates()
    | st.times(timezones=ZONES)
    | st.datetimes(timezones=ZONES)
    | st.timedeltas()
    | st.just(...)
)


def comparable(value: object) -> bool:
    """Whether it can be found again as a key: NaN cannot, and a signalling NaN not even be asked."""
    return not (isinstance(value, Decimal) and value.is_nan()) and value == value


KEYS = SCALARS.filter(comparable)
HASHABLE = st.recursive(
    KEYS, lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3), max_leaves=6
)
VALUES = st.recursive(
    SCALARS | HASHABLE | st.binary(max_size=9).map(bytearray),
    lambda inner: st.lists(inner, max_size=4)
    | st.lists(inner, max_size=3).map(tuple)
    | st.sets(HASHABLE, max_size=4)
    | st.dictionaries(HASHABLE, inner, max_size=4)
    | st.lists(st.fixed_dictionaries({"a": inner, "b": inner}), max_size=3),
    max_leaves=20,
)


def wire_of(*values: object) -> tuple[bytes, list[bytes]]:
    body, blobs = encode_values(values, Nothing(), label=str)
    return CODEC.encode(Result(1, body)), blobs


def read(stream: bytes) -> list[list[Any]]:
    """Everything that the driver of a connection would do with these bytes."""
    found = []
    for frame in FrameReader(100_000).feed(stream):
        message = CODEC.decode(frame.body)
        if isinstance(message, Fault):
            decode_fault(message, frame.blobs, lambda body, blobs: decode_values(body, blobs, Nothing()))
        elif isinstance(body := getattr(message, "body", None), Body):
            found.append(decode_values(body, frame.blobs, Nothing()))
    return found


def same(one: Any, other: Any) -> bool:
    """Equal, of the same types throughout, and NaN and -0.0 told apart from what they resemble."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return math.copysign(1, one) == math.copysign(1, other) and (one == other or (one != one and other != other))
    if isinstance(one, complex):
        return same(one.real, other.real) and same(one.imag, other.imag)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return len(one) == len(other) and all(map(same, one, other)) and all(map(same, one.values(), other.values()))
    if isinstance(one, set | frozenset):
        return bool(one == other)
    return repr(one) == repr(other)


@given(VALUES)
def test_any_value_survives(value: Any) -> None:
    body, blobs = wire_of(value, [value])
    ((back, boxed),) = read(b"".join(write_frame(1, body, blobs)))

    assert same(back, value)
    assert same(boxed, [value])


@st.composite
def graphs(draw: st.DrawFn) -> list[Any]:
    """Lists, dicts and tuples that refer to each other at random: shared, cyclic, or both."""
    nodes: list[Any] = [draw(st.sampled_from([list, dict]))() for _ in range(draw(st.integers(1, 6)))]
    for _ in range(draw(st.integers(0, 4))):
        nodes.append(tuple(draw(st.lists(st.sampled_from(nodes), max_size=3))))
    for node in nodes:
        children = draw(st.lists(st.sampled_from(nodes) | st.integers(), max_size=4))
        if isinstance(node, list):
            node += children
        elif isinstance(node, dict):
            node.update(enumerate(children))
    return nodes


@given(graphs())
def test_the_same_objects_are_the_same_at_the_other_end(nodes: list[Any]) -> None:
    body, blobs = wire_of(*nodes)
    (back,) = read(b"".join(write_frame(1, body, blobs)))
    pairs = list(zip(nodes, back, strict=True))
    partner: dict[int, Any] = {}
    while pairs:
        one, other = pairs.pop()
        assert type(one) is type(other)
        if isinstance(one, int):
            assert one == other
            continue
        if one == ():  # there is only one
            assert other == ()
            continue
        if id(one) in partner:
            assert partner[id(one)] is other
            continue
        partner[id(one)] = other
        assert len(one) == len(other)
        inner = one.values() if isinstance(one, dict) else one
        pairs += zip(inner, other.values() if isinstance(other, dict) else other, strict=True)
    assert len({id(other) for other in partner.values()}) == len(partner)


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_any_bytes_give_only_protocol_errors(stream: bytes) -> None:
    result = b"\x93\x02\x01" + stream
    for buffers in ([stream], write_frame(1, stream), write_frame(1, result, [b"blob"])):
        try:
            read(b"".join(buffers))
        except ProtocolError:
            continue


@settings(max_examples=400)
@given(VALUES, st.data())
def test_a_changed_message_gives_values_or_a_protocol_error(value: Any, data: st.DataObject) -> None:
    body, blobs = wire_of(value, [value])
    changed = bytearray(body)
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    try:
        read(b"".join(write_frame(1, bytes(changed), blobs)))
    except ProtocolError:
        return


ITEMS = st.deferred(
    lambda: st.none()
    | st.booleans()
    | st.integers(-2, 20)
    | st.floats()
    | st.text(max_size=3)
    | st.lists(st.integers(-1, 8), min_size=1, max_size=1)
    | st.lists(st.integers(-1, 20) | st.text("0123456789abcdef-", max_size=3), max_size=9)
)
NAMES = st.sampled_from(["ValueError", "OSError", "ExceptionGroup", "KeyError", "emporion.errors.CodeDenied", "Odd"])
ROWS = st.lists(ITEMS, max_size=6).flatmap(
    lambda items: st.integers(0, 12).map(lambda kind: [kind, *items])
    | st.tuples(NAMES, st.integers(0, 8)).map(lambda pair: [11, pair[0], "text", [pair[1]], [], *items[:0]])
    | st.integers(0, 8).map(lambda n: [8, 0, "m", "C", [n]])
)


@settings(max_examples=600)
@given(st.lists(ITEMS, max_size=4), st.lists(ROWS, max_size=8))
def test_any_rows_give_values_or_a_protocol_error(roots: list[Any], rows: list[list[Any]]) -> None:
    """Well-formed nonsense reaches deeper than random bytes do."""
    try:
        decode_values(Body(roots, rows, [{"m": "0" * 64}]), memoryview(b"0123456789"), Nothing())
    except ProtocolError:
        return
