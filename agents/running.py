"""The texts of the modules that run here, as they were when they were imported."""

import linecache
from importlib.machinery import ModuleSpec, SourceFileLoader

from ..errors import ConfigurationError
from .modules import Found, source_of
from .proof import made_from

__all__ = ["RunningTexts"]


class RunningTexts:
    """Remembers what each imported module was made from: its file may be edited later. Not thread-safe."""

    def __init__(self) -> None:
        # By the id of a module's spec, which is kept so that no other gets that id: a reload, or a fresh import, makes
        # a new one, and the old module's text remains known.
        self._known: dict[int, tuple[ModuleSpec, str]] = {}

    def of(self, found: Found) -> str | None:
        """The text that a module runs here: as it lies there, or as it was before the file was edited.

        Raises:
            ConfigurationError: the module runs a text that is no longer to be had.
        """
        lying = source_of(found)
        if found.namespace is None:
            return lying
        _, before = self._known.get(id(found.spec), (None, None))
        if before is not None and (before == lying or made_from(found, before)):
            return before
        for text in (lying, _cached(found)):
            if text is not None and made_from(found, text):
                self._known[id(found.spec)] = found.spec, text
                return text
        if lying is None:
            return None
        raise ConfigurationError(
            f"{found.spec.origin} was edited after module {found.name!r} was imported, and what runs here is no "
            "longer in the file: reload the module (importlib.reload), or start the program again"
        )


def _cached(found: Found) -> str | None:
    """The text as a traceback has read it, perhaps before an edit; only where `made_from` can tell whether it was."""
    if type(found.spec.loader) is not SourceFileLoader:
        return None
    entry = linecache.cache.get(found.spec.origin or "")
    return "".join(entry[2]) if entry is not None and len(entry) == 4 else None
