"""Runs agent source in a world of its own, for the tests of the language wall."""

import hashlib
from typing import Any

from emporion.runtime.sandbox.language.policy import compile_module
from emporion.runtime.sandbox.language.world import World


def digest_of(source: str) -> str:
    return hashlib.sha256(source.encode()).hexdigest()


class Agents:
    """A world with one closure of the given sources; `output` is what they printed."""

    def __init__(self, sources: dict[str, str], *, language: bool = True) -> None:
        self.output = ""
        self.world = World(write=self._write, language=language)
        digests = {name: digest_of(source) for name, source in sources.items()}
        self.closure = self.world.add_closure(digests)
        for name, source in sources.items():
            is_package = any(other.startswith(name + ".") for other in sources)
            code = compile_module(source, name=name, digest=digests[name], is_package=is_package, language=language)
            self.world.add_code(name, digests[name], code)

    def _write(self, text: str) -> None:
        self.output += text

    def load(self, module: str, qualname: str) -> Any:
        return self.world.load_class(self.closure, module, qualname)


def run(source: str, *, language: bool = True) -> str:
    """Execute one module and give back what it printed."""
    agents = Agents({"agent.main": source + "\nclass Anchor_: pass\n"}, language=language)
    agents.load("agent.main", "Anchor_")
    return agents.output
