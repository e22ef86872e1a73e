"""What reaches a person's terminal: foreign text made harmless, errors in one line."""

import io
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, Final

import typer
from rich.console import Console

from ...errors import AgentError, EmporionError

__all__ = ["WIDTH", "console", "one_line_errors", "plain", "shown", "warn"]

WIDTH: Final = 100  # columns; a wider terminal gives no longer lines
MAX_CHARS: Final = 2_000
MAX_DEPTH: Final = 4
MAX_ITEMS: Final = 20


def plain(text: str, most: int = MAX_CHARS) -> str:
    """Foreign text for a terminal: one line, bounded, nothing in it that steers a terminal or turns its direction.

    Everything that is not printable (controls, escapes, bidirectional marks, half surrogates) is shown as an escape.
    """
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text[:most])
    return shown + ("..." if len(text) > most else "")


def shown(value: object, depth: int = 0) -> str:
    """A value for people, in one line; objects whose class says nothing better by their public attributes."""
    kind = type(value)
    named = kind.__repr__ is object.__repr__ and hasattr(value, "__dict__")
    if depth >= MAX_DEPTH and (named or isinstance(value, list | tuple | set | frozenset | dict)):
        return "..."
    if isinstance(value, list | tuple | set | frozenset) and kind in (list, tuple, set, frozenset):
        inner = _listed([shown(item, depth + 1) for item in _first(value)], len(value))
        return f"[{inner}]" if kind is list else f"({inner})" if kind is tuple else f"{{{inner}}}"
    if isinstance(value, dict) and kind is dict:
        pairs = [f"{shown(key, depth + 1)}: {shown(item, depth + 1)}" for key, item in _first(value.items())]
        return f"{{{_listed(pairs, len(value))}}}"
    if named:
        pairs = [f"{name}={shown(item, depth + 1)}" for name, item in _first(public(value).items())]
        return plain(f"{kind.__name__}({', '.join(pairs)})")
    try:
        return plain(repr(value))
    except Exception as error:  # a class that came from elsewhere may do anything here
        return plain(f"<{kind.__name__} that cannot be shown: {type(error).__name__}>")


def public(value: object) -> dict[str, Any]:
    """An object's attributes that are not private."""
    return {name: item for name, item in vars(value).items() if not name.startswith("_")}


def _first(items: Iterable[Any]) -> list[Any]:
    return list(islice(items, MAX_ITEMS))


def _listed(texts: list[str], count: int) -> str:
    return ", ".join([*texts, f"... {count} in all"] if count > len(texts) else texts)


def console() -> Console:
    """A console of at most `WIDTH` columns; without colours where no terminal is."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal without our arrows gets their names
    console = Console(highlight=False, markup=False, emoji=False)
    console.width = min(WIDTH, console.width) if console.is_terminal else WIDTH
    return console


def warn(text: str) -> None:
    """Say something on stderr that the person should know."""
    typer.echo(f"warning: {plain(text)}", err=True)


@contextmanager
def one_line_errors(debug: bool) -> Iterator[None]:
    """Errors end the command with one line on stderr and exit code 1, Ctrl-C with 130; with `debug`, tracebacks."""
    try:
        yield
    except (typer.Exit, typer.Abort, typer.BadParameter, BrokenPipeError):
        raise  # typer ends with each as it should; the last is what `emporion send ... | head -1` leads to
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except Exception as error:
        if debug:
            if isinstance(error, AgentError) and error.traceback:
                typer.echo("\n".join(plain(line) for line in error.traceback.splitlines()), err=True)
            raise
        typer.echo(f"error: {_told(error)}", err=True)
        raise typer.Exit(1) from None


def _told(error: Exception) -> str:
    text = plain(str(error).split("\nTraceback of the other end:")[0])
    if isinstance(error, AgentError):
        return f"the agent raised {text} (--debug shows where)"
    if isinstance(error, EmporionError):
        return text
    return f"{type(error).__name__}: {text} (--debug shows where)"
