"""TLS 1.3 on loopback: contexts, the self-made certificate, fingerprints, and a man in the middle."""

import os
import secrets
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256, sha384
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from emporion.errors import ConfigurationError, ConnectionDenied, DenyReason, ProtocolError
from emporion.runtime.connection.handshake import ClientHandshake, HostHandshake
from emporion.runtime.connection.tls import (
    TLS,
    HostTLS,
    check_fingerprint,
    client_context,
    end_point_binding,
    fingerprint,
    load_certificate,
    server_context,
)
from emporion.validators.connection import Connection, ConnectionValidator, Credentials
from emporion.validators.connection.verifiers import Verifiers

PASSPHRASE = Credentials(None, "correct horse")
TIMEOUT_S = 10


class Place:
    """A host with one passphrase."""

    verifiers = Verifiers(["correct horse"], iterations=4096)
    allow_anonymous = False
    max_connections = 9

    def connections(self) -> list[object]:
        return []


# --- a host, a client and a relay, as small as they can be


@contextmanager
def serving(context: ssl.SSLContext, serve: Callable[[ssl.SSLSocket], None]) -> Iterator[int]:
    """Serve one connection on loopback in a thread; gives the port. TLS that fails ends it quietly."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(TIMEOUT_S)

    def run() -> None:
        with listener:
            raw, _ = listener.accept()
        raw.settimeout(TIMEOUT_S)
        with raw:
            try:
                with context.wrap_socket(raw, server_side=True) as tls:
                    serve(tls)
            except OSError:
                return

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        thread.join(TIMEOUT_S)
        assert not thread.is_alive()


def dial(port: int, context: ssl.SSLContext, server_hostname: str | None = None) -> ssl.SSLSocket:
    raw = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
    return context.wrap_socket(raw, server_hostname=server_hostname)


def run_host(tls: ssl.SSLSocket, own: HostTLS, results: list[HostHandshake], validator: ConnectionValidator) -> None:
    der = tls.getpeercert(binary_form=True)
    connection = Connection(tls.getpeername(), certificate=load_certificate(der) if der else None)
    handshake = HostHandshake(
        validator,
        host=Place(),
        connection=connection,
        binding=own.binding,
        codecs=("msgpack",),
        random=secrets.token_bytes,
    )
    results.append(handshake)
    while not handshake.done and handshake.failed is None and (data := tls.recv(4096)):
        tls.sendall(handshake.receive(data))


def run_client(tls: ssl.SSLSocket, identity: Any, validator: ConnectionValidator) -> ClientHandshake:
    der = tls.getpeercert(binary_form=True)
    assert der is not None
    handshake = ClientHandshake(
        validator,
        identity=identity,
        uri=None,
        peer_address=tls.getpeername(),
        binding=end_point_binding(der),
        codec="msgpack",
        random=secrets.token_bytes,
        host_known=True,
    )
    tls.sendall(handshake.start())
    while not handshake.done and (data := tls.recv(4096)):
        tls.sendall(handshake.receive(data))
    return handshake


def relay_to(port: int) -> Callable[[ssl.SSLSocket], None]:
    """A man in the middle: his own certificate towards the client, every plain byte passed on in both directions."""

    def serve(victim: ssl.SSLSocket) -> None:
        with dial(port, client_context()) as host:
            while data := victim.recv(4096):
                host.sendall(data)
                answer = host.recv(4096)
                victim.sendall(answer)

    return serve


class OwnScheme(ConnectionValidator):
    """A shared secret over a 16-byte challenge, as people wrote them for the seed."""

    def create_auth_challenge(self, host: Any, connection: Connection) -> bytes:
        return secrets.token_bytes(16)

    def create_auth_token(self, identity: Any, challenge: Any, peer_address: Any, uri: Any, host: Any) -> bytes:
        assert len(challenge) == 16
        return sha256(b"shared" + challenge).digest()

    def accept_identification(self, host: Any, connection: Connection, token: Any, challenge: Any) -> bool:
        return bool(token == self.create_auth_token(None, challenge, None, None, host))


SCHEMES = [(ConnectionValidator(), PASSPHRASE), (OwnScheme(), "shared")]


@pytest.mark.parametrize(("validator", "identity"), SCHEMES)
def test_both_ends_prove_themselves_over_tls(validator: ConnectionValidator, identity: Any) -> None:
    own, results = server_context(), list[HostHandshake]()
    with (
        serving(own.context, lambda tls: run_host(tls, own, results, validator)) as port,
        dial(port, client_context()) as tls,
    ):
        assert tls.version() == "TLSv1.3"
        assert run_client(tls, identity, validator).done
    assert results[0].done


@pytest.mark.parametrize(("validator", "identity"), SCHEMES)
def test_a_man_in_the_middle_is_denied_by_the_channel_binding(validator: ConnectionValidator, identity: Any) -> None:
    """He has TLS with both ends and passes every byte on; the passphrase is right. Only the certificates differ."""
    own, results, relay = server_context(), list[HostHandshake](), server_context()
    with (
        serving(own.context, lambda tls: run_host(tls, own, results, validator)) as port,
        serving(relay.context, relay_to(port)) as relay_port,
        dial(relay_port, client_context()) as tls,
        pytest.raises(ConnectionDenied),
    ):
        run_client(tls, identity, validator)
    assert results[0].failed is not None
    assert not results[0].done


def test_the_same_relay_without_binding_would_get_through() -> None:
    """The counter-proof: with the certificate that the host shows, the relayed bytes are fine."""
    own, results, relay = server_context(), list[HostHandshake](), server_context()
    with (
        serving(own.context, lambda tls: run_host(tls, own, results, ConnectionValidator())) as port,
        serving(relay.context, relay_to(port)) as relay_port,
        dial(relay_port, client_context()) as tls,
    ):
        handshake = ClientHandshake(
            ConnectionValidator(),
            identity=PASSPHRASE,
            uri=None,
            peer_address=None,
            binding=own.binding,
            codec="msgpack",
            random=secrets.token_bytes,
        )
        tls.sendall(handshake.start())
        while not handshake.done:
            tls.sendall(handshake.receive(tls.recv(4096)))
    assert results[0].done


def test_a_fingerprint_of_another_certificate_is_denied() -> None:
    own, other = server_context(), server_context()
    with serving(own.context, lambda tls: None) as port, dial(port, client_context()) as tls:
        der = tls.getpeercert(binary_form=True)
    check_fingerprint(der, [own.fingerprint])
    check_fingerprint(der, [other.fingerprint, own.fingerprint])
    check_fingerprint(der, [""])
    with pytest.raises(ConnectionDenied, match=own.fingerprint) as caught:
        check_fingerprint(der, [other.fingerprint])
    assert caught.value.reason is DenyReason.SECURITY
    with pytest.raises(ConnectionDenied):
        check_fingerprint(None, [own.fingerprint])


def test_nothing_older_than_tls_1_3_is_spoken() -> None:
    own = server_context()
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with serving(own.context, lambda tls: None) as port, pytest.raises(ssl.SSLError):
        dial(port, old)
    assert client_context().minimum_version is ssl.TLSVersion.TLSv1_3


def test_no_session_tickets_are_handed_out() -> None:
    own = server_context()
    with serving(own.context, lambda tls: tls.sendall(b"x")) as port, dial(port, client_context()) as tls:
        assert tls.recv(1) == b"x"
        assert tls.session is None or not tls.session.has_ticket


# --- certificates and files


def test_a_self_made_certificate_is_kept_over_restarts(tmp_path: Path) -> None:
    state = tmp_path / "new" / "state"
    first, second, third = server_context(state_dir=state), server_context(state_dir=state), server_context()
    assert first.certificate == second.certificate != third.certificate
    assert first.self_made and third.self_made
    assert [path.name for path in state.iterdir()] == ["host.pem"]
    assert (state / "host.pem").stat().st_mode & 0o777 == 0o600
    assert state.stat().st_mode & 0o777 == 0o700
    certificate = load_certificate(first.certificate)
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)
    assert isinstance(certificate.signature_hash_algorithm, hashes.SHA256)


def test_hosts_that_start_together_share_one_certificate(tmp_path: Path) -> None:
    made: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: made.append(server_context(state_dir=tmp_path).certificate)) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT_S)
    assert len(made) == 6 and len(set(made)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["host.pem"]


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    server_context(state_dir=tmp_path)
    (tmp_path / "host.pem").chmod(mode)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        server_context(state_dir=tmp_path)


def test_a_key_of_somebody_elses_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who makes a state folder for root, with a key in it, would have root's host."""
    server_context(state_dir=tmp_path)
    if os.geteuid() == 0:
        os.chown(tmp_path / "host.pem", 4711, 4711)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 4711)
    with pytest.raises(ConfigurationError, match="make a key of your own"):
        server_context(state_dir=tmp_path)


@pytest.mark.parametrize("content", [b"", b"no pem", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_damaged_state_file_is_reported_and_not_replaced(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "host.pem").write_bytes(content)
    (tmp_path / "host.pem").chmod(0o600)
    with pytest.raises(ConfigurationError, match=r"/host\.pem is damaged: put a copy back, or remove it"):
        server_context(state_dir=tmp_path)
    assert (tmp_path / "host.pem").read_bytes() == content


def test_a_state_dir_that_is_a_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="state_dir"):
        server_context(state_dir=tmp_path / "file")


def test_a_host_without_state_dir_leaves_no_file_open() -> None:
    before = sorted(Path("/proc/self/fd").iterdir())
    server_context()
    assert sorted(Path("/proc/self/fd").iterdir()) == before


def signed(key: Any, algorithm: Any, issuer_key: Any = None, issuer: str = "test", subject: str = "test") -> bytes:
    """A certificate in PEM form, for localhost."""
    name = [x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)]) for text in (subject, issuer)]
    builder = (
        x509.CertificateBuilder()
        .subject_name(name[0])
        .issuer_name(name[1])
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(9999, 12, 31, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=subject == issuer, path_length=None), critical=True)
    )
    return builder.sign(issuer_key or key, algorithm).public_bytes(serialization.Encoding.PEM)


def pem_key(key: Any, encryption: Any = None) -> bytes:
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    data: bytes = key.private_bytes(pem, pkcs8, encryption or serialization.NoEncryption())
    return data


def der(pem: bytes) -> bytes:
    return ssl.PEM_cert_to_DER_cert(pem.decode())


def test_the_binding_takes_the_hash_of_the_signature() -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    with_256, with_384 = der(signed(key, hashes.SHA256())), der(signed(key, hashes.SHA384()))
    hashless = der(signed(ed25519.Ed25519PrivateKey.generate(), None))
    assert end_point_binding(with_256) == sha256(with_256).digest()
    assert end_point_binding(with_384) == sha384(with_384).digest()
    assert end_point_binding(hashless) == sha256(hashless).digest()
    assert fingerprint(with_384) == "sha256:" + sha256(with_384).hexdigest()


@pytest.mark.parametrize("junk", [b"", b"junk", bytes(2000)])
def test_a_certificate_that_is_none_is_a_protocol_error(junk: bytes) -> None:
    with pytest.raises(ProtocolError):
        end_point_binding(junk)


class Authority:
    """A CA with a host's and a client's certificate, in files."""

    def __init__(self, folder: Path) -> None:
        ca = ec.generate_private_key(ec.SECP256R1())
        self.ca = folder / "ca.pem"
        self.ca.write_bytes(signed(ca, hashes.SHA256(), subject="ca", issuer="ca"))
        for who in ("host", "client"):
            key = ec.generate_private_key(ec.SECP256R1())
            (folder / f"{who}.pem").write_bytes(signed(key, hashes.SHA256(), ca, "ca", who))
            (folder / f"{who}.key").write_bytes(pem_key(key))
            (folder / f"{who}.key").chmod(0o600)
        self.host, self.client = folder / "host.pem", folder / "client.pem"
        self.host_key, self.client_key = folder / "host.key", folder / "client.key"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def test_with_a_ca_the_host_is_checked_by_name(authority: Authority) -> None:
    own = server_context(TLS(certificate=authority.host, key=authority.host_key))
    assert not own.self_made
    context = client_context(TLS(ca=authority.ca))
    with serving(own.context, lambda tls: None) as port, dial(port, context, "localhost") as tls:
        assert tls.getpeercert(binary_form=True) == own.certificate
    for server, name in ((own, "elsewhere.example"), (server_context(), "localhost")):
        with serving(server.context, lambda tls: None) as port, pytest.raises(ssl.SSLCertVerificationError):
            dial(port, context, name)


def test_client_certificates_reach_the_validator(authority: Authority) -> None:
    names: list[str] = []

    class Watching(ConnectionValidator):
        def check_certificate(self, certificate: Any) -> bool:
            names.append(certificate.subject.rfc4514_string())
            return True

    own = server_context(
        TLS(certificate=authority.host, key=authority.host_key, ca=authority.ca, require_client_certificate=True)
    )
    results: list[HostHandshake] = []
    context = client_context(TLS(certificate=authority.client, key=authority.client_key))
    with (
        serving(own.context, lambda tls: run_host(tls, own, results, Watching())) as port,
        dial(port, context) as tls,
    ):
        assert run_client(tls, PASSPHRASE, ConnectionValidator()).done
    assert names == ["CN=client"]


def test_without_a_required_client_certificate_nothing_is_heard(authority: Authority) -> None:
    own = server_context(
        TLS(certificate=authority.host, key=authority.host_key, ca=authority.ca, require_client_certificate=True)
    )
    results: list[HostHandshake] = []
    with (
        serving(own.context, lambda tls: run_host(tls, own, results, ConnectionValidator())) as port,
        pytest.raises(OSError),  # under TLS 1.3 the client hears of the refusal with its first read
        dial(port, client_context()) as tls,
    ):
        tls.sendall(b"x")
        if not tls.recv(1):
            raise OSError("closed")
    assert results == []


def test_options_that_contradict_each_other_are_said_at_once() -> None:
    wrong: list[dict[str, Any]] = [
        {"key": "k.pem"},
        {"require_client_certificate": True},
        {"fingerprints": "sha256:" + "0" * 64},
        {"fingerprints": ["sha256:xyz"]},
        {"fingerprints": []},
        {"ca": ""},
    ]
    for options in wrong:
        with pytest.raises(ConfigurationError):
            TLS(**options)


def test_files_that_cannot_be_used_are_named(authority: Authority, tmp_path: Path) -> None:
    missing, junk = tmp_path / "missing.pem", tmp_path / "junk.pem"
    junk.write_bytes(b"junk")
    locked = tmp_path / "locked.key"
    key = ec.generate_private_key(ec.SECP256R1())
    locked.write_bytes(pem_key(key, serialization.BestAvailableEncryption(b"pw")))
    locked.chmod(0o600)
    junk.chmod(0o600)
    own, der = tmp_path / "own.pem", tmp_path / "own.der"
    own.write_bytes(signed(key, hashes.SHA256()))
    der.write_bytes(ssl.PEM_cert_to_DER_cert(own.read_text()))
    own.chmod(0o644)
    for options, text in (
        (TLS(certificate=missing), "missing"),
        (TLS(certificate=missing, key=locked), "missing"),
        (TLS(certificate=junk), "no certificate in PEM form in .*junk"),
        (TLS(certificate=der, key=locked), "no certificate in PEM form in .*own.der"),
        (TLS(certificate=own), "own.pem has no key in it: give key= too"),
        (TLS(certificate=own, key=junk), "no private key in PEM form in .*junk"),
        (TLS(certificate=authority.host, key=authority.client_key), "cannot be used together"),
        (TLS(certificate=own, key=locked), "encrypted"),
        (TLS(ca=missing), "missing"),
        (TLS(ca=junk), "junk"),
    ):
        for make in (server_context, client_context):
            with pytest.raises(ConfigurationError, match=text):
                make(options)
