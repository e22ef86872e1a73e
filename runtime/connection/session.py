"""The session: calls and chains of one connection, without any I/O.

Both ends run the same code. A *chain* is one logical thread of control that crosses the connection: a call, the calls
that it causes back, and so on. This module owns the books (which call belongs to which chain, what waits for whom);
`driver` owns the threads and the bytes.

Source: docs/protocol.md, "Chains".
"""

from collections import deque
from enum import Enum, auto
from typing import Any, Final

from ...errors import ProtocolError
from ..wire.messages import (
    Body,
    Call,
    Cancel,
    Code,
    Fault,
    Goodbye,
    Message,
    NeedCode,
    Output,
    Ping,
    Pong,
    Provide,
    Release,
    Result,
)

__all__ = ["CANCELLED", "TOO_MANY_CALLS", "Asked", "Chain", "Delivery", "Kind", "Notice", "Pending", "Session"]

# One connection may have this many top-level calls in progress; more are answered with a fault at once. A peer that
# keeps to one call a thread never sees it; one that floods cannot make the host queue without bound.
MAX_CHAINS: Final = 1_000
# Calls of one chain that wait for its thread: an honest peer has one, and one more for each call it gave up on.
MAX_INBOX: Final = 64
# Bytes of calls that wait for their turn, of one connection: two of the longest frames. A call that has begun does not
# count: of these there are no more than threads.
MAX_WAITING_BYTES: Final = 128 * 1024 * 1024
# Calls given up here that the peer has not answered yet. Every call is answered, so this many mean a broken peer.
MAX_ABANDONED: Final = 10_000

CANCELLED: Final = "emporion.Cancelled"
TOO_MANY_CALLS: Final = "emporion.TooManyCalls"


class Kind(Enum):
    """What the driver has to do about a message."""

    NOTHING = auto()
    START = auto()  # `asked` begins a new chain: it needs a thread
    WAKE = auto()  # something for the thread that waits in `chain`
    CANCEL = auto()  # `asked` is no longer wanted
    RELEASE = auto()  # `counts` of capabilities came home
    CLOSE = auto()  # the peer said goodbye
    NEWS = auto()  # `news`: nothing that is answered


class Asked:
    """A call of the peer's that this end serves, with the blobs beside it. As a delivery: it begins a chain."""

    __slots__ = ("blobs", "cancelled", "chain", "codec", "message", "queued", "waiting_bytes")
    kind: Final = Kind.START

    def __init__(self, message: Call | NeedCode, blobs: Any, chain: "Chain", codec: int, size: int = 0) -> None:
        self.message = message
        self.blobs = blobs
        self.chain = chain
        self.codec = codec  # the answer comes in the format of the request
        self.cancelled = False
        self.waiting_bytes = size  # of its frame, until the driver begins with it; 0 for a small one
        self.queued = False  # the driver's: it waits for a thread, and nobody has begun with it


class Pending:
    """A call of this end's that waits for its answer."""

    __slots__ = ("abandoned", "answer", "chain", "id", "wants")

    def __init__(self, id: int, chain: "Chain", wants: type[Result] | type[Code]) -> None:
        self.id = id
        self.chain = chain
        self.wants = wants
        self.answer: tuple[Result | Fault | Code, Any] | None = None
        self.abandoned = False


class Chain:
    """One logical thread of control; at most one thread of each end works in it. As a delivery: wake that thread."""

    __slots__ = ("id", "inbox", "open_calls", "waiting")
    kind: Final = Kind.WAKE

    def __init__(self, id: int) -> None:
        self.id = id
        self.inbox: deque[Asked] | tuple[()] = ()  # calls of the peer's for that thread; mostly there is none
        self.open_calls = 0  # calls of this chain, in both directions, not yet answered at this end
        self.waiting: Any = None  # the driver's: how to wake the thread that waits in this chain


class Notice:
    """A delivery that concerns no waiting thread; which fields are set, `kind` says."""

    __slots__ = ("asked", "counts", "kind", "news", "reason")

    def __init__(self, kind: Kind, *, asked: Asked | None = None, counts: dict[int, int] | None = None,
                 reason: str = "", news: Provide | Output | None = None) -> None:
        self.kind = kind
        self.asked = asked
        self.counts = counts or {}
        self.reason = reason
        self.news = news


Delivery = Chain | Asked | Notice
_NOTHING: Final = Notice(Kind.NOTHING)
_NOWHERE: Final = Chain(0)  # of a call that has not been entered into the books


class Session:
    """The books of one end; not thread-safe: the driver holds its lock around every method.

    What a method wants to say to the peer stands in `outbox` afterwards.

    Args:
        initiator: True at the end that opened the connection. Its chains have odd numbers, the other's even ones, so
            that both can begin chains at the same moment.
    """

    __slots__ = ("_abandoned", "_last_call", "_last_chain", "_parity", "asked", "chains", "outbox", "pending")

    def __init__(self, *, initiator: bool) -> None:
        self._parity = 1 if initiator else 0
        self._last_chain = -1 if initiator else 0
        self._last_call = 0
        self._abandoned = 0
        self.chains: dict[int, Chain] = {}
        self.pending: dict[int, Pending] = {}
        self.asked: dict[int, Asked] = {}
        self.outbox: list[Message] = []

    # --- what this end asks -------------------------------------------------------------------------------------

    def open_own(self, over: Chain | None, wants: type[Result] | type[Code]) -> Pending:
        """Begin a chain of this end's own and number its first call: `open_chain` and `open_call` in one step."""
        self._last_chain = number = self._last_chain + 2
        if over is None or over.open_calls:
            over = Chain(number)
        over.id = number
        over.open_calls = 1
        self.chains[number] = over
        self._last_call = call = self._last_call + 1
        pending = self.pending[call] = Pending(call, over, wants)
        return pending

    def open_chain(self, over: Chain | None = None) -> Chain:
        """Begin a chain of this end's own; it ends by itself with its last call. `over` may be used again for it."""
        self._last_chain = number = self._last_chain + 2
        if over is None or over.open_calls:
            over = Chain(number)
        over.id = number
        self.chains[number] = over
        return over

    def open_call(self, chain: Chain, wants: type[Result] | type[Code] = Result) -> Pending:
        """Number a call in `chain` and expect an answer of type `wants`, or a `Fault`."""
        self._last_call = number = self._last_call + 1
        pending = self.pending[number] = Pending(number, chain, wants)
        chain.open_calls += 1
        return pending

    def settle(self, pending: Pending, message: Message) -> bool:
        """Close `pending` at once where `message` is its result and all that is left of its chain; True if so.

        What `receive` and `take` do together, for the case that nearly every call is. False: nothing has changed.
        """
        chain = pending.chain
        if (
            type(message) is not Result
            or message.call != pending.id
            or pending.wants is not Result
            or chain.open_calls != 1
            or self.outbox
        ):
            return False
        del self.pending[message.call]
        chain.open_calls = 0
        del self.chains[chain.id]
        return True

    def take(self, pending: Pending) -> tuple[Result | Fault | Code, Any]:
        """The answer to `pending`, which has come; the call is then closed."""
        assert pending.answer is not None
        del self.pending[pending.id]
        chain = pending.chain
        if chain.open_calls == 1:
            chain.open_calls = 0
            del self.chains[chain.id]
        else:
            self._leave(chain)
        return pending.answer

    def abandon(self, pending: Pending) -> None:
        """Give up on `pending`: the peer is told, and a late answer is dropped."""
        if pending.answer is not None:
            self.take(pending)
            return
        pending.abandoned = True
        self._abandoned += 1
        if self._abandoned > MAX_ABANDONED:
            raise ProtocolError(f"the peer left {self._abandoned} cancelled calls without an answer")
        self.outbox.append(Cancel(pending.id))
        self._leave(pending.chain)

    def unsent(self, pending: Pending) -> None:
        """Forget a call whose message never went out."""
        del self.pending[pending.id]
        self._leave(pending.chain)

    # --- what this end answers ----------------------------------------------------------------------------------

    def answered(self, asked: Asked) -> None:
        """The answer to `asked` goes out now."""
        del self.asked[asked.message.call]
        chain = asked.chain
        if chain.open_calls == 1:
            chain.open_calls = 0
            del self.chains[chain.id]
        else:
            self._leave(chain)

    def _leave(self, chain: Chain) -> None:
        chain.open_calls = left_open = chain.open_calls - 1
        if left_open > len(chain.inbox):
            return
        # Nobody here works in this chain any more. Calls still in its inbox were asked by a peer whose own caller has
        # gone (it cancelled, or we did): each gets its answer, so that nobody waits for ever.
        while chain.inbox:
            left = chain.inbox.popleft()
            del self.asked[left.message.call]
            self._refuse(left.message, CANCELLED, "the call that this one belonged to is over")
        chain.open_calls = 0
        self.chains.pop(chain.id, None)

    # --- what arrives -------------------------------------------------------------------------------------------

    def receive(self, message: Message, blobs: Any = b"", codec: int = 0, size: int = 0) -> Delivery:
        """Enter one message of the peer's into the books and say what to do; `size` is that of its frame, in bytes.

        Raises:
            ProtocolError: The message has no place in this session; the connection is to be closed.
        """
        kind = type(message)
        if kind is Result or kind is Fault or kind is Code:
            return self._answer(message, blobs)  # type: ignore[arg-type]  # as `kind` says
        if kind is Call or kind is NeedCode:
            return self._question(Asked(message, blobs, _NOWHERE, codec, size))  # type: ignore[arg-type]  # likewise
        return self._notice(message)

    def _notice(self, message: Message) -> Delivery:
        """What asks nothing and answers nothing."""
        match message:
            case Cancel():
                return self._cancel(message)
            case Release():
                return Notice(Kind.RELEASE, counts=message.counts)
            case Goodbye():
                return Notice(Kind.CLOSE, reason=message.reason)
            case Provide() | Output():
                return Notice(Kind.NEWS, news=message)
            case Ping():
                self.outbox.append(Pong(message.number))
        return _NOTHING

    def _answer(self, message: Result | Fault | Code, blobs: Any) -> Delivery:
        pending = self.pending.get(message.call)
        if pending is None or pending.answer is not None:
            raise ProtocolError(f"an answer to call {message.call}, which is not waiting for one")
        if type(message) is not Fault and type(message) is not pending.wants:
            raise ProtocolError(f"{type(message).__name__} as an answer where {pending.wants.__name__} was asked for")
        if pending.abandoned:
            del self.pending[message.call]
            self._abandoned -= 1
            return _NOTHING
        pending.answer = (message, blobs)
        return pending.chain

    def _question(self, asked: Asked) -> Delivery:
        message = asked.message
        if message.call in self.asked:
            raise ProtocolError(f"call {message.call} was asked twice")
        if self._too_much(asked):
            return self._refuse(message, TOO_MANY_CALLS, f"more than {MAX_WAITING_BYTES} bytes of calls wait here")
        chain = self.chains.get(message.chain)
        if chain is not None:
            if len(chain.inbox) >= MAX_INBOX:
                raise ProtocolError(f"{MAX_INBOX} calls wait in chain {chain.id}: a chain asks one thing at a time")
            chain.inbox = inbox = chain.inbox if isinstance(chain.inbox, deque) else deque()
            inbox.append(asked)
            self._enter(chain, asked)
            return chain
        if message.chain % 2 == self._parity:
            # One of ours that is over: the peer asked before it learned that we had given up.
            return self._refuse(message, CANCELLED, "the call that this one belonged to is over")
        if len(self.chains) >= MAX_CHAINS:
            return self._refuse(message, TOO_MANY_CALLS, f"more than {MAX_CHAINS} calls at once on one connection")
        chain = self.chains[message.chain] = Chain(message.chain)
        self._enter(chain, asked)
        return asked

    def _too_much(self, asked: Asked) -> bool:
        """Whether `asked` is one too many for those that wait; one alone never is."""
        if not asked.waiting_bytes:
            return False
        waiting = sum(other.waiting_bytes for other in self.asked.values())
        return waiting > 0 and waiting + asked.waiting_bytes > MAX_WAITING_BYTES

    def _enter(self, chain: Chain, asked: Asked) -> None:
        asked.chain = chain
        self.asked[asked.message.call] = asked
        chain.open_calls += 1

    def _cancel(self, message: Cancel) -> Delivery:
        asked = self.asked.get(message.call)
        if asked is None:
            return _NOTHING  # answered in the meantime: the two crossed on the way
        asked.cancelled = True
        inbox = asked.chain.inbox
        if type(inbox) is deque and asked in inbox:
            inbox.remove(asked)
        elif asked.queued:
            asked.queued = False  # now, not when a thread is free: all may wait for what waits for this answer
        else:
            return Notice(Kind.CANCEL, asked=asked)
        self.answered(asked)
        return self._refuse(asked.message, CANCELLED, "cancelled before it began")

    def _refuse(self, message: Call | NeedCode, type_name: str, text: str) -> Delivery:
        self.outbox.append(Fault(message.call, type_name, text, "", Body([])))
        return _NOTHING
