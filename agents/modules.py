"""Where modules stand and what their text is, found out without importing anything anew."""

import importlib.util
import os
import pkgutil
import site
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from enum import EnumType
from functools import lru_cache
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

__all__ = ["Finder", "Found", "Namespace", "found_in", "is_installed", "lookup", "source_of"]

Namespace = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """One module: its spec, its namespace when it has been imported here, where its submodules stand (packages)."""

    name: str
    spec: ModuleSpec
    namespace: Namespace | None
    path: tuple[str, ...] | None


class Finder:
    """Finds modules as an import would, but executes none: `importlib.util.find_spec` would import the parents.

    `own` are modules that are not in `sys.modules`, or not any more. What has been found is remembered: use one finder
    for one look around.

    Source: docs.python.org, "The import system", 5.3 to 5.5.
    """

    def __init__(self, own: Mapping[str, Found]) -> None:
        self._found: dict[str, Found | None] = dict(own)

    def find(self, name: str) -> Found | None:
        """The module of that dotted name; None when there is none, or none that has a spec."""
        if name not in self._found:
            namespace = getattr(sys.modules.get(name), "__dict__", None)
            self._found[name] = found_in(name, namespace) or self._lying(name)
        return self._found[name]

    def _lying(self, name: str) -> Found | None:
        if name in sys.modules:
            return None  # it is there but cannot be traced, or its import was blocked with None
        parent = name.rpartition(".")[0]
        above = self.find(parent) if parent else None
        if parent and (above is None or above.path is None):
            return None
        for finder in sys.meta_path:
            try:
                spec = finder.find_spec(name, above.path if above else None)
            except Exception:
                continue  # a finder of somebody else's that cannot cope: the next one may
            if spec is not None:
                path = spec.submodule_search_locations
                return Found(name, spec, None, None if path is None else tuple(map(str, path)))
        return _folder(name, above.path or ()) if above else None

    def children(self, found: Found) -> list[str]:
        """The dotted names of the modules that lie directly in a package, sorted."""
        names = {found.name + "." + child.name for child in pkgutil.iter_modules(found.path or ())}
        for folder in found.path or ():
            try:
                entries = list(os.scandir(folder))
            except OSError:
                continue  # inside a zip file, or gone
            # Folders without an __init__ are packages too (PEP 420), but pkgutil passes them by.
            names |= {f"{found.name}.{e.name}" for e in entries if e.name.isidentifier() and e.is_dir()}
        return sorted(name for name in names if not name.endswith((".__main__", ".__pycache__")))


def found_in(name: str, namespace: Namespace | None) -> Found | None:
    """A module that has been imported, by its namespace; None when that does not say where it came from."""
    spec = namespace.get("__spec__") if namespace else None
    if namespace is None or not isinstance(spec, ModuleSpec):
        return None
    path = namespace.get("__path__")
    return Found(name, spec, namespace, None if path is None else tuple(map(str, path)))


def _folder(name: str, path: tuple[str, ...]) -> Found | None:
    """A package that is a mere folder below one that has not been imported: the import system wants that done."""
    parts: list[str] = []
    for entry in path:
        importer = pkgutil.get_importer(entry)
        spec = importer.find_spec(name) if importer is not None else None
        if spec is not None and spec.loader is None:
            parts += spec.submodule_search_locations or ()
    return Found(name, ModuleSpec(name, None, is_package=True), None, tuple(parts)) if parts else None


def is_installed(found: Found) -> bool:
    """Whether a module came with Python or from a package index: its top-level folder is one of theirs.

    Only the folder that an import starts from counts: a project that lies somewhere below site-packages, and has been
    put on `sys.path` by itself, is the author's.
    """
    spec = found.spec
    if spec.origin in ("built-in", "frozen"):
        return True
    place = spec.origin if spec.has_location and spec.origin else next(iter(found.path or ()), None)
    if place is None:
        return False
    root = Path(place)
    for _ in range(found.name.count(".") + (2 if spec.has_location and found.path is not None else 1)):
        root = root.parent
    return root.name in ("site-packages", "dist-packages") or os.path.realpath(root) in _install_folders()


@lru_cache(maxsize=1)
def _install_folders() -> frozenset[str]:
    paths = sysconfig.get_paths()
    folders = {paths[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")}
    folders |= {site.getusersitepackages(), *site.getsitepackages()}
    folders |= {str(Path(paths["platstdlib"], "lib-dynload")), str(Path(os.__file__).parent)}
    folders.add(str(Path(paths["stdlib"]).parent / f"python{sys.version_info[0]}{sys.version_info[1]}.zip"))
    return frozenset(map(os.path.realpath, folders))


def source_of(found: Found) -> str | None:
    """The module's text as it lies there now, line ends as Python reads them; None when there is none to be had."""
    spec = found.spec
    get_source = getattr(spec.loader, "get_source", None)
    try:
        if get_source is not None:
            text = get_source(spec.name)
            return text if type(text) is str else None
        if spec.origin and spec.has_location and spec.origin.endswith(".py"):
            return importlib.util.decode_source(Path(spec.origin).read_bytes())
    except (ImportError, OSError, SyntaxError, UnicodeDecodeError):
        return None
    return None


def lookup(namespace: Namespace, qualname: str) -> object:
    """What stands under a qualified name: a class, or an `Enum`'s member; no attribute access runs code.

    Raises:
        LookupError: nothing stands there.
    """
    first, *inner = qualname.split(".")
    value: object = namespace[first]
    for part in inner:
        if not isinstance(value, type):
            raise LookupError(qualname)
        members = value._member_map_ if isinstance(value, EnumType) else {}
        value = members[part] if part in members else vars(value)[part]
    return value
