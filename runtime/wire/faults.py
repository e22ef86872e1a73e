"""Exceptions as the answer to a call: `Fault` messages, made and read."""

from collections.abc import Callable, Sequence
from typing import Any

from ...errors import CodeDenied, ProtocolError, RemoteError
from .kinds import Kind
from .messages import Body, Fault
from .raised import bounded, is_bearable, raised

__all__ = ["decode_fault", "encode_fault"]

Label = Callable[[int], str]
Encode = Callable[[Sequence[object], Label], tuple[Body, list[bytes]]]


def encode_fault(call: int, error: BaseException, traceback: str, encode: Encode) -> tuple[Fault, list[bytes]]:
    """The fault that tells of `error`, and the byte strings that travel behind it. Never raises.

    An exception of a builtin type, of `emporion.errors`, of a registered class or of a class of mobile code is rebuilt
    at the other end; any other, or one whose arguments cannot travel, becomes a `RemoteError` there.

    Args:
        call: The call that it answers.
        error: What was raised.
        traceback: Its text for the other end; "" tells nothing. At most 65,536 characters travel, the last ones.
        encode: Writes the exception as any value is written: arguments may hold capabilities, the class may be mobile
            code.
    """
    told = raised(error, known_only=False)
    assert told is not None
    try:
        body, blobs = encode([error], lambda _: "exception")
    except Exception:  # also what the hooks raise: a denied module, a visit that is over
        body, blobs = Body([]), []
    text = bounded(traceback, keep_end=True)
    return Fault(call, bounded(told.type_name), told.text, text, body), blobs


def decode_fault(fault: Fault, blobs: memoryview, decode: Callable[[Body, Any], list[Any]]) -> Exception:
    """The exception to raise for `fault`; the other end's traceback is in its notes, and so in what Python prints.

    Args:
        decode: Reads the exception as any value of the peer's is read. Where its class may not come in, the fault is a
            `RemoteError`: what went wrong is told all the same.

    Raises:
        ProtocolError: The fault holds what is no value, or several.
    """
    traceback = bounded(fault.traceback, keep_end=True)
    remote = RemoteError(bounded(fault.type_name), bounded(fault.text), traceback)
    if not fault.body.roots:
        return remote
    elsewhere = fault.body.rows[0][:1] in ([Kind.MOBILE], [Kind.CAPABILITY]) if fault.body.rows else False
    try:
        values = decode(fault.body, blobs)
    except CodeDenied as denied:
        remote.add_note(f"its class did not come along: {denied}")
        return remote
    if len(values) != 1 or not (elsewhere or isinstance(values[0], Exception)):
        raise ProtocolError("a fault without an exception")
    error: Exception = values[0] if isinstance(values[0], Exception) else remote  # it stayed where it was raised
    try:
        if not is_bearable(error):
            error = remote
        if isinstance(error, RemoteError):
            error.traceback = error.traceback or traceback
        if traceback:
            error.add_note(f"Traceback of the other end:\n{traceback}")
    except Exception:  # of a class of mobile code, whose state a peer made up: notes that are none, say
        return remote
    return error
