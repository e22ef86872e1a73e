"""A client's certificate as its proof: by who issued it, by fingerprint, by the name in it.

`cryptography` is loaded where a certificate is looked at: sandbox processes reach this package too, and have none.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ...errors import ConfigurationError, DenyReason
from ..verdict import ACCEPT, Verdict, deny
from .fingerprints import fingerprint, source_of
from .scram import prepare
from .steps import Connection, ConnectionValidator, HostView
from .verifiers import MAX_LOGIN_BYTES

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

__all__ = ["certificates"]

MAX_FILE_BYTES: Final = 1024 * 1024
Identify = Callable[["Certificate"], str | None]


class certificates(ConnectionValidator):
    """Accepts clients by the certificate that TLS has proved they own: a proof, in place of a passphrase.

    The host needs ``tls=TLS(ca=...)``: TLS takes certificates only of the authorities in that file, within their dates,
    and made for clients. Without arguments all of these are accepted; each argument narrows that down.

    Args:
        ca: A PEM file: one of the certificates in it has to have issued the client's, directly. For hosts whose
            ``TLS(ca=...)`` has several.
        fingerprints: ``"sha256:..."`` of the certificates that may come in; or a file of them, a line each, which may
            change while the host runs. While it cannot be read, nobody comes in.
        revoked: Of those that may not, likewise. While the file cannot be read, nobody comes in.
        subjects: Patterns for the common name, one of which has to fit: shell style, case counts. A certificate with
            several common names, or one that cannot be printed, fits none.
        identity: Gives the caller's identity for a certificate, None: denied. By default the common name, without one
            the first e-mail address or DNS name in it. Identities are prepared as logins are.

    Raises:
        ConfigurationError: A file that is missing or wrong, what is no fingerprint or pattern, or an empty list of
            those that may come in.
    """

    def __init__(
        self,
        *,
        ca: str | os.PathLike[str] | None = None,
        fingerprints: Sequence[str] | str | os.PathLike[str] | None = None,
        revoked: Sequence[str] | str | os.PathLike[str] = (),
        subjects: Sequence[str] | None = None,
        identity: Identify | None = None,
    ) -> None:
        patterns = None if subjects is None or isinstance(subjects, str) else tuple(subjects)
        if subjects is not None and not (patterns and all(type(pattern) is str and pattern for pattern in patterns)):
            raise ConfigurationError('certificates(subjects=...): a list of patterns, as in ["nora", "shop-*"]')
        if identity is not None and not callable(identity):
            raise ConfigurationError("certificates(identity=...): a function that gives a certificate's identity")
        self._ca_file = None if ca is None else os.fspath(ca)
        self._issuers = () if ca is None else _authorities(Path(ca))
        self._known = None if fingerprints is None else source_of("certificates(fingerprints=...)", fingerprints)
        if fingerprints is not None and self._known is None:  # whoever computes it must not find everybody let in
            raise ConfigurationError("certificates(fingerprints=...): an empty list: leave it out to take all")
        self._revoked = source_of("certificates(revoked=...)", revoked)
        self._subjects = patterns or ()
        self._identity = identity

    def __repr__(self) -> str:
        given = {
            "ca": self._ca_file,
            "fingerprints": self._known,
            "revoked": self._revoked,
            "subjects": list(self._subjects) or None,
            "identity": self._identity,
        }
        return f"certificates({', '.join(f'{name}={value!r}' for name, value in given.items() if value is not None)})"

    def check_certificate(self, certificate: "Certificate | None") -> bool | Verdict:
        """Is it one of those that may come in?"""
        if certificate is None:
            return deny(DenyReason.SECURITY, "it shows no certificate; a host asks for one with TLS(ca=...)")
        try:
            why = self._objection(certificate)
        except ConfigurationError as error:  # a file that was damaged while the host runs
            why = str(error)
        return deny(DenyReason.SECURITY, why) if why else ACCEPT

    def create_auth_challenge(self, host: HostView, connection: Connection) -> Any:
        """Nothing is asked: TLS has the proof."""
        return None

    def accept_identification(
        self, host: HostView, connection: Connection, token: Any, challenge: Any
    ) -> bool | Verdict:
        """Whoever passed is known by its certificate; what else it says counts for nothing."""
        certificate = connection.certificate
        verdict = self.check_certificate(certificate)  # again: a composite may have asked nobody before
        if not verdict or certificate is None:
            return verdict
        try:
            name = _name(certificate) if self._identity is None else self._identity(certificate)
            connection.identity = _prepared(name)
        except _Nameless as error:
            return deny(DenyReason.SECURITY, f"certificate {fingerprint(_der(certificate))} {error}")
        return ACCEPT

    def _objection(self, certificate: "Certificate") -> str:
        """Why it may not come in; empty: it may."""
        mark = fingerprint(_der(certificate))
        if self._revoked is not None and mark in self._revoked.current():
            return f"certificate {mark} was revoked"
        if self._known is not None and mark not in self._known.current():
            return f"certificate {mark} is not among the fingerprints"
        if self._issuers and not any(_issued(issuer, certificate) for issuer in self._issuers):
            return f"certificate {mark} was not issued by {self._ca_file}"
        if self._subjects:
            try:
                name = _common_name(certificate)
            except _Nameless as error:
                return f"certificate {mark} {error}"
            if name is None or not any(fnmatchcase(name, pattern) for pattern in self._subjects):
                return f"certificate {mark} is for {name!r}, which fits none of {', '.join(map(repr, self._subjects))}"
        return ""


class _Nameless(Exception):
    """A certificate has no name to go by; why."""


def _der(certificate: "Certificate") -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.DER)


def _issued(issuer: "Certificate", certificate: "Certificate") -> bool:
    """Whether `issuer` signed it. TLS has checked its dates and uses; that it was this issuer, TLS does not tell."""
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _authorities(path: Path) -> "tuple[Certificate, ...]":
    from cryptography import x509

    try:
        with path.open("rb") as file:
            found = x509.load_pem_x509_certificates(file.read(MAX_FILE_BYTES))
    except OSError as error:
        raise ConfigurationError(f"certificates(ca=...): cannot read {path}: {error.strerror}") from None
    except ValueError:
        raise ConfigurationError(f"certificates(ca=...): {path} has no certificate in PEM form") from None
    for certificate in found:
        try:
            signs = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        except (x509.ExtensionNotFound, ValueError):
            signs = False
        if not signs:
            raise ConfigurationError(f"certificates(ca=...): {path} has a certificate that is no authority's")
    return tuple(found)


def _common_name(certificate: "Certificate") -> str | None:
    from cryptography.x509.oid import NameOID

    try:
        found = [attribute.value for attribute in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    except Exception:  # what an authority signed, however it is spelt: cryptography raises several kinds
        raise _Nameless("has a subject that cannot be read") from None
    if len(found) > 1:
        raise _Nameless("has several common names")
    return _prepared(found[0]) if found else None


def _name(certificate: "Certificate") -> str:
    """The common name; without one the first e-mail address, then the first DNS name, among the alternative names."""
    from cryptography import x509

    name = _common_name(certificate)
    if name is not None:
        return name
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        others: Iterable[str] = [*names.get_values_for_type(x509.RFC822Name), *names.get_values_for_type(x509.DNSName)]
    except x509.ExtensionNotFound:
        others = ()
    except Exception:
        raise _Nameless("has alternative names that cannot be read") from None
    for other in others:
        return other
    raise _Nameless("has no name to go by: give certificates(identity=...)")


def _prepared(name: object) -> str:
    """An identity as logins are: prepared, printable, of at most 255 bytes."""
    if name is None:
        raise _Nameless("has no identity, says identity=")
    if not isinstance(name, str) or not name or len(name) > MAX_LOGIN_BYTES:
        raise _Nameless(f"has a name that is no text of 1 to {MAX_LOGIN_BYTES} bytes")
    try:
        prepared = prepare(name)
    except ValueError as error:
        raise _Nameless(f"has a name with {error}") from None
    if len(prepared.encode()) > MAX_LOGIN_BYTES:
        raise _Nameless(f"has a name of more than {MAX_LOGIN_BYTES} bytes")
    return prepared
