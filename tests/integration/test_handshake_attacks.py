"""Attacks on the handshake by people who have listened to it: replay, reflection, guessing, and comparing answers."""

import gc
import hmac
import logging
import sys
from collections import Counter
from contextlib import closing
from hashlib import sha256
from types import FrameType
from typing import Any

import emporion
import pytest
from emporion.errors import ConnectionDenied, DenyReason
from emporion.runtime.connection.handshake import ClientHandshake, HostHandshake
from emporion.runtime.connection.handshake_messages import (
    PREFACE,
    SCRAM,
    Challenge,
    Hello,
    Token,
    Welcome,
    decode_untrusted,
    encode,
)
from emporion.runtime.connection.tls import server_context
from emporion.tests.harbour import PASSPHRASE, Ears, in_thread, until
from emporion.tests.strangers import RIGHT, Shop, Stranger, Wire, fake_host, reason_in
from emporion.validators.connection import Connection, ConnectionValidator, Credentials
from emporion.validators.connection.verifiers import Verifiers

PLACES = ["emporion+tcp://127.0.0.1:0", "127.0.0.1:0"]
VERIFIERS = Verifiers([PASSPHRASE], iterations=4096)


class OwnScheme(ConnectionValidator):
    """A challenge of 16 bytes and a token of one's own format, without a proof of the host's."""

    def create_auth_challenge(self, host: Any, connection: Connection) -> bytes:
        return bytes(16)  # not even random: the handshake makes it fresh

    def create_auth_token(self, identity: Any, challenge: Any, peer_address: Any, uri: Any, host: Any) -> Any:
        return (identity[0], hmac.digest(identity[1], challenge, sha256))

    def accept_identification(self, host: Any, connection: Connection, token: Any, challenge: Any) -> bool:
        match token:
            case (str(name), bytes(mac)):
                connection.identity = name
                return hmac.compare_digest(mac, hmac.digest(b"shared", challenge, sha256))
        return False


OWN_IDENTITY = ("ann", b"shared")
SCHEMES = {"scram": (ConnectionValidator(), RIGHT), "own": (OwnScheme(), OWN_IDENTITY)}


@pytest.fixture(scope="module", params=PLACES, ids=["plain", "tls"])
def place(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def open_here(place: str, validator: ConnectionValidator | None = None) -> emporion.Host:
    host = emporion.Host(place, passphrases=VERIFIERS, connection_validator=validator)
    host.register(Shop(), "shop")
    return host


def denials(ears: Ears) -> list[str]:
    return [text for record in list(ears.records) if (text := record.getMessage()).startswith("denied ")]


# --- replay


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_recorded_client_gets_in_once(place: str, scheme: str, ears: Ears) -> None:
    """Under TLS recorded within it, as by somebody who has the host's key, or was its client's memory."""
    validator, identity = SCHEMES[scheme]
    with open_here(place, validator) as host:
        victim = Stranger(host.uri)
        recording = victim.shake(identity, validator)
        until(lambda: len(host.connections()) == 1)
        for still_open in (True, False):
            thief = Stranger(host.uri)
            thief.send(recording[0])
            assert thief.message()
            thief.send(recording[1])
            assert reason_in(thief.message()) is DenyReason.SECURITY or scheme == "own"
            assert thief.rest() == b""
            thief.close()
            assert len(host.connections()) == still_open
            victim.close()
            until(lambda: not host.connections())
        assert len(denials(ears)) == 2


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("old", [0, 1], ids=["HELLO", "TOKEN"])
def test_no_single_message_of_a_recording_is_of_any_use(place: str, scheme: str, old: int) -> None:
    validator, identity = SCHEMES[scheme]
    with open_here(place, validator) as host:
        victim = Stranger(host.uri)
        recording = victim.shake(identity, validator)
        until(lambda: len(host.connections()) == 1)
        victim.close()
        until(lambda: not host.connections())
        thief = Stranger(host.uri)
        half = thief.handshake(identity, validator)
        hello = half.start()
        thief.send(recording[0] if old == 0 else hello)
        token = half.receive(thief.message())  # a right answer, by somebody who knows how, to another HELLO
        thief.send(recording[1] if old == 1 else token)
        assert reason_in(thief.message()) in (DenyReason.SECURITY, DenyReason.UNSPECIFIED)
        assert thief.rest() == b""
        assert host.connections() == []
        thief.close()


def test_a_recorded_host_proves_nothing_to_the_next_client(ears: Ears) -> None:
    with open_here(PLACES[0]) as host:
        heard: list[bytes] = []
        client = Stranger(host.uri)
        half = client.handshake()
        client.send(half.start())
        while not half.done:
            heard.append(client.message())
            client.send(half.receive(heard[-1]))
        client.close()

    def play(wire: Wire) -> None:
        wire._exactly(len(PREFACE))
        for message in heard:
            wire.message()
            wire.send(message)
        wire.rest()

    with fake_host(play) as uri, pytest.raises(ConnectionDenied, match="the host's proof is wrong") as caught:
        emporion.connect(uri, passphrase=PASSPHRASE)
    assert caught.value.reason is DenyReason.SECURITY


# --- reflection


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_clients_own_token_sent_back_proves_nothing(scheme: str) -> None:
    validator, identity = SCHEMES[scheme]

    def reflect(wire: Wire) -> None:
        wire._exactly(len(PREFACE))
        hello = decode_untrusted(wire.message()[4:])
        assert isinstance(hello, Hello)
        challenge = Challenge(SCRAM, hello.nonce, 4096, VERIFIERS.salt)  # its nonce comes back, too
        own = Challenge(2, hello.nonce, value=hello.nonce[:16])
        wire.send(encode(challenge if scheme == "scram" else own))
        token = decode_untrusted(wire.message()[4:])
        assert isinstance(token, Token)
        wire.send(encode(Welcome(token.value, ("msgpack",))))
        wire.rest()

    options: dict[str, Any] = {"passphrase": PASSPHRASE} if scheme == "scram" else {
        "identity": identity, "connection_validator": validator, "verify_host": False}
    with fake_host(reflect) as uri, pytest.raises(ConnectionDenied, match="proof") as caught:
        emporion.connect(uri, **options)
    assert caught.value.reason is DenyReason.SECURITY


def relay(host: emporion.Host) -> Any:
    """Whatever one says, the other one hears."""

    def serve(wire: Wire) -> None:
        with closing(Stranger(host.uri)) as other:
            other.send(wire._exactly(len(PREFACE)))
            for one, two in ((wire, other), (other, wire)) * 2:
                two.send(one.message())

    return serve


def test_a_host_that_calls_an_attacker_is_not_let_in_as_its_own_client(ears: Ears) -> None:
    """It has one passphrase for both directions; the attacker leads it to itself, with a certificate of his own."""
    class Caller:
        @emporion.expose
        def call(self, uri: str) -> str:
            with pytest.raises(ConnectionDenied) as caught:
                emporion.connect(uri, passphrase=PASSPHRASE)
            return caught.value.reason.name

    with open_here(PLACES[1]) as host:
        with emporion.connect(host.register(Caller(), "caller"), passphrase=PASSPHRASE) as client:
            with fake_host(relay(host), server_context().context) as trap:
                assert client.call(str(trap)) == "SECURITY"
            assert len(host.connections()) == 1
        assert "wrong passphrase" in denials(ears)[0]


def test_in_the_clear_a_relay_gets_through_as_the_page_says() -> None:
    """Else the test above would prove nothing about the channel."""
    with open_here(PLACES[0]) as host, fake_host(relay(host)) as trap:
        victim = Stranger(trap)
        victim.shake()
        victim.close()


def test_a_challenge_of_the_hosts_answered_by_somebody_else_opens_nothing(ears: Ears) -> None:
    """The attacker has a connection of its own, and lets a client who knows the passphrase answer its challenge."""
    with open_here(PLACES[0]) as host:
        attacker = Stranger(host.uri)
        attacker.send(PREFACE + encode(Hello(SCRAM, b"n", b"a" * 18, "", ("msgpack",))))
        challenge = attacker.message()

        def ask_another(wire: Wire) -> None:
            wire._exactly(len(PREFACE))
            wire.message()
            wire.send(challenge)
            attacker.send(wire.message())
            wire.send(attacker.message())

        with fake_host(ask_another) as uri, pytest.raises(ConnectionDenied):
            emporion.connect(uri, passphrase=PASSPHRASE)
        assert attacker.rest() == b"" and host.connections() == []
        assert len(denials(ears)) == 1
        attacker.close()


# --- guessing


def guess(half: HostHandshake, draw: int) -> None:
    """One wrong passphrase. Its keys need not be stretched: to the host all wrong ones look alike."""
    half.receive(PREFACE + encode(Hello(SCRAM, b"n", draw.to_bytes(18), "", ("msgpack",))))
    assert reason_in(half.receive(encode(Token(sha256(draw.to_bytes(18)).digest())))) is DenyReason.SECURITY
    assert half.failed is not None and not half.done


def test_ten_thousand_wrong_passphrases_open_nothing_and_leave_nothing(ears: Ears) -> None:
    with open_here(PLACES[0]) as host:
        uri = host.register(Shop(), "till")

        def over_sockets(first: int, count: int) -> None:
            for draw in range(first, first + count):
                stranger = Stranger(host.uri)
                stranger.send(PREFACE + encode(Hello(SCRAM, b"n", draw.to_bytes(18), "", ("msgpack",))))
                assert stranger.message()
                stranger.send(encode(Token(sha256(draw.to_bytes(18)).digest())))
                assert reason_in(stranger.message()) is DenyReason.SECURITY
                assert stranger.rest() == b""
                stranger.close()

        over_sockets(0, 100)
        until(lambda: host._doors._listener.half_open() == 0)
        lines, things = len(ears.records), living()
        crowd = [in_thread(lambda first=first: over_sockets(first, 450)) for first in (100, 550)]  # type: ignore[misc]
        for one in crowd:
            one()
        validator = ConnectionValidator()
        logging.disable(logging.CRITICAL)  # what the log tells is bounded at the door, which these do not come by
        for draw in range(1_000, 10_000):
            connection = Connection(("192.0.2.1", 4711))
            guess(HostHandshake(validator, host=host, connection=connection, binding=None, codecs=("msgpack",),
                                random=lambda size: bytes(size)), draw)
        logging.disable(logging.NOTSET)
        assert host.connections() == []
        until(lambda: host._doors._listener.half_open() == 0)
        assert len(ears.records) - lines < 50, "each of them wrote into the log"
        assert living() - things < 1_000, "each of them left something"

        with emporion.connect(uri, passphrase=PASSPHRASE) as shop:
            assert shop.stock() == 3


def living() -> int:
    gc.collect()
    return len(gc.get_objects())


# --- comparing


def work(half: HostHandshake, login: str, token: bytes) -> tuple[Counter[str], list[int]]:
    """Every function that a handshake at the host calls, in Python and in C, and the sizes of what it answers."""
    calls: Counter[str] = Counter()

    def count(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            calls[frame.f_code.co_qualname] += 1
        elif event == "c_call":
            calls[argument.__qualname__] += 1

    sys.setprofile(count)
    try:
        first = half.receive(PREFACE + encode(Hello(SCRAM, b"n", b"n" * 18, login, ("msgpack",))))
        second = half.receive(encode(Token(token)))
    finally:
        sys.setprofile(None)
    return calls, [len(first), len(second)]


def host_half(verifiers: Verifiers) -> HostHandshake:
    class Place:
        allow_anonymous = False
        max_connections = 9

        def __init__(self) -> None:
            self.verifiers = verifiers

        def connections(self) -> list[Any]:
            return []

    return HostHandshake(ConnectionValidator(), host=Place(), connection=Connection(("192.0.2.1", 4711)), binding=None,
                         codecs=("msgpack",), random=lambda size: bytes(size))


PEOPLE = Verifiers({"ann": "one", "bob": "two", "eve": "three"}, iterations=4096)


def test_an_unknown_login_costs_the_host_exactly_what_a_wrong_password_costs() -> None:
    """All calls are counted, not only those that hash; and the logins are equally long."""
    work(host_half(PEOPLE), "ann", bytes(32))  # the log looks up its level once
    known, sizes = work(host_half(PEOPLE), "ann", bytes(32))
    unknown, sizes_too = work(host_half(PEOPLE), "sue", bytes(32))
    assert known == unknown
    assert sizes == sizes_too
    assert known["proves"] == 1, "the comparison compares what does the work"


def test_a_passphrase_without_a_login_costs_the_same_wherever_it_stands_in_the_list() -> None:
    """Every verifier is tried to the end, whether an earlier one fits or none does."""
    counts = []
    for passphrase in ("one", "two", "three", "none of them"):
        half = host_half(PEOPLE)
        client = ClientHandshake(ConnectionValidator(), identity=Credentials(None, passphrase), uri=None,
                                 peer_address=None, binding=None, codec="msgpack", random=lambda size: b"n" * size)
        client.start()
        token = decode_untrusted(client.receive(half.receive(PREFACE + encode(
            Hello(SCRAM, b"n", b"n" * 18, "", ("msgpack",)))))[4:])
        assert isinstance(token, Token)
        half = host_half(PEOPLE)
        calls, _ = work(half, "", token.value)
        assert half.done == (passphrase != "none of them")
        counts.append({name: calls[name] for name in calls if name == "proves"})
    assert counts == [{"proves": len(PEOPLE)}] * 4
