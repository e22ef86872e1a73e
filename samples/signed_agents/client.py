"""Sends a scout, and tells what came of it: ``python client.py URI``."""

import sys

import emporion
from scout import Scout

with emporion.connect(sys.argv[1], passphrase="summit", mobile_code=True) as hill:
    try:
        print("seen:", *hill.climb(Scout()).seen)
    except emporion.CodeDenied as denied:
        print("refused:", denied.reason)
