"""Compares offers of several shops, each in a currency of its own."""

from typing import NamedTuple

RATES = {"EUR": 1.0, "USD": 0.92, "SEK": 0.088}


class Offer(NamedTuple):
    shop: str
    product: str
    price: float
    currency: str = "EUR"

    @property
    def euros(self) -> float:
        return round(self.price * RATES[self.currency], 2)

    def __str__(self):
        return f"{self.product} at {self.shop}: {self.euros:.2f}"


def cheapest(*offers, product=None, **conditions):
    """The best offer for `product` whose fields are as `conditions` say."""
    fitting = [
        offer
        for offer in offers
        if (product is None or offer.product == product)
        and all(getattr(offer, name) == value for name, value in conditions.items())
    ]
    return min(fitting, key=lambda offer: (offer.euros, offer.shop), default=None)


def spread(offers):
    low, *_, high = sorted(offer.euros for offer in offers)
    return round(high - low, 2), f"{(high - low) / low:.1%}"


class Agent:
    def __init__(self):
        self.wants = ["tv", "boots", "kite"]

    def run(self):
        rows = [
            ("Alma", "tv", 399.0),
            ("Bert", "tv", 420, "USD"),
            ("Carl", "tv", 4300, "SEK"),
            ("Alma", "boots", 89.5),
            ("Bert", "boots", 89.5),
        ]
        offers = [Offer(*row) for row in rows]
        result = {}
        for want in self.wants:
            best = cheapest(*offers, product=want)
            print(best if best else f"no {want}")
            result[want] = best and best._asdict()
        first = offers[0]._replace(price=1)
        shop, *rest = first
        return result, spread(offers[:3]), str(cheapest(*offers, currency="USD")), shop, rest, Offer._fields
