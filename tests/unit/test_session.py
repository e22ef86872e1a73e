"""The session's books, one message at a time. Random interleavings: tests/property/test_session_model.py."""

from collections import deque
from typing import Any

import pytest
from emporion.errors import ProtocolError
from emporion.runtime.connection import session as session_module
from emporion.runtime.connection.session import (
    CANCELLED,
    TOO_MANY_CALLS,
    Asked,
    Chain,
    Delivery,
    Kind,
    Notice,
    Pending,
    Session,
)
from emporion.runtime.wire.messages import (
    Body,
    Call,
    Cancel,
    Code,
    Fault,
    Goodbye,
    Message,
    NeedCode,
    Op,
    Output,
    Ping,
    Pong,
    Provide,
    Release,
    Result,
)


def call(number: int, chain: int) -> Call:
    return Call(number, chain, 1, Op.CALL, "run", [], Body([]))


def result(number: int) -> Result:
    return Result(number, Body([number]))


def started(delivery: Delivery) -> Asked:
    assert isinstance(delivery, Asked)
    return delivery


def noticed(delivery: Delivery) -> Notice:
    assert isinstance(delivery, Notice)
    return delivery


def own(session: Session) -> Pending:
    return session.open_own(None, Result)


def quiet(session: Session) -> bool:
    return not (session.chains or session.pending or session.asked or session.outbox)


def refusals(session: Session) -> list[tuple[int, str]]:
    out, session.outbox = session.outbox, []
    return [(message.call, message.type_name) for message in out if isinstance(message, Fault)]


# --- asking


def test_chains_of_the_two_ends_have_odd_and_even_numbers() -> None:
    ours = [own(Session(initiator=True)).chain.id]
    session = Session(initiator=False)
    theirs = [own(session).chain.id, session.open_chain().id]

    assert (ours, theirs) == ([1], [2, 4])


def test_an_answer_wakes_its_chain_and_ends_it() -> None:
    session = Session(initiator=True)
    pending = own(session)

    assert session.receive(result(pending.id), b"blob") is pending.chain
    answer, blobs = session.take(pending)

    assert (answer.call, blobs) == (pending.id, b"blob")
    assert quiet(session)


def test_a_chain_that_is_over_is_used_again_under_a_new_number_and_one_that_is_not_is_left_alone() -> None:
    session = Session(initiator=True)
    first = own(session)
    second = session.open_own(first.chain, Result)
    assert second.chain is not first.chain
    session.receive(result(first.id))
    session.take(first)

    third = session.open_own(first.chain, Result)

    assert third.chain is first.chain
    assert (second.chain.id, third.chain.id) == (3, 5)
    assert set(session.chains) == {3, 5}


@pytest.mark.parametrize("answer", [result(7), Fault(7, "E", "", "", Body([])), Code(7, {})])
def test_an_answer_that_nobody_waits_for_ends_the_connection(answer: Message) -> None:
    session = Session(initiator=True)
    own(session)

    with pytest.raises(ProtocolError, match="call 7"):
        session.receive(answer)


def test_a_second_answer_ends_the_connection() -> None:
    session = Session(initiator=True)
    pending = own(session)
    session.receive(result(pending.id))

    with pytest.raises(ProtocolError, match="not waiting"):
        session.receive(result(pending.id))


@pytest.mark.parametrize(("wants", "answer"), [(Result, Code(1, {})), (Code, Result(1, Body([])))])
def test_an_answer_of_the_wrong_type_ends_the_connection(wants: Any, answer: Message) -> None:
    session = Session(initiator=True)
    session.open_own(None, wants)

    with pytest.raises(ProtocolError, match="was asked for"):
        session.receive(answer)


@pytest.mark.parametrize("wants", [Result, Code])
def test_a_fault_answers_anything(wants: Any) -> None:
    session = Session(initiator=True)
    pending = session.open_own(None, wants)

    assert session.receive(Fault(pending.id, "E", "", "", Body([]))) is pending.chain


def test_giving_up_tells_the_peer_and_drops_the_late_answer() -> None:
    session = Session(initiator=True)
    pending = own(session)

    session.abandon(pending)

    assert [type(message) for message in session.outbox] == [Cancel]
    assert not session.chains
    assert noticed(session.receive(result(pending.id))).kind is Kind.NOTHING
    session.outbox = []
    assert quiet(session)


def test_giving_up_what_is_answered_already_says_nothing() -> None:
    session = Session(initiator=True)
    pending = own(session)
    session.receive(result(pending.id))

    session.abandon(pending)

    assert quiet(session)


def test_giving_up_more_calls_than_any_peer_leaves_unanswered_is_its_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "MAX_ABANDONED", 5)
    session = Session(initiator=True)
    calls = [own(session) for _ in range(7)]
    for pending in calls[:5]:
        session.abandon(pending)
    with pytest.raises(ProtocolError, match="without an answer"):
        session.abandon(calls[5])


def test_a_late_answer_makes_room_for_another_call_to_be_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "MAX_ABANDONED", 1)
    session = Session(initiator=True)
    for _ in range(3):
        pending = own(session)
        session.abandon(pending)
        session.receive(result(pending.id))


def test_a_call_that_was_never_sent_leaves_nothing_behind() -> None:
    session = Session(initiator=True)

    session.unsent(own(session))

    assert quiet(session)


# --- being asked


def test_a_call_in_a_new_chain_begins_it_and_its_answer_ends_it() -> None:
    session = Session(initiator=False)

    asked = started(session.receive(call(9, 1), b"blob", 3))

    assert (asked.blobs, asked.codec, asked.chain.id) == (b"blob", 3, 1)
    assert session.chains[1] is asked.chain
    session.answered(asked)
    assert quiet(session)


def test_a_call_in_a_chain_that_works_here_goes_to_the_thread_that_waits_in_it() -> None:
    session = Session(initiator=True)
    pending = own(session)

    woken = session.receive(NeedCode(1, pending.chain.id, {}))

    assert isinstance(woken, Chain)
    assert woken is pending.chain
    assert isinstance(woken.inbox, deque)
    assert [asked.message.call for asked in woken.inbox] == [1]


def test_a_chain_lives_until_its_last_call_is_answered() -> None:
    session = Session(initiator=False)
    asked = started(session.receive(call(1, 1)))
    nested = session.open_call(asked.chain)
    session.receive(call(2, 1))
    assert isinstance(asked.chain.inbox, deque)
    inner = asked.chain.inbox.popleft()

    session.answered(inner)
    assert 1 in session.chains
    session.receive(result(nested.id))
    session.take(nested)
    assert 1 in session.chains
    session.answered(asked)

    assert quiet(session)


def test_the_same_call_twice_ends_the_connection() -> None:
    session = Session(initiator=False)
    session.receive(call(1, 1))

    with pytest.raises(ProtocolError, match="asked twice"):
        session.receive(call(1, 3))


def test_a_call_in_a_chain_of_ours_that_is_over_is_refused() -> None:
    session = Session(initiator=True)
    pending = own(session)
    session.abandon(pending)
    session.outbox = []

    assert noticed(session.receive(call(1, pending.chain.id))).kind is Kind.NOTHING

    assert refusals(session) == [(1, CANCELLED)]
    assert not session.asked


def test_calls_left_in_a_chain_that_ends_are_refused() -> None:
    session = Session(initiator=True)
    pending = own(session)
    session.receive(call(1, 1))
    session.receive(call(2, 1))

    session.abandon(pending)

    assert refusals(session) == [(1, CANCELLED), (2, CANCELLED)]
    assert not (session.asked or session.chains)


def test_large_calls_that_wait_have_a_bound_together_and_those_that_run_do_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(session_module, "MAX_WAITING_BYTES", 100)
    session = Session(initiator=False)
    first = started(session.receive(call(1, 1), size=150))  # one alone may be as long as a frame
    session.receive(call(2, 1), size=1)
    session.receive(call(3, 3), size=1)
    assert refusals(session) == [(2, TOO_MANY_CALLS), (3, TOO_MANY_CALLS)]
    session.receive(call(4, 5))  # small: it counts for nothing

    first.waiting_bytes = 0  # it has begun
    started(session.receive(call(5, 7), size=60))
    started(session.receive(call(6, 9), size=40))
    session.receive(call(7, 11), size=1)
    assert refusals(session) == [(7, TOO_MANY_CALLS)]
    session.asked[5].queued = True  # as the driver says of one that nobody has begun with
    session.receive(Cancel(5))
    started(session.receive(call(8, 13), size=60))


def test_more_chains_than_allowed_are_refused_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "MAX_CHAINS", 2)
    session = Session(initiator=False)
    first = started(session.receive(call(1, 1)))
    session.receive(call(2, 3))

    session.receive(call(3, 5))
    assert refusals(session) == [(3, TOO_MANY_CALLS)]
    session.answered(first)

    assert started(session.receive(call(4, 7))).chain.id == 7


def test_a_call_that_has_not_begun_is_refused_when_it_is_cancelled() -> None:
    session = Session(initiator=True)
    pending = own(session)
    session.receive(call(1, 1))

    assert noticed(session.receive(Cancel(1))).kind is Kind.NOTHING

    assert refusals(session) == [(1, CANCELLED)]
    assert not pending.chain.inbox


def test_cancelling_a_call_that_runs_is_told_and_the_call_is_still_answered_once() -> None:
    session = Session(initiator=False)
    asked = started(session.receive(call(1, 1)))

    notice = noticed(session.receive(Cancel(1)))

    assert (notice.kind, notice.asked, asked.cancelled) == (Kind.CANCEL, asked, True)
    session.answered(asked)
    assert quiet(session)


def test_cancelling_what_is_answered_is_nothing() -> None:
    session = Session(initiator=False)
    session.answered(started(session.receive(call(1, 1))))

    assert noticed(session.receive(Cancel(1))).kind is Kind.NOTHING
    assert quiet(session)


# --- all else


def test_a_ping_is_answered_with_its_number_and_a_pong_is_not() -> None:
    session = Session(initiator=False)

    session.receive(Ping(5))
    session.receive(Pong(6))

    assert [(type(message), message.number) for message in session.outbox if isinstance(message, Pong)] == [(Pong, 5)]


def test_news_releases_and_goodbye_are_handed_on_as_they_are() -> None:
    session = Session(initiator=False)
    output, provide = Output("a", "text"), Provide([])

    assert noticed(session.receive(Release({3: 2}))).counts == {3: 2}
    assert noticed(session.receive(output)).news is output
    assert noticed(session.receive(provide)).news is provide
    goodbye = noticed(session.receive(Goodbye("closing")))
    assert (goodbye.kind, goodbye.reason) == (Kind.CLOSE, "closing")
