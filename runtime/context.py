"""On whose behalf a thread works: the caller of the hosted method that it runs, and the visit of that call."""

import threading
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ..errors import ConfigurationError
from ..validators.connection import Connection

if TYPE_CHECKING:
    from .visits.scope import Scope

__all__ = ["MAX_NESTED", "Caller", "caller", "current_scope", "descend", "enter", "here", "of_a_call", "too_deep"]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who called: the identity that the handshake proved, and the connection that it came by."""

    identity: str | None  # label, login, or None
    address: tuple[str, int]  # (ip, port); of a Unix socket, its peer's description
    certificate: Any  # the client's certificate, or None
    connection: Connection


# Calls that are nested in one another on one thread: a host's method asks an agent, which asks a host's method, and so
# on, also across clients. Each level costs some 16 frames of the interpreter's 1,000; who runs out of these does so in
# the middle of anything, and two strangers who call each other should not decide where.
MAX_NESTED: Final = 24


class _Current(threading.local):
    nested = 0


here: Final = _Current()
# Of the context, not of the thread: `asyncio.to_thread` in a hosted coroutine works for the coroutine's call.
_SCOPE: Final[ContextVar["Scope | None"]] = ContextVar("emporion.scope", default=None)


def caller() -> Caller:
    """Who called the hosted method that runs in this thread.

    An agent's questions count as its sender's: inside a method that an agent called, this is the client that sent it.

    Raises:
        ConfigurationError: No hosted method runs in this thread.
    """
    scope = current_scope()
    if scope is None:
        raise ConfigurationError("caller() works in the thread of a hosted method, while a client's call runs in it")
    return scope.caller


def current_scope() -> "Scope | None":
    """The scope of the call that this thread serves; None also where that call is over, and the thread goes on."""
    scope = _SCOPE.get()
    return None if scope is None or scope.ended else scope


def of_a_call() -> bool:
    """Whether this thread serves a call, or a hosted method began its work: one that runs on, perhaps."""
    return _SCOPE.get() is not None


def enter(scope: "Scope | None") -> "Scope | None":
    """Let this thread work for `scope`; gives the one before, to be entered again when the work is done."""
    before = _SCOPE.get()
    _SCOPE.set(scope)
    return before


def descend(by: int = 1) -> bool:
    """One call deeper into this thread, or with -1 back up; False where that is too deep."""
    here.nested += by
    return here.nested <= MAX_NESTED


def too_deep() -> Exception:
    """What to answer in place of a call that `descend` says no to."""
    return RecursionError(f"more than {MAX_NESTED} calls between host, client and agents are nested in one another")
