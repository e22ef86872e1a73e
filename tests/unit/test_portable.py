"""The registry: what can be registered, how it travels, and what a peer cannot do with it."""

import dataclasses
from collections.abc import Callable
from enum import Enum, Flag, IntEnum, StrEnum
from typing import Any

import pytest
from emporion.errors import ConfigurationError, ProtocolError, ValueNotPortable
from emporion.runtime.wire.decode import decode_values
from emporion.runtime.wire.kinds import Kind, Tag
from emporion.runtime.wire.messages import Body
from emporion.runtime.wire.msgpack import MsgpackCodec
from emporion.runtime.wire.portable import find, find_named, portable, registered_name
from emporion.runtime.wire.values import encode_values

NO_BLOBS = memoryview(b"")


class Nothing:
    """Hooks of a session that has neither capabilities nor mobile code."""

    def capability(self, obj: object) -> None:
        return None

    def mobile(self, *_: object) -> None:
        return None

    def named(self, *_: object) -> None:
        return None

    def fill(self, shell: object, state: object) -> None:
        raise AssertionError("there is no shell to fill")


@portable
@dataclasses.dataclass
class Price:
    amount: int
    currency: str = "EUR"


@portable
@dataclasses.dataclass(frozen=True)
class Point:
    x: float
    y: float


@portable
@dataclasses.dataclass(frozen=True, slots=True)
class Slotted:
    name: str
    inner: Any = None


@portable
@dataclasses.dataclass
class Discount(Price):
    percent: int = 0
    made_by_init: list[str] = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        self.made_by_init = ["post_init ran"]


@portable
@dataclasses.dataclass
class Empty:
    pass


@portable
class Colour(Enum):
    RED = 1
    CRIMSON = 1  # noqa: PIE796  (an alias on purpose)
    BLUE = 2


@portable
class Level(IntEnum):
    LOW = 1


@portable
class Word(StrEnum):
    YES = "yes"


@portable
class Rights(Flag):
    READ = 1
    WRITE = 2
    ALL = 3


@portable
class SoldOut(Exception):
    def __init__(self, product: str, *, left: int) -> None:
        super().__init__(f"{product} is sold out")
        self.product = product
        self.left = left


def trip(value: object) -> Any:
    body, blobs = encode_values([value], Nothing(), label=lambda n: f"args[{n}]")
    wire = msgpack_trip(body)
    return decode_values(wire, memoryview(b"".join(blobs)), Nothing())[0]


def msgpack_trip(body: Body) -> Body:
    from emporion.runtime.wire.messages import Result

    codec = MsgpackCodec()
    message = codec.decode(codec.encode(Result(1, body)))
    assert isinstance(message, Result)
    return message.body


def decode(roots: list[Any], *rows: list[Any]) -> Any:
    return decode_values(Body(roots, list(rows)), NO_BLOBS, Nothing())[0]


@pytest.mark.parametrize(
    "value",
    [
        *(Price(3), Point(1.5, -0.0), Slotted("a", [Slotted("b")]), Empty()),
        *(Colour.BLUE, Colour.CRIMSON, Level.LOW, Word.YES, Rights.READ | Rights.WRITE, Rights(0)),
        [Price(1), Price(2, "USD"), Point(0.0, 1.0), Price(3)],
    ],
)
def test_instances_of_registered_classes_come_back_equal_and_of_the_same_class(value: object) -> None:
    back = trip(value)
    assert back == value
    assert type(back) is type(value)


def test_the_class_and_its_fields_are_named_once_a_message() -> None:
    body, _ = encode_values([Price(1), Price(2)], Nothing(), label=str)
    name = registered_name(Price)
    assert body.rows == [[Kind.PORTABLE, name, ["amount", "currency"], 1, "EUR"], [Kind.PORTABLE_LIKE, 0, 2, "EUR"]]


def test_a_member_of_an_enum_comes_back_as_that_very_member() -> None:
    assert trip(Colour.RED) is Colour.RED


def test_neither_init_nor_post_init_runs_at_the_receiver() -> None:
    value = Discount(10, percent=5)
    value.made_by_init = ["changed since"]
    back = trip(value)
    assert back == value
    assert back.made_by_init == ["changed since"]


def test_attributes_that_are_no_fields_stay_behind() -> None:
    value = Price(3)
    value.note = "not a field"  # type: ignore[attr-defined]
    assert vars(trip(value)) == {"amount": 3, "currency": "EUR"}


def test_a_registered_exception_keeps_its_arguments_and_attributes() -> None:
    back = trip(SoldOut("tv", left=0))
    assert type(back) is SoldOut
    assert (str(back), back.product, back.left) == ("tv is sold out", "tv", 0)


def test_an_object_that_contains_itself_survives() -> None:
    value = Price(1)
    value.currency = value  # type: ignore[assignment]
    back = trip(value)
    assert back.currency is back


def test_frozen_objects_are_complete_before_they_are_hashed() -> None:
    inner = Slotted("inner", Point(1.0, 2.0))
    value = {Slotted("outer", inner): 1, (inner, 2): frozenset([inner])}
    assert trip(value) == value


def test_a_frozen_object_whose_uncompared_field_leads_back_to_its_own_set_survives() -> None:
    members: set[Any] = set()
    node = Member("a", members)
    members.add(node)
    back = trip(node)
    assert back in back.group
    assert trip(members) == members


@portable
@dataclasses.dataclass(frozen=True)
class Member:
    name: str
    group: Any = dataclasses.field(compare=False)


def test_a_missing_field_is_named_at_the_sender() -> None:
    value = Discount.__new__(Discount)
    with pytest.raises(ValueNotPortable, match=r"^args\[0\]: lacks a declared field.*amount"):
        trip(value)


def test_a_subclass_that_is_not_registered_stays_at_home() -> None:
    class Special(Price):
        pass

    with pytest.raises(ValueNotPortable, match="Special is neither"):
        trip(Special(1))


@pytest.mark.parametrize("fields", [["amount"], ["amount", "currency", "more"], ["amount", "amount"], [1, 2], []])
def test_other_fields_than_the_declared_ones_are_refused(fields: list[Any]) -> None:
    row = [Kind.PORTABLE, registered_name(Price), fields, *range(len(fields))]
    with pytest.raises(ProtocolError, match="other fields"):
        decode([[0]], row)


def test_fields_may_come_in_another_order() -> None:
    assert decode([[0]], [Kind.PORTABLE, registered_name(Price), ["currency", "amount"], "USD", 7]) == Price(7, "USD")


@pytest.mark.parametrize("values", [[1], [1, "a", 2]])
def test_more_or_fewer_values_than_fields_are_refused(values: list[Any]) -> None:
    with pytest.raises(ProtocolError, match="values for 2 fields"):
        decode([[0]], [Kind.PORTABLE, registered_name(Price), ["amount", "currency"], *values])


@pytest.mark.parametrize("name", ["os.system", "builtins.dict", "tests.Price", 7, None])
def test_a_class_that_is_not_registered_is_never_looked_up(name: Any) -> None:
    with pytest.raises(ProtocolError, match="registered"):
        decode([[0]], [Kind.PORTABLE, name, []])


def test_an_enum_cannot_be_rebuilt_as_an_object_nor_a_dataclass_as_an_enum() -> None:
    with pytest.raises(ProtocolError):
        decode([[0]], [Kind.PORTABLE, registered_name(Colour), []])
    with pytest.raises(ProtocolError):
        decode([[Tag.ENUM, registered_name(Price), "amount"]])


@pytest.mark.parametrize(
    "item",
    [
        [Tag.ENUM, registered_name(Colour), "GREEN"],
        [Tag.ENUM, registered_name(Colour), 1],
        [Tag.ENUM, registered_name(Colour), "__class__"],
        [Tag.ENUM, registered_name(Rights), "READ"],
        [Tag.FLAG, registered_name(Rights), 4],
        [Tag.FLAG, registered_name(Rights), -1],
        [Tag.FLAG, registered_name(Rights), "READ"],
        [Tag.FLAG, registered_name(Colour), 1],
        [Tag.ENUM, registered_name(Colour)],
    ],
)
def test_members_that_are_not_there_are_refused(item: list[Any]) -> None:
    with pytest.raises(ProtocolError):
        decode([item])


def test_a_plain_class_cannot_be_registered_and_the_error_says_what_to_do() -> None:
    class Plain:
        pass

    with pytest.raises(ConfigurationError, match="make it a dataclass"):
        portable(Plain)


def test_a_subclass_of_a_dataclass_that_is_none_itself_cannot_be_registered() -> None:
    class Forgot(Price):
        more: int = 0

    with pytest.raises(ConfigurationError):
        portable(Forgot)


def test_a_dataclass_over_a_builtin_container_cannot_be_registered() -> None:
    @dataclasses.dataclass
    class Odd(dict):  # type: ignore[type-arg]
        x: int = 0

    with pytest.raises(ConfigurationError, match="without __init__"):
        portable(Odd)


def test_system_exit_cannot_be_registered() -> None:
    class Leave(SystemExit):
        pass

    with pytest.raises(ConfigurationError):
        portable(Leave)


def test_one_name_cannot_mean_two_classes() -> None:
    @dataclasses.dataclass
    class Other:
        amount: int

    with pytest.raises(ConfigurationError, match="another name="):
        portable(name=registered_name(Price))(Other)
    assert find_named(registered_name(Price)) is find(Price)


def test_a_class_defined_once_more_takes_the_name_over() -> None:
    def define() -> type:
        @portable
        @dataclasses.dataclass
        class Again:
            x: int

        return Again

    first, second = define(), define()
    name = registered_name(second)
    assert first is not second
    entry = find_named(name)
    assert entry is not None
    assert entry.cls is second


@pytest.mark.parametrize("name", ["Price", "a b.c", "emporion.errors.Price", "", "x" * 600 + ".y"])
def test_names_that_are_not_dotted_or_are_ours_are_refused(name: str) -> None:
    @dataclasses.dataclass
    class Fine:
        x: int

    if name:
        with pytest.raises(ConfigurationError):
            portable(name=name)(Fine)
    assert find(Fine) is None


def test_a_name_of_ones_own_is_what_travels() -> None:
    @portable(name="shop.Named")
    @dataclasses.dataclass
    class Named:
        x: int

    body, _ = encode_values([Named(1)], Nothing(), label=str)
    assert body.rows == [[Kind.PORTABLE, "shop.Named", ["x"], 1]]


@pytest.mark.parametrize("bad", [3, "Price", Price(1)])
def test_only_classes_can_be_registered(bad: Any) -> None:
    register: Callable[[Any], Any] = portable
    with pytest.raises(ConfigurationError, match="a class is needed"):
        register(bad)
