"""Clients and hosts by hand, for attacks on the handshake: each sends what a test says, message by message."""

import secrets
import socket
import ssl
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import emporion
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from emporion.errors import DenyReason
from emporion.runtime.connection.handshake import ClientHandshake
from emporion.runtime.connection.handshake_messages import PREFACE, SCRAM, Denied, Hello, decode_untrusted, encode
from emporion.runtime.connection.tls import client_context, end_point_binding
from emporion.runtime.connection.uri import TLS_SCHEME, URI
from emporion.tests.harbour import ANSWER_S, PASSPHRASE, in_thread
from emporion.validators.connection import ConnectionValidator, Credentials

HELLO: Final = PREFACE + encode(Hello(SCRAM, b"n", b"n" * 18, "somebody" * 30, ("msgpack",)))
RIGHT: Final = Credentials(None, PASSPHRASE)
RESET: Final = struct.pack("ii", 1, 0)  # SO_LINGER: close with a reset, which leaves nothing of the port behind


class Wire:
    """One end of a connection, by hand."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        sock.settimeout(ANSWER_S)

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def message(self) -> bytes:
        """The next handshake message whole, with its length; b"" at the end of the stream."""
        head = self._exactly(4)
        return head + self._exactly(int.from_bytes(head)) if head else b""

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = self.sock.recv(count - len(data))
            if not piece:
                return b""
            data += piece
        return data

    def rest(self) -> bytes:
        """All that still comes, until the other end closes: a test that hangs here has found something."""
        data = b""
        while True:
            try:
                piece = self.sock.recv(4096)
            except ConnectionError:  # it closed while bytes of ours were on their way
                return data
            if not piece:
                return data
            data += piece

    def say_no_more(self) -> None:
        """Close our half of the stream."""
        socket.socket.shutdown(self.sock, socket.SHUT_WR)

    def close(self) -> None:
        self.sock.close()


class Stranger(Wire):
    """A client of `uri`; under TLS it knows what it was shown."""

    def __init__(self, uri: URI, *, source: str = "") -> None:
        super().__init__(socket.create_connection(uri.address, ANSWER_S, (source, 0) if source else None))
        self.uri = uri
        self.binding: bytes | None = None
        if uri.scheme == TLS_SCHEME:
            self.sock = tls = client_context().wrap_socket(self.sock)
            self.binding = end_point_binding(tls.getpeercert(binary_form=True) or b"")

    def handshake(self, identity: Any = RIGHT, validator: ConnectionValidator | None = None) -> ClientHandshake:
        """An honest client's half for this connection."""
        return ClientHandshake(
            validator or ConnectionValidator(), identity=identity, uri=self.uri, peer_address=self.uri.address,
            binding=self.binding, codec="msgpack", random=secrets.token_bytes, host_known=True,
        )

    def shake(self, identity: Any = RIGHT, validator: ConnectionValidator | None = None) -> list[bytes]:
        """Go through all of it honestly; gives what was sent."""
        half = self.handshake(identity, validator)
        sent = [half.start()]
        self.send(sent[0])
        while not half.done:
            answer = half.receive(self.message())
            if answer:
                sent.append(answer)
                self.send(answer)
        return sent


def client_hello() -> bytes:
    """The first bytes of a TLS client."""
    out = ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):
        client_context().wrap_bio(ssl.MemoryBIO(), out).do_handshake()
    return out.read()


def key_updates(secret: bytes, count: int) -> bytes:
    """Records of a TLS 1.3 client that does nothing but change its key, which no program on the other end gets to see.

    Args:
        secret: Its first traffic secret, of TLS_AES_256_GCM_SHA384; nothing was sent under it.

    Source: RFC 8446, sections 4.6.3, 5.2 and 7.
    """
    records = []
    for _ in range(count):
        key, iv = _expanded(secret, b"key", 32), _expanded(secret, b"iv", 12)
        head = bytes((23, 3, 3)) + (5 + 1 + 16).to_bytes(2)
        records.append(head + AESGCM(key).encrypt(iv, bytes((24, 0, 0, 1, 0, 22)), head))
        secret = _expanded(secret, b"traffic upd", 48)
    return b"".join(records)


def _expanded(secret: bytes, label: bytes, size: int) -> bytes:
    info = size.to_bytes(2) + bytes([6 + len(label)]) + b"tls13 " + label + b"\0"
    return HKDFExpand(hashes.SHA384(), size, info).derive(secret)


def dribble(wire: Wire, data: bytes, pause: Callable[[], object]) -> None:
    """One byte at a time, as long as the other end listens; the last one is never sent."""
    for at in range(len(data) - 1):
        try:
            wire.send(data[at : at + 1])
        except OSError:
            return
        pause()


def reason_in(data: bytes) -> DenyReason | None:
    """The code of the denial that `data` is; None where it is nothing of the kind."""
    message = decode_untrusted(data[4:]) if data else None
    return message.reason if isinstance(message, Denied) else None


@contextmanager
def fake_host(serve: Callable[[Wire], None], context: ssl.SSLContext | None = None) -> Iterator[URI]:
    """A host by hand, which serves one client after the other until the test is over; what goes wrong in it shows."""
    listener = socket.create_server(("127.0.0.1", 0))
    over = False

    def run() -> None:
        while True:
            sock, _ = listener.accept()
            if over:
                sock.close()
                return
            wire = Wire(sock)
            try:
                if context is not None:
                    wire = Wire(context.wrap_socket(sock, server_side=True))
                serve(wire)
            except ConnectionError:
                pass  # the client had enough
            finally:
                wire.close()

    result = in_thread(run)
    port = listener.getsockname()[1]
    try:
        yield URI(scheme=TLS_SCHEME if context else "emporion+tcp", host="127.0.0.1", port=port, name="x")
    finally:
        over = True
        socket.create_connection(("127.0.0.1", port)).close()
        result()
        listener.close()


class Shop:
    """Something to call, once one is in."""

    @emporion.expose
    def stock(self) -> int:
        return 3

    @emporion.expose
    def who(self) -> Any:
        return emporion.caller().identity
