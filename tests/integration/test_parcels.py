"""A client that takes in no code carries objects of a host's classes unopened, and hands them on."""

from collections.abc import Iterator
from typing import Any

import emporion
import pytest
from emporion.errors import CodeDenied
from emporion.tests.harbour import PASSPHRASE, Harbour, Stage, anything_goes, open_host

GOODS = """
class Goods:
    def __init__(self, price):
        self.price = price
        self.friend = None

    def label(self):
        return f"goods for {self.price}"

def make(price):
    return Goods(price)
"""


@pytest.fixture
def elsewhere() -> Iterator[emporion.Host]:
    with open_host() as host:
        yield host


def closed(harbour: Harbour, uri: emporion.URI) -> Any:
    return harbour.connect(uri, mobile_code=False)


def test_any_use_of_one_says_what_would_open_it(harbour: Harbour) -> None:
    module = harbour.shelf.module(GOODS)
    parcel, function = closed(harbour, harbour.register(lambda: [module.Goods(3), module.make])).go()
    assert isinstance(parcel, emporion.Parcel)
    for use in (lambda: parcel.label(), lambda: parcel.price, lambda: setattr(parcel, "price", 1), lambda: function(2)):
        with pytest.raises(CodeDenied, match="mobile_code=True") as denied:
            use()
        assert (denied.value.module, denied.value.direction) == (module.__name__, "download")
    assert f"{module.__name__}.Goods" in repr(parcel)
    assert "unopened" in repr(function)
    with pytest.raises(TypeError, match="parcel"):
        __import__("pickle").dumps(parcel)


def test_nothing_of_its_code_runs_at_the_client(harbour: Harbour) -> None:
    module = harbour.shelf.module("import sys\nsys.ran = getattr(sys, 'ran', 0) + 1\n" + GOODS)
    import sys

    before = sys.ran  # type: ignore[attr-defined]
    parcel = closed(harbour, harbour.register(lambda: module.Goods(3))).go()
    assert repr(parcel)
    assert sys.ran == before  # type: ignore[attr-defined]


def test_it_goes_back_to_its_host_and_comes_again(harbour: Harbour) -> None:
    module = harbour.shelf.module(GOODS)
    uri = harbour.register(lambda thing=None: module.Goods(3) if thing is None else [thing.label(), thing])
    proxy = closed(harbour, uri)
    label, again = proxy.go(proxy.go())
    assert label == "goods for 3"
    assert isinstance(again, emporion.Parcel)
    assert proxy.go(again)[0] == "goods for 3"


def test_it_goes_on_to_another_host_after_its_own_was_left(harbour: Harbour, elsewhere: emporion.Host) -> None:
    module = harbour.shelf.module(GOODS)
    asked: list[Any] = []

    def validator(name: str, source: str | None, address: Any) -> bool:
        asked.append((name, source is not None))
        return True

    with emporion.connect(harbour.register(lambda: module.Goods(5)), passphrase=PASSPHRASE) as proxy:
        parcel = proxy.go()
    uri = elsewhere.register(Stage(lambda thing: [thing.label(), thing]), code_validator=validator)
    label, again = closed(harbour, uri).go(parcel)
    assert label == "goods for 5"
    assert isinstance(again, emporion.Parcel)
    assert asked == [(module.__name__, True)]
    with pytest.raises(CodeDenied, match="upload"):
        closed(harbour, elsewhere.register(Stage(lambda thing: None))).go(parcel)


def test_a_client_that_opens_may_hand_on_what_another_connection_left_closed(
    harbour: Harbour, elsewhere: emporion.Host
) -> None:
    module = harbour.shelf.module(GOODS)
    parcel = closed(harbour, harbour.register(lambda: module.Goods(5))).go()
    uri = elsewhere.register(Stage(lambda thing: [thing.label(), thing]), code_validator=anything_goes)
    label, again = harbour.connect(uri).go(parcel)
    assert label == "goods for 5"
    assert isinstance(again, emporion.Parcel)  # as it went out


def test_what_parcels_share_stays_shared(harbour: Harbour) -> None:
    module = harbour.shelf.module(GOODS)

    def play(pair: Any = None) -> Any:
        if pair is None:
            one, other = module.Goods(1), module.Goods(2)
            one.friend, other.friend = other, one
            return [one, other, one]
        first, second, third = pair
        return [first is third, first.friend is second, second.friend is first, second.price]

    proxy = closed(harbour, harbour.register(play))
    came = proxy.go()
    assert came[0] is came[2]
    assert proxy.go(came) == [True, True, True, 2]


def test_an_exception_of_a_hosts_class_is_a_remote_error_where_no_code_comes_in(harbour: Harbour) -> None:
    module = harbour.shelf.module("class Gone(Exception):\n    pass\n")

    def play() -> None:
        raise module.Gone("sold out")

    with pytest.raises(emporion.RemoteError, match="sold out") as raised:
        closed(harbour, harbour.register(play)).go()
    assert raised.value.type_name == "Gone"
