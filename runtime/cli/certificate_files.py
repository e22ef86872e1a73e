"""`emporion certificate`: makes keys and certificates in files, and shows what is in such files."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import typer
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from ...errors import ConfigurationError
from ...validators.connection.fingerprints import fingerprint
from ..connection.certificates import (
    MAX_FILE_BYTES,
    Issued,
    key_beside,
    load_authority,
    make_authority,
    make_client,
    make_host,
    read_private,
    save,
)
from ..connection.tls import HOST_FILE
from .screen import console, plain

__all__ = ["make_ca", "make_for_client", "make_for_host", "show_certificates"]

MOST_NAMES: Final = 100  # that are shown of one certificate


def make_ca(path: Path, name: str | None, days: int) -> None:
    """Make an authority in new files, and print its fingerprint.

    Raises:
        ConfigurationError: A file exists or cannot be written, or an argument cannot be.
    """
    _make(path, lambda: make_authority(name, days=days))


def make_for_host(path: Path, ca: Path, ca_key: Path | None, names: list[str], days: int) -> None:
    """Make a host's key and certificate in new files, and print the fingerprint; errors as for `make_ca`."""
    _make(path, lambda: make_host(load_authority(ca, ca_key), names, days=days))


def make_for_client(path: Path, ca: Path, ca_key: Path | None, name: str, days: int) -> None:
    """Make a client's key and certificate in new files, and print the fingerprint; errors as for `make_ca`."""
    _make(path, lambda: make_client(load_authority(ca, ca_key), name, days=days))


def _make(path: Path, make: Callable[[], Issued]) -> None:
    issued = make()
    save(issued, path)
    typer.echo(fingerprint(_der(issued.certificate)))


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


# --- showing ----------------------------------------------------------------------------------------------------


def show_certificates(path: Path, *, as_json: bool) -> None:
    """Print what is in a PEM file, or in a host's state folder; as JSON a line for each certificate.

    Raises:
        ConfigurationError: It cannot be read, or has no certificate.
    """
    file = path / HOST_FILE if path.is_dir() else path
    pem = _read(file)
    try:
        found = x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise ConfigurationError(f"{file} has no certificate in PEM form") from None
    # A key belongs to the first one; those behind it vouch for that.
    keys = [_key_of(found[0], file, pem), *("" for _ in found[1:])]
    described = [{**_described(one), "key": key} for one, key in zip(found, keys, strict=True)]
    if as_json:
        for facts in described:
            typer.echo(json.dumps(facts))
        return
    console().print("\n\n".join(_in_lines(facts) for facts in described), soft_wrap=True)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from None
    if len(data) > MAX_FILE_BYTES:
        raise ConfigurationError(f"{path} has more than {MAX_FILE_BYTES} bytes: is it a file of certificates?")
    return data


def _described(certificate: x509.Certificate) -> dict[str, Any]:
    """What a certificate says, as text that may be anything; what cannot be read is said to be so."""
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    now = datetime.now(UTC)
    names = _told(lambda: _names(certificate), [])
    return {
        "fingerprint": fingerprint(_der(certificate)),
        "subject": _told(lambda: certificate.subject.rfc4514_string(), _UNREADABLE),
        "issuer": _told(lambda: certificate.issuer.rfc4514_string(), _UNREADABLE),
        "names": names[:MOST_NAMES],
        "further_names": max(0, len(names) - MOST_NAMES),
        "for": _told(lambda: _uses(certificate), [_UNREADABLE]),
        "valid_from": begin.isoformat(),
        "valid_until": end.isoformat(),
        "valid": "not yet" if now < begin else "expired" if now > end else "yes",
    }


_UNREADABLE: Final = "(cannot be read)"


def _told(tell: Callable[[], Any], otherwise: Any) -> Any:
    try:
        return tell()
    except Exception:  # cryptography raises several kinds for what is not as it should be, late, where it is read
        return otherwise


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [str(getattr(name, "value", name)) for name in names]


def _uses(certificate: x509.Certificate) -> list[str]:
    extensions = certificate.extensions
    uses: list[str] = []
    try:
        if extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            return ["authority"]
    except x509.ExtensionNotFound:
        pass
    try:
        for use in extensions.get_extension_for_class(x509.ExtendedKeyUsage).value:
            uses.append(_USES.get(use, use.dotted_string))
    except x509.ExtensionNotFound:
        return ["host", "client"]  # nothing narrows it down
    return uses


_USES: Final = {
    ExtendedKeyUsageOID.SERVER_AUTH: "host",
    ExtendedKeyUsageOID.CLIENT_AUTH: "client",
}


def _key_of(certificate: x509.Certificate, path: Path, pem: bytes) -> str:
    """Where its private key is, and what is wrong with that; empty: not in the file, nor beside it."""
    beside = key_beside(path)
    file = path if b"PRIVATE KEY-----" in pem else beside
    if file is beside and not (beside != path and beside.is_file()):
        return ""
    try:
        key = serialization.load_pem_private_key(read_private(file), None)
    except ConfigurationError as error:
        return str(error)
    except OSError as error:
        return f"{file} ({error.strerror})"
    except Exception:
        return f"{file} (cannot be read as an unencrypted private key)"
    belongs = key.public_key() == certificate.public_key()
    return str(file) if belongs else f"{file} (it belongs to another certificate)"


def _in_lines(facts: dict[str, Any]) -> str:
    """A line for each fact, as long as it may be: a fingerprint is copied."""
    more = facts["further_names"]
    names = ", ".join(plain(name, 300) for name in facts["names"]) + (f", and {more} more" if more else "")
    validity = f"{facts['valid_from'][:10]} until {facts['valid_until'][:10]}"
    if facts["valid"] != "yes":
        validity += f" ({facts['valid']}{' valid' if facts['valid'] == 'not yet' else ''})"
    rows = {
        "subject": plain(facts["subject"]),
        "issuer": plain(facts["issuer"]),
        "names": names or "none",
        "for": plain(", ".join(facts["for"])),
        "valid": validity,
        "fingerprint": facts["fingerprint"],
        "key": plain(facts["key"]) or "none here",
    }
    return "\n".join(f"{name:<11}  {value}" for name, value in rows.items())
