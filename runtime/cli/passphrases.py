"""Where passphrases come from: a file, the environment, a prompt. Never an argument: every user of a machine can read
the arguments of every process."""

import os
import stat
import sys
from getpass import getpass
from pathlib import Path
from typing import Final

from ...errors import ConfigurationError
from .screen import warn

__all__ = ["VARIABLE", "for_client", "for_host"]

VARIABLE: Final = "EMPORION_PASSPHRASE"
MAX_FILE_BYTES: Final = 1024 * 1024  # more is not a file of passphrases


def for_host(
    passphrase_file: Path | None, logins_file: Path | None, *, optional: bool
) -> list[str] | dict[str, str] | None:
    """A host's passphrases: a list, or {login: passphrase}; None where none are needed and none were given.

    Raises:
        ConfigurationError: None to be had, or a file that cannot be right.
    """
    if passphrase_file is not None and logins_file is not None:
        raise ConfigurationError("give --passphrase-file or --logins-file, not both")
    if logins_file is not None:
        return _logins(logins_file)
    if passphrase_file is not None:
        return _lines(passphrase_file)
    given = _from_environment()
    if given is not None:
        return [given]
    if optional:
        return None
    typed = _prompted("Passphrase that opens this host: ", "a host needs a passphrase")
    if getpass("Once more: ") != typed:
        raise ConfigurationError("the two are not the same: start again")
    return [typed]


def for_client(passphrase_file: Path | None, *, optional: bool) -> str | None:
    """The passphrase to connect with; None where none is needed and none was given.

    Raises:
        ConfigurationError: None to be had, or a file that cannot be right.
    """
    if passphrase_file is not None:
        lines = _lines(passphrase_file)
        if len(lines) > 1:
            raise ConfigurationError(f"{passphrase_file} has {len(lines)} passphrases: a client has one")
        return lines[0]
    given = _from_environment()
    if given is not None or optional:
        return given
    return _prompted("Passphrase: ", "this host wants a passphrase")


def _from_environment() -> str | None:
    return os.environ.pop(VARIABLE, "") or None  # taken out, so that no child process inherits it


def _prompted(prompt: str, why: str) -> str:
    if not sys.stdin.isatty():
        raise ConfigurationError(f"{why}: give --passphrase-file FILE, set {VARIABLE}, or say --anonymous")
    typed = getpass(prompt)
    if not typed:
        raise ConfigurationError("an empty passphrase opens nothing: type one, or say --anonymous")
    return typed


def _lines(path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8") as file:
            others = stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077
            text = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path} is no UTF-8 text") from None
    if others:
        warn(f"{path} is open to other users of this machine: chmod 600 it")
    lines = [line for line in text.split("\n") if line]
    if not lines or len(text) > MAX_FILE_BYTES:
        raise ConfigurationError(f"{path} should have a passphrase on each line")
    return lines


def _logins(path: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, line in enumerate(_lines(path), 1):
        login, colon, passphrase = line.partition(":")
        if not colon or not login or not passphrase:
            raise ConfigurationError(f"{path}, entry {number}: write NAME:PASSPHRASE")  # the line itself is a secret
        if login in found:
            raise ConfigurationError(f"{path} has the login {login!r} twice")
        found[login] = passphrase
    return found
