"""A collector, and a carrier who opens nothing: ``python client.py URI``."""

import sys
from typing import Any

import emporion
from collector import Collector

URI = sys.argv[1]


def customs(name: str, module: str | None, address: Any) -> bool:
    """The client's own: asked about each module that would come in."""
    print("customs:", name, "comes in,", len(module or ""), "characters")
    return name == "antiques"


with emporion.connect(URI, passphrase="obol", mobile_code=True, code_validator=customs) as market:
    collector = market.deal_with(Collector())
    print("an object:", collector.taken.describe())
    print("a function:", market.appraiser()(collector.taken), "drachmas")
    try:
        market.buy(purse=2000)
    except Exception as error:
        print("an exception:", " < ".join(cls.__name__ for cls in type(error).__mro__[:3]), vars(error)["missing"])

with emporion.connect(URI, passphrase="obol") as market:
    parcel = market.buy(purse=2330)
    print(parcel)
    try:
        parcel.describe()
    except emporion.CodeDenied as denied:
        print("CodeDenied:", denied)
    print(market.museum().show(parcel))
