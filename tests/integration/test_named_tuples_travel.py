"""Named tuples of an agent's own are part of what it remembers, of its results, and agents themselves."""

from typing import Any

import emporion
import pytest
from emporion.errors import ValueNotPortable
from emporion.tests.harbour import Harbour

AGENT = """
from collections import namedtuple
from dataclasses import dataclass
from typing import NamedTuple

Size = namedtuple("Size", "width height")

class Offer(NamedTuple):
    shop: str
    price: float
    tags: list = []
    size: Size = Size(1, 2)

    def total(self, count):
        return self.price * count

class Pair(tuple):
    __slots__ = ()

class Marked(Size):
    pass  # which has a __dict__

@dataclass(frozen=True)
class Key:
    offer: Offer

class Agent:
    def __init__(self, *offers):
        self.offers = list(offers)
        self.by_size = {}
        self.keys = set()
        self.nested = ()

    def visit(self):
        best = min(self.offers, key=lambda offer: offer.price)
        self.best = best
        self.offers.append(best._replace(price=best.price / 2, tags=[self]))
        self.by_size = {offer.size: offer for offer in self.offers}
        self.keys = {Key(Offer("k", 1.0, (), Size(0, 0))), Size(5, 6)}
        self.nested = (Pair((best, (Size(7, 8),))),)
        return best

    def marked(self):
        marked = Marked(1, 2)
        marked.colour = "red"
        return marked

    def chain(self, length):
        chain = None
        for number in range(length):
            chain = Size(number, chain)
        return chain
"""


def test_an_agent_comes_home_with_its_named_tuples(harbour: Harbour) -> None:
    module = harbour.shelf.module(AGENT)
    seen: list[Any] = []

    def receive(agent: Any) -> Any:
        best = agent.visit()
        seen.append((best.shop, best.total(3), best.size.width))
        return agent, best

    offers = module.Offer("north", 3.0, ["a"]), module.Offer("south", 2.0, size=module.Size(3, 4))
    home, best = harbour.stage(receive).go(module.Agent(*offers))

    assert seen == [("south", 6.0, 3)]
    assert [type(offer) for offer in home.offers] == [module.Offer] * 3
    assert home.offers[:2] == list(offers)
    assert home.offers[1] is home.best is best is home.nested[0][0]
    assert home.offers[2].price == 1.0
    assert home.offers[2].tags[0] is home
    assert home.by_size[module.Size(3, 4)] is home.offers[2]
    assert home.keys == {module.Key(module.Offer("k", 1.0, (), module.Size(0, 0))), module.Size(5, 6)}
    assert type(home.nested[0]) is module.Pair
    assert home.nested[0][1] == (module.Size(7, 8),)
    assert type(home.nested[0][1][0]) is module.Size


def test_a_named_tuple_can_be_the_agent(harbour: Harbour) -> None:
    module = harbour.shelf.module(AGENT)
    offer = module.Offer("east", 1.5, ["x"])

    assert harbour.stage(lambda agent: [agent.total(2), agent]).go(offer) == [3.0, offer]


def test_a_named_tuple_with_attributes_of_its_own_is_told_what_to_do(harbour: Harbour) -> None:
    agent = harbour.shelf.agent(AGENT)
    with pytest.raises(emporion.EmporionError, match="keep them in an object that holds the tuple"):
        harbour.stage(lambda agent: agent.marked()).go(agent)


FLAGS = """
import enum

class May(enum.Flag):
    READ = enum.auto()
    WRITE = enum.auto()
    RUN = enum.auto()
    ALL = READ | WRITE | RUN

class Agent:
    def __init__(self):
        self.may = {May.READ | May.WRITE: [May(0)]}
        self.first = self.last = May.ALL

    def visit(self):
        (self.first,) = self.may
        self.last = May.ALL ^ self.first
        self.may[May.RUN | May.READ] = {May(0), May.ALL}
        return self.first
"""


def test_combinations_of_flags_travel(harbour: Harbour) -> None:
    module = harbour.shelf.module(FLAGS)
    home, first = harbour.stage(lambda agent: (agent, agent.visit())).go(module.Agent())

    may = module.May
    assert first is home.first is may.READ | may.WRITE
    assert home.last is may.RUN
    assert home.may == {first: [may(0)], may.RUN | may.READ: {may(0), may.ALL}}


def test_named_tuples_nest_as_deep_as_tuples_do(harbour: Harbour) -> None:
    module = harbour.shelf.module(AGENT)
    stage = harbour.stage(lambda agent, length: agent.chain(length))
    home = stage.go(module.Agent(), 80)
    assert (home.width, home.height.height.width) == (79, 77)

    with pytest.raises(ValueNotPortable, match="nested more than"):
        stage.go(module.Agent().chain(300), 1)
