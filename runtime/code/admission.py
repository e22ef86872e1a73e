"""Which code may cross, in which order it is asked: the host's customs, for both directions.

Upload: bounded read, digest, name rules, code validator, language policy (in a jail that only compiles), store. The
validator has accepted a closure whole before any of it is compiled, and the policy has before any of it is kept.

Source: docs/protocol.md, "Code".
"""

import logging
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Final

from ...agents.manifest import MAX_CLOSURE_BYTES, MAX_MODULE_BYTES, MAX_NAME_CHARS, check_manifest, packages_of
from ...errors import CodeDenied, LimitExceeded, ProtocolError
from ...validators.code import CodeValidator, judge
from ...validators.consignment import Consignment
from ..events import CodeCrossed, announce
from ..options import Isolation, Limits
from ..sandbox.language.complaints import Complaint, Need, Refused, in_one_line
from ..sandbox.language.policy import POLICY_VERSION
from .flights import Flight, Flights
from .kept import yank_reason
from .store import CodeStore

__all__ = ["Admission", "Arrivals", "Fetch", "Realm", "Traveller"]

log = logging.getLogger("emporion.code")

PYTHON: Final = f"{sys.implementation.cache_tag}"  # compiled code is bound to one Python version
# For all modules of a closure that are new here. Each has limits of its own while it is compiled; 500 modules that come
# close to them would keep a processor busy for an hour.
COMPILE_BUDGET_S: Final = 60.0
MAX_REASON_CHARS: Final = 2_000  # complaints of the language policy quote the agent's names


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
    label: str  # "identity@ip:port", "identity@uid=1000,pid=4711"


_CHANGING: Final = re.compile(r"(:\d+|,pid=\d+)\Z")  # what one sender has another one of each time

Compile = Callable[[str, str, str, Isolation], bytes]  # name, digest, source, the walls of the visits it is for
Fetch = Callable[[dict[str, str]], Mapping[str, str]]
Arrivals = Flights[str, str]  # sources by digest that are on their way from one sender
# For sources that another thread is fetching from the same sender, and for modules that another thread compiles. Who
# has waited this long helps itself: the other one has met its own bounds by then.
JOIN_S: Final = 45.0


Claims = dict[tuple[str, str], Flight[bytes]]  # modules that one thread compiles: (digest, key)


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
        self._compiling: Flights[tuple[str, str], bytes] = Flights()

    def upload(
        self, goods: Consignment, realm: Realm, traveller: Traveller, fetch: Fetch, arrivals: Arrivals | None = None
    ) -> None:
        """Let a closure in, whole or not at all.

        Args:
            signatures: What the sender says are signatures of `manifest`; for the validator to verify.
            fetch: Asks the sender for the modules that are missing here, {name: digest}, and gives sources by digest.
            arrivals: What that sender is sending at the moment: each text is asked for once, whoever else wants it.

        Raises:
            CodeDenied: Naming the module and the rule; each denial is in the log. What the sender gave in place of the
                modules it had announced, names that no module may have, and what was yanked, are denied too.
        """
        manifest = goods.manifest
        try:
            check_manifest(dict(manifest))
        except ProtocolError as error:
            name = next(iter(manifest), "")
            raise self._denied(name, manifest, "upload", str(error), traveller) from None
        self.recalled(manifest, "upload", traveller)
        known = {digest: text for digest in manifest.values() if (text := self.store.get(digest)) is not None}
        missing = {name: digest for name, digest in manifest.items() if digest not in known}
        if missing and realm.code_validator is None:
            # No need to carry what nobody will accept.
            name = next(iter(missing))
            raise self._denied(name, missing, "upload", "the object has no code validator", traveller)
        with self._sources(missing, traveller, fetch, Flights() if arrivals is None else arrivals) as sent:
            sources = {**known, **sent}
            for name, digest in manifest.items():
                what = "known" if digest in known else "sent"
                self._ask(realm, name, sources[digest], digest, "upload", traveller, what, goods)
            self._keep(manifest, sources, realm.isolation, traveller)
        self.store.record(manifest, _CHANGING.sub("", traveller.label))

    @contextmanager
    def _sources(
        self, missing: Mapping[str, str], traveller: Traveller, fetch: Fetch, arrivals: Arrivals
    ) -> Iterator[dict[str, str]]:
        """The sources of `missing` modules, by digest; none is asked for twice at one time. The block keeps or drops
        them: until its end they can be had by others who want them too."""
        mine, theirs, found = arrivals.claim(missing.values(), self.store.get)
        try:
            wanted = {name: digest for name, digest in missing.items() if digest in mine}
            if wanted:
                found |= self._received(wanted, fetch(wanted), traveller)
                for digest, flight in mine.items():
                    flight.land(found[digest])
            found |= {digest: text for digest, flight in theirs.items() if (text := flight.wait(JOIN_S)) is not None}
            wanted = {name: digest for name, digest in missing.items() if digest not in found}
            if wanted:  # somebody else's turn went wrong: perhaps for reasons of its own
                found |= self._received(wanted, fetch(wanted), traveller)
            yield found
        finally:
            arrivals.clear(mine)

    def download(self, manifest: Mapping[str, str], realm: Realm, traveller: Traveller) -> None:
        """Ask whether modules of this host, or of an agent that passes through, may go to the other end.

        Raises:
            CodeDenied: Naming the first module that may not, or that was yanked.
        """
        goods = Consignment(manifest)
        self.recalled(manifest, "download", traveller)
        for name, digest in manifest.items():
            self._ask(realm, name, None, digest, "download", traveller, "announced", goods)

    def recalled(self, modules: Mapping[str, str], direction: str, traveller: Traveller) -> None:
        """Refuse what the operator has yanked, {name: digest}; nobody else is asked.

        Raises:
            CodeDenied: Naming the module, its digest, and why it was yanked.
        """
        yanks = self.store.yanks()
        for name, digest in modules.items() if yanks else ():
            if digest in yanks:
                raise self._denied(name, modules, direction, yank_reason(digest, yanks[digest]), traveller)

    def compiled(self, name: str, digest: str, source: str, isolation: Isolation, traveller: Traveller) -> bytes:
        """The code of an accepted module, from the store or made now.

        Raises:
            CodeDenied: The language policy or the compiler refused, or the module was yanked.
        """
        self.recalled({name: digest}, "upload", traveller)
        key = _key(name, isolation)
        code = self.store.compiled(digest, key)
        if code is None:
            claimed = Claims()
            try:
                code = self._compiled_once(name, digest, source, isolation, traveller, claimed)
                self.store.put_compiled(digest, key, code)
            except Refused as error:
                raise self._denied(name, {name: digest}, "upload", error.reason, traveller) from None
            finally:
                self._compiling.clear(claimed)
        return code

    def _keep(self, manifest: Mapping[str, str], sources: Mapping[str, str], isolation: Isolation,
              traveller: Traveller) -> None:
        """Compile what is new, and keep it once all of it compiles."""
        self.recalled(manifest, "upload", traveller)  # again: its sources may have been half a minute on their way
        until_s = time.monotonic() + COMPILE_BUDGET_S
        codes: list[tuple[str, str, bytes]] = []
        claimed = Claims()
        refused: list[CodeDenied] = []  # the author is told of all modules at once
        try:
            for name, digest in manifest.items():
                key = _key(name, isolation)
                code = self.store.compiled(digest, key)
                if code is None:
                    if time.monotonic() > until_s:
                        why = f"compiling its closure took more than {COMPILE_BUDGET_S:g} s: send less code at once"
                        raise self._denied(name, manifest, "upload", why, traveller)
                    try:
                        code = self._compiled_once(name, digest, sources[digest], isolation, traveller, claimed)
                    except Refused as error:
                        lines = [error.reason, *map(str, _absent(error, manifest))]
                        refused.append(self._denied(name, manifest, "upload", "; ".join(lines), traveller))
                        continue
                    codes.append((digest, key, code))
                absent = _absent(code, manifest)
                if absent:
                    refused.append(self._denied(name, manifest, "upload", in_one_line(absent), traveller))
            if refused:
                raise _together(refused)
            for name, digest in manifest.items():
                try:
                    self.store.put(digest, sources[digest])
                except LimitExceeded as error:
                    why = f"the code store is full of code that is in use ({error}): try again later"
                    raise self._denied(name, manifest, "upload", why, traveller) from None
            for digest, key, code in codes:
                self.store.put_compiled(digest, key, code)
        finally:
            self._compiling.clear(claimed)

    def _compiled_once(self, name: str, digest: str, source: str, isolation: Isolation, traveller: Traveller,
                       claimed: "Claims") -> bytes:
        """A module's code, made now, or by another thread that is at it; what is made stays in `claimed`.

        Raises:
            Refused: By the language policy; whoever has the whole closure says so.
            CodeDenied: It cannot be compiled.
        """
        key = digest, _key(name, isolation)
        mine, theirs, found = self._compiling.claim([key], lambda key: self.store.compiled(*key))
        claimed.update(mine)
        code = found.get(key) or (theirs[key].wait(JOIN_S) if theirs else None)
        if code is not None:
            return code
        try:
            code = self._compile(name, digest, source, isolation)
        except Refused:
            raise
        except CodeDenied as error:
            raise self._denied(name, {name: digest}, "upload", error.reason, traveller) from None
        if mine:
            mine[key].land(code)
        return code

    def _received(self, missing: Mapping[str, str], given: Mapping[str, str], traveller: Traveller) -> dict[str, str]:
        """The sender's answer, held against what it announced."""
        first = next(iter(missing))
        wanted = set(missing.values())
        if set(given) != wanted:
            why = f"asked for {len(wanted)} sources, its sender gave {len(given)}, not the same ones"
            raise self._denied(first, missing, "upload", why, traveller)
        total = 0
        for name, digest in missing.items():
            source = given[digest]
            size = len(source) if source.isascii() else len(source.encode(errors="replace"))
            total += size
            if size > MAX_MODULE_BYTES:
                why = f"its source has {size:,} bytes; {MAX_MODULE_BYTES:,} is the most"
                raise self._denied(name, missing, "upload", why, traveller)
            try:
                self.store.check(digest, source)
            except ProtocolError as error:
                raise self._denied(name, missing, "upload", str(error), traveller) from None
        if total > self._max_closure_bytes:
            why = f"its closure has {total:,} bytes; {self._max_closure_bytes:,} is the most"
            raise self._denied(first, missing, "upload", why, traveller)
        return dict(given)

    def _ask(self, realm: Realm, name: str, source: str | None, digest: str, direction: str, traveller: Traveller,
             what: str, goods: Consignment) -> None:
        address = traveller.address if source is not None else None
        verdict = judge(
            realm.code_validator, name, source, address, caller=traveller.caller, consignment=goods, on_error=_log_error
        )
        if not verdict:
            why, told = verdict.reason, verdict.told_reason
            raise self._denied(name, {name: digest}, direction, why, traveller, told)
        announce(CodeCrossed(name, digest, direction, True, what, traveller.label))

    def _denied(self, name: str, digests: Mapping[str, str], direction: str, reason: str,
                traveller: Traveller, told: str | None = None) -> CodeDenied:
        """Log a denial; the peer hears `told` where that is not the whole reason."""
        reason = reason[:MAX_REASON_CHARS]
        told = reason if told is None else told[:MAX_REASON_CHARS]
        announce(CodeCrossed(name, digests.get(name, ""), direction, False, reason, traveller.label))
        return CodeDenied(name[:MAX_NAME_CHARS], direction, told)


def _absent(told: object, manifest: Mapping[str, str]) -> list[Complaint]:
    """What the compiler said that a module needs, less what comes with it in its own closure."""
    needs: tuple[Need, ...] = getattr(told, "needs", ())
    own = manifest.keys() | packages_of(manifest) if needs else ()
    return [need.complaint for need in needs if need.module not in own]


def _together(refused: list[CodeDenied]) -> CodeDenied:
    """One refusal for the modules of a closure: the first one's, which tells of the others."""
    first, *others = refused
    reason = "; ".join([first.reason, *(f"module {one.module!r}: {one.reason}" for one in others)])
    return CodeDenied(first.module, first.direction, reason[:MAX_REASON_CHARS])


def _key(name: str, isolation: Isolation) -> str:
    """What compiled code is kept under. A wall less makes other code, or code that other visits must not trust."""
    # Another set of modules makes other needs, which are asked for when code is made.
    more = "".join(f"+{module}" for module in isolation.modules)
    return f"{POLICY_VERSION}:{PYTHON}:{int(isolation.language)}{int(isolation.os)}{more}:{name}"
