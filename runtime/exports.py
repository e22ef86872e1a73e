"""Objects of this end that the peer holds capabilities for, by number."""

import threading
from dataclasses import dataclass
from typing import Any

from ..errors import LimitExceeded, NotExposed, ProtocolError
from .exposure import Interface

__all__ = ["Export", "Exports"]


@dataclass(slots=True, eq=False)
class Export:
    """One object that the peer may call."""

    obj: Any
    interface: Interface
    realm: Any  # on whose behalf it was handed out: whose validator, limits and walls rule what passes through it
    count: int = 0  # how often it was sent, and not yet released


class Exports:
    """The table of one connection. Numbers are never used twice, so a kept one cannot come to mean another object.

    Args:
        limit: Objects held at one time; one more raises `LimitExceeded` naming "capabilities". None: no bound.
    """

    def __init__(self, limit: int | None = None) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._by_number: dict[int, Export] = {}
        self._numbers: dict[tuple[int, int], int] = {}
        self._last = 0

    def add(self, obj: Any, interface: Interface, realm: Any) -> int:
        """The number of `obj` for `realm`, counted as sent once more."""
        key = (id(obj), id(realm))
        with self._lock:
            number = self._numbers.get(key)
            if number is None:
                if self._limit is not None and len(self._by_number) >= self._limit:
                    raise LimitExceeded("capabilities", len(self._by_number) + 1, self._limit)
                self._last = number = self._last + 1
                self._numbers[key] = number
                self._by_number[number] = Export(obj, interface, realm)  # holds `obj`, so that its id stays its own
            self._by_number[number].count += 1
            return number

    def get(self, number: int) -> Export:
        """The export with that number.

        Raises:
            NotExposed: There is none: it was released, or never handed out; the answer is the same.
        """
        try:
            return self._by_number[number]
        except KeyError:
            raise NotExposed(f"object {number} is not (or no longer) exported on this connection") from None

    def arriving(self, number: int) -> None:
        """A message that came, but is not decoded yet, brings this object home: a release behind it must wait."""
        with self._lock:
            export = self._by_number.get(number)
            if export is not None:
                export.count += 1

    def home(self, number: int) -> Any:
        """The object of a message that is decoded now; ends what `arriving` began.

        Raises:
            NotExposed: As for `get`.
        """
        obj = self.get(number).obj
        self.release({number: 1})
        return obj

    def release(self, counts: dict[int, int]) -> None:
        """The peer dropped `counts` of what it received.

        Raises:
            ProtocolError: More than it ever had.
        """
        with self._lock:
            for number, count in counts.items():
                export = self._by_number.get(number)
                if export is None or not 0 < count <= export.count:
                    raise ProtocolError(f"released object {number} {count} times, more often than it was sent")
                export.count -= count
                if not export.count:
                    del self._by_number[number]
                    del self._numbers[id(export.obj), id(export.realm)]

    def __len__(self) -> int:
        return len(self._by_number)
