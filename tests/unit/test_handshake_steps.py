"""What the steps of a validator make of the handshake: schemes of one's own, answers, faults, and the log."""

import logging
from typing import Any

import pytest
from emporion.errors import ConfigurationError, ConnectionDenied, DenyReason
from emporion.runtime.connection.handshake import denial
from emporion.runtime.connection.handshake_messages import PREFACE, SCRAM, Hello, Token, encode
from emporion.tests.two_ends import HERE, PEOPLE, VERIFIERS, Place, TokenScheme, client, denied, host, shake
from emporion.validators.connection import Connection, ConnectionValidator, Credentials
from emporion.validators.connection.scram import ScramChallenge

# --- schemes of one's own


def test_a_scheme_of_ones_own_runs_through_the_same_steps() -> None:
    c = client("shared", validator=TokenScheme(), host_known=True)
    h = host(validator=TokenScheme())
    shake(c, h)
    assert c.done and h.done and h.identity == "somebody"


def test_an_identity_set_before_the_denial_does_not_stay() -> None:
    connection = Connection(("192.0.2.1", 4711))
    denied(client("wrong", validator=TokenScheme()), host(validator=TokenScheme(), connection=connection))
    assert connection.identity is None


def test_a_token_that_cannot_be_sent_is_a_mistake_in_the_clients_program() -> None:
    with pytest.raises(ConfigurationError, match="create_auth_token: float"):
        shake(client("x", validator=stepped("create_auth_token", 1.5)), host(validator=TokenScheme()))


def test_a_scheme_without_a_host_proof_needs_a_host_that_is_known_otherwise() -> None:
    error = denied(client("shared", validator=TokenScheme()), host(validator=TokenScheme()))
    assert error.reason is DenyReason.SECURITY
    assert "fp=" in str(error)


def test_a_constant_challenge_is_made_fresh_and_a_tuple_gets_the_bound_bytes_appended() -> None:
    seen: list[Any] = []

    class Watching(TokenScheme):
        def create_auth_token(self, identity: Any, challenge: Any, peer_address: Any, uri: Any, host: Any) -> Any:
            seen.append(challenge)
            return super().create_auth_token(identity, challenge, peer_address, uri, host)

    for raw in (b"constant", b"constant", (7, "x"), (7, "x")):
        validator = Watching()
        validator.raw = raw
        shake(client("shared", validator=validator, host_known=True), host(validator=validator))
    at_client, at_host = seen[::2], seen[1::2]
    assert at_client == at_host
    assert [len(challenge) for challenge in at_client] == [16, 16, 3, 3]
    assert len({repr(challenge) for challenge in at_client}) == 4
    assert at_client[2][:2] == (7, "x") and len(at_client[2][2]) == 16


@pytest.mark.parametrize("wrong", [1.5, ["list"], object(), b"x" * 5000, ((((((),),),),),), 2**600, range(3), "\ud800"])
def test_what_cannot_be_sent_denies_and_is_logged(wrong: Any, caplog: pytest.LogCaptureFixture) -> None:
    validator = TokenScheme()
    validator.raw = wrong
    assert denied(client("x", validator=validator), host(validator=validator)).reason is DenyReason.UNSPECIFIED
    assert "create_auth_challenge" in caplog.text


# --- what a step answers or raises


def stepped(step: str, answer: Any) -> ConnectionValidator:
    class Stepped(ConnectionValidator):
        pass

    def method(self: ConnectionValidator, *arguments: Any) -> Any:
        if isinstance(answer, BaseException):
            raise answer
        return answer

    setattr(Stepped, step, method)
    return Stepped()


@pytest.mark.parametrize("step", ["accept_host", "check_certificate", "accept_identification"])
@pytest.mark.parametrize("answer", [None, False, 0, 2, "yes", (1, 0), [1], ValueError("x"), ConnectionDenied()])
def test_a_deciding_step_lets_in_with_a_clear_yes_only(step: str, answer: Any) -> None:
    h = host(validator=stepped(step, answer))
    assert denied(client(), h).reason is DenyReason.UNSPECIFIED
    assert not h.done


@pytest.mark.parametrize("step", ["create_auth_challenge", "create_host_proof"])
def test_a_making_step_that_raises_denies(step: str) -> None:
    h = host(validator=stepped(step, ValueError("x")))
    assert denied(client(), h).reason is DenyReason.UNSPECIFIED
    assert h.identity is None and not h.done


@pytest.mark.parametrize("answer", [None, False, "yes", (1, 0)])
def test_a_client_takes_a_host_for_proved_with_a_clear_yes_only(answer: Any) -> None:
    with pytest.raises(ConnectionDenied) as caught:
        shake(client(validator=stepped("check_host_proof", answer)), host())
    assert caught.value.reason is DenyReason.SECURITY


def test_a_denial_raised_by_a_step_keeps_its_code_and_the_text_stays_home() -> None:
    validator = stepped("accept_host", ConnectionDenied(DenyReason.HOST_BLOCKED, "on the list since May"))
    h = host(validator=validator)
    error = denied(client(), h)
    assert error.reason is DenyReason.HOST_BLOCKED
    assert "May" not in str(error)
    assert h.failed is not None and "May" in h.failed.text


def test_a_denial_whose_code_is_none_denies_all_the_same() -> None:
    mistaken: Any = "the shop is closed"
    validator = stepped("accept_host", ConnectionDenied(mistaken, "see the board"))
    h = host(validator=validator)
    assert denied(client(), h).reason is DenyReason.UNSPECIFIED
    assert h.failed is not None and h.failed.text == "see the board"


def test_certificates_are_judged_under_tls_only() -> None:
    shake(client(binding=None), host(binding=None, validator=stepped("check_certificate", False)))
    assert denied(client(), host(validator=stepped("check_certificate", False)))


def test_a_full_host_is_too_busy() -> None:
    assert denied(client(), host(Place(max_connections=0))).reason is DenyReason.SERVER_TOO_BUSY


def test_a_host_can_deny_before_it_listens() -> None:
    c = client()
    c.start()
    with pytest.raises(ConnectionDenied) as caught:
        c.receive(denial(DenyReason.SERVER_TOO_BUSY))
    assert caught.value.reason is DenyReason.SERVER_TOO_BUSY


def test_start_is_for_once() -> None:
    c = client()
    c.start()
    with pytest.raises(RuntimeError):
        c.start()


# --- the log


def test_accepted_and_denied_connections_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "emporion.connection"):
        shake(client(Credentials("ann", "correct horse")), host(Place(PEOPLE)))
        denied(client(Credentials("ann", "wrong")), host(Place(PEOPLE)))
    accepted, refused = caplog.records
    assert (accepted.levelname, refused.levelname) == ("INFO", "WARNING")
    assert accepted.message == "accepted 192.0.2.1:4711, login 'ann', as 'ann'"
    assert refused.message == "denied 192.0.2.1:4711, login 'ann': wrong password (SECURITY)"
    assert "correct horse" not in caplog.text


def test_a_peer_cannot_write_its_own_lines_into_the_log(caplog: pytest.LogCaptureFixture) -> None:
    class Quoting(ConnectionValidator):
        def accept_host(self, host: Any, connection: Connection) -> bool:
            assert connection.exchange is not None
            raise ValueError(connection.exchange.login)

    forged = "eve\naccepted 192.0.2.9\x1b[2J" + "x" * 220
    hello = PREFACE + encode(Hello(SCRAM, b"p", b"n" * 18, forged, ("msgpack",)))
    for validator in (ConnectionValidator(), Quoting()):
        h = host(validator=validator)
        h.receive(hello)
        if h.failed is None:
            h.receive(encode(Token(bytes(32))))
        assert h.failed is not None
    assert len(caplog.records) == 3
    assert "\naccepted" not in caplog.text and "\x1b" not in caplog.text
    assert "in accept_host" in caplog.text  # the traceback of one's own step is there


def test_the_default_challenge_is_an_object_that_carries_everything() -> None:
    seen: list[ScramChallenge] = []

    class Watching(ConnectionValidator):
        def create_auth_token(self, identity: Any, challenge: Any, peer_address: Any, uri: Any, host: Any) -> Any:
            seen.append(challenge)
            assert (peer_address, host) == (("127.0.0.1", 7766), None)
            return super().create_auth_token(identity, challenge, peer_address, uri, host)

    shake(client(validator=Watching()), host())
    (challenge,) = seen
    assert (challenge.salt, challenge.iterations, challenge.binding) == (VERIFIERS.salt, 4096, HERE)
    assert len(challenge.client_nonce) == len(challenge.host_nonce) == 18
    assert len(bytes(challenge)) == 16
