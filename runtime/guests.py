"""The host's end of the session with a client: each call gets a scope, and code passes the object's validator."""

import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Protocol

from ..agents.closure import closure_of
from ..agents.manifest import check_qualname, closure_id
from ..agents.state import capture, name_of
from ..errors import CodeDenied, ConfigurationError, EmporionError, NamingError, NotExposed, VisitEnded
from ..validators.connection import Connection
from .code.admission import Realm, Traveller
from .context import MAX_NESTED, Caller, current_scope, here, too_deep
from .events import CodeCrossed, announce
from .exposure import Interface, interface_of
from .options import BOTH_WALLS, DEFAULT_LIMITS
from .peer import THEIRS, Peer, is_plain, split_arguments
from .proxy import Proxy
from .session import Asked
from .visits.handle import Handle, remember
from .visits.office import Office
from .visits.visit import Scope
from .wire.kinds import PLAIN
from .wire.messages import Body, Call, Code, Fault, Message, NeedCode, Op, Output
from .wire.values import Mobile, encode_values

__all__ = ["GuestPeer", "Registration", "Registry"]

FETCH_S: Final = 30.0  # for the sources of one closure: 8 MiB at the most, over a slow line
# For objects that are handed out while no call runs, by a thread of the host's own: nobody decided about code for them.
NOBODYS: Final = Realm("", None, DEFAULT_LIMITS, BOTH_WALLS)
_NO_KEYWORDS: Final[Mapping[str, Any]] = MappingProxyType({})


class Registration:
    """One registered object with what the operator decided for it."""

    __slots__ = ("interface", "obj", "realm")

    def __init__(self, obj: object, interface: Interface, realm: Realm) -> None:
        self.obj = obj
        self.interface = interface
        self.realm = realm


class Registry(Protocol):
    """What a guest's session asks of its host."""

    office: Office
    tracebacks: bool

    def find(self, name: str) -> Registration | None: ...
    def registration_of(self, obj: object) -> Registration | None: ...
    def left(self, guest: "GuestPeer", error: EmporionError) -> None: ...


class GuestPeer(Peer):
    """Speaks with one client that has been let in."""

    def __init__(self, registry: Registry, connection: Connection, where: str) -> None:
        super().__init__(where, tracebacks=registry.tracebacks)
        self._registry = registry
        self._office = registry.office
        self.connection = connection
        self.caller = Caller(connection.identity, connection.address, connection.certificate, connection)
        self._scopes: dict[Asked, Scope] = {}
        self._announced: dict[tuple[str, str], str] = {}  # (name, digest): source of what it may ask for

    # --- calls --------------------------------------------------------------------------------------------------

    def directory(self, method: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        if method != "lookup" or len(args) != 1 or kwargs or type(args[0]) is not str:
            raise NotExposed("a host answers lookup(name), and nothing else, before an object is named")
        registration = self._registry.find(args[0])
        if registration is None:
            raise NamingError(f"no object is registered here as {args[0]!r:.200}")
        return registration

    def serve(self, asked: Asked) -> tuple[Message, Sequence[bytes]]:
        before, here.scope = here.scope, None
        here.nested += 1
        try:
            return super().serve(asked) if here.nested <= MAX_NESTED else self.fault_out(asked.message.call, too_deep())
        finally:
            here.nested -= 1
            here.scope = before  # only now: an exception that goes out may hold an agent, too

    def answer(self, asked: Asked, message: Call) -> tuple[Body, list[bytes]]:
        if message.target == 0:
            return super().answer(asked, message)
        export = self.exports.get(message.target)
        if message.op != Op.CALL or message.method not in export.interface.methods:
            self.check(export, message)
        scope = self._scopes[asked] = Scope(export.realm, self.caller, self._office, self._output)
        if self.driver.error is not None:  # perhaps `closed` did not see this scope any more
            scope.cancel(VisitEnded("the caller's connection is over"))
        here.scope = scope
        body = message.body
        values = body.roots if is_plain(body) else self.decode(body, asked.blobs)
        args, kwargs = split_arguments(message, values) if message.keywords else (values, _NO_KEYWORDS)
        result = self._office.perform(asked, export, args, kwargs)
        return (Body([result]), []) if type(result) in PLAIN else self.encode_result(result)

    def answered(self, asked: Asked) -> None:
        scope = self._scopes.pop(asked, None)
        if scope is not None:
            scope.end()  # only now: the caller need not wait for a process to die

    @property
    def busy(self) -> bool:
        """Whether a call of this client's is running."""
        return bool(self._scopes)

    def cancelled(self, asked: Asked) -> None:
        scope = self._scopes.get(asked)
        if scope is not None:
            scope.cancel(VisitEnded("the caller cancelled"))

    def closed(self, error: EmporionError) -> None:
        for scope in list(self._scopes.values()):
            scope.cancel(VisitEnded(f"the caller's connection is over: {error}"))
        self._registry.left(self, error)

    def _output(self, agent: str, text: str) -> None:
        self.driver.post(Output(agent, text))

    def _own_scope(self) -> Scope | None:
        """The call that this thread serves, where it is one of this client's."""
        scope = current_scope()
        return scope if scope is not None and scope.caller is self.caller else None

    # --- what goes home -----------------------------------------------------------------------------------------

    def realm(self) -> Any:
        scope = current_scope()
        return NOBODYS if scope is None else scope.realm

    def capability_out(self, obj: object) -> tuple[Any, ...] | None:
        if isinstance(obj, Handle):
            return None
        registration = obj if isinstance(obj, Registration) else self._registry.registration_of(obj)
        if registration is None:
            return super().capability_out(obj)
        interface = registration.interface
        number = self.exports.add(registration.obj, interface, registration.realm)
        return (THEIRS, number, interface.label, sorted(interface.methods), sorted(interface.properties))

    def encode(self, values: Sequence[object], label: Callable[[int], str]) -> tuple[Body, list[bytes]]:
        """Values on their way to this client. The mobile objects among them that live in the call's visit give their
        state together, so that what they share stays shared: a first pass finds them, the second one has it."""
        scope = current_scope()
        visit = None if scope is None else scope.started
        if scope is None or visit is None:
            return super().encode(values, label)
        census = _Census(scope)
        encode_values(values, census, label=label)
        if not census.living:
            return super().encode(values, label)
        visit.depart(census.living)
        scope.fresh = census.living
        try:
            return super().encode(values, label)
        finally:
            scope.fresh = ()

    def mobile_out(self, obj: object) -> Mobile | None:
        if isinstance(obj, Handle):
            return self._handle_out(obj)
        try:
            closure = closure_of(type(obj))
        except ConfigurationError:
            return None
        self._announce(closure.manifest, closure.sources.__getitem__)
        return Mobile(closure.manifest, closure.module, name_of(obj), capture(obj))

    def _handle_out(self, handle: Handle) -> Mobile:
        scope = current_scope()
        if scope is None or handle._scope is not scope:
            raise VisitEnded("a handle of another call: it ended with the call that its agent came with")
        if handle._number and not any(handle is one for one in scope.fresh):
            scope.visit().depart([handle])  # in an exception, where nobody looked before
        reference = handle._reference
        store = self._office.admission.store

        def text(digest: str) -> str:
            source = store.get(digest)
            if source is None:
                raise VisitEnded(f"the code of {reference} is gone from the code store")
            return source

        self._announce(reference.manifest, text)
        return Mobile(reference.manifest, reference.module, reference.qualname, handle._state)

    def _announce(self, manifest: Mapping[str, str], text: Callable[[str], str]) -> None:
        """Let modules go, if the validator does, and remember that this client may ask for them.

        It has those that it brought with this call: what comes home to its sender is no download.
        """
        scope = current_scope()
        if scope is None:
            raise CodeDenied(next(iter(manifest)), "download", "mobile objects travel in calls, not outside of them")
        self._office.admission.recalled(manifest, "download", self._traveller(scope))
        own = () if scope.caller is not self.caller else scope.brought.values()
        if any(manifest.items() <= brought.items() for brought in own):
            return
        foreign = {
            name: digest for name, digest in manifest.items() if all(brought.get(name) != digest for brought in own)
        }
        self._office.admission.download(foreign, scope.realm, self._traveller(scope))
        for name, digest in foreign.items():
            if (name, digest) not in self._announced:
                self._announced[name, digest] = text(digest)

    def _traveller(self, scope: Scope) -> Traveller:
        """Who gets code: this client, whoever's call it is that makes it go out."""
        if scope.caller is self.caller:
            return scope.traveller
        return Traveller(self.caller.address, self.caller, self.where)

    def supply(self, asked: NeedCode) -> Code:
        sources = {}
        for name, digest in asked.modules.items():
            source = self._announced.get((name, digest))
            if source is None:
                raise CodeDenied(name[:200], "download", "this host announced no such module on this connection")
            sources[digest] = source
        # What was announced before it was yanked does not go any more.
        traveller = Traveller(self.caller.address, self.caller, self.where)
        self._office.admission.recalled(asked.modules, "download", traveller)
        for name, digest in asked.modules.items():
            announce(CodeCrossed(name, digest, "download", True, "sent", self.where))
        return Code(asked.call, sources)

    # --- what comes in ------------------------------------------------------------------------------------------

    def mobile_in(self, manifest: Mapping[str, str], module: str, qualname: str) -> object:
        scope = self._own_scope()
        if scope is None:
            # Whose validator would judge it, and in whose visit would it live?
            raise CodeDenied(module[:200], "upload", "mobile objects come in with calls of their sender's own")
        return scope.handle(manifest, module, check_qualname(qualname))

    def fill(self, shell: object, state: object) -> None:
        assert isinstance(shell, Handle)
        remember(shell, state)

    def decode(self, body: Body, blobs: Any) -> list[Any]:
        if not body.manifests:
            return super().decode(body, blobs)
        scope = self._own_scope()
        met = 0 if scope is None else len(scope.handles)
        values = super().decode(body, blobs)
        if scope is not None:
            # Each closure once, however often it is listed; and none that no object of this message is made of.
            came = {closure_id(one._reference.manifest): one._reference.manifest for one in scope.handles[met:]}
            for manifest in came.values():
                scope.let_in(manifest, self.fetch)
        return values

    def fetch(self, modules: dict[str, str]) -> dict[str, str]:
        """As `Peer.fetch`; who does not answer must not keep a thread of the host's for ever.

        Raises:
            CallTimeout: No source came within `FETCH_S` seconds.
        """
        answer, blobs = self.driver.request(NeedCode(0, 0, modules), wants=Code, deadline_s=time.monotonic() + FETCH_S)
        if type(answer) is Code:
            return answer.sources
        assert type(answer) is Fault
        raise self.fault_in(answer, blobs)


class _Census:
    """Encoder's hooks that send nothing: they only find the mobile objects of a value that live in a visit."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self.living: list[Handle] = []

    def capability(self, obj: object) -> tuple[Any, ...] | None:
        if isinstance(obj, Handle):
            return None
        return (1, 0) if interface_of(type(obj)) is not None or isinstance(obj, Proxy) else None

    def mobile(self, obj: object) -> Mobile | None:
        if isinstance(obj, Handle):
            if obj._number and obj._scope is self._scope:
                self.living.append(obj)
                return Mobile(obj._reference.manifest, obj._reference.module, obj._reference.qualname, None)
            return Mobile(obj._reference.manifest, obj._reference.module, obj._reference.qualname, obj._state)
        try:
            closure = closure_of(type(obj))
        except ConfigurationError:
            return None
        return Mobile(closure.manifest, closure.module, name_of(obj), capture(obj))
