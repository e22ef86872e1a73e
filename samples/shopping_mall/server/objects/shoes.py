"""Things with soles."""

from objects.goods import Goods


class Boots(Goods):
    """For puddles."""

    kind = "pair of boots"

    def __init__(self, price: int, shop: str, size: int = 41) -> None:
        super().__init__(price, shop)
        self.size = size

    def description(self) -> str:
        return f"a pair of boots, size {self.size}, waterproof up to the knees"


class Sandals(Goods):
    """For optimists."""

    kind = "pair of sandals"
