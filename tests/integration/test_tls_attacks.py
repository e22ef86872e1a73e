"""Attacks on TLS through real hosts and clients: relays, downgrades, chains without end, certificates gone mad."""

import hmac
import secrets
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import emporion
import pytest
from cryptography import x509
from emporion.runtime.connection.tls import HostTLS, client_context, server_context
from emporion.tests.harbour import Ears, listening
from emporion.tests.pki import (
    HOST_USE,
    MAD,
    SUBJECT,
    WAIT_S,
    Files,
    Town,
    answering,
    forged,
    tlv,
    uri_of,
    with_field,
)
from emporion.validators.connection import Connection, ConnectionValidator, certificates


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)


def verifiers() -> emporion.Verifiers:
    return emporion.Verifiers(["pw"], iterations=4096)


def lines(ears: Ears, text: str) -> list[str]:
    """The lines of the host's log that have `text`, once there is one."""
    return ears.wait_for(lambda: [line for r in list(ears.records) if text in (line := r.getMessage())])


# --- somebody in between


class OwnScheme(ConnectionValidator):
    """A shared secret over a 16-byte challenge, as people wrote them for the seed."""

    def create_auth_challenge(self, host: Any, connection: Connection) -> bytes:
        return secrets.token_bytes(16)

    def create_auth_token(self, identity: Any, challenge: Any, peer_address: Any, uri: Any, host: Any) -> bytes:
        assert len(challenge) == 16
        return hmac.digest(b"shared", challenge, "sha256")

    def accept_identification(self, host: Any, connection: Connection, token: Any, challenge: Any) -> bool:
        return bool(token == self.create_auth_token(None, challenge, None, None, host))


@contextmanager
def relaying(port: int, own: HostTLS, shown: ssl.SSLContext | None = None) -> Iterator[tuple[int, list[bytes]]]:
    """A man in the middle: TLS of his own with both ends, every plain byte passed on. Gives his port and what he saw.

    `own` is what he shows to the client, `shown` what he has for the host.
    """
    heard: list[bytes] = []

    def serve(raw: socket.socket) -> None:
        with (
            own.context.wrap_socket(raw, server_side=True) as victim,
            socket.create_connection(("127.0.0.1", port), WAIT_S) as further,
            (shown or client_context()).wrap_socket(further, server_hostname="localhost") as host,
        ):
            while data := victim.recv(4096):
                heard.append(data)
                host.sendall(data)
                victim.sendall(host.recv(4096))

    with answering(serve) as relay_port:
        yield relay_port, heard


@pytest.mark.parametrize("own_scheme", [False, True], ids=["the default scheme", "a scheme of one's own"])
@pytest.mark.parametrize("pinned", [False, True], ids=["no fingerprint", "a fingerprint"])
def test_a_relay_with_another_certificate_gets_nobody_in(own_scheme: bool, pinned: bool) -> None:
    """Without a fingerprint both ends find out by the bound proofs; with one the client finds out before it speaks."""
    validator = OwnScheme() if own_scheme else None
    proof: dict[str, Any] = (
        {"identity": "shared", "connection_validator": OwnScheme()} if own_scheme else {"passphrase": "pw"}
    )
    with listening() as ears, emporion.Host(passphrases=verifiers(), connection_validator=validator) as host:
        host.register(Tray(), "desk")
        mark = host.uri.fingerprint
        with relaying(host.uri.port, server_context()) as (port, heard):
            uri = emporion.URI(host="127.0.0.1", port=port, name="desk", fingerprint=mark if pinned else "")
            with pytest.raises(emporion.ConnectionDenied) as caught:
                emporion.connect(uri, **proof, verify_host=False)
        if pinned:
            assert heard == []
            assert caught.value.reason is emporion.DenyReason.SECURITY
            assert "the other end shows certificate" in str(caught.value)
        else:
            assert heard
            assert lines(ears, "denied")
        assert not [r for r in ears.records if "accepted" in r.getMessage()]
        direct = emporion.URI(host="127.0.0.1", port=host.uri.port, name="desk", fingerprint=mark)
        with emporion.connect(direct, **proof) as tray:
            assert tray.take() == "tea"


class Tray:
    @emporion.expose
    def take(self) -> str:
        return "tea"


def test_a_relay_cannot_pass_a_client_certificate_on(town: Town) -> None:
    """Also one who has a good host's certificate, key and all, and whom the client therefore believes."""
    with listening() as ears, town.open(connection_validator=certificates()) as host:
        stolen = server_context(town.host.tls(town.ca, require_client_certificate=True))
        with (
            relaying(host.uri.port, stolen, client_context(emporion.TLS(ca=town.ca))) as (port, heard),
            pytest.raises(emporion.ConnectionLost),
        ):
            emporion.connect(emporion.URI(host="localhost", port=port, name="desk"), tls=town.as_nora())
        assert heard
        assert "showed no certificate" in lines(ears, "denied")[0]
        assert not [r for r in ears.records if "accepted" in r.getMessage()]


PLAIN = [
    b"\x00\x00\x00\x02D\x03",  # DENIED
    b"\x00\x00\x00\x14C\x00" + bytes(18),  # CHALLENGE: nothing is asked
    b"EMPORION\x01",
    b"HTTP/1.1 426 Upgrade Required\r\n\r\n",
    b"\x15\x03\x03\x00\x02\x02\x46",  # what a host without TLS says
    b"",
]


@pytest.mark.parametrize("answer", PLAIN)
@pytest.mark.parametrize("verify_host", [True, False])
def test_a_client_that_asked_for_tls_never_falls_back(answer: bytes, verify_host: bool) -> None:
    """A man in the middle who answers in the clear hears one ClientHello, and nothing else, on one connection."""
    heard: list[bytes] = []

    def serve(raw: socket.socket) -> None:
        heard.append(raw.recv(100_000))
        if answer:
            raw.sendall(answer)
            while data := raw.recv(100_000):
                heard[-1] += data

    with answering(serve) as port:
        uri = emporion.URI(host="127.0.0.1", port=port, name="desk")
        with pytest.raises(emporion.ConnectionDenied if answer else emporion.ConnectionLost) as caught:
            emporion.connect(uri, passphrase="correct horse", login="nora", verify_host=verify_host)
    assert str(caught.value)
    assert len(heard) == 1
    assert heard[0].startswith(b"\x16\x03")
    assert b"EMPORION" not in heard[0]
    assert b"nora" not in heard[0]


def test_a_host_that_speaks_tls_never_falls_back(town: Town) -> None:
    with town.open(town.host.tls(), passphrases=verifiers()) as host:
        with socket.create_connection(("127.0.0.1", host.uri.port), WAIT_S) as raw:
            raw.sendall(b"EMPORION\x01" + bytes(100))
            heard = b""
            with suppress(ConnectionResetError):
                while data := raw.recv(1000):
                    heard += data
        assert heard in (b"", b"\x15\x03\x03\x00\x02\x02\x46")  # at most "this is TLS"
        with emporion.connect(uri_of(host), passphrase="pw", tls=emporion.TLS(ca=town.ca)) as desk:
            assert desk.who() == [None, None]


def test_tls_1_2_is_spoken_by_neither_end(town: Town) -> None:
    with listening() as ears, town.open(town.host.tls(), passphrases=verifiers()) as host:
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        with (
            socket.create_connection(("127.0.0.1", host.uri.port), WAIT_S) as raw,
            pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"),
        ):
            old.wrap_socket(raw)
        assert "TLS 1.3" in lines(ears, "denied")[0]
    older = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    older.load_cert_chain(town.host.certificate, town.host.key)
    older.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        answering(lambda raw: older.wrap_socket(raw, server_side=True).close()) as port,
        pytest.raises(emporion.ConnectionDenied, match=r"does not speak TLS 1\.3"),
    ):
        uri = emporion.URI(host="localhost", port=port, name="desk")
        emporion.connect(uri, passphrase="pw", tls=emporion.TLS(ca=town.ca))


# --- chains without end


def chain(town: Town, size: int, **options: Any) -> Files:
    """A good certificate of ours with some `size` bytes of others behind it, which vouch for nothing."""
    other = forged(None, "padding", names=tuple(x509.DNSName(f"n{number}.example") for number in range(1000)))
    pem = other.certificate_pem
    return town.put("chain", forged(town.ours, **options), *[pem] * (size * 4 // 3 // len(pem) + 1))


def test_a_huge_chain_from_a_client_ends_it_and_nobody_else(town: Town) -> None:
    files = chain(town, 8_000_000)
    with (
        listening() as ears,
        town.open(connection_validator=certificates()) as host,
        emporion.connect(uri_of(host), tls=town.as_nora()) as before,
    ):
        for _ in range(3):
            with pytest.raises((emporion.ConnectionDenied, emporion.ConnectionLost)):
                emporion.connect(uri_of(host), tls=files.tls(town.ca))
            assert before.who()[0] == "nora"
        assert "more certificates than a client needs" in lines(ears, "denied")[0]
        with emporion.connect(uri_of(host), tls=town.as_nora()) as after:
            assert after.who()[0] == "nora"
        assert len(lines(ears, "accepted")) == 2


def test_a_chain_that_is_merely_long_is_taken(town: Town) -> None:
    files = chain(town, 60_000)
    with (
        town.open(connection_validator=certificates()) as host,
        emporion.connect(uri_of(host), tls=files.tls(town.ca)) as desk,
    ):
        assert desk.who()[0] == "nora"


def test_a_client_that_was_not_asked_for_a_certificate_sends_none(town: Town) -> None:
    """So it costs a host without `TLS(ca=...)` nothing, however large it is."""
    files = chain(town, 8_000_000)
    with (
        town.open(town.host.tls(), passphrases=verifiers()) as host,
        emporion.connect(uri_of(host), passphrase="pw", tls=files.tls(town.ca)) as desk,
    ):
        assert desk.who() == [None, None]


@pytest.mark.parametrize("known", [True, False], ids=["with a CA", "without"])
def test_a_huge_chain_from_a_host_is_refused(town: Town, known: bool) -> None:
    files = chain(town, 8_000_000, use=HOST_USE, names=(x509.DNSName("localhost"),))
    tls = emporion.TLS(ca=town.ca) if known else None
    with (
        town.open(files.tls(), passphrases=verifiers()) as host,
        pytest.raises(emporion.ConnectionDenied, match="more certificates than a host needs"),
    ):
        emporion.connect(uri_of(host), passphrase="pw", tls=tls)


# --- certificates gone mad

NAMELESS = with_field(SUBJECT, tlv(0x30, b""))
# A program sees this warning once; with warnings as errors the certificate would only be denied.
WARNED = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")


@WARNED
def test_no_certificate_confuses_the_host_or_its_log(town: Town) -> None:
    """Signed by the host's own authority, which is careless: a clean denial, or an identity that can be printed."""
    with listening() as ears, town.open(connection_validator=certificates()) as host:
        for number, (what, (edit, good)) in enumerate(MAD.items()):
            files = town.put(f"mad{number}", forged(town.ours, edit=edit))
            try:
                with emporion.connect(uri_of(host), tls=files.tls(town.ca)) as desk:
                    assert good, what
                    assert desk.who()[0] == "nora", what
            except (emporion.ConnectionDenied, emporion.ConfigurationError):  # or OpenSSL cannot even send it
                assert not good, what
        with emporion.connect(uri_of(host), tls=town.as_nora()) as desk:
            assert desk.who()[0] == "nora"
        for record in ears.records:
            line = record.getMessage()
            assert line.isprintable(), line
            assert len(line) < 1000
            assert "raised" not in line


def test_ten_thousand_names_are_read_and_the_first_one_counts(town: Town) -> None:
    names = tuple(x509.DNSName(f"{number:x}.z") for number in range(10_000))
    files = town.put("many", forged(town.ours, names=names, edit=NAMELESS))
    assert files.certificate.stat().st_size < 130_000
    with (
        town.open(connection_validator=certificates()) as host,
        emporion.connect(uri_of(host), tls=files.tls(town.ca)) as desk,
    ):
        assert desk.who()[0] == "0.z"


@WARNED
def test_no_certificate_of_a_host_confuses_a_client(town: Town) -> None:
    """Self-signed, as anybody in between can make them; the client insists on a passphrase only."""
    shown = 0
    for number, (edit, _) in enumerate(MAD.values()):
        files = town.put(f"mad{number}", forged(None, use=HOST_USE, edit=edit))
        own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            own.load_cert_chain(files.certificate, files.key)
        except ssl.SSLError:  # OpenSSL itself cannot read it, at neither end
            continue
        shown += 1
        with answering(lambda raw, own=own: own.wrap_socket(raw, server_side=True).close()) as port:  # type: ignore[misc]
            uri = emporion.URI(host="127.0.0.1", port=port, name="desk")
            with pytest.raises((emporion.ConnectionLost, emporion.ProtocolError, emporion.ConnectionDenied)):
                emporion.connect(uri, passphrase="pw")
    assert shown >= 10
