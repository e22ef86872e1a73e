"""Where passphrases come from: a file, the environment, a prompt. Never an argument: every user of a machine can read
the arguments of every process."""

import os
import stat
import sys
from getpass import getpass
from pathlib import Path
from typing import Final

import typer

from ...errors import ConfigurationError
from ...validators.connection.passphrases import GivenPassphrases
from .screen import warn

__all__ = ["VARIABLE", "for_client", "for_host", "typed_or_piped"]

VARIABLE: Final = "EMPORION_PASSPHRASE"
MAX_FILE_BYTES: Final = 1024 * 1024  # more is not a file of passphrases
MAX_LINE_BYTES: Final = 8 * 1024  # of stdin: twice what the longest passphrase can have


def for_host(
    passphrase_file: Path | None, logins_file: Path | None, verifiers: Path | None, *, optional: bool
) -> GivenPassphrases:
    """A host's passphrases, as `Host` takes them; None where none are needed and none were given.

    Raises:
        ConfigurationError: None to be had, or a file that cannot be right.
    """
    if sum(file is not None for file in (passphrase_file, logins_file, verifiers)) > 1:
        raise ConfigurationError("give one of --verifiers, --passphrase-file and --logins-file")
    if verifiers is not None:
        return verifiers
    if logins_file is not None:
        return _logins(logins_file)
    if passphrase_file is not None:
        return _lines(passphrase_file)
    given = _from_environment()
    if given is not None:
        return [given]
    if optional:
        return None
    return [_twice(_prompted("Passphrase that opens this host: ", _needed("a host needs a passphrase")))]


def for_client(passphrase_file: Path | None, *, anonymous: bool, optional: bool) -> str | None:
    """The passphrase to connect with; None where none is needed and none was given, or `anonymous` says so.

    Raises:
        ConfigurationError: None to be had, a file that cannot be right, or one beside `anonymous`.
    """
    given = _from_environment()
    if anonymous:
        if passphrase_file is not None:
            raise ConfigurationError("give --passphrase-file or --anonymous, not both")
        return None
    if passphrase_file is not None:
        lines = _lines(passphrase_file)
        if len(lines) > 1:
            raise ConfigurationError(f"{passphrase_file} has {len(lines)} passphrases: a client has one")
        return lines[0]
    if given is not None or optional:
        return given
    return _prompted("Passphrase: ", _needed("a client needs a passphrase"))


def typed_or_piped(prompt: str, *, twice: bool = False) -> str:
    """One passphrase: from a prompt, or where no terminal is the one line of stdin.

    Raises:
        ConfigurationError: None, or more than a line; with `twice` also where the second time differs.
    """
    if sys.stdin.isatty():
        typed = _prompted(prompt, "")
        return _twice(typed) if twice else typed
    data = sys.stdin.buffer.read(MAX_LINE_BYTES + 1)
    line, _, more = data.partition(b"\n")
    if not line or more or len(data) > MAX_LINE_BYTES:
        raise ConfigurationError("stdin should have one passphrase, in one line")
    try:
        return line.decode()
    except UnicodeDecodeError:
        raise ConfigurationError("the passphrase from stdin is no UTF-8 text") from None


def _twice(typed: str) -> str:
    if _asked("Once more: ") != typed:
        raise ConfigurationError("the two are not the same: start again")
    return typed


def _needed(why: str) -> str:
    return f"{why}: give --passphrase-file FILE, set {VARIABLE}, or say --anonymous"


def _from_environment() -> str | None:
    return os.environ.pop(VARIABLE, "") or None  # taken out, so that no child process inherits it


def _prompted(prompt: str, why: str) -> str:
    """What is typed; `why` is said where no terminal is, and is empty where there has to be one."""
    if not sys.stdin.isatty():
        raise ConfigurationError(why)
    typed = _asked(prompt)
    if not typed:
        otherwise = ", or say --anonymous" if why else ""
        raise ConfigurationError(f"an empty passphrase opens nothing: type one{otherwise}")
    return typed


def _asked(prompt: str) -> str:
    try:
        return getpass(prompt)
    except EOFError:
        typer.echo(err=True)  # off the prompt's line
        return ""
    except KeyboardInterrupt:
        typer.echo(err=True)
        raise


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
