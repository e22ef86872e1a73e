"""Small files that decide about people, and may change while a host runs: bounded, and read again when they have."""

import os
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Generic, TypeVar

from ..errors import ConfigurationError

__all__ = ["WatchedFile"]

T = TypeVar("T")

# A file system's clock moves in steps (4 ms on Linux, 10 at the most): a file that was written this lately could change
# once more and look the same. What was read of it is not relied on.
SETTLED_NS: Final = 20_000_000

_Stamp = tuple[int, ...]


class WatchedFile(Generic[T]):
    """What stands in a file now. Thread-safe."""

    def __init__(
        self, path: str | os.PathLike[str], read: Callable[[bytes], T], *, what: str, max_bytes: int, private: bool
    ) -> None:
        """Nothing is read yet.

        Args:
            read: Makes sense of the content; raises `ConfigurationError`.
            what: Such as "key file", for errors.
            private: Refuse it unless it is this user's, or root's, and closed to everybody else; a symbolic link has to
                be one of theirs too.

        Raises:
            ConfigurationError: `path` has a NUL in it.
        """
        if "\0" in os.fspath(path):
            raise ConfigurationError(f"{os.fspath(path)!r:.200} is no path: it has a NUL in it")
        self.path = Path(path)
        self._read = read
        self._what = what
        self._max_bytes = max_bytes
        self._private = private
        self._lock = threading.Lock()
        self._kept: tuple[_Stamp, T | ConfigurationError] | None = None

    def current(self) -> T:
        """The content as it stands in the file now; a look at its times costs about 2 us.

        Raises:
            ConfigurationError: It cannot be read, may not be used, or makes no sense. What stood there before counts no
                longer: a file that was damaged while somebody was being shut out must not let them in.
        """
        with self._lock:
            try:
                now = _stamp(self.path.stat())
                if self._kept is None or self._kept[0] != now:
                    stamp, found = self._load()
                    if time.time_ns() - stamp[1] > SETTLED_NS:
                        self._kept = stamp, found
                else:
                    found = self._kept[1]
            except OSError as error:
                raise ConfigurationError(f"cannot read the {self._what} {self.path}: {error.strerror}") from None
        if isinstance(found, ConfigurationError):
            # A new one: that of the first reader has collected a traceback, with all that hangs on it.
            raise ConfigurationError(str(found))
        return found

    def _load(self) -> tuple[_Stamp, T | ConfigurationError]:
        if self._private and (link := self.path.lstat()) and stat.S_ISLNK(link.st_mode):
            self._check_owner(link.st_uid, "a link of somebody else's")
        # Without O_NONBLOCK a named pipe would hold up whoever looks.
        descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            # The stamp is from before the reading: a change meanwhile is seen the next time.
            try:
                return _stamp(found), self._read(self._content(found, file.read))
            except ConfigurationError as error:
                return _stamp(found), ConfigurationError(str(error))

    def _content(self, found: os.stat_result, read: Callable[[int], bytes]) -> bytes:
        if not stat.S_ISREG(found.st_mode):
            raise ConfigurationError(f"{self.path} is no ordinary file")
        if self._private:
            self._check_owner(found.st_uid, "not yours")
            if found.st_mode & 0o077:
                mode = stat.S_IMODE(found.st_mode)
                raise ConfigurationError(f"others can read or write {self.path} (mode {mode:o}): chmod 600 it")
        data = read(self._max_bytes + 1)
        if len(data) > self._max_bytes:
            text = f"{self.path} has more than {self._max_bytes} bytes: is it a {self._what}?"
            raise ConfigurationError(text)
        return data

    def _check_owner(self, owner: int, whose: str) -> None:
        if owner not in (os.geteuid(), 0):
            text = f"{self.path} is {whose} but user {owner}'s, and you are user {os.geteuid()}"
            raise ConfigurationError(f"{text}: act as that user, or chown it")


def _stamp(found: os.stat_result) -> _Stamp:
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino, found.st_dev
