"""The host's end of the handshake: bytes in, bytes out, every decision a validator's step. No socket, no clock.

Source: docs/handshake.md.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any, Final

from ...errors import ConnectionDenied, DenyReason, ProtocolError
from ...validators.connection import Connection, ConnectionValidator
from ...validators.connection.roles import raised
from ...validators.connection.scram import NONCE_BYTES, Exchange
from ...validators.verdict import MAX_REASON_CHARS, Verdict, deny, read_verdict
from .handshake_messages import (
    PREFACE,
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
from .handshake_states import HOST_NEXT, State, flag, never_awaited, step_to

__all__ = ["HostHandshake", "denial"]

_log = logging.getLogger("emporion.connection")

MAX_IDENTITY: Final = 255  # characters; a login has at most as many bytes


def denial(reason: DenyReason) -> bytes:
    """The bytes that deny a client before its HELLO was read: a host that is full need not listen first."""
    return encode(Denied(reason))


class HostHandshake:
    """The host's end: one object for each connection, used by one thread at a time.

    Attributes:
        done: The client is accepted and has been sent its WELCOME; `identity` and `codec` hold.
        failed: Why the client is denied, once it is; send what `receive` returned, then close.
        trailing: What came after the client's last handshake message; it belongs to the session.
        tells: Whether the log has room for a denial; asked once, before the first line about it.
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
        self.tells: Callable[[], bool] = lambda: True
        connection.tell = self._tell
        self._told: bool | None = None
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
        following = step_to(HOST_NEXT, self._state, message)
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
        if hello.binding != flag(self._binding):
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
        self._check_identity(self._connection.identity)
        self._judge("accept_identity", self._host, self._connection)
        self.codec = next((name for name in self._hello.codecs if name in self._codecs), "")
        proof = self._make("create_host_proof", self._host, self._connection, token, self._challenge)
        self._check_identity(self._connection.identity)
        if self._connection.closed:  # a step closed it, or its time was over while a step was at it
            raise _Refused(deny(DenyReason.UNSPECIFIED, "the connection was closed meanwhile"))
        return self._encode("create_host_proof", Welcome(proof, self._codecs))

    def _check_identity(self, identity: Any) -> None:
        """What logs, limits and hosted methods see of a client, perhaps taken from a token of somebody's own scheme."""
        if identity is None:
            return
        # Several scripts cannot be written without joiners, so logins have them too.
        seen = identity.replace("\u200c", "").replace("\u200d", "") if type(identity) is str else ""
        if not seen or not seen.isprintable() or len(identity) > MAX_IDENTITY:
            what = f"a {type(identity).__name__}, or one that is empty, too long or not printable"
            self._tell(logging.ERROR, "the connection's identity has to be None or a printable text of at most %s "
                       "characters, and the validator set %s", MAX_IDENTITY, what)
            raise _Refused(deny(DenyReason.UNSPECIFIED, "the validator set an identity that cannot be one"))

    def _open(self) -> None:
        self._forget()
        if not self.codec:  # the client reads the same list in WELCOME, and tells its user
            self._state = State.CLOSED
            self._connection.closed = True
            self.failed = ConnectionDenied(DenyReason.UNSPECIFIED, f"no codec in common: only {self._codecs} here")
            self._tell(logging.WARNING, "denied %s: no codec in common, it offers only others than %s", self._who(),
                       self._codecs)
            return
        self.identity = self._connection.identity
        self.done = True
        _log.info("accepted %s", self._who())

    def _judge(self, step: str, *arguments: Any) -> None:
        """Ask a step that decides; anything but a yes raises `_Refused`."""
        verdict = read_verdict(self._make(step, *arguments))
        if not verdict:
            code = verdict.code if type(verdict.code) is DenyReason else DenyReason.UNSPECIFIED
            raise _Refused(replace(verdict, reason=verdict.reason or f"{step} said no", code=code))

    def _make(self, step: str, *arguments: Any) -> Any:
        try:
            return getattr(self._validator, step)(*arguments)
        except BaseException as error:
            raise _Refused(raised(step, error, self._connection)) from None

    def _encode(self, step: str, message: Message) -> bytes:
        try:
            return encode(message)
        except ValueError as error:
            never_awaited(message.value if isinstance(message, Challenge) else getattr(message, "proof", None))
            self._tell(logging.ERROR, "validator step %s returned what cannot be sent: %s", step, error)
            raise _Refused(deny(DenyReason.UNSPECIFIED, f"{step} returned what cannot be sent")) from None

    def _deny(self, verdict: Verdict) -> bytes:
        self.failed = ConnectionDenied(verdict.code, verdict.reason)
        self._tell(logging.WARNING, "denied %s: %s (%s)", self._who(),
                   _shown(verdict.reason, MAX_REASON_CHARS), verdict.code.name)
        self._close()
        return denial(verdict.code)

    def _tell(self, level: int, text: str, *details: Any) -> None:
        """A line about a denial, if the log has one for this handshake."""
        if self._told is None:
            self._told = self.tells()
        if self._told:
            _log.log(level, text, *details)

    def _close(self) -> None:
        self._state = State.CLOSED
        self._connection.identity = None
        self._connection.closed = True
        self._forget()

    def _forget(self) -> None:
        """Keys and nonces served their purpose; hosted methods can reach the connection."""
        self._connection.exchange = None
        self._connection.tell = _log.log
        self._connection.verifier = None
        self._challenge = None

    def _who(self) -> str:
        login = self._hello.login if self._hello is not None else ""
        claim = f", login {login!r:.200}" if login else ""
        identity = self._connection.identity
        return f"{_shown(self._connection.where)}{claim}{'' if identity is None else f', as {identity!r:.200}'}"


class _Refused(Exception):
    """A step said no; carries the verdict to the one place that denies."""

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict


def _shown(text: str, most: int = 200) -> str:
    """Foreign text for the log: escaped (no line breaks, no terminal controls) and cut.

    Not `events.one_line`, which works on each character: what is denied costs the same, whatever the log says of it.
    """
    return repr(text if len(text) <= most else text[:most] + "...")[1:-1]
