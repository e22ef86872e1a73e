"""The agent, version 1: counts letters."""


class Counter:
    """Counts a text."""

    def count(self, text: str) -> str:
        """The result in words."""
        return f"{len(text)} letters"
