"""Sends a gatherer to the first dealer and tells what it comes home with: ``python client.py URI``."""

import sys

import emporion
from gatherer import Gatherer

with emporion.connect(sys.argv[1], passphrase="a stone is forever", mobile_code=True) as dealer:
    gatherer = dealer.receive(Gatherer())
print("seen:", ", ".join(f"{count} in {place}" for place, count in gatherer.seen.items()))
for cut, (price, place) in sorted(gatherer.best.items()):
    print(f"{cut}: {price:.0f} dollars a carat in {place}")
