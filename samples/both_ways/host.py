"""Hosts a market, whose goods travel with their classes, and a museum. The passphrase is the sample's own."""

from typing import Any

import emporion
from market import Market, Museum


def market_customs(name: str, module: str | None, address: Any) -> bool:
    """Collectors come in, antiques go out."""
    print("market:", name, "comes in" if module else "goes out", flush=True)
    return name == "collector" if module else name == "antiques"


def museum_customs(name: str, module: str | None, address: Any) -> bool:
    """Antiques come in, nothing goes out."""
    print("museum:", name, "comes in" if module else "goes out", flush=True)
    return bool(module) and name == "antiques"


if __name__ == "__main__":
    museum = Museum()
    with emporion.Host(passphrases=["obol"]) as host:
        print(host.register(Market(museum), "market", code_validator=market_customs), flush=True)
        host.register(museum, "museum", code_validator=museum_customs)
        host.serve_forever()
