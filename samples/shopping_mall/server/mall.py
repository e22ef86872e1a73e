"""The mall: four shops, and the customs that decide which code goes in and out.

    emporion host mall.py:Mall --name mall --code-validator mall.py:code_validator --logins-file FILE
"""

import threading

from emporion import Verdict, deny, expose
from ledger import Takings
from objects.books import Atlas, Cookbook
from objects.electronics import Radio, Television
from objects.goods import Goods
from objects.plants import Cactus, Fern
from objects.shoes import Boots, Sandals


class Shop:
    """Sells what it has; agents get it as a capability, and reach what is exposed here and nothing else."""

    def __init__(self, name: str, shelf: dict[str, list[Goods]]) -> None:
        self._name = name
        self._shelf = shelf
        self._till = 0
        self._lock = threading.Lock()  # two visits may reach for the last radio at the same time

    @property
    def name(self) -> str:
        """What the sign says."""
        return self._name

    expose(name)

    @expose
    def prices(self) -> dict[str, int]:
        """What is on the shelf, and for how much."""
        with self._lock:
            return {product: goods[0].price for product, goods in self._shelf.items() if goods}

    @expose
    def buy(self, product: str, money: int) -> Goods:
        """Hand over one `product` for exactly its price.

        Raises:
            LookupError: It is not sold here, or sold out.
            ValueError: The money does not match the price.
        """
        with self._lock:
            goods = self._shelf.get(product)
            if not goods:
                raise LookupError(f"{self._name} has no {product}")
            if money != goods[0].price:
                raise ValueError(f"a {product} costs {goods[0].price}, not {money}")
            self._till += money
            return goods.pop()

    def takings(self) -> int:
        """What is in the till. Not exposed: for agents it does not exist."""
        with self._lock:
            return self._till


class Mall:
    """Takes a shopper through all of its shops."""

    def __init__(self) -> None:
        self._shops = [
            _shop("Ohm & Daughters", radio=[(Radio, 60)], television=[(Television, 240)]),
            _shop("Sole Mates", boots=[(Boots, 120), (Boots, 120)], sandals=[(Sandals, 35)]),
            _shop("The Paper Trail", atlas=[(Atlas, 45)], cookbook=[(Cookbook, 25)]),
            _shop("Root & Branch", fern=[(Fern, 15)], cactus=[(Cactus, 10), (Cactus, 10)]),
        ]

    @expose
    def go_shopping(self, shopper):  # type: ignore[no-untyped-def]  # a stranger's class: nothing is known of it here
        """Let `shopper` visit every shop, in its sandbox; its state goes home."""
        for shop in self._shops:
            shopper.visit_shop(shop)
        return shopper

    @expose
    def show_ledger(self) -> Takings:
        """A method that exposes too much. The customs see to it that it does no harm."""
        return Takings({shop.name: shop.takings() for shop in self._shops})


def _shop(name: str, **shelf: list[tuple[type[Goods], int]]) -> Shop:
    return Shop(name, {product: [make(price, name) for make, price in items] for product, items in shelf.items()})


def code_validator(name: str, module: str | None, address: tuple[str, int] | None) -> Verdict:
    """The customs. A client uploads: all three are given. A client downloads: only the name is."""
    if module and address:
        return Verdict(True) if name == "agent.shopping" else deny(text="only agent.shopping may shop here")
    return Verdict(True) if name.startswith("objects.") else deny(text="only what is for sale leaves the mall")
