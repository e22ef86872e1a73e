"""An agent's closure: the modules its class is made of, found in the author's files, described by a manifest.

What travels is what runs here: modules are read without importing any, and a file that was edited after its import is
noticed (`made_from`).
"""

import importlib
import sys
import threading
import weakref
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import FunctionType, MappingProxyType
from typing import Final

from ..errors import ConfigurationError
from .manifest import closure_id, digest_of
from .modules import Finder, Found, Namespace, lookup, made_from, source_of
from .walk import Walk

__all__ = ["Closure", "Manifests", "at_home", "closure_of"]


@dataclass(frozen=True, slots=True)
class Closure:
    """Everything that a class's code consists of, as it is now.

    `manifest` is {dotted name: digest}, `sources` {digest: text}, `id` the manifest's `closure_id`; `module` and
    `qualname` lead to the class. Classes whose closures are the same share both mappings.
    """

    manifest: Mapping[str, str]
    sources: Mapping[str, str]
    module: str
    qualname: str
    id: str


def closure_of(cls: type) -> Closure:
    """The closure of an ordinary class, from a process-wide `Manifests`: about a microsecond for a known one.

    It has the class's own module and, transitively, the modules that those import: at module level, inside functions,
    relatively, with a star. Where a module computes the names it imports, every module of its own and of the agent's
    top-level package is listed. The standard library and installed packages stay where they are, and so do
    modules without Python source (an import of theirs fails elsewhere). Packages whose ``__init__`` has no code are
    not listed: the other end makes them up. Line ends are LF; an empty module travels as one line end.

    Raises:
        ConfigurationError: the class cannot travel; the text says why, and what to do.
    """
    return _SHARED.of(cls)


@dataclass(frozen=True, slots=True, weakref_slot=True)
class _Unit:
    """What the classes with one closure share."""

    manifest: Mapping[str, str]
    sources: Mapping[str, str]
    id: str


@dataclass(frozen=True, slots=True)
class _Known:
    """A class's closure and how to tell that it still holds.

    `specs`: each module's spec; a reload or a fresh import makes a new one. `folders`: modification times of the
    package folders where names are computed at run time, so that a new file in them is found.
    """

    cls: weakref.ref[type]
    closure: Closure
    unit: _Unit
    specs: tuple[tuple[str, object], ...]
    folders: tuple[tuple[str, int], ...]

    def holds(self) -> bool:
        modules = sys.modules
        for name, spec in self.specs:
            if getattr(modules.get(name), "__spec__", None) is not spec:
                return False
        return not self.folders or _stamps(folder for folder, _ in self.folders) == self.folders


class Manifests:
    """Closures by class, remembered while they hold; and the way back, from what was announced to the class.

    Thread-safe. A class costs a walk over its modules' files when it is first seen, or when one of its modules has
    been reloaded or freshly imported; 0.1 us a module from then on.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._known: dict[int, _Known] = {}
        self._units: weakref.WeakValueDictionary[str, _Unit] = weakref.WeakValueDictionary()
        self._running: dict[str, tuple[object, str]] = {}  # by name: the spec of a module and the text it runs
        self._announced: set[tuple[str, str]] = set()
        self._sent: weakref.WeakValueDictionary[tuple[str, str, str], type] = weakref.WeakValueDictionary()

    def of(self, cls: type) -> Closure:
        """The closure of `cls`; see `closure_of` for what is in it and for the errors."""
        known = self._known.get(id(cls))
        if known is not None and known.cls() is cls and known.holds():
            return known.closure
        with self._lock:
            return self._learn(cls)

    def at_home(self, module: str, digest: str, qualname: str) -> object:
        """What an object coming home is made of: a class of this end's own, or a member of an `Enum` of its own.

        Only for text that a closure from here announced. A module that was announced but only ever imported elsewhere
        (inside a method, say) is imported now: it is the author's own file, and nothing is taken from it unless
        its digest is still the one announced.

        Raises:
            LookupError: nothing like that went out from here, or it has been replaced since.
        """
        sent = self._sent.get((module, digest, qualname))
        if sent is not None:
            return sent
        if (module, digest) not in self._announced:
            raise LookupError(f"module {module!r} with digest {digest[:16]!r} was never announced from here")
        namespace = self._namespace_sent(module, digest)
        found = Finder({module: namespace}).find(module)
        with self._lock:
            text = self._running_text(found) if found else None
        if text is None or digest_of(text) != digest:
            raise LookupError(f"module {module!r} was reloaded or edited while its object was away: send it again")
        try:
            value = lookup(namespace, qualname)
        except LookupError:
            value = None
        cls: object = type(value) if isinstance(value, Enum) else value
        if not isinstance(cls, type) or cls.__module__ != module:
            raise LookupError(f"there is no class {qualname!r} in module {module!r}")
        return value

    def _namespace_sent(self, module: str, digest: str) -> Namespace:
        if module not in sys.modules:
            with self._lock:
                sent = list(self._sent.items())
            for (name, its_digest, _), cls in sent:
                if (name, its_digest) == (module, digest) and (namespace := _own_globals(cls)):
                    return namespace
            try:
                importlib.import_module(module)
            except Exception as error:
                raise LookupError(f"module {module!r} cannot be imported here: {error}") from error
        return vars(sys.modules[module])

    def _learn(self, cls: type) -> Closure:
        module, qualname, namespace = _place_of(cls)
        walk = Walk(module, namespace, self._running_text)
        sources = walk.run()
        manifest = {name: digest_of(sources[name]) for name in sorted(sources)}
        unit = self._shared(manifest, sources)
        closure = Closure(unit.manifest, unit.sources, module, qualname, unit.id)
        self._announced |= set(manifest.items())
        self._sent[module, manifest[module], qualname] = cls
        key = id(cls)
        forget = weakref.ref(cls, lambda ref: self._forget(key, ref))
        self._known[key] = _Known(forget, closure, unit, tuple(walk.specs.items()), _stamps(walk.folders))
        return closure

    def _shared(self, manifest: dict[str, str], sources: Mapping[str, str]) -> _Unit:
        found = closure_id(manifest)
        unit = self._units.get(found)
        if unit is None:
            by_digest = MappingProxyType({manifest[name]: sources[name] for name in manifest})
            unit = self._units[found] = _Unit(MappingProxyType(manifest), by_digest, found)
        return unit

    def _forget(self, key: int, ref: weakref.ref[type]) -> None:
        known = self._known.get(key)
        if known is not None and known.cls is ref:  # the address may belong to another class by now
            self._known.pop(key, None)

    def _running_text(self, found: Found) -> str | None:
        """The text that a module runs here: as it lies there, or as it was before the file was edited."""
        lying = source_of(found)
        if found.namespace is None:
            return lying
        spec, before = self._running.get(found.name, (None, None))
        if before is not None and spec is found.spec and (before == lying or made_from(found, before)):
            return before
        if lying is None:
            return None
        if not made_from(found, lying):
            raise ConfigurationError(
                f"{found.spec.origin} was edited after module {found.name!r} was imported, and what runs here is no "
                "longer in the file: reload the module (importlib.reload), or start the program again"
            )
        self._running[found.name] = found.spec, lying
        return lying


_SHARED: Final = Manifests()


def at_home(module: str, digest: str, qualname: str) -> object:
    """What an object that comes home names, from the same `Manifests`; see `Manifests.at_home`."""
    return _SHARED.at_home(module, digest, qualname)


def _stamps(folders: Iterable[str]) -> tuple[tuple[str, int], ...]:
    found = []
    for folder in folders:
        try:
            found.append((folder, Path(folder).stat().st_mtime_ns))
        except OSError:
            found.append((folder, 0))
    return tuple(found)


def _place_of(cls: type) -> tuple[str, str, Namespace]:
    """A class's module name, qualified name and its module's namespace."""
    module, qualname = cls.__module__, cls.__qualname__
    shown = f"{module}.{qualname}"
    if module == "__main__":
        raise ConfigurationError(
            f"class {qualname} is defined in the program itself (__main__) or at a prompt, which cannot travel yet: "
            "put the class into a module file of its own and import it"
        )
    if "<locals>" in qualname:
        raise ConfigurationError(f"class {shown} is made inside a function: move it to the top level of its module")
    loaded = sys.modules.get(module)
    namespace = _own_globals(cls) if loaded is None else vars(loaded)
    if namespace is None:
        raise ConfigurationError(f"module {module!r} of class {qualname} is not imported here: import it first")
    try:
        standing = lookup(namespace, qualname)
    except LookupError:
        standing = None
    if standing is not cls:
        raise ConfigurationError(
            f"{shown} is not the class that this object has (the module was reloaded, or a decorator replaced the "
            "class): make the object again from the class that stands in the module"
        )
    return module, qualname, namespace


def _own_globals(cls: type) -> Namespace | None:
    """The namespace of a module that was loaded by path and is not in `sys.modules`, seen through a method's eyes."""
    for value in vars(cls).values():
        function = value.__func__ if isinstance(value, staticmethod | classmethod) else value
        if isinstance(function, FunctionType) and function.__globals__.get("__name__") == cls.__module__:
            return function.__globals__
    return None
