"""The handshake: both ends as plain state machines, bytes in and bytes out, every decision a validator's step.

No socket, no clock: the transport feeds bytes, sends what comes back, and sets the deadline. Source: docs/handshake.md.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import Enum, auto
from hashlib import sha256
from typing import Any, Final

from ...errors import ConfigurationError, ConnectionDenied, DenyReason, ProtocolError
from ...validators.connection import Connection, ConnectionValidator, Credentials
from ...validators.connection.roles import log_raised
from ...validators.connection.scram import BOUND, NONCE_BYTES, UNBOUND, Exchange
from ...validators.verdict import MAX_REASON_CHARS, Verdict, deny, read_verdict
from .handshake_messages import (
    ANONYMOUS,
    OWN,
    PREFACE,
    SCRAM,
    Challenge,
    Denied,
    Hello,
    Inbox,
    Message,
    Token,
    Welcome,
    challenge_message,
    challenge_seen,
    decode_untrusted,
    encode,
)
from .uri import URI

__all__ = ["CLIENT_NEXT", "HOST_NEXT", "ClientHandshake", "HostHandshake", "State", "denial"]

_log = logging.getLogger("emporion.connection")


class State(Enum):
    """Where an end stands."""

    SILENT = auto()  # client: nothing sent yet
    GREETING = auto()  # host: waits for HELLO; client: has sent it, waits for CHALLENGE
    PROVING = auto()  # host: waits for TOKEN; client: has sent it, waits for WELCOME
    OPEN = auto()  # accepted: the session may begin
    CLOSED = auto()  # denied, or the rules were broken: nothing more is read


# What may come when; everything else is a ProtocolError. Where the step that follows denies, CLOSED comes instead.
HOST_NEXT: Final[dict[tuple[State, type[Message]], State]] = {
    (State.GREETING, Hello): State.PROVING,
    (State.PROVING, Token): State.OPEN,
}
CLIENT_NEXT: Final[dict[tuple[State, type[Message]], State]] = {
    (State.GREETING, Challenge): State.PROVING,
    (State.GREETING, Denied): State.CLOSED,
    (State.PROVING, Welcome): State.OPEN,
    (State.PROVING, Denied): State.CLOSED,
}


def denial(reason: DenyReason) -> bytes:
    """The bytes that deny a client before its HELLO was read: a host that is full need not listen first."""
    return encode(Denied(reason))


class HostHandshake:
    """The host's end: one object for each connection, used by one thread at a time.

    Attributes:
        done: The client is accepted and has been sent its WELCOME; `identity` and `codec` hold.
        failed: Why the client is denied, once it is; send what `receive` returned, then close.
        trailing: What came after the client's last handshake message; it belongs to the session.
    """

    def __init__(
        self,
        validator: ConnectionValidator,
        *,
        host: Any,
        connection: Connection,
        binding: bytes | None,
        codecs: Sequence[str],
        random: Callable[[int], bytes],
    ) -> None:
        """Nothing is computed before the client's HELLO is here.

        Args:
            host: Handed to the validator's steps; the default ones need a `HostView`.
            binding: The `tls-server-end-point` value of this host's own certificate; None without TLS.
            codecs: The names of those that this host reads, 1 to 8.
            random: Gives that many unpredictable bytes; `secrets.token_bytes` outside tests.
        """
        self.done = False
        self.failed: ConnectionDenied | None = None
        self.identity: str | None = None
        self.codec = ""
        self.trailing = b""
        self._validator = validator
        self._host = host
        self._connection = connection
        self._binding = binding
        self._codecs = tuple(codecs)
        self._random = random
        self._state = State.GREETING
        self._inbox = Inbox(PREFACE)
        self._hello: Hello | None = None
        self._challenge: Any = None

    def receive(self, data: bytes) -> bytes:
        """Take in what arrived, however the stream was cut; give what is to be sent, perhaps nothing.

        Raises:
            ProtocolError: The peer broke the rules: close without an answer.
        """
        if self._state not in (State.GREETING, State.PROVING):
            raise ProtocolError("the handshake is over: these bytes belong to the session, or to nobody")
        try:
            body = self._inbox.feed(data)
            return b"" if body is None else self._advance(body)
        except ProtocolError:
            self._close()
            raise

    def _advance(self, body: bytes) -> bytes:
        message = decode_untrusted(body)
        following = _next(HOST_NEXT, self._state, message)
        rest = self._inbox.rest()
        try:
            if isinstance(message, Hello):
                if rest:
                    raise ProtocolError("the client spoke on before it was asked")
                answer = self._greet(message, body)
            else:
                assert isinstance(message, Token)
                answer = self._judge_token(message.value)
                self.trailing = rest
        except _Refused as refused:
            return self._deny(refused.verdict)
        self._state = following
        if following is State.OPEN:
            self._open()
        return answer

    def _greet(self, hello: Hello, body: bytes) -> bytes:
        """HELLO is here: decide about the address and the certificate, then ask."""
        self._hello = hello
        exchange = Exchange(
            login=hello.login,
            client_nonce=hello.nonce,
            host_nonce=self._random(NONCE_BYTES),
            binding=self._binding,
            context=sha256(PREFACE + body).digest(),
        )
        self._connection.exchange = exchange
        self._judge("accept_host", self._host, self._connection)
        if self._binding is not None:
            self._judge("check_certificate", self._connection.certificate)
        if hello.binding != _flag(self._binding):
            # Somebody between the two ends took TLS off, or put it on.
            raise _Refused(deny(DenyReason.SECURITY, f"the client sees another channel ({hello.binding!r}) than we do"))
        raw = self._make("create_auth_challenge", self._host, self._connection)
        message = challenge_message(raw, exchange.host_nonce)
        sent = self._encode("create_auth_challenge", message)
        self._challenge = challenge_seen(message, exchange)
        return sent

    def _judge_token(self, token: Any) -> bytes:
        """TOKEN is here: decide, then prove ourselves."""
        assert self._hello is not None
        self._judge("accept_identification", self._host, self._connection, token, self._challenge)
        self._judge("accept_identity", self._host, self._connection)
        self.codec = next((name for name in self._hello.codecs if name in self._codecs), "")
        proof = self._make("create_host_proof", self._host, self._connection, token, self._challenge)
        return self._encode("create_host_proof", Welcome(proof, self._codecs))

    def _open(self) -> None:
        self._forget()
        if not self.codec:  # the client reads the same list in WELCOME, and tells its user
            self._state = State.CLOSED
            self._connection.closed = True
            self.failed = ConnectionDenied(DenyReason.UNSPECIFIED, f"no codec in common: only {self._codecs} here")
            _log.warning("denied %s: no codec in common, it offers only others than %s", self._who(), self._codecs)
            return
        self.identity = self._connection.identity
        self.done = True
        _log.info("accepted %s", self._who())

    def _judge(self, step: str, *arguments: Any) -> None:
        """Ask a step that decides; anything but a yes raises `_Refused`."""
        verdict = read_verdict(self._make(step, *arguments))
        if not verdict:
            raise _Refused(replace(verdict, reason=verdict.reason or f"{step} said no"))

    def _make(self, step: str, *arguments: Any) -> Any:
        try:
            return getattr(self._validator, step)(*arguments)
        except ConnectionDenied as denied:
            raise _Refused(deny(denied.reason, denied.text)) from None
        except Exception as error:
            log_raised(step, error)
            raise _Refused(deny(DenyReason.UNSPECIFIED, f"{step} raised {type(error).__name__}")) from None

    def _encode(self, step: str, message: Message) -> bytes:
        try:
            return encode(message)
        except ValueError as error:
            _log.error("validator step %s returned what cannot be sent: %s", step, error)
            raise _Refused(deny(DenyReason.UNSPECIFIED, f"{step} returned what cannot be sent")) from None

    def _deny(self, verdict: Verdict) -> bytes:
        self.failed = ConnectionDenied(verdict.code, verdict.reason)
        _log.warning("denied %s: %s (%s)", self._who(), _printable(verdict.reason, MAX_REASON_CHARS), verdict.code.name)
        self._close()
        return denial(verdict.code)

    def _close(self) -> None:
        self._state = State.CLOSED
        self._connection.identity = None
        self._connection.closed = True
        self._forget()

    def _forget(self) -> None:
        """Keys and nonces served their purpose; hosted methods can reach the connection."""
        self._connection.exchange = None
        self._connection.verifier = None
        self._challenge = None

    def _who(self) -> str:
        login = self._hello.login if self._hello is not None else ""
        claim = f", login {_printable(login)}" if login else ""
        return f"{_printable(str(self._connection.address))}{claim}, identity {self._connection.identity!r}"


class ClientHandshake:
    """The client's end: `start`, then `receive` until `done`.

    Attributes:
        done: Both ends are proved: the session may begin.
        trailing: What came after the host's last handshake message; it belongs to the session.
    """

    def __init__(
        self,
        validator: ConnectionValidator,
        *,
        identity: Any,
        uri: URI | None,
        peer_address: tuple[str, int] | None,
        binding: bytes | None,
        codec: str,
        random: Callable[[int], bytes],
        host_known: bool = False,
    ) -> None:
        """Prepare; the validator is first asked in `start`.

        Args:
            identity: None (anonymous), `Credentials`, or what a validator of one's own understands.
            binding: The `tls-server-end-point` value of the certificate that the host showed; None without TLS.
            codec: The one that this client writes.
            random: Gives that many unpredictable bytes; `secrets.token_bytes` outside tests.
            host_known: TLS has proved the host (fingerprint, CA), or the user waived it (``verify_host=False``): only
                then may the host do without a proof. Credentials always need one.
        """
        self.done = False
        self.codec = codec
        self.trailing = b""
        self._validator = validator
        self._identity = identity
        self._uri = uri
        self._peer_address = peer_address
        self._binding = binding
        self._random = random
        self._host_known = host_known
        self._state = State.SILENT
        self._inbox = Inbox()
        self._login = ""
        self._nonce = b""
        self._context = b""
        self._challenge: Any = None
        self._token: Any = None

    def start(self) -> bytes:
        """The first bytes to send. Asks the step `munge_identification`; what that raises comes out."""
        if self._state is not State.SILENT:
            raise RuntimeError("start() was called before: make a new handshake for a new connection")
        self._identity = self._validator.munge_identification(self._identity)
        self._nonce = self._random(NONCE_BYTES)
        kind = ANONYMOUS if self._identity is None else OWN
        if type(self._identity) is Credentials:
            kind, self._login = SCRAM, self._identity.login or ""
        try:
            hello = encode(Hello(kind, _flag(self._binding), self._nonce, self._login, (self.codec,)))
        except ValueError as error:  # a login that no host can have
            raise ConnectionDenied(DenyReason.SECURITY, str(error)) from None
        self._context = sha256(PREFACE + hello[4:]).digest()
        self._state = State.GREETING
        return PREFACE + hello

    def receive(self, data: bytes) -> bytes:
        """Take in what arrived, however the stream was cut; give what is to be sent, perhaps nothing.

        Raises:
            ConnectionDenied: The host does not want us, or could not prove itself.
            ProtocolError: The peer broke the rules. After either: close.
        """
        if self._state not in (State.GREETING, State.PROVING):
            raise ProtocolError("the handshake is over, or did not start: these bytes belong to nobody")
        try:
            body = self._inbox.feed(data)
            return b"" if body is None else self._advance(body)
        except BaseException:
            self._state = State.CLOSED
            raise

    def _advance(self, body: bytes) -> bytes:
        message = decode_untrusted(body)
        following = _next(CLIENT_NEXT, self._state, message)
        if isinstance(message, Denied):
            raise ConnectionDenied(message.reason)
        rest = self._inbox.rest()
        answer = b""
        if isinstance(message, Challenge):
            if rest:
                raise ProtocolError("the host spoke on before it was answered")
            answer = self._answer(message)
        else:
            assert isinstance(message, Welcome)
            self._check_welcome(message)
            self.trailing = rest
        self._state = following
        self.done = following is State.OPEN
        return answer

    def _answer(self, message: Challenge) -> bytes:
        exchange = Exchange(
            login=self._login,
            client_nonce=self._nonce,
            host_nonce=message.nonce,
            binding=self._binding,
            context=self._context,
        )
        self._challenge = challenge_seen(message, exchange)
        self._token = self._validator.create_auth_token(
            self._identity, self._challenge, self._peer_address, self._uri, None
        )
        try:
            return encode(Token(self._token))
        except ValueError as error:
            raise ConfigurationError(f"create_auth_token: {error}") from None

    def _check_welcome(self, message: Welcome) -> None:
        verdict = read_verdict(
            self._validator.check_host_proof(self._identity, self._challenge, self._token, message.proof)
        )
        if not verdict:
            raise ConnectionDenied(DenyReason.SECURITY, verdict.reason)
        if message.proof is None and not self._host_known:
            raise ConnectionDenied(
                DenyReason.SECURITY,
                "the host did not prove itself: use a URI with ?fp=, or tls=TLS(ca=...), or say verify_host=False",
            )
        if self.codec not in message.codecs:
            offer = " or ".join(repr(name) for name in message.codecs)
            raise ConnectionDenied(DenyReason.UNSPECIFIED, f"the host does not read {self.codec!r}: set codec={offer}")
        self._challenge = self._token = None


class _Refused(Exception):
    """A step said no; carries the verdict to the one place that denies."""

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict


def _next(table: dict[tuple[State, type[Message]], State], state: State, message: Message) -> State:
    try:
        return table[state, type(message)]
    except KeyError:
        raise ProtocolError(f"{type(message).__name__} while {state.name}") from None


def _flag(binding: bytes | None) -> bytes:
    return UNBOUND if binding is None else BOUND


def _printable(text: str, limit: int = 200) -> str:
    """Foreign text for the log: quoted, escaped (no line breaks, no terminal controls) and cut."""
    return repr(text if len(text) <= limit else text[:limit] + "...")
