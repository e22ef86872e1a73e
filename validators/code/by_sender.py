"""Blocks that go by who asks: identity, address, and how often."""

import threading
import time
from collections.abc import Callable
from weakref import WeakSet

from ..consignment import Consignment
from ..networks import parse_networks, sender_of, within
from ..verdict import ACCEPT, Verdict
from ..window import MAX_COUNTED, Window
from .asking import Answer, Block, Question, Undecided
from .by_name import Patterns

__all__ = ["addresses", "callers", "rate"]


class callers(Patterns):
    """Accepts what comes from, or goes to, a caller whose identity (label or login) fits one of `patterns`.

    Shell style, case counts. A caller without an identity never fits, not even ``*``. Peers do not hear who would fit.
    """

    example = "nora"

    def _weigh(self, question: Question) -> Answer:
        identity = getattr(question.caller, "identity", None)
        if type(identity) is str and self._fits(identity):
            return ACCEPT
        who = "a caller without identity" if identity is None else f"the caller {str(identity)[:100]!r}"
        return Verdict(False, f"{who} fits none of {self._listed()}", told=False, instead="not for this caller")


class addresses(Block):
    """Accepts what comes in from an ip address in one of `networks`, e.g. ``"10.0.0.0/8"`` or ``"::1"``.

    Going out, where a validator is given no address, it cannot tell, and so denies. Peers do not hear the networks.
    """

    def __init__(self, *networks: str) -> None:
        self.networks = parse_networks("addresses", networks)

    def __repr__(self) -> str:
        return f"addresses({', '.join(repr(str(network)) for network in self.networks)})"

    def _weigh(self, question: Question) -> Answer:
        if question.address is None:
            return Undecided.because("only incoming code has a sender's address")
        if within(question.address[0], self.networks):
            return ACCEPT
        listed = ", ".join(map(str, self.networks))
        reason = f"the address {str(question.address[0])[:100]!r} lies in none of {listed}"
        return Verdict(False, reason, told=False, instead="not from this address")


class rate(Block):
    """Accepts at most `most` consignments from one ip address in any `per_s` seconds.

    A consignment counts once, however many modules it has; a module that comes without one counts by itself. Only what
    was accepted counts, so that asking too often does not prolong the wait. IPv6 addresses count by their /64: that is
    what one subscriber has. Going out it cannot tell, and so denies. `explain` and `judge(peek=True)` count nothing.

    It remembers at most 100,000 arrivals; beyond that it denies until some of them are `per_s` old. Put it last in an
    `all_of`, lest it count what another validator denies.

    Args:
        clock: Seconds that never run backwards.
    """

    def __init__(self, most: int, per_s: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._window = Window("rate", "consignments", most, per_s, clock)
        self.most = most
        self.per_s = per_s
        self._lock = threading.Lock()
        self._let_in: WeakSet[Consignment] = WeakSet()

    def __repr__(self) -> str:
        return f"rate({self.most}, {self.per_s:g})"

    def _weigh(self, question: Question) -> Answer:
        if question.address is None:
            return Undecided.because("only incoming code has a sender's address")
        sender = sender_of(question.address[0])
        consignment = question.consignment
        with self._lock:
            if consignment is not None and consignment in self._let_in:
                return ACCEPT
            self._window.forget()
            if self._window.exhausted(sender):
                often = f"{self.most} consignments from {sender} in {self.per_s:g} s are the most"
                return Verdict(False, f"{often}: try again later")
            if self._window.full:
                return Verdict(False, f"{MAX_COUNTED} consignments in {self.per_s:g} s are the most: try again later")
            if not question.peek:
                self._window.count(sender)
                if consignment is not None:
                    self._let_in.add(consignment)
            return ACCEPT
