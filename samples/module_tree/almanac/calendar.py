"""Weeks. Its name is also one of the standard library's: inside a package that does not matter."""

import datetime


def week_of(day: datetime.date) -> int:
    """The ISO number of the week."""
    return day.isocalendar().week
