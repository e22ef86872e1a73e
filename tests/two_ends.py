"""Both ends of a handshake in memory, with no host around them: a test says what goes from one to the other."""

import secrets
from dataclasses import dataclass, field
from typing import Any

import pytest
from emporion.errors import ConnectionDenied, DenyReason
from emporion.runtime.connection.handshake import ClientHandshake, HostHandshake
from emporion.validators.connection import Connection, ConnectionValidator, Credentials
from emporion.validators.connection.verifiers import Verifiers

RIGHT = Credentials(None, "correct horse")
VERIFIERS = Verifiers(["another one", "correct horse"], iterations=4096)
PEOPLE = Verifiers({"ann": "correct horse", "bob": "battery"}, iterations=4096)
HERE = b"certificate of the host".ljust(32)


@dataclass
class Place:
    """What the default validator asks of a host."""

    verifiers: Verifiers | None = VERIFIERS
    allow_anonymous: bool = False
    max_connections: int = 2
    open: list[object] = field(default_factory=list)

    def connections(self) -> list[object]:
        return self.open


def client(identity: Any = RIGHT, *, binding: bytes | None = HERE, **more: Any) -> ClientHandshake:
    options: dict[str, Any] = {"uri": None, "peer_address": ("127.0.0.1", 7766), "codec": "msgpack"}
    validator = more.pop("validator", None) or ConnectionValidator()
    more.setdefault("host_known", identity is None)
    random = secrets.token_bytes
    return ClientHandshake(validator, identity=identity, binding=binding, random=random, **{**options, **more})


def host(place: Place | None = None, *, binding: bytes | None = HERE, **more: Any) -> HostHandshake:
    validator = more.pop("validator", None) or ConnectionValidator()
    connection = more.pop("connection", None) or Connection(("192.0.2.1", 4711))
    codecs = more.pop("codecs", ("msgpack", "xml"))
    random = more.pop("random", secrets.token_bytes)
    place = place or Place()
    return HostHandshake(
        validator, host=place, connection=connection, binding=binding, codecs=codecs, random=random, **more
    )


def shake(c: ClientHandshake, h: HostHandshake) -> None:
    """Carry bytes to and fro until both ends are silent; what the client raises comes out."""
    to_host = c.start()
    while to_host:
        to_client = h.receive(to_host)
        to_host = c.receive(to_client) if to_client else b""


def denied(c: ClientHandshake, h: HostHandshake) -> ConnectionDenied:
    with pytest.raises(ConnectionDenied) as caught:
        shake(c, h)
    assert not c.done
    return caught.value


class TokenScheme(ConnectionValidator):
    """As people wrote them for the seed: a challenge, and a token that both ends compute."""

    secret = "shared"
    raw: Any = b"constant"

    def create_auth_challenge(self, host: Any, connection: Connection) -> Any:
        return self.raw

    def create_auth_token(self, identity: Any, challenge: Any, peer_address: Any, uri: Any, host: Any) -> Any:
        return ("token", repr((identity, challenge)))

    def accept_identification(self, host: Any, connection: Connection, token: Any, challenge: Any) -> bool:
        connection.identity = "somebody"
        if token == self.create_auth_token(self.secret, challenge, None, None, host):
            return True
        raise ConnectionDenied(DenyReason.SECURITY, "no")
