"""Who may connect: the steps of the handshake, and what they go by."""

from .by_certificate import certificates
from .steps import Connection, ConnectionValidator, Credentials, HostView

__all__ = ["Connection", "ConnectionValidator", "Credentials", "HostView", "certificates"]
