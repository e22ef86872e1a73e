"""Handshakes in memory, for tests of validators: a host that is as much as validators see of one, and its peers."""

import secrets
from dataclasses import dataclass, field
from typing import Any

from emporion.errors import ConnectionDenied, DenyReason
from emporion.runtime.connection.handshake import ClientHandshake, HostHandshake
from emporion.validators.connection import Connection, ConnectionValidator, Credentials
from emporion.validators.connection.verifiers import Verifiers

VERIFIERS = Verifiers({"ann": "correct horse", "bob": "battery"}, iterations=4096)
ANN = Credentials("ann", "correct horse")
BOB = Credentials("bob", "battery")
WRONG = Credentials("ann", "battery")
HERE = b"certificate of the host".ljust(32)


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@dataclass
class Place:
    """What validators ask of a host; `let_in` lists a connection as a host does, a while after its handshake."""

    verifiers: Verifiers | None = VERIFIERS
    allow_anonymous: bool = False
    max_connections: int = 1000
    open: list[Connection] = field(default_factory=list)

    def connections(self) -> list[Connection]:
        return [one for one in self.open if not one.closed]


OPEN_TO_ALL = Place(None, allow_anonymous=True)


@dataclass
class Meeting:
    """How a handshake ended at the host: let in, or with a code and a reason."""

    connection: Connection
    code: DenyReason | None
    reason: str
    asked: bool  # whether the client was asked anything before that
    proved: bool  # whether the host proved itself to the client

    def __bool__(self) -> bool:
        return self.code is None

    @property
    def identity(self) -> str | None:
        return self.connection.identity


def meet(
    validator: ConnectionValidator,
    identity: Any = ANN,
    *,
    ip: str = "192.0.2.1",
    place: Place | None = None,
    certificate: Any = None,
    binding: bytes | None = HERE,
    theirs: ConnectionValidator | None = None,
    listed: bool = True,
) -> Meeting:
    """One whole handshake: both real halves, bytes carried to and fro. Who is let in is on the list, if `listed`."""
    place = place or Place()
    connection = Connection((ip, 4711), certificate=certificate)
    host = HostHandshake(validator, host=place, connection=connection, binding=binding, codecs=["msgpack"],
                         random=secrets.token_bytes)  # fmt: skip
    client = ClientHandshake(theirs or ConnectionValidator(), identity=identity, uri=None, peer_address=None,
                             binding=binding, codec="msgpack", random=secrets.token_bytes, host_known=True)  # fmt: skip
    told: DenyReason | None = None
    asked = False
    to_host = client.start()
    try:
        while to_host:
            to_client = host.receive(to_host)
            asked = asked or host.failed is None
            to_host = client.receive(to_client) if to_client else b""
    except ConnectionDenied as denied:
        told = denied.reason
        if host.failed is None:  # the client turned away from the host
            connection.closed = True
            return Meeting(connection, told, denied.text, asked, False)
    assert host.done is (told is None) is client.done
    if host.failed is not None:
        assert host.failed.reason is told and connection.closed and connection.identity is None
        return Meeting(connection, told, host.failed.text, asked, False)
    if listed:
        place.open.append(connection)
    return Meeting(connection, None, "", asked, isinstance(identity, Credentials))
