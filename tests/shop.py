"""A shop that a host opens: agents, and clients, see its prices and buy from its shelf."""

from typing import Any

import emporion


class Shop:
    def __init__(self, shelf: dict[str, Any]) -> None:
        self._shelf = shelf

    @emporion.expose
    def prices(self) -> dict[str, int]:
        return {name: thing.price for name, thing in self._shelf.items()}

    @emporion.expose
    def buy(self, product: str) -> Any:
        return self._shelf.pop(product)
