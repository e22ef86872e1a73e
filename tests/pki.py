"""What the tests of certificates share: authorities in files, and certificates that no honest authority would sign."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import emporion
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from emporion.runtime.connection.certificates import Issued, make_authority, make_client, make_host, save

Edit = Callable[[list[bytes]], None]
WAIT_S: Final = 60.0  # nothing here takes seconds; a test that fails should still end
HOST_USE, CLIENT_USE = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
NOW: Final = datetime.now(UTC)
PAST: Final = (NOW - timedelta(days=9), NOW - timedelta(days=2))
PRESENT: Final = (NOW - timedelta(days=2), NOW + timedelta(days=9))
FUTURE: Final = (NOW + timedelta(days=2), NOW + timedelta(days=9))


class Desk:
    """A hosted object that tells its callers who they are."""

    @emporion.expose
    def who(self) -> list[str | None]:
        caller = emporion.caller()
        certificate = caller.certificate
        return [caller.identity, None if certificate is None else certificate.subject.rfc4514_string()]


@dataclass(frozen=True)
class Files:
    """A certificate and its key, on disk."""

    certificate: Path
    key: Path

    def tls(self, ca: Path | None = None, **options: Any) -> emporion.TLS:
        return emporion.TLS(certificate=self.certificate, key=self.key, ca=ca, **options)


class Town:
    """A folder with an authority `ours` and one that nobody here trusts, `theirs`, and whom they certify."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ours, self.theirs = make_authority("ours"), make_authority("theirs")
        self.ca, self.other_ca = folder / "ours.pem", folder / "theirs.pem"
        save(self.ours, self.ca)
        save(self.theirs, self.other_ca)
        self.host = self.put("host", make_host(self.ours, ["localhost", "127.0.0.1"]))
        self.nora = self.put("nora", make_client(self.ours, "nora"))

    def put(self, name: str, issued: Issued, *further: bytes) -> Files:
        """Into files; `further` is what follows the certificate in its own, in PEM form."""
        path = self.folder / f"{name}.pem"
        key = save(issued, path)
        with path.open("ab") as file:
            file.writelines(further)
        return Files(path, key)

    def open(self, tls: emporion.TLS | None = None, **options: Any) -> emporion.Host:
        """A host with a `Desk`, which requires certificates of ours unless `tls` says other."""
        tls = self.host.tls(self.ca, require_client_certificate=True) if tls is None else tls
        host = emporion.Host("127.0.0.1:0", tls=tls, **options)
        host.register(Desk(), "desk")
        return host

    def as_nora(self) -> emporion.TLS:
        return self.nora.tls(self.ca)


def uri_of(host: emporion.Host, name: str = "localhost", fingerprint: str = "") -> emporion.URI:
    """The desk's, under a name that its certificate has."""
    return emporion.URI(host=name, port=host.uri.port, name="desk", fingerprint=fingerprint)


# --- what no honest authority signs


def forged(
    signer: Issued | None,
    name: str = "nora",
    *,
    use: x509.ObjectIdentifier = CLIENT_USE,
    period: tuple[datetime, datetime] = PRESENT,
    names: tuple[x509.GeneralName, ...] = (),
    edit: Edit | None = None,
) -> Issued:
    """A certificate with all extensions that it should have, and whatever else.

    Args:
        signer: None: itself.
        edit: Changes the fields before they are signed: DER, in the order of `TBSCertificate` (RFC 5280, section 4.1).
    """
    key = ec.generate_private_key(ec.SECP256R1())
    signing = key if signer is None else signer.key
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if signer is None else signer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(period[0])
        .not_valid_after(period[1])
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([use]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), critical=False)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    certificate = builder.sign(signing, hashes.SHA256())
    return Issued(certificate, key) if edit is None else Edited(certificate, key, edited(certificate, signing, edit))


@dataclass(frozen=True)
class Edited(Issued):
    """One whose DER is not what `cryptography` would make; it may not even be able to read it."""

    der: bytes

    @property
    def certificate_pem(self) -> bytes:
        return as_pem(self.der)


def as_pem(der: bytes) -> bytes:
    return ssl.DER_cert_to_PEM_cert(der).encode()


def edited(certificate: x509.Certificate, signing: ec.EllipticCurvePrivateKey, edit: Edit) -> bytes:
    """The DER of a certificate with other fields, and a signature that is right."""
    fields = split(content(certificate.tbs_certificate_bytes))
    edit(fields)
    tbs = tlv(0x30, b"".join(fields))
    algorithm = split(content(certificate.public_bytes(serialization.Encoding.DER)))[1]
    signature = signing.sign(tbs, ec.ECDSA(hashes.SHA256()))
    return tlv(0x30, tbs + algorithm + tlv(0x03, b"\0" + signature))


def tlv(tag: int, body: bytes) -> bytes:
    """One element of DER (X.690)."""
    size = len(body)
    if size < 0x80:
        return bytes((tag, size)) + body
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(length))) + length + body


def _head(data: bytes) -> tuple[int, int]:
    """How long the head of an element is, and its body."""
    if data[1] < 0x80:
        return 2, data[1]
    count = data[1] & 0x7F
    return 2 + count, int.from_bytes(data[2 : 2 + count])


def content(data: bytes) -> bytes:
    head, size = _head(data)
    return data[head : head + size]


def split(data: bytes) -> list[bytes]:
    found = []
    while data:
        head, size = _head(data)
        found.append(data[: head + size])
        data = data[head + size :]
    return found


VERSION, SERIAL, SUBJECT, EXTENSIONS = 0, 1, 5, 7  # fields of TBSCertificate


def with_field(number: int, value: bytes) -> Edit:
    def edit(fields: list[bytes]) -> None:
        fields[number] = value

    return edit


def with_common_names(*names: bytes, tag: int = 0x0C) -> Edit:
    """A subject with these common names, whatever bytes they are; `tag` is UTF8String's."""
    kind = bytes.fromhex("0603550403")  # 2.5.4.3
    parts = (tlv(0x31, tlv(0x30, kind + tlv(tag, name))) for name in names)
    return with_field(SUBJECT, tlv(0x30, b"".join(parts)))


def _doubled_extension(fields: list[bytes]) -> None:
    extensions = split(content(content(fields[EXTENSIONS])))
    fields[EXTENSIONS] = tlv(0xA3, tlv(0x30, b"".join([*extensions, extensions[0]])))


# What they are, and whether their owner is still "nora" for a host whose authority signed such a thing.
MAD: Final[dict[str, tuple[Edit, bool]]] = {
    "a serial number of 2,000 bytes": (with_field(SERIAL, tlv(0x02, b"\x7f" * 2000)), True),
    "a negative serial number": (with_field(SERIAL, tlv(0x02, b"\xff")), True),
    "serial number zero": (with_field(SERIAL, tlv(0x02, b"\0")), True),
    "version 9": (with_field(VERSION, tlv(0xA0, tlv(0x02, b"\x08"))), False),
    "no subject": (with_field(SUBJECT, tlv(0x30, b"")), False),
    "a NUL in the name": (with_common_names(b"nora\0.evil.example"), False),
    "a newline in the name": (with_common_names(b"nora\naccepted 'admin'"), False),
    "a terminal's escape in the name": (with_common_names(b"\x1b[2Jnora"), False),
    "a right-to-left mark in the name": (with_common_names("\u202earon".encode()), False),
    "a name that is no UTF-8": (with_common_names(b"\xff\xfenora"), False),
    "half a BMPString": (with_common_names(b"\x00n\x00", tag=0x1E), False),
    "a long name": (with_common_names(b"n" * 20_000), False),
    "an empty name": (with_common_names(b""), False),
    "two names": (with_common_names(b"nora", b"admin"), False),
    "a name that is a number": (with_common_names(b"\x01", tag=0x02), False),
    "an extension twice": (_doubled_extension, False),
}


# --- those who answer in a host's place


@contextmanager
def answering(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """Somebody on loopback who serves connections, one after the other, as a test says; gives the port."""
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def run() -> None:
        while True:
            raw, _ = listener.accept()
            with raw:
                if over.is_set():
                    return
                raw.settimeout(WAIT_S)
                try:
                    serve(raw)
                except OSError:
                    continue

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        over.set()
        socket.create_connection(listener.getsockname()).close()
        thread.join(WAIT_S)
        listener.close()
        assert not thread.is_alive()
