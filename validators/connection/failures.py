"""Failed attempts by key, with growing locks, in bounded memory: what `lock_out` remembers."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Final

__all__ = ["MOST_KEYS", "Failures"]

# Keys with failures that are remembered: 20 MB at the worst, when all of them are as long as a login can be.
MOST_KEYS: Final = 20_000
_DOUBLINGS: Final = 64  # more of them change nothing: every lock has long reached its bound


@dataclass(slots=True)
class _Record:
    failed: list[tuple[float, str]] = field(default_factory=list)  # when, and by whom
    trying: int = 0  # attempts that are being evaluated
    until_s: float = 0.0
    level: int = 0  # under which it is filed: how many failures it had when it was last touched


class Failures:
    """Counts failures of each key and says when it is locked. Thread-safe.

    `begin` comes before an attempt and `end` after it. A place among the attempts that are still free is taken before
    an attempt is evaluated, so that those that run side by side are no more than those that come one by one would be.

    When there are too many keys, one of those with the fewest failures goes: a flood of others does not make it forget
    a key that has failed more often than they have.

    Args:
        after: Failures within `forget_s` that lock a key, for `first_s`; each further one doubles that, up to `most_s`.
        clock: Seconds that never run backwards.
    """

    def __init__(
        self, *, after: int, first_s: float, most_s: float, forget_s: float, clock: Callable[[], float]
    ) -> None:
        self._after = after
        self._first_s = first_s
        self._most_s = most_s
        self._forget_s = forget_s
        self._clock = clock
        self._changed = threading.Condition()
        self._records: dict[Hashable, _Record] = {}
        self._levels: dict[int, OrderedDict[Hashable, None]] = {}  # of records: the longest untouched first

    def __len__(self) -> int:
        return len(self._records)

    def begin(self, key: Hashable) -> float | None:
        """None: evaluate the attempt, then call `end`; otherwise the seconds for which `key` is locked.

        Waits for attempts under way whose failure would begin the first lock: those who did nothing wrong come side by
        side, too. Later one attempt is evaluated at a time, and others meanwhile get 0.0: whoever guesses must not hold
        threads that wait.
        """
        with self._changed:
            while True:
                record = self._records.get(key)
                if record is None:
                    record = self._new(key)
                now_s = self._clock()
                if now_s < record.until_s:
                    return record.until_s - now_s
                failed = self._fresh(record, now_s)
                if not record.trying or failed + record.trying < self._after:
                    record.trying += 1
                    return None
                if failed >= self._after:
                    return 0.0
                self._changed.wait()

    def end(self, key: Hashable, who: str, *, failed: bool, clear: bool) -> float:
        """An attempt by `who` is over; gives the seconds for which `key` is locked now.

        `clear` takes back the failures of the same `who`, and nobody else's.
        """
        with self._changed:
            record = self._records[key]
            record.trying -= 1
            now_s = self._clock()
            if failed:
                record.failed.append((now_s, who))
                del record.failed[: -(self._after + _DOUBLINGS)]
            elif clear:
                record.failed = [one for one in record.failed if one[1] != who]
            count = self._fresh(record, now_s)
            if failed and count >= self._after:
                delay_s = self._first_s * 2.0 ** min(count - self._after, _DOUBLINGS)
                record.until_s = max(record.until_s, now_s + min(delay_s, self._most_s))
            self._file(key, record, count, now_s)
            self._changed.notify_all()
            return max(record.until_s - now_s, 0.0)

    def _fresh(self, record: _Record, now_s: float) -> int:
        """How many failures still count; the others are dropped."""
        while record.failed and record.failed[0][0] <= now_s - self._forget_s:
            del record.failed[0]
        return len(record.failed)

    def _new(self, key: Hashable) -> _Record:
        if len(self._records) >= MOST_KEYS:
            self._make_room()
        record = self._records[key] = _Record()
        self._levels.setdefault(0, OrderedDict())[key] = None
        return record

    def _file(self, key: Hashable, record: _Record, count: int, now_s: float) -> None:
        self._unfile(key, record)
        if not count and not record.trying and record.until_s <= now_s:
            del self._records[key]
            return
        record.level = count
        self._levels.setdefault(count, OrderedDict())[key] = None

    def _unfile(self, key: Hashable, record: _Record) -> None:
        level = self._levels[record.level]
        del level[key]
        if not level:
            del self._levels[record.level]

    def _make_room(self) -> None:
        """Forget a key whose time is over, or else one of those with the fewest failures."""
        now_s = self._clock()
        longest = [self._longest_untouched(level) for level in sorted(self._levels)]
        keys = [key for key in longest if key is not None]
        if not keys:  # more threads than keys: nothing can go
            return
        for key in keys:
            record = self._records[key]
            if not self._fresh(record, now_s) and record.until_s <= now_s:
                break
        else:
            key = keys[0]
        self._unfile(key, self._records[key])
        del self._records[key]

    def _longest_untouched(self, level: int) -> Hashable | None:
        """A key at `level` that nobody tries at this moment: what is being tried must not be forgotten."""
        return next((key for key in self._levels[level] if not self._records[key].trying), None)
