"""The agent; ``emporion sign`` puts its signature beside this file."""


class Scout:
    """Keeps what it sees."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def look(self, view: list[str]) -> None:
        """Remember the caravans."""
        self.seen += [thing for thing in view if "caravan" in thing]
