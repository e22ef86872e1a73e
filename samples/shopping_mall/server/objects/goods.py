"""What all goods have in common."""


class Goods:
    """Something with a price tag; `shop` is where it was sold."""

    kind = "thing"

    def __init__(self, price: int, shop: str) -> None:
        self.price = price
        self.shop = shop

    def description(self) -> str:
        """What it is, in a sentence's half."""
        return f"a {self.kind}"
