"""The commands of `emporion passphrase`; what they do stands in `verifier_files`."""

import typer

from . import arguments as given
from .screen import one_line_errors

__all__ = ["passphrase"]

passphrase = typer.Typer(
    no_args_is_help=True,
    help="Passphrases, and the file of salted verifiers that a host checks them by, also while it runs.",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@passphrase.command()
def make(
    into: given.Into = None,
    label: given.Label = None,
    replace: given.Replace = False,
    iterations: given.Iterations = None,
    debug: given.Debug = False,
) -> None:
    """Print a new passphrase that nobody guesses. With --into it opens the file's hosts at once."""
    from .verifier_files import add, new_passphrase

    if into is None and (label is not None or replace or iterations is not None):
        raise typer.BadParameter("--label, --replace and --iterations go with --into FILE")
    with one_line_errors(debug):
        made = new_passphrase()
        if into is not None:
            add(into, made, label, replace=replace, iterations=iterations)
        typer.echo(made)


@passphrase.command()
def add(
    file: given.Verifiers,
    label: given.Label = None,
    replace: given.Replace = False,
    iterations: given.Iterations = None,
    debug: given.Debug = False,
) -> None:
    """Add a passphrase that you type, or pipe in as a line. Makes the file where there is none.

    Hosts that run with the file take it at once. What is kept cannot be turned back into the passphrase.
    """
    from .passphrases import typed_or_piped
    from .verifier_files import add

    with one_line_errors(debug):
        add(file, lambda: typed_or_piped("New passphrase: ", twice=True), label, replace=replace, iterations=iterations)


@passphrase.command("list")
def list_(file: given.Verifiers, json: given.Json = False, debug: given.Debug = False) -> None:
    """Show the labels, and how many passphrases have none."""
    from .verifier_files import show

    with one_line_errors(debug):
        show(file, as_json=json)


@passphrase.command()
def remove(
    file: given.Verifiers,
    label: given.Removed = None,
    label_too: given.RemovedToo = None,
    debug: given.Debug = False,
) -> None:
    """Take a passphrase back: that of a label, or without a label the one that you type, or pipe in.

    Hosts that run with the file refuse it at once; who is connected stays.
    """
    from .passphrases import typed_or_piped
    from .verifier_files import remove

    if label is not None and label_too is not None:
        raise typer.BadParameter("give the label once: LABEL or --label LABEL")
    label = label_too if label is None else label
    with one_line_errors(debug):
        remove(file, label, lambda: typed_or_piped("Passphrase to remove: "))


@passphrase.command()
def verify(file: given.Verifiers, label: given.Claimed = None, debug: given.Debug = False) -> None:
    """Say what a passphrase that you type, or pipe in, opens. Exit code 1: nothing."""
    from .passphrases import typed_or_piped
    from .verifier_files import verify

    with one_line_errors(debug):
        verify(file, lambda: typed_or_piped("Passphrase: "), label)
