"""Whatever a visit says on its socket, its host goes on as before, and the hosted method hears what is documented.

`EMPORION_FUZZ_SECONDS` sets for how long (30); ``make fuzz SECONDS=3600`` runs this for an hour.
"""

import os
import random
import time
from collections.abc import Iterator

import pytest
from emporion.errors import AgentError, VisitEnded
from emporion.runtime.wire.frames import write_frame
from emporion.runtime.wire.messages import Body, Result
from emporion.runtime.wire.msgpack import MsgpackCodec
from emporion.tests.fuzz.conversations import FOLDER, HOST, SCENES, Conversation, kept
from emporion.tests.fuzz.mutations import Choices, altered
from emporion.tests.fuzz.ordeal import Ordeal, ordeal
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

SECONDS = float(os.environ.get("EMPORION_FUZZ_SECONDS", "30"))
CONVERSATIONS = kept()
ROUND = 250  # examples, after each of which the host must have nothing left of them


@pytest.fixture(scope="module")
def under() -> Iterator[Ordeal]:
    with ordeal() as under:
        yield under


@pytest.mark.parametrize("conversation", CONVERSATIONS, ids=lambda one: one.scene)
def test_a_recorded_conversation_is_still_one_that_a_visit_has(under: Ordeal, conversation: Conversation) -> None:
    """If not, the protocol has changed: record them anew, as conversations.py says."""
    answer = under.play(conversation)
    if conversation.scene == "fail":
        assert isinstance(answer, AgentError) and "sold out" in str(answer)
    else:
        assert not isinstance(answer, BaseException), answer


def test_there_is_a_conversation_for_every_scene() -> None:
    assert {path.stem for path in FOLDER.glob("*.txt")} == set(SCENES)


def test_deciding_nothing_leaves_a_conversation_as_it_is() -> None:
    assert altered(kept(), Choices(b"")) == altered(kept(), Choices(bytes(100))) == kept()[0]


@settings(max_examples=1500, deadline=None)
@given(st.binary(max_size=96))
def test_whatever_is_decided_a_conversation_comes_of_it_and_the_same_each_time(data: bytes) -> None:
    conversation = altered(CONVERSATIONS, Choices(data))
    assert conversation == altered(CONVERSATIONS, Choices(data))
    assert conversation.scene in SCENES
    assert all(type(step) is bytes and len(step) < 10_000_000 for step in conversation.steps)


NONSENSE = {"zeros": bytes(64), "nothing": b"", "an empty frame": b"\0\0\0\5\1\0\0\0\0", "ones": b"\xff" * 9}


@pytest.mark.parametrize("data", NONSENSE.values(), ids=NONSENSE)
def test_a_visit_that_says_nonsense_at_once_is_over(under: Ordeal, data: bytes) -> None:
    assert isinstance(under.play(Conversation("ask", (data,))), VisitEnded)


# What this fuzzer has found: answers to the host's first call, `load`, that reached the hosted method as a
# `ProtocolError`, with the visit going on.
FOUR = [0, [1], [2], [3], [4]]  # both agents, and the note that each of them has
FOUND = {
    "more values than one": Body([1, 2]),
    "a number below one": Body([[0]], [FOUR, [0, -1, [5]], *([0, n, [5]] for n in (2, 3, 4)), [0, "ask"]]),
    "methods that are no names": Body([[0]], [FOUR, *([0, n, [5]] for n in (1, 2, 3, 4)), [0, 4711]]),
}


@pytest.mark.parametrize("body", FOUND.values(), ids=FOUND)
def test_what_was_found_stays_mended(under: Ordeal, body: Body) -> None:
    (frame,) = write_frame(1, MsgpackCodec().encode(Result(1, body)))
    answer = under.play(Conversation("ask", (HOST, HOST, frame)))
    assert isinstance(answer, VisitEnded) and "broke the rules" in str(answer)


def test_a_host_withstands_whatever_a_visit_says(under: Ordeal) -> None:
    under.settle()
    until_s, first = time.monotonic() + SECONDS, random.randrange(2**32)
    print(f"first seed: {first}")
    number, before = first, under.examples
    with under.neighbours():
        while time.monotonic() < until_s:
            _round(under, number, until_s)
            under.settle()
            number += 1
    print(f"{under.examples - before} conversations: {dict(sorted(under.endings.items()))}")
    assert {"broke the rules", "went well", "AgentError"} <= set(under.endings), "the fuzzer reaches too little"


def _round(under: Ordeal, number: int, until_s: float) -> None:
    """`ROUND` examples, shrunk where one fails. The same number gives the same examples."""

    @seed(number)
    @settings(max_examples=ROUND, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.binary(max_size=64))
    def each(data: bytes) -> None:
        if time.monotonic() < until_s + 30:  # shrinking may take its time, but not for ever
            under.one(data)

    each()
