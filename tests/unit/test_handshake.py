"""Both ends of the handshake, run against each other in memory."""

import logging
import secrets
from dataclasses import dataclass, field
from typing import Any

import pytest
from emporion.errors import ConfigurationError, ConnectionDenied, DenyReason, ProtocolError
from emporion.runtime.connection.handshake import (
    CLIENT_NEXT,
    HOST_NEXT,
    ClientHandshake,
    HostHandshake,
    State,
    denial,
)
from emporion.runtime.connection.handshake_messages import (
    ANONYMOUS,
    MAX_MESSAGE_BYTES,
    OWN,
    PREFACE,
    SCRAM,
    Challenge,
    Denied,
    Hello,
    Message,
    Token,
    Welcome,
    decode_untrusted,
    encode,
)
from emporion.validators.connection import Connection, ConnectionValidator, Credentials
from emporion.validators.connection.scram import MAX_ITERATIONS, ScramChallenge
from emporion.validators.connection.verifiers import Verifiers

RIGHT = Credentials(None, "correct horse")
VERIFIERS = Verifiers(["another one", "correct horse"], iterations=4096)
PEOPLE = Verifiers({"ann": "correct horse", "bob": "battery"}, iterations=4096)
HERE = b"certificate of the host".ljust(32)


@dataclass
class Place:
    """What the default validator asks of a host."""

    verifiers: Verifiers | None = VERIFIERS
    allow_anonymous: bool = False
    max_connections: int = 2
    open: list[object] = field(default_factory=list)

    def connections(self) -> list[object]:
        return self.open


def client(identity: Any = RIGHT, *, binding: bytes | None = HERE, **more: Any) -> ClientHandshake:
    options: dict[str, Any] = {"uri": None, "peer_address": ("127.0.0.1", 7766), "codec": "msgpack"}
    validator = more.pop("validator", None) or ConnectionValidator()
    more.setdefault("host_known", identity is None)
    random = secrets.token_bytes
    return ClientHandshake(validator, identity=identity, binding=binding, random=random, **{**options, **more})


def host(place: Place | None = None, *, binding: bytes | None = HERE, **more: Any) -> HostHandshake:
    validator = more.pop("validator", None) or ConnectionValidator()
    connection = more.pop("connection", None) or Connection(("192.0.2.1", 4711))
    codecs = more.pop("codecs", ("msgpack", "xml"))
    random = more.pop("random", secrets.token_bytes)
    place = place or Place()
    return HostHandshake(
        validator, host=place, connection=connection, binding=binding, codecs=codecs, random=random, **more
    )


def shake(c: ClientHandshake, h: HostHandshake) -> None:
    """Carry bytes to and fro until both ends are silent; what the client raises comes out."""
    to_host = c.start()
    while to_host:
        to_client = h.receive(to_host)
        to_host = c.receive(to_client) if to_client else b""


def denied(c: ClientHandshake, h: HostHandshake) -> ConnectionDenied:
    with pytest.raises(ConnectionDenied) as caught:
        shake(c, h)
    assert not c.done
    return caught.value


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


# --- every message in every state

SAMPLES: dict[type[Message], Message] = {
    Hello: Hello(ANONYMOUS, b"p", b"n" * 18, "", ("msgpack",)),
    Challenge: Challenge(ANONYMOUS, b"n" * 18),
    Token: Token(None),
    Welcome: Welcome(None, ("msgpack",)),
    Denied: Denied(DenyReason.HOST_BLOCKED),
}
FRIENDLY = Place(None, allow_anonymous=True)


def host_in(state: State) -> HostHandshake:
    h = host(FRIENDLY)
    if state is not State.GREETING:
        h.receive(PREFACE + encode(SAMPLES[Hello]))
    if state is State.OPEN:
        h.receive(encode(SAMPLES[Token]))
    if state is State.CLOSED:
        with pytest.raises(ProtocolError):
            h.receive(bytes(5))
    return h


def client_in(state: State) -> ClientHandshake:
    c = client(None)
    if state is not State.SILENT:
        c.start()
    if state in (State.PROVING, State.OPEN):
        c.receive(encode(SAMPLES[Challenge]))
    if state is State.OPEN:
        c.receive(encode(SAMPLES[Welcome]))
    if state is State.CLOSED:
        with pytest.raises(ProtocolError):
            c.receive(bytes(5))
    return c


@pytest.mark.parametrize("kind", SAMPLES)
@pytest.mark.parametrize("state", [State.GREETING, State.PROVING, State.OPEN, State.CLOSED])
def test_the_host_takes_what_its_table_lists_and_nothing_else(state: State, kind: type[Message]) -> None:
    h = host_in(state)
    data = (PREFACE if state is State.GREETING else b"") + encode(SAMPLES[kind])
    if (state, kind) in HOST_NEXT:
        assert h.receive(data)
        assert h.done == (HOST_NEXT[state, kind] is State.OPEN)
    else:
        with pytest.raises(ProtocolError):
            h.receive(data)


@pytest.mark.parametrize("kind", SAMPLES)
@pytest.mark.parametrize("state", list(State))
def test_the_client_takes_what_its_table_lists_and_nothing_else(state: State, kind: type[Message]) -> None:
    c = client_in(state)
    following = CLIENT_NEXT.get((state, kind))
    if following is None:
        with pytest.raises(ProtocolError):
            c.receive(encode(SAMPLES[kind]))
    elif following is State.CLOSED:
        with pytest.raises(ConnectionDenied) as caught:
            c.receive(encode(SAMPLES[kind]))
        assert caught.value.reason is DenyReason.HOST_BLOCKED
    else:
        c.receive(encode(SAMPLES[kind]))
        assert c.done == (following is State.OPEN)


def test_the_tables_hold_exactly_one_way_in() -> None:
    assert [*HOST_NEXT.values()].count(State.OPEN) == [*CLIENT_NEXT.values()].count(State.OPEN) == 1


def test_an_end_that_failed_stays_closed_to_good_messages() -> None:
    denying, offended = host(), host(FRIENDLY)
    denying.receive(PREFACE + encode(SAMPLES[Hello]))
    denying.receive(encode(Token(None)))
    assert denying.failed is not None
    with pytest.raises(ProtocolError, match="while GREETING"):
        offended.receive(PREFACE + encode(SAMPLES[Token]))
    asking = client_in(State.GREETING)
    with pytest.raises(ProtocolError, match="while GREETING"):
        asking.receive(encode(SAMPLES[Welcome]))
    for end, kind in ((denying, Hello), (offended, Hello), (asking, Challenge)):
        with pytest.raises(ProtocolError, match="is over"):
            end.receive(encode(SAMPLES[kind]))


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "in the middle"),
        (b"Z", "type 90"),
        (b"T", "in the middle"),
        (b"T00", "1 bytes too many"),
        (b"Tx", "unknown kind"),
        (b"Ti\x02\x00\x07", "longer than it needs"),
        (b"Ti\x00", "0 where"),
        (b"Ti\x41" + b"\x7f" * 65, "65 where"),
        (b"Ts\x00\x01\xff", "not UTF-8"),
        (b"T" + b"(\x01" * 5 + b"0", "too deep"),
        (b"T(\x21" + b"0" * 33, "33 where"),
        (b"D\x04", "4 where"),
        (b"H\x03p", "3 where"),
        (b"H\x00x", "flag b'x'"),
        (b"H\x00p" + b"n" * 18 + b"\x01a\x01\x01x", "names a login"),
        (b"H\x01p" + b"n" * 18 + b"\x00\x00", "0 where"),
        (b"H\x01p" + b"n" * 18 + b"\x00\x09" + b"\x01x" * 9, "9 where"),
        (b"H\x01p" + b"n" * 18 + b"\x00\x01\x21" + b"x" * 33, "33 where"),
        (b"H\x01p" + b"n" * 18 + b"\x00\x01\x02\xc3\xa9", "not ASCII"),
        (b"H\x01p" + b"n" * 18 + b"\x00\x01\x01\n", "not ASCII"),
        (b"C\x01" + b"n" * 18 + b"\x00\x00\x10\x00\x07" + b"s" * 7, "7 where"),
        (b"C\x00" + b"n" * 18 + b"0", "too many"),
        (b"C\x01" + b"n" * 18 + bytes(4) + b"\x08" + b"s" * 8, "0 iterations"),
    ],
)
def test_a_malformed_message_is_a_protocol_error(body: bytes, why: str) -> None:
    with pytest.raises(ProtocolError, match=why):
        decode_untrusted(body)


@pytest.mark.parametrize("first", [b"GET / HTTP/1.1\r\n", b"\x16\x03\x01", b"SSH-2.0-x", b"\0", b"EMPORIUM"])
def test_other_protocols_are_told_apart_at_their_first_wrong_byte(first: bytes) -> None:
    h = host()
    with pytest.raises(ProtocolError, match="no Emporion client"):
        for byte in first:
            h.receive(bytes([byte]))


def test_another_version_is_named() -> None:
    with pytest.raises(ProtocolError, match="version 9, this host 1"):
        host().receive(PREFACE[:-1] + b"\x09")


@pytest.mark.parametrize("length", [0, MAX_MESSAGE_BYTES + 1, 2**32 - 1])
def test_a_length_is_judged_before_its_message_is_awaited(length: int) -> None:
    with pytest.raises(ProtocolError, match="4096"):
        host().receive(PREFACE + length.to_bytes(4))
    c = client()
    c.start()
    with pytest.raises(ProtocolError, match="4096"):
        c.receive(length.to_bytes(4))


def test_nobody_may_speak_before_being_asked() -> None:
    with pytest.raises(ProtocolError, match="before it was asked"):
        host(FRIENDLY).receive(PREFACE + encode(SAMPLES[Hello]) + encode(SAMPLES[Token]))
    c = client(None)
    c.start()
    with pytest.raises(ProtocolError, match="before it was answered"):
        c.receive(encode(SAMPLES[Challenge]) + encode(SAMPLES[Welcome]))


def test_bytes_may_come_one_by_one() -> None:
    c, h = client(), host()
    to_host = c.start()
    while to_host:
        to_client = b"".join(h.receive(bytes([byte])) for byte in to_host)
        to_host = b"".join(c.receive(bytes([byte])) for byte in to_client)
    assert c.done and h.done


# --- schemes of one's own


class TokenScheme(ConnectionValidator):
    """As people wrote them for the seed: a challenge, and a token that both ends compute."""

    secret = "shared"
    raw: Any = b"constant"

    def create_auth_challenge(self, host: Any, connection: Connection) -> Any:
        return self.raw

    def create_auth_token(self, identity: Any, challenge: Any, peer_address: Any, uri: Any, host: Any) -> Any:
        return ("token", repr((identity, challenge)))

    def accept_identification(self, host: Any, connection: Connection, token: Any, challenge: Any) -> bool:
        connection.identity = "somebody"
        if token == self.create_auth_token(self.secret, challenge, None, None, host):
            return True
        raise ConnectionDenied(DenyReason.SECURITY, "no")


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
