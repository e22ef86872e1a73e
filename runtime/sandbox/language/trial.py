"""Tries agent source under the language wall in this very process: for authors' own modules, and for tests.

Without the process around it the wall is no boundary: never run a stranger's source here.
"""

import hashlib
from collections.abc import Mapping
from typing import Final

from .policy import compile_module
from .world import World

__all__ = ["Trial", "try_source"]

_LAST: Final = "TriedToTheEnd"


class Trial:
    """One closure of modules in a world of its own.

    Args:
        sources: {dotted name: source text}.
        language: False tries them without the language wall.

    Raises:
        PolicyRefused: A source is not in the language of agents.
    """

    def __init__(self, sources: Mapping[str, str], *, language: bool = True) -> None:
        self.output = ""  # what the modules printed so far
        self.world = World(write=self._write, language=language)
        digests = {name: hashlib.sha256(source.encode()).hexdigest() for name, source in sources.items()}
        self.closure = self.world.add_closure(digests)
        for name, source in sources.items():
            code = compile_module(source, name=name, digest=digests[name], language=language)
            self.world.add_code(name, digests[name], code)

    def _write(self, text: str) -> None:
        self.output += text

    def load(self, module: str, qualname: str) -> type:
        """The class `qualname` of `module`, which is executed on first use; errors as in `World.load_class`."""
        return self.world.load_class(self.closure, module, qualname)


def try_source(source: str, *, name: str = "agent.trial", language: bool = True) -> str:
    """Execute one module to its end and give back what it printed; what it raises comes through."""
    trial = Trial({name: f"{source}\nclass {_LAST}: pass\n"}, language=language)
    trial.load(name, _LAST)
    return trial.output
