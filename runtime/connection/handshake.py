"""The handshake: both ends as plain state machines; the transport feeds bytes, sends answers, and sets the deadline.

Source: docs/handshake.md.
"""

from .handshake_client import ClientHandshake
from .handshake_host import HostHandshake, denial
from .handshake_states import CLIENT_NEXT, HOST_NEXT, State

__all__ = ["CLIENT_NEXT", "HOST_NEXT", "ClientHandshake", "HostHandshake", "State", "denial"]
