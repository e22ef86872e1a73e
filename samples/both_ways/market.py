"""What the host serves."""

from collections.abc import Callable
from typing import Any

from antiques import Amphora, Antique, TooPoor, appraise
from emporion import expose


class Museum:
    """Takes in what visitors bring, whoever made it."""

    @expose
    def show(self, thing: Any) -> str:
        """What the plate says: the thing's own code, run in its visit's sandbox."""
        return f"On show: {thing.describe()}"


class Market:
    """Sells antiques to agents and to clients."""

    def __init__(self, museum: Museum) -> None:
        self._museum = museum

    @expose
    def deal_with(self, collector: Any) -> Any:
        """Let an agent choose; it goes home with what it took."""
        collector.choose([Amphora("amphora", -330), Antique("oil lamp", 79)])
        return collector

    @expose
    def appraiser(self) -> Callable[[Antique], int]:
        """A function, which travels by its name."""
        return appraise

    @expose
    def buy(self, purse: int) -> Amphora:
        """Sell an amphora for 2330 drachmas."""
        if purse < 2330:
            raise TooPoor(2330 - purse)
        return Amphora("amphora", -330)

    @expose
    def museum(self) -> Museum:
        """The way to the second object."""
        return self._museum
