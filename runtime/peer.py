"""One end of a session, in terms of objects: what it exports, what it holds proxies for, calls in both directions.

`Peer` knows values, capabilities and exposed members. What an end does with mobile objects and code, the ends that
derive from it say: a client (`runtime.client`), a host (`runtime.guests`), and the two ends of a visit.
"""

import logging
import threading
import time
import traceback
import weakref
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from ..errors import EmporionError, NotExposed, ProtocolError
from ..validators.consignment import Consignment
from .connection.driver import Answer, Driver
from .connection.session import Asked
from .exports import Export, Exports
from .exposure import Interface, interface_of
from .proxy import Proxy, interface_of_proxy, new_proxy, peer_and_number, received_again
from .wire.decode import decode_values
from .wire.faults import decode_fault, encode_fault
from .wire.kinds import PLAIN, Kind
from .wire.messages import Body, Call, Code, Fault, Message, NeedCode, Op, Output, Provide, Release, Result
from .wire.raised import is_bearable
from .wire.values import Mobile, Named, encode_values

__all__ = ["DIRECTORY", "Peer"]

log = logging.getLogger("emporion.peer")

DIRECTORY: Final = 0  # the target of calls to the end itself
_NOTHING: Final[Sequence[bytes]] = ()
THEIRS, OURS = 0, 1  # a capability: an object of the sender's, or one of the receiver's that comes home
CALLS: Final = frozenset({Op.CALL, Op.ONE_WAY, Op.DISPATCH})


# Of one capability. A proxy's class has a function for each, and a peer may make up many interfaces.
MAX_MEMBERS: Final = 1_000


class Peer:
    """One end of a session.

    Args:
        where: Whom this end talks to, for people: "127.0.0.1:7766".
        tracebacks: Whether faults carry the traceback as text.
    """

    driver: Driver
    timeout_s: float | None = None  # of each call that this end makes

    def __init__(self, where: str, *, tracebacks: bool = True, max_exports: int | None = None) -> None:
        self.where = where
        self.exports = Exports(max_exports)
        self._tracebacks = tracebacks
        self._proxies: weakref.WeakValueDictionary[int, Proxy] = weakref.WeakValueDictionary()
        self._proxies_lock = threading.Lock()
        self._dropped: deque[tuple[int, int]] = deque()
        self._outgoing = _Outgoing(self, code=True)
        self._outgoing_values = _Outgoing(self, code=False)
        self._incoming = _Incoming(self)

    # --- what the ends say for themselves -----------------------------------------------------------------------

    def realm(self) -> Any:
        """On whose behalf objects are handed out right now."""
        return None

    def directory(self, method: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Answer a call to the end itself."""
        raise NotExposed(f"this end has no directory, and no {method!r:.100} in it")

    def mobile_out(self, obj: object) -> Mobile | Named | None:
        """How `obj` travels as mobile code, or None where it cannot."""
        return None

    def mobile_in(self, goods: Consignment, module: str, qualname: str) -> object:
        """A shell for a mobile object of the peer's."""
        raise ProtocolError("a mobile object where none is taken")

    def named_in(self, goods: Consignment, module: str, qualname: str) -> object:
        """What stands under a name in the peer's mobile code."""
        raise ProtocolError("mobile code where none is taken")

    def fill(self, shell: object, state: object) -> None:
        """Give a shell its state."""
        raise ProtocolError("a mobile object where none is taken")

    def capability_out(self, obj: object) -> tuple[Any, ...] | None:
        """How `obj` travels as a capability, or None where it is none."""
        if isinstance(obj, Proxy):
            peer, number = peer_and_number(obj)
            if peer is self:
                return (OURS, number)
            interface: Interface | None = interface_of_proxy(obj)
        else:
            interface = interface_of(type(obj))
        if interface is None:
            return None
        number = self.exports.add(obj, interface, self.realm())
        return (THEIRS, number, interface.label, sorted(interface.methods), sorted(interface.properties))

    def capability_in(self, payload: Sequence[Any]) -> object:
        """The object for a capability of the peer's."""
        match payload:
            case [1, int(number)]:
                return self.exports.home(number)
            case [0, int(number), str(label), list(methods), list(properties)]:
                return self._proxy(number, label, methods, properties)
        raise ProtocolError("a capability of a form that this protocol does not have")

    def supply(self, asked: NeedCode) -> Code:
        """Give the source of modules that this end announced."""
        raise ProtocolError("this end announced no code")

    def news(self, message: Provide | Output) -> None:
        """Take what has no answer."""
        raise ProtocolError(f"{type(message).__name__} where none is taken")

    def arriving(self, rows: Sequence[Sequence[Any]]) -> None:
        """A message with these rows came, and will be decoded by another thread, or later."""
        for row in rows:
            if len(row) == 3 and row[0] == Kind.CAPABILITY and row[1] == OURS and type(row[2]) is int:
                self.exports.arriving(row[2])

    def answered(self, asked: Asked) -> None:
        """The answer to a call is out."""

    def cancelled(self, asked: Asked) -> None:
        """A call that this end is serving is no longer wanted."""

    def closed(self, error: EmporionError) -> None:
        """The connection is over."""

    def check(self, export: Export, message: Call) -> None:
        """Refuse what the peer may not ask of an exported object; arguments have not been looked at yet."""
        check_member(export.interface, message, (Op.CALL,))

    def invoke(self, asked: Asked, export: Export, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Do what a call asks of an exported object; its name has been checked."""
        message = asked.message
        assert type(message) is Call
        return perform(export.obj, message.op, message.method, args, kwargs)

    # --- asking -------------------------------------------------------------------------------------------------

    def call(self, target: int, op: int, method: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Call a member of the peer's object `target` and give its result.

        Raises:
            ValueNotPortable: An argument cannot travel; nothing was sent.
            CallTimeout, ConnectionLost: No answer came.
            Exception: What the method raised, where its type may be rebuilt here; else `RemoteError`.
        """
        if self._dropped:
            self._release()
        names = list(kwargs)
        if not names and PLAIN.issuperset(map(type, args)):
            body, blobs = Body(list(args)), _NOTHING  # scalars only: most questions are
        else:
            labels = (*(f"args[{i}]" for i in range(len(args))), *names)
            body, blobs = self.encode((*args, *kwargs.values()), labels.__getitem__)
        timeout_s = self.timeout_s
        if timeout_s is None:
            answer, came = self.request(Call(0, 0, target, op, method, names, body), blobs, None)
        else:
            message = Call(0, 0, target, op, method, names, body, max(1, int(timeout_s * 1000)))
            answer, came = self.request(message, blobs, time.monotonic() + timeout_s)
        return self.take(answer, came)

    def take(self, answer: Answer, came: Any) -> Any:
        """The result that an answer to a call brought; raises what its fault tells of."""
        if type(answer) is Result:
            body = answer.body
            values = body.roots if is_plain(body) else self.decode(body, came)
            if len(values) != 1:
                broken = ProtocolError(f"a result of {len(values)} values")
                self.driver.close(broken)
                raise broken
            return values[0]
        assert type(answer) is Fault
        raise self.fault_in(answer, came)

    def request(self, message: Call, blobs: Sequence[bytes], deadline_s: float | None) -> tuple[Answer, Any]:
        """Send a call and wait for its answer; errors as for `Driver.request`."""
        return self.driver.request(message, blobs, deadline_s=deadline_s)

    def fetch(self, modules: dict[str, str], *, within_s: float | None = None) -> dict[str, str]:
        """Ask the peer for the sources of `modules` ({name: digest}); they come back by digest, unchecked.

        Raises:
            CallTimeout: None came within `within_s` seconds.
        """
        until_s = None if within_s is None else time.monotonic() + within_s
        answer, blobs = self.driver.request(NeedCode(0, 0, modules), wants=Code, deadline_s=until_s)
        if type(answer) is Code:
            return answer.sources
        assert type(answer) is Fault
        raise self.fault_in(answer, blobs)

    def close(self, reason: str = "closed") -> None:
        """Say goodbye and end the connection."""
        self.driver.close(goodbye=reason)

    def fault_in(self, fault: Fault, blobs: Any) -> Exception:
        """The exception for a fault of the peer's."""
        return decode_fault(fault, blobs, self.decode)

    # --- serving ------------------------------------------------------------------------------------------------

    def serve(self, asked: Asked) -> tuple[Message, Sequence[bytes]]:
        """Answer one call of the peer's: with a result, or with the fault for what it raised."""
        message = asked.message
        try:
            if type(message) is NeedCode:
                return self.supply(message), ()
            assert type(message) is Call
            body, blobs = self.answer(asked, message)
            return Result(message.call, body), blobs
        except (Exception, SystemExit) as error:
            return self.fault_out(message.call, error)

    def answer(self, asked: Asked, message: Call) -> tuple[Body, list[bytes]]:
        """Run a call and encode its result."""
        export = None if message.target == DIRECTORY else self.exports.get(message.target)
        if export is not None:
            self.check(export, message)
        body = message.body
        values = body.roots if is_plain(body) else self.decode(body, asked.blobs)
        args, kwargs = split_arguments(message, values)
        if export is None:
            result = self.directory(message.method, args, kwargs)
        else:
            result = self.invoke(asked, export, args, kwargs)
        return self.encode_result(result)

    def encode_result(self, result: object) -> tuple[Body, list[bytes]]:
        """A call's result as it travels."""
        return (Body([result]), []) if type(result) in PLAIN else self.encode((result,), _result_label)

    def fault_out(self, call: int, error: BaseException, *, code: bool = True) -> tuple[Message, Sequence[bytes]]:
        """The fault for an exception, with its traceback as text; without `code` no class of it travels."""
        text = "".join(traceback.format_exception(error)) if self._tracebacks and is_bearable(error) else ""
        return encode_fault(call, error, text, self.encode if code else self._encode_without_code)

    def _encode_without_code(self, values: Sequence[object], label: Callable[[int], str]) -> tuple[Body, list[bytes]]:
        return encode_values(values, self._outgoing_values, label=label)

    def released(self, counts: dict[int, int]) -> None:
        """The peer dropped capabilities."""
        self.exports.release(counts)

    # --- values -------------------------------------------------------------------------------------------------

    def encode(self, values: Sequence[object], label: Callable[[int], str]) -> tuple[Body, list[bytes]]:
        """Values as they travel to this peer."""
        return encode_values(values, self._outgoing, label=label)

    def decode(self, body: Body, blobs: Any) -> list[Any]:
        """Values as they came from this peer."""
        return decode_values(body, blobs, self._incoming)

    @property
    def holds_proxies(self) -> bool:
        """Whether anything here still stands for an object of the peer's."""
        return bool(self._proxies)

    def dropped(self, number: int, count: int) -> None:
        """A proxy is gone; said to the peer with the next call, for this may run in the middle of anything."""
        self._dropped.append((number, count))

    def _release(self) -> None:
        counts: dict[int, int] = {}
        while self._dropped:
            number, count = self._dropped.popleft()
            counts[number] = counts.get(number, 0) + count
        self.driver.post(Release(counts))

    def _proxy(self, number: int, label: str, methods: list[Any], properties: list[Any]) -> Proxy:
        names = (*methods, *properties)
        public = all(type(n) is str and n.isidentifier() and not n.startswith("_") for n in names)
        if len(names) > MAX_MEMBERS or not public:
            raise ProtocolError("a capability whose members are no public names")
        with self._proxies_lock:
            proxy = self._proxies.get(number)
            if proxy is None:
                interface = Interface(label[:200], frozenset(methods), frozenset(properties))
                proxy = self._proxies[number] = new_proxy(self, number, interface)
            else:
                received_again(proxy)
        return proxy


def perform(obj: Any, op: int, member: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Call, read or write the member that a call names."""
    if op == Op.GET:
        return getattr(obj, member)
    if op == Op.SET:
        return setattr(obj, member, args[0])
    return getattr(obj, member)(*args, **kwargs)


def is_plain(body: Body) -> bool:
    """Whether a body's roots are its values: scalars, and nothing else."""
    return not body.rows and not body.manifests and PLAIN.issuperset(map(type, body.roots))


def check_member(interface: Interface, message: Call, calls: Collection[int]) -> None:
    """Refuse what is not exposed, and what is exposed as something else; `calls` are the ways in which one can call."""
    op, name = message.op, message.method
    names = interface.methods if op in calls else interface.properties if op in (Op.GET, Op.SET) else frozenset()
    if name not in names:
        raise NotExposed(f"{interface.label} does not expose {name!r:.100}")
    if op == Op.SET and (message.keywords or len(message.body.roots) != 1):
        raise ProtocolError("writing a property takes one value")


def split_arguments(message: Call, values: list[Any]) -> tuple[list[Any], dict[str, Any]]:
    """A call's values as positional and keyword arguments."""
    names = message.keywords
    if not names:
        return values, {}
    first = len(values) - len(names)
    if first < 0 or len(set(names)) != len(names):
        raise ProtocolError("keyword names and values do not match")
    return values[:first], dict(zip(names, values[first:], strict=True))


def _result_label(_: int) -> str:
    return "result"


class _Outgoing:
    """The encoder's questions, put to a peer."""

    __slots__ = ("capability", "mobile")

    def __init__(self, peer: Peer, *, code: bool) -> None:
        self.capability: Callable[[object], tuple[Any, ...] | None] = lambda obj: peer.capability_out(obj)
        self.mobile: Callable[[object], Mobile | Named | None] = lambda obj: peer.mobile_out(obj) if code else None


class _Incoming:
    """The decoder's questions, put to a peer."""

    __slots__ = ("_peer",)

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    def capability(self, payload: Sequence[Any]) -> object:
        return self._peer.capability_in(payload)

    def mobile(self, goods: Consignment, module: str, qualname: str) -> object:
        return self._peer.mobile_in(goods, module, qualname)

    def named(self, goods: Consignment, module: str, qualname: str) -> object:
        return self._peer.named_in(goods, module, qualname)

    def fill(self, shell: object, state: object) -> None:
        self._peer.fill(shell, state)
