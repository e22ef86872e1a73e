"""A host's door alone, with strangers before it and nobody behind."""

import secrets
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, Final

from emporion.runtime.connection.handshake import HostHandshake
from emporion.runtime.connection.listener import Listener
from emporion.runtime.connection.ports import open_socket
from emporion.runtime.connection.tls import HostTLS, server_context
from emporion.runtime.connection.transport import Transport
from emporion.runtime.connection.uri import CLEAR, TLS_SCHEME, URI, Listen
from emporion.runtime.workers import Parking
from emporion.tests.harbour import ANSWER_S, PASSPHRASE, until
from emporion.tests.strangers import Stranger, Wire
from emporion.validators.connection import Connection, ConnectionValidator
from emporion.validators.connection.verifiers import Verifiers

VERIFIERS: Final = Verifiers([PASSPHRASE], iterations=4096)
LONG_S: Final = 600.0  # a deadline that no test lives to see


class Door:
    """A listener without a host behind it: who is let in is kept."""

    verifiers = VERIFIERS
    allow_anonymous = False
    max_connections = 10_000

    def __init__(self, parking: Parking, tls: HostTLS | None, validator: ConnectionValidator, **options: Any) -> None:
        self.guests: list[tuple[Transport, Connection]] = []
        self.tls = tls
        self.validator = validator
        sock = open_socket(Listen(host="127.0.0.1", scheme=CLEAR))
        self.uri = URI(scheme=TLS_SCHEME if tls else CLEAR, host="127.0.0.1", port=sock.getsockname()[1])
        self.listener = Listener(sock, tls, parking=parking, handshake=self.handshake,
                                 admitted=self.admitted, **options)

    def connections(self) -> list[Any]:
        return self.guests

    def handshake(self, connection: Connection) -> HostHandshake:
        return HostHandshake(self.validator, host=self, connection=connection, codecs=("msgpack",),
                             binding=self.tls.binding if self.tls else None, random=secrets.token_bytes)

    def admitted(self, transport: Transport, connection: Connection, handshake: HostHandshake) -> None:
        self.guests.append((transport, connection))

    def lets_in(self, source: str = "") -> None:
        """A good client is let in."""
        before = len(self.guests)
        with closing(Stranger(self.uri, source=source)) as good:
            good.shake()
            until(lambda: len(self.guests) > before)

    def stranger(self, source: str = "") -> Wire:
        """Somebody at the door who has said nothing, not even TLS."""
        return Wire(socket.create_connection(self.uri.address, ANSWER_S, (source, 0) if source else None))


@contextmanager
def open_door(tls: bool = False, validator: ConnectionValidator | None = None, **options: Any) -> Iterator[Door]:
    parking = Parking("test")
    door = Door(parking, server_context() if tls else None, validator or ConnectionValidator(), **options)
    door.listener.start()
    try:
        yield door
    finally:
        door.listener.close()
        for transport, _ in door.guests:
            transport.close()
        parking.close()
