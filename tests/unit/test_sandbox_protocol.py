"""The control messages between host and zygote."""

import pytest
from emporion.errors import ProtocolError
from emporion.runtime.sandbox.protocol import (
    Ended,
    Failed,
    Forked,
    FromZygote,
    Hello,
    Spawn,
    Start,
    ToZygote,
    WallReport,
    encode,
    from_host,
    from_zygote_untrusted,
)
from hypothesis import given
from hypothesis import strategies as st

WALLS = WallReport(
    seccomp=True, no_new_privs=True, rlimits=True, landlock=6, namespaces=("user", "pid"), empty_root=True, uid=1000
)


@pytest.mark.parametrize(
    "message",
    [Hello(WALLS, 2**33), Forked(7), Ended(7, 9, 0.25, 14_000), Failed("apt install libseccomp2")],
)
def test_what_the_zygote_says_arrives(message: FromZygote) -> None:
    assert from_zygote_untrusted(encode(message)) == message


@pytest.mark.parametrize("message", [Start("a.b:main", True), Spawn(1)])
def test_what_the_host_says_arrives(message: ToZygote) -> None:
    assert from_host(encode(message)) == message


@given(st.binary(max_size=64))
def test_bytes_that_are_no_message_are_a_protocol_error(packet: bytes) -> None:
    try:
        message = from_zygote_untrusted(packet)
    except ProtocolError:
        return
    assert isinstance(message, FromZygote)


@pytest.mark.parametrize(
    "message", [Start("a.b:main", True), Spawn(1)], ids=["start", "spawn"]
)
def test_a_zygote_that_talks_like_a_host_breaks_the_rules(message: ToZygote) -> None:
    with pytest.raises(ProtocolError, match="malformed"):
        from_zygote_untrusted(encode(message))


@pytest.mark.parametrize("packet", [b"", b"\x93\x05\x01", encode(Forked(1)) + b"\x00", encode(Forked("1"))])  # type: ignore[arg-type]
def test_a_broken_packet_is_a_protocol_error(packet: bytes) -> None:
    with pytest.raises(ProtocolError, match="malformed"):
        from_zygote_untrusted(packet)


def test_the_report_names_every_wall_and_every_gap() -> None:
    gaps = WallReport(
        seccomp=False, no_new_privs=True, rlimits=True, landlock=0, namespaces=(), empty_root=False, uid=1000
    )

    assert str(WALLS) == (
        "seccomp, no_new_privs, rlimits, landlock abi 6, namespaces user+pid, empty root, uid 1000"
    )
    assert str(gaps) == (
        "NO SECCOMP, no_new_privs, rlimits, no landlock, no namespaces, shared file tree, uid 1000"
    )
