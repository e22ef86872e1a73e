"""Tickets under bad conditions: hosts that are gone, busy or dumb, callers in a hurry, and many who wait."""

import threading
import time
from collections.abc import Callable
from typing import Any

import emporion
import pytest
from emporion.errors import CallTimeout, ConnectionLost, NamingError
from emporion.runtime import detaching
from emporion.runtime.guests import GuestPeer
from emporion.runtime.visits.tickets import Tickets
from emporion.tests.harbour import ANSWER_S, PASSPHRASE, Harbour, Stage, anything_goes, in_thread, open_host, until


class Held:
    """A hosted method that waits for the test."""

    def __init__(self, result: Any = "done") -> None:
        self.begun = threading.Event()
        self.go_on = threading.Event()
        self._result = result

    def __call__(self) -> Any:
        self.begun.set()
        assert self.go_on.wait(ANSWER_S)
        if isinstance(self._result, Exception):
            raise self._result
        return self._result


def test_one_thread_asks_for_the_status_while_another_waits_for_the_result(harbour: Harbour) -> None:
    held = Held()
    ticket = emporion.dispatch(harbour.stage(held).go)
    result = in_thread(ticket.result)
    assert [in_thread(ticket.status)() for _ in range(3)] == ["running"] * 3
    held.go_on.set()
    assert result() == "done"


def test_waiting_for_results_leaves_threads_for_those_who_make_them(
    harbour: Harbour, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight callers wait for four calls on a host of four threads; a ninth is answered all the same."""
    waiting: list[float] = []
    honest = Tickets.status

    def status(tickets: Tickets, id: str, wait_s: float, caller: Any) -> str:
        begun_s = time.monotonic()
        try:
            return honest(tickets, id, wait_s, caller)
        finally:
            waiting.append(time.monotonic() - begun_s)

    monkeypatch.setattr(Tickets, "status", status)
    with open_host(threads=4) as host:
        held = [Held() for _ in range(2)]
        uris = [host.register(Stage(one)) for one in held]
        tickets = [emporion.dispatch(harbour.connect(uri).go) for uri in uris]
        assert all(one.begun.wait(ANSWER_S) for one in held)
        results = [in_thread(ticket.result) for ticket in tickets * 4]
        until(lambda: len(waiting) >= 16)
        assert sorted(waiting)[len(waiting) // 2] < detaching.LOOK_S / 2  # most did not wait: one may
        for one in held:
            one.go_on.set()
        assert [result() for result in results] == ["done"] * 8


def test_a_call_of_the_tickets_own_that_took_too_long_is_not_what_the_method_raised(
    harbour: Harbour, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, slow, end = Held(KeyError("the method's")), threading.Event(), threading.Event()
    honest = GuestPeer._ticket_result

    def ticket_result(guest: GuestPeer, *args: Any) -> Any:
        if not slow.is_set():
            slow.set()
            assert end.wait(ANSWER_S)
        return honest(guest, *args)

    monkeypatch.setattr(GuestPeer, "_ticket_result", ticket_result)
    monkeypatch.setattr(detaching, "LOOK_S", 0.1)
    ticket = emporion.dispatch(harbour.connect(harbour.register(held), timeout_s=0.2).go)
    held.go_on.set()
    with pytest.raises(CallTimeout):
        ticket.result(ANSWER_S)
    end.set()
    with pytest.raises(KeyError, match="the method's"):
        ticket.result(ANSWER_S)


def test_a_host_that_answers_nothing_keeps_nobody_longer_than_said(
    harbour: Harbour, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = threading.Event()

    def mute(tickets: Tickets, id: str, wait_s: float, caller: Any) -> str:
        assert end.wait(ANSWER_S)
        return "running"

    ticket = emporion.dispatch(harbour.stage(lambda: 1).go)
    monkeypatch.setattr(Tickets, "status", mute)
    monkeypatch.setattr(detaching, "ARRIVAL_S", 0.2)
    with pytest.raises(CallTimeout):
        in_thread(lambda: ticket.result(0.1))()
    end.set()
    monkeypatch.undo()
    assert ticket.result(ANSWER_S) == 1


def test_a_result_that_is_asked_for_again_and_again_takes_no_more_room(harbour: Harbour) -> None:
    def play() -> None:
        raise KeyError("gone")

    proxy = harbour.stage(play)
    ticket = emporion.dispatch(proxy.go)
    until(lambda: ticket.status() == "failed")
    texts = []
    for _ in range(20):
        with pytest.raises(KeyError) as raised:
            proxy._peer.call(0, 0, "ticket_result", (ticket.id,), {})
        texts.append("".join(raised.value.__notes__))
    assert len(set(map(len, texts[1:]))) == 1, "the traceback grows"


def no_such_key() -> None:
    raise KeyError("no")


@pytest.mark.parametrize(("play", "outcome"), [(lambda: 5, 5), (no_such_key, "KeyError")])
def test_a_program_that_ends_with_its_result_leaves_nothing_at_the_host(
    harbour: Harbour, play: Callable[[], Any], outcome: Any
) -> None:
    """It has no thread any more that could say so afterwards."""
    ticket = emporion.dispatch(harbour.stage(play).go)
    assert ticket.id in harbour.host.tickets._kept
    try:
        came = ticket.result(ANSWER_S)
    except KeyError:
        came = "KeyError"
    assert came == outcome
    assert ticket.id not in harbour.host.tickets._kept


def test_a_host_that_was_started_anew_knows_no_ticket_and_keeps_no_connection(harbour: Harbour) -> None:
    hosts: list[emporion.Host] = []

    def begin(port: int = 0) -> emporion.URI:
        verifiers = emporion.Verifiers([PASSPHRASE], iterations=4096)
        host = emporion.Host(f"emporion+tcp://127.0.0.1:{port}", passphrases=verifiers)
        hosts.append(host)
        host.start()
        return host.register(Stage(lambda: 1), "stage", code_validator=anything_goes)

    uri = begin()
    tickets = [emporion.dispatch(harbour.connect(uri).go) for _ in range(3)]
    hosts[0].close()
    begin(uri.port or 0)
    asks: list[Callable[[], Any]] = [tickets[0].status, tickets[1].result, lambda: tickets[2].result(1.0)]
    for ask in asks * 2:
        with pytest.raises(NamingError, match="no such ticket"):
            ask()
    until(lambda: not hosts[1].connections())
    hosts[1].close()


@pytest.mark.parametrize("wait_s", [float("nan"), float("inf"), -1.0, 10**30, True])
def test_a_question_about_a_ticket_with_an_odd_time_is_answered_soon(harbour: Harbour, wait_s: float) -> None:
    held = Held()
    proxy = harbour.stage(held)
    ticket = emporion.dispatch(proxy.go)
    begun_s = time.monotonic()
    assert proxy._peer.call(0, 0, "ticket_status", (ticket.id, wait_s), {}) == "running"
    assert time.monotonic() - begun_s < 10
    held.go_on.set()
    assert ticket.result(ANSWER_S) == "done"


def test_a_caller_that_leaves_before_all_has_arrived_leaves_no_call_and_no_ticket(
    harbour: Harbour, monkeypatch: pytest.MonkeyPatch
) -> None:
    arriving, go_on = threading.Event(), threading.Event()
    ran: list[Any] = []
    agent = harbour.shelf.agent("class Agent:\n    pass\n")

    def slow(name: str, source: str | None, address: Any) -> bool:
        arriving.set()
        assert go_on.wait(ANSWER_S)
        return True

    proxy = harbour.stage(ran.append, code_validator=slow)
    before = set(harbour.host.tickets._kept)
    sending = in_thread(lambda: emporion.dispatch(proxy.go, agent))
    assert arriving.wait(ANSWER_S)
    proxy._peer.driver.close()
    with pytest.raises(ConnectionLost):
        sending()
    until(lambda: not harbour.host.connections())
    go_on.set()
    until(lambda: not harbour.host.office.admission.store._holds)  # type: ignore[attr-defined]
    assert set(harbour.host.tickets._kept) == before
    assert not ran
