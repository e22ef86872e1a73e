"""Every message in every state of the handshake, and what is no message."""

import pytest
from emporion.errors import ConnectionDenied, DenyReason, ProtocolError
from emporion.runtime.connection.handshake import CLIENT_NEXT, HOST_NEXT, ClientHandshake, HostHandshake, State
from emporion.runtime.connection.handshake_messages import (
    ANONYMOUS,
    MAX_MESSAGE_BYTES,
    PREFACE,
    Challenge,
    Denied,
    Hello,
    Message,
    Token,
    Welcome,
    decode_untrusted,
    encode,
)
from emporion.tests.two_ends import Place, client, host

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
