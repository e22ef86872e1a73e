"""What a driver asks of the object layer above it, and what that layer can ask of a request under way."""

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from ...errors import EmporionError
from ..events import one_line
from ..wire.kinds import Row
from ..wire.messages import Body, Fault, Message, Output, Provide
from ..wire.raised import text_of
from .session import Asked

__all__ = ["Recall", "Server", "fault", "logged"]

log = logging.getLogger("emporion.driver")


class Server(Protocol):
    """What serves the peer's calls: the object layer above the driver. Nothing but `serve` may wait."""

    def serve(self, asked: Asked) -> tuple[Message, Sequence[bytes]]:
        """Run the call and give its answer with blobs; never raises an `Exception`."""
        ...

    def cancelled(self, asked: Asked) -> None:
        """The peer no longer wants `asked`, which is running: tell whoever can stop early."""
        ...

    def arriving(self, rows: Sequence[Row]) -> None:
        """A message with rows came; called in the order of arrival, before whoever decodes it has it."""
        ...

    def answered(self, asked: Asked) -> None:
        """The answer to `asked` is out, or the connection is over: what the call held can go."""
        ...

    def released(self, counts: dict[int, int]) -> None:
        """The peer dropped capabilities: how often each exported object had reached it."""
        ...

    def news(self, message: Provide | Output) -> None:
        """Something that has no answer; `ProtocolError` where this end takes no such thing."""
        ...

    def closed(self, error: EmporionError) -> None:
        """The connection is over; called once."""
        ...


class Recall:
    """How another thread calls off a request. Its answer is waited for all the same, and comes the sooner."""

    __slots__ = ("_call_off", "off")

    def __init__(self) -> None:
        self.off = False
        self._call_off: Callable[[], None] | None = None

    def begun(self, call_off: Callable[[], None]) -> None:
        """The request has its number; `call_off` tells the peer that nobody wants its answer, and waits for nothing."""
        self._call_off = call_off

    def call_off(self) -> None:
        """Tell the peer so, now or as soon as the request is out. Idempotent; from any thread."""
        self.off = True
        if self._call_off is not None:
            self._call_off()


def fault(asked: Asked, type_name: str, text: str) -> Fault:
    """The driver's own answer to a call that `Server.serve` gives none to."""
    return Fault(asked.message.call, type_name, text, "", Body([]))


def logged(job: Callable[[], object]) -> None:
    """Run what nobody waits for; what it raises goes to the log."""
    try:
        job()
    except Exception as error:  # its text may be a peer's
        told = one_line(f"{type(error).__name__}: {text_of(error)}", 500)
        log.error("a one-way call failed, whose caller has gone on long ago: %s", told)
