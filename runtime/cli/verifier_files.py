"""`emporion passphrase`: passphrases, and the files of verifiers that hosts check them by."""

import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Final

import typer
from rich.text import Text

from ...errors import ConfigurationError
from ...validators.connection.scram import DEFAULT_ITERATIONS
from ...validators.connection.verifier_file import VerifierFile
from ...validators.connection.verifiers import Verifiers
from .screen import console, plain, warn

__all__ = ["add", "new_passphrase", "remove", "show", "verify"]

ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"  # without i, l, o, 0 and 1: read aloud and typed without a doubt
GROUPS, LETTERS = 5, 5  # 25 of 31 characters: 123 bits


def new_passphrase() -> str:
    """A passphrase of more than 120 random bits, in groups, as in ``k7mdp-...``."""
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(LETTERS)) for _ in range(GROUPS))


def add(
    path: Path, passphrase: str | Callable[[], str], label: str | None, *, replace: bool, iterations: int | None
) -> None:
    """Add a passphrase to a file of verifiers, which is made where there is none.

    Raises:
        ConfigurationError: The label is taken, the passphrase cannot be one, or the file cannot be used.
    """
    file, given = VerifierFile(path), passphrase if isinstance(passphrase, str) else ""

    def edit(now: Verifiers) -> Verifiers:
        if iterations not in (None, now.iterations):
            raise ConfigurationError(f"{path} has {now.iterations:,} iterations: only a new file has a choice")
        return now.added(given, label, replace=replace)

    if path.exists():
        now = file.current()  # what is wrong is said before anybody types
        if not replace:
            now.check_free(label)
    if not isinstance(passphrase, str):
        given = passphrase()
    new = DEFAULT_ITERATIONS if iterations is None else iterations
    made = file.update(edit, new=lambda: Verifiers([], iterations=new))
    added = list(made)[-1]
    if sum(one.stored_key == added.stored_key for one in made) > 1:
        warn("another entry has the same passphrase: both need their label as login")


def remove(path: Path, label: str | None, passphrase: Callable[[], str]) -> None:
    """Remove the passphrase of `label`; without one, the unlabelled one that is typed.

    Raises:
        ConfigurationError: There is no such passphrase, or the file cannot be used.
    """
    file = VerifierFile(path)
    file.current()
    given = passphrase() if label is None else ""
    file.update(lambda now: now.removed(label, passphrase=given))


def show(path: Path, *, as_json: bool) -> None:
    """Print the labels, the number of passphrases without one, and the cost; no keys.

    Raises:
        ConfigurationError: The file cannot be used.
    """
    verifiers = VerifierFile(path).current()
    labels = sorted(one.label for one in verifiers if one.label is not None)
    unlabelled = len(verifiers) - len(labels)
    if as_json:
        typer.echo(json.dumps({"labels": labels, "unlabelled": unlabelled, "iterations": verifiers.iterations}))
        return
    screen = console()
    for label in labels:
        screen.print(Text(plain(label)), soft_wrap=True)
    screen.print(Text(f"{unlabelled} without a label; {verifiers.iterations:,} iterations", "dim"), soft_wrap=True)


def verify(path: Path, passphrase: Callable[[], str], label: str | None) -> None:
    """Print what a passphrase opens.

    Raises:
        ConfigurationError: Nothing, or the file cannot be used.
    """
    verifiers = VerifierFile(path).current()
    found, why = verifiers.check(passphrase(), label)
    if found is None:
        raise ConfigurationError(f"it opens nothing in {path}: {why}")
    typer.echo("opens, without an identity" if found.label is None else f"opens as {plain(found.label)}")
