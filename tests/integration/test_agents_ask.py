"""An agent asks the host's objects: who is asking, what it prints, what it reaches, one at a time, coroutines."""

import asyncio
import threading
from typing import Any

import emporion
import pytest
from emporion.errors import AgentError
from emporion.tests.harbour import Harbour, in_thread
from emporion.tests.shop import Shop


def test_caller_is_the_sender_also_where_the_agent_asks(harbour: Harbour) -> None:
    agent = harbour.shelf.agent("class Agent:\n    def ask(self, desk):\n        return desk.who()\n")

    class Desk:
        @emporion.expose
        def who(self) -> list[Any]:
            return [*emporion.caller().address]

    def play(visitor: Any) -> Any:
        return [visitor.ask(Desk()), [*emporion.caller().address]]

    proxy = harbour.stage(play)
    asked, own = proxy.go(agent)
    assert asked == own
    assert tuple(own) in [one.address for one in harbour.host.connections()]
    with pytest.raises(emporion.ConfigurationError):
        emporion.caller()


def test_what_an_agent_prints_reaches_its_sender_in_order(harbour: Harbour) -> None:
    agent = harbour.shelf.agent(
        """
        class Agent:
            def talk(self, desk):
                print("one")
                desk.note("after one")
                print("two", 2, sep="-")
                print("forged\\x1b[31m\\x85line")
                return None
        """
    )
    heard: list[list[str]] = []

    class Desk:
        @emporion.expose
        def note(self, text: str) -> None:
            heard.append([text, *(r.getMessage() for r in harbour.ears.records if " printed " in r.getMessage())])

    def play(visitor: Any) -> Any:
        visitor.talk(Desk())
        return visitor

    proxy = harbour.stage(play)
    proxy.go(agent)
    assert harbour.ears.printed()[:2] == ["one", "two-2"]
    assert "\x1b" not in "".join(record.getMessage() for record in harbour.ears.records)
    assert len(heard) == 1 and heard[0][0] == "after one"
    assert len(heard[0]) == 2 and heard[0][1].endswith(r"printed one\n")  # said before its question was answered


def test_an_agent_reaches_what_is_exposed_and_nothing_else(harbour: Harbour) -> None:
    agent = harbour.shelf.agent("class Agent:\n    def pry(self, shop):\n        return shop.open_till()\n")

    class Till(Shop):
        def open_till(self) -> int:
            raise AssertionError("an agent was at the till")

    with pytest.raises(AgentError, match="open_till"):
        harbour.stage(lambda visitor: visitor.pry(Till({}))).go(agent)


def test_a_synchronized_object_serves_one_at_a_time_agents_too(harbour: Harbour) -> None:
    agent = harbour.shelf.agent("class Agent:\n    def knock(self, room):\n        return room.go()\n")
    inside = threading.Lock()
    met = threading.Event()

    def room() -> bool:
        alone = inside.acquire(blocking=False)
        try:
            met.wait(0.05)  # long enough for another to come in, were there no lock
            return alone
        finally:
            if alone:
                inside.release()

    name = f"room of {id(inside)}"
    uri = harbour.register(room, name=name, synchronized=True)
    registration = harbour.host.find(name)
    assert registration is not None
    mall = harbour.stage(lambda visitor: visitor.knock(registration.obj))
    other = harbour.connect(uri)
    waiting = [in_thread(lambda: mall.go(agent)), in_thread(other.go), in_thread(lambda: mall.go(agent))]
    assert [one() for one in waiting] == [True] * 3


def test_an_agent_may_await_a_hosted_coroutine(harbour: Harbour) -> None:
    agent = harbour.shelf.agent("class Agent:\n    def ask(self, desk):\n        return desk.later(2)\n")

    class Desk:
        @emporion.expose
        async def later(self, number: int) -> int:
            return number + 1

    async def play(visitor: Any) -> Any:
        return visitor.ask(Desk()) + await Desk().later(3)

    assert harbour.stage(lambda visitor: visitor.ask(Desk())).go(agent) == 3
    assert harbour.stage(play).go(agent) == 7  # one inside the other


def test_a_hosted_coroutine_that_is_cancelled_is_an_answer(harbour: Harbour) -> None:
    async def play() -> None:
        raise asyncio.CancelledError

    with pytest.raises(emporion.EmporionError, match="was cancelled"):
        harbour.stage(play).go()
