"""Values into rows and back: identity, cycles, numbers, times, paths of refused ones, capabilities, mobile objects."""

import math
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from emporion.errors import ValueNotPortable
from emporion.runtime.wire.kinds import Kind
from emporion.runtime.wire.messages import Body, Result
from emporion.runtime.wire.values import encode_values
from emporion.tests.rows import CODEC, DIGEST, Agent, In, Mapped, Number, Out, Pair, Shop, Spoon, refuse, trip
from emporion.validators.consignment import Consignment


# --- what survives ---------------------------------------------------------------------------------------------------
def test_plain_arguments_need_no_rows() -> None:
    assert encode_values((1, "a", None, 2.5, True), Out(), label=str) == (Body([1, "a", None, 2.5, True]), [])


def test_a_list_of_plain_scalars_is_one_row_and_a_copy() -> None:
    value = [1, "a"]
    body, _ = encode_values([value], Out(), label=str)
    value.append("later")
    assert body.rows == [[Kind.LIST, 1, "a"]]


def test_dicts_with_the_same_keys_send_them_once() -> None:
    rows = [{"name": "tv", "price": 1}, {"name": "boots", "price": [2]}, {"price": 3, "name": "x"}]
    body, _ = encode_values([rows], Out(), label=str)
    assert [row[0] for row in body.rows[1:4]] == [Kind.DICT, Kind.DICT_LIKE, Kind.DICT]
    (back,) = trip(rows)
    assert back == rows
    assert list(back[2]) == ["price", "name"]


def test_one_object_met_twice_is_one_object_at_the_other_end() -> None:
    shared: list[Any] = [1]
    pair = (shared, shared)
    first, second = trip([pair, pair], {"again": shared})
    assert first[0] is first[1]
    assert first[0][0] is first[0][1] is second["again"]


def test_equal_objects_stay_two() -> None:
    first, second = trip([1], [1])
    assert first == second
    assert first is not second


def test_cycles_survive() -> None:
    ring: list[Any] = []
    box = {"ring": ring, "tuple": (ring,)}
    ring += [box, ring]
    (back,) = trip(ring)
    assert back[1] is back
    assert back[0]["ring"] is back
    assert back[0]["tuple"][0] is back


def test_lists_may_nest_as_deep_as_anybody_likes() -> None:
    value: list[Any] = []
    for _ in range(20_000):
        value = [value]
    (back,) = trip(value)
    depth = 0
    while back:
        back, depth = back[0], depth + 1
    assert depth == 20_000


def test_numbers_keep_their_sign_their_size_and_their_type() -> None:
    nan, minus, inf, true, one, large, small = trip(math.nan, -0.0, math.inf, True, 1, 2**200, -(2**63) - 1)
    assert math.isnan(nan)
    assert math.copysign(1, minus) == -1
    assert inf == math.inf
    assert true is True
    assert type(one) is int
    assert (large, small) == (2**200, -(2**63) - 1)


def test_large_ints_and_lone_surrogates_survive_also_inside_containers_and_as_keys() -> None:
    value = [[2**64, "\ud800"], {"\udfff": 2**65, 2**66: ("\ud800",)}, {2**64}, [{"\ud800": 1}, {"\ud800": 2}]]
    assert trip(value)[0] == value


def test_bytes_travel_behind_the_body_and_one_object_travels_once() -> None:
    block = bytes(100_000)
    body, blobs = encode_values([[block, block], bytearray(b"changeable"), b""], Out(), label=str)
    assert sorted(map(len, blobs)) == [0, 10, 100_000]
    assert len(CODEC.encode(Result(1, body))) < 100
    assert trip([block, block], bytearray(b"changeable"), b"") == [[block, block], bytearray(b"changeable"), b""]


def test_times_keep_their_zone_and_fold() -> None:
    from zoneinfo import ZoneInfo

    twice = datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Paris"))
    named = datetime(2026, 1, 1, tzinfo=timezone(timedelta(minutes=-90, microseconds=1), "mine"))
    utc = datetime(2026, 1, 1, tzinfo=UTC)
    back = trip(twice, named, utc, ZoneInfo("Asia/Tokyo"))
    assert back == [twice, named, utc, ZoneInfo("Asia/Tokyo")]
    assert back[0].fold == 1
    assert back[0].utcoffset() == timedelta(hours=1)
    assert back[1].tzname() == "mine"
    assert back[2].tzinfo is UTC


def test_dict_order_survives() -> None:
    assert list(trip({"b": 1, "a": [2], 3: 4})[0]) == ["b", "a", 3]


def test_inline_values_are_written_exactly_as_they_are_read() -> None:
    values = [1j, Decimal("-0.00"), Fraction(-1, 3), date.max, timedelta.min, range(5, 0, -1), slice(None, 2**40), ...]
    back = trip(*values)
    assert back == values
    assert str(back[1]) == "-0.00"


# --- what does not, and where it stands ----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("value", "path"),
    [
        (Spoon(), "args[0]"),
        ([1, [2, Spoon()]], "args[0][1][1]"),
        ({"a": [0, 0, Spoon()]}, "args[0]['a'][2]"),
        ([{"a": 1}, {"a": Spoon()}], "args[0][1]['a']"),
        ({Spoon()}, "args[0]{set item}"),
        ({Spoon(): 1}, "args[0]{dict key}"),
        ({"k" * 90: Spoon()}, "args[0]['" + "k" * 39 + "...]"),
        ({(1, 2): Spoon()}, "args[0][...]"),
        (Agent(basket=[1, 2, 3, Spoon()]), "args[0].basket[3]"),
        ({"x": ValueError(Spoon())}, "args[0]['x'].args[0]"),
        ([Mapped()], "args[0][0]"),
        ([datetime(2026, 1, 1, tzinfo=type("Mine", (tzinfo,), {})())], "args[0][0]"),
    ],
)
def test_the_error_names_the_path_to_the_value(value: object, path: str) -> None:
    assert refuse(value).path == path


def test_the_error_says_what_to_do() -> None:
    assert "neither a value type, nor exposed, nor mobile" in str(refuse(Spoon()))
    assert "with __getstate__, expose a member" in str(refuse(Spoon()))
    assert "convert it with dict(...)" in str(refuse(Mapped()))
    assert "convert it with tuple(...)" in str(refuse(Pair(1, 2)))
    assert "convert it with int(...)" in str(refuse(Number.ONE))


def test_labels_are_asked_for_only_when_something_is_wrong() -> None:
    def label(_: int) -> str:
        raise AssertionError("nobody needs a label")

    encode_values([[1], {"a": (2,)}], Out(), label=label)


def test_the_path_of_a_deep_value_is_found_without_recursion() -> None:
    value: Any = Spoon()
    for _ in range(5_000):
        value = [value]
    assert refuse([value]).path.endswith("[0][0][0]")


# --- capabilities and mobile objects ---------------------------------------------------------------------------------
def test_a_capability_arrives_as_its_payload_and_once() -> None:
    shop, incoming = Shop(), In()
    first, second = trip(shop, [shop], incoming=incoming)
    assert incoming.asked == [[7, ["stock", "buy"]]]
    assert second == [first]


def test_a_mobile_object_arrives_with_its_state() -> None:
    shop = Shop()
    agent = Agent(name="Harry", bought=[], shop=shop)
    agent.myself = agent
    incoming = In()
    (back,) = trip(agent, incoming=incoming)
    assert back.name == "Harry"
    assert back.myself is back
    assert type(back.shop) is Shop
    assert incoming.asked[0] == ({"agent": DIGEST, "agent.shopping": "f" * 64}, "agent.shopping", "Agent")


def test_a_manifest_used_twice_is_sent_once() -> None:
    body, _ = encode_values([Agent(a=1), Agent(b=2)], Out(), label=str)
    assert body.manifests == [{"agent": DIGEST, "agent.shopping": "f" * 64}]


def test_inner_mobile_objects_are_filled_first_wherever_they_were_met() -> None:
    inner = Agent(name="inner")
    outer = Agent(name="outer", hold={"deep": [inner]})
    incoming = In()
    _, back = trip([inner], outer, incoming=incoming)
    filled = [entry[1].name for entry in incoming.asked if entry[0] == "fill"]
    assert filled == ["inner", "outer"]
    assert back.hold["deep"][0].name == "inner"


def test_a_mobile_object_as_a_key_is_filled_before_it_is_hashed() -> None:
    class Keyed(In):
        def mobile(self, goods: Consignment, module: str, qualname: str) -> object:
            class Named(Agent):
                def __hash__(self) -> int:
                    return hash(self.name)

            return Named()

    (back,) = trip({Agent(name="Harry"): 1}, incoming=Keyed())
    assert [key.name for key in back] == ["Harry"]


def test_a_capability_of_more_than_scalars_is_refused_at_the_sender() -> None:
    class Wrong(Out):
        def capability(self, obj: object) -> tuple[Any, ...] | None:
            return (b"bytes",)

    with pytest.raises(ValueNotPortable, match="capability holds a bytes"):
        encode_values([Shop()], Wrong(), label=lambda n: f"args[{n}]")
