"""`emporion check`: would a host take these modules? They are read, not run."""

import ast
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer

from ...agents.folder import Lying, module_at, module_named, modules_in
from ...agents.manifest import packages_of
from ...errors import ConfigurationError
from ..options import Isolation
from ..sandbox.language.check import Checked, check_source
from ..sandbox.language.complaints import Complaint
from .screen import plain

__all__ = ["check"]


def check(targets: list[str], modules: list[str], *, as_json: bool) -> None:
    """Print what an upload of each module would be told, and of what travels with it.

    Args:
        targets: ``FILE.py``, ``FOLDER``, ``module`` or either with ``:Class``.
        modules: What the host offers beyond what all do.

    Raises:
        ConfigurationError: There is no such thing, or no such class.
        typer.Exit: 1 when something would be refused.
    """
    Isolation(modules=modules)  # are these names of modules at all?
    lying: dict[str, Lying] = {}
    for target in targets:
        for one in _lying(target):
            lying.setdefault(one.origin or one.name, one)
    found = [(one, _checked(one, modules)) for one in lying.values()]
    if as_json:
        typer.echo(json.dumps([_record(one, checked) for one, checked in found], indent=1))
    else:
        for line in _lines(found):
            typer.echo(line)
    if any(not _accepted(one, checked) for one, checked in found):
        raise typer.Exit(1)


def _lying(target: str) -> list[Lying]:
    if Path(target).is_dir():
        found = modules_in(target)
        if not found:
            raise ConfigurationError(f"{target} has no modules: give the folder that agents are imported from")
        return found
    place, colon, qualname = target.rpartition(":")
    named = colon and all(part.isidentifier() for part in qualname.split("."))
    where = place if named else target
    if where.endswith(".py") or "/" in where:
        found = module_at(where)
    else:
        if str(Path.cwd()) not in sys.path:
            sys.path.insert(0, str(Path.cwd()))  # as `emporion send` has it
        found = module_named(where)
    if named and not _has_class(found[0].source, qualname):
        raise ConfigurationError(f"{where} has no class {qualname!r}: check the name after the colon")
    return found


def _has_class(source: str, qualname: str) -> bool:
    """Whether a text defines a class; one that cannot be read may."""
    try:
        body: list[ast.stmt] = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return True
    for part in qualname.split("."):
        inner = [node for node in body if isinstance(node, ast.ClassDef) and node.name == part]
        if not inner:
            return False
        body = inner[-1].body
    return True


def _checked(one: Lying, modules: list[str]) -> Checked:
    if not one.source:
        return Checked((), ())
    return check_source(one.source, one.name, own=one.manifest.keys() | packages_of(one.manifest), modules=modules)


def _accepted(one: Lying, checked: Checked) -> bool:
    return not checked.complaints and not one.fault


def _record(one: Lying, checked: Checked) -> dict[str, Any]:
    return {
        "module": one.name,
        "file": one.origin,
        "accepted": _accepted(one, checked),
        "fault": one.fault,
        "complaints": [asdict(each) for each in checked.complaints],
        "notes": [asdict(each) for each in checked.notes],
    }


def _lines(found: list[tuple[Lying, Checked]]) -> Iterator[str]:
    """A line for each complaint, in the form that editors jump to; and what it all comes to."""
    for one, checked in found:
        where = plain(_shown(one.origin) or one.name)
        for each in checked.complaints:
            yield f"{where}:{_said(each)}"
        if one.fault and not checked.complaints:
            yield f"{where}: it cannot travel: {plain(one.fault)}"
        for each in checked.notes:
            yield f"{where}:{_said(each)} (when that function runs)"
    refused = sum(not _accepted(one, checked) for one, checked in found)
    total = f"{len(found)} module{'s' * (len(found) != 1)}"
    yield f"{total}: {refused} would be refused" if refused else f"{total}: nothing that hosts would refuse"


def _said(each: Complaint) -> str:
    advice = f"; instead: {plain(each.instead)}" if each.instead else ""
    return f"{each.line}:{each.column}: {plain(each.construct)}: {plain(each.why)}{advice}"


def _shown(origin: str) -> str:
    """A file's path, from here where it lies below."""
    try:
        return str(Path(origin).relative_to(Path.cwd())) if origin else ""
    except ValueError:
        return origin
