"""Which code may cross, in which order it is asked: the host's customs, for both directions.

Upload: bounded read, digest, name rules, code validator, language policy (in a jail that only compiles). Nothing of
a closure is kept, compiled or run before all of it was accepted by the validator.

Source: docs/protocol.md, "Code".
"""

import logging
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final

from ...agents.manifest import MAX_CLOSURE_BYTES, check_manifest
from ...errors import CodeDenied, EmporionError, ProtocolError
from ...validators.code import CodeValidator, judge
from ..events import CodeCrossed, announce
from ..options import Isolation, Limits
from ..sandbox.language.policy import POLICY_VERSION
from .store import CodeStore

__all__ = ["Admission", "Realm", "Traveller"]

log = logging.getLogger("emporion.code")

PYTHON: Final = f"{sys.implementation.cache_tag}"  # compiled code is bound to one Python version


@dataclass(slots=True, eq=False)
class Realm:
    """What an operator decided for a registered object; it rules everything that is reached through the object."""

    name: str
    code_validator: CodeValidator | None
    limits: Limits
    isolation: Isolation
    lock: AbstractContextManager[Any] | None = None  # held while a call of the registered object itself runs


@dataclass(frozen=True, slots=True)
class Traveller:
    """Who sends or gets code, as validators and logs see it."""

    address: tuple[str, int]
    caller: Any
    label: str  # "identity@ip:port"


Compile = Callable[[str, str, str, bool], bytes]  # name, digest, source, under the language policy


def _log_error(error: Exception) -> None:
    log.error("a code validator raised, which denies", exc_info=error)


class Admission:
    """Asks, fetches, compiles and stores.

    Args:
        compile: Gives a module's code as opaque bytes, made in a jailed process; raises `EmporionError` with the
            complaints of the language policy.
        max_closure_bytes: All sources of one closure together; checked before they are kept.
    """

    def __init__(self, store: CodeStore, compile: Compile, *, max_closure_bytes: int = MAX_CLOSURE_BYTES) -> None:
        self.store = store
        self._compile = compile
        self._max_closure_bytes = max_closure_bytes

    def upload(self, manifest: Mapping[str, str], realm: Realm, traveller: Traveller,
               fetch: Callable[[dict[str, str]], dict[str, str]]) -> None:
        """Let a closure in, whole or not at all.

        Args:
            fetch: Asks the sender for the modules that are missing here, {name: digest}, and gives sources by digest.

        Raises:
            CodeDenied: Naming the module; each denial is in the log.
            ProtocolError: What the sender gave is not what its manifest announced.
        """
        check_manifest(manifest)
        known = {digest: text for digest in manifest.values() if (text := self.store.get(digest)) is not None}
        missing = {name: digest for name, digest in manifest.items() if digest not in known}
        sources = dict(known)
        if missing:
            if realm.code_validator is None:
                # No need to carry what nobody will accept.
                name = next(iter(missing))
                raise self._denied(name, missing, "upload", "the object has no code validator", traveller)
            sources.update(self._received(missing, fetch(missing)))
        for name, digest in manifest.items():
            self._ask(realm, name, sources[digest], digest, "upload", traveller, "known" if digest in known else "sent")
        for digest in missing.values():
            self.store.put(digest, sources[digest])
        for name, digest in manifest.items():
            self.compiled(name, digest, sources[digest], realm, traveller)

    def download(self, manifest: Mapping[str, str], realm: Realm, traveller: Traveller) -> None:
        """Ask whether modules of this host, or of an agent that passes through, may go to the other end.

        Raises:
            CodeDenied: Naming the first module that may not.
        """
        for name, digest in manifest.items():
            self._ask(realm, name, None, digest, "download", traveller, "announced")

    def compiled(self, name: str, digest: str, source: str, realm: Realm, traveller: Traveller) -> bytes:
        """The code of an accepted module, from the store or made now."""
        key = f"{POLICY_VERSION}:{PYTHON}:{int(realm.isolation.language)}:{name}"
        code = self.store.compiled(digest, key)
        if code is None:
            try:
                code = self._compile(name, digest, source, realm.isolation.language)
            except CodeDenied as error:
                raise self._denied(name, {name: digest}, "upload", error.reason, traveller) from None
            self.store.put_compiled(digest, key, code)
        return code

    def _received(self, missing: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
        """The sender's answer, held against what it announced."""
        wanted = set(missing.values())
        if set(given) != wanted:
            raise ProtocolError(f"asked for {len(wanted)} modules, got {len(given)}, not the same ones")
        total = sum(len(source) for source in given.values())
        if total > self._max_closure_bytes:
            raise CodeDenied(next(iter(missing)), "upload",
                             f"its closure has {total} characters, more than {self._max_closure_bytes}")
        for digest, source in given.items():
            self.store.check(digest, source)
        return dict(given)

    def _ask(self, realm: Realm, name: str, source: str | None, digest: str, direction: str, traveller: Traveller,
             what: str) -> None:
        address = traveller.address if source is not None else None
        verdict = judge(realm.code_validator, name, source, address, caller=traveller.caller, on_error=_log_error)
        if not verdict:
            raise self._denied(name, {name: digest}, direction, verdict.reason, traveller)
        announce(CodeCrossed(name, digest, direction, True, what, traveller.label))

    def _denied(self, name: str, digests: Mapping[str, str], direction: str, reason: str,
                traveller: Traveller) -> EmporionError:
        announce(CodeCrossed(name, digests[name], direction, False, reason, traveller.label))
        return CodeDenied(name, direction, reason)
