"""The sun, at fifty degrees north, roughly."""

import datetime
from math import cos, pi

from .calendar import week_of

NAME = "sun"


def hours_of(day: datetime.date) -> float:
    """From sunrise to sunset."""
    return 12.2 - 4.2 * cos(2 * pi * (week_of(day) + 1) / 52)
