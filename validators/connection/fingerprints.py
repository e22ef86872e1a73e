"""Fingerprints: the names of certificates, as URIs carry them, and lists and files of them."""

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Protocol

from ...errors import ConfigurationError
from ..watched import WatchedFile

__all__ = ["FingerprintFile", "Fingerprints", "fingerprint", "is_fingerprint", "parse_fingerprints", "source_of"]

MAX_FILE_BYTES: Final = 1024 * 1024  # ten thousand fingerprints with long names; more is some other file
_FINGERPRINT: Final = re.compile(r"sha256:[0-9a-f]{64}")


class Fingerprints(Protocol):
    """Where fingerprints come from."""

    def current(self) -> frozenset[str]:
        """Those that hold now; ConfigurationError where that cannot be told."""
        ...


def fingerprint(der: bytes) -> str:
    """The name of a certificate: ``sha256:`` and the 64 hex digits of its DER bytes' SHA-256."""
    return f"sha256:{hashlib.sha256(der).hexdigest()}"


def is_fingerprint(text: object) -> bool:
    """Whether `text` is one: lower-case digits only, so that there is one spelling."""
    return isinstance(text, str) and _FINGERPRINT.fullmatch(text) is not None


def parse_fingerprints(text: str, where: str) -> frozenset[str]:
    """Read lines ``sha256:... name``, ``# comment`` and empty ones.

    Raises:
        ConfigurationError: A line is something else; the text has `where` and the line's number.
    """
    found: set[str] = set()
    for number, line in enumerate(text.split("\n"), 1):
        words = line.partition("#")[0].split()
        if words and not is_fingerprint(words[0]):
            raise ConfigurationError(
                f"{where}, line {number}: {words[0]!a:.100} is no fingerprint: write 'sha256:' and 64 lower-case hex "
                "digits, as `emporion certificate show` prints them"
            )
        found.update(words[:1])
    return frozenset(found)


class FingerprintFile:
    """A file of fingerprints that is read again when it has changed: a line that goes in or out holds from then on."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._file: WatchedFile[frozenset[str]] = WatchedFile(
            path, self._parsed, what="file of fingerprints", max_bytes=MAX_FILE_BYTES, private=False
        )

    def __repr__(self) -> str:
        return repr(str(self.path))

    def current(self) -> frozenset[str]:
        """The fingerprints in the file now.

        Raises:
            ConfigurationError: It cannot be read, or has a line that is none.
        """
        return self._file.current()

    def _parsed(self, data: bytes) -> frozenset[str]:
        try:
            return parse_fingerprints(data.decode(), str(self.path))
        except UnicodeDecodeError:
            raise ConfigurationError(f"{self.path} is no UTF-8 text") from None


class _Listed:
    def __init__(self, marks: Iterable[str]) -> None:
        self._marks = frozenset(marks)

    def __repr__(self) -> str:
        return repr(sorted(self._marks))

    def current(self) -> frozenset[str]:
        return self._marks


def source_of(option: str, given: Iterable[str] | str | os.PathLike[str]) -> Fingerprints | None:
    """What an option was given: fingerprints, or a file of them; None: nothing, an empty list.

    Raises:
        ConfigurationError: It is neither, or the file is not good.
    """
    if isinstance(given, str) and given.startswith("sha256:"):
        raise ConfigurationError(f"{option}: a list of fingerprints, or the name of a file of them, not one text")
    if isinstance(given, str | os.PathLike):
        file = FingerprintFile(given)
        file.current()
        return file
    marks = list(given)
    if not all(map(is_fingerprint, marks)):
        raise ConfigurationError(f"{option}: a list of 'sha256:' and 64 lower-case hex digits, or a file's name")
    return _Listed(marks) if marks else None
