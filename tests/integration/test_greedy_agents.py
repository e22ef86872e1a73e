"""Whatever an agent uses without end, one of its limits ends it, and agents beside it finish undisturbed."""

from collections.abc import Iterator
from typing import Any, Final

import emporion
import pytest
from emporion.errors import AgentError, LimitExceeded, VisitEnded
from emporion.runtime.events import VisitOver
from emporion.runtime.options import Isolation, Limits
from emporion.tests.harbour import Harbour, Shelf, neighbours

TIGHT: Final = Limits(cpu_s=0.5, wall_s=30.0, memory_mib=48)

# Each is a method's name, its body, and the limit that it must meet.
DEEDS: Final = {
    "spin": ("while True:\n            pass", "cpu_s"),
    "spin_in_c": ("sum(range(10 ** 12))", "cpu_s"),
    "raise_to_a_giant_power": ("return len(str(self.three ** 200_000_000))", "cpu_s"),
    "raise_to_a_monstrous_power": ("return self.three ** (1 << 40)", "cpu_s"),
    "multiply_giants": ("x = 1 << 20_000_000\n        while True:\n            (x + 1) * (x + 3)", "cpu_s"),
    "shift_by_a_giant": ("return self.three << (1 << 40)", "memory_mib"),
    "shift_without_end": ("x = 1\n        while True:\n            x = x << (1 << 25)", "memory_mib"),
    "match_a_catastrophic_expression": ("return re.match(r'(a+)+$', 'a' * 60 + 'b')", "cpu_s"),
    "match_another": ("return re.match(r'(x|x)*y', 'x' * 60)", "cpu_s"),
    "use_up_an_endless_generator": ("for _ in self.endless():\n            pass", "cpu_s"),
    "use_up_an_endless_iterator": ("return sum(itertools.count())", "cpu_s"),
    "collect_an_endless_generator": ("return list(self.endless())", "memory_mib"),
    "collect_products": ("return list(itertools.product(range(1000), repeat=4))", "memory_mib"),
    "repeat_text": ("x = 'x'\n        while True:\n            x = x + x", "memory_mib"),
    "format_wide": ("return f'{1:{10 ** 9}}'", "memory_mib"),
    "double_a_dict": ("d = {}\n        for n in itertools.count():\n            d[n] = [n]", "memory_mib"),
    "swallow_everything": ("while True:\n            try:\n                self.endless().send(1)\n"
                           "            except BaseException:\n                pass", "cpu_s"),
    "swallow_endless_recursion": ("while True:\n            try:\n                self.deep()\n"
                                  "            except RecursionError:\n                pass", "cpu_s"),
    "clean_up_for_ever": ("try:\n            raise ValueError\n        finally:\n            while True:\n"
                          "                pass", "cpu_s"),
    "be_compared_for_ever": ("return sorted(Slow() for _ in range(3))", "cpu_s"),
    "format_itself_for_ever": ("return f'{Slow()}'", "cpu_s"),
}  # fmt: skip
# With the language wall down, where there is more to try.
BARE_DEEDS: Final = {
    "sleep": ("while True:\n            try:\n                time.sleep(60)\n"
              "            except OSError:\n                pass", "cpu_s"),
    "wait_for_a_descriptor": ("select.poll().poll(10 ** 6)", "wall_s"),
    "read_what_never_comes": ("shop._peer.driver._channel.transport._sock.recv(1)", "wall_s"),
    "wait_for_a_lock": ("lock = threading.Lock()\n        lock.acquire()\n        lock.acquire()", "wall_s"),
    "fork_without_end": ("while True:\n            try:\n                os.fork()\n"
                         "            except OSError:\n                pass", "cpu_s"),
    "start_threads_without_end": ("while True:\n            try:\n                _thread.start_new_thread(print, ())\n"
                                  "            except (RuntimeError, OSError):\n                pass",
                                  "memory_mib or cpu_s"),
    "ignore_the_signal": ("try:\n            signal.signal(signal.SIGXCPU, signal.SIG_IGN)\n"
                          "        except OSError:\n            pass\n        while True:\n            pass", "cpu_s"),
    "map_memory": ("held = []\n        while True:\n            try:\n"
                   "                held.append(mmap.mmap(-1, 1 << 20))\n"
                   "            except OSError:\n                pass", "cpu_s"),
}  # fmt: skip

HEAD: Final = """
import itertools, re

class Slow:
    def __lt__(self, other):
        while True:
            pass

    def __format__(self, spec):
        while True:
            pass

class Agent:
    def __init__(self):
        self.three = 3

    def endless(self):
        while True:
            yield 1

    def deep(self):
        return self.deep()
"""
METHOD: Final = """
    def {name}(self, shop):
        {body}
"""


def module(shelf: Shelf, deeds: dict[str, tuple[str, str]], imports: str = "") -> Any:
    methods = "".join(METHOD.format(name=name, body=body) for name, (body, _) in deeds.items())
    return shelf.module(imports + HEAD + methods)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    shelf = Shelf(tmp_path_factory.mktemp("greedy"))
    yield shelf
    shelf.close()


@pytest.fixture(scope="module")
def greedy(shelf: Shelf) -> Any:
    return module(shelf, DEEDS)


@pytest.fixture(scope="module")
def bare(shelf: Shelf) -> Any:
    """What a visit has in memory: nothing can be imported there from a disk."""
    imports = "import os, time, select, threading, _thread, signal, mmap\n"
    return module(shelf, BARE_DEEDS, imports)


def ended(harbour: Harbour, agent: Any, deed: str, limits: Limits, **options: Any) -> LimitExceeded:
    """How a deed ends; the hosted method must hear the same as its client, and the log too."""
    seen: list[LimitExceeded] = []

    def play(visitor: Any) -> Any:
        try:
            return getattr(visitor, deed)(Shop())
        except LimitExceeded as error:
            seen.append(error)
            raise

    undisturbed = neighbours(harbour)
    with pytest.raises(LimitExceeded) as told:
        harbour.stage(play, limits=limits, **options).go(agent)
    undisturbed()
    (error,) = seen
    assert (error.limit, error.used, error.allowed) == (told.value.limit, told.value.used, told.value.allowed)
    over = harbour.ears.wait_for(lambda: [event for event in harbour.ears.events(VisitOver) if event.ended_by])
    assert [event.ended_by for event in over] == [error.limit]
    return error


class Shop:
    """Something to be given."""

    @emporion.expose
    def look(self) -> str:
        return "a shop"


@pytest.mark.parametrize(("deed", "limit"), [(name, limit) for name, (_, limit) in DEEDS.items()], ids=DEEDS)
def test_a_greedy_agent_ends_by_its_limit(harbour: Harbour, greedy: Any, deed: str, limit: str) -> None:
    error = ended(harbour, greedy.Agent(), deed, TIGHT)
    assert (error.limit, error.allowed) == (limit, getattr(TIGHT, error.limit))
    assert error.used >= error.allowed


@pytest.mark.parametrize(("deed", "limit"), [(name, limit) for name, (_, limit) in BARE_DEEDS.items()], ids=BARE_DEEDS)
def test_where_only_the_operating_system_holds_it_too(harbour: Harbour, bare: Any, deed: str, limit: str) -> None:
    limits = Limits(cpu_s=0.5, wall_s=0.5 if limit == "wall_s" else 30.0, memory_mib=48)
    error = ended(harbour, bare.Agent(), deed, limits, isolation=Isolation(language=False))
    assert error.limit in limit.split(" or ")  # a thread's stack is mapped before the thread is refused
    assert error.allowed == getattr(limits, error.limit)
    assert error.used >= error.allowed


@pytest.mark.parametrize(
    "body",
    [
        "return self.deep()",
        "x = []\n        for _ in range(200_000):\n            x = [x]\n        return str(x)",
        "import json\n        return json.loads('[' * 200_000)",
    ],
    ids=["calls", "repr", "json"],
)
def test_what_is_too_deep_is_the_agents_own_error_and_the_visit_goes_on(
    harbour: Harbour, shelf: Shelf, body: str
) -> None:
    agent = module(shelf, {"work": (body, ""), "after": ("return 'well'", "")}).Agent()

    def play(visitor: Any) -> Any:
        with pytest.raises(AgentError, match="RecursionError"):
            visitor.work(None)
        return visitor.after(None)

    assert harbour.stage(play, limits=TIGHT).go(agent) == "well"


def test_a_visit_that_was_ended_by_a_limit_says_which_when_it_is_used_again(harbour: Harbour, greedy: Any) -> None:
    def play(visitor: Any) -> Any:
        with pytest.raises(LimitExceeded, match=r"limit cpu_s exceeded: used \d.* of 0\.5"):
            visitor.spin(None)
        with pytest.raises(VisitEnded, match="cpu_s"):
            visitor.spin(None)
        return "told"

    assert harbour.stage(play, limits=TIGHT).go(greedy.Agent()) == "told"
