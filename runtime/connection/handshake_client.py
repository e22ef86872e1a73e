"""The client's end of the handshake: bytes in, bytes out, every decision a validator's step. No socket, no clock.

Source: docs/handshake.md.
"""

from collections.abc import Callable
from hashlib import sha256
from typing import Any

from ...errors import ConfigurationError, ConnectionDenied, DenyReason, EmporionError, ProtocolError
from ...validators.connection import ConnectionValidator, Credentials
from ...validators.connection.scram import NONCE_BYTES, Exchange
from ...validators.verdict import read_verdict
from .handshake_messages import (
    ANONYMOUS,
    OWN,
    PREFACE,
    SCRAM,
    Challenge,
    Denied,
    Hello,
    Inbox,
    Token,
    Welcome,
    challenge_seen,
    decode_untrusted,
    encode,
)
from .handshake_states import CLIENT_NEXT, State, flag, never_awaited, step_to
from .uri import URI

__all__ = ["ClientHandshake"]


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
        """The first bytes to send. Asks the step `munge_identification`.

        Raises:
            ConnectionDenied: No host can have such a passphrase or login.
            ConfigurationError: The step raised something else, which is its cause.
        """
        if self._state is not State.SILENT:
            raise RuntimeError("start() was called before: make a new handshake for a new connection")
        self._identity = self._ask("munge_identification", self._identity)
        self._nonce = self._random(NONCE_BYTES)
        kind = ANONYMOUS if self._identity is None else OWN
        if type(self._identity) is Credentials:
            kind, self._login = SCRAM, self._identity.login or ""
        try:
            hello = encode(Hello(kind, flag(self._binding), self._nonce, self._login, (self.codec,)))
        except ValueError as error:  # a login that no host can have
            raise ConnectionDenied(DenyReason.SECURITY, str(error)) from None
        self._context = sha256(PREFACE + hello[4:]).digest()
        self._state = State.GREETING
        return PREFACE + hello

    def receive(self, data: bytes) -> bytes:
        """Take in what arrived, however the stream was cut; give what is to be sent, perhaps nothing.

        Raises:
            ConnectionDenied: The host does not want us, or could not prove itself.
            ProtocolError: The peer broke the rules.
            ConfigurationError: A step of the validator raised, or returned what cannot be sent. After any: close.
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
        following = step_to(CLIENT_NEXT, self._state, message)
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
        self._token = self._ask(
            "create_auth_token", self._identity, self._challenge, self._peer_address, self._uri, None
        )
        try:
            return encode(Token(self._token))
        except ValueError as error:
            never_awaited(self._token)
            raise ConfigurationError(f"create_auth_token: {error}") from None

    def _check_welcome(self, message: Welcome) -> None:
        verdict = read_verdict(
            self._ask("check_host_proof", self._identity, self._challenge, self._token, message.proof)
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

    def _ask(self, step: str, *arguments: Any) -> Any:
        """Have a step done; what it raises names it, and is never taken for a fault of the network."""
        try:
            return getattr(self._validator, step)(*arguments)
        except EmporionError:
            raise
        except Exception as error:
            text = f"{step} of the connection_validator raised {type(error).__name__}: {error}"
            raise ConfigurationError(text) from error
