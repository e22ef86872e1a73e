"""Publishers' public keys: as texts, and in key files that may change while a host runs."""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from ..errors import ConfigurationError
from .consignment import KEY_PREFIX
from .watched import WatchedFile

__all__ = ["Keys", "KeyFile", "parse_key", "parse_keys"]

MAX_FILE_BYTES: Final = 1024 * 1024  # ten thousand keys with long names; more is some other file
_TEXT: Final = re.compile(rf"{KEY_PREFIX}([0-9a-f]{{64}})")


@dataclass(frozen=True, slots=True)
class Keys:
    """Who is trusted: {key: name, "" without one}, and the keys that are trusted no longer; 64 digits each."""

    trusted: Mapping[str, str] = field(default_factory=dict)
    revoked: frozenset[str] = frozenset()

    def with_revoked(self, further: Iterable[str]) -> "Keys":
        return Keys(self.trusted, self.revoked | frozenset(further))


def parse_key(text: object) -> str:
    """The 64 digits of ``ed25519:<64 hexadecimal digits>``.

    Raises:
        ConfigurationError: Anything else.
    """
    found = _TEXT.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        shown = f"{text[:80]!a}" if isinstance(text, str) else type(text).__name__
        raise ConfigurationError(
            f"{shown} is no public key: write {KEY_PREFIX} and 64 lowercase hexadecimal digits, as `emporion key show` "
            "prints them"
        )
    return found[1]


def parse_keys(text: str, where: str) -> Keys:
    """Read the text of a key file: lines ``ed25519:... name``, ``revoked ed25519:...``, ``# comment`` and empty ones.

    A key that is revoked anywhere in the file is revoked, wherever else it stands.

    Raises:
        ConfigurationError: A line is something else; the text has `where` and the line's number.
    """
    trusted: dict[str, str] = {}
    revoked: set[str] = set()
    for number, line in enumerate(text.split("\n"), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            if words[0] == "revoked":
                revoked.add(parse_key(" ".join(words[1:2])))
            else:
                trusted[parse_key(words[0])] = " ".join(words[1:])
        except ConfigurationError as error:
            raise ConfigurationError(f"{where}, line {number}: {error}") from None
    return Keys(MappingProxyType(trusted), frozenset(revoked))


class KeyFile:
    """A key file that is read again when it has changed: a key can be revoked while the host runs. Thread-safe."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._file = WatchedFile(path, self._read, what="key file", max_bytes=MAX_FILE_BYTES, private=False)

    def keys(self) -> Keys:
        """The keys as they stand in the file now; see `WatchedFile.current`.

        Raises:
            ConfigurationError: It cannot be read, or has a line that is none. Nobody is trusted then: a file that was
                damaged while a key was being revoked must not leave the old keys in force.
        """
        return self._file.current()

    def _read(self, data: bytes) -> Keys:
        try:
            text = data.decode()
        except UnicodeDecodeError:
            raise ConfigurationError(f"{self.path} is no UTF-8 text") from None
        return parse_keys(text, str(self.path))
