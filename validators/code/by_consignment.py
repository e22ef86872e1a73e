"""Blocks that go by what a module came with: how many there are, and who has signed for all of them."""

import hashlib
import os
from collections.abc import Iterable

from ...errors import ConfigurationError
from ..consignment import MAX_SIGNATURES, Consignment, Signature, short_key
from ..keys import KeyFile, Keys, parse_key
from ..verdict import ACCEPT, Verdict
from .asking import Answer, Block, Question, Undecided, broken

__all__ = ["max_modules", "signed_by"]


class max_modules(Block):
    """Accepts what came in a consignment of at most `most` modules. Without one it cannot tell, and so denies."""

    def __init__(self, most: int) -> None:
        if type(most) is not int or most < 1:
            raise ConfigurationError(f"max_modules({most!r}): a positive number of modules is needed")
        self.most = most

    def __repr__(self) -> str:
        return f"max_modules({self.most})"

    def _weigh(self, question: Question) -> Answer:
        if question.consignment is None:
            return Undecided.because("without a consignment there are no modules to count")
        count = len(question.consignment.manifest)
        if count <= self.most:
            return ACCEPT
        return Verdict(False, f"{question.name!r} is one of {count} modules, {self.most} are allowed")


class signed_by(Block):
    """Accepts incoming modules whose whole consignment a trusted publisher has signed with Ed25519.

    Going out, and without a consignment, it cannot tell, and so denies.

    Args:
        keys: Public keys ``ed25519:<64 hexadecimal digits>``, one text or several; or the path of a key file with lines
            ``ed25519:... name``, ``revoked ed25519:...`` and ``# comment``. The file is read again when it changes;
            while it cannot be read, nobody is trusted.
        revoked: Keys that are trusted no longer, in addition to those that a file names.
        every: All trusted keys must have signed, not just one of them.

    Raises:
        ConfigurationError: No keys, something that is no key, or a file that cannot be read.

    Source: RFC 8032; what is signed: docs/decide-which-code-may-cross.md, "Signatures".
    """

    def __init__(
        self, keys: str | os.PathLike[str] | Iterable[str], revoked: Iterable[str] = (), *, every: bool = False
    ) -> None:
        if isinstance(revoked, str):
            revoked = (revoked,)
        self.revoked = frozenset(map(parse_key, revoked))
        self.every = every
        self._file: KeyFile | None = None
        if isinstance(keys, os.PathLike) or (isinstance(keys, str) and not keys.startswith("ed25519:")):
            self._file = KeyFile(keys)
            self._file.keys()
        else:
            texts = (keys,) if isinstance(keys, str) else tuple(keys)
            self._fixed = Keys(dict.fromkeys(map(parse_key, texts), "")).with_revoked(self.revoked)
            if not texts:
                raise ConfigurationError('signed_by() needs keys: ["ed25519:..."], or the path of a key file')

    def __repr__(self) -> str:
        shown = repr(str(self._file.path)) if self._file else f"<{len(self._fixed.trusted)}>"
        revoked = f", revoked=<{len(self.revoked)}>" if self.revoked else ""
        return f"signed_by({shown}{revoked}{', every=True' if self.every else ''})"

    def _weigh(self, question: Question) -> Answer:
        consignment = question.consignment
        if question.module is None or consignment is None:
            return Undecided.because("only incoming code in a consignment is signed")
        digest = hashlib.sha256(question.module.encode("utf-8", "surrogatepass")).hexdigest()
        if consignment.manifest.get(question.name) != digest:
            return Verdict(False, f"{question.name!r} is not what its consignment lists under that name")
        try:
            keys = self._file.keys().with_revoked(self.revoked) if self._file else self._fixed
        except ConfigurationError as error:
            return broken(str(error))
        return self._decide(consignment, keys)

    def _decide(self, consignment: Consignment, keys: Keys) -> Verdict:
        signatures = consignment.signatures
        if not signatures:
            return Verdict(False, "nobody has signed it")
        if len(signatures) > MAX_SIGNATURES:
            return Verdict(False, f"it has {len(signatures)} signatures, {MAX_SIGNATURES} are the most")
        good: dict[str, str] = {}
        faults: list[str] = []
        for signature in signatures:
            fault = _fault(consignment, signature, keys)
            if fault:
                faults.append(fault)
            else:
                good[signature.key] = f"{short_key(signature.key)} {keys.trusted[signature.key]}".rstrip()
        wanted = keys.trusted.keys() - keys.revoked
        missing = sorted(wanted - good.keys()) if self.every else []
        if good and not missing:
            return Verdict(True, f"signed by {', '.join(good.values())}")
        faults += [f"{short_key(key)} has not signed" for key in missing[:MAX_SIGNATURES]]
        return Verdict(False, "; ".join(faults))


def _fault(consignment: Consignment, signature: Signature, keys: Keys) -> str:
    """Why a signature does not count, "" where it does; only those of trusted keys cost the time to verify."""
    if signature.key in keys.revoked:
        return f"the key {short_key(signature.key)} was revoked"
    if signature.key not in keys.trusted:
        return f"the key {short_key(signature.key)} is unknown here"
    if not consignment.is_signed(signature):
        return f"the signature of {short_key(signature.key)} is wrong: it is of other code"
    return ""
