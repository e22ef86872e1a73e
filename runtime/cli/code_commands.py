"""The commands of `emporion code`; what they do stands in `code_at_rest`."""

from pathlib import Path

import typer

from . import arguments as given
from .screen import one_line_errors

__all__ = ["code"]

code = typer.Typer(
    no_args_is_help=True,
    help="See, pin and yank the code that a host keeps in its state folder, also while it runs.",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@code.command("list")
def list_(state_dir: given.CodeFolder, json: given.AsJson = False, debug: given.Debug = False) -> None:
    """List what is kept: digest, size, names, senders, last use, what was decided."""
    from .code_at_rest import list_code

    with one_line_errors(debug):
        list_code(state_dir, as_json=json)


@code.command()
def show(
    digest: given.Digest, state_dir: given.CodeFolder, raw: given.Raw = False, debug: given.Debug = False
) -> None:
    """Print a module's source; on a terminal made harmless, in a pipe as it is."""
    from .code_at_rest import parse_digest
    from .code_at_rest import show as show_code

    wanted = parse_digest(digest)
    with one_line_errors(debug):
        show_code(state_dir, wanted, raw=raw)


@code.command()
def diff(old: given.Digest, new: given.Digest, state_dir: given.CodeFolder, debug: given.Debug = False) -> None:
    """Print how two modules' sources differ."""
    from .code_at_rest import diff as diff_code
    from .code_at_rest import parse_digest

    sides = parse_digest(old), parse_digest(new)
    with one_line_errors(debug):
        diff_code(state_dir, *sides)


@code.command()
def pin(digests: given.Digests, state_dir: given.CodeFolder, debug: given.Debug = False) -> None:
    """Keep modules when the store runs full."""
    _decide("pin", digests, state_dir, debug)


@code.command()
def unpin(digests: given.Digests, state_dir: given.CodeFolder, debug: given.Debug = False) -> None:
    """Let modules go when their turn comes."""
    _decide("unpin", digests, state_dir, debug)


@code.command()
def yank(digests: given.Digests, state_dir: given.CodeFolder, why: given.Why, debug: given.Debug = False) -> None:
    """Refuse modules from now on, whatever validators say, and end the visits that hold them.

    A module that has never come can be yanked by all 64 digits.
    """
    _decide("yank", digests, state_dir, debug, why)


@code.command()
def unyank(digests: given.Digests, state_dir: given.CodeFolder, debug: given.Debug = False) -> None:
    """Leave modules to the validators again."""
    _decide("unyank", digests, state_dir, debug)


def _decide(what: str, digests: list[str], state_dir: Path, debug: bool, why: str = "") -> None:
    from .code_at_rest import decide, parse_digest

    chosen = [parse_digest(digest) for digest in digests]
    with one_line_errors(debug):
        decide(state_dir, what, chosen, why)
