"""Classes, functions and enum members of mobile modules are values: they travel by their names, in both directions."""

import subprocess
import sys
from typing import Any

import emporion
import pytest
from emporion.errors import AgentError, CodeDenied, ProtocolError
from emporion.runtime.client import ClientPeer
from emporion.runtime.visits.handle import Handle
from emporion.runtime.wire.kinds import Kind
from emporion.runtime.wire.messages import Body
from emporion.tests.harbour import PASSPHRASE, Harbour

MODULE = """
import enum

class Colour(enum.Enum):
    RED = 1
    BLUE = 2

def double(number):
    return 2 * number

class Basket:
    size = 3

    @classmethod
    def of(cls, number):
        return cls.size * number

    class Handle:
        pass

class Agent:
    def __init__(self):
        self.colour = Colour.RED
        self.function = double
        self.kind = Basket
        self.inner = Basket.Handle
        self.by_colour = {Colour.BLUE: "sky", double: "twice"}

    def check(self):
        return [self.colour is Colour.RED, self.function is double, self.kind is Basket, self.inner is Basket.Handle,
                self.by_colour[Colour.BLUE], self.by_colour[double], isinstance(self.kind(), Basket)]

    def give(self):
        return [Colour.BLUE, double, Basket, Basket.Handle]

    def give_local(self):
        def triple(number):
            return 3 * number
        return triple

    def __call__(self, number):
        return number + 1

    def same(self, one, other):
        return one is other
"""
ALL_WELL = [True, True, True, True, "sky", "twice", True]


def test_they_go_up_with_an_agent_and_are_what_they_were(harbour: Harbour) -> None:
    module = harbour.shelf.module(MODULE)

    def play(agent: Any) -> Any:
        return [agent.check(), agent]

    checked, home = harbour.stage(play).go(module.Agent())
    assert checked == ALL_WELL
    assert home.check() == ALL_WELL


def test_they_come_home_as_the_clients_own(harbour: Harbour) -> None:
    module = harbour.shelf.module(MODULE)
    own = [module.Colour.BLUE, module.double, module.Basket, module.Basket.Handle]
    given = harbour.stage(lambda agent: agent.give()).go(module.Agent())
    assert all(one is other for one, other in zip(given, own, strict=True))
    assert all(one is other for one, other in zip(harbour.stage(lambda *them: them).go(*own), own, strict=True))


def test_a_hosted_method_uses_them_in_the_visit(harbour: Harbour) -> None:
    module = harbour.shelf.module(MODULE)

    def play(agent: Any, function: Any, kind: Any, colour: Any) -> Any:
        assert {type(one) for one in (agent, function, kind, colour)} == {Handle}
        made = kind()
        assert type(made) is Handle
        return [function(21), kind.of(4), colour.name, colour.value, agent(1), made, agent.same(kind, agent.kind)]

    found = harbour.stage(play).go(module.Agent(), module.double, module.Basket, module.Colour.RED)
    *values, made, same = found
    assert values == [42, 12, "RED", 1, 2]
    assert type(made) is module.Basket
    assert same is True


def test_a_function_made_in_the_visit_can_be_called_and_not_taken_home(harbour: Harbour) -> None:
    module = harbour.shelf.module(MODULE)

    def play(agent: Any, take: bool) -> Any:
        triple = agent.give_local()
        return triple if take else triple(5)

    proxy = harbour.stage(play)
    assert proxy.go(module.Agent(), False) == 15
    with pytest.raises(AgentError, match="cannot leave the visit"):
        proxy.go(module.Agent(), True)


def test_one_definition_in_two_messages_is_one_object_in_the_visit(harbour: Harbour) -> None:
    module = harbour.shelf.module(MODULE)

    class Desk:
        @emporion.expose
        def basket(self) -> Any:
            return module.Basket

    def play(agent: Any, desk: Any) -> Any:
        return [agent.same(desk.basket(), desk.basket()), agent.same(desk.basket(), agent.kind)]

    assert harbour.stage(play).go(module.Agent(), Desk()) == [True, True]


def test_a_host_gives_clients_its_own_by_name(harbour: Harbour) -> None:
    module = harbour.shelf.module(MODULE)
    uri = harbour.register(lambda: [module.Colour.RED, module.double, module.Basket, module.Basket.Handle])
    program = (
        "import sys, emporion\n"
        "with emporion.connect(sys.argv[1], passphrase=sys.argv[2], mobile_code=True) as stage:\n"
        "    red, double, basket, handle = stage.go()\n"
        "    again = stage.go()\n"
        "print(red.name, type(red).BLUE.value, double(21), basket.of(2), handle is basket.Handle)\n"
        "print([one is other for one, other in zip(again, (red, double, basket, handle))])\n"
    )
    command = [sys.executable, "-c", program, str(uri), PASSPHRASE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == ["RED 2 42 6 True", "[True, True, True, True]"], done.stderr


def test_the_validator_is_asked_for_them_as_for_instances(harbour: Harbour) -> None:
    module = harbour.shelf.module(MODULE)
    with pytest.raises(CodeDenied, match="upload"):
        harbour.stage(lambda function: None, code_validator=lambda *question: False).go(module.double)
    with pytest.raises(CodeDenied, match="download"):
        harbour.stage(lambda: module.Basket, code_validator=lambda *question: False).go()
    with pytest.raises(CodeDenied, match="mobile_code=True"):
        harbour.connect(harbour.register(lambda function: None), mobile_code=False).go(module.double)


@pytest.mark.parametrize("name", ["os", "Nothing", "print", "secret", "LIMIT", "Colour.GREEN"])
def test_a_name_that_leads_to_nothing_of_the_module_leads_nowhere(harbour: Harbour, name: str) -> None:
    """At the visit and at the client's, whatever the other end writes."""
    module = harbour.shelf.module("from math import pi as secret\nimport re as os\nLIMIT = 3\n" + MODULE)

    class Forger(ClientPeer):
        def encode(self, values: Any, label: Any) -> tuple[Body, list[bytes]]:
            body, blobs = super().encode(values, label)
            for row in body.rows:
                if row[0] == Kind.NAMED:
                    row[3] = name
            return body, blobs

    proxy = harbour.connect(harbour.register(lambda thing: thing.x), peer=Forger)
    with pytest.raises(AgentError):
        proxy.go(module.double)

    class Gullible(ClientPeer):
        def decode(self, body: Body, blobs: Any) -> list[Any]:
            for row in body.rows:
                if row[0] == Kind.NAMED:
                    row[3] = name
            return super().decode(body, blobs)

    with pytest.raises(ProtocolError):
        harbour.connect(harbour.register(lambda thing: thing), peer=Gullible).go(module.double)


def test_methods_and_functions_of_the_library_are_no_values(harbour: Harbour) -> None:
    module = harbour.shelf.module(MODULE)
    proxy = harbour.stage(lambda thing: None)
    for thing in (module.Agent().check, len, "".join, subprocess.run, dict, lambda: None):
        with pytest.raises(emporion.ValueNotPortable, match=r"args\[0\]"):
            proxy.go(thing)
