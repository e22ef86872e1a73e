"""A host hands an agent on to another host: each asks its own validator, nobody imports it, and every cut is told."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import emporion
import pytest
from emporion.errors import CodeDenied, ConnectionLost, VisitEnded
from emporion.runtime.events import CodeCrossed, VisitOver
from emporion.runtime.visits.handle import Handle
from emporion.tests.harbour import PASSPHRASE, Harbour, Stage, anything_goes, in_thread, open_host, until

GATHERER = """
class Agent:
    def __init__(self):
        self.seen = []
        self.things = []

    def look(self, stall):
        self.seen.append(stall.name())

    def take(self, thing):
        self.things.append(thing)
"""
GOODS = """
class Lamp:
    def __init__(self, watts):
        self.watts = watts

    def label(self):
        return f"{self.watts} W"
"""


class Stall:
    def __init__(self, name: str) -> None:
        self._name = name

    @emporion.expose
    def name(self) -> str:
        return self._name


class Gate:
    """Where an agent waits until the test lets it on."""

    def __init__(self) -> None:
        self.arrived = threading.Event()
        self.opened = threading.Event()

    @emporion.expose
    def name(self) -> str:
        self.arrived.set()
        assert self.opened.wait(30)
        return "gate"


class Road:
    """Hosts in a row, each with a hosted object whose method does what the test says."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.hosts: list[emporion.Host] = []

    def stop(self, play: Callable[..., Any], **options: Any) -> emporion.URI:
        """One more host; gives the URI of its object."""
        host = self._stack.enter_context(open_host())
        self.hosts.append(host)
        return host.register(Stage(play), **{"code_validator": anything_goes, **options})


@pytest.fixture
def road(harbour: Harbour) -> Iterator[Road]:
    with ExitStack() as stack:
        yield Road(stack)


def on(uri: emporion.URI, **options: Any) -> Any:
    """A connection from one host to the next."""
    return emporion.connect(uri, **{"passphrase": PASSPHRASE, "mobile_code": True, **options})


def passing(uri: emporion.URI, name: str) -> Callable[[Any], Any]:
    """A hosted method that lets an agent look, sends it on, and lets it look again when it is back."""

    def play(agent: Any) -> Any:
        agent.look(Stall(name))
        with on(uri) as further:
            agent = further.go(agent)
        assert type(agent) is Handle
        agent.look(Stall(f"{name} again"))
        return agent

    return play


def last(agent: Any) -> Any:
    agent.look(Stall("last"))
    return agent


# --- there and back


def test_an_agent_gathers_at_three_hosts_and_comes_home_through_the_chain(harbour: Harbour, road: Road) -> None:
    agent = harbour.shelf.agent(GATHERER)
    first = road.stop(passing(road.stop(passing(road.stop(last), "second")), "first"))
    home = harbour.connect(first).go(agent)
    assert type(home) is type(agent)
    assert home.seen == ["first", "second", "last", "second again", "first again"]
    harbour.ears.wait_for(lambda: len(harbour.ears.events(VisitOver)) == 3)


def test_the_next_host_sees_the_address_and_identity_of_the_one_that_sends(harbour: Harbour, road: Road) -> None:
    agent = harbour.shelf.agent(GATHERER)
    asked: list[Any] = []

    def validator(name: str, module: str | None, address: Any, caller: Any = None) -> bool:
        asked.append((name, bool(module), address, caller.identity))
        return True

    verifiers = emporion.Verifiers({"first": "of the first host"}, iterations=4096)
    with emporion.Host("emporion+tcp://127.0.0.1:0", passphrases=verifiers) as second:
        uri = second.register(Stage(last), code_validator=validator)

        def play(agent: Any) -> Any:
            with on(uri, login="first", passphrase="of the first host") as further:
                known = [connection.address for connection in second.connections()]
                return [further.go(agent), known]

        home, known = harbour.connect(road.stop(play)).go(agent)
    assert home.seen == ["last"]
    ((name, has_source, address, identity),) = asked
    assert (name, has_source, identity) == (type(agent).__module__, True, "first")
    assert [tuple(one) for one in known] == [address]


def test_code_that_leaves_a_host_for_another_is_a_question_for_its_object(harbour: Harbour, road: Road) -> None:
    agent = harbour.shelf.agent(GATHERER)
    name = type(agent).__module__

    def only_in(asked: str, module: str | None, address: Any) -> bool:
        return bool(module and address)

    with pytest.raises(CodeDenied) as denied:
        harbour.connect(road.stop(passing(road.stop(last), "first"), code_validator=only_in)).go(agent)
    assert (denied.value.module, denied.value.direction) == (name, "download")
    with pytest.raises(CodeDenied) as denied:
        harbour.connect(road.stop(passing(road.stop(last, code_validator=None), "first"))).go(agent)
    assert (denied.value.module, denied.value.direction) == (name, "upload")


def test_what_was_got_on_the_way_comes_home_and_each_host_is_asked_about_it(harbour: Harbour, road: Road) -> None:
    goods = harbour.shelf.module(GOODS)
    agent = harbour.shelf.agent(GATHERER)
    questions: list[tuple[str, str]] = []

    def validator(name: str, module: str | None, address: Any) -> bool:
        questions.append((name, "in" if module else "out"))
        return True

    def sell(agent: Any) -> Any:
        agent.take(goods.Lamp(40))
        return agent

    home = harbour.connect(road.stop(passing(road.stop(sell), "first"), code_validator=validator)).go(agent)
    (lamp,) = home.things
    assert lamp.label() == "40 W"
    assert type(lamp) is not goods.Lamp
    assert (goods.__name__, "in") in questions and (goods.__name__, "out") in questions


def test_a_thing_of_the_first_host_goes_with_the_agent_and_comes_back_unasked(harbour: Harbour, road: Road) -> None:
    goods = harbour.shelf.module(GOODS)
    agent = harbour.shelf.agent(GATHERER)

    def customs(name: str, module: str | None, address: Any) -> bool:
        return bool(module) == (name == type(agent).__module__) or (name == type(agent).__module__ and not module)

    second = road.stop(last)

    def play(agent: Any) -> Any:
        agent.take(goods.Lamp(60))
        with on(second) as further:
            agent = further.go(agent)
        assert [thing.label() for thing in agent.things] == ["60 W"]
        return agent

    home = harbour.connect(road.stop(play, code_validator=customs)).go(agent)
    assert [thing.label() for thing in home.things] == ["60 W"]


def test_two_agents_that_are_passed_on_share_what_they_shared(harbour: Harbour, road: Road) -> None:
    module = harbour.shelf.module(GATHERER)
    one, other = module.Agent(), module.Agent()
    one.things = other.things = [one]
    second = road.stop(lambda pair: pair)

    def play(one: Any, other: Any) -> Any:
        one.look(Stall("first"))  # they live in a visit when they go on
        with on(second) as further:
            one, other = further.go([one, other])
        one.take("apple")
        return [one, other]

    first, second_one = harbour.connect(road.stop(play)).go(one, other)
    assert first.things is second_one.things
    assert first.things == [first, "apple"]


def test_a_connection_made_before_any_call_passes_agents_on_too(harbour: Harbour, road: Road) -> None:
    agent = harbour.shelf.agent(GATHERER)
    further = harbour.connect(road.stop(last))

    def play(agent: Any) -> Any:
        agent = further.go(agent)
        assert type(agent) is Handle
        return agent

    proxy = harbour.connect(road.stop(play))
    assert [proxy.go(agent).seen for _ in range(2)] == [["last"], ["last"]]


def test_a_handle_goes_nowhere_outside_of_its_call(harbour: Harbour, road: Road) -> None:
    agent = harbour.shelf.agent(GATHERER)
    further = harbour.connect(road.stop(last))
    kept: list[Any] = []
    harbour.connect(road.stop(kept.append)).go(agent)
    with pytest.raises(VisitEnded):
        further.go(kept[0])


def test_a_host_that_passes_on_supplies_nothing_but_what_it_passed_on(harbour: Harbour, road: Road) -> None:
    """The next host asks for a module that the first one has, and did not send."""
    agent, secret = harbour.shelf.agent(GATHERER), harbour.shelf.agent("class Agent: pass\n")
    refused: list[CodeDenied] = []

    def pry(agent: Any) -> None:
        (guest,) = road.hosts[0]._doors.guests
        digest = road.hosts[1].office.admission.store.get
        assert digest is not None
        try:
            guest.fetch({type(secret).__module__: emporion_digest(secret)})
        except CodeDenied as error:
            refused.append(error)

    uri = road.stop(pry)

    def play(agent: Any, other: Any) -> None:
        with on(uri) as further:
            further.go(agent)

    harbour.connect(road.stop(play)).go(agent, secret)
    assert len(refused) == 1


def emporion_digest(agent: Any) -> str:
    from emporion.agents.closure import closure_of

    (digest,) = closure_of(type(agent)).manifest.values()
    return digest


# --- cut


def hold(gate: Gate) -> Callable[[Any], Any]:
    def play(agent: Any) -> Any:
        agent.look(gate)
        return agent

    return play


def over(harbour: Harbour, count: int) -> list[VisitOver]:
    harbour.ears.wait_for(lambda: len(harbour.ears.events(VisitOver)) >= count)
    return harbour.ears.events(VisitOver)


def test_when_the_client_leaves_the_visit_two_hosts_away_ends(harbour: Harbour, road: Road) -> None:
    agent, gate = harbour.shelf.agent(GATHERER), Gate()
    raised: list[BaseException] = []
    last_stop = road.stop(hold(gate))

    def play(agent: Any) -> Any:
        agent.look(Stall("first"))
        try:
            with on(last_stop) as further:
                return further.go(agent)
        except BaseException as error:
            raised.append(error)
            raise

    proxy = harbour.connect(road.stop(play))
    home = in_thread(lambda: proxy.go(agent))
    assert gate.arrived.wait(30)
    (guest,) = road.hosts[0]._doors.guests
    (scope,) = guest._scopes.values()
    proxy._peer.driver.close()
    with pytest.raises(ConnectionLost):
        home()
    until(lambda: scope._visit is not None and scope._visit._ended)  # long before the hosted method returns
    assert not gate.opened.is_set()
    gate.opened.set()
    ended = over(harbour, 2)
    assert {one.ended_by for one in ended} == {"the caller cancelled", "the caller's connection is over: the other end "
                                               "closed the connection"}
    until(lambda: raised)
    assert isinstance(raised[0], VisitEnded)


@pytest.mark.parametrize("cut", ["by the first host", "by the last host"])
def test_a_cut_between_two_hosts_is_told_with_the_hop(harbour: Harbour, road: Road, cut: str) -> None:
    agent, gate = harbour.shelf.agent(GATHERER), Gate()
    last_stop = road.stop(hold(gate))
    connections: list[Any] = []

    def play(agent: Any) -> Any:
        with on(last_stop) as further:
            connections.append(further)
            return further.go(agent)

    proxy = harbour.connect(road.stop(play))
    home = in_thread(lambda: proxy.go(agent))
    assert gate.arrived.wait(30)
    if cut == "by the first host":
        connections[0]._peer.driver.close()
    else:
        for connection in road.hosts[0].connections():
            connection.close("enough")
    with pytest.raises(ConnectionLost, match=f"{last_stop.host}:{last_stop.port}"):
        home()
    gate.opened.set()
    over(harbour, 1)
    assert proxy.go.__self__._peer.driver.error is None  # this connection is as good as before


def test_a_call_that_takes_too_long_is_called_off_down_the_road(harbour: Harbour, road: Road) -> None:
    agent, gate = harbour.shelf.agent(GATHERER), Gate()
    first = road.stop(passing(road.stop(hold(gate)), "first"))
    with pytest.raises(emporion.CallTimeout, match=f"{first.host}:{first.port}"):
        harbour.connect(first, timeout_s=2.0).go(agent)
    (guest,) = road.hosts[0]._doors.guests
    until(lambda: all(scope._visit is None or scope._visit._ended for scope in list(guest._scopes.values())))
    gate.opened.set()
    over(harbour, 2)


def test_a_host_that_closes_in_the_middle_leaves_no_visit(harbour: Harbour, road: Road) -> None:
    agent, gate = harbour.shelf.agent(GATHERER), Gate()
    last_stop = road.stop(hold(gate))
    first = road.stop(passing(last_stop, "first"))
    proxy = harbour.connect(first)
    home = in_thread(lambda: proxy.go(agent))
    assert gate.arrived.wait(30)
    gate.opened.set()
    road.hosts[0].close()
    with pytest.raises(ConnectionLost, match=f"{last_stop.host}:{last_stop.port}"):
        home()
    over(harbour, 2)


def test_nothing_new_crosses_in_the_second_round(harbour: Harbour, road: Road) -> None:
    module = harbour.shelf.module(GATHERER)
    proxy = harbour.connect(road.stop(passing(road.stop(last), "first")))
    for _ in range(2):
        proxy.go(module.Agent())
    uploads = [event.rule for event in harbour.ears.events(CodeCrossed) if event.direction == "upload"]
    assert uploads == ["sent", "sent", "known", "known"]
