"""Things with a plug."""

from objects.goods import Goods


class Radio(Goods):
    """Receives what others send."""

    kind = "radio"

    def description(self) -> str:
        return "a pocket radio, tuned to the shipping forecast"


class Television(Goods):
    """A radio for people who want to see who talks."""

    kind = "television"

    def __init__(self, price: int, shop: str, inches: int = 42) -> None:
        super().__init__(price, shop)
        self.inches = inches

    def description(self) -> str:
        return f"a television of {self.inches} inches, {self.inches * 2.54:.0f} cm to the rest of the world"
