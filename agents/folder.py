"""The agents that lie in a folder: each module, with the closure that would travel with it. Nothing is run."""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, SourceFileLoader
from pathlib import Path
from typing import Final

from ..errors import ConfigurationError
from .imports import imports_of
from .manifest import MAX_MODULE_BYTES, digest_of
from .modules import Finder, Found, source_of
from .walk import Walk

__all__ = ["Lying", "module_at", "module_named", "modules_in"]

MAX_LISTED: Final = 5_000  # modules below one folder; more is not a folder of agents


@dataclass(frozen=True, slots=True)
class Lying:
    """A module as it lies there.

    `manifest` is {dotted name: digest} of its closure, found among the folder's own files; `fault` says why the module
    could not travel, "" where it could.
    """

    name: str
    origin: str
    source: str
    manifest: dict[str, str]
    fault: str


def modules_in(folder: str | os.PathLike[str]) -> list[Lying]:
    """Every module below `folder`, by its dotted name from there, sorted.

    Left out are packages whose ``__init__`` has no code (they never travel), hidden folders, virtual environments and
    files whose names cannot be imported.

    Raises:
        ConfigurationError: There is no such folder, or it has more than 5,000 modules.
    """
    root = Path(folder).resolve()
    if not root.is_dir():
        raise ConfigurationError(f"there is no folder {folder}")
    finder = _InFolder(str(root))
    found = []
    for name in _names(root):
        one = finder.find(name)
        text = None if one is None else _text(one)
        if one is None or text is None:
            found.append(Lying(name, "", "", {}, f"it cannot be read, or has more than {MAX_MODULE_BYTES} bytes"))
        elif one.path is None or not _is_bare(name, text):
            found.append(_lying(one, text or "\n", finder))
        if len(found) > MAX_LISTED:
            raise ConfigurationError(f"{folder} has more than {MAX_LISTED} modules: give the folder of the agents")
    return sorted(found, key=lambda one: one.name)


def module_at(file: str | os.PathLike[str]) -> list[Lying]:
    """The module in a file, and after it those that travel with it from the same folder; see `modules_in`.

    Its own folder is where imports start, as for a program; for a module that imports relatively, and for an
    ``__init__.py``, the nearest folder above that is no package.

    Raises:
        ConfigurationError: There is no such file, or its name cannot be imported.
    """
    path = Path(file).resolve()
    if not path.is_file() or path.suffix != ".py":
        raise ConfigurationError(f"there is no file {file} of Python's")
    root = path.parent
    if path.stem == "__init__" or _is_relative(path):
        while (root / "__init__.py").is_file():
            root = root.parent
    *folders, stem = path.relative_to(root).with_suffix("").parts
    parts = folders if stem == "__init__" else [*folders, stem]
    if not all(part.isidentifier() for part in parts):
        raise ConfigurationError(f"{path.name} cannot be a module's name: rename it, as in my_agent.py")
    name = ".".join(parts)
    if parts[0] in sys.stdlib_module_names:
        raise ConfigurationError(f"{path.name} has the name of a library module, {parts[0]!r}: rename it")
    return _with_closure(name, _InFolder(str(root)))


def _is_relative(path: Path) -> bool:
    try:
        return imports_of(path.read_text(encoding="utf-8"), path.stem, False).relative
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return False  # what is wrong with it will be told


def module_named(name: str) -> list[Lying]:
    """As `module_at`, of a module on `sys.path`, by its dotted name.

    Raises:
        ConfigurationError: There is none, or it has no text.
    """
    if not all(part.isidentifier() for part in name.split(".")):
        raise ConfigurationError(f"{name!r} is no dotted name of a module")
    return _with_closure(name, Finder({}))


def _with_closure(name: str, finder: Finder) -> list[Lying]:
    found = finder.find(name)
    text = None if found is None else _text(found)
    if found is None or text is None:
        raise ConfigurationError(f"there is no module {name!r} here with a text of at most {MAX_MODULE_BYTES} bytes")
    first = _lying(found, text or "\n", finder)
    manifest, others = first.manifest, []
    for other in manifest:
        one = finder.find(other)
        if other != name and one is not None:
            others.append(Lying(other, str(one.spec.origin), _text(one) or "\n", manifest, ""))
    return [first, *others]


def _lying(found: Found, text: str, finder: Finder) -> Lying:
    walk = Walk(found, _text, own=False, piece=False)
    walk.finder = finder
    try:
        sources = walk.run()
        manifest, fault = {name: digest_of(sources[name]) for name in sorted(sources)}, ""
    except ConfigurationError as error:
        manifest, fault = {}, str(error)
    return Lying(found.name, str(found.spec.origin), text, manifest, fault)


def _names(root: Path) -> Iterator[str]:
    for folder, inner, files in os.walk(root):
        parts = Path(folder).relative_to(root).parts
        inner[:] = sorted(name for name in inner if name.isidentifier() and name != "__pycache__")
        if "pyvenv.cfg" in files:
            inner.clear()
            continue
        for file in sorted(files):
            stem, dot, suffix = file.rpartition(".")
            if dot and suffix == "py" and stem.isidentifier() and stem != "__main__":
                name = ".".join(parts if stem == "__init__" else (*parts, stem))
                if name:
                    yield name


def _is_bare(name: str, text: str) -> bool:
    try:
        return not imports_of(text, name, True).has_code
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def _text(found: Found) -> str | None:
    try:
        if found.spec.origin is None or Path(found.spec.origin).stat().st_size > MAX_MODULE_BYTES:
            return None
    except OSError:
        return None
    return source_of(found)


class _InFolder(Finder):
    """Finds what an author's import would find in one folder, and nothing that is imported or installed here."""

    def __init__(self, folder: str) -> None:
        super().__init__({})
        self._root = folder

    def _loaded(self, name: str) -> Found | None:
        return None

    def _lying(self, name: str) -> Found | None:
        parent = name.rpartition(".")[0]
        above = self.find(parent) if parent else None
        if name in sys.stdlib_module_names or (parent and above is None):
            return None
        places = (above.path or ()) if above else (self._root,)
        for place in places:
            spec = FileFinder(place, (SourceFileLoader, SOURCE_SUFFIXES)).find_spec(name)
            if spec is not None:
                path = spec.submodule_search_locations
                return Found(name, spec, None, None if path is None else tuple(map(str, path)))
        return None
