"""The client's side: connecting, and a session that carries agents out and things home."""

import logging
import secrets
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from ..agents.closure import at_home, closure_of
from ..agents.manifest import joined
from ..agents.state import capture, name_of, new_shell, restore
from ..errors import (
    CallTimeout,
    CodeDenied,
    ConfigurationError,
    ConnectionDenied,
    ConnectionLost,
    ProtocolError,
)
from ..validators.code import CodeValidator, Consignment, judge
from ..validators.connection import ConnectionValidator, Credentials
from .channel import Channel
from .code.importer import MobileModules
from .driver import Driver
from .events import one_line
from .handshake import ClientHandshake
from .peer import DIRECTORY, Peer
from .proxy import Proxy
from .tls import TLS, check_fingerprint, client_context, end_point_binding
from .tls_transport import TLSTransport
from .transport import PlainTransport, Transport
from .uri import TLS_SCHEME, UNIX, URI
from .wire.codecs import CODECS
from .wire.messages import Body, Code, NeedCode, Op, Output, Provide
from .wire.values import Mobile
from .workers import Parking, Workers

__all__ = ["ClientPeer", "connect"]

agent_log = logging.getLogger("emporion.agent")

MAX_FRAME_BYTES: Final = 64 * 1024 * 1024
CONNECT_S: Final = 30.0  # for TCP, TLS and the handshake, where the user gives no time
READ_BYTES: Final = 8 * 1024


def connect(
    uri: str | URI,
    *,
    passphrase: str | Callable[[], str] | None = None,
    login: str | None = None,
    identity: Any = None,
    mobile_code: bool = False,
    code_validator: CodeValidator | None = None,
    connection_validator: ConnectionValidator | None = None,
    verify_host: bool = True,
    tls: TLS | None = None,
    codec: str = "msgpack",
    timeout_s: float | None = None,
) -> Any:
    """Connect to a hosted object; gives its proxy, a context manager that closes the connection.

    Args:
        uri: As the host printed it. A fingerprint in it is checked.
        passphrase: Or what gives it when it is needed (a prompt, a keyring). A host that wants one denies "" and None.
        login: With it, `passphrase` is that login's password.
        identity: For a `connection_validator` of one's own, in place of passphrase and login.
        mobile_code: Let agents of this program's own classes go out, and classes of the host's come in.
        code_validator: Asked about each module that would come in; None accepts what the host sends.
        verify_host: False waives that the host proves itself: a stranger in between could read and alter everything.
        tls: A CA to trust, a certificate to show, fingerprints to accept.
        timeout_s: For connecting, and for each call.

    Raises:
        ConnectionDenied: The host does not want us, or could not prove itself.
        ConnectionLost, CallTimeout: Nobody answers there.
        NamingError: The host has no object of that name.
        ConfigurationError: What was asked for cannot be right.
    """
    uri = URI.parse(uri) if isinstance(uri, str) else uri
    _check_options(uri, passphrase, login, identity, verify_host, tls, codec)
    until_s = time.monotonic() + (CONNECT_S if timeout_s is None else timeout_s)
    credentials = _credentials(passphrase, login, identity)
    transport, handshake = _open(uri, credentials, connection_validator, verify_host, tls, codec, until_s)
    peer = ClientPeer(uri, mobile_code=mobile_code, code_validator=code_validator, timeout_s=timeout_s)
    parking, workers = _background()
    codecs = [CODECS[codec], *(one for name, one in CODECS.items() if name != codec)]
    channel = Channel(transport, codecs=codecs, max_frame_bytes=MAX_FRAME_BYTES, trailing=handshake.trailing)
    peer.driver = Driver(channel, peer, initiator=True, parking=parking, workers=workers)
    peer.driver.start()
    try:
        proxy = peer.call(DIRECTORY, Op.CALL, "lookup", (uri.name,), {})
    except BaseException:
        peer.close()
        raise
    if not isinstance(proxy, Proxy):
        peer.close()
        raise ProtocolError("the host did not give a proxy for the object")
    object.__setattr__(proxy, "_owner", True)
    return proxy


class ClientPeer(Peer):
    """Speaks with one host."""

    def __init__(self, uri: URI, *, mobile_code: bool, code_validator: CodeValidator | None,
                 timeout_s: float | None) -> None:
        super().__init__(uri.path if uri.scheme == UNIX else f"{uri.host}:{uri.port}")
        self.timeout_s = timeout_s
        self._address = uri.address if uri.scheme != UNIX else (uri.path, 0)
        self._mobile_code = mobile_code
        self._validator = code_validator
        self._modules = MobileModules()
        self._announced: dict[str, str] = {}  # digest: source; what the host may ask for
        self._sent_on: dict[str, Mapping[str, str]] = {}  # of downloaded modules that went out again: their closure

    # --- what goes out ------------------------------------------------------------------------------------------

    def mobile_out(self, obj: object) -> Mobile | None:
        origin = self._modules.origin(type(obj))
        if origin is not None:
            manifest, module, _ = origin
            self._announced.update(self._downloaded(manifest))
            self._sent_on.update(dict.fromkeys(manifest.values(), manifest))
            return Mobile(manifest, module, name_of(obj), capture(obj))
        try:
            closure = closure_of(type(obj))
        except ConfigurationError:
            return None  # not a class that could travel: the encoder says what else could be done
        if not self._mobile_code:
            raise CodeDenied(closure.module, "upload", "connect(..., mobile_code=True) lets agents go out")
        self._announced.update(closure.sources)
        return Mobile(closure.manifest, closure.module, name_of(obj), capture(obj))

    def encode(self, values: Sequence[object], label: Callable[[int], str]) -> tuple[Body, list[bytes]]:
        body, blobs = super().encode(values, label)
        if len(body.manifests) > 1:
            # An agent and the basket in it may come from closures of which one is a part of the other: in the visit
            # they are to be one world, where the basket's class exists once.
            body.manifests = [dict(manifest) for manifest in joined(body.manifests)]
        return body, blobs

    def _downloaded(self, manifest: Mapping[str, str]) -> dict[str, str]:
        """Sources that came from a host, by digest."""
        found = {digest: self._modules.source(digest) for digest in manifest.values()}
        return {digest: source for digest, source in found.items() if source is not None}

    def supply(self, asked: NeedCode) -> Code:
        missing = [name for name, digest in asked.modules.items() if digest not in self._announced]
        if missing:
            raise CodeDenied(missing[0][:200], "upload", "it was not announced in a manifest")
        return Code(asked.call, {digest: self._announced[digest] for digest in asked.modules.values()})

    # --- what comes in ------------------------------------------------------------------------------------------

    def mobile_in(self, manifest: Mapping[str, str], module: str, qualname: str) -> object:
        if module not in manifest:
            raise ProtocolError("a mobile object whose manifest does not list its module")
        if manifest[module] in self._announced:
            return self._own_shell(module, manifest[module], qualname)
        if not self._mobile_code:
            raise CodeDenied(module, "download", "connect(..., mobile_code=True) lets classes come in")
        closure = self._take_in(manifest)
        try:
            return new_shell(self._modules.load(closure, module, qualname))
        except LookupError as error:
            raise ProtocolError(f"the host sent an object without its class: {error}") from None

    def _own_shell(self, module: str, digest: str, qualname: str) -> object:
        """For an object of a class that went out from here: this program's own, or one that it had downloaded."""
        manifest = self._sent_on.get(digest)
        if manifest is not None:  # asked first: in a process that also hosts, the host's own class would be found
            return new_shell(self._modules.load(self._modules.add_closure(manifest), module, qualname))
        try:
            return new_shell(at_home(module, digest, qualname))
        except LookupError as error:
            raise ProtocolError(f"an object came home without its class: {error}") from None

    def _take_in(self, manifest: Mapping[str, str]) -> str:
        """Have the code of a closure here: fetched, checked against its digests, and accepted whole."""
        missing = self._modules.missing(manifest)
        sources = self.fetch(dict(missing)) if missing else {}
        if set(sources) != set(missing.values()):
            raise ProtocolError("the host gave other modules than were asked for")
        if self._validator is not None:
            known = self._downloaded({name: digest for name, digest in manifest.items() if name not in missing})
            goods = Consignment(manifest)
            for name, digest in manifest.items():
                source = {**known, **sources}[digest]
                verdict = judge(self._validator, name, source, self._address, consignment=goods)
                if not verdict:
                    raise CodeDenied(name, "download", verdict.reason)
        closure = self._modules.add_closure(manifest)
        for name, digest in missing.items():
            self._modules.add_source(name, digest, sources[digest])
        return closure

    def fill(self, shell: object, state: object) -> None:
        restore(shell, state)

    def news(self, message: Provide | Output) -> None:
        if not isinstance(message, Output):
            raise ProtocolError("a host provides no compiled code")
        for line in message.text.splitlines():
            agent_log.info("%s: %s", one_line(message.agent), one_line(line, 2000))


# --- connecting -------------------------------------------------------------------------------------------------


def _check_options(uri: URI, passphrase: Any, login: str | None, identity: Any, verify_host: bool, tls: TLS | None,
                   codec: str) -> None:
    if not uri.name:
        raise ConfigurationError(f"{uri} names no object: add its name, as in emporion://HOST:PORT/NAME")
    if identity is not None and (passphrase is not None or login is not None):
        raise ConfigurationError("give either identity= or passphrase= (with login=), not both")
    if codec not in CODECS:
        raise ConfigurationError(f"codec={codec!r}: known are {', '.join(CODECS)}")
    proved = passphrase is not None or identity is not None or _known_by_tls(uri, tls) or uri.scheme == UNIX
    if verify_host and not proved:
        raise ConfigurationError(
            "nothing here proves that the host is the right one: give a passphrase=, a URI with ?fp=, "
            "tls=TLS(ca=...), or say verify_host=False"
        )


def _known_by_tls(uri: URI, tls: TLS | None) -> bool:
    return bool(uri.fingerprint or (tls is not None and (tls.ca or tls.fingerprints)))


def _credentials(passphrase: str | Callable[[], str] | None, login: str | None, identity: Any) -> Any:
    if identity is not None:
        return identity
    if callable(passphrase):
        passphrase = passphrase() or ""  # asked for, so not anonymous: the host says no to an empty one
    if passphrase is None and login is None:
        return None
    if not isinstance(passphrase, str | None) or not isinstance(login, str | None):
        raise ConfigurationError("passphrase= and login= take text, or a callable that gives the passphrase")
    return Credentials(login, passphrase or "")


def _open(uri: URI, identity: Any, validator: ConnectionValidator | None, verify_host: bool, tls: TLS | None,
          codec: str, until_s: float) -> tuple[Transport, ClientHandshake]:
    """A connection whose handshake is done."""
    sock = _dial(uri, until_s)
    try:
        binding: bytes | None = None
        if uri.scheme == TLS_SCHEME:
            sock = client_context(tls).wrap_socket(sock, server_hostname=uri.host)
            der = sock.getpeercert(binary_form=True)
            check_fingerprint(der, [uri.fingerprint])
            check_fingerprint(der, tls.fingerprints if tls is not None else ())
            binding = end_point_binding(der or b"")
        handshake = ClientHandshake(
            validator or ConnectionValidator(), identity=identity, uri=uri, binding=binding, codec=codec,
            peer_address=uri.address if uri.scheme != UNIX else None, random=secrets.token_bytes,
            host_known=_known_by_tls(uri, tls) or uri.scheme == UNIX or not verify_host,
        )
        _shake_hands(sock, handshake, until_s)
    except ssl.SSLCertVerificationError as error:
        sock.close()
        raise ConnectionDenied(text=f"the host's certificate is not good: {error.verify_message}") from None
    except TimeoutError as error:
        sock.close()
        raise error if isinstance(error, CallTimeout) else CallTimeout(f"{uri} did not answer in time") from None
    except OSError as error:
        sock.close()
        raise ConnectionLost(f"the connection to {uri} broke in the handshake: {error.strerror or error}") from None
    except BaseException:
        sock.close()
        raise
    return TLSTransport(sock) if isinstance(sock, ssl.SSLSocket) else PlainTransport(sock), handshake


def _dial(uri: URI, until_s: float) -> socket.socket:
    left_s = max(0.001, until_s - time.monotonic())
    try:
        if uri.scheme != UNIX:
            return socket.create_connection(uri.address, timeout=left_s)
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
    sock.sendall(handshake.start())
    while not handshake.done:
        left_s = until_s - time.monotonic()
        if left_s <= 0:
            raise CallTimeout("the host did not finish the handshake in time")
        sock.settimeout(left_s)
        data = sock.recv(READ_BYTES)
        if not data:
            raise ConnectionLost("the host closed the connection in the middle of the handshake")
        answer = handshake.receive(data)
        if answer:
            sock.sendall(answer)


_background_lock = threading.Lock()
_background_threads: list[tuple[Parking, Workers]] = []


def _background() -> tuple[Parking, Workers]:
    """One selector and one set of threads for all of this process's clients."""
    with _background_lock:
        if not _background_threads:
            _background_threads.append((Parking("emporion-client"), Workers(name="emporion-client")))
        return _background_threads[0]


