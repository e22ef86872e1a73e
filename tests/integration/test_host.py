"""Hosts and clients over real sockets: what users of the public names see, agents apart."""

import asyncio
import gc
import os
import signal
import stat
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import emporion
import pytest
from emporion.runtime.peer import Peer

PASSPHRASE = "correct horse battery staple"
QUICK = emporion.Verifiers([PASSPHRASE], iterations=4096)


class Shelf:
    """A part of the shop that is never registered."""

    def __init__(self, label: str) -> None:
        self.label_ = label

    @emporion.expose
    def label(self) -> str:
        return self.label_


@emporion.portable
@dataclass(frozen=True)
class Price:
    amount: int
    since: date


class Shop:
    def __init__(self) -> None:
        self.shelf = Shelf("top")
        self.motto_ = "first come"
        self.entered = threading.Event()
        self.leave = threading.Event()
        self.inside = 0
        self.most_inside = 0
        self.counting = threading.Lock()

    @emporion.expose
    def echo(self, *args: Any, **kwargs: Any) -> Any:
        return [list(args), kwargs]

    @property
    @emporion.expose
    def motto(self) -> str:
        return self.motto_

    @motto.setter
    def motto(self, text: str) -> None:
        self.motto_ = text

    @emporion.expose
    def top_shelf(self) -> Shelf:
        return self.shelf

    @emporion.expose
    def is_top_shelf(self, shelf: Shelf) -> bool:
        return shelf is self.shelf

    @emporion.expose
    def price(self, price: Price) -> Price:
        return Price(price.amount + 1, price.since)

    @emporion.expose
    def ask_back(self, customer: Any) -> str:
        return f"the customer says {customer.answer(41)}"

    @emporion.expose
    async def slowly(self) -> str:
        await asyncio.sleep(0)
        return f"to {emporion.caller().identity}"

    @emporion.expose
    def who(self) -> tuple[str | None, str]:
        caller = emporion.caller()
        return caller.identity, caller.address[0]

    @emporion.expose
    def fail(self) -> None:
        raise ValueError("no such thing", 7)

    @emporion.expose
    def wait(self) -> str:
        self.entered.set()
        return "left" if self.leave.wait(20) else "forgotten"

    @emporion.expose
    def counted(self) -> None:
        with self.counting:
            self.inside += 1
            self.most_inside = max(self.most_inside, self.inside)
        self.leave.wait(0.05)
        with self.counting:
            self.inside -= 1

    @emporion.expose
    def junk(self) -> object:
        return {"deep": [1, {"x": lambda: 1}]}

    def secret(self) -> str:
        return "not exposed"


class Customer:
    @emporion.expose
    def answer(self, number: int) -> int:
        return number + 1


@pytest.fixture(params=["127.0.0.1:0", "emporion+tcp://127.0.0.1:0"], ids=["tls", "clear"])
def host(request: pytest.FixtureRequest) -> Iterator[emporion.Host]:
    with emporion.Host(request.param, passphrases=QUICK) as host:
        yield host


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()
    yield shop
    shop.leave.set()


@pytest.fixture
def proxy(host: emporion.Host, shop: Shop) -> Iterator[Any]:
    with emporion.connect(host.register(shop, "shop"), passphrase=PASSPHRASE) as proxy:
        yield proxy


# --- calls ------------------------------------------------------------------------------------------------------


def test_arguments_and_results_keep_their_types(proxy: Any) -> None:
    assert proxy.echo(1, "two", (3, 4.0), key={5: {6}}) == [[1, "two", (3, 4.0)], {"key": {5: {6}}}]
    assert proxy.echo(2**80, b"x" * 1_000_000, None)[0] == [2**80, b"x" * 1_000_000, None]


def test_properties_are_read_and_written(proxy: Any, shop: Shop) -> None:
    assert proxy.motto == "first come"
    proxy.motto = "first served"
    assert shop.motto_ == "first served"


def test_an_object_with_exposed_members_goes_as_a_capability_and_comes_home_as_itself(proxy: Any) -> None:
    shelf = proxy.top_shelf()
    assert shelf.label() == "top"
    assert proxy.is_top_shelf(shelf) is True
    assert proxy.top_shelf() is shelf
    assert proxy.top_shelf().label() == "top"  # a proxy that nobody keeps lives as long as its call


def test_a_registered_portable_class_goes_by_value(proxy: Any) -> None:
    assert proxy.price(Price(7, date(2026, 1, 2))) == Price(8, date(2026, 1, 2))


def test_a_host_calls_back_into_the_client_in_the_middle_of_a_call(proxy: Any) -> None:
    assert proxy.ask_back(Customer()) == "the customer says 42"


def test_an_async_method_is_run_for_its_caller(proxy: Any) -> None:
    assert proxy.slowly() == "to None"


def test_an_exception_arrives_with_its_type_arguments_and_traceback(proxy: Any) -> None:
    with pytest.raises(ValueError, match="no such thing") as caught:
        proxy.fail()
    assert caught.value.args == ("no such thing", 7)
    assert any("in fail" in note for note in caught.value.__notes__)


def test_a_host_can_keep_its_tracebacks_to_itself(shop: Shop) -> None:
    with emporion.Host("emporion+tcp://127.0.0.1:0", passphrases=QUICK, tracebacks="none") as host:
        uri = host.register(shop, "shop")
        with emporion.connect(uri, passphrase=PASSPHRASE) as proxy, pytest.raises(ValueError) as caught:
            proxy.fail()
    assert not getattr(caught.value, "__notes__", [])


@pytest.mark.parametrize("name", ["secret", "motto_", "nothing", "wait_"])
def test_what_is_not_exposed_does_not_exist(proxy: Any, name: str) -> None:
    with pytest.raises(emporion.NotExposed, match=r"exposes .*echo"):
        getattr(proxy, name)
    peer: Peer = proxy._peer
    with pytest.raises(emporion.NotExposed):
        peer.call(proxy._number, 0, name, (), {})


def test_what_cannot_travel_is_named_with_its_path(proxy: Any) -> None:
    with pytest.raises(emporion.ValueNotPortable) as caught:
        proxy.echo([1, {"a": object()}])
    assert caught.value.path == "args[0][1]['a']"
    with pytest.raises(emporion.ValueNotPortable) as caught:
        proxy.junk()
    assert caught.value.path == "result['deep'][1]['x']"
    assert proxy.echo() == [[], {}]


def test_a_proxy_that_is_dropped_is_released_at_the_host(host: emporion.Host, proxy: Any) -> None:
    (guest,) = host._doors.guests
    before = len(guest.exports)
    shelf = proxy.top_shelf()
    assert len(guest.exports) == before + 1
    del shelf
    gc.collect()
    proxy.echo()
    assert len(guest.exports) == before


# --- connecting -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("passphrase", ["wrong", "", None])
def test_a_wrong_empty_or_missing_passphrase_is_denied_for_security(host: emporion.Host, shop: Shop,
                                                                    passphrase: str | None) -> None:
    uri = host.register(shop, "shop")
    with pytest.raises(emporion.ConnectionDenied) as caught:
        emporion.connect(uri, passphrase=passphrase, verify_host=passphrase is not None)
    assert caught.value.reason is emporion.DenyReason.SECURITY
    assert host.connections() == []


def test_a_passphrase_may_be_asked_for_when_it_is_needed(host: emporion.Host, shop: Shop) -> None:
    asked: list[int] = []

    def prompt() -> str:
        asked.append(1)
        return PASSPHRASE

    with emporion.connect(host.register(shop, "shop"), passphrase=prompt) as proxy:
        assert proxy.who() == (None, "127.0.0.1")
    assert asked == [1]


def test_labels_of_passphrases_are_the_callers_identity(shop: Shop) -> None:
    verifiers = emporion.Verifiers({"alice": "a-pass", "bob": "b-pass"}, iterations=4096)
    with emporion.Host("emporion+tcp://127.0.0.1:0", passphrases=verifiers) as host:
        uri = host.register(shop, "shop")
        with emporion.connect(uri, passphrase="b-pass") as proxy:
            assert proxy.who()[0] == "bob"
        with emporion.connect(uri, login="alice", passphrase="a-pass") as proxy:
            assert proxy.who()[0] == "alice"
        with pytest.raises(emporion.ConnectionDenied):
            emporion.connect(uri, login="alice", passphrase="b-pass")


def test_passphrases_change_while_the_host_runs(host: emporion.Host, proxy: Any) -> None:
    uri = host._doors.uri("shop")
    host.set_allowed_identifications(["another"])
    assert proxy.who() == (None, "127.0.0.1")  # connections that are open stay
    with pytest.raises(emporion.ConnectionDenied):
        emporion.connect(uri, passphrase=PASSPHRASE)
    emporion.connect(uri, passphrase="another").__exit__(None, None, None)
    with pytest.raises(emporion.ConfigurationError, match="allow_anonymous"):
        host.set_allowed_identifications(None)


def test_a_host_without_passphrases_refuses_to_listen() -> None:
    with pytest.raises(emporion.ConfigurationError, match="allow_anonymous=True"):
        emporion.Host("127.0.0.1:0")


def test_a_client_says_how_it_knows_the_host_or_that_it_does_not_care(shop: Shop) -> None:
    with emporion.Host("emporion+tcp://127.0.0.1:0", allow_anonymous=True) as host:
        uri = host.register(shop, "shop")
        with pytest.raises(emporion.ConfigurationError, match="verify_host=False"):
            emporion.connect(uri)
        with emporion.connect(uri, verify_host=False) as proxy:
            assert proxy.who()[0] is None
        with pytest.raises(emporion.ConnectionDenied, match="asks nobody for a passphrase"):
            emporion.connect(uri, passphrase=PASSPHRASE)


def test_a_unix_socket_is_private_and_knows_its_peer(shop: Shop, tmp_path: Path) -> None:
    path = tmp_path / "host.sock"
    with emporion.Host(f"emporion+unix://{path}") as host:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with emporion.connect(host.register(shop, "shop")) as proxy:
            assert proxy.who() == (None, f"uid={os.getuid()},pid={os.getpid()}")
    assert not path.exists()


def test_a_wrong_fingerprint_is_denied_before_anything_is_said(shop: Shop) -> None:
    with emporion.Host("127.0.0.1:0", passphrases=QUICK) as host:
        uri = str(host.register(shop, "shop"))
        mark = uri.rpartition(":")[2]
        with pytest.raises(emporion.ConnectionDenied, match="stranger"):
            emporion.connect(uri.replace(mark, "0" * 64), passphrase=PASSPHRASE)


def test_nobody_at_the_address_is_a_lost_connection(shop: Shop) -> None:
    with emporion.Host("emporion+tcp://127.0.0.1:0", passphrases=QUICK) as host:
        uri = host.register(shop, "shop")
    with pytest.raises(emporion.ConnectionLost, match="is it running"):
        emporion.connect(uri, passphrase=PASSPHRASE)


def test_an_unknown_name_is_a_naming_error(host: emporion.Host, proxy: Any) -> None:
    with pytest.raises(emporion.NamingError, match="nowhere"):
        emporion.connect(host._doors.uri("nowhere"), passphrase=PASSPHRASE)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"codec": "pickle"}, "codec"),
        ({"identity": "x", "login": "y"}, "either"),
        ({"passphrase": 5}, "text"),
    ],
)
def test_options_that_cannot_be_right_are_said(host: emporion.Host, options: dict[str, Any], words: str) -> None:
    with pytest.raises(emporion.ConfigurationError, match=words):
        emporion.connect(host._doors.uri("shop"), **{"passphrase": PASSPHRASE, **({} if "identity" not in options else
                                              {"passphrase": None}), **options})


def test_connections_beyond_the_most_are_denied_as_too_busy(shop: Shop) -> None:
    with emporion.Host("emporion+tcp://127.0.0.1:0", passphrases=QUICK, max_connections=1) as host:
        uri = host.register(shop, "shop")
        with emporion.connect(uri, passphrase=PASSPHRASE):
            with pytest.raises(emporion.ConnectionDenied) as caught:
                emporion.connect(uri, passphrase=PASSPHRASE)
            assert caught.value.reason is emporion.DenyReason.SERVER_TOO_BUSY


def test_an_operator_ends_a_connection(host: emporion.Host, proxy: Any) -> None:
    (connection,) = host.connections()
    connection.close("enough")
    with pytest.raises(emporion.ConnectionLost):
        for _ in range(100):
            proxy.who()


# --- objects ----------------------------------------------------------------------------------------------------


def test_registering_what_exposes_nothing_or_twice_the_same_name_is_an_error(host: emporion.Host, shop: Shop) -> None:
    with pytest.raises(emporion.ConfigurationError, match="expose"):
        host.register(object(), "nothing")
    host.register(shop, "shop")
    with pytest.raises(emporion.ConfigurationError, match="already"):
        host.register(Shop(), "shop")
    with pytest.raises(emporion.ConfigurationError, match="callable"):
        host.register(Shop(), "other", code_validator="agent.*")  # type: ignore[arg-type]


def test_an_unregistered_object_is_not_found_any_more(host: emporion.Host, shop: Shop) -> None:
    uri = host.register(shop, "shop")
    host.unregister(shop)
    with pytest.raises(emporion.NamingError):
        emporion.connect(uri, passphrase=PASSPHRASE)
    with pytest.raises(emporion.ConfigurationError, match="not registered"):
        host.unregister("shop")


def test_a_synchronized_object_takes_one_call_at_a_time(shop: Shop) -> None:
    for synchronized, most in ((True, 1), (False, 2)):
        shop.most_inside = 0
        with emporion.Host("emporion+tcp://127.0.0.1:0", passphrases=QUICK) as host:
            uri = host.register(shop, "shop", synchronized=synchronized)
            with emporion.connect(uri, passphrase=PASSPHRASE) as proxy:
                _together([proxy.counted] * 4)
        assert (shop.most_inside > 1) is (most > 1)


def test_weaker_walls_are_only_for_loopback(shop: Shop) -> None:
    with pytest.raises(emporion.ConfigurationError, match="loopback"):
        emporion.Host("0.0.0.0:0", passphrases=QUICK, isolation=emporion.Isolation(language=False))


# --- time and ends ----------------------------------------------------------------------------------------------


def test_a_call_that_takes_too_long_is_given_up_and_the_connection_goes_on(host: emporion.Host, shop: Shop) -> None:
    with emporion.connect(host.register(shop, "shop"), passphrase=PASSPHRASE, timeout_s=1.0) as proxy:
        with pytest.raises(emporion.CallTimeout):
            proxy.wait()
        shop.leave.set()
        assert proxy.who() == (None, "127.0.0.1")


def test_a_slow_call_keeps_no_other_thread_of_the_client_waiting(proxy: Any, shop: Shop) -> None:
    slow = threading.Thread(target=proxy.wait)
    slow.start()
    assert shop.entered.wait(10)
    assert proxy.who() == (None, "127.0.0.1")
    shop.leave.set()
    slow.join(10)
    assert not slow.is_alive()


def test_draining_waits_for_calls_and_lets_nobody_new_in(host: emporion.Host, proxy: Any, shop: Shop) -> None:
    slow = threading.Thread(target=proxy.wait)
    slow.start()
    assert shop.entered.wait(10)
    assert host.drain(0.05) is False
    shop.leave.set()
    assert host.drain(10) is True
    slow.join(10)


def test_a_host_that_closes_ends_its_clients_calls(shop: Shop) -> None:
    failed: list[BaseException] = []

    def call() -> None:
        try:
            desk.wait()
        except emporion.ConnectionLost as error:
            failed.append(error)

    host = emporion.Host("emporion+tcp://127.0.0.1:0", passphrases=QUICK)
    host.start()
    desk = emporion.connect(host.register(shop, "shop"), passphrase=PASSPHRASE)
    waiting_call = threading.Thread(target=call)
    waiting_call.start()
    assert shop.entered.wait(10)
    closing = threading.Thread(target=host.close)
    closing.start()
    waiting_call.join(10)  # while the hosted method still runs
    assert len(failed) == 1
    shop.leave.set()
    closing.join(10)
    assert not closing.is_alive()
    with pytest.raises(emporion.ConnectionLost):
        desk.who()
    with pytest.raises(emporion.ConfigurationError, match="closed"):
        host.start()


def _together(calls: list[Callable[[], Any]]) -> None:
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()


def test_a_signal_in_the_middle_of_waiting_ends_a_host() -> None:
    class Waited(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            with self._cond:  # type: ignore[attr-defined]
                signal.raise_signal(signal.SIGTERM)
            return super().wait(timeout)

    def too_late(*_: object) -> None:
        raise AssertionError("the host waits for itself")

    before = signal.signal(signal.SIGALRM, too_late)
    signal.alarm(20)
    try:
        with emporion.Host("emporion+tcp://127.0.0.1:0", allow_anonymous=True) as host:
            host._closed = Waited()
            host.serve_forever()
            assert host._ended
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
