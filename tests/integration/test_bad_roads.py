"""Agents on the way between hosts that lie: what comes back is judged, and nothing of it runs where it should not."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import emporion
import pytest
from emporion.errors import CallTimeout, CodeDenied, LimitExceeded, ProtocolError, RemoteError
from emporion.runtime import client
from emporion.runtime.guests import GuestPeer
from emporion.runtime.wire.kinds import Kind
from emporion.runtime.wire.messages import Body, Code, NeedCode
from emporion.tests.harbour import ANSWER_S, PASSPHRASE, Harbour, Stage, anything_goes, in_thread, open_host, until

AGENT = """
class Agent:
    def __init__(self):
        self.things = []

    def take(self, thing):
        self.things.append(thing)

    def show(self, object, thing):
        return object.go(thing)

    def fetch_and_show(self, lax, strict):
        return strict.go(lax.go())
"""
LAMP = "class Lamp:\n    def __init__(self, watts):\n        self.watts = watts\n"

Twist = Callable[[Body], None]


class Hosts:
    """The hosts beside the harbour's own, and what they put in place of what they should say."""

    def __init__(self, stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
        self._stack = stack
        self._twists: dict[Any, Twist] = {}
        honest = GuestPeer.encode

        def encode(guest: GuestPeer, values: Any, label: Any) -> Any:
            body, blobs = honest(guest, values, label)
            twist = self._twists.get(guest._registry)
            if twist is not None and body.manifests:
                twist(body)
            return body, blobs

        monkeypatch.setattr(GuestPeer, "encode", encode)

    def lying(self, play: Callable[..., Any], twist: Twist | None = None) -> emporion.URI:
        host = self._stack.enter_context(open_host())
        if twist is not None:
            self._twists[host] = twist
        return host.register(Stage(play), code_validator=anything_goes)

    def lie(self, host: emporion.Host, twist: Twist) -> None:
        self._twists[host] = twist


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hosts]:
    with ExitStack() as stack:
        yield Hosts(stack, monkeypatch)


def on(uri: emporion.URI, **options: Any) -> Any:
    return emporion.connect(uri, **{"passphrase": PASSPHRASE, "mobile_code": True, **options})


# --- what comes back is what went, or it is judged


def test_a_closure_that_comes_back_with_a_module_less_is_new_goods(harbour: Harbour, hosts: Hosts) -> None:
    only = "class Agent:\n    def __init__(self):\n        import PKG.more\n"
    package = harbour.shelf.package(only=only, more="X = 1\n")
    agent = __import__(f"{package}.only").only.Agent()
    away = threading.Event()

    def less(body: Body) -> None:
        assert len(body.manifests[0]) == 2
        body.manifests[0] = {n: d for n, d in body.manifests[0].items() if not n.endswith(".more")}

    for twist, whole in ((None, True), (less, False)):
        away.clear()

        def keep(agent: Any) -> Any:
            away.set()
            return agent

        uri = hosts.lying(keep, twist)

        def play(agent: Any, uri: emporion.URI = uri) -> Any:
            with on(uri) as further:
                return type(further.go(agent)).__name__

        proxy = harbour.stage(play, code_validator=lambda name, source, address: not away.is_set())
        if whole:
            assert proxy.go(agent) == "Handle"  # nobody was asked again
        else:
            with pytest.raises(CodeDenied):
                proxy.go(agent)


def test_an_objects_own_validator_is_asked_about_what_another_objects_method_let_in(
    harbour: Harbour,
) -> None:
    lamp = harbour.shelf.module(LAMP).Lamp
    lamps = lamp.__module__
    met: list[Any] = []

    class Source:
        @emporion.expose
        def thing(self) -> Any:
            return lamp(40)

    sources: list[Any] = []
    lax = Stage(lambda: sources[0].thing())
    strict: list[Any] = []

    def play(*args: Any) -> Any:
        if len(args) == 1:
            met.append(args[0])
            return "met"
        agent, source = args
        sources[:] = [source]
        return agent.fetch_and_show(lax, strict[0])

    strict.append(Stage(play))
    harbour.host.register(lax, code_validator=anything_goes)
    uri = harbour.register(strict[0], code_validator=lambda name, source, address: name != lamps)
    with pytest.raises(emporion.AgentError, match="CodeDenied"):
        harbour.connect(uri).go(harbour.shelf.agent(AGENT), Source())
    assert not met
    assert harbour.ears.denials()[0].module == lamps


def test_code_that_the_next_host_brought_is_judged_as_that_hosts_everywhere(harbour: Harbour, hosts: Hosts) -> None:
    lamp = harbour.shelf.module(LAMP).Lamp
    further = hosts.lying(lambda: lamp(40))
    asked: list[Any] = []

    def validator(name: str, source: str | None, address: Any, caller: Any = None) -> bool:
        asked.append((name, address[1] if address else None))
        return True

    shop = Stage(lambda thing: "seen")
    harbour.host.register(shop, code_validator=validator)

    def play(agent: Any) -> Any:
        with on(further) as there:
            return agent.show(shop, there.go())

    agent = harbour.shelf.agent(AGENT)
    assert harbour.stage(play).go(agent) == "seen"
    assert (lamp.__module__, further.port) in asked
    assert all(port != further.port for name, port in asked if name == type(agent).__module__)


@pytest.mark.parametrize("who", ["the object's validator", "the connection's validator"])
def test_what_was_denied_does_not_come_to_life_with_the_rest(harbour: Harbour, hosts: Hosts, who: str) -> None:
    """Its text is known: it was let in for another object. The hosted method goes on after the denial."""
    lamp: type = harbour.shelf.module("print('lit')\n" + LAMP).Lamp
    further = hosts.lying(lambda: lamp(40))

    def no_lamps(name: str, source: str | None, address: Any) -> bool:
        return name != str(lamp.__module__)

    at_object, at_connection = (no_lamps, None) if who == "the object's validator" else (anything_goes, no_lamps)

    def let_in(agent: Any) -> None:
        with on(further) as there:
            agent.take(there.go())

    def play(agent: Any) -> Any:
        with on(further, code_validator=at_connection) as there, pytest.raises(CodeDenied):
            there.go()
        agent.take("a walk")
        return agent

    agent = harbour.shelf.agent(AGENT)
    harbour.stage(let_in).go(agent)
    harbour.ears.wait_for(lambda: "lit" in harbour.ears.printed())
    harbour.ears.records.clear()
    assert harbour.stage(play, code_validator=at_object).go(agent).things == ["a walk"]
    assert "lit" not in harbour.ears.printed()


# --- nothing runs in a process that hosts


def test_a_connection_that_hosted_methods_use_imports_nothing_whoever_made_it(harbour: Harbour, hosts: Hosts) -> None:
    """It was made at the start, by the program; the next host later sends code that nobody waits for in a call."""
    module = harbour.shelf.module("import sys\nsys.lit = getattr(sys, 'lit', 0) + 1\n" + LAMP)
    got: list[Any] = []

    class Hatch:
        @emporion.expose
        def push(self, thing: Any) -> None:
            got.append(thing)

    hatches: list[Any] = []
    later = threading.Event()

    def lamps(hatch: Any) -> None:
        def push() -> None:  # not in the chain of any call of the first host's
            assert later.wait(ANSWER_S)
            hatch.push("dark")

        hatches.append(in_thread(push))

    uri = hosts.lying(lambda hatch=None: module.Lamp(1) if hatch is None else lamps(hatch))
    there = harbour.connect(uri)
    assert harbour.stage(lambda agent: there.go(Hatch())).go(harbour.shelf.agent(AGENT)) is None
    later.set()
    hatches[0]()
    before = sys.lit  # type: ignore[attr-defined]
    thing = there.go()
    assert type(thing) is emporion.Parcel
    assert sys.lit == before  # type: ignore[attr-defined]
    assert got == ["dark"]


def test_a_parcel_that_a_hosted_method_hands_on_is_a_question_for_its_object(harbour: Harbour, hosts: Hosts) -> None:
    lamp = harbour.shelf.module(LAMP).Lamp
    shop, buyer = hosts.lying(lambda: lamp(40)), hosts.lying(lambda thing: thing.watts)

    def play() -> Any:
        with on(shop, mobile_code=False) as there:
            parcel = there.go()
        with on(buyer, mobile_code=False) as there:
            return there.go(parcel)

    assert harbour.stage(play).go() == 40
    with pytest.raises(CodeDenied) as denied:
        harbour.stage(play, code_validator=lambda name, source, address: name != lamp.__module__).go()
    assert denied.value.direction == "download"


def test_a_parcel_comes_home_from_a_call_that_has_a_visit_and_from_a_dispatched_one(
    harbour: Harbour, hosts: Hosts
) -> None:
    lamp = harbour.shelf.module(LAMP).Lamp
    shop = hosts.lying(lambda: lamp(40))

    def play(agent: Any) -> Any:
        agent.take("visit")
        with on(shop, mobile_code=False) as there:
            return there.go()

    agent = harbour.shelf.agent(AGENT)
    proxy = harbour.stage(play)
    assert proxy.go(agent).watts == 40
    assert emporion.dispatch(proxy.go, agent).result(ANSWER_S).watts == 40


def test_a_next_host_that_never_supplies_its_code_holds_nobody_for_ever(
    harbour: Harbour, hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    lamp = harbour.shelf.module(LAMP).Lamp
    uri, end = hosts.lying(lambda: lamp(40)), threading.Event()
    honest = GuestPeer.supply

    def silent(guest: GuestPeer, asked: NeedCode) -> Code:
        assert end.wait(ANSWER_S)
        return honest(guest, asked)

    monkeypatch.setattr(GuestPeer, "supply", silent)
    monkeypatch.setattr(client, "FETCH_S", 0.2)

    def play() -> str:
        with on(uri, mobile_code=False) as there, pytest.raises(CallTimeout):
            there.go()
        return "went on"

    try:
        assert harbour.stage(play).go() == "went on"
        with pytest.raises(CallTimeout):  # what it was given for each call holds for the code as well
            harbour.connect(uri, timeout_s=0.5).go()
    finally:
        end.set()


# --- hosts against their clients

COLOURS = """
from enum import Enum

class Colour(Enum):
    RED = 1

class Agent:
    pass

def paint():
    pass
"""


@pytest.mark.parametrize("name", ["Colour.RED", "Colour", "paint"])
def test_a_host_cannot_fill_with_state_what_is_no_class_of_the_clients(
    harbour: Harbour, hosts: Hosts, name: str
) -> None:
    module = harbour.shelf.module(COLOURS)

    def twist(body: Body) -> None:
        for row in body.rows:
            if row[0] == Kind.MOBILE:
                row[3] = name
                row[4] = [len(body.rows)]
        body.rows.append([Kind.DICT, "_value_", "stolen", 2, 3])

    hosts.lie(harbour.host, lambda body: None)
    proxy = harbour.stage(lambda agent: agent)
    assert type(proxy.go(module.Agent())) is module.Agent
    hosts.lie(harbour.host, twist)
    with pytest.raises(ProtocolError, match="an object came"):
        proxy.go(module.Agent())
    assert module.Colour.RED._value_ == 1 and not hasattr(module.paint, "stolen")


def test_an_exception_whose_notes_a_host_made_up_is_told_all_the_same(harbour: Harbour) -> None:
    module = harbour.shelf.module("class Gone(Exception):\n    pass\n")

    def play() -> None:
        error = module.Gone("sold out")
        error.__notes__ = 5
        raise error

    with pytest.raises(RemoteError, match="sold out"):
        harbour.stage(play).go()


def test_one_way_calls_that_a_host_heaps_on_its_client_are_bounded(
    harbour: Harbour, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "MOST_ONE_WAY", 3)
    go_on, rung = threading.Event(), []

    class Bell:
        @emporion.expose
        def ring(self) -> None:
            assert go_on.wait(ANSWER_S)
            rung.append(1)

    def play(bell: Any) -> int:
        rings = 0
        while rings < 50:
            try:
                emporion.oneway(bell.ring)()
            except LimitExceeded:
                return rings
            rings += 1
        return rings

    proxy = harbour.stage(play)
    assert proxy.go(Bell()) == 3
    go_on.set()
    until(lambda: len(rung) == 3)
    until(lambda: proxy.go(Bell()) > 0)
