"""Gates: networks, a function that decides, limits on connections and on how often they come."""

import gc
import sys
import threading
from typing import Any

import pytest
from emporion.errors import ConfigurationError, ConnectionDenied, DenyReason
from emporion.tests.handshaking import ANN, BOB, OPEN_TO_ALL, WRONG, Clock, Place, meet
from emporion.validators.connection import (
    ConnectionValidator,
    all_of,
    allowed_networks,
    any_of,
    blocked_networks,
    by_host,
    max_connections,
    rate,
)
from emporion.validators.verdict import Verdict, deny

UNIX = "uid=1000,pid=77"


# --- networks and functions


@pytest.mark.parametrize(
    ("ip", "inside"),
    [
        ("10.1.2.3", True),
        ("11.1.2.3", False),
        ("2001:db8::1", True),
        ("2001:db8::2", False),
        ("::ffff:10.1.2.3", True),
        ("::ffff:11.1.2.3", False),
        ("fe80::1%eth0", True),
        (UNIX, False),
    ],
)
def test_networks_are_allowed_and_blocked(ip: str, inside: bool) -> None:
    networks = ("10.0.0.0/8", "2001:db8::1", "fe80::/10")
    let_in, kept_out = meet(allowed_networks(*networks), ip=ip), meet(blocked_networks(*networks), ip=ip)
    assert (bool(let_in), bool(kept_out)) == (inside, not inside)
    denied = kept_out if inside else let_in
    assert denied.code is DenyReason.HOST_BLOCKED and not denied.asked
    assert ("lies in " if inside else "lies in none of 10.0.0.0/8, ") in denied.reason


@pytest.mark.parametrize(
    "gate", [allowed_networks("0.0.0.0/0"), blocked_networks("::1"), by_host(lambda address: True), max_connections(9),
             rate(9, 1)]
)  # fmt: skip
def test_a_gate_leaves_proof_and_limit_of_the_host_in_force(gate: ConnectionValidator) -> None:
    assert meet(gate, ANN).identity == "ann"
    assert meet(gate, WRONG).code is DenyReason.SECURITY
    assert meet(gate, None).code is DenyReason.SECURITY
    assert meet(gate, None, place=OPEN_TO_ALL)
    full = meet(gate, ANN, place=Place(max_connections=0))
    assert full.code is DenyReason.SERVER_TOO_BUSY and not full.asked


@pytest.mark.parametrize(
    ("answer", "code", "why"),
    [
        (True, None, ""),
        (1, None, ""),
        (Verdict(True), None, ""),
        (False, DenyReason.HOST_BLOCKED, "by_host"),
        (0, DenyReason.HOST_BLOCKED, "by_host"),
        (deny(DenyReason.SERVER_TOO_BUSY, "in May"), DenyReason.SERVER_TOO_BUSY, "in May"),
        (None, DenyReason.UNSPECIFIED, "NoneType"),
        ("yes", DenyReason.UNSPECIFIED, "str"),
        (2, DenyReason.UNSPECIFIED, "int"),
        (ValueError("x"), DenyReason.UNSPECIFIED, "raised ValueError"),
        (ConnectionDenied(DenyReason.SECURITY, "no"), DenyReason.SECURITY, "no"),
    ],
)
def test_a_function_decides_with_a_clear_answer_only(answer: Any, code: DenyReason | None, why: str) -> None:
    asked: list[object] = []

    def decide(address: tuple[str, int]) -> Any:
        asked.append(address)
        if isinstance(answer, Exception):
            raise answer
        return answer

    met = meet(by_host(decide), ip="::ffff:192.0.2.7")
    assert (met.code, asked) == (code, [("192.0.2.7", 4711)])
    assert why in met.reason


def test_an_address_is_compared_without_its_zone() -> None:
    asked: list[object] = []
    meet(by_host(lambda address: asked.append(address[0]) or True), ip="fe80::1%eth0")  # type: ignore[func-returns-value]
    assert asked == ["fe80::1"]


def test_a_coroutine_is_no_answer() -> None:
    async def decide(address: tuple[str, int]) -> bool:
        return True

    assert meet(by_host(decide)).code is DenyReason.UNSPECIFIED  # type: ignore[arg-type]


# --- how many


def test_connections_are_counted_in_all_by_address_and_by_identity() -> None:
    place = Place()
    bounds = max_connections(4, per_address=3, per_identity=2)
    first = meet(bounds, place=place)
    assert first and meet(bounds, place=place)
    third = meet(bounds, place=place)
    assert third.code is DenyReason.SERVER_TOO_BUSY and third.asked
    assert third.reason == "2 connections of 'ann' are the most"
    assert meet(bounds, BOB, place=place)
    by_address = meet(bounds, BOB, place=place)
    assert by_address.code is DenyReason.SERVER_TOO_BUSY and not by_address.asked
    assert by_address.reason == "3 connections from 192.0.2.1 are the most"
    assert meet(bounds, BOB, place=place, ip="192.0.2.2")
    in_all = meet(bounds, BOB, place=place, ip="192.0.2.3")
    assert (in_all.reason, in_all.asked) == ("4 connections in all are the most", False)
    first.connection.closed = True
    assert meet(bounds, place=place)


def test_a_bound_of_one_is_told_as_one() -> None:
    place, only = Place(), max_connections(1)
    assert meet(only, place=place)
    assert meet(only, place=place).reason == "1 connection in all is the most"


def test_one_subscriber_and_one_user_are_one_address() -> None:
    for first, second, other in [
        ("2001:db8::1", "2001:db8::ffff:2", "2001:db8:0:1::1"),
        ("192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2"),
        ("uid=5,pid=1", "uid=5,pid=2", "uid=6,pid=1"),
    ]:
        place = Place()
        for bounds in (max_connections(per_address=1), rate(1, 10, clock=Clock())):
            place.open.clear()
            met = [meet(bounds, place=place, ip=ip) for ip in (first, second, other)]
            assert [bool(one) for one in met] == [True, False, True], first


def test_connections_without_identity_are_not_counted_by_identity() -> None:
    place = Place(None, allow_anonymous=True)
    bounds = max_connections(per_identity=1)
    assert all(meet(bounds, None, place=place) for _ in range(3))


def test_who_is_let_in_counts_before_the_host_lists_it_and_no_longer_than_it_lasts() -> None:
    place = Place()
    bounds = max_connections(1)
    first = meet(bounds, place=place, listed=False)
    assert first and not place.open
    late = meet(bounds, place=place, listed=False)
    assert late.code is DenyReason.SERVER_TOO_BUSY and late.asked
    assert meet(bounds, place=Place(), listed=False)  # another host counts for itself
    first.connection.closed = True
    second = meet(bounds, place=place, listed=False)
    assert second
    del second  # nobody holds it any longer: it cannot be open
    gc.collect()
    assert meet(bounds, place=place, listed=False)


def test_strangers_and_those_who_are_denied_later_use_nothing_up() -> None:
    place = Place()

    class Nobody(ConnectionValidator):
        def accept_identity(self, host: Any, connection: Any) -> bool:
            return False

    bounds = max_connections(1)
    for _ in range(5):
        assert meet(bounds, WRONG, place=place).code is DenyReason.SECURITY
        assert meet(all_of(bounds, Nobody()), place=place).code is DenyReason.UNSPECIFIED
    assert meet(bounds, place=place)


class Watched:
    """A lock that tells who comes to it."""

    def __init__(self) -> None:
        self.came = threading.Semaphore(0)
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self.came.release()
        self._lock.acquire()

    def __exit__(self, *exc: object) -> None:
        self._lock.release()


def test_nobody_is_let_in_while_another_one_is_being_counted() -> None:
    bounds = max_connections(1)
    bounds._lock = lock = Watched()  # type: ignore[assignment]
    counting = threading.Event()

    class Crowded(Place):
        def connections(self) -> list[Any]:
            found = super().connections()
            if lock._lock.locked() and not counting.is_set():
                counting.set()  # the first one is at it now, and goes on when the second one has come
                assert lock.came.acquire(timeout=60) and lock.came.acquire(timeout=60)
            return found

    place, met = Crowded(), []
    first = threading.Thread(target=lambda: met.append(meet(bounds, place=place, listed=False)))
    first.start()
    assert counting.wait(60)
    met.append(meet(bounds, BOB, place=place, listed=False))
    first.join(60)
    assert sorted(map(bool, met)) == [False, True]


def test_no_more_get_in_however_many_threads_let_them_in() -> None:
    place = Place()
    bounds = any_of(all_of(max_connections(10, per_identity=7, per_address=8)))
    begin = threading.Barrier(8)
    met: list[Any] = []

    def come() -> None:
        begin.wait(60)
        for number in range(5):
            met.append(meet(bounds, (ANN, BOB)[number % 2], place=place, ip=f"2001:db8::{number % 3}"))

    switch_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=come) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    finally:
        sys.setswitchinterval(switch_s)
    assert (len(met), sum(map(bool, met))) == (40, 8)  # one /64
    assert {one.code for one in met if not one} == {DenyReason.SERVER_TOO_BUSY}
    assert all(sum(one.identity == name for one in met) <= 7 for name in ("ann", "bob"))


# --- how often


def test_new_connections_of_one_address_are_counted_in_a_sliding_window() -> None:
    clock = Clock()
    gate = rate(2, 10, clock=clock)
    assert meet(gate) and meet(gate, WRONG).code is DenyReason.SECURITY  # what it let through counts
    clock.now_s += 1
    often = meet(gate)
    assert (often.code, often.asked) == (DenyReason.SERVER_TOO_BUSY, False)
    assert often.reason == "2 new connections from 192.0.2.1 in 10 s are the most"
    assert meet(gate, ip="192.0.2.2")
    clock.now_s = 109.9
    assert not meet(gate)
    clock.now_s = 110.0
    assert meet(gate) and meet(gate) and not meet(gate)  # those that were denied did not count


def test_a_rate_that_is_full_forgets_the_oldest_instead_of_denying_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emporion.validators.window.MAX_COUNTED", 3)
    gate = rate(1, 10, clock=Clock())
    assert all(meet(gate, ip=f"192.0.2.{number}") for number in range(5))
    assert len(gate._window) == 3
    assert not meet(gate, ip="192.0.2.2")
    assert meet(gate, ip="192.0.2.1")


# --- arguments and reprs


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: allowed_networks(), 'e.g. allowed_networks("10.0.0.0/8")'),
        (lambda: blocked_networks("10.0.0.1/8"), "host bits"),
        (lambda: blocked_networks("::ffff:10.0.0.0/104"), "write the IPv4 network"),
        (lambda: blocked_networks(["10.0.0.0/8"]), "is no text"),  # type: ignore[arg-type]
        (lambda: by_host("192.0.2.1"), "takes (ip, port)"),  # type: ignore[arg-type]
        (lambda: max_connections(), "per_address="),
        (lambda: max_connections(0), "total=0"),
        (lambda: max_connections(per_identity=True), "per_identity=True"),
        (lambda: rate(0, 1), "a number of connections"),
        (lambda: rate(1, float("nan")), "seconds"),
        (lambda: rate(1, 1, clock=3), "clock="),  # type: ignore[arg-type]
    ],
)
def test_nonsense_is_refused_when_a_gate_is_made(make: Any, says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make()
    assert says in str(caught.value)


def test_gates_show_what_they_were_given() -> None:
    assert repr(allowed_networks("10.0.0.0/8", "::1")) == "allowed_networks('10.0.0.0/8', '::1/128')"
    assert repr(max_connections(9, per_identity=2)) == "max_connections(total=9, per_identity=2)"
    assert repr(rate(5, 60)) == "rate(5, 60)"
    assert repr(by_host(meet)) == "by_host(meet)"  # type: ignore[arg-type]
