"""Bytes into a conversation that no honest visit has: decisions first, so that a shrinking fuzzer shrinks deeds.

All zeros decide for "leave it as it is".
"""

import struct
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import msgspec
from emporion.tests.fuzz.conversations import HOST, Conversation

__all__ = ["Choices", "altered"]

T = TypeVar("T")
MOST_DEEDS: Final = 4
MOST_BYTES: Final = 2_000_000  # of one message: half of what the host lets a visit say

NUMBERS: Final = (0, 1, -1, 2, 3, 4, 7, 8, 13, 16, 127, 255, 4711, 10**6, 2**31, 2**32, 2**53, 2**61 - 1, 2**63 - 1,
                  -(2**63), 2**64 - 1)  # fmt: skip
MEMBERS: Final = ("open_till", "_private", "_label", "broken_into", "label", "price", "take", "drawer", "call_back",
                  "break_down", "__init__", "__class__")  # fmt: skip
TEXTS: Final = ("", "look", "take", "price", "label", "open_till", "_private", "__class__", "__dict__", "go", "load",
                "depart", "fuzzed_agent", "emporion", "os", "Agent", "Note", "Agent.ask", "Agent.<locals>.x", "0" * 64,
                "\n\x1b[2J", "\u202e", "x" * 300, "x" * 70_000, "LimitExceeded", "emporion.errors.LimitExceeded",
                "emporion.errors.CodeDenied", "NoSuchAttribute", "ValueError", "UnicodeDecodeError", "MemoryError",
                "KeyboardInterrupt", "1e999999999", "nan", "sNaN", "-0", "ffff", "Europe/Paris", "../../etc/passwd",
                "é", "a.b", "a\x00b")  # fmt: skip


class Choices:
    """Decisions read off a byte string; zero when it is used up."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def below(self, bound: int) -> int:
        """A number from 0 to `bound` - 1."""
        value = 0
        for _ in range(1 if bound <= 256 else 2):
            value = value * 256 + (self._data[self._at] if self._at < len(self._data) else 0)
            self._at += 1
        return value % bound if bound else 0

    def of(self, things: Sequence[T]) -> T:
        return things[self.below(len(things))]


def altered(conversations: Sequence[Conversation], choices: Choices) -> Conversation:
    """One of the conversations, changed by up to `MOST_DEEDS` deeds; unchanged where `choices` is all zeros."""
    base = choices.of(conversations)
    steps = list(base.steps)
    for _ in range(MOST_DEEDS):
        deed = choices.of(DEEDS)
        if deed is not None:
            deed(steps, conversations, choices)
    return Conversation(base.scene, tuple(steps))


Deed = Callable[[list[bytes], Sequence[Conversation], Choices], None]


def _spoken(steps: list[bytes], choices: Choices) -> int:
    """Where a frame of the visit's stands; -1 when it says nothing any more."""
    said = [n for n, step in enumerate(steps) if step is not HOST]
    return choices.of(said) if said else -1


def _replace_value(steps: list[bytes], _: Sequence[Conversation], choices: Choices) -> None:
    """Something in a message becomes something else; most of what is interesting happens here."""
    at = _spoken(steps, choices)
    message = _opened(steps[at]) if at >= 0 else None
    if message is None:
        return
    places = list(_places(message))
    for _time in range(1 + choices.below(2)):
        holder, key = choices.of(places)
        if type(holder) is list and key < len(holder):
            _change(holder, key, choices)
        elif type(holder) is dict:
            holder[key] = _strange(choices)
    steps[at] = _closed(message, steps[at])


def _change(holder: list[Any], key: int, choices: Choices) -> None:
    match choices.below(7):
        case 0 if type(holder[key]) is str:
            holder[key] = choices.of(TEXTS)
        case 0:
            holder[key] = _strange(choices)
        case 1:
            holder.insert(key, _strange(choices))
        case 2:
            del holder[key]
        case 3:
            holder.insert(key, holder[key])
        case 4:
            holder[key] = [holder[key]]
        case 5 if type(holder[key]) is int:
            holder[key] += choices.of((1, -1, 2, 10))
        case 6:
            other = choices.below(len(holder))
            holder[key], holder[other] = holder[other], holder[key]
        case _:
            holder[key] = [choices.below(len(holder))]


def _ask_again(steps: list[bytes], _: Sequence[Conversation], choices: Choices) -> None:
    """Another question just before one that the visit asks, in the same chain: the host will answer it."""
    opened = {n: message for n, step in enumerate(steps) if (message := _opened(step)) is not None}
    calls = [n for n, message in opened.items() if message[0] == 1 and len(message) >= 8]
    if not calls:
        return
    at = choices.of(calls)
    call = opened[at]
    call[1] = 100 + choices.below(8)
    call[4] = choices.below(3)
    call[5] = choices.of(MEMBERS)
    if choices.below(2):
        call[3] = _number(choices)
    if choices.below(2):
        call[6:8] = [[], _body(choices)]
    steps[at:at] = [_closed(call, steps[at]), HOST]


def _strange(choices: Choices, deep: int = 0) -> Any:
    match choices.below(9):
        case 0:
            return choices.of(NUMBERS)
        case 1:
            return choices.of(TEXTS)
        case 2:
            return None
        case 3:
            return choices.of((True, False))
        case 4:
            return choices.of((0.0, 1e308, float("inf"), float("nan"), -0.0))
        case 5:
            return [choices.below(8)]  # a row, where items stand
        case 6 if deep < 4:
            return [_strange(choices, deep + 1) for _ in range(choices.below(5))]
        case 7 if deep < 4:
            return [choices.below(20), *(_strange(choices, deep + 1) for _ in range(choices.below(4)))]  # a row, a tag
        case 8:
            return choices.of(({}, {1: 2}, {"a": "b"}, b"bytes", []))
        case _:
            return "deep"


def _insert_message(steps: list[bytes], _: Sequence[Conversation], choices: Choices) -> None:
    """A message from nowhere, of a form that messages have."""
    shape = choices.of(SHAPES)
    steps.insert(choices.below(len(steps) + 1), _framed(msgspec.msgpack.encode(shape(choices))))


def _body(choices: Choices) -> list[Any]:
    rows = [[choices.below(13), *(_strange(choices) for _ in range(choices.below(5)))] for _ in range(choices.below(4))]
    roots = [[choices.below(4)] if choices.below(2) else _strange(choices) for _ in range(choices.below(3))]
    return [roots, rows] if choices.below(4) else [roots, rows, [{"fuzzed_agent": "0" * 64}]]


def _number(choices: Choices) -> int:
    return choices.of(NUMBERS) if choices.below(4) == 3 else choices.below(8)


SHAPES: Final[tuple[Callable[[Choices], list[Any]], ...]] = (
    lambda c: [1, _number(c), _number(c), _number(c), c.below(6), c.of(TEXTS), [], _body(c)],
    lambda c: [1, _number(c), 1, _number(c), 0, c.of(("take", "price", "drawer", "call_back")), [], _body(c)],
    lambda c: [1, _number(c), 1, _number(c), c.below(3), c.of(TEXTS), [c.of(TEXTS)], _body(c), _number(c)],
    lambda c: [2, _number(c), _body(c)],
    lambda c: [3, _number(c), c.of(TEXTS), c.of(TEXTS), c.of(TEXTS), _body(c)],
    lambda c: [4, {_number(c): _number(c)}],
    lambda c: [5, _number(c), _number(c), {c.of(TEXTS): c.of(TEXTS)}],
    lambda c: [6, _number(c), {c.of(TEXTS): c.of(TEXTS)}],
    lambda c: [7, _number(c)],
    lambda c: [8, _number(c)],
    lambda c: [9, _number(c)],
    lambda c: [10, c.of(TEXTS)],
    lambda c: [11, [[c.of(TEXTS), c.of(TEXTS), b"code"]]],
    lambda c: [12, c.of(TEXTS), c.of(TEXTS)],
    lambda c: [_strange(c) for _ in range(c.below(6))],
)


def _alter_bytes(steps: list[bytes], _: Sequence[Conversation], choices: Choices) -> None:
    """A frame's bytes, its header's included."""
    at = _spoken(steps, choices)
    if at < 0 or not steps[at]:
        return
    frame = bytearray(steps[at])
    place = choices.below(min(len(frame), 9)) if choices.below(3) == 1 else choices.below(len(frame))
    match choices.below(4):
        case 0:
            frame[place] ^= 1 << choices.below(8)
        case 1:
            frame[place] = choices.of((0, 0xFF, 0x7F, 0x80, 0xC0, 0xC1, 0xDF, 0xDD))
        case 2:
            del frame[place:]
        case 3:
            frame[place:place] = bytes(1 + choices.below(9))
    steps[at] = bytes(frame) or b"\0"


def _lie_about_length(steps: list[bytes], _: Sequence[Conversation], choices: Choices) -> None:
    at = _spoken(steps, choices)
    if at >= 0 and len(steps[at]) >= 9:
        length, size = choices.of(NUMBERS) % 2**32, choices.of(NUMBERS) % 2**32
        steps[at] = struct.pack(">IBI", length, choices.of((1, 2, 0, 255)), size) + steps[at][9:]


def _drop(steps: list[bytes], _: Sequence[Conversation], choices: Choices) -> None:
    del steps[choices.below(len(steps)) :][: 1 + choices.below(2)]


def _cut_off(steps: list[bytes], _: Sequence[Conversation], choices: Choices) -> None:
    del steps[choices.below(len(steps) + 1) :]


def _repeat(steps: list[bytes], _: Sequence[Conversation], choices: Choices) -> None:
    at = _spoken(steps, choices)
    if at >= 0:
        steps[at:at] = [steps[at]] * choices.of((1, 2, 70, 300))


def _swap(steps: list[bytes], _: Sequence[Conversation], choices: Choices) -> None:
    if steps:
        one, other = choices.below(len(steps)), choices.below(len(steps))
        steps[one], steps[other] = steps[other], steps[one]


def _borrow(steps: list[bytes], conversations: Sequence[Conversation], choices: Choices) -> None:
    """What was said in another visit."""
    other = choices.of(conversations)
    steps.insert(choices.below(len(steps) + 1), other.steps[choices.of(other.said)])


def _grow(steps: list[bytes], _: Sequence[Conversation], choices: Choices) -> None:
    """Much of the same in one message: deep, wide, or long."""
    at = _spoken(steps, choices)
    message = _opened(steps[at]) if at >= 0 else None
    if message is None:
        return
    lists = [(holder, key) for holder, key in _places(message) if type(holder) is list and key < len(holder)]
    holder, key = choices.of(lists)
    times = choices.of((10, 1_000, 20_000))
    holder[key:key] = [holder[key]] * min(times, MOST_BYTES // len(steps[at]))
    steps[at] = _closed(message, steps[at])


# The first is chosen by zeros; the one that finds most stands there most often.
DEEDS: Final[tuple[Deed | None, ...]] = (
    None, _replace_value, _replace_value, _replace_value, _replace_value, _ask_again, _ask_again, _ask_again,
    _insert_message, _insert_message, _alter_bytes, _borrow, _drop, _repeat, _swap, _cut_off, _lie_about_length, _grow,
)  # fmt: skip


def _framed(body: bytes, blobs: bytes = b"") -> bytes:
    return struct.pack(">IBI", 5 + len(body) + len(blobs), 1, len(body)) + body + blobs


def _opened(frame: bytes) -> list[Any] | None:
    """A frame's message as plain lists; None for what is none any more."""
    try:
        message = msgspec.msgpack.decode(frame[9 : 9 + int.from_bytes(frame[5:9])])
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return message if type(message) is list and message else None


def _closed(message: list[Any], frame: bytes) -> bytes:
    try:
        return _framed(msgspec.msgpack.encode(message), frame[9 + int.from_bytes(frame[5:9]) :])
    except (OverflowError, TypeError, ValueError, RecursionError):
        return frame


def _places(message: list[Any]) -> Any:
    """Every (container, key) in a message, outermost first."""
    found: list[tuple[Any, Any]] = []
    left: list[Any] = [message]
    while left:
        holder = left.pop(0)
        for key in list(holder) if type(holder) is dict else range(len(holder)):
            found.append((holder, key))
            if type(holder[key]) in (list, dict) and holder[key]:
                left.append(holder[key])
    return found
