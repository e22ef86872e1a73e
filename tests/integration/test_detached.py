"""Calls that nobody waits for: one-way ones, and those with a ticket, which outlive the connection they came by."""

import threading
from collections.abc import Callable
from typing import Any

import emporion
import pytest
from emporion.errors import CallTimeout, CodeDenied, ConfigurationError, LimitExceeded, NamingError
from emporion.runtime.events import CodeCrossed, VisitOver
from emporion.runtime.visits import tickets
from emporion.tests.harbour import PASSPHRASE, Harbour, Stage, anything_goes, in_thread, until

AGENT = """
class Agent:
    def __init__(self):
        self.seen = []

    def look(self, shop):
        self.seen.append(shop.name())
        print("looked")
"""
GOODS = "class Lamp:\n    def __init__(self, watts):\n        self.watts = watts\n"


class Shop:
    @emporion.expose
    def name(self) -> str:
        return "shop"


class Held:
    """A hosted method that waits for the test."""

    def __init__(self, then: Callable[[Any], Any]) -> None:
        self.begun = threading.Event()
        self.go_on = threading.Event()
        self._then = then

    def __call__(self, agent: Any) -> Any:
        self.begun.set()
        assert self.go_on.wait(30)
        return self._then(agent)


def look(agent: Any) -> Any:
    agent.look(Shop())
    return agent


def nothing_left(harbour: Harbour) -> bool:
    tickets = harbour.host.tickets
    return not tickets._kept and not tickets._running and not harbour.host.office.admission.store._holds  # type: ignore[attr-defined]


# --- one-way


def test_a_one_way_call_returns_when_all_has_arrived_and_runs_on_alone(harbour: Harbour) -> None:
    held = Held(look)
    proxy = harbour.stage(held)
    sent = emporion.oneway(proxy.go)
    assert sent(harbour.shelf.agent(AGENT)) is None
    assert [event.rule for event in harbour.ears.events(CodeCrossed)] == ["sent"]  # the code has arrived, too
    assert held.begun.wait(30)
    proxy._peer.driver.close()
    until(lambda: proxy._peer.driver.error is not None)
    held.go_on.set()
    assert harbour.ears.visit_over().ended_by == ""
    until(lambda: nothing_left(harbour))


def test_what_keeps_a_one_way_call_from_arriving_is_raised(harbour: Harbour) -> None:
    agent = harbour.shelf.agent(AGENT)
    with pytest.raises(CodeDenied):
        emporion.oneway(harbour.stage(look, code_validator=None).go)(agent)
    with pytest.raises(emporion.ValueNotPortable):
        emporion.oneway(harbour.stage(look).go)(object())
    with pytest.raises(ConfigurationError, match="oneway"):
        emporion.oneway(print)
    assert nothing_left(harbour)


def test_what_a_one_way_call_raises_is_in_the_hosts_log_only(harbour: Harbour) -> None:
    def play(agent: Any) -> None:
        raise LookupError("no such shop")

    emporion.oneway(harbour.stage(play).go)(harbour.shelf.agent(AGENT))
    harbour.ears.wait_for(lambda: [r for r in harbour.ears.records if "no such shop" in r.getMessage()])


def test_a_host_may_call_its_client_one_way(harbour: Harbour) -> None:
    heard, go_on = threading.Event(), threading.Event()

    class Bell:
        @emporion.expose
        def ring(self, text: str) -> None:
            assert go_on.wait(30)
            heard.set()

    def play(bell: Any) -> str:
        emporion.oneway(bell.ring)("dinner")
        return "answered"

    assert harbour.stage(play).go(Bell()) == "answered"
    assert not heard.is_set()
    go_on.set()
    assert heard.wait(30)


# --- tickets


def test_a_ticket_follows_a_call_to_its_result(harbour: Harbour) -> None:
    held, agent = Held(look), harbour.shelf.agent(AGENT)
    ticket = emporion.dispatch(harbour.stage(held).go, agent)
    assert isinstance(ticket, emporion.Ticket)
    assert ticket.status() == "running"
    with pytest.raises(CallTimeout, match="ask its ticket again"):
        ticket.result(0.05)
    held.go_on.set()
    home = ticket.result(30)
    assert (type(home), home.seen, ticket.status()) == (type(agent), ["shop"], "done")
    assert ticket.result() is home
    assert ticket.id in repr(ticket)
    until(lambda: nothing_left(harbour))


def test_the_result_is_fetched_by_a_new_connection_when_the_old_one_was_cut(harbour: Harbour) -> None:
    lamp = harbour.shelf.module(GOODS).Lamp
    held, agent = Held(lambda agent: [look(agent), lamp(40)]), harbour.shelf.agent(AGENT)
    proxy = harbour.stage(held)
    ticket = emporion.dispatch(proxy.go, agent)
    assert held.begun.wait(30)
    proxy._peer.driver.close()
    until(lambda: not harbour.host.connections())
    assert ticket.status() == "running"
    held.go_on.set()
    home, thing = ticket.result(30)
    assert (type(home), home.seen) == (type(agent), ["shop"])  # the client's own class, not one that was downloaded
    assert thing.watts == 40
    until(lambda: nothing_left(harbour) and not harbour.host.connections())


def test_the_visit_of_a_detached_call_is_over_before_its_result_is_fetched(harbour: Harbour) -> None:
    ticket = emporion.dispatch(harbour.stage(look).go, harbour.shelf.agent(AGENT))
    assert harbour.ears.visit_over().ended_by == ""
    until(lambda: ticket.status() == "done")
    assert ticket.result().seen == ["shop"]


def test_what_a_detached_call_raised_its_ticket_raises(harbour: Harbour) -> None:
    agent = harbour.shelf.agent(AGENT)

    def play(agent: Any) -> None:
        agent.look(Shop())
        raise KeyError(agent)

    ticket = emporion.dispatch(harbour.stage(play).go, agent)
    for _ in range(2):
        with pytest.raises(KeyError) as raised:
            ticket.result(30)
    assert raised.value.args[0].seen == ["shop"]
    assert ticket.status() == "failed"
    until(lambda: nothing_left(harbour))


def test_a_limit_ends_a_detached_visit_too(harbour: Harbour) -> None:
    agent = harbour.shelf.agent("class Agent:\n    def spin(self):\n        while True: pass\n")
    limits = emporion.Limits(wall_s=0.3)
    ticket = emporion.dispatch(harbour.stage(lambda agent: agent.spin(), limits=limits).go, agent)
    with pytest.raises(LimitExceeded, match="wall_s"):
        ticket.result(30)


def test_many_threads_may_wait_for_one_ticket(harbour: Harbour) -> None:
    held = Held(look)
    ticket = emporion.dispatch(harbour.stage(held).go, harbour.shelf.agent(AGENT))
    waiting = [in_thread(lambda: ticket.result(30)) for _ in range(4)]
    held.go_on.set()
    results = [one() for one in waiting]
    assert all(one is results[0] for one in results)


def test_a_thread_that_asks_when_another_has_fetched_the_result_gets_it_too(
    harbour: Harbour, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = emporion.dispatch(harbour.stage(look).go, harbour.shelf.agent(AGENT))
    ask = ticket._ask
    others: list[Any] = []

    def ask_late(until_s: float | None, method: str, *args: Any) -> Any:
        if not others:
            others.append(None)
            others[0] = in_thread(ticket.result)()
        return ask(until_s, method, *args)

    monkeypatch.setattr(ticket, "_ask", ask_late)
    assert ticket.result(30) is others[0]
    assert ticket.status() == "done"


def test_nobody_elses_ticket_can_be_asked_for(harbour: Harbour) -> None:
    verifiers = emporion.Verifiers({"nora": "of nora", "otto": "of otto"}, iterations=4096)
    with emporion.Host("emporion+tcp://127.0.0.1:0", passphrases=verifiers) as host:
        uri = host.register(Stage(lambda: "secret"), code_validator=anything_goes)

        def login(name: str) -> Any:
            return harbour.connect(uri, login=name, passphrase=f"of {name}")

        nora, otto = login("nora"), login("otto")
        ticket = emporion.dispatch(nora.go)
        for question in ("ticket_status", "ticket_result", "ticket_forget"):
            more = (0.0,) if question == "ticket_status" else ()
            with pytest.raises(NamingError):
                otto._peer.call(0, 0, question, (ticket.id, *more), {})
            with pytest.raises(NamingError):
                nora._peer.call(0, 0, question, ("guessed", *more), {})
        assert emporion.Ticket(login("nora")._peer, ticket.id, "go").result(30) == "secret"


def test_the_host_says_when_one_caller_leaves_too_many_results(
    harbour: Harbour, monkeypatch: pytest.MonkeyPatch
) -> None:
    until(lambda: nothing_left(harbour))  # also of other tests
    monkeypatch.setattr(tickets, "MOST_OF_ONE", 3)
    proxy = harbour.stage(lambda: 5)
    kept = [emporion.dispatch(proxy.go) for _ in range(3)]
    with pytest.raises(LimitExceeded, match="detached calls of one caller"):
        emporion.dispatch(proxy.go)
    assert [ticket.result(30) for ticket in kept] == [5, 5, 5]
    until(lambda: nothing_left(harbour))
    assert emporion.dispatch(proxy.go).result(30) == 5


def test_a_result_that_nobody_fetches_is_forgotten(harbour: Harbour, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = harbour.stage(lambda agent: agent)
    ticket = emporion.dispatch(proxy.go, harbour.shelf.agent(AGENT))
    until(lambda: ticket.status() == "done")
    monkeypatch.setattr(tickets, "KEPT_S", -1.0)
    with pytest.raises(NamingError, match="forgotten"):
        ticket.result()
    until(lambda: nothing_left(harbour))


def test_a_dispatched_call_needs_a_method_of_a_host(harbour: Harbour) -> None:
    with pytest.raises(ConfigurationError, match="dispatch"):
        emporion.dispatch(len, [])

    def play(bell: Any) -> str:
        with pytest.raises(ConfigurationError, match="only hosts keep results"):
            emporion.dispatch(bell.name)
        return "tried"

    assert harbour.stage(play).go(Shop()) == "tried"


def test_a_host_that_closes_ends_detached_visits(harbour: Harbour) -> None:
    verifiers = emporion.Verifiers([PASSPHRASE], iterations=4096)
    held = Held(look)
    with emporion.Host("emporion+tcp://127.0.0.1:0", passphrases=verifiers) as host:
        uri = host.register(Stage(lambda agent: held(look(agent))), code_validator=anything_goes)
        emporion.oneway(harbour.connect(uri).go)(harbour.shelf.agent(AGENT))
        assert held.begun.wait(30)
        (detached,) = host.tickets._running.values()
        closing = in_thread(host.close)
        until(lambda: detached.scope._visit is not None and detached.scope._visit._ended)
        held.go_on.set()
        closing()
    harbour.ears.wait_for(lambda: [event.ended_by for event in harbour.ears.events(VisitOver)])
