"""Sends a bidder: ``python client.py URI ada|ben|cleo LIMIT``."""

import sys

import emporion
from bidder import Bidder

uri, name, limit = sys.argv[1:]
passphrase = {"ada": "lace", "ben": "rope", "cleo": "silk"}[name]
with emporion.connect(uri, passphrase=passphrase, mobile_code=True) as auction:
    bidder = auction.attend(Bidder(int(limit)))
print(name, "leaves" if bidder.paid is None else f"gets it for {bidder.paid}")
