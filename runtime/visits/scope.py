"""One call of a client's, with all that came with it: its mobile objects, their code, its visit, its errands elsewhere.

The host never runs foreign code. A mobile object in a call's arguments becomes a `Handle`; the first use of one opens
the call's visit, where all handles of the call come to life together; when the call has returned, the visit is over.
"""

import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from ...agents.manifest import closure_id
from ...errors import CodeDenied, EmporionError, VisitEnded
from ...validators.connection import Connection
from ...validators.consignment import Consignment
from ..code.admission import Arrivals, Fetch, Realm, Traveller
from ..context import Caller
from ..events import Printed, announce
from ..exposure import interface_of
from ..packing import pack
from ..parcel import Parcel
from ..proxy import Proxy
from ..wire.hooks import Mobile, Named
from ..wire.messages import Body
from ..wire.values import encode_values
from .handle import Handle, Reference
from .office import Office
from .visit import Visit

__all__ = ["Scope"]

_OVER: Final = VisitEnded("the visit ended with the call that the agent came with")  # only its text is raised

_NOTHING: Final[Mapping[Any, Any]] = MappingProxyType({})

Label = Callable[[int], str]
Encode = Callable[[Sequence[object], Label], tuple[Body, list[bytes]]]


class _Here(threading.local):
    """The handles of the message that a thread decodes."""

    def __init__(self) -> None:
        self.arriving: list[Handle] = []


_here: Final = _Here()
_BOOKS: Final = threading.Lock()  # a call may have several threads (`asyncio.to_thread`) that bring and pass on


@dataclass(slots=True, eq=False)
class _Brought:
    """A closure that was let in: who sent it, by which end of a connection, and for which object."""

    goods: Consignment
    owner: object
    sender: Traveller
    realm: Realm


class Scope:
    """One call of a client's: whose it is, what it may do, its handles, and its visit once there is one."""

    # One is made for every call: slots take half the time.
    __slots__ = (
        *("_brought", "_errands", "_kept", "_loaded", "_opening", "_output", "_over", "_sent", "_visit", "caller"),
        *("ended", "fresh", "handles", "home", "office", "owner", "realm", "supplies"),
    )

    def __init__(
        self, realm: Realm, caller: Caller, office: Office, output: Callable[[str, str], None], owner: object
    ) -> None:
        self.home = realm  # of the object that was called: its limits and walls are the visit's
        self.realm = realm  # of the object whose code runs now: its validator decides what it hands out and takes
        self.caller = caller
        self.owner = owner  # the end of the connection that the call came by: its own code goes home unasked
        self.office = office
        self.handles: list[Handle] = []
        self.ended = False  # answered, or for a detached call: its result was fetched
        self.fresh: Sequence[Handle] = ()  # whose state is of this moment: on the way out
        # Most calls carry no code and run no errands: they share these, which stay empty.
        self._brought: Mapping[str, list[_Brought]] = _NOTHING  # by closure id: what came
        self._sent: Mapping[object, frozenset[str]] = _NOTHING  # closures that were passed on, by whither
        self.supplies: Mapping[object, dict[str, str]] = _NOTHING  # likewise: the sources, by digest
        self._kept: list[Sequence[str]] = []  # digests that stay in the code store until the call is over
        self._output = output
        self._opening = threading.RLock()
        self._visit: Visit | None = None
        self._loaded = False  # until then other threads wait: alone, their handles would share nothing with the others
        self._over: EmporionError | None = None
        self._errands: tuple[Any, ...] = ()  # calls to other hosts that wait for their answer

    @property
    def traveller(self) -> Traveller:
        """The caller, for validators and logs."""
        who = "anonymous" if self.caller.identity is None else self.caller.identity
        return Traveller(self.caller.address, self.caller, f"{who}@{self.caller.connection.where}")

    @staticmethod
    def stranger(address: tuple[str, int], where: str) -> Traveller:
        """Another host, for validators and logs: a caller without an identity."""
        return Traveller(address, Caller(None, address, None, Connection(address)), f"host@{where}")

    # --- code ---------------------------------------------------------------------------------------------------

    def keep(self, manifest: Mapping[str, str]) -> None:
        """Hold modules in the code store, here already or still to come, until the call is over."""
        digests = list(manifest.values())
        self.office.admission.store.hold(digests)
        self._kept.append(digests)
        if self.ended:
            self._let_go()  # a thread of the hosted method's goes on

    def decode(self, decode: Callable[[], list[Any]], sender: Traveller, fetch: Fetch, arrivals: Arrivals,
               owner: object, judge: Callable[[Handle], None] | None = None) -> list[Any]:
        """Read values that may bring mobile code, and have the validator of the object that takes it asked.

        Each closure once, however often it is listed; and none that no object of this message is made of.

        Args:
            decode: Gives the values; its mobile objects are handles of this scope.
            sender, owner: The other end, as validators see it; and this end of the connection.
            fetch, arrivals: As for `Admission.upload`.
            judge: Asked about each handle as well, once its code is here; it raises.

        Raises:
            CodeDenied: Nothing of it was kept.
        """
        before, _here.arriving = _here.arriving, []
        try:
            values, came = decode(), _here.arriving
        finally:
            _here.arriving = before
        closures = {closure_id(one._reference.goods.manifest): one._reference.goods for one in came}
        for goods in closures.values():
            self.keep(goods.manifest)
            self.office.admission.recalled(goods.manifest, "upload", sender)
            if self._comes_back(goods.manifest, owner):
                continue
            self.office.admission.upload(goods, self.realm, sender, fetch, arrivals)
            closure, brought = closure_id(goods.manifest), _Brought(goods, owner, sender, self.realm)
            with _BOOKS:
                self._brought = {**self._brought, closure: [*self._brought.get(closure, ()), brought]}
        if judge is not None:
            for handle in came:
                judge(handle)
        self.handles += came  # only now: what was not let in shall not come to life with the others
        return values

    def _comes_back(self, manifest: Mapping[str, str], owner: object) -> bool:
        """Whether this closure was passed on to `owner` in this call: then it is here still, and let in.

        A whole one: modules of several, or a closure less a module, are goods that nobody has judged or signed.
        """
        if closure_id(manifest) not in self._sent.get(owner, ()):
            return False
        for digest in manifest.values():
            # A host's own modules never were in the store.
            self.office.admission.store.put(digest, self.supplies[owner][digest])
        return True

    def let_in_again(self) -> None:
        """An agent of this call reaches an object with a validator of its own: what another accepted counts nothing.

        Raises:
            CodeDenied: It does not want this code near its object.
        """
        for one in self._all_brought():
            if one.realm is not self.realm:
                self.office.admission.upload(one.goods, self.realm, one.sender, _here_already)

    def let_out(self, manifest: Mapping[str, str], to: Traveller, owner: object) -> Mapping[str, str]:
        """Ask the validator of the object whose code runs about modules that are to go to `owner`, but for those that
        `owner` has brought with this call: what comes home to its sender is no download. Gives those others.

        Raises:
            CodeDenied: Naming the first module that may not.
        """
        self.office.admission.recalled(manifest, "download", to)
        if self._is_brought_by(owner, manifest):
            return _NOTHING
        own = [one.goods.manifest for one in self._all_brought() if one.owner is owner]
        foreign = {name: digest for name, digest in manifest.items() if all(one.get(name) != digest for one in own)}
        self.office.admission.download(foreign, self.realm, to)
        return foreign

    def is_brought(self, manifest: Mapping[str, str]) -> bool:
        """Whether one closure that came with this call has all of these modules."""
        return any(manifest.items() <= one.goods.manifest.items() for one in self._all_brought())

    def _is_brought_by(self, owner: object, manifest: Mapping[str, str]) -> bool:
        brought = (one for one in self._all_brought() if one.owner is owner)
        return any(manifest.items() <= one.goods.manifest.items() for one in brought)

    def _all_brought(self) -> list[_Brought]:
        return [one for brought in self._brought.values() for one in brought]

    def signed(self, goods: Consignment) -> Consignment:
        """`goods` for a new crossing, with the signatures that came with that closure."""
        brought = self._brought.get(closure_id(goods.manifest))
        return Consignment(goods.manifest, brought[0].goods.signatures if brought else goods.signatures)

    def pass_on(self, manifest: Mapping[str, str], text: Callable[[str], str], to: Traveller, owner: object) -> None:
        """Let modules go to another host, where the validator does, and have their sources ready for it."""
        self.let_out(manifest, to, owner)
        self.went_out(manifest, owner)
        known = self.supplies.get(owner, {})
        texts = {digest: text(digest) for digest in manifest.values() if digest not in known}
        with _BOOKS:
            self.supplies = {**self.supplies, owner: {**self.supplies.get(owner, {}), **texts}}

    def went_out(self, manifest: Mapping[str, str], owner: object) -> None:
        """A closure goes to `owner`, made of modules that were passed on: as it is it may come back."""
        with _BOOKS:
            self._sent = {**self._sent, owner: self._sent.get(owner, frozenset()) | {closure_id(manifest)}}

    def text_of(self, handle: Handle) -> Callable[[str], str]:
        """Gives the sources, by digest, of what a handle is made of.

        Raises:
            VisitEnded: By what is given; the code store has lost a text.
        """

        def text(digest: str) -> str:
            source = self.office.admission.store.get(digest)
            if source is None:
                raise VisitEnded(f"the code of {handle._reference} is gone from the code store")
            return source

        return text

    # --- what goes out ------------------------------------------------------------------------------------------

    def encode(self, values: Sequence[object], label: Label, encode: Encode) -> tuple[Body, list[bytes]]:
        """Values on their way out of the host. The mobile objects among them that live in the call's visit give their
        state together, so that what they share stays shared: a first pass finds them, the second one has it."""
        if self._visit is None or self._over is not None:
            return encode(values, label)
        living = self.settle(values, label)
        if not living:
            return encode(values, label)
        before, self.fresh = self.fresh, living
        try:
            return encode(values, label)
        finally:
            self.fresh = before

    def settle(self, values: Sequence[object], label: Label) -> list[Handle]:
        """Let the handles among `values` whose objects live in the visit have their state; gives these handles."""
        census = _Census(self)
        encode_values(values, census, label=label)
        if census.living:
            self.visit().depart(census.living)
        return census.living

    def take_apart(self, handle: Handle) -> Mobile | Named:
        """A handle on its way out, with its object's state as it is now."""
        if handle._scope is not self:
            raise VisitEnded("a handle of another call: it ended with the call that its agent came with")
        if handle._number and not handle._reference.lasting and not any(handle is one for one in self.fresh):
            self.visit().depart([handle])  # it came to life after the census, or by another thread
        reference = handle._reference
        return Reference(self.signed(reference.goods), *reference.name).taken_apart(handle._state)

    # --- the visit ----------------------------------------------------------------------------------------------

    def handle(self, goods: Consignment, module: str, qualname: str, *, named: bool = False) -> Handle:
        """A handle for something mobile that arrived with the call, or with an answer to an errand of it."""
        handle = Handle(self, Reference(goods, module, qualname, named))
        _here.arriving.append(handle)
        return handle

    def visit(self) -> Visit:
        """The visit of this call, opened at the first use of a handle.

        Raises:
            VisitEnded: The call is over, or the caller has gone.
            SandboxUnavailable: This machine cannot hold an agent.
        """
        if self._loaded and self._visit is not None and self._over is None:
            return self._visit
        with self._opening:
            self.check()
            if self._visit is None:
                visit = self._visit = Visit(self, self.office)
                if self._over is not None:
                    visit.end(self._over)  # cancelled while it opened
                try:
                    visit.load(self.handles)
                except EmporionError as error:
                    # Nobody came to life: not all of them will, and some without the others are not what was sent.
                    visit.end(error)
                    raise
                finally:
                    self._loaded = True
            return self._visit

    def output(self, agent: str, text: str) -> None:
        """Lines that an agent printed: to the host's log, and home to its sender."""
        announce(Printed(agent, self.traveller.label, text))
        with contextlib.suppress(EmporionError):  # the sender may be gone; its agent prints all the same
            self._output(agent, text)

    def come_back_by(self, owner: object, caller: Caller) -> None:
        """Whoever made this call has another connection now, and there fetches what came of it."""
        for one in self._all_brought():
            if one.owner is self.owner:
                one.owner = owner
        self.owner, self.caller = owner, caller

    # --- its end ------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def errand(self, recall: Any) -> Any:
        """While a call to another host waits for its answer: whoever cancels this one calls that one off.

        Args:
            recall: Its ``call_off()`` waits for nothing.

        Raises:
            VisitEnded: This call is cancelled already.
        """
        with self._opening:
            self._errands = (*self._errands, recall)
        try:
            self.check()
            yield
        finally:
            with self._opening:
                self._errands = tuple(one for one in self._errands if one is not recall)

    def check(self) -> None:
        """Raise `VisitEnded` where nobody waits for the call any more."""
        if self._over is not None:
            raise VisitEnded(str(self._over)) from None

    def cancel(self, error: EmporionError) -> None:
        """Nobody waits for the call any more: its visit dies now, and its errands are called off. Waits for nothing;
        idempotent; from any thread."""
        # No lock, for `visit` holds it while agents come to life. It sets `_visit` and then reads `_over`; here it is
        # the other way round, so one of the two sees the other. So it is with errands.
        self._over = self._over or error
        if self._visit is not None:
            self._visit.end(error)
        for recall in self._errands:
            recall.call_off()

    def leave(self) -> None:
        """The call has run: its visit is over, but what came with it stays to be sent home. Idempotent."""
        self._over = self._over or _OVER
        if self._visit is not None:
            self._visit.leave()
            self._visit.report()

    def end(self) -> None:
        """The call is over and answered. Idempotent; comes after every call, cancelled or not."""
        self.leave()
        self.ended = True
        self._let_go()

    def _let_go(self) -> None:
        with contextlib.suppress(IndexError):  # perhaps two threads are at it
            while self._kept:
                self.office.admission.store.release(self._kept.pop())


class _Census:
    """Encoder's hooks that send nothing: they only find the mobile objects of a value that live in a visit."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self.living: list[Handle] = []

    def capability(self, obj: object) -> tuple[Any, ...] | None:
        if isinstance(obj, Handle):
            return None
        return (1, 0) if interface_of(type(obj)) is not None or isinstance(obj, Proxy) else None

    def mobile(self, obj: object) -> Mobile | Named | None:
        if isinstance(obj, Handle):
            if obj._number and obj._scope is self._scope and not obj._reference.lasting:
                self.living.append(obj)
                return obj._reference.taken_apart(None)
            return obj._reference.taken_apart(obj._state)
        if isinstance(obj, Parcel):
            return obj._taken_apart()
        packed = pack(obj)
        return None if packed is None else packed[1]


def _here_already(missing: dict[str, str]) -> dict[str, str]:
    raise CodeDenied(next(iter(missing)), "upload", "its text is gone from the code store: send it again")
