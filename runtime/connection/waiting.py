"""Who makes room at the door, and how much of it the log tells: plain books, no sockets and no clock."""

from collections.abc import Iterator
from typing import Final, Generic, TypeVar

__all__ = ["LineBudget", "WaitingRoom"]

T = TypeVar("T")

# Of connections that were denied or broken off. Enough to see who knocks and why; with 300 bytes a line, no more than
# 130 MB in a day of attacks from everywhere.
LINES_EACH: Final = 30  # of one origin in one page
LINES: Final = 300  # of all of them


class WaitingRoom(Generic[T]):
    """Everybody in the middle of a handshake, by where they come from.

    When it is full, one of those goes that come from the most crowded origin, and of these the one that has made no
    progress for longest. Whoever floods takes their own places, not those of others; and a byte is no progress: who
    sends one at a time keeps nobody out.

    Args:
        most: How many have room, 1 or more.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._turn = 0  # counts arrivals and progress: what is lower has been still for longer
        self._turns: dict[T, int] = {}
        self._origins: dict[T, str] = {}  # in the order of arrival
        self._crowds: dict[str, dict[T, None]] = {}  # of each origin, the longest still first

    def enter(self, one: T, origin: str) -> None:
        """`one` is here; ask `in_the_way` before."""
        self._origins[one] = origin
        self._crowds.setdefault(origin, {})[one] = None
        self._mark(one)

    def moved_on(self, one: T) -> None:
        """`one` has completed a step of its handshake. Nothing for somebody who is gone."""
        if one in self._origins:
            crowd = self._crowds[self._origins[one]]
            del crowd[one]
            crowd[one] = None
            self._mark(one)

    def leave(self, one: T) -> None:
        """`one` is through, or has gone. Idempotent."""
        origin = self._origins.pop(one, None)
        if origin is not None:
            del self._turns[one]
            crowd = self._crowds[origin]
            del crowd[one]
            if not crowd:
                del self._crowds[origin]

    def in_the_way(self) -> T | None:
        """Who has to go before anybody else can come; None while there is room."""
        return None if len(self._origins) < self._most else self.first_to_go()

    def first_to_go(self) -> T | None:
        """Who has to go where there is no room for another reason; None: nobody is here."""
        stillest = (next(iter(crowd)) for crowd in self._crowds.values())
        return max(stillest, key=lambda one: (len(self._crowds[self._origins[one]]), -self._turns[one]), default=None)

    def first(self) -> T | None:
        """Who came first of those that are here."""
        return next(iter(self._origins), None)

    def _mark(self, one: T) -> None:
        self._turn += 1
        self._turns[one] = self._turn

    def __len__(self) -> int:
        return len(self._origins)

    def __iter__(self) -> Iterator[T]:
        return iter(list(self._origins))


class LineBudget:
    """Which of the refused get a line in the log. Whoever floods the door must neither fill the disk with it nor drown
    what others do there, so each origin has lines of its own, and the rest is counted.

    Args:
        each: Lines of one origin in one page; `most`: of all.
    """

    def __init__(self, *, each: int = LINES_EACH, most: int = LINES) -> None:
        self._each = each
        self._most = most
        self._told: dict[str, int] = {}  # at most `most` origins
        self._lines = 0
        self._silenced: dict[str, int] = {}  # of those in `_told`
        self._others = 0

    def spend(self, origin: str) -> bool:
        """Whether there is a line for one more from `origin`; if not, it is counted."""
        told = self._told.get(origin, 0)
        if told < self._each and self._lines < self._most:
            self._told[origin] = told + 1
            self._lines += 1
            return True
        if told:
            self._silenced[origin] = self._silenced.get(origin, 0) + 1
        else:
            self._others += 1
        return False

    @property
    def blank(self) -> bool:
        """Whether nothing was asked for since `turn`."""
        return not self._lines and not self._others

    def turn(self) -> str:
        """Begin a new page; gives what has to be said of the old one in a line, or nothing."""
        count = sum(self._silenced.values()) + self._others
        worst = max(self._silenced, key=self._silenced.__getitem__, default=None)
        some = "" if worst is None else f", {self._silenced[worst]} of them from {worst}"
        self._told, self._silenced, self._lines, self._others = {}, {}, 0, 0
        return f"{count} more connections were denied or broken off{some}" if count else ""
