"""The agent. Only the client has this module."""

from typing import Any


class Collector:
    """Takes the oldest thing that it is shown."""

    def __init__(self) -> None:
        self.taken: Any = None

    def choose(self, things: list[Any]) -> None:
        """One of a kind."""
        self.taken = min(things, key=lambda thing: thing.year)
        print("I take the", self.taken.name)
