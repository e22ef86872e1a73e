"""The host's end of the session with a client: each call gets a scope, and code passes the object's validator."""

import asyncio
import functools
from collections.abc import Callable, Mapping, Sequence
from types import CoroutineType
from typing import Any, Protocol

from ..agents.closure import closure_of
from ..agents.manifest import check_manifest, check_qualname
from ..agents.state import capture, name_of
from ..errors import CodeDenied, ConfigurationError, EmporionError, NamingError, NotExposed, ProtocolError, VisitEnded
from ..validators.connection import Connection
from .code.admission import Realm
from .context import Caller, current_scope, enter
from .events import CodeCrossed, announce
from .exports import Export
from .exposure import Interface, interface_of
from .peer import THEIRS, Peer, perform, split_arguments
from .proxy import Proxy
from .session import Asked
from .visits.handle import Handle
from .visits.visit import Office, Scope
from .wire.messages import Body, Call, Code, NeedCode, Output
from .wire.values import Mobile, encode_values

__all__ = ["GuestPeer", "Registration", "Registry"]


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
        self.connection = connection
        self.caller = Caller(connection.identity, connection.address, connection.certificate, connection)
        self._scopes: dict[int, Scope] = {}
        self._theirs: set[tuple[str, str]] = set()  # modules that this client brought: it has them
        self._announced: dict[str, tuple[str, str]] = {}  # digest: name and source of what it may ask for

    # --- calls --------------------------------------------------------------------------------------------------

    def directory(self, method: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        if method != "lookup" or len(args) != 1 or kwargs or type(args[0]) is not str:
            raise NotExposed("a host answers lookup(name), and nothing else, before an object is named")
        registration = self._registry.find(args[0])
        if registration is None:
            raise NamingError(f"no object is registered here as {args[0]!r:.200}")
        return registration

    def answer(self, asked: Asked, message: Call) -> tuple[Body, list[bytes]]:
        if message.target == 0:
            return super().answer(asked, message)
        export = self.exports.get(message.target)
        self.check(export, message)
        scope = Scope(export.realm, self.caller, self._registry.office, output=self._output)
        self._scopes[message.call] = scope
        before = enter(scope)
        try:
            args, kwargs = split_arguments(message, self.decode(message.body, asked.blobs))
            return self._homeward(scope, self.invoke(asked, export, args, kwargs))
        finally:
            enter(before)

    def answered(self, asked: Asked) -> None:
        scope = self._scopes.pop(asked.message.call, None)
        if scope is not None:
            scope.end()  # only now: the caller need not wait for a process to die

    def invoke(self, asked: Asked, export: Export, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        lock = export.realm.lock
        if lock is None or self._registry.registration_of(export.obj) is None:
            result = perform(export.obj, asked.message, args, kwargs)
        else:
            with lock:
                result = perform(export.obj, asked.message, args, kwargs)
        return asyncio.run(result) if type(result) is CoroutineType else result

    @property
    def busy(self) -> bool:
        """Whether a call of this client's is running."""
        return bool(self._scopes)

    def cancelled(self, asked: Asked) -> None:
        scope = self._scopes.get(asked.message.call)
        if scope is not None:
            scope.end(VisitEnded("the caller cancelled"))

    def closed(self, error: EmporionError) -> None:
        for scope in list(self._scopes.values()):
            scope.end(VisitEnded(f"the caller's connection is over: {error}"))
        self._registry.left(self, error)

    def _output(self, agent: str, text: str) -> None:
        self.driver.post(Output(agent, text))

    # --- what goes home -----------------------------------------------------------------------------------------

    def realm(self) -> Any:
        scope = current_scope()
        return None if scope is None else scope.realm

    def capability_out(self, obj: object) -> tuple[Any, ...] | None:
        if isinstance(obj, Handle):
            return None
        registration = obj if isinstance(obj, Registration) else self._registry.registration_of(obj)
        if registration is None:
            return super().capability_out(obj)
        interface = registration.interface
        number = self.exports.add(registration.obj, interface, registration.realm)
        return (THEIRS, number, interface.label, sorted(interface.methods), sorted(interface.properties))

    def _homeward(self, scope: Scope, result: object) -> tuple[Body, list[bytes]]:
        """Encode a result. Mobile objects in it that live in the visit leave it together, so that what they share
        stays shared: a first pass finds them, the second one has their state."""
        visit = scope.started
        if visit is not None:
            census = _Census()
            encode_values((result,), census, label=lambda _: "result")
            if census.living:
                scope.departed = dict(zip(map(id, census.living), visit.depart(census.living), strict=True))
        return self.encode((result,), lambda _: "result")

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
        handle = scope.departed.get(id(handle), handle)
        reference = handle._reference
        store = self._registry.office.admission.store

        def text(digest: str) -> str:
            source = store.get(digest)
            if source is None:
                raise VisitEnded(f"the code of {reference} is gone from the code store")
            return source

        self._announce(reference.manifest, text)
        return Mobile(reference.manifest, reference.module, reference.qualname, handle._state)

    def _announce(self, manifest: Mapping[str, str], text: Callable[[str], str]) -> None:
        """Let modules go, if the validator does, and remember that this client may ask for them."""
        foreign = {name: digest for name, digest in manifest.items() if (name, digest) not in self._theirs}
        if not foreign:
            return
        scope = current_scope()
        if scope is None:
            raise ProtocolError("a mobile object outside of a call")
        self._registry.office.admission.download(foreign, scope.realm, scope.traveller)
        for name, digest in foreign.items():
            if digest not in self._announced:
                self._announced[digest] = (name, text(digest))

    def supply(self, asked: NeedCode) -> Code:
        sources = {}
        for name, digest in asked.modules.items():
            announced = self._announced.get(digest)
            if announced is None or announced[0] != name:
                raise CodeDenied(name[:200], "download", "this host announced no such module on this connection")
            sources[digest] = announced[1]
        for name, digest in asked.modules.items():
            announce(CodeCrossed(name, digest, "download", True, "sent", self.where))
        return Code(asked.call, sources)

    # --- what comes in ------------------------------------------------------------------------------------------

    def mobile_in(self, manifest: Mapping[str, str], module: str, qualname: str) -> object:
        scope = current_scope()
        if scope is None:
            raise ProtocolError("a mobile object outside of a call")
        if module not in manifest:
            raise ProtocolError("a mobile object whose manifest does not list its module")
        return scope.handle(manifest, module, check_qualname(qualname))

    def fill(self, shell: object, state: object) -> None:
        assert isinstance(shell, Handle)
        object.__setattr__(shell, "_state", state)

    def decode(self, body: Body, blobs: Any) -> list[Any]:
        values = super().decode(body, blobs)
        if body.manifests:
            scope = current_scope()
            if scope is None:
                raise ProtocolError("code outside of a call")
            admission = self._registry.office.admission
            for manifest in body.manifests:
                admission.store.pin(kept := list(manifest.values()))
                scope.held.append(functools.partial(admission.store.unpin, kept))
                admission.upload(check_manifest(manifest), scope.realm, scope.traveller, self.fetch)
                self._theirs.update(manifest.items())
        return values


class _Census:
    """Encoder's hooks that send nothing: they only find the mobile objects of a value that live in a visit."""

    def __init__(self) -> None:
        self.living: list[Handle] = []

    def capability(self, obj: object) -> tuple[Any, ...] | None:
        if isinstance(obj, Handle):
            return None
        return (1, 0) if interface_of(type(obj)) is not None or isinstance(obj, Proxy) else None

    def mobile(self, obj: object) -> Mobile | None:
        if isinstance(obj, Handle):
            if obj._number:
                self.living.append(obj)
                return Mobile(obj._reference.manifest, obj._reference.module, obj._reference.qualname, None)
            return Mobile(obj._reference.manifest, obj._reference.module, obj._reference.qualname, obj._state)
        try:
            closure = closure_of(type(obj))
        except ConfigurationError:
            return None
        return Mobile(closure.manifest, closure.module, name_of(obj), capture(obj))
