"""How often something came within the last seconds, from whom: a sliding window in bounded memory."""

import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Final

from ..errors import ConfigurationError

__all__ = ["MAX_COUNTED", "Window", "check_clock", "check_seconds"]

MAX_COUNTED: Final = 100_000  # arrivals that one window remembers, some 20 MB


class Window:
    """Arrivals of the last `per_s` seconds by sender. Not thread-safe: whoever asks and counts holds a lock meanwhile.

    Args:
        block: The name of the validator that this is for, and `counted` what it counts, for its errors.
        clock: Seconds that never run backwards.

    Raises:
        ConfigurationError: `most` is not from 1 to 100,000, `per_s` no positive number, `clock` no function.
    """

    def __init__(
        self, block: str, counted: str, most: int, per_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        if type(most) is not int or not 0 < most <= MAX_COUNTED:
            raise ConfigurationError(f"{block}({most!r}, ...): a number of {counted} from 1 to {MAX_COUNTED} is needed")
        self.most = most
        self.per_s = check_seconds(f"{block}({most}, {per_s!r})", per_s)
        self._clock = check_clock(block, clock)
        self._arrivals: deque[tuple[float, str]] = deque()
        self._counts: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._arrivals)

    def forget(self) -> None:
        """Let go of what is `per_s` old; to be called before `exhausted` and `full`."""
        until_s = self._clock() - self.per_s
        while self._arrivals and self._arrivals[0][0] <= until_s:
            self.forget_oldest()

    def forget_oldest(self) -> None:
        """Let go of one arrival, however old it is."""
        _, sender = self._arrivals.popleft()
        self._counts[sender] -= 1
        if not self._counts[sender]:
            del self._counts[sender]

    def exhausted(self, sender: str) -> bool:
        """Whether `sender` came `most` times."""
        return self._counts[sender] >= self.most

    @property
    def full(self) -> bool:
        """Whether there is no memory for another arrival of anybody."""
        return len(self._arrivals) >= MAX_COUNTED

    def count(self, sender: str) -> None:
        """`sender` came, now."""
        self._arrivals.append((self._clock(), sender))
        self._counts[sender] += 1


def check_seconds(where: str, seconds: object) -> float:
    """`seconds`, if it is a positive number; else a `ConfigurationError`."""
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 0 < seconds < float("inf"):
        raise ConfigurationError(f"{where}: a positive number of seconds is needed")
    return seconds


def check_clock(block: str, clock: Callable[[], float]) -> Callable[[], float]:
    """`clock`, if it can be called; else a `ConfigurationError`."""
    if not callable(clock):
        raise ConfigurationError(f"{block}(clock=): a function without parameters that gives seconds is needed")
    return clock
