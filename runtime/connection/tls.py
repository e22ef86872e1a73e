"""TLS 1.3 for both ends: options, contexts, the host's self-made certificate, fingerprints and channel binding.

Source: RFC 8446 (TLS 1.3), RFC 5929 (`tls-server-end-point`), RFC 5280 (certificates).
"""

import logging
import os
import ssl
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, NoReturn

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from ...errors import ConfigurationError, ConnectionDenied, DenyReason, ProtocolError
from ...validators.connection.fingerprints import fingerprint, is_fingerprint
from .certificates import kept_pem, read_private, self_made_pem

__all__ = [
    "TLS",
    "HostTLS",
    "check_fingerprint",
    "client_context",
    "end_point_binding",
    "fingerprint",
    "load_certificate",
    "server_context",
]

_CERTIFICATE: Final = b"CERTIFICATE-----"
_KEY: Final = b"PRIVATE KEY-----"  # PKCS #8 and the older forms
log = logging.getLogger("emporion.host")

HOST_FILE: Final = "host.pem"  # in state_dir: key and certificate in one file, so that they can never differ


@dataclass(frozen=True, slots=True)
class TLS:
    """What either end does with TLS beyond the default; see docs/handshake.md for what that proves.

    Raises:
        ConfigurationError: Options that contradict each other. Files are read when the context is made.
    """

    certificate: str | os.PathLike[str] | None = None  # PEM file: this end's certificate, then those that signed it
    key: str | os.PathLike[str] | None = None  # PEM file, not encrypted, 0600; None: in the same file
    ca: str | os.PathLike[str] | Literal[True] | None = None  # PEM file: who signs the other end's; True: the system's
    require_client_certificate: bool = False  # at a host; needs `ca`
    # "sha256:hex" of the other end's certificates; any of them will do. At a host with `require_client_certificate`.
    fingerprints: Sequence[str] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.ca, str) and not self.ca:  # a setting that is not set, mostly
            raise ConfigurationError("TLS(ca=...): name a file of certificates, say True for the system's, or None")
        marks = self.fingerprints
        if marks is not None and (isinstance(marks, str) or not all(map(is_fingerprint, marks))):
            raise ConfigurationError("TLS(fingerprints=...): a list of 'sha256:' and 64 lower-case hex digits")
        if marks is not None and not marks:  # whoever computes it must not find everybody taken
            raise ConfigurationError("TLS(fingerprints=...): an empty list: leave it out if any certificate will do")
        if self.key is not None and self.certificate is None:
            raise ConfigurationError("TLS(key=...): give the certificate= that belongs to it too")
        if self.require_client_certificate and not self.ca:
            raise ConfigurationError("TLS(require_client_certificate=True): say with ca= who signs those certificates")


@dataclass(frozen=True, slots=True)
class HostTLS:
    """What a host needs to serve TLS."""

    context: ssl.SSLContext = field(repr=False)
    certificate: bytes = field(repr=False)  # DER: the one that clients see
    self_made: bool  # its URIs then carry the fingerprint
    fingerprint: str  # `fingerprint` of the own certificate
    binding: bytes = field(repr=False)  # `end_point_binding` of the own certificate, for `HostHandshake`
    known: tuple[str, ...] = ()  # fingerprints of clients' certificates; empty: any that `TLS.ca` signed

    def client_certificate(self, sock: ssl.SSLSocket) -> x509.Certificate | None:
        """The certificate that the client at the other end has proved to own; None: it showed none.

        Raises:
            ConnectionDenied: SECURITY; it is none of those that `TLS.fingerprints` names, or cannot be read, though
                OpenSSL could.
        """
        der = sock.getpeercert(binary_form=True)
        if self.known and (der is None or fingerprint(der) not in self.known):
            shown = "no certificate" if der is None else f"certificate {fingerprint(der)}"
            raise ConnectionDenied(DenyReason.SECURITY, f"it shows {shown}, which is not in TLS(fingerprints=...)")
        try:
            return None if der is None else load_certificate(der)
        except ProtocolError as error:
            raise ConnectionDenied(DenyReason.SECURITY, str(error)) from None


def server_context(tls: TLS | None = None, state_dir: str | os.PathLike[str] | None = None) -> HostTLS:
    """Make a host's side: with the certificate of `tls`, or a self-made one.

    Args:
        state_dir: Where a self-made key and certificate are kept over restarts (`host.pem`, 0600; made when missing).
            None: they live as long as the process, and are never on disk.

    Raises:
        ConfigurationError: A file that is missing, unreadable, wrong, or that others can read.
    """
    tls = tls or TLS()
    if tls.fingerprints and not tls.require_client_certificate:
        raise ConfigurationError(
            "TLS(fingerprints=...) at a host are those of its clients: give ca= and require_client_certificate=True too"
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    # Tickets would cost each connection two messages; a resumed session would skip the certificate that we bind to.
    context.num_tickets = 0
    if tls.certificate is not None:
        pem = _load_files(context, tls.certificate, tls.key)
        certificate = _first_certificate(pem, os.fspath(tls.certificate))
        why = _objection(x509.load_der_x509_certificate(certificate))
        if why:  # no error: those who go by its fingerprint, or by a passphrase alone, take it all the same
            log.warning("clients that check by ca= will not take %s: %s", os.fspath(tls.certificate), why)
    else:
        pem = self_made_pem() if state_dir is None else kept_pem(Path(state_dir) / HOST_FILE)
        _load_pem(context, pem, "" if state_dir is None else os.fspath(Path(state_dir) / HOST_FILE))
        certificate = _first_certificate(pem, HOST_FILE)
    if tls.ca:
        _trust(context, tls.ca)
        context.verify_mode = ssl.CERT_REQUIRED if tls.require_client_certificate else ssl.CERT_OPTIONAL
    own = fingerprint(certificate), end_point_binding(certificate)
    return HostTLS(context, certificate, tls.certificate is None, *own, tuple(tls.fingerprints or ()))


def client_context(tls: TLS | None = None) -> ssl.SSLContext:
    """Make a client's side.

    Without `TLS.ca` the context takes any certificate: the fingerprint (`check_fingerprint`) or the bound handshake
    proves the host. With it, pass the URI's host as `server_hostname` to ``wrap_*``.

    Raises:
        ConfigurationError: A file that is missing, unreadable or wrong.
    """
    tls = tls or TLS()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.hostname_checks_common_name = False  # a common name may be anything: names of hosts stand in the SAN
    if tls.certificate is not None:
        _load_files(context, tls.certificate, tls.key)
    if tls.ca:
        _trust(context, tls.ca)
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def check_fingerprint(der: bytes | None, wanted: Iterable[str]) -> None:
    """Insist on one of the `wanted` fingerprints; none wanted: any certificate passes.

    Args:
        der: The other end's certificate, as ``getpeercert(binary_form=True)`` gives it; None: it showed none.

    Raises:
        ConnectionDenied: SECURITY; it is another certificate: the text names both.
    """
    known = [mark for mark in wanted if mark]
    shown = "none" if der is None else fingerprint(der)
    if known and shown not in known:
        raise ConnectionDenied(
            DenyReason.SECURITY,
            f"the other end shows certificate {shown}, not {' or '.join(known)}:"
            " it is a stranger, or has a new certificate (then get its new URI from a place you trust)",
        )


def end_point_binding(der: bytes) -> bytes:
    """The `tls-server-end-point` value of a certificate (RFC 5929, section 4): 32 to 64 bytes.

    The hash is the one of the certificate's signature, SHA-256 in place of MD5 and SHA-1. Where a signature has no hash
    (Ed25519) the RFC leaves it open; we take SHA-256.

    Raises:
        ProtocolError: `der` is no certificate; it may be a peer's.
    """
    certificate = load_certificate(der)
    try:
        algorithm = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        algorithm = None
    except Exception:  # parameters that cannot be read
        raise ProtocolError("the other end's certificate cannot be read") from None
    if algorithm is None or isinstance(algorithm, hashes.MD5 | hashes.SHA1):
        algorithm = hashes.SHA256()
    digest = hashes.Hash(algorithm)
    digest.update(der)
    return digest.finalize()


def load_certificate(der: bytes) -> x509.Certificate:
    """Read a certificate as it came over the wire.

    Raises:
        ProtocolError: It is none.
    """
    try:
        return x509.load_der_x509_certificate(der)
    except Exception:  # ValueError mostly; but x509.InvalidVersion, for one, is none
        raise ProtocolError("the other end's certificate cannot be read") from None


def _load_pem(context: ssl.SSLContext, pem: bytes, where: str) -> None:
    """Hand the host's own key and certificate to OpenSSL, which wants a file: one in memory, gone at once."""
    with closing(os.fdopen(os.memfd_create("emporion-host"), "wb")) as file:
        file.write(pem)
        file.flush()
        try:
            context.load_cert_chain(f"/proc/self/fd/{file.fileno()}", password=_no_password)
        except ssl.SSLError as error:
            raise ConfigurationError(
                f"{where} is damaged: put a copy back, or remove it; the host then makes itself a new certificate, and "
                f"its URIs get another fingerprint ({error})"
            ) from None


def _load_files(
    context: ssl.SSLContext, certificate: str | os.PathLike[str], key: str | os.PathLike[str] | None
) -> bytes:
    """Hand this end's key and certificate to OpenSSL; gives the certificate's file."""
    pem = _read(certificate, "TLS(certificate=...)")
    if _CERTIFICATE not in pem:
        raise ConfigurationError(f"TLS(certificate=...): no certificate in PEM form in {os.fspath(certificate)}")
    if key is None and _KEY not in pem:
        raise ConfigurationError(f"TLS(certificate=...): {os.fspath(certificate)} has no key in it: give key= too")
    try:
        # An error where others can read it, as for a host's self-made one.
        if _KEY not in read_private(Path(key or certificate)):
            raise ConfigurationError(f"TLS(key=...): no private key in PEM form in {os.fspath(key or certificate)}")
    except OSError as error:
        raise ConfigurationError(f"TLS({'certificate' if key is None else 'key'}=...): {error}") from None
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ssl.SSLError) as error:
        names = f"certificate {os.fspath(certificate)!r} and key {os.fspath(key or certificate)!r}"
        raise ConfigurationError(f"TLS: {names} cannot be used together: {error}") from None
    return pem


def _no_password() -> NoReturn:
    """Without this OpenSSL would ask on the terminal, and a service would hang."""
    raise ConfigurationError("TLS(key=...): the key is encrypted: decrypt it (openssl pkey), and chmod 600 it")


def _trust(context: ssl.SSLContext, ca: str | os.PathLike[str] | Literal[True]) -> None:
    if ca is True:
        context.load_default_certs()
        return
    pem = _read(os.fspath(ca), "TLS(ca=...)")
    try:
        context.load_verify_locations(cadata=pem.decode("ascii"))
    except (ValueError, ssl.SSLError) as error:
        raise ConfigurationError(f"TLS(ca={os.fspath(ca)!r}): no certificates in PEM form there: {error}") from None


def _read(path: str | os.PathLike[str], option: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{option}: {error}") from None


def _first_certificate(pem: bytes, where: str) -> bytes:
    try:
        return x509.load_pem_x509_certificates(pem)[0].public_bytes(serialization.Encoding.DER)
    except ValueError as error:
        raise ConfigurationError(f"no certificate in {where!r}: {error}") from None


def _objection(certificate: x509.Certificate) -> str:
    """What is wrong with a host's own certificate in the eyes of clients that check it; empty: nothing that shows."""
    now, begin, end = datetime.now(UTC), certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if not begin <= now <= end:
        return f"it expired on {end:%Y-%m-%d}" if now > end else f"it is not valid before {begin:%Y-%m-%d %H:%M} UTC"
    try:
        extensions = certificate.extensions
        uses = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        if not {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE} & set(uses):
            return "it is not made for hosts (serverAuth)"
    except x509.ExtensionNotFound:
        pass
    except Exception:  # ValueError mostly; but x509.UnsupportedGeneralNameType, for one, is none
        return "its extensions cannot be read"
    return ""
