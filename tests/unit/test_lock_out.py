"""Lock-out: guesses become slow, side by side as one by one, and a flood does not make it forget."""

import threading
import time
from typing import Any

import pytest
from emporion.errors import ConfigurationError, DenyReason
from emporion.tests.handshaking import ANN, BOB, OPEN_TO_ALL, VERIFIERS, WRONG, Clock, Place, meet
from emporion.validators.connection import (
    Connection,
    ConnectionValidator,
    Credentials,
    all_of,
    allowed_networks,
    any_of,
    lock_out,
    logins,
)
from emporion.validators.connection.failures import MOST_KEYS, Failures
from emporion.validators.connection.verifiers import Verifiers

BOB_WRONG = Credentials("bob", "correct horse")
EVE = Credentials("eve", "correct horse")


class Counting(ConnectionValidator):
    """The default proof, which says how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def accept_identification(self, host: Any, connection: Connection, token: Any, challenge: Any) -> Any:
        self.asked += 1
        return super().accept_identification(host, connection, token, challenge)


def test_after_some_failures_each_further_one_doubles_the_lock() -> None:
    clock, inner = Clock(), Counting()
    guard = lock_out(inner, after=3, first_s=1, most_s=6, clock=clock)
    for _ in range(3):
        assert meet(guard, WRONG).code is DenyReason.SECURITY
    for lock_s in (1, 2, 4, 6, 6):
        asked = inner.asked
        clock.now_s += lock_s - 0.5
        for identity in (ANN, WRONG, EVE, BOB):  # denied unseen, and not counted
            met = meet(guard, identity)
            assert (met.code, met.asked) == (DenyReason.SECURITY, True)
            assert met.reason == "locked for 0.5 s more after too many failures from 192.0.2.1"
        assert inner.asked == asked
        clock.now_s += 0.5
        again = meet(guard, WRONG)
        assert inner.asked == asked + 1
        assert again.reason == f"wrong password; from 192.0.2.1 locked for {min(6, lock_s * 2)} s now"
    assert meet(guard, ip="192.0.2.2").identity == "ann"
    clock.now_s += 6
    assert meet(guard).identity == "ann"


def test_failures_are_forgotten_after_their_time() -> None:
    clock = Clock()
    guard = lock_out(after=2, first_s=5, most_s=50, forget_s=100, clock=clock)
    for _ in range(10):
        assert "locked" not in meet(guard, WRONG).reason
        clock.now_s += 100
    assert not meet(guard, WRONG) and "locked for 5 s now" in meet(guard, WRONG).reason
    clock.now_s += 100
    assert meet(guard)
    assert "locked" not in meet(guard, WRONG).reason


def test_what_one_proves_takes_back_ones_own_failures_and_nobody_elses() -> None:
    guard = lock_out(after=3, clock=Clock())
    for _ in range(4):  # somebody who types badly
        assert not meet(guard, WRONG) and not meet(guard, WRONG)
        assert meet(guard, ANN)
    assert not meet(guard, BOB_WRONG) and not meet(guard, BOB_WRONG)
    assert meet(guard, ANN)
    assert "locked" in meet(guard, BOB_WRONG).reason
    assert not meet(guard, ANN)


@pytest.mark.parametrize("own", [Credentials(None, "battery"), None])
def test_success_without_a_login_takes_nothing_back(own: Credentials | None) -> None:
    """Where any passphrase opens, one's own must not buy guesses at the others; nor must coming as nobody."""
    guard = lock_out(after=3, clock=Clock())
    place = Place(VERIFIERS, allow_anonymous=True)
    for _ in range(3):
        assert meet(guard, own, place=place)
        last = meet(guard, Credentials(None, "guess"), place=place)
    assert "locked for 1 s now" in last.reason


def test_failures_at_a_login_add_up_from_everywhere_and_unknown_logins_are_like_known_ones() -> None:
    reasons: dict[str, list[tuple[DenyReason | None, bool]]] = {}
    for login in ("ann", "eve"):
        clock = Clock()
        guard = lock_out(after=3, per="login", clock=clock)
        met = [meet(guard, Credentials(login, "x"), ip=f"192.0.2.{number}") for number in range(6)]
        clock.now_s += 1
        met.append(meet(guard, Credentials(login, "x")))
        assert [("locked" in one.reason) for one in met] == [False, False, True, True, True, True, True]
        assert met[-1].reason.endswith("at this login locked for 2 s now")
        reasons[login] = [(one.code, one.asked) for one in met]
    assert reasons["ann"] == reasons["eve"] == [(DenyReason.SECURITY, True)] * 7


def test_at_a_login_success_takes_back_failures_of_the_same_address_only() -> None:
    guard = lock_out(after=3, per="login", clock=Clock())
    assert not meet(guard, WRONG, ip="192.0.2.66") and not meet(guard, WRONG, ip="192.0.2.66")
    assert meet(guard, ANN)
    assert "locked" in meet(guard, WRONG, ip="192.0.2.66").reason
    assert not meet(guard, ANN)
    assert meet(guard, BOB)


def test_who_gives_no_login_counts_by_address_also_per_login() -> None:
    guard = lock_out(after=2, per="login", clock=Clock())
    nameless = Credentials(None, "guess")
    assert not meet(guard, nameless) and "from 192.0.2.1 locked" in meet(guard, nameless).reason
    assert meet(guard, ANN) and meet(guard, Credentials(None, "battery"), ip="192.0.2.2")


class Shout(ConnectionValidator):
    """A scheme of one's own whose token has nothing to do with the login in HELLO."""

    def munge_identification(self, identity: Any) -> Any:
        return identity

    def create_auth_challenge(self, host: Any, connection: Connection) -> Any:
        return b"who?"

    def create_auth_token(self, identity: Any, challenge: Any, *more: Any) -> Any:
        return identity.passphrase

    def accept_identification(self, host: Any, connection: Connection, token: Any, challenge: Any) -> bool:
        return bool(token == "open")

    def check_host_proof(self, identity: Any, challenge: Any, token: Any, proof: Any) -> bool:
        return True


def test_in_a_scheme_of_ones_own_the_login_that_a_stranger_names_is_not_believed() -> None:
    guard = lock_out(Shout(), after=3, per="login", clock=Clock())
    for number in range(3):
        last = meet(guard, Credentials(f"me{number}", "wrong"), theirs=guard)
    assert "from 192.0.2.1 locked" in last.reason
    assert not meet(guard, Credentials("me", "open"), theirs=guard)
    assert meet(guard, Credentials("me", "open"), theirs=guard, ip="192.0.2.2")


def test_what_the_validator_inside_raises_is_a_failure() -> None:
    class Broken(Counting):
        def accept_identification(self, *arguments: Any) -> Any:
            super().accept_identification(*arguments)
            raise ValueError("x")

    inner = Broken()
    guard = lock_out(inner, after=2, clock=Clock())
    assert [meet(guard).code for _ in range(4)] == [DenyReason.UNSPECIFIED] * 2 + [DenyReason.SECURITY] * 2
    assert inner.asked == 2


def test_a_wrong_guess_counts_also_where_something_else_said_yes() -> None:
    """Who may come in anyway, and offers passwords of others meanwhile, is told by the host's proof which is right."""
    guard = lock_out(any_of(Inside(), logins(VERIFIERS)), after=3, clock=Clock())
    assert all(meet(guard, None, ip="10.0.0.1") for _ in range(9))
    assert all(meet(guard, ANN, ip="10.0.0.1") for _ in range(9))
    for _ in range(3):
        met = meet(guard, WRONG, ip="10.0.0.1")
        assert met.reason.startswith("the host did not prove")  # it was the client who left
    assert meet(guard, None, ip="10.0.0.1").reason.startswith("locked")


class Inside(ConnectionValidator):
    """Proves by the address alone."""

    def accept_identification(self, host: Any, connection: Connection, token: Any, challenge: Any) -> bool:
        return connection.address[0].startswith("10.")


class Slow(ConnectionValidator):
    """A proof that takes until the test lets it go on."""

    def __init__(self, answer: bool) -> None:
        self.answer = answer
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Semaphore(0)
        self.asked = 0

    def accept_identification(self, host: Any, connection: Connection, token: Any, challenge: Any) -> bool:
        self.asked += 1
        self.begun.release()
        assert self.go_on.acquire(timeout=60)
        return self.answer


def side_by_side(guard: ConnectionValidator, many: int) -> tuple[list[bool], list[threading.Thread]]:
    met: list[bool] = []

    def come() -> None:
        met.append(bool(meet(guard, None)))

    threads = [threading.Thread(target=come) for _ in range(many)]
    for thread in threads:
        thread.start()
    return met, threads


def test_side_by_side_no_more_guesses_are_evaluated_than_one_by_one() -> None:
    inner = Slow(False)
    guard = lock_out(inner, after=3, clock=Clock())
    met, threads = side_by_side(guard, 12)
    for _ in range(3):
        assert inner.begun.acquire(timeout=60)
    for _ in range(12):
        inner.go_on.release()
    for thread in threads:
        thread.join(60)
    assert (inner.asked, met) == (3, [False] * 12)


def test_good_clients_side_by_side_wait_for_each_other_and_all_get_in() -> None:
    inner = Slow(True)
    guard = lock_out(inner, after=2, clock=Clock())
    met, threads = side_by_side(guard, 12)
    for _ in range(12):
        assert inner.begun.acquire(timeout=60)
        inner.go_on.release()
    for thread in threads:
        thread.join(60)
    assert met == [True] * 12


def test_once_a_lock_is_over_one_guess_is_evaluated_at_a_time() -> None:
    inner, clock = Slow(False), Clock()
    guard = lock_out(inner, after=1, clock=clock)
    for expected in (1, 2, 3):
        _, threads = side_by_side(guard, 6)
        for _ in range(6):
            inner.go_on.release()
        for thread in threads:
            thread.join(60)
        assert inner.asked == expected
        clock.now_s += 3600
        inner.go_on = threading.Semaphore(0)


def test_once_there_was_a_lock_nobody_waits_for_the_one_that_is_evaluated() -> None:
    inner, clock = Slow(True), Clock()
    guard = lock_out(all_of(inner), after=1, clock=clock)
    fail(guard._failures, ("address", "192.0.2.1"))
    clock.now_s += 1
    met, threads = side_by_side(guard, 1)
    assert inner.begun.acquire(timeout=60)
    meanwhile = meet(guard, None)
    assert meanwhile.code is DenyReason.SECURITY
    assert meanwhile.reason == "one attempt at a time after too many failures from 192.0.2.1"
    inner.go_on.release()
    threads[0].join(60)
    assert met == [True]


# --- what it remembers


def failures(**options: Any) -> tuple[Failures, Clock]:
    clock = Clock()
    settings = {"after": 2, "first_s": 1.0, "most_s": 3600.0, "forget_s": 86_400.0, **options}
    return Failures(clock=clock, **settings), clock


def fail(memory: Failures, key: object, times: int = 1) -> None:
    for _ in range(times):
        assert memory.begin(key) is None
        memory.end(key, "", failed=True, clear=False)


def test_a_flood_of_other_keys_stays_in_bounds_and_forgets_no_locked_one() -> None:
    memory, _ = failures()
    fail(memory, "victim", 2)
    for number in range(MOST_KEYS + 5_000):
        fail(memory, number)
    assert len(memory) == MOST_KEYS
    assert memory.begin("victim") == 1.0


def test_keys_whose_time_is_over_go_first_and_those_that_are_tried_stay() -> None:
    memory, clock = failures()
    fail(memory, "old", 2)
    clock.now_s += 86_400
    assert memory.begin("tried") is None
    fail(memory, "recent")
    for number in range(MOST_KEYS - 3):
        fail(memory, number)
    fail(memory, "another")
    assert "old" not in memory._records and {"tried", "recent"} <= memory._records.keys()
    fail(memory, "a third")
    assert "recent" not in memory._records and "tried" in memory._records
    memory.end("tried", "", failed=False, clear=False)


def test_success_leaves_nothing_behind() -> None:
    guard = lock_out()
    for number in range(300):
        assert meet(guard, ip=f"10.0.{number // 250}.{number % 250}")
    assert len(guard._failures) == 0


def test_endless_failures_of_one_key_are_kept_in_bounds() -> None:
    memory, clock = failures()
    for _ in range(500):
        fail(memory, "key")
        clock.now_s += 3600
    assert len(memory._records["key"].failed) <= 86_400 / 3600
    memory, clock = failures(first_s=1e-9, most_s=1e-9)
    for _ in range(500):
        fail(memory, "key")
        clock.now_s += 1
    assert len(memory._records["key"].failed) == 2 + 64


# --- around and inside others, and how it shows itself


def test_it_leaves_every_other_step_to_the_validator_inside() -> None:
    inside = lock_out(all_of(allowed_networks("192.0.2.0/24"), logins({"zoe": "pw"})), after=2, clock=Clock())
    zoe = Credentials("zoe", "pw")
    assert meet(inside, zoe, place=OPEN_TO_ALL).identity == "zoe"
    outside = meet(inside, zoe, place=OPEN_TO_ALL, ip="10.0.0.1")
    assert (outside.code, outside.asked) == (DenyReason.HOST_BLOCKED, False)
    for _ in range(2):
        assert not meet(inside, ANN)
    assert meet(inside, zoe).reason.startswith("locked")


def test_without_a_validator_it_guards_the_hosts_passphrases_of_any_host() -> None:
    guard = lock_out()
    assert meet(guard, Credentials(None, "here"), place=Place(Verifiers(["here"], iterations=4096)))
    assert meet(guard, None, place=OPEN_TO_ALL)
    assert guard._failures._clock is time.monotonic


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"validator": print}, "by_host"),
        ({"after": 0}, "after=0"),
        ({"after": True}, "after=True"),
        ({"first_s": 0}, "first_s=0"),
        ({"most_s": float("inf")}, "most_s=inf"),
        ({"forget_s": "day"}, "forget_s='day'"),
        ({"first_s": 10, "most_s": 5}, "at most"),
        ({"most_s": 100_000}, "at most"),
        ({"per": "identity"}, '"login"'),
        ({"clock": 3}, "clock="),
    ],
)
def test_nonsense_is_refused_when_it_is_made(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        lock_out(**options)
    assert says in str(caught.value)


def test_it_shows_what_it_guards_and_how() -> None:
    how = "after=5, first_s=1, most_s=3600, forget_s=86400, per='address'"
    assert repr(lock_out()) == f"lock_out({how})"
    assert repr(lock_out(logins({"ann": "secret"}))).endswith(f"iterations>), {how})")
    assert "secret" not in repr(lock_out(logins({"ann": "secret"})))
