"""What can be reached of an object: what is marked, and nothing that merely looks alike."""

from collections.abc import Callable
from typing import Any

import pytest
from emporion.errors import ConfigurationError
from emporion.runtime.exposure import Interface, expose, interface_of


class Shop:
    """One of each kind."""

    open = True

    def __init__(self) -> None:
        self._price = 1

    @expose
    def buy(self) -> int:
        return 1

    def secret(self) -> int:
        return 2

    @property
    @expose
    def price(self) -> int:
        return self._price

    @price.setter
    def price(self, value: int) -> None:
        self._price = value

    @property
    def cost(self) -> int:
        return 0

    @expose
    @staticmethod
    def motto() -> str:
        return "all is for sale"

    @expose
    @classmethod
    def found(cls) -> "Shop":
        return cls()


def members(cls: type) -> set[str]:
    interface = interface_of(cls)
    return set() if interface is None else {*interface.methods, *interface.properties}


def test_marked_members_are_exposed_and_no_others() -> None:
    assert interface_of(Shop) == Interface("Shop", frozenset({"buy", "motto", "found"}), frozenset({"price"}))


def test_a_property_can_be_marked_as_a_whole_too() -> None:
    def cost(self: object) -> int:
        return 0

    assert members(type("Open", (), {"cost": expose(property(cost))})) == {"cost"}


def test_an_interface_knows_its_names() -> None:
    interface = interface_of(Shop)

    assert interface is not None
    assert "buy" in interface
    assert "price" in interface
    assert "secret" not in interface


def test_a_class_without_marks_exposes_nothing() -> None:
    class Plain:
        def method(self) -> None: ...

    assert interface_of(Plain) is None
    assert interface_of(int) is None


def test_exposing_a_class_exposes_its_public_members() -> None:
    @expose
    class Open:
        attribute = 1

        def one(self) -> None: ...
        def _two(self) -> None: ...
        def __len__(self) -> int:
            return 0

        @property
        def three(self) -> int:
            return 3

        class Inner:
            """No member that can be called from elsewhere."""

    assert members(Open) == {"one", "three"}


def test_marks_are_inherited() -> None:
    class Corner(Shop):
        def more(self) -> None: ...

    assert members(Corner) == members(Shop)
    interface = interface_of(Corner)
    assert interface is not None
    assert interface.label.endswith("Corner")


def test_an_exposed_class_does_not_expose_what_its_subclasses_add() -> None:
    @expose
    class Open:
        def one(self) -> None: ...

    class More(Open):
        def two(self) -> None: ...

    assert members(More) == {"one"}


@pytest.mark.parametrize("value", [lambda self: 1, 1, None, property(lambda self: 1), Shop])
def test_an_override_without_a_mark_takes_the_member_back(value: Any) -> None:
    """What would run was never marked."""
    closed = type("Closed", (Shop,), {"buy": value})

    assert members(closed) == members(Shop) - {"buy"}


def test_a_private_name_is_not_exposed_whatever_it_refers_to() -> None:
    hidden = type("Hidden", (), {"_buy": Shop.buy, "__len__": Shop.buy})

    assert interface_of(hidden) is None


@pytest.mark.parametrize("name", ["_private", "__init__", "__call__"])
def test_exposing_a_private_name_is_refused(name: str) -> None:
    def function(self: object) -> None: ...

    function.__name__ = name
    with pytest.raises(ConfigurationError, match="private"):
        expose(function)


class _Callable:
    def __call__(self) -> None: ...


@pytest.mark.parametrize("member", [1, None, len, _Callable(), property(), property(len), "buy"])
def test_exposing_what_is_no_function_is_refused(member: Any) -> None:
    with pytest.raises(ConfigurationError, match="takes methods"):
        expose(member)


def test_a_member_that_only_says_it_is_marked_is_not() -> None:
    """The mark is looked for on functions: an object that answers to any name cannot pose as marked."""

    class Yes:
        def __getattr__(self, name: str) -> Any:
            return True

        def __call__(self) -> None: ...

    posing = type("Posing", (), {"run": Yes()})

    assert interface_of(posing) is None


def test_what_is_exposed_stays_what_it_was() -> None:
    shop = Shop.found()
    shop.price = 5
    bought: Callable[[], int] = shop.buy

    assert (bought(), shop.price, shop.motto()) == (1, 5, "all is for sale")
