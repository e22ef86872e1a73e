"""Who may connect: the steps that decide and prove it, each to be overridden, with SCRAM-SHA-256 as their default."""

import hmac
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from ...errors import ConfigurationError, ConnectionDenied, DenyReason
from ..verdict import ACCEPT, Verdict, deny
from .scram import (
    MAX_ITERATIONS,
    MIN_ITERATIONS,
    Exchange,
    Keys,
    ScramChallenge,
    client_proof,
    prepare,
    server_signature,
    stretch_once,
)
from .verifiers import Verifier, Verifiers

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

__all__ = ["Connection", "ConnectionValidator", "Credentials", "HostView"]

log = logging.getLogger("emporion.connection")


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client proves: a passphrase alone, or the password of a login. Never sent, never shown."""

    login: str | None
    passphrase: str = field(repr=False)


class HostView(Protocol):
    """What the default validator asks of a host."""

    @property
    def verifiers(self) -> Verifiers | None:
        """Those that hold now; None: nobody is asked. Raises `ConfigurationError` where nobody may come in."""
    @property
    def allow_anonymous(self) -> bool: ...
    @property
    def max_connections(self) -> int: ...
    def connections(self) -> Sequence[Any]:
        """Connections accepted earlier; the one that is being judged is not among them."""


class Connection:
    """One peer of a host, as validators and hosted methods see it. Validators may set attributes of their own on it."""

    def __init__(
        self,
        address: tuple[str, int],
        *,
        certificate: "Certificate | None" = None,
        on_close: Callable[[str], object] | None = None,
    ) -> None:
        """`address` is (ip, port), or a Unix socket's peer; `on_close` is called with the reason, from any thread."""
        self.address = address
        self.certificate = certificate
        self.identity: str | None = None  # label or login, once proved
        self.exchange: Exchange | None = None  # while the handshake runs
        self.verifier: Verifier | None = None  # the one that matched, from accept_identification to create_host_proof
        # A line about a denial: (level, text, *details). Whoever floods a host gets no more of them than its log bears.
        self.tell: Callable[..., None] = log.log
        self.closed = False  # it is over, or was never let in; nothing more comes from it
        self._on_close = on_close

    @property
    def where(self) -> str:
        """The address as the log has it: ``192.0.2.1:4711``, ``[2001:db8::1]:4711``, ``uid=1000,pid=123``."""
        ip, port = self.address
        return (f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}") if port else ip

    def attach(self, on_close: Callable[[str], object]) -> None:
        """From now on `close` calls this: the connection has become a session."""
        self._on_close = on_close

    def close(self, reason: str = "") -> None:
        """End the connection; `reason` goes to the host's log, not to the peer."""
        if self._on_close is not None:
            self._on_close(reason)

    def __repr__(self) -> str:
        return f"<Connection from {self.address!r} as {self.identity!r}>"


class ConnectionValidator:
    """The steps of the handshake in the order in which they run; docs/handshake.md shows who calls which.

    Override any of them. A step that decides returns a bool, 0, 1 or a `Verdict`; anything else, and whatever it
    raises, denies (raise `ConnectionDenied` to choose the code). Steps run in the host's connection threads, several
    at a time.

    A challenge of one's own is bytes (both ends then get 16 bytes derived from them and from the channel), a tuple
    (both ends get it with those 16 bytes appended), or None (nothing is asked). Tokens and proofs are None, bool, int,
    str, bytes or tuples of those. A scheme that compares tokens at the host keeps password equivalents there.
    """

    # --- at the host

    def accept_host(self, host: HostView, connection: Connection) -> bool | Verdict:
        """First of all: may this address connect? By default, while `max_connections` is not reached."""
        if len(host.connections()) >= host.max_connections:
            return deny(DenyReason.SERVER_TOO_BUSY, f"max_connections={host.max_connections} reached")
        return ACCEPT

    def check_certificate(self, certificate: "Certificate | None") -> bool | Verdict:
        """With TLS: is this client certificate welcome? None: the client showed none.

        TLS has proved by then that the client owns it, and that the CA in `TLS` signed it.
        """
        return ACCEPT

    def create_auth_challenge(self, host: HostView, connection: Connection) -> Any:
        """What the client has to answer; by default a `ScramChallenge`, or None at a host without passphrases."""
        verifiers, exchange = _present(host), connection.exchange
        if verifiers is None or exchange is None:
            return None
        return exchange.scram(verifiers.salt, verifiers.iterations)

    def accept_identification(
        self, host: HostView, connection: Connection, token: Any, challenge: Any
    ) -> bool | Verdict:
        """Is `token` the right answer to `challenge`? Sets `connection.identity`.

        `challenge` is this end's own; what the client claims about it counts for nothing.
        """
        if token is None:
            return ACCEPT if host.allow_anonymous else deny(DenyReason.SECURITY, "no passphrase given")
        verifiers = _present(host)
        if verifiers is None or type(challenge) is not ScramChallenge or type(token) is not bytes:
            return deny(DenyReason.SECURITY, "an answer of another scheme than this host's")
        if verifiers.salt != challenge.salt or verifiers.iterations != challenge.iterations:
            return deny(DenyReason.SECURITY, "the passphrases changed during the handshake")
        connection.verifier, why = verifiers.find(challenge.login, challenge.message, token)
        if connection.verifier is None:
            return deny(DenyReason.SECURITY, why)
        connection.identity = connection.verifier.label
        return ACCEPT

    def accept_identity(self, host: HostView, connection: Connection) -> bool | Verdict:
        """The token was right, and `connection.identity` is who it is: may it come in now? The host's last word.

        By default everybody may. This is the place for rules about identities that leave the proof itself alone.
        """
        return ACCEPT

    def create_host_proof(self, host: HostView, connection: Connection, token: Any, challenge: Any) -> Any:
        """What proves the host to the client that was just accepted; None: this host proves nothing."""
        if connection.verifier is None or type(challenge) is not ScramChallenge:
            return None
        return server_signature(connection.verifier.server_key, challenge.message)

    # --- at the client

    def munge_identification(self, identity: Any) -> Any:
        """Turn what the user gave into what `create_auth_token` and `check_host_proof` get.

        By default `Credentials` are prepared (RFC 8265) and everything else stays as it is.

        Raises:
            ConnectionDenied: SECURITY; a character in it that no host can have in a passphrase or login.
        """
        if type(identity) is not Credentials:
            return identity
        try:
            login = None if identity.login is None else prepare(identity.login)
            return Credentials(login, prepare(identity.passphrase))
        except ValueError as error:
            text = f"no host takes such a passphrase or login: it has {error}"
            raise ConnectionDenied(DenyReason.SECURITY, text) from None

    def create_auth_token(
        self, identity: Any, challenge: Any, peer_address: tuple[str, int] | None, uri: Any, host: HostView | None
    ) -> Any:
        """The answer to `challenge`; at the client `host` is None. By default SCRAM's client proof, 32 bytes.

        Args:
            identity: What `munge_identification` gave; None for an anonymous client, whose token is None.
            challenge: A `ScramChallenge` with the host's salt and iterations and this end's view of the certificate.
            uri: What the user connects to, a `URI`; None at the host.

        Raises:
            ConnectionDenied: SECURITY; the host cannot prove itself, or its demands are out of bounds.
            ConfigurationError: An `identity` that only a validator of one's own understands.
        """
        if identity is None:
            return None
        if type(identity) is not Credentials:
            raise ConfigurationError(
                f"identity is {type(identity).__name__}: give connect() passphrase= and login=,"
                " or the connection_validator= that understands it"
            )
        keys = _keys(identity, challenge)
        return None if keys is None else client_proof(keys, challenge.message)

    def check_host_proof(self, identity: Any, challenge: Any, token: Any, proof: Any) -> bool | Verdict:
        """Has the host proved itself? Called once the host has accepted `token`.

        By default the host has to know the passphrase. A scheme of one's own that has no proof passes None; the
        handshake then insists on a fingerprint, a CA or ``verify_host=False``.
        """
        if type(identity) is Credentials:
            keys = _keys(identity, challenge)
            # Who does not know the passphrase may let everybody in, or send the client's own token back.
            if keys is None or type(proof) is not bytes:
                return deny(DenyReason.SECURITY, "the host did not prove that it knows the passphrase: check its URI")
            if not hmac.compare_digest(proof, server_signature(keys.server, challenge.message)):
                return deny(DenyReason.SECURITY, "the host's proof is wrong: it may be a stranger, check its URI")
            return ACCEPT
        if proof is not None:
            return deny(DenyReason.SECURITY, "a host proof that nobody here can check: override check_host_proof")
        return ACCEPT


def _present(host: HostView) -> Verifiers | None:
    try:
        return host.verifiers
    except ConfigurationError as error:  # their file is gone or damaged
        raise ConnectionDenied(DenyReason.SECURITY, f"nobody is let in: {error}") from None


def _keys(identity: Credentials, challenge: Any) -> Keys | None:
    """The stretched keys of `identity` for `challenge`; None for an empty passphrase, which proves nothing."""
    if challenge is None:
        raise ConnectionDenied(
            DenyReason.SECURITY,
            "this host asks nobody for a passphrase, so it cannot prove itself by yours:"
            " check the address, or connect without a passphrase",
        )
    if type(challenge) is not ScramChallenge:
        text = "the host has a scheme of its own: give connect() the connection_validator= that belongs to it"
        raise ConnectionDenied(DenyReason.SECURITY, text)
    if not MIN_ITERATIONS <= challenge.iterations <= MAX_ITERATIONS:
        bounds = f"{MIN_ITERATIONS} to {MAX_ITERATIONS}"
        text = f"the host asks for {challenge.iterations} iterations, this client takes {bounds}: do not trust it"
        raise ConnectionDenied(DenyReason.SECURITY, text)
    if not identity.passphrase:
        return None
    return stretch_once(identity.passphrase, challenge.salt, challenge.iterations)
