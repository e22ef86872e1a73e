"""Every message in every state, at both ends, over sockets: whole, cut anywhere, twice, with something behind it.

The rows are made from the state tables. The outcome is always an end of the connection, never a way in, and never
a wait: each row waits for the end of the stream.
"""

import contextlib
import secrets
from collections.abc import Callable, Iterator

import emporion
import pytest
from emporion.errors import ConnectionDenied, ConnectionLost, DenyReason, ProtocolError
from emporion.runtime.connection.handshake import CLIENT_NEXT, HOST_NEXT, State
from emporion.runtime.connection.handshake_messages import (
    PREFACE,
    SCRAM,
    Challenge,
    Denied,
    Hello,
    Message,
    Token,
    Welcome,
    encode,
)
from emporion.tests.harbour import PASSPHRASE, Ears, listening, open_host, until
from emporion.tests.strangers import Shop, Stranger, Wire, fake_host, reason_in
from emporion.validators.connection.verifiers import Verifiers

NONCE = b"n" * 18
SALT = b"salt" * 4
EXAMPLES: dict[type[Message], Message] = {
    Hello: Hello(SCRAM, b"n", NONCE, "", ("msgpack",)),
    Challenge: Challenge(SCRAM, NONCE, 4096, SALT),
    Token: Token(b"t" * 32),
    Welcome: Welcome(b"w" * 32, ("msgpack",)),
    Denied: Denied(DenyReason.SECURITY),
}
HOST_STATES = sorted({state for state, _ in HOST_NEXT}, key=lambda state: state.name)
CLIENT_STATES = sorted({state for state, _ in CLIENT_NEXT}, key=lambda state: state.name)
KINDS = list(EXAMPLES)


def test_the_rows_are_all_messages_in_all_states_that_read() -> None:
    assert set(KINDS) == set(Message.__args__)
    reading = set(State) - {State.OPEN, State.CLOSED}
    assert set(HOST_STATES) == reading - {State.SILENT} == set(CLIENT_STATES)


def framed(body: bytes) -> bytes:
    return len(body).to_bytes(4) + body


def pieces(whole: bytes) -> Iterator[tuple[bytes, bool]]:
    """What can be made of a message, and whether its end is said to be its end: then nothing more is waited for."""
    body = whole[4:]
    for end in range(len(body)):
        yield framed(body[:end]), True  # a whole message that ends too early
        yield whole[: 4 + end], False  # a stream that does
    yield framed(body + b"\0"), True
    yield bytes(3), False
    yield framed(b""), True


# --- at the host


@pytest.fixture(scope="module")
def ears() -> Iterator[Ears]:
    with listening() as ears:
        yield ears


@pytest.fixture(scope="module")
def host(ears: Ears) -> Iterator[emporion.Host]:
    with open_host() as host:
        host.register(Shop(), "shop")
        yield host


def brought_to(state: State, host: emporion.Host) -> Stranger:
    """A client whose host is in `state`."""
    stranger = Stranger(host.uri)
    if state is State.PROVING:
        stranger.send(PREFACE + encode(EXAMPLES[Hello]))
        assert stranger.message()
    return stranger


def said_to_host(state: State, host: emporion.Host, data: bytes, ends: bool = True) -> bytes:
    """What the host answers to `data` before it closes; `ends`: it must find by itself that nothing good can follow."""
    stranger = brought_to(state, host)
    stranger.send((PREFACE if state is State.GREETING else b"") + data)
    if not ends:
        stranger.say_no_more()
    answer = stranger.rest()
    stranger.close()
    return answer


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("state", HOST_STATES, ids=lambda state: state.name)
def test_a_host_ends_what_has_no_place_is_cut_or_comes_twice(
    state: State, kind: type[Message], host: emporion.Host
) -> None:
    whole = encode(EXAMPLES[kind])
    for data, ends in pieces(whole):
        assert said_to_host(state, host, data, ends) == b"", (data, ends)
    twice = said_to_host(state, host, whole * 2)
    if (state, kind) not in HOST_NEXT:
        assert said_to_host(state, host, whole) == twice == b""
    elif kind is Hello:
        assert twice == b"", "nobody speaks before being asked"
    else:  # a token, which is wrong; what comes behind it is not looked at
        assert reason_in(said_to_host(state, host, whole)) is reason_in(twice) is DenyReason.SECURITY
    assert host.connections() == []
    with emporion.connect(host.register(Shop()), passphrase=PASSPHRASE) as shop:
        assert shop.stock() == 3
    until(lambda: not host.connections())


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_handshake_message_after_the_handshake_is_no_part_of_a_session(
    kind: type[Message], host: emporion.Host
) -> None:
    stranger = Stranger(host.uri)
    stranger.shake()
    stranger.send(encode(EXAMPLES[kind]))
    stranger.say_no_more()

    stranger.rest()

    stranger.close()
    until(lambda: not host.connections())


def test_messages_in_any_other_order_let_nobody_in(host: emporion.Host) -> None:
    """All sequences of three messages but the one that begins rightly, each with a good token where there is one."""
    for first in KINDS:
        for second in KINDS:
            if (first, second) == (Hello, Token):
                continue
            stranger = Stranger(host.uri)
            stranger.send(PREFACE + encode(EXAMPLES[first]))
            if first is Hello:
                stranger.message()
            with contextlib.suppress(ConnectionError):  # it may have had enough already
                stranger.send(encode(EXAMPLES[second]) + encode(EXAMPLES[Token]))
            assert stranger.rest() == b""
            stranger.close()
    assert host.connections() == []


# --- at the client


def meet(state: State, data: bytes, ends: bool = True) -> Callable[[Wire], None]:
    """A host that brings its client to `state`, then says `data`, and waits until the client has left.

    `ends`: the client must find by itself that nothing good can follow; else it is told that nothing will.
    """

    def serve(wire: Wire) -> None:
        assert wire._exactly(len(PREFACE)) == PREFACE
        assert wire.message()
        if state is State.PROVING:
            wire.send(encode(Challenge(SCRAM, secrets.token_bytes(18), 4096, SALT)))
            wire.message()
        wire.send(data)
        if not ends:
            wire.say_no_more()
        wire.rest()

    return serve


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("state", CLIENT_STATES, ids=lambda state: state.name)
def test_a_client_ends_what_has_no_place_is_cut_or_comes_twice(state: State, kind: type[Message]) -> None:
    whole = encode(EXAMPLES[kind])
    rows = list(pieces(whole))
    rows += [(whole * 2, True)] if kind is not Denied else []
    rows += [(whole, True)] if (state, kind) not in CLIENT_NEXT else []
    todo = list(rows)
    with fake_host(lambda wire: meet(state, *todo.pop(0))(wire)) as uri:
        for row, _ in rows:
            with pytest.raises((ProtocolError, ConnectionLost, ConnectionDenied)) as caught:
                emporion.connect(uri, passphrase=PASSPHRASE)
            if (state, kind) == (State.PROVING, Welcome) and row == whole * 2:
                assert isinstance(caught.value, ConnectionDenied), "its proof is wrong, whatever follows"
            else:
                assert not isinstance(caught.value, ConnectionDenied), row
    assert not todo


@pytest.mark.parametrize("state", CLIENT_STATES, ids=lambda state: state.name)
@pytest.mark.parametrize("behind", [b"", b"x", encode(EXAMPLES[Welcome])], ids=["alone", "a byte", "a welcome"])
def test_a_denial_is_a_denial_whatever_follows_it(state: State, behind: bytes) -> None:
    with fake_host(meet(state, encode(EXAMPLES[Denied]) + behind)) as uri, pytest.raises(ConnectionDenied) as caught:
        emporion.connect(uri, passphrase=PASSPHRASE)
    assert caught.value.reason is DenyReason.SECURITY


def test_a_client_that_met_another_server_says_so() -> None:
    def web(wire: Wire) -> None:
        wire.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        wire.rest()

    with fake_host(web) as uri, pytest.raises(ProtocolError) as caught:
        emporion.connect(uri, passphrase=PASSPHRASE)
    assert str(uri) in str(caught.value)
    assert "is no emporion host" in str(caught.value) and "check the address" in str(caught.value)


def test_the_salt_of_the_fake_hosts_is_one_that_clients_take() -> None:
    """Else the rows would end before they say anything."""
    assert Verifiers([], salt=SALT, iterations=4096).salt == SALT
