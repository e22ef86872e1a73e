"""Blocks that go by a module's text: its digest, its size, and what it imports."""

import hashlib
import re
from collections.abc import Iterable

from ...errors import ConfigurationError
from ..verdict import ACCEPT, Verdict
from .asking import Answer, Block, Question, Undecided
from .by_name import Patterns
from .visible import Imported, Unreadable, visible_imports

__all__ = ["digests", "imports", "max_size"]


class digests(Block):
    """Accepts incoming modules by the SHA-256 of their source: those in `allow` (None: all) that are not in `deny`.

    Going out, where a validator is given no source, it cannot tell, and so denies.
    """

    def __init__(self, *, allow: Iterable[str] | None = None, deny: Iterable[str] = ()) -> None:
        self.allow = None if allow is None else _digest_set(allow)
        self.deny = _digest_set(deny)
        if self.allow is None and not self.deny:
            raise ConfigurationError("digests() needs allow= or deny=, each a list of SHA-256 digests")

    def __repr__(self) -> str:
        listed = (("allow", self.allow), ("deny", self.deny))
        shown = (f"{word}=<{len(found)}>" for word, found in listed if found or (word == "allow" and found is not None))
        return f"digests({', '.join(shown)})"

    def _weigh(self, question: Question) -> Answer:
        if question.module is None:
            return Undecided.because("only incoming code has a source to take the digest of")
        digest = hashlib.sha256(question.module.encode("utf-8", "surrogatepass")).hexdigest()
        if digest in self.deny:
            return Verdict(False, f"the digest {digest[:16]}... of {question.name!r} is on the deny list")
        if self.allow is not None and digest not in self.allow:
            return Verdict(False, f"the digest {digest[:16]}... of {question.name!r} is not on the allow list")
        return ACCEPT


def _digest_set(found: Iterable[str]) -> frozenset[str]:
    if isinstance(found, str):
        raise ConfigurationError("digests() takes lists of digests, not one text")
    kept = frozenset(found)
    for digest in kept:
        if type(digest) is not str or not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise ConfigurationError(f"{digest!r} is no SHA-256 digest: 64 lowercase hexadecimal digits are needed")
    return kept


class max_size(Block):
    """Accepts incoming modules of at most `max_bytes` bytes of UTF-8. Going out it cannot tell, and so denies."""

    def __init__(self, max_bytes: int) -> None:
        if type(max_bytes) is not int or max_bytes < 1:
            raise ConfigurationError(f"max_size({max_bytes!r}): a positive number of bytes is needed")
        self.max_bytes = max_bytes

    def __repr__(self) -> str:
        return f"max_size({self.max_bytes})"

    def _weigh(self, question: Question) -> Answer:
        if question.module is None:
            return Undecided.because("only incoming code has a source to measure")
        size = len(question.module.encode("utf-8", "surrogatepass"))
        if size <= self.max_bytes:
            return ACCEPT
        return Verdict(False, f"{question.name!r} has {size} bytes, {self.max_bytes} are allowed")


class imports(Patterns):
    """Accepts incoming modules that visibly import only modules whose names fit one of `patterns`.

    Shell style, case counts: ``"math"``, ``"collections.*"``. Relative imports pass, and so do modules of the same
    consignment and the packages above them. ``from a import b`` counts as an import of ``a``, whatever ``b`` is.

    It reads tokens and parses nothing. Where the text is no Python, is too large to read, or mentions ``__import__``,
    ``import_module``, ``exec`` or ``eval``, it cannot tell, and so denies; going out too. What an agent *can* import is
    the sandbox's business: this is about what its author says. The worst text takes 0.3 seconds: put `max_size` and
    `max_modules` before it.
    """

    example = "math"

    def _weigh(self, question: Question) -> Answer:
        if question.module is None:
            return Undecided.because("only incoming code has a source to read")
        try:
            found = visible_imports(question.module)
        except Unreadable as error:
            return Undecided.because(f"the imports of {question.name!r} cannot be told: {error}")
        strange = sorted({one.name for one in found if not self._passes(one, question)})
        if not strange:
            return ACCEPT
        more = f" and {len(strange) - 3} more" if len(strange) > 3 else ""
        listed = ", ".join(repr(name[:100]) for name in strange[:3])
        return Verdict(False, f"{question.name!r} imports {listed}{more}; {self._listed()} may be imported")

    def _passes(self, imported: Imported, question: Question) -> bool:
        name, goods = imported.name, question.consignment
        if imported.level or self._fits(name):
            return True
        return goods is not None and (name in goods.manifest or name in goods.packages)
