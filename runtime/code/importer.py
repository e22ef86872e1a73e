"""The client's importer: modules that came from a host run as ordinary Python, under names of their own.

A client trusts the host it proved itself to (docs/threats.md), so there is no sandbox here; but nothing that was
downloaded ever stands under its plain name in `sys.modules`. The package `objects` of one closure is there as
``objects@1f2e3d4c5b6a7988``, so that circular imports, import locks, failing modules, dataclasses and tracebacks are
Python's own business, and two versions live side by side.
"""

import builtins
import importlib
import linecache
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from hashlib import sha256
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final

from ...agents.manifest import check_manifest, check_qualname, closure_id, packages_of
from ...agents.modules import lookup
from ...agents.state import name_of, remember_path
from ...errors import ConfigurationError, LimitExceeded, ProtocolError
from .store import CodeStore, MemoryCodeStore

__all__ = ["MobileModules"]

MAX_CLOSURES: Final = 1_000  # a host that sends more kinds of code than this is not selling televisions
_TAG_DIGITS: Final = 16


class MobileModules:
    """The modules that one host has given, and the classes they make. Thread-safe.

    A closure is announced, its texts come in one by one, each accepted by then, and its modules run on first use; not
    before all are there. Closures that agree on every module they share live in one *world*: a class that several of
    them need exists once. A closure with another version of a module gets another world.

    Args:
        store: Where the texts are kept; those of announced closures stay held in it.
        max_closures: How many closures may be announced.
    """

    def __init__(self, store: CodeStore | None = None, *, max_closures: int = MAX_CLOSURES) -> None:
        self._store = MemoryCodeStore() if store is None else store
        self._max_closures = max_closures
        self._lock = threading.RLock()
        self._closures: dict[str, Mapping[str, str]] = {}
        self._placed: dict[str, _World] = {}  # by closure id: its world, once all of it was there
        self._worlds: list[_World] = []
        self._announced: set[tuple[str, str]] = set()  # (name, digest), as in the next
        self._accepted: set[tuple[str, str]] = set()
        self._closed = False

    def add_closure(self, manifest: Mapping[str, str]) -> str:
        """Announce a closure, {dotted name: digest}, and give back its id (`closure_id`). Twice does no harm.

        Raises:
            ProtocolError: the manifest is none.
            LimitExceeded: too many closures.
            ConfigurationError: after `close`.
        """
        manifest = check_manifest(dict(manifest))
        found = closure_id(manifest)
        with self._lock:
            if found in self._closures:
                return found
            if self._closed:
                raise ConfigurationError("these MobileModules were closed: make new ones")
            if len(self._closures) >= self._max_closures:
                raise LimitExceeded("max_closures", len(self._closures) + 1, self._max_closures)
            self._store.hold(manifest.values())
            self._closures[found] = manifest
            self._announced |= set(manifest.items())
        return found

    def missing(self, manifest: Mapping[str, str]) -> dict[str, str]:
        """The modules of a manifest that `add_source` has not accepted yet under that name, {name: digest}.

        Their text may be here all the same, under another name: see `source`.
        """
        return {name: digest for name, digest in manifest.items() if (name, digest) not in self._accepted}

    def source(self, digest: str) -> str | None:
        """The text with that digest, if any module has brought it; whether it may be used is another question."""
        return self._store.get(digest)

    def add_source(self, name: str, digest: str, source: str) -> None:
        """Take in the text of an announced module, once every validator has accepted it under that name.

        Raises:
            ProtocolError: no closure announced that module, or the text is not the one announced.
            LimitExceeded: the store is full.
        """
        with self._lock:
            if (name, digest) not in self._announced:
                raise ProtocolError(f"module {name!a} came without having been announced")
            self._store.put(digest, source)
            self._accepted.add((name, digest))

    def load_class(self, closure: str, module: str, qualname: str) -> type:
        """The class `qualname` of a module of a closure; runs the module, and what it imports, on first use.

        Raises:
            LookupError: no such closure, module or class, or not a class which that module makes.
            ProtocolError: parts of the closure have not arrived. What the module itself raises passes through.
        """
        found = self.load(closure, module, qualname)
        if not isinstance(found, type):
            raise LookupError(f"{qualname!r} in downloaded module {module!r} is not a class")
        return found

    def load(self, closure: str, module: str, qualname: str) -> object:
        """As `load_class`; may also be a function of that module, or a member of an `Enum` such as ``Colour.RED``."""
        world = self._world_of(closure, module)
        loaded = importlib.import_module(world.tagged(module))
        try:
            found = lookup(vars(loaded), check_qualname(qualname))
        except LookupError:
            raise LookupError(f"downloaded module {module!r} has no {qualname!a}") from None
        maker = type(found) if isinstance(found, Enum) else found
        if not isinstance(maker, type | FunctionType) or maker.__module__ != loaded.__name__:
            raise LookupError(f"{qualname!a} is no class or function made by downloaded module {module!r}")
        remember_path(maker, qualname if maker is found else qualname.rpartition(".")[0])
        return found

    def _world_of(self, closure: str, module: str) -> "_World":
        """The world in which a closure lives, if all of it is there."""
        with self._lock:
            manifest = self._closures.get(closure)
            if manifest is None:
                raise LookupError(f"closure {closure[:16]!a} has not been announced")
            if module not in manifest:
                raise LookupError(f"the closure has no module {module!a}")
            if closure not in self._placed:
                absent = self.missing(manifest)
                if absent:
                    raise ProtocolError(f"{next(iter(absent))!r} has not arrived: a closure runs whole or not at all")
                self._placed[closure] = self._world_for(manifest, closure)
            return self._placed[closure]

    def _world_for(self, manifest: Mapping[str, str], closure: str) -> "_World":
        for world in reversed(self._worlds):
            if world.takes(manifest):
                world.add(manifest)
                return world
        world = _World(closure, self._source)
        world.add(manifest)
        self._worlds.append(world)
        return world

    def origin(self, made: type | FunctionType) -> tuple[Mapping[str, str], str, str] | None:
        """Where a class or function came from: (manifest, module name, qualified name); None where not from here.

        The manifest is the smallest of those that brought the module: it suffices to have the class again elsewhere.
        """
        if "@" not in (made.__module__ or ""):
            return None
        name = _plain_name(made.__module__)
        with self._lock:
            for world in self._worlds:
                if world.tagged(name) == made.__module__ and world.made(name, made):
                    placed = (self._closures[closure] for closure, its in self._placed.items() if its is world)
                    return min((it for it in placed if name in it), key=len), name, name_of(made)
        return None

    def close(self) -> None:
        """Forget all: classes and objects that exist go on working, further imports of their modules fail."""
        with self._lock:
            self._closed = True
            for manifest in self._closures.values():
                self._store.release(manifest.values())
            for world in self._worlds:
                world.close()
            for kept in (self._closures, self._placed, self._worlds, self._announced, self._accepted):
                kept.clear()

    def _source(self, name: str, digest: str) -> str:
        text = self._store.get(digest)  # held: it is there, unless the store has lost it
        if text is None:
            raise ImportError(f"the text of downloaded module {name!r} is gone from the code store: connect again")
        return text


class _World(Loader):
    """Modules that agree with each other: at most one version of each name; the loader of all of them."""

    def __init__(self, closure: str, source: Callable[[str, str], str]) -> None:
        self._source = source
        self._modules: dict[str, str] = {}
        self._packages: frozenset[str] = frozenset()
        self._builtins = {**vars(builtins), "__import__": self._import}
        self.tag = _settle(self, closure)

    def takes(self, manifest: Mapping[str, str]) -> bool:
        """Whether these modules can join: no other version, and no package that was, or would be, made up."""
        if any(self._modules.get(name, digest) != digest for name, digest in manifest.items()):
            return False
        packages = packages_of(manifest)
        if any((name in self._modules) != (name in manifest) for name in self._packages & packages):
            return False
        return not ((manifest.keys() - self._modules.keys()) & self._packages or packages & self._plain())

    def _plain(self) -> set[str]:
        return self._modules.keys() - self._packages

    def add(self, manifest: Mapping[str, str]) -> None:
        self._modules.update(manifest)
        self._packages = packages_of(self._modules)

    def tagged(self, name: str) -> str:
        """The name of a module in `sys.modules`."""
        top, dot, rest = name.partition(".")
        return f"{top}@{self.tag}{dot}{rest}"

    def made(self, name: str, made: type | FunctionType) -> bool:
        """Whether `made` is what stands under its name in the module `name` of this world."""
        module = sys.modules.get(self.tagged(name))
        try:
            return module is not None and lookup(vars(module), name_of(made)) is made
        except LookupError:
            return False

    def spec(self, name: str) -> ModuleSpec | None:
        """For the module `name` of this world; None when there is none."""
        if name not in self._modules and name not in self._packages:
            return None
        return ModuleSpec(self.tagged(name), self, origin=self._filename(name), is_package=name in self._packages)

    def _filename(self, name: str) -> str:
        return f"<{name} {self._modules.get(name, 'package')[:8]}>"

    # --- the loader, as importlib calls it (docs.python.org, importlib.abc.Loader) ------------------------------

    def create_module(self, spec: ModuleSpec) -> None:
        """The import system makes an ordinary module."""

    def exec_module(self, module: ModuleType) -> None:
        """Run a module's text in `module`; a made-up package has none."""
        vars(module)["__builtins__"] = self._builtins  # its import statements come to `_import`
        name = _plain_name(module.__name__)
        if name not in self._modules:
            return
        filename = module.__file__ = self._filename(name)
        source = self._source(name, self._modules[name])
        # No such file exists: tracebacks and `inspect` find the lines here. (size, mtime None: never checked, ...)
        linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
        code: CodeType = compile(source, filename, "exec", dont_inherit=True)
        exec(code, vars(module))

    def get_source(self, fullname: str) -> str | None:
        """The text of a module, for `inspect` and debuggers."""
        name = _plain_name(fullname)
        return self._source(name, self._modules[name]) if name in self._modules else None

    def is_package(self, fullname: str) -> bool:
        """Whether other modules stand below this one."""
        return _plain_name(fullname) in self._packages

    # --- imports inside the world -------------------------------------------------------------------------------

    def _import(
        self,
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        """What an import statement in this world calls: its own modules first, then those of the interpreter."""
        if not level and (name in self._modules or name in self._packages):
            name = self.tagged(name)
        found = builtins.__import__(name, globals, locals, fromlist or (), level)
        return _Importlib(self) if found is importlib else found

    def import_module(self, name: str, package: str | None = None) -> ModuleType:
        """`importlib.import_module` as modules of this world see it, for names made at run time."""
        if name in self._modules or name in self._packages:
            name = self.tagged(name)
        return importlib.import_module(name, package)

    def close(self) -> None:
        """Take the modules out of `sys.modules`."""
        _WORLDS.pop(self.tag, None)
        for name in {*self._modules, *self._packages}:
            sys.modules.pop(self.tagged(name), None)


class _Importlib(ModuleType):
    """`importlib` inside a world: everything but `import_module` is the real one's."""

    def __init__(self, world: _World) -> None:
        super().__init__("importlib")
        self.import_module = world.import_module

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib, name)


_WORLDS: Final[dict[str, _World]] = {}
_TAGS: Final = threading.Lock()


def _plain_name(tagged: str) -> str:
    top, dot, rest = tagged.partition(".")
    return top.partition("@")[0] + dot + rest


def _settle(world: _World, closure: str) -> str:
    """Make a world known to the import system; its tag is the closure's id, shortened, unless that one is taken."""
    with _TAGS:
        if _FINDER not in sys.meta_path:
            sys.meta_path.append(_FINDER)
        tag = closure[:_TAG_DIGITS]
        while tag in _WORLDS:  # another host gave the same
            tag = sha256(tag.encode()).hexdigest()[:_TAG_DIGITS]
        _WORLDS[tag] = world
        return tag


class _Finder(MetaPathFinder):
    """Finds modules by tagged names, which nobody can spell in an import statement."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        tag = fullname.partition(".")[0].partition("@")[2]
        world = _WORLDS.get(tag) if tag else None
        return None if world is None else world.spec(_plain_name(fullname))


_FINDER: Final = _Finder()
