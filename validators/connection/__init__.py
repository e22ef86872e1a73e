"""Who may connect: the steps of the handshake, what they go by, and ready-made validators that can be combined.

Each of these is a whole `ConnectionValidator`. Gates (`allowed_networks`, `blocked_networks`, `by_host`,
`max_connections`, `rate`) add a condition to the default proof, the host's passphrases; `certificates` and `logins`
prove in its place; `lock_out`, `all_of` and `any_of` go around others.
"""

from .by_address import allowed_networks, blocked_networks, by_host
from .by_certificate import certificates
from .combining import all_of, any_of
from .limits import max_connections, rate
from .lock_out import lock_out
from .logins import logins
from .steps import Connection, ConnectionValidator, Credentials, HostView

__all__ = [
    "Connection",
    "ConnectionValidator",
    "Credentials",
    "HostView",
    # gates
    "allowed_networks",
    "blocked_networks",
    "by_host",
    "max_connections",
    "rate",
    # proofs
    "certificates",
    "logins",
    # around others
    "all_of",
    "any_of",
    "lock_out",
]
