"""What the hosts serve: a dealer each."""

import csv
from pathlib import Path
from typing import Any

import emporion


class Dealer:
    """Has diamonds on sale, and perhaps a friend in the trade."""

    def __init__(self, name: str, passphrase: str, friend: str) -> None:
        self._name, self._passphrase, self._friend = name, passphrase, friend
        with Path(__file__).with_name("stock").joinpath(f"{name}.csv").open(encoding="utf-8", newline="") as file:
            self._stock = [(row["cut"], float(row["carat"]), int(row["price"])) for row in csv.DictReader(file)]

    @emporion.expose
    def stock(self) -> list[tuple[str, float, int]]:
        """Cut, carat and price (US dollars) of each stone."""
        return self._stock

    @emporion.expose
    def receive(self, agent: Any) -> Any:
        """Show an agent the stock, and let it go on from here; it comes back by the same way."""
        agent.gather(self._name, self)
        if self._friend:
            with emporion.connect(self._friend, passphrase=self._passphrase, mobile_code=True) as dealer:
                agent = dealer.receive(agent)
        return agent
