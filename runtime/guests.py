"""The host's end of the session with a client: each call gets a scope, and code passes the object's validator."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Protocol

from ..agents.manifest import check_qualname
from ..errors import CodeDenied, EmporionError, NamingError, NotExposed, VisitEnded
from ..validators.connection import Connection
from ..validators.consignment import Consignment
from .announced import Announced
from .code.admission import Arrivals, Realm, Traveller
from .connection.session import Asked
from .context import MAX_NESTED, Caller, current_scope, enter, here, too_deep
from .events import CodeCrossed, announce
from .exports import Export
from .exposure import Interface
from .options import BOTH_WALLS, DEFAULT_LIMITS
from .packing import pack
from .parcel import Parcel
from .peer import CALLS, THEIRS, Peer, check_member, is_plain, split_arguments
from .visits.handle import OUTSIDE, Handle, remember
from .visits.office import Office
from .visits.scope import Scope
from .visits.tickets import Detached, Tickets
from .wire.kinds import PLAIN
from .wire.messages import Body, Call, Code, Message, NeedCode, Op, Output
from .wire.values import Mobile, Named

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
    tickets: Tickets
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
        self._announced = Announced()
        self._arrivals: Arrivals = Arrivals()

    # --- calls --------------------------------------------------------------------------------------------------

    def directory(self, method: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        match method, list(args):
            case ["lookup", [str(name)]] if not kwargs:
                registration = self._registry.find(name)
                if registration is None:
                    raise NamingError(f"no object is registered here as {name!r:.200}")
                return registration
            case ["ticket_status", [str(id), int() | float() as wait_s]] if not kwargs:
                return self._registry.tickets.status(id, wait_s, self.caller)
            case ["ticket_forget", [str(id)]] if not kwargs:
                return self._registry.tickets.forget(id, self.caller)
        raise NotExposed("a host answers lookup(name) and what concerns tickets, and nothing else, without an object")

    def serve(self, asked: Asked) -> tuple[Message, Sequence[bytes]]:
        before = enter(None)
        here.nested += 1
        try:
            return super().serve(asked) if here.nested <= MAX_NESTED else self.fault_out(asked.message.call, too_deep())
        finally:
            here.nested -= 1
            enter(before)  # only now: an exception that goes out may hold an agent, too

    def answer(self, asked: Asked, message: Call) -> tuple[Body, list[bytes]]:
        if message.target == 0:
            if message.method == "ticket_result" and is_plain(message.body):
                return self._ticket_result(*message.body.roots)
            return super().answer(asked, message)
        export = self.exports.get(message.target)
        if message.op != Op.CALL or message.method not in export.interface.methods:
            check_member(export.interface, message, CALLS)
        scope = self._scopes[asked] = Scope(export.realm, self.caller, self._office, self._output, self)
        if self.driver.error is not None:  # perhaps `closed` did not see this scope any more
            scope.cancel(VisitEnded("the caller's connection is over"))
        enter(scope)
        body = message.body
        values = body.roots if is_plain(body) else self.decode(body, asked.blobs)
        args, kwargs = split_arguments(message, values) if message.keywords else (values, _NO_KEYWORDS)
        if message.op in (Op.ONE_WAY, Op.DISPATCH):
            return Body([self._detach(asked, export, message, args, kwargs)]), []
        result = self._office.perform(export, message.op, message.method, args, kwargs)
        return (Body([result]), []) if type(result) in PLAIN else self.encode_result(result)

    def _detach(self, asked: Asked, export: Export, message: Call, args: Sequence[Any],
                kwargs: Mapping[str, Any]) -> str | None:
        """Everything has arrived: the call goes on by itself, whatever becomes of this connection."""
        scope, office = self._scopes[asked], self._office
        scope.check()  # a caller that left while it sent has no ticket, and its visit is over
        what = f"{export.interface.label}.{message.method}"
        detached = Detached(scope, what, lambda: office.perform(export, Op.CALL, message.method, args, kwargs))
        self._registry.tickets.take_over(detached, kept=message.op == Op.DISPATCH)
        del self._scopes[asked]
        return detached.id if message.op == Op.DISPATCH else None

    def _ticket_result(self, id: Any = None, *more: Any) -> tuple[Body, list[bytes]]:
        """What a detached call came to, for whoever proves to be who made it; more than once, should it get lost."""
        detached = self._registry.tickets.find(id, self.caller)
        return self.encode_result(detached.result(self, self.caller))  # `serve` puts the thread's own scope back

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

    def fault_out(self, call: int, error: BaseException, *, code: bool = True) -> tuple[Message, Sequence[bytes]]:
        scope = current_scope()
        # Without a validator no exception's class may leave: not worth a question, and a denial in the log, each time.
        return super().fault_out(call, error, code=scope is not None and scope.realm.code_validator is not None)

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
        scope = current_scope()
        return super().encode(values, label) if scope is None else scope.encode(values, label, super().encode)

    def mobile_out(self, obj: object) -> Mobile | Named | None:
        if isinstance(obj, Handle):
            scope = current_scope()
            if scope is None:
                raise VisitEnded(OUTSIDE)
            parts = scope.take_apart(obj)
            self._announce(parts.goods.manifest, scope.text_of(obj))
            return parts
        if isinstance(obj, Parcel):
            self._announce(obj._goods.manifest, obj._sources.__getitem__)
            return obj._taken_apart()
        packed = pack(obj)
        if packed is None:
            return None
        closure, parts = packed
        self._announce(closure.manifest, closure.sources.__getitem__)
        return parts

    def _announce(self, manifest: Mapping[str, str], text: Callable[[str], str]) -> None:
        """Let modules go, if the validator does, and remember that this client may ask for them."""
        scope = current_scope()
        if scope is None:
            raise CodeDenied(next(iter(manifest)), "download", "mobile objects travel in calls, not outside of them")
        for name, digest in scope.let_out(manifest, self._traveller(scope), self).items():
            self._announced.add(name, digest, text)

    def _traveller(self, scope: Scope) -> Traveller:
        """Who gets code: this client, whoever's call it is that makes it go out."""
        if scope.caller is self.caller:
            return scope.traveller
        return Traveller(self.caller.address, self.caller, self.where)

    def supply(self, asked: NeedCode) -> Code:
        sources = {}
        for name, digest in asked.modules.items():
            source = self._announced.get(name, digest)
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

    def mobile_in(self, goods: Consignment, module: str, qualname: str) -> object:
        return self._handle_in(goods, module, qualname, named=False)

    def named_in(self, goods: Consignment, module: str, qualname: str) -> object:
        return self._handle_in(goods, module, qualname, named=True)

    def _handle_in(self, goods: Consignment, module: str, qualname: str, *, named: bool) -> Handle:
        scope = self._own_scope()
        if scope is None:
            # Whose validator would judge it, and in whose visit would it live?
            raise CodeDenied(module[:200], "upload", "mobile objects come in with calls of their sender's own")
        return scope.handle(goods, module, check_qualname(qualname), named=named)

    def fill(self, shell: object, state: object) -> None:
        assert isinstance(shell, Handle)
        remember(shell, state)

    def decode(self, body: Body, blobs: Any) -> list[Any]:
        scope = self._own_scope()
        if not body.manifests or scope is None:
            return super().decode(body, blobs)
        read = super().decode
        return scope.decode(lambda: read(body, blobs), scope.traveller, self.fetch, self._arrivals, self)

    def fetch(self, modules: dict[str, str], *, within_s: float | None = None) -> dict[str, str]:
        # Who does not answer must not keep a thread for ever.
        return super().fetch(modules, within_s=FETCH_S if within_s is None else within_s)
