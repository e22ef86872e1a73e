"""Four guests for two seats: ``python client.py URI``."""

import sys
from contextlib import ExitStack
from typing import Any

import emporion


def enter(passphrase: str) -> Any:
    """A connection, or None when there is no seat."""
    try:
        return inside.enter_context(emporion.connect(sys.argv[1], passphrase=passphrase))
    except emporion.ConnectionDenied as denied:
        print(passphrase, "is denied:", denied.reason.name)
        return None


with ExitStack() as inside:
    ann = enter("birch")
    enter("birch")  # one seat is enough for Ann
    enter("stove")
    print("inside:", ann.guests())
    enter("towel")  # no seat left for Cy
    ann.send_out("ben")
    enter("towel")
    print("inside:", ann.guests())
