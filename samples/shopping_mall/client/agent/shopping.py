"""An agent that shops from a list, for as long as its money lasts."""

from typing import Any


class ShoppingAgent:
    """Goes from shop to shop with a purse and a list.

    `wants` shrinks by what it gets; `bought` are things whose classes it never saw where it comes from.
    """

    def __init__(self, name: str, cash: int, wants: list[str]) -> None:
        self.name = name
        self.cash = cash
        self.wants = list(wants)
        self.bought: list[Any] = []

    def visit_shop(self, shop: Any) -> None:
        """Look at the prices and buy what is on the list and in reach."""
        prices = shop.prices()
        for product in [product for product in self.wants if product in prices]:
            price = prices[product]
            if price > self.cash:
                print(f"{shop.name}: {product} for {price}? I have {self.cash} left. Next time.")
                continue
            thing = shop.buy(product, price)
            self.bought.append(thing)
            self.cash -= price
            self.wants.remove(product)
            print(f"{shop.name}: {product} for {price}, taken.")
