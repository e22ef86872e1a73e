"""The one family of errors that users catch. Stands at the bottom of the house: imports nothing of ours."""

from enum import Enum
from typing import Final

__all__ = [
    "AgentError",
    "CallTimeout",
    "CodeDenied",
    "ConfigurationError",
    "ConnectionDenied",
    "ConnectionLost",
    "DenyReason",
    "EmporionError",
    "LimitExceeded",
    "NamingError",
    "NotExposed",
    "ProtocolError",
    "RemoteError",
    "SandboxUnavailable",
    "ValueNotPortable",
    "VisitEnded",
]


class DenyReason(Enum):
    """Why a connection was denied: the four codes that a denied peer may learn (the seed's DENIED_* constants)."""

    UNSPECIFIED = 0
    SERVER_TOO_BUSY = 1
    HOST_BLOCKED = 2
    SECURITY = 3


class EmporionError(Exception):
    """Base of every error this package raises on purpose."""


class ConfigurationError(EmporionError):
    """The call or the option cannot be right: mend the program or its settings."""


class ConnectionDenied(EmporionError):
    """The other end does not want this connection, or could not prove who it is.

    `reason` is all that a denied client learns; the host's log says more.
    """

    def __init__(self, reason: DenyReason = DenyReason.UNSPECIFIED, text: str = "") -> None:
        self.reason = reason
        self.text = text or _DENIED[reason]
        super().__init__(self.text)


_DENIED: Final = {
    DenyReason.UNSPECIFIED: "the host denied the connection",
    DenyReason.SERVER_TOO_BUSY: "the host is too busy: try again later",
    DenyReason.HOST_BLOCKED: "the host does not take connections from this address",
    DenyReason.SECURITY: "the host denied the connection for security: check passphrase and login, or certificate",
}


class ConnectionLost(EmporionError):
    """The connection ended while something was still expected from it: connect again."""


class ProtocolError(EmporionError):
    """The peer broke the wire rules: the connection is closed."""


class CallTimeout(EmporionError, TimeoutError):
    """No answer within the time that the caller gave; the call was cancelled."""


class CodeDenied(EmporionError):
    """A code validator, or the lack of one, kept a module from crossing.

    `direction` is "upload" (client to host) or "download" (host to client).
    """

    def __init__(self, module: str, direction: str, reason: str) -> None:
        self.module = module
        self.direction = direction
        self.reason = reason
        super().__init__(f"{direction} of module {module!r} denied: {reason}")


class ValueNotPortable(EmporionError, TypeError):
    """A value cannot travel; `path` says which, e.g. ``args[0].basket[3]``."""

    def __init__(self, path: str, why: str) -> None:
        self.path = path
        self.why = why
        super().__init__(f"{path}: {why}")


class NotExposed(EmporionError, AttributeError):
    """There is no such member for callers; exposed or not, private or missing: the answer is the same."""


class LimitExceeded(EmporionError):
    """A visit was ended by one of its `Limits`.

    `limit` is the field's name ("cpu_s"), `used` and `allowed` are in that field's unit.
    """

    def __init__(self, limit: str, used: float, allowed: float) -> None:
        self.limit = limit
        self.used = used
        self.allowed = allowed
        super().__init__(f"limit {limit} exceeded: used {used:g} of {allowed:g}")


class AgentError(EmporionError):
    """The agent's own code raised; `traceback` is its text, made in the sandbox."""

    def __init__(self, message: str, traceback: str = "") -> None:
        self.traceback = traceback
        super().__init__(message)


class RemoteError(EmporionError):
    """The other end raised an exception of a type that may not be rebuilt here."""

    def __init__(self, type_name: str, message: str, traceback: str = "") -> None:
        self.type_name = type_name
        self.traceback = traceback
        super().__init__(f"{type_name}: {message}" if message else type_name)


class VisitEnded(EmporionError):
    """The visit that this handle or capability belonged to is over."""


class SandboxUnavailable(EmporionError):
    """This machine cannot build the walls that foreign code needs; the text says what is missing."""


class NamingError(EmporionError, LookupError):
    """No object, or no name server, under that name."""
