"""What the market sells, and what it raises. Only the host has this module."""


class Antique:
    """Something old."""

    def __init__(self, name: str, year: int) -> None:
        self.name = name
        self.year = year

    def describe(self) -> str:
        """What it is."""
        return f"{self.name}, {abs(self.year)} {'BC' if self.year < 0 else 'AD'}"


class Amphora(Antique):
    """A jar with a past."""

    def describe(self) -> str:
        return f"{super().describe()}, still smelling of oil"


def appraise(thing: Antique) -> int:
    """What it is worth: a drachma a year."""
    return 2000 - thing.year


class TradeError(Exception):
    """What goes wrong on a market."""


class TooPoor(TradeError):
    """A purse that is too light."""

    def __init__(self, missing: int) -> None:
        super().__init__(f"{missing} drachmas are missing")
        self.missing = missing
