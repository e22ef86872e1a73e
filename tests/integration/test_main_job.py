"""An agent whose class the host has never seen goes up, works, and comes home; what it bought comes with it."""

import asyncio
import inspect
import sys
import threading
from typing import Any

import emporion
import pytest
from emporion.errors import AgentError, CodeDenied, VisitEnded
from emporion.runtime.client import ClientPeer
from emporion.runtime.events import CodeCrossed
from emporion.runtime.visits.handle import Handle
from emporion.runtime.wire.messages import Code, NeedCode
from emporion.tests.harbour import Harbour, anything_goes, in_thread

SHOPPER = """
class Agent:
    def __init__(self, cash):
        self.cash = cash
        self.bought = []

    def visit_shop(self, shop):
        for product, price in shop.prices().items():
            if price <= self.cash:
                self.bought.append(shop.buy(product))
                self.cash -= price
"""
GOODS = """
class Goods:
    def __init__(self, price):
        self.price = price

    def label(self):
        return f"{type(self).__name__.lower()} for {self.price}"
"""
SHELF = """
from PKG.goods import Goods

class Television(Goods):
    def switch_on(self):
        return f"watching a {self.label()}"
"""


class Shop:
    def __init__(self, shelf: dict[str, Any]) -> None:
        self._shelf = shelf

    @emporion.expose
    def prices(self) -> dict[str, int]:
        return {name: thing.price for name, thing in self._shelf.items()}

    @emporion.expose
    def buy(self, product: str) -> Any:
        return self._shelf.pop(product)


class Watched(ClientPeer):
    """A client that counts what it is asked for, and what it gives."""

    asked: list[dict[str, str]]

    def supply(self, asked: NeedCode) -> Code:
        vars(self).setdefault("asked", []).append(dict(asked.modules))
        return super().supply(asked)


def shelf(harbour: Harbour) -> tuple[str, Any]:
    """A package with goods that only the host has, and its module with the things themselves."""
    package = harbour.library.package(goods=GOODS, electronics=SHELF)
    return package, __import__(f"{package}.electronics", fromlist=["electronics"])


# --- there and back


def test_an_agent_that_the_host_has_never_seen_works_there_and_comes_home(harbour: Harbour) -> None:
    agent = harbour.library.agent(
        """
        class Agent:
            def __init__(self):
                self.notes = ["began"]

            def look(self, shop, *, twice):
                self.notes += [sorted(shop.prices()), twice]
                return len(self.notes)
        """
    )
    seen = []

    def play(visitor: Any) -> Any:
        seen.append(type(visitor))
        assert visitor.look(Shop({}), twice=True) == 3
        return visitor

    home = harbour.stage(play).go(agent)
    assert seen == [Handle]  # the host had nothing but a handle
    assert type(home) is type(agent)
    assert home is not agent
    assert home.notes == ["began", [], True]
    assert agent.notes == ["began"]


def test_the_validator_gets_name_source_and_address_for_what_comes_in(harbour: Harbour) -> None:
    agent = harbour.library.agent("class Agent: pass")
    questions = []

    def validator(name: str, module: str | None, address: tuple[str, int] | None) -> bool:
        questions.append((name, module, address))
        return True

    uri = harbour.register(lambda visitor: visitor, code_validator=validator)
    harbour.connect(uri).go(agent)
    ((name, module, address),) = questions
    assert name == type(agent).__module__
    assert module == "class Agent: pass"
    assert address is not None and address[0] == "127.0.0.1"
    assert address in [one.address for one in harbour.host.connections()]


def test_a_validator_may_look_at_the_caller_too(harbour: Harbour) -> None:
    agent = harbour.library.agent("class Agent: pass")
    callers = []

    def validator(name: str, module: str | None, address: Any, caller: emporion.Caller) -> bool:
        callers.append(caller.address == address)
        return True

    harbour.stage(lambda visitor: None, code_validator=validator).go(agent)
    assert callers == [True]


def test_a_second_upload_sends_no_source_and_is_judged_all_the_same(harbour: Harbour) -> None:
    module = harbour.library.module(SHOPPER)
    names = []

    def validator(name: str, module: str | None, address: Any) -> bool:
        names.append(name)
        return bool(module)

    uri = harbour.register(lambda visitor: visitor, code_validator=validator)
    proxy = harbour.connect(uri, peer=Watched)
    for cash in (1, 2):
        assert proxy.go(module.Agent(cash)).cash == cash
    proxy._peer.close()
    again = harbour.connect(uri, peer=Watched)
    assert again.go(module.Agent(3)).cash == 3
    assert [list(asked) for asked in proxy._peer.asked] == [[module.__name__]]
    assert not hasattr(again._peer, "asked")
    assert names == [module.__name__] * 3
    uploads = [event.rule for event in harbour.ears.events(CodeCrossed) if event.direction == "upload"]
    assert uploads == ["sent", "known", "known"]


def test_a_validator_that_changes_its_mind_is_heard(harbour: Harbour) -> None:
    module = harbour.library.module(SHOPPER)
    uri = harbour.register(lambda visitor: visitor.cash, name="fickle")
    proxy = harbour.connect(uri)
    assert proxy.go(module.Agent(1)) == 1
    harbour.host.set_code_validator("fickle", lambda name, source, address: False)
    with pytest.raises(CodeDenied, match="upload") as denied:
        proxy.go(module.Agent(2))
    assert denied.value.module == module.__name__
    harbour.host.set_code_validator("fickle", anything_goes)
    assert proxy.go(module.Agent(3)) == 3


def test_code_that_one_object_took_is_a_new_question_for_another(harbour: Harbour) -> None:
    module = harbour.library.module(SHOPPER)
    open_uri = harbour.register(lambda visitor: visitor.cash)
    closed_uri = harbour.register(lambda visitor: visitor.cash, code_validator=lambda name, source, address: False)
    assert harbour.connect(open_uri).go(module.Agent(1)) == 1
    with pytest.raises(CodeDenied):
        harbour.connect(closed_uri).go(module.Agent(1))


def test_the_whole_closure_travels_with_relative_and_late_imports(harbour: Harbour) -> None:
    package = harbour.library.package(
        only="""
        from . import prices
        from .purse import Purse

        class Agent:
            def __init__(self):
                self.purse = Purse(5)

            def work(self):
                import PKG.late
                return [prices.DOUBLE * self.purse.coins, PKG.late.WORD]
        """,
        purse="class Purse:\n    def __init__(self, coins):\n        self.coins = coins\n",
        prices="DOUBLE = 2\n",
        late="WORD = 'late'\n",
    )
    agent = __import__(f"{package}.only", fromlist=["only"]).Agent()
    questions = []

    def validator(name: str, source: str | None, address: Any) -> bool:
        questions.append(name)
        return True

    assert harbour.stage(lambda visitor: visitor.work(), code_validator=validator).go(agent) == [10, "late"]
    assert sorted(questions) == [f"{package}.{part}" for part in ("late", "only", "prices", "purse")]


# --- what it buys


def test_things_of_host_only_classes_come_home_and_work_there(harbour: Harbour) -> None:
    package, electronics = shelf(harbour)
    agent = harbour.library.agent(SHOPPER, 250)
    questions = []

    def validator(name: str, source: str | None, address: Any) -> bool:
        questions.append((name, source is None, address is None))
        return bool(source) or name.startswith(f"{package}.")

    def play(visitor: Any) -> Any:
        visitor.visit_shop(Shop({"tv": electronics.Television(100), "yacht": electronics.Television(9_000)}))
        return visitor

    home = harbour.stage(play, code_validator=validator).go(agent)
    assert home.cash == 150
    (thing,) = home.bought
    assert thing.switch_on() == "watching a television for 100"  # a method, and one of its base's in another module
    assert thing.price == 100
    assert type(thing) is not electronics.Television  # downloaded, not found lying around
    assert inspect.getmro(type(thing))[1].__name__ == "Goods"
    assert {(f"{package}.goods", True, True), (f"{package}.electronics", True, True)} < set(questions)
    assert sys.modules[f"{package}.electronics"] is electronics


def test_a_result_of_a_host_only_class_comes_down_without_any_agent(harbour: Harbour) -> None:
    _, electronics = shelf(harbour)
    thing = harbour.stage(lambda: electronics.Television(7)).go()
    assert thing.switch_on() == "watching a television for 7"
    assert not isinstance(thing, electronics.Television)


def test_downloaded_code_is_fetched_once(harbour: Harbour) -> None:
    package, electronics = shelf(harbour)
    proxy = harbour.stage(lambda: electronics.Television(7))
    assert type(proxy.go()) is type(proxy.go())
    sent = [event.module for event in harbour.ears.events(CodeCrossed) if event.rule == "sent"]
    assert sorted(sent) == [f"{package}.electronics", f"{package}.goods"]


def test_modules_with_the_same_text_under_two_names_both_come_down(harbour: Harbour) -> None:
    package = harbour.library.package(one=GOODS, two=GOODS)
    one, two = (__import__(f"{package}.{name}", fromlist=[name]) for name in ("one", "two"))
    proxy = harbour.stage(lambda which: (one if which == 1 else two).Goods(which))
    assert [proxy.go(1).label(), proxy.go(2).label()] == ["goods for 1", "goods for 2"]


def test_a_thing_from_the_host_goes_up_again_and_comes_back(harbour: Harbour) -> None:
    _, electronics = shelf(harbour)
    proxy = harbour.stage(lambda thing=None: electronics.Television(7) if thing is None else [thing, thing.label()])
    thing = proxy.go()
    back, label = proxy.go(thing)
    assert label == "television for 7"
    assert type(back) is type(thing)


# --- identity


def test_shared_references_and_cycles_survive_the_whole_journey(harbour: Harbour) -> None:
    agent = harbour.library.agent(
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


def test_two_agents_of_one_call_share_what_they_shared_at_home(harbour: Harbour) -> None:
    module = harbour.library.module(PAIR)
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
    module = harbour.library.module(PAIR)

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
    agent = harbour.library.agent(
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
    module = harbour.library.module(PAIR)
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
    module = harbour.library.module(PAIR)

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
    module = harbour.library.module(PAIR)
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
    module = harbour.library.module(PAIR)

    def play(visitor: Any) -> Any:
        visitor.put("apple")
        raise KeyError(visitor)

    with pytest.raises(KeyError) as raised:
        harbour.stage(play).go(module.Agent(module.Basket()))
    assert raised.value.args[0].basket.things == ["apple"]


# --- who and what


def test_caller_is_the_sender_also_where_the_agent_asks(harbour: Harbour) -> None:
    agent = harbour.library.agent("class Agent:\n    def ask(self, desk):\n        return desk.who()\n")

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
    agent = harbour.library.agent(
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
    agent = harbour.library.agent("class Agent:\n    def pry(self, shop):\n        return shop.open_till()\n")

    class Till(Shop):
        def open_till(self) -> int:
            raise AssertionError("an agent was at the till")

    with pytest.raises(AgentError, match="open_till"):
        harbour.stage(lambda visitor: visitor.pry(Till({}))).go(agent)


def test_a_synchronized_object_serves_one_at_a_time_agents_too(harbour: Harbour) -> None:
    agent = harbour.library.agent("class Agent:\n    def knock(self, room):\n        return room.go()\n")
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
    agent = harbour.library.agent("class Agent:\n    def ask(self, desk):\n        return desk.later(2)\n")

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
