"""Who makes room at the door, and how much of it the log tells: plain books, no sockets and no clock."""

from collections.abc import Iterator
from typing import Final, Generic, TypeVar

__all__ = ["LineBudget", "WaitingRoom"]

T = TypeVar("T")

SILENT, HEARD = 0, 1  # stages; further ones count the steps that were completed

# Of connections that were denied or broken off. Enough to see who knocks and why; with 300 bytes a line, no more than
# 130 MB in a day of attacks from everywhere.
LINES_EACH: Final = 30  # of one origin in one page
LINES: Final = 300  # of all of them


class WaitingRoom(Generic[T]):
    """Everybody in the middle of a handshake, by where they come from and how far they are.

    When it is full, one of those goes that come from the most crowded origin; of these one of the most crowded stage
    (silent, heard, so many steps completed), and of these the one that has made no progress for longest. Whoever floods
    takes their own places: not those of other origins, and, where all come from one, not those of others who are
    further, or less far. A first byte is progress, further ones are none: who sends one at a time keeps nobody out.

    Args:
        most: How many have room, 1 or more.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._turn = 0  # counts arrivals and progress: what is lower has been still for longer
        self._turns: dict[T, int] = {}
        self._places: dict[T, tuple[str, int]] = {}  # origin and stage; in the order of arrival
        self._crowds: dict[str, dict[int, dict[T, None]]] = {}  # by origin and stage, the longest still first

    def enter(self, one: T, origin: str) -> None:
        """`one` is here; ask `in_the_way` before."""
        self._put(one, origin, SILENT)

    def heard(self, one: T) -> None:
        """`one` has said something. Nothing where that is no news, and for somebody who is gone."""
        origin, stage = self._places.get(one, ("", HEARD))
        if stage < HEARD:
            self._take(one)
            self._put(one, origin, HEARD)

    def moved_on(self, one: T) -> None:
        """`one` has completed a step of its handshake. Nothing for somebody who is gone."""
        if one in self._places:
            origin, stage = self._places[one]
            self._take(one)
            self._put(one, origin, max(stage, HEARD) + 1)

    def leave(self, one: T) -> None:
        """`one` is through, or has gone. Idempotent."""
        if one in self._places:
            self._take(one)
            del self._places[one], self._turns[one]

    def in_the_way(self) -> T | None:
        """Who has to go before anybody else can come; None while there is room."""
        return None if len(self._places) < self._most else self.first_to_go()

    def first_to_go(self) -> T | None:
        """Who has to go where there is no room for another reason; None: nobody is here."""
        sizes = {origin: sum(map(len, stages.values())) for origin, stages in self._crowds.items()}
        crowded = max(sizes.values(), default=0)
        crowds = [crowd for origin, size in sizes.items() if size == crowded for crowd in self._crowds[origin].values()]
        most = max(map(len, crowds), default=0)
        stillest = (next(iter(crowd)) for crowd in crowds if len(crowd) == most)
        return min(stillest, key=self._turns.__getitem__, default=None)

    def first(self) -> T | None:
        """Who came first of those that are here."""
        return next(iter(self._places), None)

    def _put(self, one: T, origin: str, stage: int) -> None:
        self._places[one] = origin, stage  # a new value of a key that is there leaves the order alone
        self._crowds.setdefault(origin, {}).setdefault(stage, {})[one] = None
        self._turn += 1
        self._turns[one] = self._turn

    def _take(self, one: T) -> None:
        origin, stage = self._places[one]
        stages = self._crowds[origin]
        del stages[stage][one]
        if not stages[stage]:
            del stages[stage]
        if not stages:
            del self._crowds[origin]

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[T]:
        return iter(list(self._places))


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
