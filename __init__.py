"""Emporion: a trading post for Python code. Agents of strangers run sandboxed next to your objects and come home.

The names here are loaded when they are first used: sandbox processes import this package too, and pay for its size.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from .errors import (
    AgentError,
    CallTimeout,
    CodeDenied,
    ConfigurationError,
    ConnectionDenied,
    ConnectionLost,
    DenyReason,
    EmporionError,
    LimitExceeded,
    NamingError,
    NotExposed,
    ProtocolError,
    RemoteError,
    SandboxUnavailable,
    ValueNotPortable,
    VisitEnded,
)

if TYPE_CHECKING:
    from .runtime.client import connect
    from .runtime.connection.tls import TLS
    from .runtime.connection.uri import URI
    from .runtime.context import Caller, caller
    from .runtime.detaching import Ticket, dispatch, oneway
    from .runtime.exposure import expose
    from .runtime.host import Host
    from .runtime.options import Isolation, Limits
    from .runtime.parcel import Parcel
    from .runtime.wire.portable import portable
    from .validators.code import CodeValidator
    from .validators.connection import Connection, ConnectionValidator
    from .validators.connection.verifier_file import VerifierFile
    from .validators.connection.verifiers import Verifiers
    from .validators.verdict import ACCEPT, Verdict, deny

__all__ = [
    # serving
    "Host",
    "expose",
    "portable",
    "caller",
    # calling
    "connect",
    "oneway",
    "dispatch",
    # deciding
    "ACCEPT",
    "CodeValidator",
    "ConnectionValidator",
    "DenyReason",
    "Verdict",
    "deny",
    # options and values
    "Caller",
    "Connection",
    "Isolation",
    "Limits",
    "Parcel",
    "TLS",
    "Ticket",
    "URI",
    "VerifierFile",
    "Verifiers",
    # errors
    "AgentError",
    "CallTimeout",
    "CodeDenied",
    "ConfigurationError",
    "ConnectionDenied",
    "ConnectionLost",
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

_HOMES: Final = {
    "ACCEPT": "validators.verdict",
    "Caller": "runtime.context",
    "CodeValidator": "validators.code",
    "Connection": "validators.connection",
    "ConnectionValidator": "validators.connection",
    "Host": "runtime.host",
    "Isolation": "runtime.options",
    "Limits": "runtime.options",
    "Parcel": "runtime.parcel",
    "TLS": "runtime.connection.tls",
    "Ticket": "runtime.detaching",
    "URI": "runtime.connection.uri",
    "Verdict": "validators.verdict",
    "VerifierFile": "validators.connection.verifier_file",
    "Verifiers": "validators.connection.verifiers",
    "caller": "runtime.context",
    "connect": "runtime.client",
    "deny": "validators.verdict",
    "dispatch": "runtime.detaching",
    "expose": "runtime.exposure",
    "oneway": "runtime.detaching",
    "portable": "runtime.wire.portable",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'emporion' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f".{home}", __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
