"""On whose behalf a thread works: the caller of the hosted method that it runs, and the visit of that call."""

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import ConfigurationError
from ..validators.connection import Connection

if TYPE_CHECKING:
    from .visits.visit import Scope

__all__ = ["Caller", "caller", "current_scope", "enter"]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who called: the identity that the handshake proved, and the connection that it came by."""

    identity: str | None  # label, login, or None
    address: tuple[str, int]  # (ip, port); of a Unix socket, its peer's description
    certificate: Any  # the client's certificate, or None
    connection: Connection


_current = threading.local()


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
    """The scope of the call that this thread serves."""
    return getattr(_current, "scope", None)


def enter(scope: "Scope | None") -> "Scope | None":
    """Let this thread work for `scope`; gives the one before, to be entered again when the work is done."""
    before = current_scope()
    _current.scope = scope
    return before
