"""`emporion doctor`: which walls stand around agents on this machine, and what would bring the others."""

import json
import logging
from typing import Any, Final

import typer
from rich.console import Console
from rich.text import Text

from ..sandbox.diagnosis import Diagnosis, examine
from ..sandbox.probe import Outcome
from .screen import console, plain

__all__ = ["report"]

REQUIRED: Final = ("seccomp", "no_new_privs", "rlimits")


def report(*, as_json: bool) -> None:
    """Print what stands, what was tried and what is missing.

    Raises:
        typer.Exit: With code 1; this machine takes no agents.
    """
    logging.getLogger("emporion").addHandler(logging.NullHandler())  # what it would say is in the report
    found = examine()
    if as_json:
        typer.echo(json.dumps(_record(found), indent=1))
    else:
        _tell(console(), found)
    if not found.agents:
        raise typer.Exit(1)


def _record(found: Diagnosis) -> dict[str, Any]:
    return {
        "agents": found.agents,
        "trouble": found.trouble,
        "python": found.python,
        "libseccomp": found.libseccomp,
        "system": found.system,
        "root": found.root,
        "walls": found.standing(),
        "attempts": {
            what: {"refused": outcome.refused, "how": _how(outcome)} for what, outcome in found.attempts.items()
        },
        "missing": list(found.notes),
    }


def _tell(screen: Console, found: Diagnosis) -> None:
    library = f"libseccomp {found.libseccomp}" if found.libseccomp else "no libseccomp"
    who = "root" if found.root else "an ordinary user"
    screen.print(Text(f"Python {found.python}, {library}, {plain(found.system)}, as {who}"))
    if found.walls is not None:
        screen.print(Text("\nwalls", "bold"))
        for wall, stands in found.standing().items():
            screen.print(_row(wall, bool(stands), stands or ("MISSING" if wall in REQUIRED else "missing")))
    if found.attempts:
        screen.print(Text("\ntried from inside", "bold"))
        for what, outcome in found.attempts.items():
            held = outcome.refused
            screen.print(_row(what, held, f"refused: {plain(_how(outcome), 60)}" if held else "NOT REFUSED"))
    if found.notes:
        screen.print(Text("\nmissing", "bold"))
        for note in found.notes:
            screen.print(Text(f"  {plain(note)}"), soft_wrap=True)
    verdict = "this machine takes agents" if found.agents else f"no agents: {plain(found.trouble)}"
    screen.print(Text(f"\n{verdict}", "green" if found.agents else "bold red"), soft_wrap=True)


def _row(name: str, good: bool, text: str) -> Text:
    return Text(f"  {name:24}").append(text, "" if good else "red")


def _how(outcome: Outcome) -> str:
    """How an attempt ended that was refused; "" for one that was not."""
    return outcome.error or (f"its process was ended ({outcome.ended})" if outcome.ended else "")
