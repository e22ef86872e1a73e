"""Agents with `async def`: the visit runs them to their end, and whoever called gets the result."""

from typing import Any

import emporion
import pytest
from emporion.errors import AgentError, LimitExceeded
from emporion.tests.harbour import Harbour

SOURCE = """
class Moment:
    def __init__(self, what=None):
        self.what = what

    def __await__(self):
        return (yield self.what)


class Agent:
    async def buy(self, shop, *names):
        self.bill = [await self.price(shop, name) for name in names]
        return sum(self.bill)

    async def price(self, shop, name):
        await Moment()
        return shop.price(name)

    async def wait(self, what):
        try:
            await Moment(what)
        except RuntimeError as error:
            return str(error)

    async def stubborn(self):
        while True:
            try:
                await Moment("more")
            except RuntimeError:
                pass

    async def fail(self):
        await Moment()
        raise LookupError("sold out")

    async def __call__(self, number):
        return number + 1

    async def stop(self):
        raise StopIteration("early")

    async def items(self):
        yield 1
"""


class Shop:
    @emporion.expose
    async def price(self, name: str) -> int:
        return len(name)


def asked(harbour: Harbour, play: Any, **options: Any) -> Any:
    return harbour.stage(play, **options).go(harbour.shelf.agent(SOURCE))


def test_a_hosted_method_gets_the_result_of_an_async_method(harbour: Harbour) -> None:
    def play(agent: Any) -> Any:
        shop = Shop()
        return agent.buy(shop, "tv", "boots"), agent.bill, agent(3)

    assert asked(harbour, play) == (7, [2, 5], 4)


def test_waiting_for_what_never_comes_is_answered_as_asyncio_does(harbour: Harbour) -> None:
    assert asked(harbour, lambda agent: agent.wait("a bus")) == "Task got bad yield: 'a bus'"


def test_what_an_async_method_raises_reaches_the_hosted_method(harbour: Harbour) -> None:
    with pytest.raises(AgentError, match="LookupError: sold out"):
        asked(harbour, lambda agent: agent.fail())
    with pytest.raises(AgentError, match="coroutine raised StopIteration"):
        asked(harbour, lambda agent: agent.stop())


def test_an_async_method_that_never_ends_meets_a_limit(harbour: Harbour) -> None:
    with pytest.raises(LimitExceeded) as reached:
        asked(harbour, lambda agent: agent.stubborn(), limits=emporion.Limits(wall_s=0.3))
    assert reached.value.limit == "wall_s"


def test_an_async_generator_is_no_value(harbour: Harbour) -> None:
    with pytest.raises(AgentError, match="ValueNotPortable"):
        asked(harbour, lambda agent: agent.items())
