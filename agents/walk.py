"""The walk from an agent's module along its imports, through the author's files and no further."""

import sys
from collections import deque
from collections.abc import Callable

from ..errors import ConfigurationError, ProtocolError
from .imports import Imports, imports_of
from .manifest import MAX_CLOSURE_BYTES, MAX_MODULE_BYTES, MAX_MODULES, check_module_name, packages_of
from .modules import Finder, Found, is_installed

__all__ = ["Walk", "no_source"]


class Walk:
    """One walk from a definition's module to everything it can import.

    `running_text` gives the text that a module runs here, or None. `own` says that the start is found nowhere else: a
    slice of a program, or a module that is not in `sys.modules`. After `run`, `specs` says of each module of the
    author's which spec is in `sys.modules` (None: it has not been imported), `folders` where names are computed at run
    time, `needs` which installed packages are imported, and `came_back` that a module imports one of the start's name.
    """

    def __init__(self, start: Found, running_text: Callable[[Found], str | None], *, own: bool, piece: bool) -> None:
        self.module = start.name
        self.finder = Finder({start.name: start} if own else {})
        self.piece = piece
        self.running_text = running_text
        self.waiting = deque([start.name])
        self.listed: dict[str, str] = {}
        self.size = 0
        self.bare: dict[str, str] = {}  # packages without code, by name
        self.imports: dict[str, Imports] = {}
        self.seen: set[str] = set()
        self.specs: dict[str, object] = {}
        self.folders: list[str] = []
        self.needs: set[str] = set()
        self.came_back = False

    def run(self) -> dict[str, str]:
        """The text of every module of the closure, by name.

        Raises:
            ConfigurationError: see `closure_of`.
        """
        self.drain()
        if self.module not in self.listed and self.module not in self.bare:
            raise ConfigurationError(self.why_not())
        while self.complete_packages():
            self.drain()
        return self.listed

    def drain(self) -> None:
        while self.waiting:
            name = self.waiting.popleft()
            for end, character in enumerate(name):
                if character == ".":
                    self.visit(name[:end])  # importing a module runs its packages first
            self.visit(name)

    def visit(self, name: str) -> None:
        if name in self.seen:
            self.came_back |= name == self.module
            return
        self.seen.add(name)
        top = name.partition(".")[0]
        found = None if top == "emporion" else self.finder.find(name)
        if found is None or is_installed(found):
            if found is not None and top not in sys.stdlib_module_names:
                self.needs.add(top)
            return
        text = self.running_text(found)
        if text is None or found.spec.loader is None:
            return
        if name != self.module or not self.piece:
            self.specs[name] = getattr(sys.modules.get(name), "__spec__", None)
        self.read(found, text)

    def read(self, found: Found, text: str) -> None:
        try:
            name = check_module_name(found.name)
            size = len(text.encode())
            imports = imports_of(text, name, found.path is not None)
        except ProtocolError as error:
            raise ConfigurationError(f"{found.spec.origin}: {error}") from None
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise ConfigurationError(f"module {found.name!r} ({found.spec.origin}) cannot be read: {error}") from None
        self.imports[name] = imports
        if found.path is not None and not imports.has_code:
            self.bare[name] = text
        else:
            self.put(name, text, size)
        self.waiting += imports.names
        for star in imports.stars:
            self.waiting += self.starred(star)
        if imports.computed:
            self.waiting += self.whole(name.partition(".")[0])
            self.waiting += self.whole(self.module.partition(".")[0])

    def put(self, name: str, text: str, size: int) -> None:
        self.listed[name] = text or "\n"  # a validator tells an upload by the text being there
        self.size += size
        if len(self.listed) > MAX_MODULES or size > MAX_MODULE_BYTES or self.size > MAX_CLOSURE_BYTES:
            raise ConfigurationError(
                f"the code of {self.module!r} is too much: {len(self.listed)} modules of {self.size} bytes with "
                f"{name!r} ({size} bytes); at most {MAX_MODULES} modules of {MAX_CLOSURE_BYTES} bytes, "
                f"{MAX_MODULE_BYTES} each: move what the agent does not need out of its reach"
            )

    def starred(self, package: str) -> list[str]:
        """The submodules that ``from package import *`` imports: those in its ``__all__``."""
        found = self.finder.find(package)
        if found is None or found.path is None or is_installed(found):
            return []
        self.visit(package)
        imports = self.imports.get(package)
        if imports is not None and imports.exported_unknown:
            return self.finder.children(found)
        return [f"{package}.{name}" for name in (imports and imports.exported) or ()]

    def whole(self, package: str) -> list[str]:
        """Every module of a package, however deep."""
        found = self.finder.find(package)
        if found is None or found.path is None or is_installed(found) or found.path[0] in self.folders:
            return []
        self.folders += found.path
        names = [name for name in self.finder.children(found) if name != self.module]
        return names + [inner for name in names for inner in self.whole(name)]

    def complete_packages(self) -> bool:
        """See to it that what is listed can be loaded from the list alone; true when there is more to visit.

        The other end takes a name with others below it for a package. A package of which only the ``__init__`` is
        needed would look like a plain module there: that matters when it imports relatively.
        """
        parents = packages_of(self.listed)
        for name in self.bare.keys() - parents:
            text = self.bare.pop(name)
            self.put(name, text, len(text))
        for name in self.listed.keys() - parents:
            found = self.finder.find(name)
            if found is None or found.path is None or not self.imports[name].relative:
                continue
            self.waiting += [child for child in self.finder.children(found) if child not in self.seen]
            if not self.waiting:
                raise ConfigurationError(
                    f"package {name!r} has no modules of its own but imports relatively: make it a module "
                    f"{name.rpartition('.')[2]}.py, or let it import by full names"
                )
        return bool(self.waiting)

    def why_not(self) -> str:
        found = self.finder.find(self.module)
        top = self.module.partition(".")[0]
        if top == "emporion":
            return f"module {self.module!r} belongs to emporion itself, which every end has: it does not travel"
        if top in sys.stdlib_module_names or (found is not None and is_installed(found)):
            return (
                f"module {self.module!r} is part of Python or an installed package, which do not travel: write the "
                "agent's class in a module of your own (a folder on sys.path that is not site-packages)"
            )
        return no_source(self.module)


def no_source(module: str) -> str:
    """What to say of a module without a text."""
    return f"there is no Python source of module {module!r} to be found: put the class into a module file"
