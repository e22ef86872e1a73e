"""An agent that remembers in Counters, deques and defaultdicts comes home with them, and hands them over."""

from collections import Counter, OrderedDict, defaultdict, deque
from random import Random
from typing import Any

import emporion
from emporion.tests.harbour import Harbour

AGENT = """
import random
from collections import Counter, OrderedDict, defaultdict, deque

class Agent:
    def __init__(self):
        self.counts = Counter()
        self.shelves = defaultdict(list)
        self.order = OrderedDict(first=1)
        self.recent = deque(maxlen=2)
        self.dice = random.Random(5)

    def visit(self):
        self.counts.update(["tea", "map", "tea"])
        self.shelves["a"].append(self.counts)
        self.order.move_to_end("first")
        self.order["last"] = 2
        self.recent.extend([1, 2, 3])
        self.rolled = [self.dice.randint(1, 6) for _ in range(5)]
        return self.counts, self.shelves, self.recent
"""


def test_an_agent_comes_home_with_its_collections(harbour: Harbour) -> None:
    seen: list[Any] = []

    class Desk:
        @emporion.expose
        def receive(self, agent: Any) -> Any:
            seen.append(agent.visit())
            return agent

    module = harbour.shelf.module(AGENT)
    with harbour.connect(harbour.register(Desk(), code_validator=lambda *asked: True)) as desk:
        home = desk.receive(module.Agent())

    counts = Counter(tea=2, map=1)
    assert [type(one) for one in seen[0]] == [Counter, defaultdict, deque]
    assert seen[0] == (counts, {"a": [counts]}, deque([2, 3]))
    assert (type(home.counts), home.counts) == (Counter, counts)
    assert home.shelves["a"][0] is home.counts
    assert home.shelves["new"] == []
    assert (type(home.order), list(home.order)) == (OrderedDict, ["first", "last"])
    assert (home.recent, home.recent.maxlen) == (deque([2, 3]), 2)

    dice = Random(5)
    assert [*home.rolled, home.dice.randint(1, 6)] == [dice.randint(1, 6) for _ in range(6)]
