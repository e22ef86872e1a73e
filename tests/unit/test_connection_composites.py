"""Several validators as one: whose proof holds, whose name stands, what a denial says."""

import logging
from typing import Any

import pytest
from emporion.errors import ConfigurationError, ConnectionDenied, DenyReason
from emporion.tests.handshaking import ANN, BOB, OPEN_TO_ALL, VERIFIERS, WRONG, Clock, Place, meet
from emporion.validators.connection import (
    Connection,
    ConnectionValidator,
    Credentials,
    all_of,
    allowed_networks,
    any_of,
    blocked_networks,
    by_host,
    lock_out,
    logins,
    max_connections,
    rate,
)
from emporion.validators.connection.verifiers import Verifiers
from emporion.validators.verdict import read_verdict

HOME = allowed_networks("10.0.0.0/8")
AT_HOME = "10.0.0.1"
PEOPLE = logins(VERIFIERS)
NOT_OURS = Place(Verifiers(["of the host"], iterations=4096))  # whose passphrases nobody here knows


class Badge(ConnectionValidator):
    """Proves by something shown before the handshake, as a client certificate is; here it is a text."""

    def check_certificate(self, certificate: Any) -> bool:
        return bool(certificate)

    def create_auth_challenge(self, host: Any, connection: Connection) -> Any:
        return None

    def accept_identification(self, host: Any, connection: Connection, token: Any, challenge: Any) -> bool:
        connection.identity = f"badge {connection.certificate}"
        return bool(connection.certificate)


class Echo(ConnectionValidator):
    """A whole scheme of one's own: the token repeats the challenge, the host's proof repeats the token."""

    def create_auth_challenge(self, host: Any, connection: Connection) -> Any:
        return b"say it"

    def create_auth_token(self, identity: Any, challenge: Any, *more: Any) -> Any:
        return (identity, challenge)

    def accept_identification(self, host: Any, connection: Connection, token: Any, challenge: Any) -> bool:
        connection.identity = "echo"
        return bool(token == ("echo", challenge))

    def create_host_proof(self, host: Any, connection: Connection, token: Any, challenge: Any) -> Any:
        return token

    def check_host_proof(self, identity: Any, challenge: Any, token: Any, proof: Any) -> bool:
        return bool(proof == token)


class Last(ConnectionValidator):
    """A gate at the last step; remembers whom it was asked about."""

    def __init__(self, *unwanted: str | None) -> None:
        self.unwanted = unwanted
        self.asked: list[str | None] = []

    def accept_identity(self, host: Any, connection: Connection) -> Any:
        self.asked.append(connection.identity)
        return connection.identity not in self.unwanted


# --- all of them


def test_all_conditions_must_hold_and_the_default_proof_is_asked_once() -> None:
    clock = Clock()
    every = all_of(HOME, blocked_networks("10.9.0.0/16"), max_connections(5), rate(3, 10, clock=clock))
    met = meet(every, ANN, ip=AT_HOME)
    assert met.identity == "ann" and met.proved
    assert meet(every, WRONG, ip=AT_HOME).reason == "ConnectionValidator: wrong password"
    blocked = meet(every, ip="10.9.0.1")
    assert (blocked.code, blocked.asked) == (DenyReason.HOST_BLOCKED, False)
    assert blocked.reason == "blocked_networks: the address 10.9.0.1 lies in 10.9.0.0/16"
    assert meet(every, ip=AT_HOME) and meet(every, ip=AT_HOME).code is DenyReason.SERVER_TOO_BUSY


@pytest.mark.parametrize("both", [all_of(Badge(), PEOPLE), all_of(PEOPLE, Badge()), all_of(all_of(PEOPLE), Badge())])
def test_every_own_proof_must_hold(both: ConnectionValidator) -> None:
    met = meet(both, ANN, certificate="gold", place=NOT_OURS)
    assert met.identity in ("ann", "badge gold") and met.proved
    assert meet(both, WRONG, certificate="gold").reason.endswith("logins: wrong password")
    assert meet(both, None, certificate="gold").code is DenyReason.SECURITY
    without = meet(both, ANN)
    assert (without.asked, without.reason) == (False, "Badge: the validator said no")
    assert not meet(both, ANN, binding=None)  # without TLS no certificate is looked at, and it proves nothing


def test_the_first_proof_that_gives_a_name_gives_it_for_all() -> None:
    nameless = Place(Verifiers(["pw"], iterations=4096))
    last = Last()
    both = all_of(last, lock_out(), Badge(), max_connections(9))
    met = meet(both, Credentials(None, "pw"), certificate="gold", place=nameless)
    assert met.identity == "badge gold" and met.proved
    assert last.asked == ["badge gold"]
    assert meet(all_of(PEOPLE, Badge()), certificate="gold").identity == "ann"
    assert meet(all_of(Badge(), PEOPLE), certificate="gold").identity == "badge gold"


def test_the_last_step_is_asked_of_all() -> None:
    every = all_of(HOME, Last("bob"), max_connections(per_identity=1))
    assert meet(every, ANN, ip=AT_HOME)
    denied = meet(every, BOB, ip=AT_HOME)
    assert (denied.code, denied.reason) == (DenyReason.UNSPECIFIED, "Last: the validator said no")
    place = Place()
    assert meet(every, ANN, ip=AT_HOME, place=place)
    assert meet(every, ANN, ip=AT_HOME, place=place).code is DenyReason.SERVER_TOO_BUSY


def test_nobody_is_asked_after_a_denial_and_what_is_raised_denies() -> None:
    def explode(address: object) -> bool:
        raise AssertionError("it should not have been asked")

    assert meet(all_of(HOME, by_host(explode))).code is DenyReason.HOST_BLOCKED
    assert meet(all_of(by_host(explode), HOME), ip=AT_HOME).reason == "accept_host raised AssertionError"


# --- any of them


def test_one_whole_branch_must_say_yes() -> None:
    either = any_of(all_of(HOME, Badge()), all_of(allowed_networks("192.0.2.0/24"), PEOPLE))
    assert meet(either, None, ip=AT_HOME, certificate="gold").identity == "badge gold"
    assert meet(either, ANN).identity == "ann"
    assert meet(either, None, certificate="gold").code is DenyReason.SECURITY  # one's badge, the other's place
    assert meet(either, ANN, ip=AT_HOME).code is DenyReason.SECURITY
    assert meet(either, ANN, ip="203.0.113.1").code is DenyReason.HOST_BLOCKED


def test_either_of_two_proofs_opens_and_the_host_proves_itself_where_it_can() -> None:
    for either in (any_of(Badge(), PEOPLE), any_of(PEOPLE, Badge()), any_of(lock_out(PEOPLE), all_of(Badge(), Last()))):
        assert meet(either, None, certificate="gold", place=NOT_OURS).identity == "badge gold"
        by_login = meet(either, ANN, place=NOT_OURS)
        assert by_login.identity == "ann" and by_login.proved
        with_both = meet(either, ANN, certificate="gold", place=NOT_OURS)
        assert with_both and with_both.proved
        assert meet(either, None).code is meet(either, WRONG).code is DenyReason.SECURITY
    assert meet(any_of(Badge(), PEOPLE), ANN, certificate="gold").identity == "badge gold"


def test_a_network_is_let_in_without_login_only_where_the_host_allows_it() -> None:
    either = any_of(HOME, PEOPLE)
    assert meet(either, None, ip=AT_HOME, place=OPEN_TO_ALL).identity is None
    assert meet(either, ANN, ip=AT_HOME, place=OPEN_TO_ALL).identity == "ann"
    assert meet(either, ANN, place=OPEN_TO_ALL).identity == "ann"
    assert meet(either, None, place=OPEN_TO_ALL).code is DenyReason.SECURITY
    assert meet(either, None, ip=AT_HOME, place=Place()).code is DenyReason.SECURITY


@pytest.mark.parametrize("both_ways", [lambda: any_of(HOME, PEOPLE), lambda: any_of(lock_out(PEOPLE), HOME)])
def test_a_network_comes_in_by_the_hosts_passphrases_and_everybody_by_login(both_ways: Any) -> None:
    key, either = Credentials(None, "of the host"), both_ways()
    met = meet(either, key, ip=AT_HOME, place=NOT_OURS)
    assert met and met.proved and met.identity is None
    assert meet(either, ANN, ip=AT_HOME, place=NOT_OURS).identity == meet(either, ANN, place=NOT_OURS).identity == "ann"
    for identity, ip in ((key, "192.0.2.1"), (Credentials(None, "correct horse"), AT_HOME), (None, AT_HOME),
                         (Credentials("ann", "of the host"), AT_HOME)):  # fmt: skip
        assert meet(either, identity, ip=ip, place=NOT_OURS).code is DenyReason.SECURITY, identity


def test_the_hosts_passphrase_is_no_failure_of_a_login() -> None:
    key = Credentials(None, "of the host")
    guarded = lock_out(any_of(HOME, PEOPLE), after=1)
    assert all(meet(guarded, key, ip=AT_HOME, place=NOT_OURS) for _ in range(3))
    assert not meet(guarded, Credentials(None, "another"), ip=AT_HOME, place=NOT_OURS)
    assert "locked" in meet(guarded, key, ip=AT_HOME, place=NOT_OURS).reason


def test_a_denial_says_what_each_branch_said() -> None:
    either = any_of(HOME, all_of(blocked_networks("::/0"), PEOPLE))
    denied = meet(either, WRONG)
    assert denied.reason == (
        "allowed_networks: the address 192.0.2.1 lies in none of 10.0.0.0/8; all_of: logins: wrong password"
    )
    nobody = meet(any_of(HOME, Badge(), all_of(max_connections(1))), place=Place(max_connections=0))
    assert (nobody.code, nobody.asked) == (DenyReason.SERVER_TOO_BUSY, False)
    assert nobody.reason.count("max_connections=0 reached") == 3


def test_gates_alone_have_the_default_proof_asked_once() -> None:
    asked: list[str] = []

    class Counted(Verifiers):
        def find(self, login: str, message: bytes, proof: bytes) -> Any:
            asked.append(login)
            return super().find(login, message, proof)

    place = Place(Counted({"ann": "correct horse"}, iterations=4096))
    assert meet(any_of(HOME, allowed_networks("192.0.2.0/24"), blocked_networks("::/0")), ANN, place=place)
    assert meet(all_of(blocked_networks("10.0.0.0/8"), blocked_networks("::/0")), ANN, place=place)
    assert asked == ["ann"] * 2


def test_gates_alone_are_either_condition_before_one_proof() -> None:
    either = any_of(HOME, allowed_networks("192.0.2.0/24"))
    assert meet(either, ANN).identity == "ann" and meet(either, BOB, ip=AT_HOME).proved
    assert meet(either, ANN, ip="203.0.113.1").code is DenyReason.HOST_BLOCKED
    assert meet(either, None).code is DenyReason.SECURITY
    both = all_of(either, PEOPLE)  # two gates are no proof: the login stays needed, and suffices
    assert meet(both, ANN, place=NOT_OURS).identity == "ann"
    assert meet(both, None, place=OPEN_TO_ALL).code is DenyReason.SECURITY


def test_each_branch_hears_its_own_identity_at_the_last_step_and_the_first_yes_ends_it() -> None:
    gold, people, nobody = Last("badge gold"), Last(), Last()
    either = any_of(all_of(Badge(), gold), all_of(PEOPLE, people), nobody)
    met = meet(either, ANN, certificate="gold")
    assert met.identity == "ann" and met.proved
    assert (gold.asked, people.asked, nobody.asked) == (["badge gold"], ["ann"], [])
    refusing = any_of(all_of(Badge(), gold), all_of(PEOPLE, Last("ann")))
    denied = meet(refusing, ANN, certificate="gold")
    assert denied.code is DenyReason.UNSPECIFIED and denied.reason.count("Last: the validator said no") == 2


def test_a_gate_behind_an_any_of_hears_whose_name_stands_in_the_end() -> None:
    counting = Last()
    met = meet(all_of(counting, any_of(all_of(Badge(), Last("badge gold")), PEOPLE)), ANN, certificate="gold")
    assert met.identity == "ann" and counting.asked == ["ann"]
    inner = any_of(all_of(PEOPLE, Last("ann")), all_of(HOME, Inside()))
    met = meet(all_of(Badge(), inner), ANN, certificate="gold", ip=AT_HOME)
    assert met.identity == "badge gold"


class Inside(ConnectionValidator):
    """Proves by the address alone; gives a name early."""

    def accept_host(self, host: Any, connection: Connection) -> bool:
        connection.identity = "inside"
        return connection.address[0].startswith("10.")

    def accept_identification(self, host: Any, connection: Connection, token: Any, challenge: Any) -> bool:
        return connection.identity == "inside"


def test_a_name_given_early_stays_in_its_branch() -> None:
    assert meet(any_of(PEOPLE, Inside()), None, ip=AT_HOME).identity == "inside"
    assert meet(any_of(Inside(), PEOPLE), ANN).identity == "ann"
    assert not meet(any_of(Inside(), PEOPLE), WRONG)
    assert meet(all_of(Inside(), HOME), None, ip=AT_HOME).identity == "inside"
    assert meet(all_of(PEOPLE, Inside()), ANN, ip=AT_HOME).identity == "ann"
    heard: list[str | None] = []

    class Listening(ConnectionValidator):
        def accept_host(self, host: Any, connection: Connection) -> bool:
            heard.append(connection.identity)
            return True

    assert meet(any_of(Inside(), Listening()), ANN) and heard == [None]


def test_a_branch_that_raises_is_denied_and_logged_and_the_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    def explode(address: object) -> bool:
        raise ValueError("a peer's\nline")

    def refuse(address: object) -> bool:
        raise ConnectionDenied(DenyReason.HOST_BLOCKED, "on the list")

    with caplog.at_level(logging.ERROR, "emporion.connection"):
        assert meet(any_of(by_host(explode), PEOPLE)).identity == "ann"
    (record,) = caplog.records
    assert "accept_host of by_host raised" in record.getMessage() and "in explode" in record.getMessage()
    assert "a peer's\nline" not in record.getMessage()
    with caplog.at_level(logging.ERROR, "emporion.connection"):
        assert meet(any_of(by_host(explode), PEOPLE), tells=False)
    assert len(caplog.records) == 1  # peers can bring it about as often as they like: the log says when it is enough
    denied = meet(any_of(by_host(explode), by_host(refuse)))
    assert denied.code is DenyReason.SECURITY
    assert denied.reason == "by_host: accept_host raised ValueError; by_host: on the list"


def test_steps_out_of_turn_let_nobody_in() -> None:
    either = any_of(HOME, PEOPLE)
    connection = Connection((AT_HOME, 1))
    place = Place(None, allow_anonymous=True)
    assert not read_verdict(either.accept_identification(place, connection, None, None))
    assert not read_verdict(either.accept_identity(place, connection))
    assert read_verdict(either.accept_host(place, connection))
    assert not read_verdict(either.accept_identity(place, connection))


def test_nothing_of_the_proof_stays_behind() -> None:
    either = any_of(Badge(), PEOPLE)
    met = [meet(either, ANN), meet(either, None, certificate="gold")]
    assert all(met) and len(either._progress) == 0
    assert all(one.connection.verifier is None for one in met)


# --- certificates, schemes of one's own, nesting


def test_certificates_are_judged_with_the_host_under_tls_and_rightly_when_asked_alone() -> None:
    gold: Any = "gold"
    two = all_of(Badge(), PEOPLE), any_of(Badge(), PEOPLE)
    for one, alone in zip(two, (False, True), strict=True):
        assert bool(read_verdict(one.check_certificate(None))) is alone
        assert read_verdict(one.check_certificate(gold))
    assert not read_verdict(any_of(Badge(), Badge()).check_certificate(None))
    met = meet(any_of(Badge(), all_of(Badge(), HOME)), ANN)
    assert (met.code, met.asked) == (DenyReason.UNSPECIFIED, False)


class Shown(ConnectionValidator):
    """A gate that only wants to see a certificate."""

    def check_certificate(self, certificate: Any) -> bool:
        return bool(certificate)


def test_a_condition_on_the_certificate_is_part_of_its_branch() -> None:
    either = any_of(Shown(), all_of(HOME, ConnectionValidator()))
    assert meet(either, ANN, certificate="gold") and meet(either, ANN, ip=AT_HOME)
    denied = meet(any_of(Shown(), PEOPLE), None, place=OPEN_TO_ALL)
    assert denied.reason == "Shown: the validator said no; logins: no login given"
    for around in (any_of(Shown(), Badge()), all_of(Shown(), HOME)):
        assert not meet(around, ANN, ip=AT_HOME)
        assert meet(around, ANN, ip=AT_HOME, binding=None)  # as everywhere: it is asked under TLS only


def test_badges_alone_ask_nobody_for_the_hosts_passphrases() -> None:
    for badges in (all_of(Badge(), HOME), any_of(Badge(), Badge()), lock_out(all_of(any_of(Badge()), HOME))):
        assert meet(badges, None, certificate="gold", ip=AT_HOME).identity == "badge gold"
        with_passphrase = meet(badges, ANN, certificate="gold", ip=AT_HOME)
        assert "asks nobody for a passphrase" in with_passphrase.reason


@pytest.mark.parametrize(
    "around", [all_of(Echo()), any_of(Badge(), Echo()), lock_out(all_of(HOME, Echo())), any_of(lock_out(Echo()), HOME)]
)
def test_a_scheme_of_ones_own_works_inside_others_at_both_ends(around: ConnectionValidator) -> None:
    met = meet(around, "echo", theirs=around, ip=AT_HOME)
    assert met.identity == "echo"
    assert not meet(around, "wrong", theirs=around, ip=AT_HOME)


@pytest.mark.parametrize(
    "make",
    [
        lambda: all_of(PEOPLE, Echo()),
        lambda: any_of(PEOPLE, logins(VERIFIERS)),
        lambda: all_of(HOME, any_of(Badge(), Echo()), lock_out(PEOPLE)),
    ],
)
def test_two_questions_in_one_handshake_are_a_mistake_in_the_program(make: Any) -> None:
    with pytest.raises(ConfigurationError, match="one handshake asks one question"):
        make()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: all_of(), "at least one"),
        (lambda: any_of(), "at least one"),
        (lambda: all_of(HOME, print), "by_host"),  # type: ignore[arg-type]
        (lambda: any_of(ConnectionValidator), "a class is called first"),  # type: ignore[arg-type]
        (lambda: all_of(lock_out(), PEOPLE), "write lock_out(logins(...))"),
    ],
)
def test_nonsense_is_refused_when_it_is_made(make: Any, says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make()
    assert says in str(caught.value)


def test_who_overrides_a_step_of_ours_is_taken_for_what_it_became() -> None:
    class Watching(all_of):
        def accept_identification(self, host: Any, connection: Connection, token: Any, challenge: Any) -> Any:
            return connection.identity == "nobody"

    assert not meet(all_of(Watching(HOME), HOME), ANN, ip=AT_HOME)

    class Spoken(allowed_networks):
        def create_auth_challenge(self, host: Any, connection: Connection) -> Any:
            return b"who?"

    with pytest.raises(ConfigurationError, match="one question"):
        all_of(Spoken("::1"), PEOPLE)


def test_composites_show_what_is_in_them() -> None:
    nested = all_of(HOME, any_of(Badge(), logins(VERIFIERS)), ConnectionValidator())
    inner = "any_of(Badge(), logins(<Verifiers: 2 passphrases, 4096 iterations>))"
    assert repr(nested) == f"all_of(allowed_networks('10.0.0.0/8'), {inner}, ConnectionValidator())"
