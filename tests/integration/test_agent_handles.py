"""What a hosted method has of an agent: handles, that keep identity, see it as it is now, and end with the call."""

from typing import Any

import emporion
import pytest
from emporion.errors import VisitEnded
from emporion.tests.harbour import Harbour

PAIR = """
class Basket:
    def __init__(self):
        self.things = []

class Agent:
    def __init__(self, basket):
        self.basket = basket
        self.friend = None

    def put(self, thing):
        self.basket.things.append(thing)

    def things(self):
        return self.basket.things

    def itself(self):
        return self

    def make(self):
        return Agent(self.basket)
"""


# --- identity


def test_shared_references_and_cycles_survive_the_whole_journey(harbour: Harbour) -> None:
    agent = harbour.shelf.agent(
        """
        class Node:
            pass

        class Agent:
            def __init__(self):
                self.me = self
                self.left = self.right = Node()
                self.left.owner = self
                self.list = [self.left]
                self.list.append(self.list)

            def check(self):
                return [self.me is self, self.left is self.right is self.list[0], self.left.owner is self,
                        self.list[1] is self.list]

            def renew(self):
                self.left.mark = "seen"
        """
    )

    def play(visitor: Any, use: bool) -> Any:
        if use:
            assert visitor.check() == [True] * 4
            visitor.renew()
        return visitor

    proxy = harbour.stage(play)
    for use in (True, False):
        home = proxy.go(agent, use)
        assert home.check() == [True] * 4
        assert home is not agent
        assert hasattr(home.right, "mark") is use


def test_two_agents_of_one_call_share_what_they_shared_at_home(harbour: Harbour) -> None:
    module = harbour.shelf.module(PAIR)
    basket = module.Basket()
    first, second = module.Agent(basket), module.Agent(basket)
    first.friend, second.friend = second, first

    def play(one: Any, other: Any) -> Any:
        one.put("apple")
        other.put("pear")
        assert one.things() == other.things() == ["apple", "pear"]
        return {"agents": [one, other], "again": one}

    home = harbour.stage(play).go(first, second)
    one, other = home["agents"]
    assert one is home["again"] is other.friend
    assert other is one.friend
    assert one.basket is other.basket
    assert one.basket.things == ["apple", "pear"]


def test_one_object_of_a_visit_is_one_handle(harbour: Harbour) -> None:
    module = harbour.shelf.module(PAIR)

    def play(visitor: Any) -> Any:
        assert visitor.itself() is visitor
        basket = visitor.basket
        assert basket is visitor.basket
        return [visitor, basket, visitor.make()]

    visitor, basket, made = harbour.stage(play).go(module.Agent(module.Basket()))
    assert visitor.basket is basket is made.basket
    assert type(made) is module.Agent


# --- handles


def test_a_handle_reads_writes_and_calls_what_is_public(harbour: Harbour) -> None:
    agent = harbour.shelf.agent(
        """
        class Agent:
            colour = "red"

            def __init__(self):
                self.budget = 5

            @property
            def double(self):
                return self.budget * 2

            def add(self, number, *, times=1):
                return self.budget + number * times
        """
    )

    def play(visitor: Any) -> Any:
        visitor.budget = 7
        found = [visitor.budget, visitor.double, visitor.colour, visitor.add(1), visitor.add(1, times=3)]
        assert hasattr(visitor, "budget")
        assert not hasattr(visitor, "nothing")
        assert getattr(visitor, "nothing", "default") == "default"
        return [found, visitor]

    found, home = harbour.stage(play).go(agent)
    assert found == [7, 14, "red", 8, 10]
    assert home.budget == 7


@pytest.mark.parametrize("use", ["call", "read", "write", "return"])
def test_a_handle_of_a_call_that_is_over_has_ended(harbour: Harbour, use: str) -> None:
    module = harbour.shelf.module(PAIR)
    kept: list[Any] = []

    def play(visitor: Any = None) -> Any:
        if visitor is not None:
            visitor.put("apple")
            kept.append(visitor)
            return None
        with pytest.raises(VisitEnded):
            if use == "call":
                kept[0].things()
            elif use == "read":
                kept[0].friend  # noqa: B018
            elif use == "write":
                kept[0].friend = None
            else:
                raise VisitEnded("returned below")
        return kept[0] if use == "return" else "ended"

    proxy = harbour.stage(play)
    proxy.go(module.Agent(module.Basket()))
    if use == "return":
        with pytest.raises(VisitEnded):
            proxy.go()
    else:
        assert proxy.go() == "ended"


def test_an_agent_may_meet_the_agent_of_a_later_answer(harbour: Harbour) -> None:
    """A hosted method asks its caller back; what the answer brings joins the same visit."""
    module = harbour.shelf.module(PAIR)

    class Desk:
        @emporion.expose
        def friend(self) -> Any:
            return module.Agent(module.Basket())

    def play(visitor: Any, desk: Any) -> Any:
        visitor.friend = desk.friend()
        visitor.friend.put("plum")
        return visitor

    home = harbour.stage(play).go(module.Agent(module.Basket()), Desk())
    assert home.friend.basket.things == ["plum"]


def test_a_callback_sees_the_agent_as_it_is_now(harbour: Harbour) -> None:
    module = harbour.shelf.module(PAIR)
    seen = []

    class Desk:
        @emporion.expose
        def look(self, agent: Any) -> None:
            seen.append((type(agent), list(agent.basket.things)))

    def play(visitor: Any, desk: Any) -> Any:
        visitor.put("apple")
        desk.look(visitor)
        visitor.put("pear")
        return visitor

    home = harbour.stage(play).go(module.Agent(module.Basket()), Desk())
    assert seen == [(module.Agent, ["apple"])]
    assert home.basket.things == ["apple", "pear"]


def test_an_exception_may_carry_the_agent_as_it_is_now(harbour: Harbour) -> None:
    module = harbour.shelf.module(PAIR)

    def play(visitor: Any) -> Any:
        visitor.put("apple")
        raise KeyError(visitor)

    with pytest.raises(KeyError) as raised:
        harbour.stage(play).go(module.Agent(module.Basket()))
    assert raised.value.args[0].basket.things == ["apple"]
