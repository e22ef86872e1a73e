"""Making keys and certificates, and keeping them in files: a host's own, and those of a PKI of one's own.

All keys are P-256, all signatures ECDSA with SHA-256. Source: RFC 5280 (the extensions), RFC 9525 (names of hosts).
"""

import os
import secrets
import stat
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ...errors import ConfigurationError
from ...validators.connection.scram import prepare
from ...validators.private_file import write_private
from .uri import Listen

__all__ = [
    "CA_DAYS",
    "DAYS",
    "Issued",
    "key_beside",
    "kept_pem",
    "load_authority",
    "make_authority",
    "make_client",
    "make_host",
    "read_private",
    "save",
    "self_made_pem",
]

CA_DAYS: Final = 3650
DAYS: Final = 365
MOST_DAYS: Final = 36_500
# Clocks differ, and a certificate that is tried out at once should be good everywhere.
_EARLIER: Final = timedelta(hours=1)
MAX_NAME_CHARS: Final = 64  # of a common name: ub-common-name of RFC 5280
MAX_NAMES: Final = 100  # of one host
MAX_FILE_BYTES: Final = 1024 * 1024

_FOR_EVER: Final = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)  # RFC 5280: no expiration date

GeneralNames = Sequence[x509.GeneralName]


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate with its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)

    @property
    def certificate_pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """PKCS #8 (RFC 5958), not encrypted."""
        pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        return self.key.private_bytes(pem, pkcs8, serialization.NoEncryption())


# --- making -----------------------------------------------------------------------------------------------------


def self_made_pem() -> bytes:
    """A new key with a certificate that it signs itself, for a host whose URIs carry its fingerprint."""
    key = ec.generate_private_key(ec.SECP256R1())
    loopback = [x509.DNSName("localhost"), x509.IPAddress(IPv4Address("127.0.0.1")), x509.IPAddress(IPv6Address("::1"))]
    builder = _begun("emporion host", key, datetime(2020, 1, 1, tzinfo=UTC), _FOR_EVER)
    # Clients pin it or bind to it; a date would only be an outage in the making.
    certificate = (
        builder.issuer_name(_named("emporion host"))
        .add_extension(x509.SubjectAlternativeName(loopback), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    issued = Issued(certificate, key)
    return issued.key_pem + issued.certificate_pem


def make_authority(name: str | None = None, *, days: int = CA_DAYS) -> Issued:
    """A new certificate authority, which signs hosts and clients, and no further authorities.

    Args:
        name: Its common name, 1 to 64 characters; None: one that no other has.

    Raises:
        ConfigurationError: `name` or `days` cannot be.
    """
    name = _common_name(f"emporion CA {secrets.token_hex(4)}" if name is None else name)
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        _begun(name, key, *_period(days))
        .issuer_name(_named(name))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(authority=True), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
    )
    return Issued(builder.sign(key, hashes.SHA256()), key)


def make_host(authority: Issued, names: Sequence[str], *, days: int = DAYS) -> Issued:
    """A host's key and certificate.

    Args:
        names: What stands in its URIs, 1 to 100: DNS names, also ``*.shop.example``, and IP addresses. The first is
            its common name too.

    Raises:
        ConfigurationError: A name is none, or the authority ends before `days` are over.
    """
    if not 1 <= len(names) <= MAX_NAMES:
        raise ConfigurationError(f"a host's certificate needs 1 to {MAX_NAMES} names: those that stand in its URIs")
    alternatives = [_host_name(name) for name in names]
    common = names[0] if len(names[0]) <= MAX_NAME_CHARS else "emporion host"
    return _issue(authority, common, alternatives, ExtendedKeyUsageOID.SERVER_AUTH, days)


def make_client(authority: Issued, name: str, *, days: int = DAYS) -> Issued:
    """A client's key and certificate.

    Args:
        name: Who it is, 1 to 64 characters: hosts take it for the client's identity. An e-mail address becomes an
            alternative name too.

    Raises:
        ConfigurationError: `name` is none, or the authority ends before `days` are over.
    """
    name = _common_name(name)
    alternatives: list[x509.GeneralName] = []
    if "@" in name:
        with suppress(ValueError):  # not in ASCII: then it is a common name only
            alternatives.append(x509.RFC822Name(name))
    return _issue(authority, name, alternatives, ExtendedKeyUsageOID.CLIENT_AUTH, days)


def _issue(authority: Issued, common: str, names: GeneralNames, use: x509.ObjectIdentifier, days: int) -> Issued:
    key = ec.generate_private_key(ec.SECP256R1())
    begin, end = _period(days)
    last = authority.certificate.not_valid_after_utc
    if end > last:
        left = (last - datetime.now(UTC)).days
        raise ConfigurationError(
            f"the authority's own certificate ends on {last:%Y-%m-%d}: "
            + (f"ask for at most {left} days, or make a new authority" if left > 0 else "make a new authority")
        )
    signer = authority.key.public_key()
    builder = (
        _begun(common, key, begin, end)
        .issuer_name(authority.certificate.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([use]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer), critical=False)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return Issued(builder.sign(authority.key, hashes.SHA256()), key)


def _begun(name: str, key: ec.EllipticCurvePrivateKey, begin: datetime, end: datetime) -> x509.CertificateBuilder:
    public = key.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(_named(name))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority, key_cert_sign=authority, crl_sign=authority, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _period(days: int) -> tuple[datetime, datetime]:
    if type(days) is not int or not 1 <= days <= MOST_DAYS:
        raise ConfigurationError(f"days={days!r}: a number from 1 to {MOST_DAYS} is needed")
    now = datetime.now(UTC).replace(microsecond=0)
    return now - _EARLIER, now + timedelta(days=days)


def _common_name(name: str) -> str:
    try:
        prepared = prepare(name)
    except ValueError as error:
        raise ConfigurationError(f"the name has {error}") from None
    if not 1 <= len(prepared) <= MAX_NAME_CHARS:
        raise ConfigurationError(f"a name of {len(prepared)} characters: 1 to {MAX_NAME_CHARS} are allowed")
    return prepared


def _host_name(name: str) -> x509.GeneralName:
    with suppress(ValueError):
        return x509.IPAddress(ip_address(name.removeprefix("[").removesuffix("]")))
    try:
        Listen(host=name.removeprefix("*."))
        return x509.DNSName(name)
    except (ConfigurationError, ValueError):
        raise ConfigurationError(
            f"{name!a:.100} is no name of a host: write it as in URIs, without a port; 'xn--...' for other alphabets"
        ) from None


# --- files ------------------------------------------------------------------------------------------------------


def key_beside(path: Path) -> Path:
    """Where the private key of the certificate in `path` is: ``shop.key`` for ``shop.pem``."""
    return path.with_suffix(".key")


def save(issued: Issued, path: Path) -> Path:
    """Write a certificate into the new file `path` and its key into the new `key_beside` (0600), which it gives.

    Raises:
        ConfigurationError: One of the two exists (a key that is overwritten is lost), or cannot be written.
    """
    if not path.name:
        raise ConfigurationError(f"{str(path)!r} names no file: name the certificate's, as in shop.pem")
    beside = key_beside(path)
    if beside == path:
        raise ConfigurationError(f"{path}: that is where the key goes: name the certificate's file, as in shop.pem")
    if path.exists() or path.is_symlink():
        raise ConfigurationError(f"{path} exists: nothing is overwritten, give another name")
    _write_new(beside, issued.key_pem, 0o600)
    try:
        _write_new(path, issued.certificate_pem, 0o644)
    except BaseException:
        beside.unlink()
        raise
    return beside


def _write_new(path: Path, data: bytes, mode: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:  # half of it would be in the way of the next attempt
            path.unlink(missing_ok=True)
            raise
    except FileExistsError:
        raise ConfigurationError(f"{path} exists: nothing is overwritten, give another name") from None
    except OSError as error:
        raise ConfigurationError(f"cannot write {path}: {error.strerror}") from None


def load_authority(path: Path, key: Path | None = None) -> Issued:
    """Read what `make_authority` made and `save` wrote.

    Args:
        key: None: `key_beside`.

    Raises:
        ConfigurationError: A file cannot be read, others can read the key, the two do not belong together, or it is no
            authority.
    """
    key = key_beside(path) if key is None else key
    certificate, private = _certificate(path), _key(key)
    if certificate.public_key() != private.public_key():
        raise ConfigurationError(f"the key in {key} is not that of the certificate in {path}")
    try:
        authority = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        authority = False
    if not authority:
        raise ConfigurationError(f"{path} is no authority's certificate: `emporion certificate make ca` makes one")
    return Issued(certificate, private)


def _certificate(path: Path) -> x509.Certificate:
    try:
        with path.open("rb") as file:
            return x509.load_pem_x509_certificate(file.read(MAX_FILE_BYTES))
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from None
    except ValueError:
        raise ConfigurationError(f"{path} has no certificate in PEM form") from None


def _key(path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(read_private(path), None)
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ConfigurationError(f"{path} has no unencrypted private key in PEM form") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ConfigurationError(f"{path} has a key of another kind: one on an elliptic curve is needed")
    return key


def read_private(path: Path) -> bytes:
    """The bytes of a file with a private key: at most 1 MiB.

    Raises:
        ConfigurationError: Others than this user and root own it, can read it, or write it: whoever has had the key can
            pose as its owner.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        found = os.fstat(file.fileno())
        if found.st_uid not in (os.geteuid(), 0):
            raise ConfigurationError(
                f"{path} is user {found.st_uid}'s, who can pose as its owner, and you are user {os.geteuid()}: "
                "act as that user, or make a key of your own"
            )
        mode = stat.S_IMODE(found.st_mode)
        if mode & 0o077:
            raise ConfigurationError(
                f"others can read {path} (mode {mode:o}): chmod 600 it, or make a new key if they may have read it"
            )
        return file.read(MAX_FILE_BYTES)


def kept_pem(path: Path) -> bytes:
    """The key and certificate in a host's own file, self-made when there is none yet; its folder too (0700).

    Raises:
        ConfigurationError: It cannot be read or written, or others can read it.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            write_private(path, self_made_pem(), over=False)  # who starts at the same time may come first
        return read_private(path)
    except OSError as error:
        raise ConfigurationError(f"state_dir: {error}") from None
