"""What the two ends of the handshake share: their states, what may come when, and what each says of its channel.

Source: docs/handshake.md.
"""

from enum import Enum, auto
from typing import Any, Final

from ...errors import ProtocolError
from ...validators.connection.scram import BOUND, UNBOUND
from .handshake_messages import Challenge, Denied, Hello, Message, Token, Welcome

__all__ = ["CLIENT_NEXT", "HOST_NEXT", "State", "flag", "never_awaited", "step_to"]


class State(Enum):
    """Where an end stands."""

    SILENT = auto()  # client: nothing sent yet
    GREETING = auto()  # host: waits for HELLO; client: has sent it, waits for CHALLENGE
    PROVING = auto()  # host: waits for TOKEN; client: has sent it, waits for WELCOME
    OPEN = auto()  # accepted: the session may begin
    CLOSED = auto()  # denied, or the rules were broken: nothing more is read


# What may come when; everything else is a ProtocolError. Where the step that follows denies, CLOSED comes instead.
HOST_NEXT: Final[dict[tuple[State, type[Message]], State]] = {
    (State.GREETING, Hello): State.PROVING,
    (State.PROVING, Token): State.OPEN,
}
CLIENT_NEXT: Final[dict[tuple[State, type[Message]], State]] = {
    (State.GREETING, Challenge): State.PROVING,
    (State.GREETING, Denied): State.CLOSED,
    (State.PROVING, Welcome): State.OPEN,
    (State.PROVING, Denied): State.CLOSED,
}


def step_to(table: dict[tuple[State, type[Message]], State], state: State, message: Message) -> State:
    """The state after `message`, as `table` has it.

    Raises:
        ProtocolError: It has no place in `state`.
    """
    try:
        return table[state, type(message)]
    except KeyError:
        raise ProtocolError(f"{type(message).__name__} while {state.name}") from None


def flag(binding: bytes | None) -> bytes:
    """The GS2 flag of an end that sees this channel binding."""
    return UNBOUND if binding is None else BOUND


def never_awaited(answer: Any) -> None:
    """A step that is `async` by mistake: close its coroutine, or Python warns that nobody awaited it."""
    if hasattr(answer, "close") and hasattr(answer, "send"):
        answer.close()
