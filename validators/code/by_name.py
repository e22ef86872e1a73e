"""Blocks that go by a module's name."""

from fnmatch import fnmatchcase

from ...errors import ConfigurationError
from ..verdict import ACCEPT, Verdict
from .asking import Answer, Block, Question

__all__ = ["Patterns", "names"]


class Patterns(Block):
    """A block of one or more patterns: shell style, case counts, ``*`` also spans dots."""

    example = ""

    def __init__(self, *patterns: str) -> None:
        if not patterns or not all(type(pattern) is str and pattern for pattern in patterns):
            block = type(self).__name__
            raise ConfigurationError(f'{block}() needs one or more patterns, e.g. {block}("{self.example}")')
        self.patterns = patterns

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._listed()})"

    def _listed(self) -> str:
        return ", ".join(map(repr, self.patterns))

    def _fits(self, text: str) -> bool:
        return any(fnmatchcase(text, pattern) for pattern in self.patterns)


class names(Patterns):
    """Accepts modules whose dotted name fits one of `patterns`: shell style, case counts, ``*`` also spans dots.

    ``agent.*`` is everything inside the package `agent`, but not `agent` itself.
    """

    example = "agent.*"

    def _weigh(self, question: Question) -> Answer:
        if self._fits(question.name):
            return ACCEPT
        return Verdict(False, f"the name {question.name!r} fits none of {self._listed()}")
