"""Where agents' classes, functions and enum members stand in their modules: the names by which they leave a visit.

Nothing here runs code of an agent's: namespaces are read past whatever a class says about itself.
"""

import types
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, EnumType
from typing import Any, Final

from .ownership import MARK, class_dict

__all__ = ["Place", "find", "label_of", "maker_of", "path_in"]

MOST_NAMES: Final = 100_000  # looked at for one path; a module's author can make as many as memory holds


@dataclass(frozen=True, slots=True)
class Place:
    """A closure's identity, a module in it, and a path there; None where nothing leads to it.

    `named`: the path is that of a class, a function or an enum member itself; else it is that of an instance's class.
    """

    closure: str
    module: str
    named: bool
    label: str  # what its author calls it
    path: str | None


def maker_of(obj: object) -> tuple[bool, object]:
    """Whether `obj` goes by its own name, and the mark (or name) of the module that made it, or its class."""
    kind = type(obj)
    if issubclass(kind, type):
        return True, class_dict(obj).get("__module__")
    if kind is types.FunctionType:
        return True, obj.__globals__.get(MARK, obj.__module__)  # type: ignore[attr-defined]  # a function, by `kind`
    return issubclass(kind, Enum), class_dict(kind).get("__module__")


def label_of(obj: object) -> str:
    """The qualified name of a class, a function, or an instance's class."""
    kind = type(obj)
    if kind is types.FunctionType:
        return obj.__qualname__  # type: ignore[no-any-return, attr-defined]  # a function, by `kind`
    label: str = type.__dict__["__qualname__"].__get__(obj if issubclass(kind, type) else kind)
    return label


def find(space: Mapping[str, Any], path: str) -> Any:
    """What stands under a dotted path in a module's namespace; None when nothing does."""
    first, *inner = path.split(".")
    found = space.get(first)
    for part in inner:
        if not issubclass(type(found), type):
            return None
        members = _members(found)
        found = members[part] if part in members else class_dict(found).get(part)
    return found


def path_in(space: Mapping[str, Any], obj: object) -> str | None:
    """A path in a module's namespace that leads to `obj`, or to its class where it is an instance.

    Mostly it is the qualified name; else (a class made in a function, say) the first that is found, the outermost names
    in the order in which they were bound.
    """
    kind = type(obj)
    if issubclass(kind, Enum):
        members, name = _members(kind), getattr(obj, "_name_", None)
        above = path_in(space, kind)
        return f"{above}.{name}" if above and type(name) is str and members.get(name) is obj else None
    target = obj if issubclass(kind, type) or kind is types.FunctionType else kind
    label = label_of(obj)
    if find(space, label) is target:
        return label
    return _search(space, target)


def _search(space: Mapping[str, Any], target: object) -> str | None:
    waiting: list[tuple[str, Mapping[str, Any]]] = [("", space)]
    seen: set[int] = set()
    looked_at = 0
    for prefix, names in waiting:  # grows while we walk: outer names first
        for name, value in list(names.items()):
            looked_at += 1
            if looked_at > MOST_NAMES:
                return None
            if value is target and name.isidentifier():
                return prefix + name
            if issubclass(type(value), type) and id(value) not in seen and MARK in space:
                seen.add(id(value))
                if class_dict(value).get("__module__") is space[MARK]:
                    waiting.append((f"{prefix}{name}.", class_dict(value)))
    return None


def _members(cls: Any) -> Mapping[str, Any]:
    """An enum's members by name, also those that are aliases; none for other classes."""
    found = class_dict(cls).get("_member_map_") if issubclass(type(cls), EnumType) else None
    return found if type(found) is dict else {}
