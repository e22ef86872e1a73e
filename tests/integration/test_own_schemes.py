"""Validators of one's own at both ends of a real connection: their formats, their mistakes, and what the log says."""

import hmac
import logging
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import emporion
import pytest
from emporion.errors import ConfigurationError, ConnectionDenied, DenyReason
from emporion.tests.harbour import PASSPHRASE, Ears
from emporion.tests.strangers import Shop
from emporion.validators.connection import Connection, ConnectionValidator
from emporion.validators.connection.verifiers import Verifiers
from emporion.validators.verdict import Verdict, deny

VERIFIERS = Verifiers([PASSPHRASE], iterations=4096)
PLACES = ["emporion+tcp://127.0.0.1:0", "127.0.0.1:0"]


@pytest.fixture(params=PLACES, ids=["plain", "tls"])
def place(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def open_here(place: str, validator: ConnectionValidator) -> tuple[emporion.Host, emporion.URI]:
    host = emporion.Host(place, passphrases=VERIFIERS, connection_validator=validator)
    return host, host.register(Shop(), "shop")


def said(ears: Ears, *words: str) -> list[logging.LogRecord]:
    return [record for record in list(ears.records) if all(word in record.getMessage() for word in words)]


# --- formats


class Tokens(ConnectionValidator):
    """Whatever challenge, token and proof: the token is made of the challenge, and the proof of the token."""

    def __init__(self, challenge: Any, shape: Callable[[Any], Any]) -> None:
        self.challenge = challenge
        self.shape = shape
        self.seen: list[Any] = []

    def create_auth_challenge(self, host: Any, connection: Connection) -> Any:
        return self.challenge

    def create_auth_token(self, identity: Any, challenge: Any, peer_address: Any, uri: Any, host: Any) -> Any:
        assert (host is None) == (uri is not None)
        self.seen.append(challenge)
        return self.shape(hmac.digest(b"shared", repr(challenge).encode(), sha256))

    def accept_identification(self, host: Any, connection: Connection, token: Any, challenge: Any) -> bool:
        return bool(token == self.create_auth_token(None, challenge, connection.address, None, host))

    def create_host_proof(self, host: Any, connection: Connection, token: Any, challenge: Any) -> Any:
        return ("proof", token)

    def check_host_proof(self, identity: Any, challenge: Any, token: Any, proof: Any) -> bool:
        return bool(proof == ("proof", token))


SHAPES: dict[str, tuple[Any, Callable[[Any], Any]]] = {
    "16 bytes": (b"0123456789abcdef", bytes),
    "a tuple": (("v1", 7, True, None, b"x", "\u00e9"), lambda mac: ("ann", mac, -(2**200), (None, (True, "")))),
    "nothing asked": (None, lambda mac: mac.hex()),
    "a number": (2**64, lambda mac: int.from_bytes(mac)),
    "nothing told": (b"", lambda mac: None),
    "an empty tuple": ((), lambda mac: ()),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_scheme_of_ones_own_needs_no_sockets(place: str, shape: str) -> None:
    validator = Tokens(*SHAPES[shape])
    host, uri = open_here(place, validator)
    with host, emporion.connect(uri, identity="any", connection_validator=validator) as shop:
        assert shop.stock() == 3
    at_client, at_host = validator.seen
    assert at_client == at_host, "both ends see the same challenge"
    match SHAPES[shape][0]:
        case None:
            assert at_client is None
        case tuple() as items:
            assert at_client[:-1] == items and len(at_client[-1]) == 16
        case _:
            assert len(at_client) == 16


def test_a_16_byte_challenge_is_another_one_each_time(place: str) -> None:
    validator = Tokens(*SHAPES["16 bytes"])
    host, uri = open_here(place, validator)
    with host:
        for _ in range(2):
            emporion.connect(uri, identity="any", connection_validator=validator)._peer.close()
    assert len(set(validator.seen)) == 2


# --- what steps raise and return, at the host


class Logins(Tokens):
    """Login and password, as a tuple in `identity=`."""

    def __init__(self) -> None:
        super().__init__(b"", bytes)

    def create_auth_token(self, identity: Any, challenge: Any, *more: Any) -> Any:
        login, password = identity
        return login, hmac.digest(password.encode(), challenge, sha256)

    def accept_identification(self, host: Any, connection: Connection, token: Any, challenge: Any) -> bool:
        return bool(token == self.create_auth_token(("ann", "correct horse"), challenge))


def test_an_identity_may_be_asked_for_when_it_is_needed(place: str) -> None:
    asked: list[str] = []

    def ask() -> tuple[str, str]:
        asked.append("ann")
        return "ann", "correct horse"

    def cancel() -> None:
        raise InterruptedError("cancelled")

    host, uri = open_here(place, Logins())
    with host:
        with emporion.connect(uri, identity=ask, connection_validator=Logins()) as shop:
            assert shop.stock() == 3
        assert asked == ["ann"]
        with pytest.raises(InterruptedError, match="cancelled"):
            emporion.connect(uri, identity=cancel, connection_validator=Logins())
        with pytest.raises(ConnectionDenied):
            emporion.connect(uri, identity=lambda: ("ann", "battery"), connection_validator=Logins())


class Bad(ConnectionValidator):
    """One of whose steps does what a test says."""

    def __init__(self, step: str, does: Callable[[], Any]) -> None:
        setattr(self, step, lambda *_: does())


def raises(error: BaseException) -> Callable[[], Any]:
    def step() -> Any:
        raise error

    return step


async def forgotten() -> bool:
    return True


HOST_STEPS = ["accept_host", "check_certificate", "create_auth_challenge", "accept_identification", "accept_identity",
              "create_host_proof"]
DECIDING = ["accept_host", "check_certificate", "accept_identification", "accept_identity"]


class Quit(BaseException):
    """No Exception, as what a library may raise that wants to end the program."""


@pytest.mark.parametrize("error", [ZeroDivisionError("x\ny"), SystemExit(0), Quit(), OSError(5, "disk")], ids=repr)
@pytest.mark.parametrize("step", HOST_STEPS)
def test_whatever_a_step_raises_at_the_host_denies_and_is_logged_with_its_traceback(
    step: str, error: BaseException, ears: Ears
) -> None:
    host, uri = open_here(PLACES[step == "check_certificate"], Bad(step, raises(error)))
    with host:
        with pytest.raises(ConnectionDenied) as caught:
            emporion.connect(uri, passphrase=PASSPHRASE)
        assert caught.value.reason is DenyReason.UNSPECIFIED
        assert "disk" not in str(caught.value)
        (traced,) = said(ears, f"validator step {step} raised", type(error).__name__)
        assert traced.levelno == logging.ERROR
        assert "Traceback (most recent call last):" in traced.getMessage() and "raise error" in traced.getMessage()
        (denied,) = said(ears, "denied ", f"{step} raised {type(error).__name__}", "UNSPECIFIED")
        assert denied.levelno == logging.WARNING
        assert host.connections() == []
        host.set_connection_validator(ConnectionValidator())
        with emporion.connect(uri, passphrase=PASSPHRASE) as shop:
            assert shop.stock() == 3
        assert len(said(ears, "accepted ")) == 1


ANSWERS: dict[str, tuple[Callable[[], Any], DenyReason, str]] = {
    "None": (lambda: None, DenyReason.UNSPECIFIED, "NoneType"),
    "2": (lambda: 2, DenyReason.UNSPECIFIED, "int"),
    "the seed's tuple": (lambda: (1, 0), DenyReason.UNSPECIFIED, "tuple"),
    "a coroutine": (forgotten, DenyReason.UNSPECIFIED, "coroutine"),
    "False": (lambda: False, DenyReason.UNSPECIFIED, "said no"),
    "a code": (lambda: deny(DenyReason.HOST_BLOCKED, "not\nyou"), DenyReason.HOST_BLOCKED, "not\\nyou"),
    "a code that is none": (lambda: Verdict(False, "x", 3), DenyReason.UNSPECIFIED, "x"),  # type: ignore[arg-type]
    "raised": (raises(ConnectionDenied(DenyReason.SERVER_TOO_BUSY, "full")), DenyReason.SERVER_TOO_BUSY, "full"),
}


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("step", DECIDING)
def test_a_deciding_step_says_yes_or_denies_with_its_code_and_the_log_says_why(
    step: str, answer: str, ears: Ears
) -> None:
    does, code, why = ANSWERS[answer]
    host, uri = open_here(PLACES[step == "check_certificate"], Bad(step, does))
    with host, pytest.raises(ConnectionDenied) as caught:
        emporion.connect(uri, passphrase=PASSPHRASE)
    assert caught.value.reason is code
    assert "full" not in str(caught.value)
    (denied,) = said(ears, "denied ", why, code.name)
    assert "127.0.0.1" in denied.getMessage() and "\n" not in denied.getMessage()


@pytest.mark.parametrize("step", ["create_auth_challenge", "create_host_proof"])
@pytest.mark.parametrize("answer", [object, forgotten, lambda: [1], lambda: bytes(5_000)])
def test_a_making_step_that_gives_what_cannot_be_sent_denies(step: str, answer: Callable[[], Any], ears: Ears) -> None:
    host, uri = open_here(PLACES[0], Bad(step, answer))
    with host, pytest.raises(ConnectionDenied) as caught:
        emporion.connect(uri, passphrase=PASSPHRASE)
    assert caught.value.reason is DenyReason.UNSPECIFIED
    assert said(ears, f"validator step {step} returned what cannot be sent")


@pytest.mark.parametrize("step", ["accept_identification", "accept_identity", "create_host_proof"])
@pytest.mark.parametrize("identity", [7, ("ann", 1), "", "a\nb", "x" * 256, b"ann", "\u202e"])
def test_an_identity_is_printable_text_or_the_connection_is_denied(step: str, identity: Any, ears: Ears) -> None:
    """It may come out of a token, and goes into logs, limits and hosted methods."""
    says = True

    def name(host: Any, connection: Connection, *more: Any) -> Any:
        connection.identity = identity
        return says

    validator = ConnectionValidator()
    setattr(validator, step, name)
    host, uri = open_here(PLACES[0], validator)
    with host:
        with pytest.raises(ConnectionDenied) as caught:
            emporion.connect(uri, passphrase=PASSPHRASE)
        assert caught.value.reason is DenyReason.UNSPECIFIED
        assert said(ears, "identity has to be None or a printable text") and len(said(ears, "denied ")) == 1
        says = False
        with pytest.raises(ConnectionDenied):
            emporion.connect(uri, passphrase=PASSPHRASE)
        assert len(said(ears, "denied ")) == 2


# --- what steps raise and return, at the client


CLIENT_STEPS = ["munge_identification", "create_auth_token", "check_host_proof"]


@pytest.mark.parametrize("error", [ZeroDivisionError("sums"), FileNotFoundError("no keyring"), TimeoutError("slow")],
                         ids=repr)
@pytest.mark.parametrize("step", CLIENT_STEPS)
def test_what_a_step_raises_at_the_client_is_not_taken_for_the_network(step: str, error: Exception) -> None:
    host, uri = open_here(PLACES[0], ConnectionValidator())
    with host, pytest.raises(ConfigurationError, match=f"{step} of the connection_validator raised") as caught:
        emporion.connect(uri, passphrase=PASSPHRASE, connection_validator=Bad(step, raises(error)))
    assert caught.value.__cause__ is error
    assert str(error) in str(caught.value)


@pytest.mark.parametrize("step", CLIENT_STEPS)
def test_a_denial_raised_at_the_client_comes_out_as_it_is(step: str) -> None:
    denial = ConnectionDenied(DenyReason.SECURITY, "I do not like this host")
    host, uri = open_here(PLACES[0], ConnectionValidator())
    with host, pytest.raises(ConnectionDenied) as caught:
        emporion.connect(uri, passphrase=PASSPHRASE, connection_validator=Bad(step, raises(denial)))
    assert caught.value is denial


@pytest.mark.parametrize("answer", [lambda: [1], forgotten, object, lambda: "x" * 5_000])
def test_a_token_that_cannot_be_sent_says_so_at_the_client(answer: Callable[[], Any]) -> None:
    host, uri = open_here(PLACES[0], ConnectionValidator())
    with host, pytest.raises(ConfigurationError, match="create_auth_token"):
        emporion.connect(uri, passphrase=PASSPHRASE, connection_validator=Bad("create_auth_token", answer))


@pytest.mark.parametrize("answer", [lambda: None, forgotten, lambda: 2, lambda: False, lambda: deny(text="no")])
def test_a_client_that_does_not_clearly_take_the_hosts_proof_does_not_connect(answer: Callable[[], Any]) -> None:
    host, uri = open_here(PLACES[0], ConnectionValidator())
    with host, pytest.raises(ConnectionDenied) as caught:
        emporion.connect(uri, passphrase=PASSPHRASE, connection_validator=Bad("check_host_proof", answer))
    assert caught.value.reason is DenyReason.SECURITY
