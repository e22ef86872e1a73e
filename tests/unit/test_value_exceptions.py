"""Exceptions into rows and back: builtin ones, our own, others' as remote errors, and faults."""

import builtins
from typing import Any

import pytest
from emporion import errors
from emporion.errors import DenyReason, ProtocolError, RemoteError
from emporion.runtime.wire.decode import decode_values
from emporion.runtime.wire.faults import decode_fault, encode_fault
from emporion.runtime.wire.kinds import Kind
from emporion.runtime.wire.messages import Body, Fault
from emporion.runtime.wire.values import encode_values
from emporion.tests.rows import CODEC, In, Out, Spoon, decode, trip

BUILTIN = sorted(
    (cls for cls in vars(builtins).values() if isinstance(cls, type) and issubclass(cls, Exception)
     and not cls.__name__.startswith("_")),
    key=lambda cls: cls.__name__,
)
NEEDS = {
    "UnicodeDecodeError": ("utf-8", b"\xff", 0, 1, "bad"),
    "UnicodeEncodeError": ("utf-8", "\ud800", 0, 1, "bad"),
    "UnicodeTranslateError": ("x", 0, 1, "bad"),
    **dict.fromkeys(("SyntaxError", "IndentationError", "TabError"), ("bad", ("shop.py", 3, 1, "x ="))),
    "ExceptionGroup": ("many", [ValueError("a"), KeyError("b")]),
}


@pytest.mark.parametrize("cls", BUILTIN, ids=lambda cls: str(cls.__name__))
def test_every_builtin_exception_survives(cls: type[Exception]) -> None:
    error = cls(*NEEDS.get(cls.__name__, ("it", 2)))
    (back,) = trip(error)
    assert type(back) is type(error)
    assert str(back) == str(error)
    if cls.__name__ != "ExceptionGroup":
        assert back.args == error.args


def test_an_os_error_keeps_its_file_names() -> None:
    (back,) = trip(OSError(2, "gone", "here", None, "there"))
    assert (type(back), back.filename, back.filename2, back.errno) == (FileNotFoundError, "here", "there", 2)


@pytest.mark.parametrize(
    "error",
    [
        errors.ConnectionDenied(DenyReason.HOST_BLOCKED),
        errors.CodeDenied("agent.shopping", "upload", "because"),
        errors.ValueNotPortable("args[0]", "why"),
        errors.LimitExceeded("cpu_s", 5.5, 5),
        errors.AgentError("message", "its traceback"),
        errors.RemoteError("Odd", "message", "its traceback"),
        errors.CallTimeout("late"),
        errors.NotExposed("no member"),
        errors.VisitEnded("over"),
        errors.NamingError("nobody"),
        errors.ConfigurationError("mend it"),
        errors.SandboxUnavailable("no seccomp"),
        errors.ConnectionLost("gone"),
        errors.ProtocolError("bytes"),
        errors.EmporionError("base"),
    ],
    ids=lambda error: str(type(error).__name__),
)
def test_our_own_errors_survive_with_their_attributes(error: Exception) -> None:
    (back,) = trip(error)
    assert type(back) is type(error)
    assert str(back) == str(error)
    assert vars(back) == vars(error)


def test_all_our_errors_are_in_the_table_above() -> None:
    (mark,) = test_our_own_errors_survive_with_their_attributes.pytestmark  # type: ignore[attr-defined]
    tried = {type(error) for error in mark.args[1]}
    assert tried == {cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, Exception)}


def test_an_exception_of_another_type_is_told_as_a_remote_error() -> None:
    (back,) = trip(Odd("message"))
    assert type(back) is RemoteError
    assert back.type_name.endswith("Odd")
    assert "message" in str(back)


@pytest.mark.parametrize("name", ["SystemExit", "KeyboardInterrupt", "GeneratorExit", "BaseException", "os.error"])
def test_a_peer_cannot_make_us_raise_what_is_not_in_the_table(name: str) -> None:
    (back,) = decode([[0]], [Kind.EXCEPTION, name, "text", [1], []], [Kind.TUPLE])
    assert type(back) is RemoteError
    assert back.type_name == name


@pytest.mark.parametrize(
    ("name", "names", "values"),
    [
        ("emporion.errors.LimitExceeded", ["limit", "used"], ["cpu_s", 1]),
        ("emporion.errors.LimitExceeded", ["limit", "used", "allowed"], [1, 1, 1]),
        ("emporion.errors.LimitExceeded", ["limit", "used", "allowed", "__class__"], ["cpu_s", 1, 1, 1]),
        ("emporion.errors.ConnectionDenied", ["reason", "text"], [3, "text"]),
        ("ValueError", ["__dict__"], [1]),
        ("UnicodeDecodeError", [], []),
    ],
)
def test_exceptions_that_cannot_be_rebuilt_become_remote_errors(name: str, names: list[str], values: list[Any]) -> None:
    (back,) = decode([[0]], [Kind.EXCEPTION, name, "text", [1], names, *values], [Kind.TUPLE])
    assert type(back) is RemoteError


def fault_trip(error: BaseException, traceback: str = "") -> Exception:
    fault, blobs = encode_fault(5, error, traceback, lambda values, label: encode_values(values, Out(), label=label))
    message = CODEC.decode(CODEC.encode(fault))
    assert isinstance(message, Fault)
    assert message.call == 5
    return decode_fault(message, memoryview(b"".join(blobs)), lambda body, blobs: decode_values(body, blobs, In()))


def test_a_fault_is_the_exception_with_the_other_ends_traceback_in_its_notes() -> None:
    back = fault_trip(KeyError("tv", [1]), "Traceback: line 3")
    assert type(back) is KeyError
    assert back.args == ("tv", [1])
    assert "line 3" in back.__notes__[0]


class Odd(Exception):
    """An exception class that only one end knows."""


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), ValueError(Spoon()), Odd("x")])
def test_a_fault_that_cannot_be_rebuilt_is_a_remote_error_with_its_traceback(error: BaseException) -> None:
    back = fault_trip(error, "Traceback: line 3")
    assert type(back) is RemoteError
    assert back.type_name == type(error).__qualname__
    assert back.traceback == "Traceback: line 3"


def test_the_texts_of_a_fault_are_bounded_and_writable() -> None:
    back = fault_trip(Odd("\ud800" * 100_000), "x" * 100_000 + "the end")
    assert isinstance(back, RemoteError)
    assert len(str(back)) < 6 * 65_536 + 100
    assert len(back.traceback) == 65_536
    assert back.traceback.endswith("the end")


def test_an_exception_whose_text_cannot_be_had_is_told_all_the_same() -> None:
    class Rude(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert "cannot be had" in str(fault_trip(Rude()))


@pytest.mark.parametrize("roots", [[1], [[0]], [1, 2]])
def test_a_fault_without_an_exception_is_refused(roots: list[Any]) -> None:
    with pytest.raises(ProtocolError):
        fault = Fault(1, "X", "", "", Body(roots, [[Kind.LIST]]))
        decode_fault(fault, memoryview(b""), lambda body, blobs: decode_values(body, blobs, In()))
