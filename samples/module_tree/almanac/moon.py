"""The moon, roughly."""

import datetime

NAME = "moon"


def age_of(day: datetime.date) -> int:
    """Days since the last new moon."""
    return int((day - datetime.date(2000, 1, 6)).days % 29.530588)
