"""Walks everything that agents can reach from a module by names they may spell, and says what of it is dangerous.

The walk is also what the tests hold the facades to. As a program (``python -m ...reach MODULE FOLDER...``) it imports
a module, which runs it, and writes what it found as JSON: `emporion check --module` starts that, in a process of its
own.
"""

import enum
import json
import os
import sys
import types
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

from . import watched
from .builtin_table import agent_builtins
from .extras import allow
from .facade import Facade
from .facades import FACADES, made_by_the_library
from .guards import TYPE, may_private, type_of
from .insides import outside as road_outside
from .names import Kind, kind_of
from .ownership import may_store
from .watched import read

__all__ = ["FORBIDDEN", "MUTABLE", "Finding", "agents_roots", "dangers", "reached"]

FORBIDDEN: Final = (types.ModuleType, types.FrameType, types.CodeType, types.TracebackType, types.CellType)
MUTABLE: Final = (list, dict, set, bytearray, deque)
_WRAPPERS: Final = (
    types.BuiltinMethodType,
    types.MethodWrapperType,
    types.WrapperDescriptorType,
    types.MethodDescriptorType,
    types.ClassMethodDescriptorType,
    types.GetSetDescriptorType,
)
_LEAVES: Final = (str, bytes, int, float, complex, bool, type(None))
MAX_SEEN: Final = 30_000  # objects; the facades have about 4,000
_MAX_STEPS: Final = 9

Found = dict[int, tuple[str, Any]]


class _Joined:
    """Catches what a read-only view hands to an object that is joined to it."""

    def __ror__(self, other: Any) -> Any:
        return other


def _behind(view: Any) -> Any:
    return view | _Joined()


def _neighbours(value: Any) -> Iterator[tuple[str, Any]]:
    """What an agent can get from `value` without calling it: spellable attributes, its type, its items."""
    for name in sorted(set(object.__dir__(value)) | (set(type.__dir__(value)) if isinstance(value, type) else set())):
        kind = kind_of(name)
        if kind is Kind.DENIED or (kind is Kind.PRIVATE and not may_private(value, name)):
            continue
        try:
            found = read(value, name)
            # A container that is made anew at each look is the agent's own.
            again = read(value, name)
            if isinstance(found, types.MappingProxyType) and _behind(found) is not _behind(again):
                continue
            if not isinstance(found, MUTABLE) or again is found:
                yield f".{name}", found
        except Exception:  # a property of somebody's may raise what it likes: an agent gets nothing from it then
            continue
    yield ".type()", type_of(value)
    if isinstance(value, (list, tuple, set, frozenset)):
        for index, item in enumerate(value):
            yield f"[{index}]", item
    elif isinstance(value, types.MappingProxyType):
        yield ".behind the view", _behind(value)
    elif isinstance(value, dict):
        for key, item in list(value.items()):
            yield f"[{key!r:.40}]", item


def agents_roots() -> list[tuple[str, Any]]:
    """What every agent starts from: the facades and the builtins, each with the words that lead to it."""
    table = agent_builtins(lambda text: None, lambda *arguments: None)
    roots: list[tuple[str, Any]] = [(f"import {name}", facade) for name, facade in FACADES.items()]
    roots += [(name, value) for name, value in table.items() if name.isidentifier() and not name.startswith("__")]
    return roots + [(type(value).__name__, type_of(value)) for value in made_by_the_library()]


def reached(roots: Iterable[tuple[str, Any]], known: Iterable[int] = ()) -> Found:
    """Everything that can be reached from `roots`, each once with a path to it, by its id; at most 30,001 objects.

    What `known` holds, the ids of objects that live, is not looked at again; nor are modules looked into.
    """
    todo, passed = list(roots), set(known)
    seen: Found = {}
    while todo and len(seen) <= MAX_SEEN:
        path, value = todo.pop()
        # Slots, and the guards' own wrappers, are made anew at each look and lead to nothing but more of their kind.
        if id(value) in seen or id(value) in passed or isinstance(value, (*_LEAVES, *_WRAPPERS)):
            if isinstance(value, types.BuiltinFunctionType) and isinstance(value.__self__, types.ModuleType):
                seen[id(value)] = path, value  # a function of C, no method
            continue
        if isinstance(value, types.FunctionType) and value.__module__ == watched.__name__:
            continue
        seen[id(value)] = path, value
        if path.count(".") + path.count("[") <= _MAX_STEPS and not isinstance(value, types.ModuleType):
            todo += [(f"{path}{step}", other) for step, other in _neighbours(value)]
    return seen


@dataclass(frozen=True, slots=True)
class Finding:
    """Something dangerous: how an agent gets to it, of what kind it is, and what it is."""

    path: str
    kind: str  # "module", "interpreter", "class maker", "shared", "outside"
    what: str


def dangers(found: Found) -> list[Finding]:
    """What an agent should not reach, of all that it does; by path. Of a class that leads outside, not each method."""
    findings = [finding for path, value in found.values() if (finding := _danger(path, value)) is not None]
    outside = {one.path for one in findings if one.kind == "outside"}
    return sorted(
        (one for one in findings if one.kind != "outside" or not any(one.path.startswith(f"{up}.") for up in outside)),
        key=lambda one: (one.path, one.kind),
    )


def _danger(path: str, value: Any) -> Finding | None:
    kind = type(value)
    if isinstance(value, types.ModuleType):
        return Finding(path, "module", f"the module {value.__name__} itself, with all that it imported")
    if isinstance(value, FORBIDDEN):
        return Finding(path, "interpreter", f"a {kind.__name__} of the interpreter's")
    if isinstance(value, type) and value is not TYPE and issubclass(value, type):
        return Finding(path, "class maker", f"the metaclass {value.__name__}: calling it makes a class out of a dict")
    if kind is enum.EnumType and not value.__members__:
        return Finding(path, "class maker", "an enumeration without members: calling it makes a class out of a dict")
    if isinstance(value, MUTABLE):
        return Finding(path, "shared", f"a {kind.__name__} that all agents of a visit may alter")
    if may_store(value):
        return Finding(path, "shared", f"a {kind.__name__} whose attributes all agents of a visit may set")
    road = road_outside(value)
    return Finding(path, "outside", road) if road else None


def _report(name: str, folders: list[str]) -> dict[str, Any]:
    offered = set(FACADES)
    before = reached(agents_roots())
    allow([name], folders)
    roots = [(f"import {one}", facade) for one, facade in FACADES.items() if one not in offered]
    found = reached(roots, before)
    values = [(path, value) for path, value in found.values() if not isinstance(value, Facade)]
    return {
        "module": name,
        "given": name in offered,
        "names": [] if name in offered else list(FACADES[name].__all__),
        "reached": len(values),
        "all": len(found) <= MAX_SEEN,
        "dangers": [asdict(finding) for finding in dangers(found)],
    }


def main() -> None:
    """Report on the module and the folders of ``sys.argv``; the standard output is the report's alone."""
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    name, *folders = sys.argv[1:]
    with answer:
        json.dump(_report(name, folders), answer)


if __name__ == "__main__":
    main()
