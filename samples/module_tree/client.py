"""Sends a reader to the lighthouse: ``python client.py URI``."""

import sys

import emporion
from almanac.reader import Reader

with emporion.connect(sys.argv[1], passphrase="fresnel", mobile_code=True) as lighthouse:
    for line in lighthouse.welcome(Reader()).page:
        print(line)
