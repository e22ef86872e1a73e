"""The agent of the benchmark: a stranger's class that asks its ten questions next to the data."""

from typing import Any


class Visitor:
    """Wants the sum of some prices."""

    def __init__(self, questions: int) -> None:
        self.questions = questions

    def look_around(self, shop: Any) -> int:
        """Ask `shop` for one price after the other; gives their sum."""
        total: int = sum(shop.price(number) for number in range(self.questions))
        return total
