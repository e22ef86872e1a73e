"""The host's end of the session with a visit: every byte from there is hostile, whatever the language wall says."""

import socket
import weakref
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NoReturn

from ...agents.manifest import check_qualname, closure_id
from ...errors import AgentError, CodeDenied, LimitExceeded, NotExposed, ProtocolError, VisitEnded
from ...validators.consignment import Consignment
from ..connection.channel import Channel
from ..connection.driver import Driver
from ..connection.session import Asked
from ..connection.transport import PlainTransport
from ..context import descend, too_deep
from ..exports import Export
from ..packing import pack
from ..parcel import Parcel
from ..peer import DIRECTORY, OURS, THEIRS, Peer
from ..wire.codecs import CODECS
from ..wire.messages import Body, Call, Fault, Message, NeedCode, Op, Output, Provide
from ..wire.raised import bounded
from ..wire.values import Mobile, Named
from .handle import Handle, Reference, remember, settle

if TYPE_CHECKING:
    from ..sandbox.supervisor import Jailed
    from .scope import Scope
    from .visit import Visit

__all__ = ["VisitPeer"]

# What a visit may send is bounded by the meter, which counts as bytes arrive: a frame that says it is longer than all
# that is left must end in `LimitExceeded`, not in a complaint about frames.
MAX_FRAME_BYTES: Final = 2**32 - 1
_UNKNOWN: Final = Consignment({})  # of an object that has not left its visit yet


class VisitPeer(Peer):
    """Speaks with one visit."""

    def __init__(self, scope: "Scope", jailed: "Jailed", visit: "Visit") -> None:
        limits = visit.limits
        super().__init__("a visit", tracebacks=False, max_exports=limits.capabilities)
        self._scope = scope
        self._visit = visit
        self._limits = limits
        self._closures: dict[str, Mapping[str, str]] = {}
        self._provided: set[tuple[str, str]] = set()
        self._to_provide: list[tuple[str, str, bytes]] = []
        self._yanks: Mapping[str, str] = {}  # as they were when the modules in the visit were last held against them
        self._lines = 0
        self._printed: list[str] = []
        self._living: weakref.WeakValueDictionary[int, Handle] = weakref.WeakValueDictionary()
        self._met = False  # whether the message that is being read holds a mobile object
        self._leaving: deque[Handle] = deque()  # whose state the answer that is awaited gives, in this order
        self._loading = False
        self.calls = 0  # that the agent made
        # The socket is the channel's now: the thread that reads it closes it, so that its number is no other file's
        # while somebody waits on it.
        sock = socket.socket(fileno=jailed.socket.detach())
        channel = Channel(
            PlainTransport(sock), codecs=CODECS.values(), max_frame_bytes=MAX_FRAME_BYTES, meter=self._meter
        )
        self.driver = Driver(channel, self, initiator=True)
        if not scope.home.isolation.language:
            self.call(DIRECTORY, Op.CALL, "lower_language_wall", (), {})

    # --- quotas -------------------------------------------------------------------------------------------------

    def _meter(self, received: int, sent: int) -> None:
        if received > self._limits.bytes_out:
            raise LimitExceeded("bytes_out", received, self._limits.bytes_out)
        if sent > self._limits.bytes_in:
            raise LimitExceeded("bytes_in", sent, self._limits.bytes_in)

    def serve(self, asked: Asked) -> tuple[Message, Sequence[bytes]]:
        self.tell_output()
        self.calls += 1
        realm = self._scope.realm
        leaving, self._leaving = self._leaving, deque()  # what the agent asks while it packs is another message
        deeper = descend()
        try:
            if self.calls > self._limits.calls:
                return self.fault_out(asked.message.call, LimitExceeded("calls", self.calls, self._limits.calls))
            self.check_yanks()
            return super().serve(asked) if deeper else self.fault_out(asked.message.call, too_deep())
        except CodeDenied as error:
            return self.fault_out(asked.message.call, error)
        finally:
            descend(-1)
            self._leaving = leaving
            self._scope.realm = realm

    def fault_out(self, call: int, error: BaseException, *, code: bool = True) -> tuple[Message, Sequence[bytes]]:
        if isinstance(error, LimitExceeded) and error.limit in ("calls", "capabilities"):
            self.driver.close(error)
        return super().fault_out(call, error, code=self._scope.realm.code_validator is not None)

    def check_yanks(self) -> None:
        """End the visit where code that it holds has been yanked; asked before each call, in either direction.

        Raises:
            CodeDenied: It was; the connection to the visit is closed.
        """
        scope = self._scope
        yanks = scope.office.admission.store.yanks()
        if yanks is self._yanks or self.driver.error is not None:
            return
        for name, digest in self._provided if yanks else ():
            direction = "upload" if scope.is_brought({name: digest}) else "download"
            try:
                scope.office.admission.recalled({name: digest}, direction, scope.traveller)
            except CodeDenied as error:
                self.driver.close(error)
                raise
        self._yanks = yanks

    def _broken(self, why: str) -> NoReturn:
        """End the visit: what runs in it is no agent of ours any more."""
        error = ProtocolError(why)
        self.driver.close(error)
        raise error

    # --- what it prints -----------------------------------------------------------------------------------------

    def news(self, message: Provide | Output) -> None:
        if not isinstance(message, Output):
            raise ProtocolError("a visit provides no code")
        limit = self._limits.output_lines
        if self._lines > limit:
            return
        lines = message.text.splitlines(keepends=True)
        room = limit - self._lines
        self._lines += len(lines)
        if len(lines) <= room:
            self._printed.append(message.text)
        else:
            self._lines = limit + 1
            dropped = f"[limit output_lines: {limit} lines were kept, what is printed from here on is not]\n"
            self._printed.append("".join([*lines[:room], dropped]))

    def tell_output(self) -> None:
        """Hand on what was printed; not done where it arrives, for the way home may be slow."""
        if self._printed:
            printed, self._printed = self._printed, []
            self._scope.output(self._visit.agent, "".join(printed))

    # --- what it asks -------------------------------------------------------------------------------------------

    def realm(self) -> Any:
        return self._scope.realm

    def answer(self, asked: Asked, message: Call) -> tuple[Body, list[bytes]]:
        if message.target == DIRECTORY:
            self._broken("a visit asks objects, and a host is none")
        self._scope.realm = self.exports.get(message.target).realm
        return super().answer(asked, message)

    def invoke(self, asked: Asked, export: Export, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        message = asked.message
        assert isinstance(message, Call)
        return self._scope.office.perform(export, message.op, message.method, args, kwargs)

    def supply(self, asked: NeedCode) -> Any:
        self._broken("a visit asks for no code: it is given what it needs")

    # --- what goes in -------------------------------------------------------------------------------------------

    def capability_out(self, obj: object) -> tuple[Any, ...] | None:
        if isinstance(obj, Handle):
            if obj._scope is not self._scope:
                return None
            if not obj._number and not self._loading:
                self._visit.receive()  # it came later than the others, as the answer of a call back to its sender
            return (OURS, obj._number) if obj._number else None
        registered = self._scope.office.registration_of(obj)
        if registered is None:
            return super().capability_out(obj)
        interface = registered.interface
        number = self.exports.add(obj, interface, registered.realm)
        return (THEIRS, number, interface.label, sorted(interface.methods), sorted(interface.properties))

    def mobile_out(self, obj: object) -> Mobile | Named | None:
        if isinstance(obj, Handle):
            if obj._scope is not self._scope:
                raise VisitEnded("a handle of another call: it ended with the call that its agent came with")
            self._have_ready(obj._reference.goods.manifest)
            return obj._reference.taken_apart(obj._state)
        if isinstance(obj, Parcel):
            raise obj.closed()
        packed = pack(obj)
        if packed is None:
            return None
        closure, parts = packed
        scope = self._scope
        scope.office.admission.download(closure.manifest, scope.realm, scope.traveller)
        if closure.id not in self._closures:
            scope.keep(closure.manifest)
            for digest, source in closure.sources.items():
                scope.office.admission.store.put(digest, source)
            self._have_ready(closure.manifest)
        return parts

    def _have_ready(self, manifest: Mapping[str, str]) -> None:
        """Have the code of a closure ready to go in ahead of the message that needs it."""
        self._closures[closure_id(manifest)] = manifest
        scope = self._scope
        admission = scope.office.admission
        admission.recalled(manifest, "upload", scope.traveller)
        for name, digest in manifest.items():
            if (name, digest) not in self._provided:
                source = admission.store.get(digest)
                if source is None:
                    raise VisitEnded(f"the text of module {name} is gone from the code store: send it again")
                code = admission.compiled(name, digest, source, scope.home.isolation, scope.traveller)
                self._provided.add((name, digest))
                self._to_provide.append((name, digest, bytes(code)))

    def encode(self, values: Sequence[object], label: Callable[[int], str]) -> tuple[Body, list[bytes]]:
        encoded = super().encode(values, label)
        if self._to_provide:
            provide, self._to_provide = self._to_provide, []
            self.driver.post(Provide(provide))
        return encoded

    def load(self, handles: list[Handle]) -> None:
        """Bring mobile objects to life in the visit: in one message, so that what they share stays shared."""
        self._loading = True
        try:
            answer = self.call(DIRECTORY, Op.CALL, "load", (handles,), {})
        finally:
            self._loading = False
        if type(answer) is not list or len(answer) != len(handles):
            self._broken("a visit did not say what it loaded")
        try:
            for handle, said in zip(handles, answer, strict=True):
                self._heed_loaded(handle, said)
        except ProtocolError as error:
            self.driver.close(error)
            raise

    def _heed_loaded(self, handle: Handle, said: object) -> None:
        match said:
            case [int(number), list(methods)] if handle._reference.named:
                settle(handle, number, methods)  # a class or function may be there by more than one name
            case [int(number), list(methods)] if self._settled(handle, number, methods) is handle:
                pass
            case _:
                raise ProtocolError("a visit did not say what it loaded")

    def _settled(self, handle: Handle, number: int, methods: list[Any]) -> Handle:
        """The handle for object `number` of the visit: one for each object, for identity is part of a value."""
        known = self._living.get(number)
        if known is None:
            settle(handle, number, methods)
            self._living[number] = known = handle
        return known

    # --- what comes out -----------------------------------------------------------------------------------------

    def decode(self, body: Body, blobs: Any) -> list[Any]:
        self._met = False
        try:
            values = super().decode(body, blobs)
        except ProtocolError as error:
            self.driver.close(error)
            raise
        if self._met:
            self._scope.let_in_again()
        return values

    def capability_in(self, payload: Sequence[Any]) -> object:
        match payload:
            case [2, int(number), str(module), str(qualname), list(methods)]:
                self._met = True
                return self._settled(Handle(self._scope, Reference(_UNKNOWN, module, qualname)), number, methods)
            case [1, int()]:
                return super().capability_in(payload)
        raise ProtocolError("a visit exports nothing but its mobile objects")

    def depart(self, handles: list[Handle]) -> None:
        """Let handles have the state of their objects as it is now; they stay tied to the visit."""
        self._leaving = deque(handles)
        try:
            departed = self.call(DIRECTORY, Op.CALL, "depart", (handles,), {})
        finally:
            self._leaving = deque()
        if type(departed) is not list or list(map(id, departed)) != list(map(id, handles)):
            self._broken("a visit did not give the state that was asked for")

    def mobile_in(self, goods: Consignment, module: str, qualname: str) -> object:
        return self._handle_in(goods, module, qualname, named=False)

    def named_in(self, goods: Consignment, module: str, qualname: str) -> object:
        return self._handle_in(goods, module, qualname, named=True)

    def _handle_in(self, goods: Consignment, module: str, qualname: str, *, named: bool) -> Handle:
        known = self._closures.get(closure_id(goods.manifest))
        if known is None or module not in known:
            raise ProtocolError("a visit sent an object of code that it was never given")
        self._met = True
        reference = Reference(Consignment(known), module, check_qualname(qualname), named)
        if not self._leaving:
            return Handle(self._scope, reference)
        # The objects that were asked for come first, in the order in which they were: what else refers to one of them
        # then refers to the handle that the hosted method has, and it stays one object all the way home.
        handle = self._leaving.popleft()
        remember(handle, None, reference)
        return handle

    def fill(self, shell: object, state: object) -> None:
        assert isinstance(shell, Handle)
        remember(shell, state)

    def fault_in(self, fault: Fault, blobs: Any) -> Exception:
        text = bounded(f"{fault.type_name}: {fault.text}" if fault.text else fault.type_name)
        if fault.type_name == "NoSuchAttribute":
            return NotExposed(bounded(fault.text))  # so that hasattr() and getattr() with a default work on handles
        return AgentError(text, bounded(fault.traceback, keep_end=True))
