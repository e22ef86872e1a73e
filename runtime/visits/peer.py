"""The host's end of the session with a visit: every byte from there is hostile, whatever the language wall says."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...agents.closure import closure_of
from ...agents.manifest import closure_id
from ...agents.state import capture, name_of
from ...errors import AgentError, ConfigurationError, LimitExceeded, ProtocolError
from ..channel import Channel
from ..driver import Driver
from ..peer import DIRECTORY, OURS, Peer
from ..session import Asked
from ..transport import PlainTransport
from ..wire.codecs import CODECS
from ..wire.messages import Body, Fault, Message, NeedCode, Op, Output, Provide
from ..wire.values import Mobile
from .handle import Handle, Reference, settle

if TYPE_CHECKING:
    from ..sandbox.supervisor import Jailed
    from .visit import Scope, Visit

__all__ = ["VisitPeer"]


class VisitPeer(Peer):
    """Speaks with one visit."""

    def __init__(self, scope: "Scope", jailed: "Jailed", visit: "Visit") -> None:
        limits = scope.realm.limits
        super().__init__("a visit", tracebacks=False, max_exports=limits.capabilities)
        self._scope = scope
        self._visit = visit
        self._limits = limits
        self._closures: dict[str, Mapping[str, str]] = {}
        self._provided: set[tuple[str, str]] = set()
        self._to_provide: list[tuple[str, str, bytes]] = []
        self._lines = 0
        self._printed: list[str] = []
        self._loading = False
        self.calls = 0  # that the agent made
        channel = Channel(
            PlainTransport(jailed.socket),
            codecs=CODECS.values(),
            max_frame_bytes=limits.bytes_out,
            meter=self._meter,
        )
        self.driver = Driver(channel, self, initiator=True)
        if not scope.realm.isolation.language:
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
        if self.calls > self._limits.calls:
            return self._over(asked, LimitExceeded("calls", self.calls, self._limits.calls))
        return super().serve(asked)

    def _over(self, asked: Asked, error: LimitExceeded) -> tuple[Message, Sequence[bytes]]:
        self.driver.close(error)
        return super().fault_out(asked.message.call, error)

    def fault_out(self, call: int, error: BaseException) -> tuple[Message, Sequence[bytes]]:
        if isinstance(error, LimitExceeded) and error.limit == "capabilities":
            self.driver.close(error)
        return super().fault_out(call, error)

    def news(self, message: Provide | Output) -> None:
        if not isinstance(message, Output):
            raise ProtocolError("a visit provides no code")
        self._lines += message.text.count("\n") + (not message.text.endswith("\n"))
        if self._lines > self._limits.output_lines:
            raise LimitExceeded("output_lines", self._lines, self._limits.output_lines)
        self._printed.append(message.text)

    def tell_output(self) -> None:
        """Hand on what was printed; not done where it arrives, for the way home may be slow."""
        printed, self._printed = self._printed, []
        for text in printed:
            self._scope.output(self._visit.agent, text)

    # --- what goes in -------------------------------------------------------------------------------------------

    def realm(self) -> Any:
        return self._scope.realm

    def capability_out(self, obj: object) -> tuple[Any, ...] | None:
        if isinstance(obj, Handle):
            if obj._scope is not self._scope:
                return None
            if not obj._number and not self._loading:
                self._visit.load([obj])  # it came later than the others, as the answer of a call back to its sender
            return (OURS, obj._number) if obj._number else None
        return super().capability_out(obj)

    def mobile_out(self, obj: object) -> Mobile | None:
        if isinstance(obj, Handle):
            reference, state = obj._reference, obj._state
            self._admit(reference.manifest, obj._scope is self._scope)
            return Mobile(reference.manifest, reference.module, reference.qualname, state)
        try:
            closure = closure_of(type(obj))
        except ConfigurationError:
            return None  # not a class of a module with source: the encoder says what could be done
        admission = self._scope.office.admission
        admission.download(closure.manifest, self._scope.realm, self._scope.traveller)
        for digest, source in closure.sources.items():
            admission.store.put(digest, source)
        self._admit(closure.manifest, True)
        return Mobile(closure.manifest, closure.module, name_of(obj), capture(obj))

    def _admit(self, manifest: Mapping[str, str], ours: bool) -> None:
        """Have the code of a closure ready to go in ahead of the message that needs it."""
        if not ours:
            raise ProtocolError("a handle of another call")
        self._closures[closure_id(manifest)] = manifest
        admission, scope = self._scope.office.admission, self._scope
        for name, digest in manifest.items():
            if (name, digest) not in self._provided:
                source = admission.store.get(digest)
                if source is None:
                    raise ProtocolError(f"the text of module {name} is gone from the code store: send it again")
                code = admission.compiled(name, digest, source, scope.realm, scope.traveller)
                self._provided.add((name, digest))
                self._to_provide.append((name, digest, code))

    def encode(self, values: Sequence[object], label: Callable[[int], str]) -> tuple[Body, list[bytes]]:
        encoded = super().encode(values, label)
        if self._to_provide:
            provide, self._to_provide = self._to_provide, []
            self.driver.post(Provide(provide))
        return encoded

    # --- what comes out -----------------------------------------------------------------------------------------

    def capability_in(self, payload: Sequence[Any]) -> object:
        match payload:
            case [2, int(number), str(module), str(qualname), list(methods)]:
                handle = Handle(self._scope, Reference({}, module, qualname))
                settle(handle, number, methods)
                return handle
            case [1, int()]:
                return super().capability_in(payload)
        raise ProtocolError("a visit exports nothing but its mobile objects")

    def load(self, handles: list[Handle]) -> None:
        """Bring mobile objects to life in the visit: in one message, so that what they share stays shared."""
        self._loading = True
        try:
            answer = self.call(DIRECTORY, Op.CALL, "load", (handles,), {})
        finally:
            self._loading = False
        if type(answer) is not list or len(answer) != len(handles):
            raise ProtocolError("a visit did not say what it loaded")
        for handle, said in zip(handles, answer, strict=True):
            match said:
                case [int(number), list(methods)]:
                    settle(handle, number, methods)
                case _:
                    raise ProtocolError("a visit did not say what it loaded")

    def depart(self, handles: list[Handle]) -> list[Handle]:
        """The state of mobile objects as it is now, in handles that are in no visit."""
        departed = self.call(DIRECTORY, Op.CALL, "depart", (handles,), {})
        if (
            type(departed) is not list
            or len(departed) != len(handles)
            or not all(isinstance(one, Handle) and not one._number for one in departed)
        ):
            raise ProtocolError("a visit did not give the state that was asked for")
        return departed

    def mobile_in(self, manifest: Mapping[str, str], module: str, qualname: str) -> object:
        known = self._closures.get(closure_id(manifest))
        if known is None or module not in known:
            raise ProtocolError("a visit sent an object of code that it was never given")
        return Handle(self._scope, Reference(known, module, qualname))

    def fill(self, shell: object, state: object) -> None:
        assert isinstance(shell, Handle)
        object.__setattr__(shell, "_state", state)

    def fault_in(self, fault: Fault, blobs: Any) -> Exception:
        return AgentError(f"{fault.type_name}: {fault.text}" if fault.text else fault.type_name, fault.traceback)

    def supply(self, asked: NeedCode) -> Any:
        raise ProtocolError("a visit asks for no code: it is given what it needs")
