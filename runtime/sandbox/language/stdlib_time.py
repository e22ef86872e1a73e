"""What of `time` an agent cannot have as it is.

A visit has no system call to sleep with: `poll` on no file at all waits as well, and the host's wall clock watches.
Source: https://docs.python.org/3/library/time.html#time.sleep
"""

import select

__all__ = ["sleep"]


def sleep(seconds: float, /) -> None:
    """Wait for `seconds`, in steps of a millisecond.

    Raises:
        ValueError: Negative, or not a number.
        OverflowError: More than 24 days.
    """
    if not seconds >= 0:
        raise ValueError("sleep length must be non-negative")
    select.poll().poll(seconds * 1000)


sleep.__module__ = "time"
