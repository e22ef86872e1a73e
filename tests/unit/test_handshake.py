"""Both ends of the handshake, run against each other in memory: who gets in, and who stands between."""

from typing import Any

import pytest
from emporion.errors import ConnectionDenied, DenyReason, ProtocolError
from emporion.runtime.connection.handshake import denial
from emporion.runtime.connection.handshake_messages import (
    OWN,
    PREFACE,
    SCRAM,
    Challenge,
    Hello,
    Token,
    Welcome,
    decode_untrusted,
    encode,
)
from emporion.tests.two_ends import HERE, PEOPLE, RIGHT, VERIFIERS, Place, TokenScheme, client, denied, host, shake
from emporion.validators.connection import Connection, Credentials
from emporion.validators.connection.scram import MAX_ITERATIONS
from emporion.validators.connection.verifiers import Verifiers

# --- who gets in


@pytest.mark.parametrize("binding", [None, HERE])
def test_the_right_passphrase_opens(binding: bytes | None) -> None:
    c, h = client(binding=binding), host(binding=binding)
    shake(c, h)
    assert c.done and h.done
    assert h.failed is None
    assert (h.identity, h.codec, c.codec) == (None, "msgpack", "msgpack")


@pytest.mark.parametrize(
    ("identity", "label"),
    [
        (Credentials("ann", "correct horse"), "ann"),
        (Credentials("bob", "battery"), "bob"),
        (Credentials(None, "battery"), "bob"),
        (Credentials("", "battery"), "bob"),
    ],
)
def test_a_label_becomes_the_identity(identity: Credentials, label: str) -> None:
    connection = Connection(("192.0.2.1", 4711))
    h = host(Place(PEOPLE), connection=connection)
    shake(client(identity), h)
    assert h.identity == connection.identity == label


@pytest.mark.parametrize(
    "identity",
    [
        None,
        Credentials(None, "wrong"),
        Credentials(None, ""),
        Credentials("ann", ""),
        Credentials("ann", "battery"),
        Credentials("carol", "correct horse"),
        Credentials("\u00e9" * 127, "correct horse"),
    ],
)
def test_whoever_cannot_prove_it_is_denied_for_security(identity: Credentials | None) -> None:
    h = host(Place(PEOPLE))
    error = denied(client(identity), h)
    assert error.reason is DenyReason.SECURITY
    assert h.failed is not None and h.failed.reason is DenyReason.SECURITY
    assert not h.done and h.identity is None


def test_a_wrong_passphrase_and_an_unknown_login_look_the_same_to_a_client() -> None:
    answers = {str(denied(client(Credentials(*pair)), host(Place(PEOPLE)))) for pair in [("ann", "x"), ("eve", "x")]}
    assert len(answers) == 1


def test_a_passphrase_is_the_same_however_its_accents_are_typed() -> None:
    h = host(Place(Verifiers(["caf\u00e9"], iterations=4096)))
    shake(client(Credentials(None, "cafe\u0301")), h)
    assert h.done


def test_a_passphrase_that_no_host_can_have_is_denied_before_anything_is_sent() -> None:
    with pytest.raises(ConnectionDenied, match=r"U\+000A") as caught:
        client(Credentials(None, "hush hush\n")).start()
    assert caught.value.reason is DenyReason.SECURITY
    assert "hush" not in str(caught.value)


def test_an_endless_login_is_denied_before_anything_is_sent() -> None:
    with pytest.raises(ConnectionDenied, match="255"):
        client(Credentials("x" * 256, "y")).start()


def test_anonymous_clients_get_in_where_that_is_allowed() -> None:
    for place in (Place(None, allow_anonymous=True), Place(VERIFIERS, allow_anonymous=True)):
        c, h = client(None), host(place)
        shake(c, h)
        assert c.done and h.done and h.identity is None


def test_an_anonymous_client_has_to_know_its_host_from_elsewhere() -> None:
    error = denied(client(None, host_known=False), host(Place(None, allow_anonymous=True)))
    assert error.reason is DenyReason.SECURITY
    assert "verify_host=False" in str(error)


def test_a_client_with_a_passphrase_refuses_an_anonymous_host() -> None:
    error = denied(client(), host(Place(None, allow_anonymous=True)))
    assert error.reason is DenyReason.SECURITY
    assert "cannot prove itself" in str(error)


def test_an_empty_passphrase_never_takes_a_host_for_proved() -> None:
    """A stranger can know the empty passphrase too: it must not prove the stranger."""
    for place in (Place(None, allow_anonymous=True), Place(VERIFIERS, allow_anonymous=True)):
        assert denied(client(Credentials(None, "")), host(place)).reason is DenyReason.SECURITY


def test_passphrases_can_be_swapped_between_two_handshakes_and_within_one() -> None:
    place = Place(VERIFIERS)
    c, h = client(), host(place)
    token = c.receive(h.receive(c.start()))
    place.verifiers = VERIFIERS.with_passphrases(["new"])
    with pytest.raises(ConnectionDenied):
        c.receive(h.receive(token))
    shake(client(Credentials(None, "new")), host(place))
    c, h = client(Credentials(None, "new")), host(place)
    token = c.receive(h.receive(c.start()))
    place.verifiers = Verifiers(["new"], iterations=4096)  # another salt
    h.receive(token)
    assert h.failed is not None and "changed during" in h.failed.text


def test_nothing_secret_stays_on_the_connection() -> None:
    for identity in (RIGHT, Credentials(None, "wrong")):
        connection = Connection(("192.0.2.1", 4711))
        c, h = client(identity), host(connection=connection)
        h.receive(c.receive(h.receive(c.start())))
        assert connection.exchange is None and connection.verifier is None


# --- who stands between


@pytest.mark.parametrize("seen", [None, b"certificate of a relay".ljust(32)])
@pytest.mark.parametrize("own", [None, b"own"])
def test_a_relay_with_another_certificate_fails(seen: bytes | None, own: bytes | None) -> None:
    """The bytes go through untouched: only the two ends' views of the certificate differ."""
    validators: dict[str, Any] = {} if own is None else {"validator": TokenScheme()}
    h = host(binding=HERE, **validators)
    assert denied(client(binding=seen, host_known=True, **validators), h).reason is DenyReason.SECURITY
    assert h.failed is not None


def test_a_relay_that_forges_the_binding_flag_fails_too() -> None:
    """Binding stripped on the client's side, and the flag changed so that the host does not notice: the proof does."""
    c, h = client(binding=None), host()
    hello = c.start().replace(b"H\x01n", b"H\x01p")
    token = c.receive(h.receive(hello))
    h.receive(token)
    assert h.failed is not None and "wrong passphrase" in h.failed.text


@pytest.mark.parametrize(("flag", "binding"), [(b"n", HERE), (b"y", HERE), (b"y", None), (b"p", None)])
def test_a_client_that_sees_another_channel_is_denied_at_once(flag: bytes, binding: bytes | None) -> None:
    h = host(binding=binding)
    answer = h.receive(PREFACE + encode(Hello(SCRAM, flag, b"n" * 18, "", ("msgpack",))))
    assert answer == denial(DenyReason.SECURITY)


def test_a_hello_changed_on_its_way_is_found_out() -> None:
    c, h = client(), host(codecs=("xml",))
    hello = c.start().replace(b"\x07msgpack", b"\x03xml".ljust(8)).replace(b"\x03xml    ", b"\x03xml")
    body = hello[len(PREFACE) + 4 :]
    h.receive(c.receive(h.receive(PREFACE + len(body).to_bytes(4) + body)))
    assert h.failed is not None and h.failed.reason is DenyReason.SECURITY


def test_a_recorded_client_is_no_use_against_a_new_connection() -> None:
    c, h = client(), host()
    hello = c.start()
    token = c.receive(h.receive(hello))
    h.receive(token)
    assert h.done
    again = host()
    again.receive(hello)
    assert again.receive(token) == denial(DenyReason.SECURITY)
    assert not again.done


def test_what_a_client_sends_cannot_be_turned_against_it() -> None:
    c = client()
    hello = c.start()
    with pytest.raises(ProtocolError):
        c.receive(hello)
    c = client()
    token = c.receive(host().receive(c.start()))
    with pytest.raises(ProtocolError):
        c.receive(token)
    c = client()
    proof = decode_untrusted(c.receive(host().receive(c.start()))[4:])
    assert isinstance(proof, Token)
    with pytest.raises(ConnectionDenied, match="proof is wrong"):
        c.receive(encode(Welcome(proof.value, ("msgpack",))))


@pytest.mark.parametrize("proof", [None, bytes(32), b"", "text", (b"x" * 32,), True])
def test_a_host_that_does_not_know_the_passphrase_is_denied(proof: Any) -> None:
    c = client(host_known=True)
    c.receive(host().receive(c.start()))
    with pytest.raises(ConnectionDenied) as caught:
        c.receive(encode(Welcome(proof, ("msgpack",))))
    assert caught.value.reason is DenyReason.SECURITY
    assert not c.done


@pytest.mark.parametrize("iterations", [1, 4095, MAX_ITERATIONS + 1, 10**9, 2**32 - 1])
def test_a_client_does_not_stretch_too_little_or_for_ever(iterations: int) -> None:
    c = client()
    c.start()
    with pytest.raises(ConnectionDenied, match=str(iterations)) as caught:
        c.receive(encode(Challenge(SCRAM, b"n" * 18, iterations, b"salt" * 4)))
    assert caught.value.reason is DenyReason.SECURITY


def test_a_client_never_answers_a_scheme_it_does_not_know_with_its_passphrase() -> None:
    c = client()
    c.start()
    with pytest.raises(ConnectionDenied, match="connection_validator"):
        c.receive(encode(Challenge(OWN, b"n" * 18, value=b"send it to me")))


def test_proofs_differ_each_time() -> None:
    tokens = set()
    for _ in range(3):
        c = client()
        tokens.add(c.receive(host().receive(c.start())))
    assert len(tokens) == 3


# --- codecs


def test_the_host_takes_the_clients_codec_if_it_reads_it() -> None:
    h = host()
    shake(client(codec="xml"), h)
    assert h.codec == "xml"


def test_without_a_common_codec_the_client_learns_which_one_to_set() -> None:
    h = host(codecs=("xml",))
    error = denied(client(), h)
    assert "codec='xml'" in str(error)
    assert not h.done and h.failed is not None


def test_what_follows_the_handshake_is_kept_for_the_session() -> None:
    c, h = client(), host()
    token = c.receive(h.receive(c.start()))
    welcome = h.receive(token + b"first call")
    assert c.receive(welcome + b"first answer") == b""
    assert (h.trailing, c.trailing) == (b"first call", b"first answer")
