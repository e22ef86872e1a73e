"""Whatever a peer sends before it has proved anything: an answer, a denial or a `ProtocolError`, and little memory."""

import random
from typing import Any

import pytest
from emporion.errors import ConnectionDenied, DenyReason, ProtocolError
from emporion.runtime.connection.handshake import ClientHandshake, HostHandshake
from emporion.runtime.connection.handshake_messages import (
    ANONYMOUS,
    MAX_MESSAGE_BYTES,
    OWN,
    PREFACE,
    SCRAM,
    Challenge,
    Denied,
    Hello,
    Inbox,
    Message,
    Token,
    Welcome,
    decode_untrusted,
    encode,
)
from emporion.validators.connection import Connection, ConnectionValidator, Credentials
from emporion.validators.connection.verifiers import Verifiers
from hypothesis import assume, given, settings
from hypothesis import strategies as st

VERIFIERS = Verifiers(["correct horse"], iterations=4096, salt=b"salt" * 4)
NONCE = b"n" * 18


class Place:
    """A host with one passphrase."""

    verifiers = VERIFIERS
    allow_anonymous = False
    max_connections = 1

    def connections(self) -> list[object]:
        return []


def host() -> HostHandshake:
    connection = Connection(("192.0.2.1", 4711))
    draw = random.Random(1).randbytes
    return HostHandshake(
        ConnectionValidator(), host=Place(), connection=connection, binding=b"seen", codecs=("msgpack",), random=draw
    )


def client() -> ClientHandshake:
    draw = random.Random(2).randbytes
    return ClientHandshake(
        ConnectionValidator(),
        identity=Credentials(None, "correct horse"),
        uri=None,
        peer_address=None,
        binding=b"seen",
        codec="msgpack",
        random=draw,
    )


def record() -> tuple[list[bytes], list[bytes]]:
    """What the client and the host send in a good handshake; the same each time, thanks to the fixed draws."""
    c, h = client(), host()
    hello = c.start()
    challenge = h.receive(hello)
    token = c.receive(challenge)
    welcome = h.receive(token)
    assert c.receive(welcome) == b"" and c.done and h.done
    return [hello, token], [challenge, welcome]


FROM_CLIENT, FROM_HOST = record()

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**500), 2**500) | st.binary(max_size=40) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4).map(tuple),
    max_leaves=6,
).filter(lambda value: depth(value) <= 4)
codecs = st.lists(st.text("abc-123", min_size=1, max_size=32), min_size=1, max_size=8).map(tuple)
nonces = st.binary(min_size=18, max_size=18)
messages = st.one_of(
    st.builds(Hello, st.sampled_from([ANONYMOUS, OWN]), st.sampled_from([b"n", b"p"]), nonces, st.just(""), codecs),
    st.builds(Hello, st.just(SCRAM), st.just(b"p"), nonces, st.text(max_size=60), codecs),
    st.builds(Challenge, st.just(ANONYMOUS), nonces),
    st.builds(Challenge, st.just(SCRAM), nonces, st.integers(1, 2**32 - 1), st.binary(min_size=8, max_size=64)),
    st.builds(Challenge, st.just(OWN), nonces, st.just(0), st.just(b""), values),
    st.builds(Token, values),
    st.builds(Welcome, values, codecs),
    st.builds(Denied, st.sampled_from(DenyReason)),
)


def depth(value: Any) -> int:
    return 1 + max(map(depth, value), default=0) if type(value) is tuple else 0


@given(messages)
def test_every_message_reads_back_as_it_was_written(message: Message) -> None:
    assert decode_untrusted(encode(message)[4:]) == message


@given(messages, st.data())
def test_a_message_has_one_spelling(message: Message, data: st.DataObject) -> None:
    """A changed byte is refused, or means something else: no two byte strings say the same."""
    body = bytearray(encode(message)[4:])
    at = data.draw(st.integers(0, len(body) - 1))
    body[at] ^= data.draw(st.integers(1, 255))
    try:
        other = decode_untrusted(bytes(body))
    except ProtocolError:
        return
    assert encode(other)[4:] == body


@given(messages)
def test_a_message_cut_anywhere_or_with_more_behind_it_is_refused(message: Message) -> None:
    body = encode(message)[4:]
    for end in range(len(body)):
        with pytest.raises(ProtocolError):
            decode_untrusted(body[:end])
    with pytest.raises(ProtocolError):
        decode_untrusted(body + b"\0")


@given(st.binary(max_size=300))
def test_random_bodies_are_messages_or_protocol_errors(body: bytes) -> None:
    for head in (b"", b"H", b"C\x02" + NONCE, b"T", b"T(", b"W", b"D"):
        try:
            message = decode_untrusted(head + body)
        except ProtocolError:
            continue
        assert encode(message)[4:] == head + body


@given(st.lists(st.binary(max_size=60), max_size=6), st.booleans())
def test_random_bytes_only_ever_end_a_handshake(pieces: list[bytes], greeted: bool) -> None:
    h = host()
    if greeted:
        h.receive(FROM_CLIENT[0])
    c = client()
    c.start()
    for end, head in ((h, b"" if greeted else PREFACE), (c, b"")):
        try:
            for piece in [head, *pieces]:
                end.receive(piece)
        except (ProtocolError, ConnectionDenied):
            pass
        assert not end.done


def play(pieces: list[bytes]) -> HostHandshake:
    h = host()
    for piece in pieces:
        h.receive(piece)
    return h


@given(st.lists(st.integers(1, 40), max_size=12))
def test_however_the_stream_is_cut_the_handshake_comes_out_the_same(cuts: list[int]) -> None:
    c, h = client(), host()
    sent: list[bytes] = []
    to_host = c.start()
    while to_host:
        sent.append(to_host)
        to_client = b"".join(h.receive(piece) for piece in pieces_of(to_host, cuts))
        to_host = b"".join(c.receive(piece) for piece in pieces_of(to_client, cuts))
    assert c.done and h.done
    assert sent == FROM_CLIENT


def pieces_of(data: bytes, cuts: list[int]) -> list[bytes]:
    pieces = []
    for cut in cuts:
        pieces.append(data[:cut])
        data = data[cut:]
    return [piece for piece in (*pieces, data) if piece]


def test_a_handshake_cut_at_any_byte_is_open_at_neither_end() -> None:
    stream = b"".join(FROM_CLIENT)
    for end in range(len(stream)):
        h = host()
        h.receive(stream[: min(end, len(FROM_CLIENT[0]))])
        if end > len(FROM_CLIENT[0]):
            h.receive(stream[len(FROM_CLIENT[0]) : end])
        assert not h.done and h.failed is None
    stream = b"".join(FROM_HOST)
    for end in range(len(stream)):
        c = client()
        c.start()
        c.receive(stream[: min(end, len(FROM_HOST[0]))])
        if end > len(FROM_HOST[0]):
            c.receive(stream[len(FROM_HOST[0]) : end])
        assert not c.done


@settings(max_examples=300)
@given(st.integers(0, 1), st.data())
def test_one_changed_byte_anywhere_keeps_the_door_shut(message: int, data: st.DataObject) -> None:
    """Whatever a stranger changes in HELLO, CHALLENGE, TOKEN or WELCOME: never both ends open."""
    c, h = client(), host()
    from_client = data.draw(st.booleans())
    original = (FROM_CLIENT if from_client else FROM_HOST)[message]
    at, flip = data.draw(st.integers(0, len(original) - 1)), data.draw(st.integers(1, 255))
    assume(original != FROM_HOST[0] or at not in (24, 25, 26))  # a huge iteration count: has a test, and takes long
    changed = bytearray(original)
    changed[at] ^= flip
    try:
        to_host = c.start()
        while to_host:
            to_host = bytes(changed) if to_host == original else to_host
            to_client = h.receive(to_host)
            to_client = bytes(changed) if to_client == original else to_client
            to_host = c.receive(to_client) if to_client else b""
    except (ProtocolError, ConnectionDenied):
        pass
    assert not (c.done and h.done) or welcome_codecs(original, at)


def welcome_codecs(original: bytes, at: int) -> bool:
    """WELCOME's list of codecs is not proved; what it changes is refused, or is another codec than this client's."""
    return original == FROM_HOST[1] and at >= len(original) - len(b"\x01\x07msgpack")


@given(st.integers(1, MAX_MESSAGE_BYTES), st.integers(1, 500))
def test_an_inbox_holds_one_message_and_no_more(length: int, step: int) -> None:
    inbox = Inbox()
    wire = length.to_bytes(4) + bytes(length)
    for at in range(0, len(wire), step):
        body = inbox.feed(wire[at : at + step])
        assert len(inbox._data) <= 4 + length
        assert (body is not None) == (at + step >= len(wire))
    assert inbox.rest() == b""
