"""What an agent remembers crosses and comes home, whatever its class looks like; its hooks run where they belong."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import emporion
import pytest
from emporion.errors import AgentError
from emporion.tests.harbour import PASSPHRASE, Harbour

SHAPES = """
import enum
from dataclasses import dataclass, field

from .bases import Named, Slotted

class Mood(enum.Enum):
    CALM = "calm"
    EAGER = "eager"

@dataclass(frozen=True, order=True)
class Price:
    amount: int
    currency: str = "EUR"

@dataclass
class Basket:
    owner: object = None
    things: list = field(default_factory=list)

class Slots(Slotted):
    __slots__ = ("more",)

    def __init__(self):
        super().__init__()
        self.more = "more"

class Celsius:
    def __init__(self, degrees):
        self._degrees = degrees

    @property
    def degrees(self):
        return self._degrees

    @degrees.setter
    def degrees(self, value):
        if value < -273:
            raise ValueError("too cold")
        self._degrees = value

class Agent(Named):
    def __init__(self):
        super().__init__("nora")
        self.mood = Mood.EAGER
        self.price = Price(5)
        self.basket = Basket(owner=self)
        self.slots = Slots()
        self.water = Celsius(20)
        self.pair = (self.basket, self.basket)
        self.loop = [self]
        self.loop.append(self.loop)

    def check(self):
        return [
            self.greeting(), self.mood is Mood.EAGER, self.price == Price(5), self.price < Price(6),
            self.basket.owner is self, self.pair[0] is self.pair[1] is self.basket, self.loop[1] is self.loop,
            self.slots.base, self.slots.more, self.water.degrees,
        ]

    def change(self):
        self.water.degrees = 30
        self.slots.more = "changed"
        self.basket.things.append(Price(7, "USD"))
"""
BASES = """
class Named:
    def __init__(self, name):
        self.name = name

    def greeting(self):
        return f"I am {self.name}"

class Slotted:
    __slots__ = ("base",)

    def __init__(self):
        self.base = "base"
"""
WELL = ["I am nora", True, True, True, True, True, True, "base", "more", 20]


def agent_of(harbour: Harbour, **modules: str) -> Any:
    name = harbour.shelf.package(**modules)
    return __import__(f"{name}.agent", fromlist=["agent"])


def test_every_shape_of_state_survives_there_and_back(harbour: Harbour) -> None:
    module = agent_of(harbour, agent=SHAPES, bases=BASES)

    def play(agent: Any) -> Any:
        checked = agent.check()
        agent.change()
        return [checked, agent]

    checked, home = harbour.stage(play).go(module.Agent())
    assert checked == WELL
    assert home.check() == [*WELL[:8], "changed", 30]
    assert home.basket.things == [module.Price(7, "USD")]
    assert isinstance(home, sys.modules[type(module.Agent()).__mro__[1].__module__].Named)


HOOKS = """
class Agent:
    where = "unknown"

    def __init__(self):
        self.secret = "stays"
        self.steps = []

    def __getstate__(self):
        return {"steps": [*self.steps, "packed"]}

    def __setstate__(self, state):
        import MARKER
        self.steps = [*state["steps"], MARKER.WHERE]

    def log(self):
        return self.steps
"""


def test_getstate_and_setstate_run_in_the_sandbox_and_at_the_owner_and_not_in_the_host(harbour: Harbour) -> None:
    """The host and the client are one process here: what ran in the host would have counted as well."""
    name = harbour.shelf.package(agent=HOOKS.replace("import MARKER", "from . import marker as MARKER"), marker="""
        try:
            import os
            WHERE = "unpacked outside"
            unpacked = []
        except ImportError:
            WHERE = "unpacked in the sandbox"
        """)
    module = __import__(f"{name}.agent", fromlist=["agent"])
    seen: list[Any] = []

    def play(agent: Any) -> Any:
        seen.append(agent.log())
        return agent

    home = harbour.stage(play).go(module.Agent())
    assert seen == [["packed", "unpacked in the sandbox"]]
    assert home.steps == ["packed", "unpacked in the sandbox", "packed", "unpacked outside"]
    assert not hasattr(home, "secret")


def test_a_hook_that_raises_is_the_agents_error_there_and_the_clients_at_home(harbour: Harbour) -> None:
    module = harbour.shelf.module(
        """
        class Agent:
            def __init__(self):
                self.x = 1

            def __setstate__(self, state):
                raise ValueError("I do not fit")

            def look(self):
                return 1
        """
    )
    with pytest.raises(AgentError, match="I do not fit"):
        harbour.stage(lambda agent: agent.look()).go(module.Agent())
    with pytest.raises(ValueError, match="I do not fit"):
        harbour.stage(lambda agent: agent).go(module.Agent())


def test_a_class_that_no_module_leads_to_says_so(harbour: Harbour) -> None:
    module = harbour.shelf.module(
        """
        def make():
            class Local:
                def __init__(self):
                    self.x = 1
                def look(self):
                    return self.x + 1
            return Local

        Reachable = make()
        """
    )
    proxy = harbour.stage(lambda agent: [agent.look(), agent])
    looked, home = proxy.go(module.Reachable())
    assert (looked, type(home)) == (2, module.Reachable)
    with pytest.raises(emporion.ValueNotPortable, match="inside a function") as refused:
        proxy.go([module.make()()])
    assert refused.value.path == "args[0][0]"


# --- exceptions


ERRORS = """
class Trouble(Exception):
    def __init__(self, what, *, left):
        super().__init__(what)
        self.left = left

    def told(self):
        return f"{self.args[0]}, {self.left} left"

class SoldOut(Trouble, LookupError):
    pass

class Broken(OSError):
    pass
"""


def test_a_client_catches_a_hosts_exception_with_its_class_and_bases(harbour: Harbour) -> None:
    name = harbour.shelf.package(errors=ERRORS)
    errors = __import__(f"{name}.errors", fromlist=["errors"])

    def play(kind: str) -> None:
        if kind == "broken":
            raise errors.Broken(2, "no such till", "till")
        raise errors.SoldOut("no boots", left=0)

    program = f"""
import sys, emporion
with emporion.connect(sys.argv[1], passphrase={PASSPHRASE!r}, mobile_code=True) as stage:
    try:
        stage.go("sold out")
    except LookupError as error:
        print(type(error).__name__, [base.__name__ for base in type(error).__mro__[1:3]], error.told(), error.args)
        print("no boots" in str(error), "Traceback of the other end" in error.__notes__[0])
    try:
        stage.go("broken")
    except OSError as error:
        print(type(error).__name__, error.errno, error.filename)
"""
    command = [sys.executable, "-c", program, str(harbour.register(play))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == [
        "SoldOut ['Trouble', 'LookupError'] no boots, 0 left ('no boots',)",
        "True True",
        "Broken 2 till",
    ], done.stderr


def test_an_agent_catches_a_hosts_exception_by_its_base(harbour: Harbour) -> None:
    name = harbour.shelf.package(errors=ERRORS)
    errors = __import__(f"{name}.errors", fromlist=["errors"])
    agent = harbour.shelf.agent(
        """
        class Agent:
            def ask(self, shop):
                try:
                    shop.go()
                except LookupError as error:
                    return [type(error).__name__, error.told(), isinstance(error, Exception)]
        """
    )

    class Shop:
        @emporion.expose
        def go(self) -> None:
            raise errors.SoldOut("no boots", left=0)

    assert harbour.stage(lambda agent: agent.ask(Shop())).go(agent) == ["SoldOut", "no boots, 0 left", True]


def test_an_exception_is_a_value_like_others(harbour: Harbour) -> None:
    module = harbour.shelf.module(ERRORS + """
class Agent:
    def __init__(self):
        self.met = [SoldOut("boots", left=1)]

    def meet(self):
        try:
            raise SoldOut("hats", left=2)
        except Trouble as error:
            error.add_note("seen")
            self.met.append(error)
        return [error.told() for error in self.met]
""")

    def play(agent: Any, given: Any) -> Any:
        assert given.told() == "gloves, 3 left"
        return [agent.meet(), agent, given]

    told, home, given = harbour.stage(play).go(module.Agent(), module.SoldOut("gloves", left=3))
    assert told == ["boots, 1 left", "hats, 2 left"]
    assert [type(error) for error in (*home.met, given)] == [module.SoldOut] * 3
    assert (home.met[1].left, home.met[1].__notes__) == (2, ["seen"])


def test_a_denied_exception_class_leaves_its_text(harbour: Harbour) -> None:
    errors = harbour.shelf.module(ERRORS)

    def play() -> None:
        raise errors.SoldOut("no boots", left=0)

    for validator in (None, lambda *question: False):
        with pytest.raises(emporion.RemoteError, match="no boots") as raised:
            harbour.stage(play, code_validator=validator).go()
        assert raised.value.type_name == "SoldOut"


# --- programs


SCRIPT = """
import sys
from math import sqrt

import emporion
import helper

RATE = 2
opened = open(__file__)


class Basket:
    def __init__(self):
        self.things = []


class Shopper:
    def __init__(self):
        self.basket = Basket()

    def visit(self, shop):
        self.basket.things.append([shop.go(), sqrt(16) * RATE, helper.double(3), __name__])


def main():
    with emporion.connect(sys.argv[1], passphrase=sys.argv[2], mobile_code=True) as mall:
        home = mall.go(Shopper())
        print(home.basket.things, type(home) is Shopper, type(home.basket) is Basket)


if __name__ == "__main__":
    main()
"""


@pytest.mark.parametrize("how", ["file", "module"])
def test_a_script_sends_its_own_class(harbour: Harbour, tmp_path: Path, how: str) -> None:
    names: list[str] = []

    def validator(name: str, module: str | None, address: Any) -> bool:
        names.append(name)
        assert not module or ("emporion" not in module and "open(" not in module and "main" not in module)
        return True

    class Shop:
        @emporion.expose
        def go(self) -> str:
            return "tea"

    def play(agent: Any) -> Any:
        agent.visit(Shop())
        return agent

    uri = harbour.register(play, code_validator=validator)
    (tmp_path / "my_shopper.py").write_text(SCRIPT, encoding="utf-8")
    (tmp_path / "helper.py").write_text("def double(number):\n    return 2 * number\n", encoding="utf-8")
    start = ["my_shopper.py"] if how == "file" else ["-m", "my_shopper"]
    command = [sys.executable, "-W", "ignore", *start, str(uri), PASSPHRASE]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stdout == "[['tea', 8.0, 6, 'my_shopper']] True True\n", done.stderr
    assert sorted(set(names)) == ["helper", "my_shopper"]


KEYS = """
from dataclasses import dataclass

@dataclass(frozen=True)
class Place:
    x: int
    road: tuple = ()

class Slotted:
    __slots__ = ("parts",)

    def __init__(self, *parts):
        self.parts = parts

    def __eq__(self, other):
        return self.parts == other.parts

    def __hash__(self):
        return hash(self.parts)

class Stop:
    def __init__(self, after=None):
        self.after = after

class Agent:
    def __init__(self):
        near = Place(1, ("a", Place(2, (3,))))
        self.known = {near: 1, Place(4, (near,)): 2}
        self.mixed = {(Slotted("b", Slotted(near)), near), frozenset({near})}
        stop = None
        for _ in range(5000):
            stop = Stop(stop)
        self.stops = {stop}

    def check(self):
        near = Place(1, ("a", Place(2, (3,))))
        (stop,) = self.stops
        length = 1
        while stop := stop.after:
            length += 1
        found = (Slotted("b", Slotted(near)), near) in self.mixed
        return self.known[near], self.known[Place(4, (near,))], found, frozenset({near}) in self.mixed, length
"""


def test_objects_in_keys_have_all_that_their_hash_looks_at(harbour: Harbour) -> None:
    agent = harbour.shelf.agent(KEYS)
    there, home = harbour.stage(lambda agent: (agent.check(), agent)).go(agent)
    assert there == home.check() == agent.check() == (1, 2, True, True, 5000)


def test_what_cannot_be_part_of_a_state_says_how_to_do_without(harbour: Harbour) -> None:
    agent = harbour.shelf.agent(
        "import re\nclass Agent:\n    def __init__(self):\n        self.dice = re.compile('[1-6]')\n"
    )
    with pytest.raises(emporion.ValueNotPortable, match=r"args\[0\]\.dice: .* leave it out .* with __getstate__"):
        harbour.stage(lambda agent: None).go(agent)
