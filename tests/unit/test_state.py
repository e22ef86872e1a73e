"""State taken out of objects and put into instances that were never begun."""

import enum
from collections import UserDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from emporion.agents.state import Unbuilt, capture, name_of, new_shell, restore
from emporion.errors import ProtocolError


class Plain:
    def __init__(self, name: str) -> None:
        self.name = name
        self.basket = [1, 2]

    @property
    def price(self) -> int:
        return 1

    @price.setter
    def price(self, value: int) -> None:
        raise AssertionError("restoring must not run properties")


class Slotted:
    __slots__ = ("__dict__", "__secret", "a")

    def __init__(self) -> None:
        self.a, self.__secret, self.extra = 1, 2, 3

    def values(self) -> tuple[int, int, int]:
        return self.a, self.__secret, self.extra


@dataclass(frozen=True)
class Frozen:
    x: int
    more: list[int] = field(default_factory=list)


@dataclass(slots=True)
class SlottedData:
    x: int


@dataclass(frozen=True, slots=True)
class FrozenSlotted:
    x: int
    y: str


class Custom:
    def __init__(self, log: Any) -> None:
        self.log = log

    def __getstate__(self) -> str:
        return f"log {self.log}"

    def __setstate__(self, state: str) -> None:
        self.log = state.removeprefix("log ")


def travelled(obj: object) -> Any:
    shell = new_shell(type(obj))
    restore(shell, capture(obj))
    return shell


def test_attributes_survive_without_init() -> None:
    there = travelled(Plain("Harry"))
    assert type(there) is Plain
    assert vars(there) == {"name": "Harry", "basket": [1, 2]}


@pytest.mark.parametrize("obj", [Frozen(1, [2]), SlottedData(3), FrozenSlotted(4, "y")])
def test_dataclasses_survive(obj: object) -> None:
    assert travelled(obj) == obj


def test_slots_and_attributes_survive_together() -> None:
    assert travelled(Slotted()).values() == (1, 2, 3)


def test_a_class_may_say_itself_what_its_state_is() -> None:
    assert capture(Custom("x")) == "log x"
    assert travelled(Custom("x")).log == "x"


def test_an_object_without_attributes_has_no_state() -> None:
    class Empty:
        pass

    assert capture(Empty()) is None
    assert vars(travelled(Empty())) == {}


def test_an_instance_attribute_does_not_stand_in_for_getstate() -> None:
    obj = Plain("Harry")
    vars(obj)["__getstate__"] = lambda: "wrong"
    assert isinstance(capture(obj), dict)


class Colour(enum.Enum):
    RED = 1


class Access(enum.Flag):
    READ = 1
    WRITE = 2


def test_a_member_of_an_enum_travels_by_its_name() -> None:
    assert name_of(Colour.RED) == "Colour.RED"
    assert name_of(Plain("x")) == "Plain"
    assert capture(Colour.RED) is None
    shell = new_shell(Colour.RED)
    restore(shell, None)
    assert shell is Colour.RED


def test_a_combination_of_flags_has_no_name_and_says_so() -> None:
    assert name_of(Access.READ) == "Access.READ"
    with pytest.raises(TypeError, match="no name of its own"):
        name_of(Access.READ | Access.WRITE)


class Loose(enum.IntFlag):
    ONE = 1
    TWO = 2


@pytest.mark.parametrize("flags", [Access.READ | Access.WRITE, Access(0), Loose.ONE | Loose.TWO])
def test_a_combination_of_flags_is_made_from_its_value(flags: enum.Flag) -> None:
    shell = new_shell(type(flags))
    assert isinstance(shell, Unbuilt)
    assert shell.build(capture(flags)) is flags


@pytest.mark.parametrize("state", [4, -1, True, "1", None, (1,)])
def test_only_bits_that_the_class_names_are_combined(state: object) -> None:
    shell = new_shell(Loose)
    assert isinstance(shell, Unbuilt)
    with pytest.raises(ProtocolError, match="no such bits"):
        shell.build(state)
    with pytest.raises(TypeError, match=r"keep its \.value"):
        capture(Loose(5))


class Shelf(list[int]):
    pass


class Number(int):
    pass


@pytest.mark.parametrize(("obj", "base"), [(Shelf([1]), "list"), (Number(3), "int")])
def test_contents_that_are_no_attributes_are_refused_at_both_ends(obj: object, base: str) -> None:
    with pytest.raises(TypeError, match=base):
        capture(obj)
    with pytest.raises(TypeError, match=base):
        new_shell(type(obj))


def test_a_subclass_of_a_class_written_in_python_travels() -> None:
    class Settings(UserDict[str, int]):
        pass

    assert travelled(Settings(a=1)) == {"a": 1}


def test_no_enum_is_made_and_nothing_but_classes() -> None:
    with pytest.raises(TypeError, match="Enum"):
        new_shell(Colour)
    with pytest.raises(TypeError, match="not a class"):
        new_shell("Plain")


def test_an_abstract_class_has_no_instances() -> None:
    import abc

    class Idea(abc.ABC):
        @abc.abstractmethod
        def act(self) -> None: ...

    with pytest.raises(TypeError, match="abstract"):
        new_shell(Idea)


@pytest.mark.parametrize("state", [3, "x", [1], (1,), ({}, {}, {}), ({}, 3), {1: 2}, (None, {b"a": 1})])
def test_a_state_of_another_shape_is_a_protocol_error(state: object) -> None:
    with pytest.raises(ProtocolError):
        restore(new_shell(Plain), state)


@pytest.mark.parametrize("name", ["y", "__class__", "__doc__", "__slots__"])
def test_a_class_of_slots_takes_its_slots_only(name: str) -> None:
    with pytest.raises(ProtocolError, match="no attribute"):
        restore(new_shell(SlottedData), (None, {name: Plain}))


def test_a_hostile_state_reaches_neither_class_nor_properties() -> None:
    shell: Any = new_shell(Plain)
    restore(shell, ({"__class__": Custom, "price": 0}, {"__dict__": {}, "name": "Harry"}))
    assert type(shell) is Plain
    assert (shell.price, shell.name) == (1, "Harry")


# --- exceptions ------------------------------------------------------------------------------------------------------


class Wish(Exception):
    def __init__(self, thing: str, price: int) -> None:
        super().__init__(f"no {thing}")
        self.thing, self.price = thing, price


class Late(Wish):
    __slots__ = ("when",)
    when: int


class Broken(OSError):
    pass


class Unreadable(UnicodeDecodeError):
    pass


class Unwritable(UnicodeEncodeError):
    pass


class Done(StopIteration):
    pass


class Absent(ImportError):
    pass


class Crooked(SyntaxError):
    pass


class Nameless(AttributeError):
    pass


class Careful(ValueError):
    def __getstate__(self) -> object:
        return {"kept": "mine"}

    def __setstate__(self, state: Any) -> None:
        self.restored = state["kept"]


def late() -> Late:
    error = Late("tv", 3)
    error.when = 5
    error.add_note("a note")
    return error


@pytest.mark.parametrize(
    ("error", "names"),
    [
        (late(), "thing price when __notes__"),
        (Broken(2, "no such file", "a", None, "b"), "errno strerror filename filename2"),
        (Broken(2, "no such file", Path("a")), "errno strerror"),
        (Unreadable("utf-8", b"\xff\xfe", 1, 2, "bad"), "encoding object start end reason"),
        (Unwritable("ascii", "äö", 0, 1, "bad"), "encoding object start end reason"),
        (Done([1]), "value"),
        (Absent("gone", name="m", path="/m.py"), "msg name path"),
        (Crooked("bad", ("f.py", 1, 2, "x = ", 1, 3)), "msg filename lineno offset text end_lineno end_offset"),
        (Nameless("no x", name="x", obj=[1]), "name"),
    ],
)
def test_an_exception_travels_with_arguments_attributes_and_fields(error: Exception, names: str) -> None:
    try:
        raise error from RuntimeError("cause")
    except Exception as caught:
        there = travelled(caught)
    assert type(there) is type(error)
    assert there.args == error.args
    assert str(there) == str(error).replace("PosixPath('a')", "'a'")
    for name in names.split():
        assert getattr(there, name) == getattr(error, name)
    left = [there.__traceback__, there.__cause__, there.__context__, getattr(there, "obj", None)]
    assert left == [None] * 4


def test_an_exceptions_own_say_about_its_state_counts() -> None:
    there = travelled(Careful("x"))
    assert (there.args, vars(there)) == (("x",), {"restored": "mine"})


def test_what_an_exception_holds_that_is_no_plain_value_stays_behind() -> None:
    error = Broken(2, object())
    assert capture(error) == (error.args, None, {"errno": 2})
    careless = Unreadable.__new__(Unreadable)
    assert str(travelled(careless)) == ""


class Fatal(SystemExit):
    pass


class Several(ExceptionGroup[Exception]):
    pass


@pytest.mark.parametrize(
    ("error", "why"),
    [(Fatal(1), "ends programs"), (Several("x", [ValueError()]), "a group"), (ValueError(1), "travels as a value")],
)
def test_exceptions_that_cannot_be_made_from_state_are_refused_at_both_ends(error: BaseException, why: str) -> None:
    with pytest.raises(TypeError, match=why):
        capture(error)
    with pytest.raises(TypeError, match=why):
        new_shell(type(error))


SOUND = {"encoding": "utf-8", "object": b"ab", "start": 0, "end": 1, "reason": "bad"}


@pytest.mark.parametrize(
    ("cls", "state"),
    [
        (Wish, {"thing": 1}),
        (Wish, ((), None)),
        (Wish, ([], None, {})),
        (Wish, ((), None, None)),
        (Wish, ((), 3, {})),
        (Wish, ((), None, {"args": ()})),
        (Wish, ((), None, {"__traceback__": None})),
        (Wish, ((), None, {"__cause__": None})),
        (Wish, ((), None, {1: None})),
        (Broken, ((), None, {"errno": []})),
        (Broken, ((), None, {"characters_written": "x"})),
        (Nameless, ((), None, {"obj": 1})),
        (Nameless, ((), None, {"name": 1})),
        (Crooked, ((), None, {"lineno": "1"})),
        (Crooked, ((), None, {"end_offset": 10**12})),
        (Unreadable, ((), None, {"start": -5})),
        (Unreadable, ((), None, {**SOUND, "object": "ab"})),
        (Unreadable, ((), None, {**SOUND, "object": 3})),
        (Unreadable, ((), None, {**SOUND, "start": -5, "end": -4})),
        (Unreadable, ((), None, {**SOUND, "start": True})),
        (Unreadable, ((), None, {**SOUND, "end": 10**40})),
        (Unreadable, ((), None, {**SOUND, "reason": b"x"})),
        (Unreadable, ((), None, {**SOUND, "more": 1})),
        (Unwritable, ((), None, SOUND)),
    ],
)
def test_a_hostile_state_of_an_exception_is_a_protocol_error(cls: type, state: object) -> None:
    shell = new_shell(cls)
    with pytest.raises(ProtocolError):
        restore(shell, state)
    str(shell), repr(shell)  # and it can be told of all the same


def test_a_place_beyond_the_end_does_no_harm() -> None:
    shell = new_shell(Unreadable)
    restore(shell, (("x",), None, {**SOUND, "start": 10**9, "end": 10**9 + 1}))
    assert "bad" in str(shell)


def test_attributes_named_like_what_stays_behind_change_nothing() -> None:
    shell: Any = new_shell(Late)
    hostile = {"__traceback__": 1, "__class__": Plain, "__cause__": 2, "__suppress_context__": 3, "args": 4, "when": 5}
    restore(shell, (("x",), (hostile, hostile), {}))
    assert type(shell) is Late
    assert (shell.__traceback__, shell.__cause__, shell.__suppress_context__) == (None, None, False)
    assert (shell.args, shell.when) == (("x",), 5)
