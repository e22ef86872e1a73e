"""Values into rows and back: identity, cycles, paths, capabilities, mobile objects, exceptions, and hostile rows."""

import builtins
import math
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from emporion import errors
from emporion.agents.state import new_shell
from emporion.errors import DenyReason, ProtocolError, RemoteError, ValueNotPortable
from emporion.runtime.wire.bounds import BOUNDS, Bounds
from emporion.runtime.wire.decode import decode_values
from emporion.runtime.wire.faults import decode_fault, encode_fault
from emporion.runtime.wire.hooks import Mobile
from emporion.runtime.wire.kinds import Kind, Tag
from emporion.runtime.wire.messages import Body, Fault, Result
from emporion.runtime.wire.msgpack import MsgpackCodec
from emporion.runtime.wire.values import encode_values
from emporion.validators.consignment import Consignment

DIGEST = "0" * 64
CODEC = MsgpackCodec()


class Shop:
    """An exposed object."""


class Pair(NamedTuple):
    """A tuple that is not exactly a tuple."""

    a: int
    b: int


class Mapped(dict[str, int]):
    """A dict that is not exactly a dict."""


class Number(IntEnum):
    """An int that nobody registered."""

    ONE = 1


class Agent:
    """A mobile object: all its attributes are its state."""

    def __init__(self, **attributes: Any) -> None:
        vars(self).update(attributes)

    if TYPE_CHECKING:
        name: str
        myself: object


class Spoon:
    """Neither value nor exposed nor mobile."""


class Out:
    """The sender's session: shops are capabilities, agents are mobile."""

    def __init__(self, manifest: Mapping[str, str] | None = None) -> None:
        self.manifest = manifest or {"agent": DIGEST, "agent.shopping": "f" * 64}

    def capability(self, obj: object) -> tuple[Any, ...] | None:
        return (7, ["stock", "buy"]) if isinstance(obj, Shop) else None

    def mobile(self, obj: object) -> Mobile | None:
        goods = Consignment(self.manifest)
        return Mobile(goods, "agent.shopping", "Agent", dict(vars(obj))) if isinstance(obj, Agent) else None


class In:
    """The receiver's session; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def capability(self, payload: Sequence[Any]) -> object:
        self.asked.append(payload)
        return Shop()

    def mobile(self, goods: Consignment, module: str, qualname: str) -> object:
        self.asked.append((dict(goods.manifest), module, qualname))
        return Agent()

    def named(self, goods: Consignment, module: str, qualname: str) -> object:
        self.asked.append(("named", dict(goods.manifest), module, qualname))
        return Agent

    def fill(self, shell: object, state: object) -> None:
        self.asked.append(("fill", shell))
        vars(shell).update(state)  # type: ignore[call-overload]


def trip(*values: object, incoming: In | None = None, bounds: Bounds = BOUNDS) -> list[Any]:
    """What arrives at the other end, through the codec."""
    body, blobs = encode_values(values, Out(), label=lambda n: f"args[{n}]", bounds=bounds)
    message = CODEC.decode(CODEC.encode(Result(1, body)))
    assert isinstance(message, Result)
    return decode_values(message.body, memoryview(b"".join(blobs)), incoming or In(), bounds=bounds)


def decode(roots: list[Any], *rows: list[Any], blobs: bytes = b"", manifests: Any = (), **bounds: int) -> list[Any]:
    return decode_values(Body(roots, list(rows), list(manifests)), memoryview(blobs), In(), bounds=Bounds(**bounds))


def refuse(*values: object, bounds: Bounds = BOUNDS) -> ValueNotPortable:
    with pytest.raises(ValueNotPortable) as caught:
        encode_values(values, Out(), label=lambda n: f"args[{n}]", bounds=bounds)
    return caught.value


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


# --- exceptions ------------------------------------------------------------------------------------------------------
BUILTIN = sorted(
    (cls for cls in vars(builtins).values() if isinstance(cls, type) and issubclass(cls, Exception)
     and not cls.__name__.startswith("_")),
    key=lambda cls: cls.__name__,
)
NEEDS = {
    "UnicodeDecodeError": ("utf-8", b"\xff", 0, 1, "bad"),
    "UnicodeEncodeError": ("utf-8", "\ud800", 0, 1, "bad"),
    "UnicodeTranslateError": ("x", 0, 1, "bad"),
    **dict.fromkeys(("SyntaxError", "IndentationError", "TabError"), ("bad", ("shop.py", 3, 1, "x ="))),
    "ExceptionGroup": ("many", [ValueError("a"), KeyError("b")]),
}


@pytest.mark.parametrize("cls", BUILTIN, ids=lambda cls: str(cls.__name__))
def test_every_builtin_exception_survives(cls: type[Exception]) -> None:
    error = cls(*NEEDS.get(cls.__name__, ("it", 2)))
    (back,) = trip(error)
    assert type(back) is type(error)
    assert str(back) == str(error)
    if cls.__name__ != "ExceptionGroup":
        assert back.args == error.args


def test_an_os_error_keeps_its_file_names() -> None:
    (back,) = trip(OSError(2, "gone", "here", None, "there"))
    assert (type(back), back.filename, back.filename2, back.errno) == (FileNotFoundError, "here", "there", 2)


@pytest.mark.parametrize(
    "error",
    [
        errors.ConnectionDenied(DenyReason.HOST_BLOCKED),
        errors.CodeDenied("agent.shopping", "upload", "because"),
        errors.ValueNotPortable("args[0]", "why"),
        errors.LimitExceeded("cpu_s", 5.5, 5),
        errors.AgentError("message", "its traceback"),
        errors.RemoteError("Odd", "message", "its traceback"),
        errors.CallTimeout("late"),
        errors.NotExposed("no member"),
        errors.VisitEnded("over"),
        errors.NamingError("nobody"),
        errors.ConfigurationError("mend it"),
        errors.SandboxUnavailable("no seccomp"),
        errors.ConnectionLost("gone"),
        errors.ProtocolError("bytes"),
        errors.EmporionError("base"),
    ],
    ids=lambda error: str(type(error).__name__),
)
def test_our_own_errors_survive_with_their_attributes(error: Exception) -> None:
    (back,) = trip(error)
    assert type(back) is type(error)
    assert str(back) == str(error)
    assert vars(back) == vars(error)


def test_all_our_errors_are_in_the_table_above() -> None:
    (mark,) = test_our_own_errors_survive_with_their_attributes.pytestmark  # type: ignore[attr-defined]
    tried = {type(error) for error in mark.args[1]}
    assert tried == {cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, Exception)}


def test_an_exception_of_another_type_is_told_as_a_remote_error() -> None:
    (back,) = trip(Odd("message"))
    assert type(back) is RemoteError
    assert back.type_name.endswith("Odd")
    assert "message" in str(back)


@pytest.mark.parametrize("name", ["SystemExit", "KeyboardInterrupt", "GeneratorExit", "BaseException", "os.error"])
def test_a_peer_cannot_make_us_raise_what_is_not_in_the_table(name: str) -> None:
    (back,) = decode([[0]], [Kind.EXCEPTION, name, "text", [1], []], [Kind.TUPLE])
    assert type(back) is RemoteError
    assert back.type_name == name


@pytest.mark.parametrize(
    ("name", "names", "values"),
    [
        ("emporion.errors.LimitExceeded", ["limit", "used"], ["cpu_s", 1]),
        ("emporion.errors.LimitExceeded", ["limit", "used", "allowed"], [1, 1, 1]),
        ("emporion.errors.LimitExceeded", ["limit", "used", "allowed", "__class__"], ["cpu_s", 1, 1, 1]),
        ("emporion.errors.ConnectionDenied", ["reason", "text"], [3, "text"]),
        ("ValueError", ["__dict__"], [1]),
        ("UnicodeDecodeError", [], []),
    ],
)
def test_exceptions_that_cannot_be_rebuilt_become_remote_errors(name: str, names: list[str], values: list[Any]) -> None:
    (back,) = decode([[0]], [Kind.EXCEPTION, name, "text", [1], names, *values], [Kind.TUPLE])
    assert type(back) is RemoteError


def fault_trip(error: BaseException, traceback: str = "") -> Exception:
    fault, blobs = encode_fault(5, error, traceback, lambda values, label: encode_values(values, Out(), label=label))
    message = CODEC.decode(CODEC.encode(fault))
    assert isinstance(message, Fault)
    assert message.call == 5
    return decode_fault(message, memoryview(b"".join(blobs)), lambda body, blobs: decode_values(body, blobs, In()))


def test_a_fault_is_the_exception_with_the_other_ends_traceback_in_its_notes() -> None:
    back = fault_trip(KeyError("tv", [1]), "Traceback: line 3")
    assert type(back) is KeyError
    assert back.args == ("tv", [1])
    assert "line 3" in back.__notes__[0]


class Odd(Exception):
    """An exception class that only one end knows."""


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), ValueError(Spoon()), Odd("x")])
def test_a_fault_that_cannot_be_rebuilt_is_a_remote_error_with_its_traceback(error: BaseException) -> None:
    back = fault_trip(error, "Traceback: line 3")
    assert type(back) is RemoteError
    assert back.type_name == type(error).__qualname__
    assert back.traceback == "Traceback: line 3"


def test_the_texts_of_a_fault_are_bounded_and_writable() -> None:
    back = fault_trip(Odd("\ud800" * 100_000), "x" * 100_000 + "the end")
    assert isinstance(back, RemoteError)
    assert len(str(back)) < 6 * 65_536 + 100
    assert len(back.traceback) == 65_536
    assert back.traceback.endswith("the end")


def test_an_exception_whose_text_cannot_be_had_is_told_all_the_same() -> None:
    class Rude(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert "cannot be had" in str(fault_trip(Rude()))


@pytest.mark.parametrize("roots", [[1], [[0]], [1, 2]])
def test_a_fault_without_an_exception_is_refused(roots: list[Any]) -> None:
    with pytest.raises(ProtocolError):
        fault = Fault(1, "X", "", "", Body(roots, [[Kind.LIST]]))
        decode_fault(fault, memoryview(b""), lambda body, blobs: decode_values(body, blobs, In()))


# --- hostile rows ----------------------------------------------------------------------------------------------------
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


def test_inline_values_are_written_exactly_as_they_are_read() -> None:
    values = [1j, Decimal("-0.00"), Fraction(-1, 3), date.max, timedelta.min, range(5, 0, -1), slice(None, 2**40), ...]
    back = trip(*values)
    assert back == values
    assert str(back[1]) == "-0.00"


def test_big_fractions_and_decimals_are_refused_at_the_sender() -> None:
    write: list[Callable[[], object]] = [lambda: Fraction(1, 2**5000 + 1), lambda: Decimal("1" * 70_000)]
    for make in write:
        assert refuse([make()]).path == "args[0][0]"


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
