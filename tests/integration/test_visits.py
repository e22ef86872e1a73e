"""Visits in bad weather: callers that leave, hosts that close, threads that wait; and what handles are not."""

import copy
import functools
import logging
import os
import pickle
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import emporion
import pytest
from emporion.errors import (
    CallTimeout,
    ConnectionLost,
    LimitExceeded,
    VisitEnded,
)
from emporion.runtime.events import VisitOver
from emporion.runtime.host import SPARES
from emporion.runtime.options import BOTH_WALLS, Limits
from emporion.tests.harbour import ANSWER_S, Harbour, Shelf, in_thread, listening, open_host, until

BAD = """
class Agent:
    def __init__(self):
        self.text = "state"

    def linger(self, desk):
        desk.wait()
        return "waited"

    def loop(self, desk):
        while True:
            pass
"""


class Desk:
    """Keeps an agent waiting for as long as a test wants."""

    def __init__(self) -> None:
        self.waiting = threading.Event()
        self.go_on = threading.Event()

    @emporion.expose
    def wait(self) -> None:
        self.asked_by = emporion.caller().address
        self.waiting.set()
        self.go_on.wait(ANSWER_S)


@pytest.fixture(scope="module")
def bad_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    shelf = Shelf(tmp_path_factory.mktemp("bad"))
    yield shelf.module(BAD)
    shelf.close()


# --- callers that leave


def entered(harbour: Harbour, bad_module: Any, play: Callable[..., Any] | None = None, **options: Any) -> Any:
    """A visit whose agent is in the middle of a call to its desk: (proxy, desk, what waits for the call's end)."""
    desk = Desk()
    uri = harbour.register(play or (lambda visitor: visitor.linger(desk)))
    proxy = harbour.connect(uri, **options)
    gone = in_thread(lambda: proxy.go(bad_module.Agent()))
    assert desk.waiting.wait(ANSWER_S)
    return proxy, desk, gone


def test_a_caller_that_leaves_ends_its_visit(harbour: Harbour, bad_module: Any) -> None:
    proxy, desk, gone = entered(harbour, bad_module)
    proxy._peer.close()
    with pytest.raises(ConnectionLost):
        gone()
    left = f"{desk.asked_by[0]}:{desk.asked_by[1]} left: "
    harbour.ears.wait_for(lambda: [r for r in harbour.ears.records if left in r.getMessage()])
    assert not harbour.ears.events(VisitOver)  # the hosted method still waits; only the process is gone
    desk.go_on.set()
    assert "the caller's connection is over" in harbour.ears.visit_over().ended_by
    assert_none_are_left(harbour)


def test_a_call_that_takes_too_long_ends_its_visit(harbour: Harbour, bad_module: Any) -> None:
    heard: list[BaseException] = []

    class Clock:
        visitor: Any = None

        @emporion.expose
        def wait(self) -> None:
            try:
                while self.visitor.text == "state":
                    time.sleep(0.01)  # between looks: this is a hosted method that watches its agent
            except VisitEnded as error:
                heard.append(error)

    def play(visitor: Any) -> Any:
        clock = Clock()
        clock.visitor = visitor
        return visitor.linger(clock)

    with pytest.raises(CallTimeout):
        harbour.connect(harbour.register(play), timeout_s=0.5).go(bad_module.Agent())
    assert "the caller cancelled" in harbour.ears.visit_over().ended_by
    assert "the caller cancelled" in str(heard[0])


def test_a_cancelled_visit_does_not_wait_for_its_agent(harbour: Harbour, bad_module: Any) -> None:
    over: list[BaseException] = []

    def play(visitor: Any) -> Any:
        try:
            return visitor.loop(None)
        except BaseException as error:
            over.append(error)
            raise

    begun_s = time.monotonic()
    proxy = harbour.connect(harbour.register(play, limits=Limits(cpu_s=30.0)), timeout_s=0.5)
    with pytest.raises(CallTimeout):
        proxy.go(bad_module.Agent())
    harbour.ears.visit_over()
    assert type(over[0]) is VisitEnded
    assert time.monotonic() - begun_s < 10


def test_a_host_that_closes_ends_its_visits(tmp_path: Path, bad_module: Any) -> None:
    before = children()
    shelf = Shelf(tmp_path)
    with listening() as ears, open_host() as host:
        harbour = Harbour(host, shelf, ears)
        _, desk, gone = entered(harbour, bad_module)
        closing = in_thread(host.close)
        with pytest.raises(ConnectionLost):
            gone()
        desk.go_on.set()
        closing()
        harbour.close()
    shelf.close()
    assert children() == before


def test_a_thread_that_waits_for_its_turn_hears_that_the_visit_is_over(harbour: Harbour, bad_module: Any) -> None:
    """The agent asks a method that waits for a thread which wants into the same visit: only the clock can end that."""
    heard: list[BaseException] = []
    still_waiting: list[bool] = []

    class Knot:
        visitor: Any = None

        @emporion.expose
        def wait(self) -> None:
            def enter() -> None:
                try:
                    self.visitor.text  # noqa: B018
                except emporion.EmporionError as error:
                    heard.append(error)

            thread = threading.Thread(target=enter)
            thread.start()
            thread.join(ANSWER_S / 2)
            still_waiting.append(thread.is_alive())

    def play(visitor: Any) -> Any:
        knot = Knot()
        knot.visitor = visitor
        return visitor.linger(knot)

    with pytest.raises(LimitExceeded, match="wall_s"):
        harbour.stage(play, limits=Limits(wall_s=0.5)).go(bad_module.Agent())
    assert heard
    assert still_waiting == [False]


def test_several_threads_may_use_one_agent_each_in_its_turn(harbour: Harbour) -> None:
    agent = harbour.shelf.agent(
        """
        class Agent:
            def __init__(self):
                self.inside = 0

            def add(self, desk, number):
                self.inside += 1
                alone = self.inside == 1
                answer = desk.double(number)
                self.inside -= 1
                return [alone, answer]
        """
    )

    class Doubler:
        @emporion.expose
        def double(self, number: int) -> int:
            return number * 2

    def play(visitor: Any) -> list[Any]:
        asked = [in_thread(functools.partial(visitor.add, Doubler(), number)) for number in range(8)]
        return [one() for one in asked]

    assert harbour.stage(play).go(agent) == [[True, number * 2] for number in range(8)]


# --- what is left


def children() -> set[str]:
    """The processes that this one has started and that are not reaped."""
    return {p.name for p in Path("/proc").iterdir() if p.name.isdigit() and _parent_is_us(p)}


def _parent_is_us(process: Path) -> bool:
    try:
        return int(process.joinpath("stat").read_text().rpartition(")")[2].split()[1]) == os.getpid()
    except (OSError, IndexError):
        return False


def assert_none_are_left(harbour: Harbour) -> None:
    """Visits are the zygote's children, and its keeper knows which of them live."""
    keeper = harbour.host._jails.of(BOTH_WALLS)._keeper
    assert keeper is not None
    until(lambda: len(keeper._live) <= SPARES)  # the zygote reaps in its own time


def test_handles_are_no_values(harbour: Harbour, bad_module: Any) -> None:
    def play(visitor: Any) -> Any:
        for deed in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError, match="belongs to its visit"):
                deed(visitor)
        for name in ("_scope2", "__dict__", "__wrapped__", "_private"):
            with pytest.raises(AttributeError):
                getattr(visitor, name)
            with pytest.raises(AttributeError):
                setattr(visitor, name, 1)
        assert repr(visitor).startswith("<handle of trade")
        assert visitor == visitor
        assert len({visitor, visitor}) == 1
        logging.getLogger("emporion.test").info("%r", visitor)
        return True

    assert harbour.stage(play).go(bad_module.Agent()) is True
