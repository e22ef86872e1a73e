"""What an upload of a module would be told, found out where it lies: for authors' own files, which are parsed here."""

import ast
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from .complaints import Complaint, Need, PolicyRefused
from .facades import FACADES
from .needs import late_needs_of, needs_of
from .policy import compile_module

__all__ = ["Checked", "check_source"]


@dataclass(frozen=True, slots=True)
class Checked:
    """All that is wrong with a module, in order of place; `notes` are imports that fail only when a function runs."""

    complaints: tuple[Complaint, ...]
    notes: tuple[Complaint, ...]


def check_source(source: str, name: str, *, own: Collection[str] = (), modules: Iterable[str] = ()) -> Checked:
    """Check one module; nothing of it runs.

    Args:
        name: Its dotted name.
        own: Names of modules and packages that travel along.
        modules: What the host offers beyond the facades; their names are not looked at.
    """
    complaints: list[Complaint] = []
    try:
        compile_module(source, name=name)
    except PolicyRefused as refused:
        complaints += refused.complaints
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Checked(tuple(complaints), ())  # the compiler has said so
    offered = {**FACADES, **{one: None for module in modules for one in _with_packages(module) if one not in FACADES}}
    complaints += _told(needs_of(tree, offered), own)
    return Checked(_in_order(complaints), _in_order(_told(late_needs_of(tree, offered), own)))


def _with_packages(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts) + 1)]


def _told(needs: list[Need], own: Collection[str]) -> list[Complaint]:
    return [need.complaint for need in needs if need.module not in own]


def _in_order(complaints: list[Complaint]) -> tuple[Complaint, ...]:
    return tuple(sorted(set(complaints), key=lambda one: (one.line, one.column, one.construct)))
