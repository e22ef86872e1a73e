"""What the host serves: an auction, which takes place in rounds."""

import threading
from collections.abc import Iterable
from typing import Any

from emporion import caller, expose


class Auction:
    """One lot, whose price rises until one bidder is left. Each visit has a thread here; they share it under a lock."""

    def __init__(self, bidders: Iterable[str]) -> None:
        self._turn = threading.Condition()  # a lock, and a way to wait for what the others do
        self._bidders, self._answers, self._price = set(bidders), dict[str, bool](), 1

    @expose
    def attend(self, bidder: Any) -> Any:
        """Give an agent the seat of whoever sent it: only who holds a seat bids, and only for its owner."""
        bidder.take_part(Seat(self, str(caller().identity)))
        return bidder

    def answer(self, name: str, stays: bool) -> tuple[int, int]:
        """Take one answer and wait for the others'; gives the new price and how many rivals are left."""
        with self._turn:
            self._answers[name] = stays
            if self._answers.keys() >= self._bidders:
                self._end_round()
            elif not self._turn.wait_for(lambda: name not in self._answers, timeout=300):
                raise TimeoutError("the other bidders did not come")
            return self._price, len(self._bidders - {name})

    def _end_round(self) -> None:
        for name in sorted(name for name in self._bidders if not self._answers[name]):
            self._bidders.remove(name)
            print(name, "leaves at", self._price, flush=True)
        self._price += len(self._bidders) > 1
        self._answers.clear()
        self._turn.notify_all()


class Seat:
    """One bidder's place in the auction."""

    def __init__(self, auction: Auction, name: str) -> None:
        self._auction, self._name = auction, name

    @expose
    def answer(self, stays: bool) -> tuple[int, int]:
        """Stay at the price that was asked, or leave; gives the price now, and the number of rivals."""
        return self._auction.answer(self._name, bool(stays))
