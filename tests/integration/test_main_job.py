"""An agent whose class the host has never seen goes up, works, and comes home; what it bought comes with it."""

import inspect
import sys
from typing import Any

import emporion
import pytest
from emporion.errors import CodeDenied
from emporion.runtime.client import ClientPeer
from emporion.runtime.events import CodeCrossed
from emporion.runtime.visits.handle import Handle
from emporion.runtime.wire.messages import Code, NeedCode
from emporion.tests.harbour import Harbour, anything_goes
from emporion.tests.shop import Shop

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


class Watched(ClientPeer):
    """A client that counts what it is asked for, and what it gives."""

    asked: list[dict[str, str]]

    def supply(self, asked: NeedCode) -> Code:
        vars(self).setdefault("asked", []).append(dict(asked.modules))
        return super().supply(asked)


def shelf(harbour: Harbour) -> tuple[str, Any]:
    """A package with goods that only the host has, and its module with the things themselves."""
    package = harbour.shelf.package(goods=GOODS, electronics=SHELF)
    return package, __import__(f"{package}.electronics", fromlist=["electronics"])


# --- there and back


def test_an_agent_that_the_host_has_never_seen_works_there_and_comes_home(harbour: Harbour) -> None:
    agent = harbour.shelf.agent(
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
    agent = harbour.shelf.agent("class Agent: pass")
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
    agent = harbour.shelf.agent("class Agent: pass")
    callers = []

    def validator(name: str, module: str | None, address: Any, caller: emporion.Caller) -> bool:
        callers.append(caller.address == address)
        return True

    harbour.stage(lambda visitor: None, code_validator=validator).go(agent)
    assert callers == [True]


def test_a_second_upload_sends_no_source_and_is_judged_all_the_same(harbour: Harbour) -> None:
    module = harbour.shelf.module(SHOPPER)
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
    module = harbour.shelf.module(SHOPPER)
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
    module = harbour.shelf.module(SHOPPER)
    open_uri = harbour.register(lambda visitor: visitor.cash)
    closed_uri = harbour.register(lambda visitor: visitor.cash, code_validator=lambda name, source, address: False)
    assert harbour.connect(open_uri).go(module.Agent(1)) == 1
    with pytest.raises(CodeDenied):
        harbour.connect(closed_uri).go(module.Agent(1))


def test_the_whole_closure_travels_with_relative_and_late_imports(harbour: Harbour) -> None:
    package = harbour.shelf.package(
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
    agent = harbour.shelf.agent(SHOPPER, 250)
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
    package = harbour.shelf.package(one=GOODS, two=GOODS)
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
