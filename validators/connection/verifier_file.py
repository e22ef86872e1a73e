"""Verifiers in a file, which may change while a host runs."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import msgspec

from ...errors import ConfigurationError
from ..private_file import write_private
from ..watched import WatchedFile
from .scram import DIGEST_BYTES, MAX_ITERATIONS, MIN_ITERATIONS
from .verifiers import MAX_PASSPHRASES, Verifier, Verifiers

__all__ = ["VerifierFile"]

VERSION: Final = 1
MAX_FILE_BYTES: Final = 8 * 1024 * 1024  # MAX_PASSPHRASES with labels as long as they may be

_Key = Annotated[bytes, msgspec.Meta(min_length=DIGEST_BYTES, max_length=DIGEST_BYTES)]  # base64 in JSON
_Version = Annotated[int, msgspec.Meta(ge=1, le=1_000)]


class _Entry(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    label: str | None
    stored_key: _Key
    server_key: _Key


class _Content(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    version: _Version
    iterations: Annotated[int, msgspec.Meta(ge=MIN_ITERATIONS, le=MAX_ITERATIONS)]
    salt: bytes
    entries: Annotated[list[_Entry], msgspec.Meta(max_length=MAX_PASSPHRASES)]


class _Head(msgspec.Struct, frozen=True):
    version: _Version


class VerifierFile:
    """A file of salted verifiers: what `emporion passphrase` writes, and a host reads. Thread-safe.

    JSON: ``version`` (1), ``iterations``, ``salt`` (base64), and ``entries`` of ``label`` (text or null),
    ``stored_key`` and ``server_key`` (32 bytes in base64 each; RFC 5802). It is read again whenever it has changed, so
    that a passphrase which is added or removed counts at once. Only its owner, or root, may have access.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Nothing is read yet, and the file need not exist."""
        self.path = Path(path)
        self._file = WatchedFile(path, self._read, what="verifier file", max_bytes=MAX_FILE_BYTES, private=True)

    def current(self) -> Verifiers:
        """The verifiers as they stand in the file now; see `WatchedFile.current`.

        Raises:
            ConfigurationError: It is missing, damaged, not ours, or open to others. Nobody gets in then.
        """
        if not os.path.lexists(self.path):
            text = f"there is no verifier file {self.path}: `emporion passphrase add` makes it"
            raise ConfigurationError(text)
        return self._file.current()

    def update(
        self, edit: Callable[[Verifiers], Verifiers], *, new: Callable[[], Verifiers] | None = None
    ) -> Verifiers:
        """Put what `edit` makes of the present verifiers in their place, and give it; no other update comes between.

        Whoever reads meanwhile sees the file as it was or as it will be. A symbolic link stays one.

        Args:
            edit: What it raises comes out, and leaves the file alone.
            new: What to begin with where there is no file yet; `edit` may then be asked twice. None: that is an error.

        Raises:
            ConfigurationError: As for `current`; it cannot be written.
        """
        place = Path(os.path.realpath(self.path))
        while True:
            if new is not None and not os.path.lexists(self.path):
                made = edit(new())
                if _write(place, made, over=False):
                    return made
            self.current()  # says what is wrong with it, before it is opened for writing
            with _locked(place) as ours:
                if ours:
                    made = edit(self.current())
                    _write(place, made, over=True)
                    return made

    def _read(self, data: bytes) -> Verifiers:
        try:
            version = msgspec.json.decode(data, type=_Head).version
            if version != VERSION:
                raise ConfigurationError(f"{self.path} has version {version}, this emporion knows {VERSION}: update it")
            content = msgspec.json.decode(data, type=_Content)
            found = [Verifier(entry.label, entry.stored_key, entry.server_key) for entry in content.entries]
            return Verifiers.of(found, iterations=content.iterations, salt=content.salt)
        except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
            raise ConfigurationError(f"{self.path} is no verifier file, or is damaged: {error}") from None
        except ConfigurationError as error:
            text = str(error)
            raise ConfigurationError(text if str(self.path) in text else f"{self.path}: {text}") from None

    def __repr__(self) -> str:
        return f"VerifierFile({str(self.path)!r})"


@contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Keep the file locked; gives False where it is not the one of that name any more: look again.

    The lock is the file's own: none is left lying beside it, and nobody can hold it who cannot read the file.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        yield False
        return
    except OSError as error:
        raise ConfigurationError(f"cannot change {path}: {error.strerror}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield _is(path, descriptor)
    finally:
        os.close(descriptor)


def _is(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _write(path: Path, verifiers: Verifiers, *, over: bool) -> bool:
    try:
        return write_private(path, _json(verifiers), over=over)
    except OSError as error:
        raise ConfigurationError(f"cannot write {path}: {error.strerror}") from None


def _json(verifiers: Verifiers) -> bytes:
    entries = [_Entry(one.label, one.stored_key, one.server_key) for one in verifiers]
    content = _Content(VERSION, verifiers.iterations, verifiers.salt, entries)
    return msgspec.json.format(msgspec.json.encode(content), indent=1) + b"\n"
