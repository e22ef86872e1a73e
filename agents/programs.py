"""The program itself (``__main__``): a script, a notebook or a prompt, and where the text of it is kept."""

import importlib.util
import linecache
import re
import sys
import unicodedata
from collections.abc import Iterable
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Final

from ..errors import ConfigurationError, ProtocolError
from .manifest import check_module_name
from .modules import Found, Namespace, source_of
from .slices import Slice, fits, slice_of
from .statements import Statement, statements_of

__all__ = ["MAINS", "Program"]

# The names under which Python runs programs; the second is that of a script in a child of multiprocessing.
MAINS: Final = frozenset({"__main__", "__mp_main__"})

_PROMPT: Final = re.compile(r"<python-input-(\d+)>")


class Program:
    """One program, seen through its namespace.

    `origin` is the path of its file, "" without one. `names` are those that its slices can have as modules, in the
    order of preference: the file's, "notebook" for what was typed; never ``__main__``. `package` is what its relative
    imports start from.
    """

    def __init__(self, namespace: Namespace) -> None:
        self.namespace = namespace
        typed = namespace.get("In")
        self._cells = typed if isinstance(typed, list) and _is_notebook(namespace, typed) else None
        self._text: str | None = None  # of a script, once it has proved to be the one that runs
        file, spec, package = (namespace.get(name) for name in ("__file__", "__spec__", "__package__"))
        # Python's own prompt is a program too, whose file and package may stand in its namespace (3.13).
        own = self._cells is None and not (type(file) is str and Path(file).parent.name == "_pyrepl")
        self.origin = str(Path(file).absolute()) if type(file) is str and own else ""
        self.package = package if type(package) is str and own else ""
        self._spec = spec if isinstance(spec, ModuleSpec) and own else None
        self.names = self._names()

    def slice_of(self, name: str) -> Slice:
        """The slice around one of its top-level names.

        Raises:
            ConfigurationError: no text is kept, or not the one that runs, or see `slices.slice_of`.
        """
        texts = self._texts()
        try:
            statements = _statements(texts, skip_bad=not self.origin)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise self._edited(name) from None
        found = slice_of(name, statements, self.namespace, self._exports, self._where())
        if not fits(found, self.namespace):
            raise self._edited(name)
        if self.origin:
            (self._text,) = texts
        return found

    def stamp(self) -> object:
        """Another value whenever there is more text; costs next to nothing."""
        if self.origin:
            return None
        if self._cells is not None:
            return len(self._cells)
        return len(linecache.cache), len(getattr(linecache, "_interactive_cache", ()))

    def found(self, name: str) -> Found:
        """A slice as the module `name`: like one of the author's that has been imported."""
        return Found(name, ModuleSpec(name, SourceFileLoader(name, self.origin)), self.namespace, None)

    def _names(self) -> tuple[str, ...]:
        if not self.origin:
            return "notebook", "notebook_script"
        package, _, stem = self._spec.name.rpartition(".") if self._spec else ("", "", Path(self.origin).stem)
        plain = unicodedata.normalize("NFKC", re.sub(r"\W", "_", stem.strip("_") if stem == "__main__" else stem))
        if not plain.isidentifier():
            plain = "_" + plain
        prefix = package + "." if package else ""
        try:
            return check_module_name(prefix + stem), f"{prefix}{plain}_script"
        except ProtocolError:
            return (f"{prefix}{plain}_script",)

    def _where(self) -> str:
        return self.origin or ("the notebook" if self._cells is not None else "what was typed")

    def _texts(self) -> list[str]:
        if self._cells is not None:
            return [cell for cell in self._cells if type(cell) is str]
        if self._text is not None:
            return [self._text]
        if self.origin:
            text = self._file()
        else:
            typed = _typed_at_prompt()
            if typed:
                return typed
            text = None
        if text is None:
            raise ConfigurationError(
                "the program was typed at a prompt, piped in or given with -c, and Python keeps no text of it that "
                "could be sent: put the class into a file and import or run that, or use a notebook"
            )
        return [text]

    def _file(self) -> str | None:
        if self._spec is not None:
            return source_of(Found(self._spec.name, self._spec, None, None))
        path = Path(self.origin)
        try:  # only what is a file can be read twice
            return importlib.util.decode_source(path.read_bytes()) if path.is_file() else None
        except (OSError, SyntaxError, UnicodeDecodeError):
            return None

    def _exports(self, statement: Statement) -> Iterable[str]:
        """The names that an import with a star has bound here."""
        try:
            name = importlib.util.resolve_name("." * statement.level + statement.module, self.package or None)
        except ImportError:
            return ()
        module = sys.modules.get(name)
        space = vars(module) if isinstance(module, ModuleType) else {}
        listed = space.get("__all__")
        if isinstance(listed, list | tuple):
            return [name for name in listed if type(name) is str]
        return [name for name in space if not name.startswith("_")]

    def _edited(self, name: str) -> ConfigurationError:
        if not self.origin:
            return ConfigurationError(
                f"what {name!r} runs here was not made by the statements in {self._where()} that are said to make it "
                "(a cell failed half way, or functions were replaced later): run the cells that define it again"
            )
        return ConfigurationError(
            f"{self.origin} was edited after the program was started, or functions of {name!r} were replaced later, "
            "and what runs here is not in the file: start the program again"
        )


def _is_notebook(namespace: Namespace, typed: list[object]) -> bool:
    """Whether a list called ``In`` is IPython's history; a script may have a list of that name too."""
    return namespace.get("_ih") is typed or "__file__" not in namespace


def _statements(texts: Iterable[str], *, skip_bad: bool) -> list[Statement]:
    """The statements of texts that ran one after the other; ``__future__`` imports hold for the later ones, too."""
    found: list[Statement] = []
    flags = 0
    for text in texts:
        try:
            statements, flags = statements_of(text.replace("\r\n", "\n").replace("\r", "\n"), flags)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            if skip_bad:  # it did not run as it stands there: a magic, or a slip
                continue
            raise
        found += statements
    return found


def _typed_at_prompt() -> list[str]:
    """The inputs that Python's own prompt has kept for its tracebacks, in their order (Python 3.13 and later)."""
    kept = [(name, entry) for name, entry in list(linecache.cache.items()) if type(name) is str]
    later = getattr(linecache, "_interactive_cache", {})
    kept += [(entry[3], entry) for entry in list(later.values()) if len(entry) == 4]
    found: dict[int, str] = {}
    for name, entry in kept:
        match = _PROMPT.fullmatch(name)
        if match and len(entry) == 4:
            found[int(match[1])] = "".join(entry[2])
    return [found[number] for number in sorted(found)]
