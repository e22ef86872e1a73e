"""The agent's own module."""

import importlib
from typing import Any

import almanac.moon

from . import *  # noqa: F403  # what the package's __all__ says


class Reader:
    """Reads the page of the day."""

    def __init__(self) -> None:
        self.page: list[str] = []

    def read(self, lighthouse: Any) -> None:
        """Ask for the date; the rest is in the modules that came along."""
        from .calendar import week_of  # late: it is looked for when the method runs

        day = lighthouse.today()
        name = "winter" if day.month in (12, 1, 2) else "summer"
        season = importlib.import_module(f"almanac.seasons.{name}")  # a name that nobody can read in the text
        self.page = [
            EDITION,  # noqa: F405
            f"week {week_of(day)}: {season.MOOD}",
            f"moon: {almanac.moon.age_of(day)} days old; sun: {sun.hours_of(day):.1f} hours",  # noqa: F405
        ]
