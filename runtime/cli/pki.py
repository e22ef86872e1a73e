"""Certificates on the command line: files into options for TLS."""

from pathlib import Path

from ..connection.certificates import key_beside
from ..connection.tls import TLS

__all__ = ["for_tls"]


def for_tls(certificate: Path | None, key: Path | None, ca: Path | None, *, clients: bool = False) -> TLS | None:
    """What the options ask for; None: nothing beyond the default.

    Args:
        key: None: beside the certificate, as `emporion certificate make` puts it; else in the same file.
        ca: Who signs the other end's; with `clients` these have to show theirs.

    Raises:
        ConfigurationError: Options that contradict each other.
    """
    if certificate is None and key is None and ca is None:
        return None
    if certificate is not None and key is None and key_beside(certificate).is_file():
        key = key_beside(certificate)
    return TLS(certificate=certificate, key=key, ca=ca, require_client_certificate=clients and ca is not None)
