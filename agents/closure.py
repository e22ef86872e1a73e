"""An agent's closure: the modules its class is made of, found in the author's files, described by a manifest.

What travels is what runs here: modules are read without importing any, and a file that was edited after its import is
noticed (`proof.made_from`).
"""

import importlib
import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from ..errors import ConfigurationError
from .manifest import closure_id, digest_of
from .modules import Finder, Found, Namespace, found_in, lookup
from .places import Definition, NoPlace, Place, made_there, mixed, place_of
from .programs import MAINS, Program
from .proof import constants_fit
from .running import RunningTexts
from .state import remember_path
from .walk import Walk, no_source

__all__ = ["Closure", "Manifests", "at_home", "closure_of"]


@dataclass(frozen=True, slots=True)
class Closure:
    """Everything that a definition's code consists of, as it is now.

    `manifest` is {dotted name: digest}, `sources` {digest: text}, `id` the manifest's `closure_id`; `module` and
    `qualname` lead to the class or function: the latter is a path by which it can be reached, and not always its
    ``__qualname__``. `needs` are the top-level names of installed packages that the modules import, in order, also of
    those they could do without. `origin` is the path of the file of `module`, "" without one. Definitions whose
    closures are the same share both mappings.
    """

    manifest: Mapping[str, str]
    sources: Mapping[str, str]
    module: str
    qualname: str
    id: str
    needs: tuple[str, ...] = ()
    origin: str = ""


def closure_of(definition: Definition) -> Closure:
    """The closure of a class, or a function, from a process-wide `Manifests`: about a microsecond for a known one.

    It has the definition's own module and, transitively, the modules that those import: at module level, inside
    functions, relatively, with a star. Where a module computes the names it imports, every module of its own and of the
    agent's top-level package is listed. The standard library and installed packages stay where they are, and so do
    modules without Python source (an import of theirs fails elsewhere). Packages whose ``__init__`` has no code are
    not listed: the other end makes them up. Line ends are LF; an empty module travels as one line end.

    Of a program itself (``__main__``: a script, a notebook, the prompt of Python 3.13) a slice travels, see
    `slices.slice_of`. As a module it has the name of the script's file, of the module that was run with ``-m``, or
    "notebook"; with "_script" behind it where that is no good name for a module, or is another's. ``__name__`` is
    that name at the other end, and never "__main__".

    A definition that was replaced (by a reload, or by running its cell again) keeps the closure it had, if it had one.

    Raises:
        ConfigurationError: it cannot travel; the text says why, and what to do.
    """
    return _SHARED.of(definition)


@dataclass(frozen=True, slots=True, weakref_slot=True)
class _Unit:
    """What the definitions with one closure share."""

    manifest: Mapping[str, str]
    sources: Mapping[str, str]
    id: str


@dataclass(frozen=True, slots=True)
class _Known:
    """A definition's closure and how to tell that it still holds.

    `specs`: each module's spec; a reload or a fresh import makes a new one. `folders`: modification times of the
    package folders where names are computed at run time, so that a new file in them is found. `program`: what a slice
    is of, and how much text it had.
    """

    definition: weakref.ref[Definition]
    closure: Closure
    unit: _Unit
    specs: tuple[tuple[str, object], ...]
    folders: tuple[tuple[str, int], ...]
    program: tuple[Program, object] | None = None

    def holds(self) -> bool:
        modules = sys.modules
        for name, spec in self.specs:
            if getattr(modules.get(name), "__spec__", None) is not spec:
                return False
        if self.program is not None and self.program[0].stamp() != self.program[1]:
            return False
        return not self.folders or _stamps(folder for folder, _ in self.folders) == self.folders

    def kept(self) -> "_Known":
        """The same closure, for as long as nothing changes again."""
        specs = tuple((name, getattr(sys.modules.get(name), "__spec__", None)) for name, _ in self.specs)
        program = (self.program[0], self.program[0].stamp()) if self.program else None
        return replace(self, specs=specs, folders=_stamps(folder for folder, _ in self.folders), program=program)


@dataclass(frozen=True, slots=True)
class _Sent:
    """A slice that went out: what its names stood for, and in which program."""

    names: weakref.WeakValueDictionary[str, Definition]
    program: Program
    main: str


class Manifests:
    """Closures by definition, remembered while they hold; and the way back, from what was announced to the definition.

    Thread-safe. A definition costs a walk over its modules' files when it is first seen, or when one of its modules has
    been reloaded or freshly imported; 0.1 us a module from then on.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._known: dict[int, _Known] = {}
        self._units: weakref.WeakValueDictionary[str, _Unit] = weakref.WeakValueDictionary()
        self._texts = RunningTexts()
        self._programs: dict[int, Program] = {}  # by the id of the namespace, which a program keeps
        self._announced: set[tuple[str, str]] = set()
        self._slices: dict[tuple[str, str], _Sent] = {}
        self._sent: weakref.WeakValueDictionary[tuple[str, str, str], Definition] = weakref.WeakValueDictionary()

    def of(self, definition: Definition) -> Closure:
        """The closure of `definition`; see `closure_of` for what is in it and for the errors."""
        known = self._known.get(id(definition))
        if known is not None and known.definition() is definition and known.holds():
            return known.closure
        with self._lock:
            return self._learn(definition)

    def at_home(self, module: str, digest: str, qualname: str) -> object:
        """What an object coming home names: a class, a function or the member of an `Enum` of this end's own.

        Only for text that a closure from here announced. A module that was announced but only ever imported elsewhere
        (inside a method, say) is imported now: it is the author's own file, and nothing is taken from it unless
        its digest is still the one announced.

        Raises:
            LookupError: nothing like that went out from here, or it has been replaced since.
        """
        sent = self._sent.get((module, digest, qualname))
        if sent is not None:
            return sent
        piece = self._slices.get((module, digest))
        if piece is not None:
            return _given(piece.names, qualname, piece.main, piece.program.namespace)
        if (module, digest) not in self._announced:
            raise LookupError(f"module {module!r} with digest {digest[:16]!r} was never announced from here")
        namespace = self._namespace_sent(module, digest)
        found = found_in(module, namespace)
        with self._lock:
            text = self._texts.of(found) if found else None
        if text is None or digest_of(text) != digest:
            raise LookupError(f"module {module!r} was reloaded or edited while its object was away: send it again")
        return _given(namespace, qualname, module, namespace)

    def _namespace_sent(self, module: str, digest: str) -> Namespace:
        if module not in sys.modules:
            with self._lock:
                sent = list(self._sent.items())
            for (name, its_digest, _), definition in sent:
                if (name, its_digest) == (module, digest):
                    try:
                        return place_of(definition).namespace
                    except ConfigurationError:
                        continue
            try:
                importlib.import_module(module)
            except Exception as error:
                raise LookupError(f"module {module!r} cannot be imported here: {error}") from error
        return vars(sys.modules[module])

    def _learn(self, definition: Definition) -> Closure:
        known = self._known.get(id(definition))
        if known is not None and known.definition() is not definition:
            known = None
        try:
            place = place_of(definition, known.closure.qualname if known else None)
        except NoPlace as error:
            if known is None:
                raise ConfigurationError(str(error)) from None
            place = None
        if known is not None and (place is None or (place.old and place.module not in MAINS)):
            # Replaced: it keeps what it went out with. Its helpers may be others by now, but those are not its own.
            self._known[id(definition)] = known = known.kept()
            return known.closure
        assert place is not None
        if place.module in MAINS:
            return self._learn_slice(definition, place)
        return self._learn_module(definition, place)

    def _learn_module(self, definition: Definition, place: Place) -> Closure:
        start = found_in(place.module, place.namespace)
        own = start is not None and getattr(sys.modules.get(place.module), "__dict__", None) is not place.namespace
        if start is None:
            raise ConfigurationError(no_source(place.module))
        walk = Walk(start, self._texts.of, own=own, piece=False)
        sources = walk.run()
        if place.old:
            self._check_old(place, sources)
        return self._remember(definition, place, place.module, walk, sources, _origin(start), None)

    def _check_old(self, place: Place, sources: Mapping[str, str]) -> None:
        """See to it that a module which was replaced by a fresh import still has the text and the helpers it had."""
        name = mixed(place.namespace, sources, place.module)
        if name is None and constants_fit(place.namespace, sources[place.module]):
            return
        raise ConfigurationError(
            f"module {place.module!r} was imported afresh, and the text of what {place.path!r} was made from is no "
            "longer to be had: make the object again from the definition that stands in the module"
        )

    def _learn_slice(self, definition: Definition, place: Place) -> Closure:
        program = self._programs.get(id(place.namespace))
        if program is None:
            program = self._programs[id(place.namespace)] = Program(place.namespace)
        stamp = program.stamp()
        piece = program.slice_of(place.path.partition(".")[0])
        for module in program.names:
            start = program.found(module)
            walk = Walk(start, _with(start, piece.text, self._texts.of), own=True, piece=True)
            sources = walk.run()
            if not walk.came_back or Finder({}).find(module) is None:
                break
        else:
            raise ConfigurationError(
                f"{place.path} imports modules called {' and '.join(program.names)}, and its program needs one of "
                "these names for itself: rename the program's file, or the modules"
            )
        closure = self._remember(definition, place, module, walk, sources, program.origin, (program, stamp))
        names = self._slices.setdefault(
            (module, closure.manifest[module]), _Sent(weakref.WeakValueDictionary(), program, place.module)
        ).names
        for name in piece.names:
            value = place.namespace.get(name)
            if isinstance(value, Definition) and made_there(value, place.module, place.namespace):
                names[name] = value
        return closure

    def _remember(self, definition: Definition, place: Place, module: str, walk: Walk, sources: Mapping[str, str],
                  origin: str, program: tuple[Program, object] | None) -> Closure:
        manifest = {name: digest_of(sources[name]) for name in sorted(sources)}
        unit = self._shared(manifest, sources)
        needs = tuple(sorted(walk.needs))
        closure = Closure(unit.manifest, unit.sources, module, place.path, unit.id, needs, origin)
        self._announced |= set(manifest.items())
        self._sent[module, manifest[module], place.path] = definition
        key = id(definition)
        forget = weakref.ref(definition, lambda ref: self._forget(key, ref))
        specs = tuple(walk.specs.items())
        self._known[key] = _Known(forget, closure, unit, specs, _stamps(walk.folders), program)
        remember_path(definition, place.path)
        return closure

    def _shared(self, manifest: dict[str, str], sources: Mapping[str, str]) -> _Unit:
        found = closure_id(manifest)
        unit = self._units.get(found)
        if unit is None:
            by_digest = MappingProxyType({manifest[name]: sources[name] for name in manifest})
            unit = self._units[found] = _Unit(MappingProxyType(manifest), by_digest, found)
        return unit

    def _forget(self, key: int, ref: weakref.ref[Definition]) -> None:
        known = self._known.get(key)
        if known is not None and known.definition is ref:  # the address may belong to another one by now
            self._known.pop(key, None)


_SHARED: Final = Manifests()


def at_home(module: str, digest: str, qualname: str) -> object:
    """What an object that comes home names, from the same `Manifests`; see `Manifests.at_home`."""
    return _SHARED.at_home(module, digest, qualname)


def _given(names: Mapping[str, object], qualname: str, module: str, namespace: Namespace) -> object:
    """What stands under a name that came from the other end, if it is one of the definitions of `module`."""
    try:
        value = lookup(names, qualname)
    except LookupError:
        value = None
    if not made_there(value, module, namespace):
        raise LookupError(f"module {module!r} has no class, function or enum member {qualname!r}")
    return value


def _with(start: Found, text: str, running_text: Callable[[Found], str | None]) -> Callable[[Found], str | None]:
    return lambda found: text if found is start else running_text(found)


def _origin(found: Found) -> str:
    return found.spec.origin if found.spec.has_location and found.spec.origin else ""


def _stamps(folders: Iterable[str]) -> tuple[tuple[str, int], ...]:
    found = []
    for folder in folders:
        try:
            found.append((folder, Path(folder).stat().st_mtime_ns))
        except OSError:
            found.append((folder, 0))
    return tuple(found)
