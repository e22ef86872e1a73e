"""Enters a room with the passphrase that it has for it: ``python client.py URI``."""

import json
import sys
from pathlib import Path

import emporion

uri = emporion.URI.parse(sys.argv[1])


def passphrase() -> str:
    """Called when the connection is made; a prompt or a keyring would stand here as well."""
    keys = json.loads(Path(__file__).with_name("keyring.json").read_text(encoding="utf-8"))
    return str(keys[uri.name])


try:
    with emporion.connect(uri, passphrase=passphrase) as room:
        print(room.enter())
except emporion.ConnectionDenied as denied:
    print("denied:", denied.reason.name)
