"""Exceptions as the answer to a call: `Fault` messages, made and read."""

from ...errors import ProtocolError, RemoteError
from .bounds import BOUNDS, Bounds
from .decode import DecodeHooks, decode_values
from .messages import Body, Fault
from .raised import bounded, raised
from .values import EncodeHooks, encode_values

__all__ = ["decode_fault", "encode_fault"]


def encode_fault(
    call: int, error: BaseException, traceback: str, hooks: EncodeHooks, *, bounds: Bounds = BOUNDS
) -> tuple[Fault, list[bytes]]:
    """The fault that tells of `error`, and the byte strings that travel behind it. Never raises.

    An exception of a builtin type, of `emporion.errors` or of a registered class is rebuilt at the other end with its
    arguments; any other, or one whose arguments cannot travel, becomes a `RemoteError` there.

    Args:
        call: The call that it answers.
        error: What was raised.
        traceback: Its text for the other end; "" tells nothing. At most 65,536 characters travel, the last ones.
        hooks: As for `encode_values`: arguments may hold capabilities.
        bounds: What the other end takes.
    """
    told = raised(error, known_only=False)
    assert told is not None
    body = Body([])
    blobs: list[bytes] = []
    if raised(error, known_only=True) is not None:
        try:
            body, blobs = encode_values([error], hooks, label=lambda _: "exception", bounds=bounds)
        except Exception:  # also what the hooks raise: a denied module, a visit that is over
            body, blobs = Body([]), []
    text = bounded(traceback, keep_end=True)
    return Fault(call, bounded(told.type_name), told.text, text, body), blobs


def decode_fault(fault: Fault, blobs: memoryview, hooks: DecodeHooks, *, bounds: Bounds = BOUNDS) -> Exception:
    """The exception to raise for `fault`; the other end's traceback is in its notes, and so in what Python prints.

    Raises:
        ProtocolError: The fault holds something that is no exception, or what `decode_values` refuses.
    """
    traceback = bounded(fault.traceback, keep_end=True)
    if not fault.body.roots:
        return RemoteError(bounded(fault.type_name), bounded(fault.text), traceback)
    values = decode_values(fault.body, blobs, hooks, bounds=bounds)
    if len(values) != 1 or not isinstance(values[0], Exception):
        raise ProtocolError("a fault without an exception")
    error = values[0]
    if isinstance(error, RemoteError):
        error.traceback = error.traceback or traceback
    if traceback:
        error.add_note(f"Traceback of the other end:\n{traceback}")
    return error
