"""The agent; no host has ever seen this module."""

from typing import Any


class Gatherer:
    """Keeps the cheapest offer for each cut, by the carat."""

    def __init__(self) -> None:
        self.seen: dict[str, int] = {}
        self.best: dict[str, tuple[float, str]] = {}

    def gather(self, place: str, dealer: Any) -> None:
        """Look through one dealer's stock, on the spot."""
        stock = dealer.stock()
        self.seen[place] = len(stock)
        for cut, carat, price in stock:
            offer = (price / carat, place)
            self.best[cut] = min(self.best.get(cut, offer), offer)
