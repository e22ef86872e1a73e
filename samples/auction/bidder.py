"""The agent: its limit never leaves the sandbox that it bids in."""

from typing import Any


class Bidder:
    """Stays for as long as the price is within its limit."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.paid: int | None = None

    def take_part(self, seat: Any) -> None:
        """Answer round after round."""
        price, rivals = 1, 1
        while rivals:
            if price > self.limit:
                seat.answer(False)
                return
            price, rivals = seat.answer(True)
        self.paid = price
