"""Definitions: classes and functions that travel by name, and where in its module each of them can be reached."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from types import FunctionType
from typing import TypeAlias

from ..errors import ConfigurationError
from .manifest import MAX_NAME_CHARS
from .modules import Namespace, lookup
from .programs import MAINS

__all__ = ["Definition", "NoPlace", "Place", "mixed", "made_there", "place_of"]

Definition: TypeAlias = type | FunctionType


class NoPlace(ConfigurationError):
    """A definition cannot be reached in any module; perhaps it could be earlier. Users get its base."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a definition stands: its module's name and namespace, and the path to it from there.

    `old`: another module has that name by now, and the namespace lives on in its functions only.
    """

    module: str
    path: str
    namespace: Namespace
    old: bool


def place_of(definition: object, path: str | None = None) -> Place:
    """Where a class or a plain function stands.

    Its ``__qualname__`` is the path if it leads there. Otherwise the module is searched: its public names in
    alphabetical order, its private ones, then those inside its classes, level by level. With `path`, only that one
    counts.

    Raises:
        NoPlace: it cannot be reached.
        ConfigurationError: it is no definition of a module.
    """
    if not isinstance(definition, type | FunctionType):
        raise ConfigurationError(f"{definition!r:.200} is neither a class nor a function written in Python")
    module = definition.__module__
    if type(module) is not str:
        raise ConfigurationError(f"{definition!r:.200} does not say which module it is of (__module__ is no text)")
    shown = f"{'class' if isinstance(definition, type) else 'function'} {module}.{definition.__qualname__}"
    loaded = getattr(sys.modules.get(module), "__dict__", None)
    own = _own_globals(definition)
    if isinstance(definition, FunctionType) and own is None:
        maker = definition.__globals__.get("__name__")
        raise ConfigurationError(
            f"{shown} was made in module {maker!r} (by a decorator, perhaps), which is not the one it claims to be of: "
            "write a function of its own around it"
        )
    spaces = [own] if isinstance(definition, FunctionType) else [loaded, own]
    if loaded is None and own is None:
        raise NoPlace(f"module {module!r} of {shown} is not imported here: import it first")
    for namespace in spaces:
        if namespace is not None:
            found = path if path and _leads(namespace, path, definition) else None
            if path is None:
                found = _path(definition, namespace, module)
            if found is not None:
                return Place(module, found, namespace, loaded is not None and namespace is not loaded)
    if "<" in definition.__qualname__:
        raise NoPlace(f"{shown} is made inside a function, and nothing leads to it from outside: move it to the top "
                      "level of its module, or give it a name there")  # fmt: skip
    again = "its cell was run again" if module in MAINS else "the module was reloaded"
    raise NoPlace(
        f"{shown} is not what stands under that name ({again}, or a decorator replaced it): make the object again "
        "from the definition that stands in the module"
    )


def made_there(value: object, module: str, namespace: Namespace) -> bool:
    """Whether `value` is something that a module can give by name: a class, a function or an enum's member of its own.

    No attribute access runs code of the value's.
    """
    cls = type(value)
    if issubclass(cls, Enum):
        return cls.__module__ == module
    if issubclass(cls, type):
        return value.__module__ == module
    if cls is not FunctionType:
        return False
    assert isinstance(value, FunctionType)
    return value.__globals__ is namespace and value.__module__ == module


def mixed(namespace: Namespace, listed: Namespace, module: str) -> str | None:
    """A name in the namespace of an old module that no longer means what the modules `listed` have; None if none does.

    An old module may hold on to its helpers' old selves, while a walk would find their new ones.
    """
    for name, value in namespace.items():
        cls = type(value)
        source = value.__name__ if issubclass(cls, type(sys)) else getattr(value, "__module__", None)
        if type(source) is not str or source == module or source not in listed:
            continue
        now = sys.modules.get(source)
        space = getattr(now, "__dict__", {})
        if issubclass(cls, type(sys)):
            same = value is now
        elif cls is FunctionType:
            same = value.__globals__ is space
        elif issubclass(cls, type):
            same = _leads(space, value.__qualname__, value)
        else:
            same = True
        if not same:
            return name
    return None


def _path(definition: Definition, namespace: Namespace, module: str) -> str | None:
    qualname = definition.__qualname__
    if "<" not in qualname and _leads(namespace, qualname, definition):
        return qualname
    return next((path for path, value in _reachable(namespace, module) if value is definition), None)


def _leads(namespace: Namespace, path: str, definition: object) -> bool:
    try:
        return lookup(namespace, path) is definition
    except LookupError:
        return False


def _reachable(namespace: Namespace, module: str) -> Iterator[tuple[str, object]]:
    """Everything in a module, and in the classes it made, with the path to it; shorter paths first."""
    level: list[tuple[str, Namespace]] = [("", namespace)]
    seen: set[int] = set()
    while level:
        below: list[tuple[str, Namespace]] = []
        for prefix, names in level:
            for name in sorted(filter(_speakable, list(names)), key=lambda name: (name.startswith("_"), name)):
                value = names[name]
                path = prefix + name
                if len(path) > MAX_NAME_CHARS:
                    continue
                yield path, value
                if isinstance(value, type) and value.__module__ == module and id(value) not in seen:
                    seen.add(id(value))
                    below.append((path + ".", vars(value)))
        level = below


def _speakable(name: object) -> bool:
    return type(name) is str and name.isidentifier()


def _own_globals(definition: Definition) -> Namespace | None:
    """The namespace of a definition's module, seen through its functions' eyes: the module may not be registered."""
    values = [definition] if isinstance(definition, FunctionType) else vars(definition).values()
    for value in values:
        function = value.__func__ if isinstance(value, staticmethod | classmethod) else value
        if isinstance(function, FunctionType) and function.__globals__.get("__name__") == definition.__module__:
            return function.__globals__
    return None
