"""Asks for tea: ``python client.py URI``."""

import sys

import emporion

try:
    with emporion.connect(sys.argv[1], passphrase="samovar") as tea:
        print(tea.cup())
except emporion.ConnectionDenied as denied:
    print("denied:", denied.reason.name)
