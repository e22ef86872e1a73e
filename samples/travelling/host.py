"""Hosts a diamond dealer, who passes agents on: ``python host.py NAME [URI OF THE NEXT DEALER]``.

The passphrases are the sample's own; yours belong into a file.
"""

import sys
from typing import Any

import emporion
from dealer import Dealer

PASSPHRASES = {"client": "a stone is forever", "antwerp": "scheldt", "mumbai": "gateway", "tel-aviv": "carmel"}


def code_validator(name: str, module: str | None, address: Any, caller: Any = None) -> bool:
    """Customs: one module may come in, and go on."""
    print(f"{name} comes from {caller.identity}" if module else f"{name} goes on", flush=True)
    return name == "gatherer"


if __name__ == "__main__":
    name, friend = [*sys.argv[1:], ""][:2]
    with emporion.Host(passphrases=PASSPHRASES) as host:
        dealer = Dealer(name, PASSPHRASES[name], friend)
        print(host.register(dealer, "dealer", code_validator=code_validator), flush=True)
        host.serve_forever()
