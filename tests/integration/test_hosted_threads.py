"""Threads of hosted methods work for the call that they were started in, and for none when it is over."""

import asyncio
import contextvars
import threading
from collections.abc import Callable, Iterator
from typing import Any

import emporion
import pytest
from emporion.runtime.visits.handle import Handle
from emporion.tests.harbour import ANSWER_S, PASSPHRASE, Harbour, Stage, anything_goes, in_thread, open_host, until

AGENT = """
class Agent:
    def __init__(self):
        self.things = []

    def take(self, thing):
        self.things.append(thing)
"""
LAMP = "class Lamp:\n    def __init__(self, watts):\n        self.watts = watts\n"


@pytest.fixture
def elsewhere() -> Iterator[emporion.Host]:
    with open_host() as host:
        yield host


def on(uri: emporion.URI) -> Any:
    return emporion.connect(uri, passphrase=PASSPHRASE, mobile_code=True)


def test_what_a_hosted_coroutine_does_in_other_threads_is_done_for_its_call(
    harbour: Harbour, elsewhere: emporion.Host
) -> None:
    lamp = harbour.shelf.module(LAMP).Lamp
    uri = elsewhere.register(Stage(lambda agent: [agent, lamp(40)]), code_validator=anything_goes)

    class Hall:
        @emporion.expose
        async def go(self, agent: Any) -> Any:
            def there() -> Any:
                with on(uri) as further:
                    came, thing = further.go(agent)
                assert type(thing) is Handle  # and not a class that this process has imported
                came.take(emporion.caller().address[0])
                return [came, thing]

            return await asyncio.gather(*(asyncio.to_thread(there) for _ in range(8)))

    agent = harbour.shelf.agent(AGENT)
    came = harbour.connect(harbour.register(Hall())).go(agent)
    assert [(one.things, thing.watts) for one, thing in came] == [(["127.0.0.1"], 40)] * 8


def test_a_thread_that_outlives_its_call_imports_nothing_and_holds_nothing(
    harbour: Harbour, elsewhere: emporion.Host
) -> None:
    lamp = harbour.shelf.module(LAMP).Lamp
    uri = elsewhere.register(Stage(lambda: lamp(40)), code_validator=anything_goes)
    over, came = threading.Event(), list[Any]()

    class Hall:
        @emporion.expose
        async def go(self) -> None:
            there = on(uri)

            def late() -> None:
                assert over.wait(ANSWER_S)
                with there, on(uri) as another:
                    came.extend([there.go(), another.go()])

            context = contextvars.copy_context()
            tasks.append(in_thread(lambda: context.run(late)))

    tasks: list[Callable[[], Any]] = []
    harbour.connect(harbour.register(Hall())).go()
    until(lambda: not any(guest.busy for guest in list(harbour.host._doors.guests)))
    over.set()
    tasks[0]()
    assert [type(one) for one in came] == [emporion.Parcel] * 2
    until(lambda: not harbour.host.office.admission.store._holds)  # type: ignore[attr-defined]
