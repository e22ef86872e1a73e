"""`emporion check --module`: what agents would reach, were a module allowed. Imported in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import typer

from ...errors import ConfigurationError
from ..options import Isolation
from .screen import plain

__all__ = ["show"]

PATIENCE_S: Final = 120.0  # libraries that calculate take seconds to import and to walk
MOST_SHOWN: Final = 40  # findings of one kind; --json has them all

_HEADS: Final = {
    "module": "modules, with all that is in them",
    "interpreter": "the interpreter's inside",
    "class maker": "what makes classes that no policy has read",
    "shared": "what one agent alters and others see",
    "outside": "what leads out of the process, as far as its Python code shows",
}


def show(name: str, *, as_json: bool) -> None:
    """Print what is reached and which of it is dangerous.

    Raises:
        ConfigurationError: It cannot be imported; the text has the last line of what it said.
        typer.Exit: 1 when something dangerous is reached.
    """
    Isolation(modules=[name])  # is this a module's name?
    found = _found(name)
    if as_json:
        typer.echo(json.dumps(found, indent=1))
    else:
        _tell(found)
    if found["dangers"]:
        raise typer.Exit(1)


def _found(name: str) -> dict[str, Any]:
    # -P: not whatever is called emporion in the current folder; the module itself may well lie there.
    folders = [str(Path.cwd()), *(str(Path(entry).absolute()) for entry in sys.path)]
    command = [sys.executable, "-P", "-m", "emporion.runtime.sandbox.language.reach", name, *folders]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE_S, check=False)
    except subprocess.TimeoutExpired:
        raise ConfigurationError(f"importing {name} and looking at it took more than {PATIENCE_S:g} s") from None
    if done.returncode:
        words = done.stderr.decode(errors="replace").strip().splitlines()
        why = words[-1].removeprefix("emporion.errors.SandboxUnavailable: ") if words else ""
        raise ConfigurationError(why or f"importing {name} ended its process ({done.returncode})")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _tell(found: dict[str, Any]) -> None:
    name = found["module"]
    if found["given"]:
        typer.echo(f"{name}: all agents may import it already, as a facade of vetted names")
        return
    names = found["names"]
    reached = f"{found['reached']}" if found["all"] else f"more than {found['reached']}"
    typer.echo(f"{name}: {len(names)} public names, {reached} objects beyond what all agents reach")
    for kind, head in _HEADS.items():
        dangers = [one for one in found["dangers"] if one["kind"] == kind]
        if not dangers:
            continue
        typer.echo(f"{head}:")
        for one in dangers[:MOST_SHOWN]:
            typer.echo(f"  {plain(one['path'])}: {plain(one['what'])}")
        if len(dangers) > MOST_SHOWN:
            typer.echo(f"  and {len(dangers) - MOST_SHOWN} more: --json shows them")
    if not found["dangers"]:
        typer.echo("nothing dangerous is seen; what its C code does, nobody has looked at")
