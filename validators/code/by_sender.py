"""Blocks that go by who asks: identity, address, and how often."""

import ipaddress
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Final
from weakref import WeakSet

from ...errors import ConfigurationError
from ..consignment import Consignment
from ..verdict import ACCEPT, Verdict
from .asking import Answer, Block, Question, Undecided
from .by_name import Patterns

__all__ = ["addresses", "callers", "rate"]

MAX_COUNTED: Final = 100_000  # arrivals that one `rate` remembers, some 20 MB

_Ip = ipaddress.IPv4Address | ipaddress.IPv6Address


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
        if not networks:
            raise ConfigurationError('addresses() needs one or more networks, e.g. addresses("10.0.0.0/8")')
        self.networks = tuple(map(_network, networks))

    def __repr__(self) -> str:
        return f"addresses({', '.join(repr(str(network)) for network in self.networks)})"

    def _weigh(self, question: Question) -> Answer:
        if question.address is None:
            return Undecided.because("only incoming code has a sender's address")
        ip = _ip(question.address[0])
        if ip is not None and any(ip in network for network in self.networks):
            return ACCEPT
        listed = ", ".join(map(str, self.networks))
        reason = f"the address {str(question.address[0])[:100]!r} lies in none of {listed}"
        return Verdict(False, reason, told=False, instead="not from this address")


def _network(text: object) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        if not isinstance(text, str):
            raise ValueError(f"{type(text).__name__} is no text")
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise ConfigurationError(f'addresses({text!r}): {error}: write networks, as in "10.0.0.0/8" or "::1"') from None


def _ip(text: object) -> _Ip | None:
    """An address as `addresses` compares it; None for a Unix socket's peer and the like."""
    try:
        ip = ipaddress.ip_address(str(text).partition("%")[0])
    except ValueError:
        return None
    # A socket that listens on both families shows IPv4 peers as ::ffff:192.0.2.1.
    return getattr(ip, "ipv4_mapped", None) or ip


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
        if type(most) is not int or not 0 < most <= MAX_COUNTED:
            raise ConfigurationError(f"rate({most!r}, ...): a number of consignments from 1 to {MAX_COUNTED} is needed")
        if type(per_s) not in (int, float) or not 0 < per_s < float("inf"):
            raise ConfigurationError(f"rate({most}, {per_s!r}): a positive number of seconds is needed")
        if not callable(clock):
            raise ConfigurationError("rate(clock=): a function without parameters that gives seconds is needed")
        self.most = most
        self.per_s = per_s
        self._clock = clock
        self._lock = threading.Lock()
        self._arrivals: deque[tuple[float, str]] = deque()
        self._counts: Counter[str] = Counter()
        self._let_in: WeakSet[Consignment] = WeakSet()

    def __repr__(self) -> str:
        return f"rate({self.most}, {self.per_s:g})"

    def _weigh(self, question: Question) -> Answer:
        if question.address is None:
            return Undecided.because("only incoming code has a sender's address")
        sender = _sender(question.address[0])
        consignment = question.consignment
        with self._lock:
            if consignment is not None and consignment in self._let_in:
                return ACCEPT
            now_s = self._clock()
            self._forget(now_s - self.per_s)
            if self._counts[sender] >= self.most:
                often = f"{self.most} consignments from {sender} in {self.per_s:g} s are the most"
                return Verdict(False, f"{often}: try again later")
            if len(self._arrivals) >= MAX_COUNTED:
                return Verdict(False, f"{MAX_COUNTED} consignments in {self.per_s:g} s are the most: try again later")
            if not question.peek:
                self._count(now_s, sender, consignment)
            return ACCEPT

    def _count(self, now_s: float, sender: str, consignment: Consignment | None) -> None:
        self._arrivals.append((now_s, sender))
        self._counts[sender] += 1
        if consignment is not None:
            self._let_in.add(consignment)

    def _forget(self, until_s: float) -> None:
        while self._arrivals and self._arrivals[0][0] <= until_s:
            _, sender = self._arrivals.popleft()
            self._counts[sender] -= 1
            if not self._counts[sender]:
                del self._counts[sender]


def _sender(text: object) -> str:
    ip = _ip(text)
    if isinstance(ip, ipaddress.IPv6Address):
        return f"{ipaddress.IPv6Network((int(ip) >> 64 << 64, 64))}"
    return str(ip) if ip is not None else str(text)[:100]
