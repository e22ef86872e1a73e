"""Agents that misbehave: each limit ends a visit by its name, and the neighbours notice nothing of it."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import emporion
import pytest
from emporion.errors import (
    AgentError,
    LimitExceeded,
    ValueNotPortable,
    VisitEnded,
)
from emporion.runtime.events import VisitOver
from emporion.runtime.options import Limits
from emporion.tests.harbour import ANSWER_S, WORKER, Harbour, Shelf, in_thread, neighbours


def work(visitor: Any) -> Any:
    return visitor.work()



BAD = """
import time
from collections import deque

class Agent:
    def __init__(self):
        self.text = "state"

    def work(self, desk=None):
        raise ValueError("sold out")

    def loop(self, desk):
        while True:
            pass

    def swallow(self, desk):
        while True:
            try:
                while True:
                    pass
            except BaseException:
                pass

    def bomb(self, desk):
        held = []
        while True:
            held.append(bytearray(1 << 20))

    def swallow_bomb(self, desk):
        held = []
        while True:
            try:
                held.append(bytearray(1 << 20))
            except BaseException:
                pass

    def chatter(self, desk):
        while True:
            print("x" * 1000)

    def shout(self, desk):
        print("x" * 2_000_000)
        return desk.note(0)

    def nag(self, desk):
        while True:
            desk.note(1)

    def hoard(self, desk):
        return len([desk.new() for _ in range(1000)])

    def let_go(self, desk):
        for _ in range(200):
            desk.new()
        return "done"

    def gorge(self, desk):
        return len(desk.much(20))

    def spill(self, desk):
        return "x" * 2_000_000

    def recurse(self, desk):
        return self.recurse(desk)

    def leave_behind(self, desk):
        self.text = (number for number in range(3))

    def linger(self, desk):
        desk.wait()
        return "waited"
"""
TIGHT = Limits(cpu_s=1.0, wall_s=60.0, memory_mib=48, calls=300, bytes_in=600_000, bytes_out=1_000_000,
               output_lines=20, capabilities=50)


class Desk:
    """What the tests' agents may ask."""

    def __init__(self) -> None:
        self.notes = 0
        self.waiting = threading.Event()
        self.go_on = threading.Event()

    @emporion.expose
    def note(self, number: int) -> None:
        self.notes += number

    @emporion.expose
    def new(self) -> "Desk":
        return Desk()

    @emporion.expose
    def much(self, pieces: int) -> list[str]:
        return ["x" * 100_000] * pieces

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


@pytest.mark.parametrize(
    ("deed", "limit"),
    [
        ("loop", "cpu_s"),
        ("swallow", "cpu_s"),
        ("bomb", "memory_mib"),
        ("chatter", "bytes_out"),
        ("shout", "bytes_out"),
        ("nag", "calls"),
        ("hoard", "capabilities"),
        ("gorge", "bytes_in"),
        ("spill", "bytes_out"),
    ],
)
def test_a_limit_ends_the_visit_by_name_and_nobody_else(
    harbour: Harbour, bad_module: Any, deed: str, limit: str
) -> None:
    caught: list[LimitExceeded] = []

    def play(visitor: Any, deed: str) -> Any:
        try:
            return getattr(visitor, deed)(Desk())
        except LimitExceeded as error:
            caught.append(error)
            with pytest.raises(VisitEnded, match=limit):
                visitor.text  # noqa: B018
            raise

    undisturbed = neighbours(harbour)
    with pytest.raises(LimitExceeded) as exceeded:
        harbour.stage(play, limits=TIGHT).go(bad_module.Agent(), deed)
    undisturbed()
    (seen,) = caught  # the hosted method saw the same as its client
    for error in (seen, exceeded.value):
        assert (error.limit, error.allowed) == (limit, getattr(TIGHT, limit))
        assert error.used >= error.allowed
    over = harbour.ears.wait_for(lambda: [e for e in harbour.ears.events(VisitOver) if e.ended_by])
    assert [event.ended_by for event in over] == [limit]


def test_an_agent_that_swallows_memory_errors_is_ended_all_the_same(harbour: Harbour, bad_module: Any) -> None:
    undisturbed = neighbours(harbour)
    with pytest.raises(LimitExceeded) as exceeded:
        harbour.stage(lambda visitor: visitor.swallow_bomb(Desk()), limits=TIGHT).go(bad_module.Agent())
    undisturbed()
    assert exceeded.value.limit in ("memory_mib", "cpu_s")


def test_the_wall_clock_ends_a_visit_that_waits(harbour: Harbour, bad_module: Any) -> None:
    desk = Desk()
    proxy = harbour.stage(lambda visitor: visitor.linger(desk), limits=Limits(wall_s=0.3))
    gone = in_thread(lambda: proxy.go(bad_module.Agent()))
    assert desk.waiting.wait(ANSWER_S)
    time.sleep(0.4)  # the clock in question
    desk.go_on.set()
    with pytest.raises(LimitExceeded) as exceeded:
        gone()
    assert exceeded.value.limit == "wall_s"
    assert 0.3 <= exceeded.value.used < 5


def test_capabilities_that_were_let_go_do_not_count(harbour: Harbour, bad_module: Any) -> None:
    assert harbour.stage(lambda visitor: visitor.let_go(Desk()), limits=TIGHT).go(bad_module.Agent()) == "done"


def test_lines_beyond_the_limit_are_dropped_and_that_is_said(harbour: Harbour) -> None:
    agent = harbour.shelf.agent(
        """
        class Agent:
            def work(self):
                print("no", "newline", end=" ")
                for number in range(100):
                    print(number)
                return "worked"
        """
    )
    assert harbour.stage(work, limits=Limits(output_lines=10)).go(agent) == "worked"
    printed = harbour.ears.printed()
    assert printed[:10] == ["no newline 0", *map(str, range(1, 10))]
    assert "output_lines" in printed[10]
    assert len(printed) == 11


def test_what_an_agent_raises_is_told_with_its_traceback_and_the_host_goes_on(
    harbour: Harbour, bad_module: Any
) -> None:
    def play(visitor: Any) -> Any:
        with pytest.raises(AgentError, match="sold out"):
            visitor.work()
        visitor.text = "after"
        return [visitor.text, visitor.work()]

    with pytest.raises(AgentError, match="ValueError: sold out") as raised:
        harbour.stage(play).go(bad_module.Agent())
    assert 'raise ValueError("sold out")' in raised.value.traceback or "in work" in raised.value.traceback
    assert harbour.stage(work).go(harbour.shelf.agent(WORKER)) == 499500


def test_endless_recursion_is_the_agents_own_error(harbour: Harbour, bad_module: Any) -> None:
    with pytest.raises(AgentError, match="RecursionError"):
        harbour.stage(lambda visitor: visitor.recurse(None)).go(bad_module.Agent())


def test_an_agent_and_a_host_that_call_each_other_for_ever_are_stopped(harbour: Harbour) -> None:
    agent = harbour.shelf.agent(
        """
        class Agent:
            def bounce(self, wall):
                return wall.bounce(self)

            def count(self, wall, deep):
                return deep if deep == 0 else wall.count(self, deep - 1)
        """
    )

    class Wall:
        @emporion.expose
        def bounce(self, visitor: Any) -> Any:
            return visitor.bounce(self)

        @emporion.expose
        def count(self, visitor: Any, deep: int) -> Any:
            return visitor.count(self, deep)

    with pytest.raises(AgentError, match="RecursionError: more than 24 calls"):
        harbour.stage(lambda visitor: visitor.bounce(Wall())).go(agent)
    assert harbour.stage(lambda visitor: visitor.count(Wall(), 12)).go(agent) == 0


def test_a_client_and_a_host_that_call_each_other_for_ever_are_stopped(harbour: Harbour) -> None:
    class Wall:
        proxy: Any = None

        @emporion.expose
        def bounce(self) -> Any:
            return self.proxy.go(self)

    wall = Wall()
    wall.proxy = harbour.stage(lambda wall: wall.bounce())
    with pytest.raises(RecursionError, match="more than 24 calls"):
        wall.proxy.go(wall)
    assert harbour.host.drain(1.0)
    harbour.host._doors.open()


def test_a_setstate_that_asks_for_its_own_handle_is_stopped(harbour: Harbour) -> None:
    """Coming to life it calls a hosted method that uses its handle, for which it has to come to life."""
    visitors: list[Any] = []

    class Shop:
        @emporion.expose
        def use(self) -> Any:
            return visitors[0].work()

        @emporion.expose
        def go(self, visitor: Any) -> Any:
            visitors.append(visitor)
            return visitor.work()

    proxy = harbour.connect(harbour.register(Shop()))
    agent = harbour.shelf.agent(
        """
        class Agent:
            def __init__(self, shop):
                self.shop = shop

            def __setstate__(self, state):
                self.__dict__.update(state)
                self.shop.use()

            def work(self):
                return 1
        """,
        proxy,
    )
    with pytest.raises((AgentError, VisitEnded), match="nested"):
        proxy.go(agent)
    assert harbour.stage(work).go(harbour.shelf.agent(WORKER)) == 499500


def test_state_that_cannot_travel_home_is_named(harbour: Harbour, bad_module: Any) -> None:
    def play(visitor: Any) -> Any:
        visitor.leave_behind(None)
        return visitor

    with pytest.raises((AgentError, ValueNotPortable), match=r"text.*generator"):
        harbour.stage(play).go(bad_module.Agent())


def test_a_hosted_method_may_catch_the_limit_and_answer(harbour: Harbour, bad_module: Any) -> None:
    def play(visitor: Any, give_back: bool) -> Any:
        try:
            return visitor.nag(Desk())
        except LimitExceeded as error:
            return visitor if give_back else f"it hit {error.limit}"

    proxy = harbour.stage(play, limits=TIGHT)
    assert proxy.go(bad_module.Agent(), False) == "it hit calls"
    with pytest.raises(VisitEnded, match="calls"):
        proxy.go(bad_module.Agent(), True)


def test_what_a_hosted_method_raises_an_agent_can_catch(harbour: Harbour) -> None:
    agent = harbour.shelf.agent(
        """
        class Agent:
            def work(self, shop):
                try:
                    shop.go()
                except LookupError as error:
                    return ["caught", str(error)]

            def careless(self, shop):
                shop.go()
        """
    )

    class Shop:
        @emporion.expose
        def go(self) -> None:
            raise LookupError("no such thing")

    assert harbour.stage(lambda visitor: visitor.work(Shop())).go(agent) == ["caught", "no such thing"]
    with pytest.raises(AgentError, match="LookupError: no such thing"):
        harbour.stage(lambda visitor: visitor.careless(Shop())).go(agent)


def test_an_exception_whose_arguments_may_not_travel_is_still_an_answer(harbour: Harbour) -> None:
    """The fault is encoded where nothing may go wrong any more, and its arguments ask the validator."""
    thing = harbour.shelf.agent(WORKER)

    def play() -> None:
        raise KeyError(thing)

    with pytest.raises(emporion.RemoteError, match="KeyError"):
        harbour.stage(play, code_validator=None).go()


# --- bad state


def test_state_that_is_more_than_may_go_in_ends_the_visit_before_anything_ran(harbour: Harbour) -> None:
    agent = harbour.shelf.agent(WORKER)
    agent.ballast = "x" * 700_000
    with pytest.raises(LimitExceeded) as exceeded:
        harbour.stage(work, limits=TIGHT).go(agent)
    assert exceeded.value.limit == "bytes_in"


def test_a_setstate_that_raises_ends_the_visit_before_anything_ran(harbour: Harbour) -> None:
    agent = harbour.shelf.agent(
        """
        class Agent:
            def __setstate__(self, state):
                raise ValueError("I do not travel")

            def work(self):
                return 1
        """
    )
    agent.anything = 1

    def play(visitor: Any) -> Any:
        with pytest.raises(AgentError, match="I do not travel"):
            visitor.work()
        return visitor.work()

    with pytest.raises(VisitEnded, match="I do not travel"):
        harbour.stage(play).go(agent)


def test_a_module_that_raises_is_the_agents_error(harbour: Harbour) -> None:
    text = "try:\n    import os\nexcept ImportError:\n    raise KeyError('nothing')\nclass Agent: pass\n"
    with pytest.raises(AgentError, match="KeyError: 'nothing'"):
        harbour.stage(work).go(harbour.shelf.agent(text))
