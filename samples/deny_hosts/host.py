"""A tea house that keeps a list: ``python host.py FILE``. The passphrase is the sample's own."""

import sys
from ipaddress import ip_address, ip_network
from pathlib import Path

import emporion
from emporion.validators.connection import by_host


class TeaHouse:
    """Has tea."""

    @emporion.expose
    def cup(self) -> str:
        """A cup of it."""
        return "a cup of tea"


def blocked(ip: str) -> bool:
    """Whether a line of the list has the address; no list blocks nobody."""
    path = Path(sys.argv[1])
    lines = path.read_text(encoding="utf-8").split() if path.exists() else []
    return any(ip_address(ip) in ip_network(line) for line in lines)


def decide(address: tuple[str, int]) -> bool:
    """Asked for each connection, first of all; what raises denies, so a damaged list lets nobody in."""
    welcome = not blocked(address[0])
    print(address[0], "may come" if welcome else "is blocked", flush=True)
    return welcome


if __name__ == "__main__":
    with emporion.Host(passphrases=["samovar"], connection_validator=by_host(decide)) as host:
        print(host.register(TeaHouse(), "tea"), flush=True)
        host.serve_forever()
