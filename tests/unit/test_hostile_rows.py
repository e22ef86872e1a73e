"""Rows that no honest sender writes, and the bounds of number, depth and hashing at both ends."""

import math
import time
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from emporion.agents.state import new_shell
from emporion.errors import ProtocolError
from emporion.runtime.wire.bounds import BOUNDS, Bounds
from emporion.runtime.wire.decode import decode_values
from emporion.runtime.wire.kinds import Kind, Tag
from emporion.runtime.wire.messages import Body
from emporion.tests.rows import DIGEST, In, Pair, decode, refuse, trip
from emporion.validators.consignment import Consignment


# --- what no sender writes -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("roots", "rows"),
    [
        ([[0]], []),
        ([[-1]], [[Kind.LIST]]),
        ([[True]], [[Kind.LIST], [Kind.LIST]]),
        ([["0"]], [[Kind.LIST]]),
        ([[]], []),
        ([{}], []),
        ([b"bytes"], []),
        ([[0]], [[]]),
        ([[0]], [[99]]),
        ([[0]], [[True]]),
        ([[0]], [[0.0]]),
        ([[0]], [["LIST"]]),
        ([[0]], [[Kind.LIST, {}]]),
        ([[0]], [[Kind.DICT, 1]]),
        ([[0]], [[Kind.DICT, 1, 1, 2, 3]]),
        ([[0]], [[Kind.DICT, True, 1, 2, 3]]),
        ([[0]], [[Kind.DICT, "a", "a", [1], [1]], [Kind.LIST]]),
        ([[0]], [[Kind.DICT, [1], 1], [Kind.LIST]]),
        ([[0]], [[Kind.SET, 1, 1.0]]),
        ([[0]], [[Kind.SET, [1], [1]], [Kind.TUPLE]]),
        ([[0]], [[Kind.SET, [1]], [Kind.LIST]]),
        ([[0]], [[Kind.FROZENSET, [0]]]),
        ([[0]], [[Kind.TUPLE, [0]]]),
        ([[0]], [[Kind.TUPLE, [1]], [Kind.TUPLE, [0]]]),
        ([[0]], [[Kind.DICT_LIKE, 0]]),
        ([[0]], [[Kind.DICT_LIKE, 1], [Kind.DICT]]),
        ([[1]], [[Kind.DICT, "a", 1], [Kind.DICT_LIKE, 0]]),
        ([[1]], [[Kind.DICT, "a", 1], [Kind.DICT_LIKE, 0, 1, 2]]),
        ([[1]], [[Kind.LIST, Kind.DICT, "a", 1], [Kind.DICT_LIKE, 0, 1]]),
        ([[1]], [[Kind.LIST], [Kind.PORTABLE_LIKE, 0]]),
        ([[0]], [[Kind.BYTEARRAY]]),
        ([[0]], [[Kind.BYTEARRAY, "text"]]),
        ([[0]], [[Kind.BYTEARRAY, [Tag.BYTES, 0, 9]]]),
        ([[0]], [[Kind.EXCEPTION, "ValueError", "text", [0], []]]),
        ([[0]], [[Kind.EXCEPTION, "ValueError", "text", [1], []], [Kind.LIST]]),
        ([[0]], [[Kind.EXCEPTION, "ValueError", "text", [1], ["a"]], [Kind.TUPLE]]),
        ([[0]], [[Kind.EXCEPTION, "ValueError", 1, [1], []], [Kind.TUPLE]]),
        ([[Tag.BYTES, 0, 1]], []),
        ([[Tag.BYTES, -1, 0]], []),
        ([[Tag.BYTES, 0]], []),
        ([[99, 1]], []),
        ([[Tag.INT, "0x10"]], []),
        ([[Tag.INT, 5]], []),
        ([[Tag.INT, "1_0"]], []),
        ([[Tag.STR, "\u1234"]], []),
        ([[Tag.STR, "\xff"]], []),
        ([[Tag.COMPLEX, 1.0]], []),
        ([[Tag.COMPLEX, "1", 1.0]], []),
        ([[Tag.DECIMAL, "one"]], []),
        ([[Tag.DECIMAL, "1" * 70_000]], []),
        ([[Tag.FRACTION, "1", "0"]], []),
        ([[Tag.FRACTION, "2", "4"]], []),
        ([[Tag.FRACTION, "1", "f" * 2000]], []),
        ([[Tag.UUID, "x" * 32]], []),
        ([[Tag.DATE, 0]], []),
        ([[Tag.DATE, True]], []),
        ([[Tag.TIME, 25, 0, 0, 0, 0, None]], []),
        ([[Tag.TIME]], []),
        ([[Tag.DATETIME, 2026, 1, 1, 0, 0, 0, 0, 0, "../../etc/passwd"]], []),
        ([[Tag.DATETIME, 2026, 1, 1, 0, 0, 0, 0, 0, "No/Such_Zone"]], []),
        ([[Tag.DATETIME, 2026, 1, 1, 0, 0, 0, 0, 0, [0]]], []),
        ([[Tag.TIMEDELTA, 10**10, 0, 0]], []),
        ([[Tag.TIMEZONE, 10**13]], []),
        ([[Tag.TIMEZONE, 10**30]], []),
        ([[Tag.TIMEZONE, None]], []),
        ([[Tag.RANGE, 0, 1, 0]], []),
        ([[Tag.RANGE, 0, 1]], []),
        ([[Tag.SLICE, 0, "1", 0]], []),
        ([[Tag.ELLIPSIS, 1]], []),
    ],
)
def test_rows_that_no_sender_writes_are_refused(roots: list[Any], rows: list[list[Any]]) -> None:
    with pytest.raises(ProtocolError):
        decode(roots, *rows)


@pytest.mark.parametrize("rows", [[[Kind.TUPLE, [0]]], [[Kind.TUPLE, [1]], [Kind.LIST, [2]], [Kind.TUPLE, [2]]]])
def test_a_tuple_that_contains_itself_is_refused(rows: list[list[Any]]) -> None:
    with pytest.raises(ProtocolError, match="contains itself"):
        decode([[0]], *rows)


class PairsIn(In):
    """The receiver's session, whose agents are pairs."""

    def mobile(self, goods: Consignment, module: str, qualname: str) -> object:
        return new_shell(Pair)


@pytest.mark.parametrize(("rows", "why"), [
    ([[8, 0, "a", "A", [1]], [1, 1, [0]]], "contains itself"),
    ([[8, 0, "a", "A", [0]]], "contains itself"),
    ([[8, 0, "a", "A", [1]], [1, 1, [2]], [8, 0, "a", "A", [1]]], "contains itself"),
    ([[8, 0, "a", "A", [1]], [1, 1]], "1 values for 2 fields"),
    ([[8, 0, "a", "A", [1]], [0, 1, 2]], "a list, not a tuple"),
    ([[8, 0, "a", "A", None]], "a NoneType, not a tuple"),
    ([[8, 0, "a", "A", [9]], [1, 1, 2]], "not there"),
    ([[-1, 0, "a", "A", [1]], [1, 1, 2]], "unknown kind -1"),
    ([[2, [1]], [8, 0, "a", "A", [2]], [1, 1, [3]], [0]], "cannot be hashed"),
    ([row for n in range(0, 600, 2) for row in ([8, 0, "a", "A", [n + 1]], [1, 1, [n + 2]])] + [[1]], "more than 200"),
])  # fmt: skip
def test_wrong_tuples_of_mobile_classes_are_refused(rows: list[list[Any]], why: str) -> None:
    body = Body([[0]], rows, [{"a": "0" * 64}])
    with pytest.raises(ProtocolError, match=why):
        decode_values(body, memoryview(b""), PairsIn())


@pytest.mark.parametrize(
    "manifest",
    [
        *({"a b": DIGEST}, {"": DIGEST}, {"a..b": DIGEST}, {"../a": DIGEST}, {"m" * 600: DIGEST}),
        *({"m": "0" * 63}, {"m": "F" * 64}, {"m": DIGEST + "\n"}),
    ],
)
def test_names_and_digests_in_a_manifest_are_checked(manifest: dict[str, str]) -> None:
    with pytest.raises(ProtocolError, match="manifest"):
        decode([1], manifests=[manifest])


@pytest.mark.parametrize(
    "row",
    [
        [Kind.MOBILE, 0, "other", "Agent", None],
        [Kind.MOBILE, 1, "m", "Agent", None],
        [Kind.MOBILE, -1, "m", "Agent", None],
        [Kind.MOBILE, 0, "m", "A B", None],
        [Kind.MOBILE, 0, "m", "Agent"],
        [Kind.MOBILE, 0, "m", "Agent", None, None],
        [Kind.MOBILE, 0, "m", "Agent", [5]],
        [Kind.CAPABILITY, [[1]]],
        [Kind.CAPABILITY, {}],
    ],
)
def test_wrong_mobile_objects_and_capabilities_are_refused(row: list[Any]) -> None:
    with pytest.raises(ProtocolError):
        decode([[0]], row, manifests=[{"m": DIGEST}])


# --- bounds ----------------------------------------------------------------------------------------------------------
def test_one_blob_cannot_be_had_many_times_in_parts() -> None:
    assert decode([[Tag.BYTES, 0, 2], [Tag.BYTES, 0, 2], [Tag.BYTES, 2, 2]], blobs=b"abcd") == [b"ab", b"ab", b"cd"]
    with pytest.raises(ProtocolError, match="did not come"):
        decode([[Tag.BYTES, 0, 3], [Tag.BYTES, 1, 3]], blobs=b"abcd")
    with pytest.raises(ProtocolError, match="did not come"):
        decode([[0], [1]], [Kind.BYTEARRAY, [Tag.BYTES, 0, 3]], [Kind.BYTEARRAY, [Tag.BYTES, 0, 3]], blobs=b"abcd")


def nested_tuples(depth: int) -> tuple[Any, ...]:
    value: tuple[Any, ...] = (1,)
    for _ in range(depth - 1):
        value = (value,)
    return value


def test_tuples_nest_up_to_the_bound_and_no_deeper_at_either_end() -> None:
    value = nested_tuples(BOUNDS.max_depth)
    assert trip(value)[0] == value
    assert trip({value: 1})[0] == {value: 1}
    assert "200 deep" in refuse(nested_tuples(BOUNDS.max_depth + 1)).why


@pytest.mark.parametrize("order", [1, -1])
def test_a_peer_cannot_nest_tuples_deeper_in_whatever_order_the_rows_come(order: int) -> None:
    count = BOUNDS.max_depth + 1
    forward = [[Kind.TUPLE, [n + 1]] for n in range(count - 1)] + [[Kind.TUPLE, 1]]
    backward = [[Kind.TUPLE, 1]] + [[Kind.TUPLE, [n]] for n in range(count - 1)]
    with pytest.raises(ProtocolError, match="200 deep"):
        decode([[0 if order == 1 else count - 1]], *(forward if order == 1 else backward))


def test_many_tuples_side_by_side_are_no_depth() -> None:
    value = [((n,), (n, (n,))) for n in range(1_000)]
    assert trip(value)[0] == value


def collisions(count: int) -> list[list[Any]]:
    return [[Tag.INT, format(k * (2**61 - 1) + 5, "x")] for k in range(1, count + 1)]


def test_floats_with_equal_hashes_are_refused() -> None:
    """hash() of a float is taken modulo 2**61 - 1: shifting by 61 bits, and some rotations, leave it as it is."""
    wanted = sum(1 << shift for shift in range(0, 60, 10))
    turned = ((wanted >> turn | wanted << 61 - turn) & 2**61 - 1 for turn in range(61))
    mantissas = [number for number in turned if 2**52 <= number < 2**53]
    found = [math.ldexp(number, power) for number in mantissas for power in range(-1050, 970)]
    equal = [number for number in found if hash(number) == wanted]
    assert len(set(equal)) > BOUNDS.max_equal_hashes
    with pytest.raises(ProtocolError, match="equal hashes"):
        decode([[0]], [Kind.DICT, *equal, *equal])
    assert "equal hashes" in refuse(dict.fromkeys(equal)).why


@pytest.mark.parametrize("kind", [Kind.SET, Kind.FROZENSET, Kind.DICT])
def test_twenty_thousand_equal_hashes_are_refused_fast(kind: int) -> None:
    items = collisions(20_000)
    row = [kind, *items, *range(len(items))] if kind == Kind.DICT else [kind, *items]
    started = time.perf_counter()
    with pytest.raises(ProtocolError, match="equal hashes"):
        decode([[0]], row)
    assert time.perf_counter() - started < 1.0  # seconds; letting them collide takes ten times that


def test_equal_hashes_are_refused_at_the_sender_too() -> None:
    value = {k * (2**61 - 1) + 5 for k in range(200)}
    assert "equal hashes" in refuse([value]).why
    assert refuse([value]).path == "args[0][0]"
    few = {k * (2**61 - 1) + 5: k for k in range(60)}
    assert trip(few) == [few]


def test_colliding_tuples_and_decimals_are_refused() -> None:
    one = [[Tag.DECIMAL, str(k * (2**61 - 1))] for k in range(1, 100)]
    with pytest.raises(ProtocolError, match="equal hashes"):
        decode([[0]], [Kind.SET, *one])
    tuples = [[Kind.TUPLE, [Tag.INT, format(k * (2**61 - 1), "x")]] for k in range(1, 100)]
    with pytest.raises(ProtocolError, match="equal hashes"):
        decode([[0]], [Kind.SET, *([n] for n in range(1, 100))], *tuples)


@pytest.mark.parametrize("row", [[Kind.SET, [1]], [Kind.FROZENSET, [1]], [Kind.DICT, [1], None]])
def test_tuples_that_would_take_forever_to_hash_are_refused(row: list[Any]) -> None:
    doubling: list[list[Any]] = [[Kind.TUPLE, [n + 1], [n + 1]] for n in range(1, 60)]
    with pytest.raises(ProtocolError, match="hashing"):
        decode([[0]], row, *doubling, [Kind.TUPLE])


def test_tuples_that_would_take_too_long_to_hash_are_refused_at_the_sender_too() -> None:
    value: tuple[Any, ...] = ()
    for _ in range(18):
        value = (value, value)
    assert "hashing" in refuse({value}, bounds=Bounds(max_hash_work=100_000)).why


def test_too_many_objects_are_refused_at_both_ends() -> None:
    bounds = Bounds(max_nodes=100)
    assert trip([[] for _ in range(49)], bounds=bounds)
    assert "send it in parts" in refuse([[] for _ in range(50)], bounds=bounds).why
    with pytest.raises(ProtocolError, match="101 objects"):
        decode([1], *([Kind.LIST] for _ in range(101)), max_nodes=100)


def test_a_key_whose_hash_fails_is_refused() -> None:
    with pytest.raises(ProtocolError, match="cannot be hashed"):
        decode([[0]], [Kind.SET, [Tag.DECIMAL, "sNaN"]])


def test_big_fractions_and_decimals_are_refused_at_the_sender() -> None:
    write: list[Callable[[], object]] = [lambda: Fraction(1, 2**5000 + 1), lambda: Decimal("1" * 70_000)]
    for make in write:
        assert refuse([make()]).path == "args[0][0]"
