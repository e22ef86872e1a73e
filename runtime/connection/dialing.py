"""From a URI to a connection: what a client may ask for, the socket, TLS and the handshake."""

import secrets
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

from ...errors import CallTimeout, ConfigurationError, ConnectionDenied, ConnectionLost, DenyReason, ProtocolError
from ...validators.connection import ConnectionValidator, Credentials
from ..wire.codecs import CODECS
from ..workers import Parking, Workers
from .channel import Channel
from .handshake import ClientHandshake
from .ports import is_ours
from .tls import TLS, check_fingerprint, client_context, end_point_binding
from .tls_faults import TLS_ALERT, host_fault
from .tls_transport import TLSTransport
from .transport import PlainTransport, Transport, without_delay
from .uri import TLS_SCHEME, UNIX, URI

__all__ = ["CONNECT_S", "Dialer", "background", "check_options", "credentials"]

MAX_FRAME_BYTES: Final = 64 * 1024 * 1024
CONNECT_S: Final = 30.0  # for TCP, TLS and the handshake, where the user gives no time
READ_BYTES: Final = 8 * 1024


def check_options(uri: URI, passphrase: Any, login: str | None, identity: Any, verify_host: bool, tls: TLS | None,
                  codec: str) -> None:
    """Refuse what cannot be right before anything is sent.

    Raises:
        ConfigurationError: The text says what to change.
    """
    if not uri.name:
        raise ConfigurationError(f"{uri} names no object: add its name, as in emporion://HOST:PORT/NAME")
    if identity is not None and (passphrase is not None or login is not None):
        raise ConfigurationError("give either identity= or passphrase= (with login=), not both")
    if codec not in CODECS:
        raise ConfigurationError(f"codec={codec!r}: known are {', '.join(CODECS)}")
    if tls is not None and uri.scheme != TLS_SCHEME:
        raise ConfigurationError(f"tls= is given, but {uri.scheme}:// is without TLS: use the host's emporion:// URI")
    proved = passphrase is not None or identity is not None or _known_by_tls(uri, tls) or uri.scheme == UNIX
    if verify_host and not proved:
        raise ConfigurationError(
            "nothing here proves that the host is the right one: give a passphrase=, a URI with ?fp=, "
            "tls=TLS(ca=...), or say verify_host=False"
        )


def _known_by_tls(uri: URI, tls: TLS | None) -> bool:
    return bool(uri.fingerprint or (tls is not None and (tls.ca or tls.fingerprints)))


def credentials(passphrase: str | Callable[[], str] | None, login: str | None, identity: Any) -> Callable[[], Any]:
    """Give what is to be asked before each connection for what the client proves; it may give None: nothing.

    What a callable `passphrase` or `identity` raises comes out of it; it raises ConfigurationError where the former
    gives no text.
    """
    if not isinstance(login, str | None) or not (callable(passphrase) or isinstance(passphrase, str | None)):
        raise ConfigurationError("passphrase= and login= take text, or a callable that gives the passphrase")

    def proved() -> Any:
        if identity is not None:
            return identity() if callable(identity) else identity
        given = passphrase() if callable(passphrase) else passphrase
        if not isinstance(given, str | None):
            text = f"the callable passphrase= gave {type(given).__name__}: text is needed"
            raise ConfigurationError(text)
        if passphrase is None and login is None:
            return None
        return Credentials(login, given or "")  # asked for, so not anonymous: the host says no to an empty one

    return proved


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialer:
    """How one client reaches one host: enough to come back after the connection was cut."""

    uri: URI
    proved: Callable[[], Any] = field(repr=False)  # as `credentials` gives it
    validator: ConnectionValidator
    verify_host: bool
    tls: TLS | None
    codec: str

    def channel(self, identity: Any, until_s: float) -> Channel:
        """A connection whose handshake is done.

        Args:
            identity: What `proved` gave. It is asked earlier than this: people type slowly, and neither the time to
                connect nor the host's patience should pay for it.
            until_s: On the clock of `time.monotonic`.

        Raises:
            ConnectionDenied, ConnectionLost, CallTimeout, ConfigurationError: As for `connect`.
        """
        transport, handshake = self._open(identity, until_s)
        codecs = [CODECS[self.codec], *(one for name, one in CODECS.items() if name != self.codec)]
        return Channel(transport, codecs=codecs, max_frame_bytes=MAX_FRAME_BYTES, trailing=handshake.trailing)

    def _open(self, identity: Any, until_s: float) -> tuple[Transport, ClientHandshake]:
        uri = self.uri
        context = client_context(self.tls) if uri.scheme == TLS_SCHEME else None
        sock = _dial(uri, until_s)
        try:
            with _explained(uri):
                binding: bytes | None = None
                if context is not None:
                    sock, binding = self._encrypted(sock, context, until_s)
                handshake = ClientHandshake(
                    self.validator, identity=identity, uri=uri, binding=binding, codec=self.codec,
                    peer_address=uri.address if uri.scheme != UNIX else None, random=secrets.token_bytes,
                    host_known=_known_by_tls(uri, self.tls) or not self.verify_host
                    or (uri.scheme == UNIX and is_ours(sock)),
                )
                _shake_hands(sock, handshake, until_s)
            return TLSTransport(sock) if isinstance(sock, ssl.SSLSocket) else PlainTransport(sock), handshake
        except BaseException:
            sock.close()
            raise

    def _encrypted(
        self, sock: socket.socket, context: ssl.SSLContext, until_s: float
    ) -> tuple[ssl.SSLSocket, bytes]:
        """TLS over `sock`, with a host that has the certificate it should have; and the channel's binding."""
        sock.settimeout(max(0.001, until_s - time.monotonic()))
        # An address with a zone ("fe80::1%eth0") stands in certificates without it.
        tls = context.wrap_socket(sock, server_hostname=self.uri.host.partition("%")[0])
        try:
            der = tls.getpeercert(binary_form=True)
            check_fingerprint(der, [self.uri.fingerprint])
            check_fingerprint(der, (self.tls and self.tls.fingerprints) or ())
            return tls, end_point_binding(der or b"")
        except BaseException:
            tls.close()
            raise


@contextmanager
def _explained(uri: URI) -> Iterator[None]:
    """Turns what sockets and TLS raise into what the user of `connect` is to know."""
    try:
        yield
    except CallTimeout:
        raise
    except TimeoutError:
        raise CallTimeout(f"{uri} did not answer in time") from None
    except ProtocolError as error:
        text = f"what answers at {uri} is no emporion host, or one of another version: {error}; check the address"
        raise ProtocolError(text) from None
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
        raise ConnectionLost(_cut(uri)) from None
    except ssl.SSLError as error:
        raise host_fault(error, uri.host) from None
    except OSError as error:
        raise ConnectionLost(f"{_cut(uri)}: {error.strerror or error}") from None


def _cut(uri: URI) -> str:
    return f"the connection to {uri} broke in the handshake"


def _dial(uri: URI, until_s: float) -> socket.socket:
    left_s = max(0.001, until_s - time.monotonic())
    try:
        if uri.scheme != UNIX:
            sock = socket.create_connection(uri.address, timeout=left_s)
            without_delay(sock)  # the handshake is small messages one after the other
            return sock
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.settimeout(left_s)
            sock.connect(uri.path)
        except BaseException:
            sock.close()
            raise
        return sock
    except TimeoutError:
        raise CallTimeout(f"{uri} did not answer in time") from None
    except OSError as error:
        raise ConnectionLost(f"no host answers at {uri}: {error.strerror or error}; is it running?") from None


def _shake_hands(sock: socket.socket, handshake: ClientHandshake, until_s: float) -> None:
    _send(sock, handshake.start())
    while not handshake.done:
        left_s = until_s - time.monotonic()
        if left_s <= 0:
            raise CallTimeout("the host did not finish the handshake in time")
        sock.settimeout(left_s)
        data = sock.recv(READ_BYTES)
        if not data:
            raise ConnectionLost("the host closed the connection in the middle of the handshake")
        if data.startswith(TLS_ALERT) and not isinstance(sock, ssl.SSLSocket):
            raise ConnectionDenied(
                DenyReason.SECURITY, "this host speaks TLS: its URI begins with emporion://, not with emporion+tcp://"
            )
        answer = handshake.receive(data)
        if answer:
            _send(sock, answer)


def _send(sock: socket.socket, data: bytes) -> None:
    """Send; a host that has closed by now may have said why, which the next receive finds."""
    with suppress(BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
        sock.sendall(data)


_background_lock = threading.Lock()
_background_threads: list[tuple[Parking, Workers]] = []


def background() -> tuple[Parking, Workers]:
    """One selector and one set of threads for all of this process's clients."""
    with _background_lock:
        if not _background_threads:
            _background_threads.append((Parking("emporion-client"), Workers(name="emporion-client")))
        return _background_threads[0]
