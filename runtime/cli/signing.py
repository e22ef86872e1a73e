"""`emporion key` and `emporion sign`: an author's keys, and signatures beside the source."""

import sys
from pathlib import Path

import typer
from rich.text import Text

from ...agents.closure import closure_of
from ...agents.signing import generate_key, load_key, public_text, save_key, sign_beside
from ...errors import ConfigurationError
from .loading import Place, load
from .screen import console, plain

__all__ = ["make_key", "show_key", "sign"]


def make_key(path: Path) -> None:
    """Write a new private key, and print its public half.

    Raises:
        ConfigurationError: The file exists, or cannot be written.
    """
    key = generate_key()
    save_key(path, key)
    typer.echo(public_text(key))


def show_key(path: Path) -> None:
    """Print the public half of a private key.

    Raises:
        ConfigurationError: It cannot be read, is no key, or others can read it.
    """
    typer.echo(public_text(load_key(path)))


def sign(place: Place, key_file: Path) -> None:
    """Sign the closure of a class, keep the signature beside its module's file, and show what was signed.

    The class's own program text is run to find it, as sending it would do.

    Raises:
        ConfigurationError: The class cannot travel, the key cannot be used, or the file cannot be written.
    """
    key = load_key(key_file)
    cls = load(place)
    if not isinstance(cls, type):
        raise ConfigurationError(f"{place[1]!r} in {place[0]} is no class: an agent's class is what is signed")
    closure = closure_of(cls)
    spec = getattr(sys.modules[closure.module], "__spec__", None)
    if spec is None or not spec.has_location or spec.origin is None:
        raise ConfigurationError(f"module {closure.module!r} lies in no file, beside which a signature could be")
    path = sign_beside(spec.origin, closure.manifest, key)
    screen = console()
    width = max(map(len, closure.manifest))
    for name, digest in closure.manifest.items():
        screen.print(Text(f"{plain(name):<{width}}  {digest}"), soft_wrap=True)
    screen.print(Text(f"signed by {public_text(key)}"), soft_wrap=True)
    screen.print(Text(f"in {plain(str(path))}"), soft_wrap=True)
