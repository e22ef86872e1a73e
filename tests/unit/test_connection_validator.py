"""The default connection validator's steps, asked one by one."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from emporion.errors import ConfigurationError, ConnectionDenied, DenyReason
from emporion.validators.connection import Connection, ConnectionValidator, Credentials
from emporion.validators.connection.scram import Exchange, ScramChallenge
from emporion.validators.connection.verifiers import Verifiers
from emporion.validators.verdict import read_verdict

VERIFIERS = Verifiers({"ann": "correct horse"}, iterations=4096)
EXCHANGE = Exchange(login="", client_nonce=b"1" * 18, host_nonce=b"2" * 18, binding=b"certificate", context=b"c" * 32)
CHALLENGE = EXCHANGE.scram(VERIFIERS.salt, 4096)
ANN = Credentials(None, "correct horse")


@dataclass
class Place:
    """What the default validator asks of a host."""

    verifiers: Verifiers | None = VERIFIERS
    allow_anonymous: bool = False
    max_connections: int = 2
    open: list[object] = field(default_factory=list)

    def connections(self) -> list[object]:
        return self.open


@pytest.fixture
def validator() -> ConnectionValidator:
    return ConnectionValidator()


@pytest.fixture
def connection() -> Connection:
    connection = Connection(("192.0.2.1", 4711))
    connection.exchange = EXCHANGE
    return connection


def token(validator: ConnectionValidator, identity: Any = ANN, challenge: Any = CHALLENGE) -> Any:
    return validator.create_auth_token(validator.munge_identification(identity), challenge, None, None, None)


@pytest.mark.parametrize(("open_now", "accepted"), [(0, True), (1, True), (2, False), (3, False)])
def test_max_connections_is_checked_first(
    validator: ConnectionValidator, connection: Connection, open_now: int, accepted: bool
) -> None:
    verdict = read_verdict(validator.accept_host(Place(open=[None] * open_now), connection))
    assert verdict.accepted is accepted
    assert accepted or verdict.code is DenyReason.SERVER_TOO_BUSY


def test_a_host_without_passphrases_asks_for_nothing(validator: ConnectionValidator, connection: Connection) -> None:
    assert validator.create_auth_challenge(Place(None), connection) is None
    assert validator.create_auth_challenge(Place(), connection) == CHALLENGE


def test_the_right_token_sets_the_identity_and_earns_a_proof(
    validator: ConnectionValidator, connection: Connection
) -> None:
    answer = token(validator)
    assert read_verdict(validator.accept_identification(Place(), connection, answer, CHALLENGE))
    assert connection.identity == "ann"
    proof = validator.create_host_proof(Place(), connection, answer, CHALLENGE)
    assert read_verdict(validator.check_host_proof(ANN, CHALLENGE, answer, proof))
    assert not read_verdict(validator.check_host_proof(ANN, CHALLENGE, answer, answer))
    assert not read_verdict(validator.check_host_proof(ANN, CHALLENGE, answer, None))


@pytest.mark.parametrize("wrong", [b"", b"x" * 32, "text", 1, True, ("x",), bytearray(32)])
def test_a_wrong_token_is_a_security_denial(validator: ConnectionValidator, connection: Connection, wrong: Any) -> None:
    verdict = read_verdict(validator.accept_identification(Place(allow_anonymous=True), connection, wrong, CHALLENGE))
    assert (verdict.accepted, verdict.code) == (False, DenyReason.SECURITY)
    assert connection.identity is None


def test_a_missing_token_is_for_hosts_that_allow_anonymous(
    validator: ConnectionValidator, connection: Connection
) -> None:
    assert read_verdict(validator.accept_identification(Place(allow_anonymous=True), connection, None, CHALLENGE))
    verdict = read_verdict(validator.accept_identification(Place(), connection, None, CHALLENGE))
    assert (verdict.accepted, verdict.code) == (False, DenyReason.SECURITY)
    assert not read_verdict(validator.accept_identification(Place(None), connection, None, None))


def test_a_host_without_passphrases_accepts_no_token(validator: ConnectionValidator, connection: Connection) -> None:
    host = Place(None, allow_anonymous=True)
    assert not read_verdict(validator.accept_identification(host, connection, token(validator), CHALLENGE))


def test_a_connection_that_proved_nothing_gets_no_proof(validator: ConnectionValidator, connection: Connection) -> None:
    assert validator.create_host_proof(Place(), connection, b"x" * 32, CHALLENGE) is None


def test_credentials_are_prepared_and_other_identities_left_alone(validator: ConnectionValidator) -> None:
    assert validator.munge_identification(Credentials("e\u0301", "a\u00a0b")) == Credentials("\u00e9", "a b")
    for identity in (None, "text", ("login", "password")):
        assert validator.munge_identification(identity) is identity


def test_an_identity_of_another_scheme_is_a_mistake_in_the_program(validator: ConnectionValidator) -> None:
    with pytest.raises(ConfigurationError, match="connection_validator"):
        token(validator, ("login", "password"))


@pytest.mark.parametrize("challenge", [None, b"x" * 16, (b"x",), "text"])
def test_credentials_answer_scram_and_nothing_else(validator: ConnectionValidator, challenge: Any) -> None:
    with pytest.raises(ConnectionDenied) as caught:
        token(validator, challenge=challenge)
    assert caught.value.reason is DenyReason.SECURITY


def test_an_empty_passphrase_proves_nothing_and_believes_nothing(validator: ConnectionValidator) -> None:
    nobody = Credentials(None, "")
    assert token(validator, nobody) is None
    for proof in (None, b"x" * 32):
        assert not read_verdict(validator.check_host_proof(nobody, CHALLENGE, None, proof))


def test_a_proof_that_nobody_checks_is_not_taken_for_one(validator: ConnectionValidator) -> None:
    assert not read_verdict(validator.check_host_proof("own", b"x" * 16, b"token", b"proof"))
    assert not read_verdict(validator.check_host_proof(None, None, None, b"proof"))


def test_challenges_that_differ_in_anything_have_another_message() -> None:
    changes: list[dict[str, Any]] = [
        {"login": "ann"},
        {"client_nonce": b"3" * 18},
        {"host_nonce": b"3" * 18},
        {"binding": None},
        {"binding": b"other"},
        {"context": b"d" * 32},
        {"salt": b"s" * 16},
        {"iterations": 4097},
    ]
    values = {name: getattr(CHALLENGE, name) for name in ScramChallenge.__dataclass_fields__}
    messages = {ScramChallenge(**{**values, **change}).message for change in changes}
    assert len(messages | {CHALLENGE.message}) == len(changes) + 1


def test_secrets_do_not_show(connection: Connection) -> None:
    assert "horse" not in repr(ANN)
    assert "exchange" not in repr(connection)


def test_a_connection_closes_through_its_owner_and_takes_attributes() -> None:
    reasons: list[str] = []
    connection = Connection(("192.0.2.1", 4711), on_close=reasons.append)
    connection.badge = "gold"  # type: ignore[attr-defined]
    connection.close("enough")
    assert reasons == ["enough"]
    Connection(("192.0.2.1", 4711)).close()
