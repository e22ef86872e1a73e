"""Exceptions that a peer made up: whoever prints one, as every host does that logs, must come to no harm."""

import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import emporion
import pytest
from emporion.errors import RemoteError
from emporion.runtime.wire.decode import decode_values
from emporion.runtime.wire.faults import decode_fault, encode_fault
from emporion.runtime.wire.kinds import Kind, Row
from emporion.runtime.wire.messages import Body, Fault
from emporion.runtime.wire.raised import is_bearable, raised
from emporion.runtime.wire.values import encode_values

FAR = 2**40


class Nothing:
    """Hooks of an end that takes and gives values only."""

    def capability(self, _: object) -> Any:
        return None

    def mobile(self, *_: object) -> Any:
        return None

    named = fill = mobile


def read(rows: list[Row]) -> Any:
    (value,) = decode_values(Body([[0]], rows), memoryview(b"\xff"), Nothing())
    return value


def exception(name: str, *args: Any, more: list[Row] | None = None) -> list[Row]:
    return [[Kind.EXCEPTION, name, "its text", [1], []], [Kind.TUPLE, *args], *(more or [])]


@pytest.mark.parametrize(
    "rows",
    [
        exception("UnicodeDecodeError", "utf8", [16, 0, 1], -FAR, -FAR + 1, "reads memory far before the bytes"),
        exception("UnicodeEncodeError", "utf8", "x", -FAR, -FAR + 1, "why"),
        exception("UnicodeTranslateError", "x", -5, -4, "why"),
        exception("SyntaxError", "a caret for each column", [2], more=[[Kind.TUPLE, "f", 1, 1, "x", 1, FAR]]),
        exception("SyntaxError", "as many blanks", [2], more=[[Kind.TUPLE, "f", FAR, FAR, "x"]]),
    ],
)
def test_a_builtin_exception_whose_fields_lie_becomes_a_remote_error(rows: list[Row]) -> None:
    made = read(rows)
    assert type(made) is RemoteError
    assert made.type_name == rows[0][1] and "its text" in str(made)


def test_printing_what_a_peer_says_is_a_decoding_error_does_not_end_the_process() -> None:
    """In a process of its own, for it was a segmentation fault."""
    program = (
        "from emporion.runtime.wire.raised import Raised, rebuild\n"
        f"print(rebuild(Raised('UnicodeDecodeError', '', ('utf8', b'x', -{FAR}, 1 - {FAR}, ''), {{}})))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "UnicodeDecodeError" in done.stdout


def test_honest_builtin_exceptions_are_rebuilt() -> None:
    wrong = b"a\xff"
    errors: list[Exception] = [SyntaxError("no", ("f", 1, 2, "x y", 1, 3)), SyntaxError(), UnicodeError("no")]
    errors += [OSError(2, "no", "f"), StopIteration([1]), ExceptionGroup("two", [ValueError(1), KeyError("k")])]
    for codec in ("utf-8", "ascii"):
        with pytest.raises(UnicodeDecodeError) as caught:
            wrong.decode(codec)
        errors.append(caught.value)
    for error in errors:
        fault, blobs = encode_fault(1, error, "", lambda values, label: encode_values(values, Nothing(), label=label))
        again = decode_fault(fault, memoryview(b"".join(blobs)), lambda b, m: decode_values(b, m, Nothing()))
        assert (type(again), str(again)) == (type(error), str(error))


def doubling(levels: int) -> list[Row]:
    """Lists of which each stands twice in the one before it."""
    return [*([Kind.LIST, [number + 3], [number + 3]] for number in range(levels)), [Kind.LIST]]


def test_a_fault_whose_text_would_have_2_to_the_40_parts_is_a_remote_error() -> None:
    body = Body([[0]], exception("ValueError", [2], more=doubling(40)))
    fault = Fault(1, "ValueError", "its text", "", body)
    error = decode_fault(fault, memoryview(b""), lambda b, m: decode_values(b, m, Nothing()))
    assert type(error) is RemoteError and "its text" in str(error)


def test_an_exception_that_came_as_a_value_goes_on_without_its_text_where_that_is_too_long() -> None:
    made = read(exception("ValueError", [2], more=doubling(40)))
    assert type(made) is ValueError
    told = raised(made, known_only=False)
    assert told is not None and told.text == "(its text is too long)"


def _doubled(nest: Any) -> Any:
    value: Any = ()
    for _ in range(40):
        value = nest(value)
    return value


@emporion.portable(name="harmless.Pair")
@dataclass
class Pair:
    left: Any
    right: Any


def test_what_is_too_long_to_print_is_found_behind_members_causes_notes_and_keys() -> None:
    tall = _doubled(lambda value: (value, value))
    caused = ValueError("short")
    caused.__cause__ = ValueError(tall)
    noted = ValueError("short")
    noted.__notes__ = ["x" * 1_000_000] * 100
    group: ExceptionGroup[Any] = ExceptionGroup("outer", [ValueError(0)])
    for _ in range(40):
        group = ExceptionGroup("more", [group, group])
    pairs = _doubled(lambda value: Pair(value, value))
    long = KeyError(["x" * 2**20] * 100)
    for error in (ValueError(tall), ValueError({"k": tall}), ValueError(pairs), caused, noted, group, long):
        assert not is_bearable(error)
    circle = ValueError("again")
    other = ValueError("and again")
    circle.__context__, other.__context__ = other, circle
    for error in (circle, ValueError(list(range(90_000))), ValueError({"k": [1, ("a", b"b")]}), ValueError()):
        assert is_bearable(error)
