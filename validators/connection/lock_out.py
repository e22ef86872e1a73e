"""A validator around another one that makes guessing slow: after some failures it denies for a while, then longer."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from ...errors import ConfigurationError, DenyReason
from ..networks import sender_of
from ..verdict import Verdict, deny, read_verdict
from ..window import check_clock, check_seconds
from .failures import Failures
from .roles import Around, check_validator_type, misled, needs_certificate, question_of, shown
from .scram import ScramChallenge
from .steps import Connection, ConnectionValidator, HostView

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

__all__ = ["lock_out"]

_MOST_AFTER = 1_000  # that many failures of each key are kept


class lock_out(Around):
    """Decides as `validator` does, and after too many failures of its `accept_identification` denies for a while.

    The lock begins with the failure that is number `after` within `forget_s`, lasts `first_s`, and each further
    failure doubles it, up to `most_s`. What comes meanwhile is denied without a look at its token, and counts for
    nothing. The peer is told what it would be told of a wrong passphrase; the log says more. Of attempts side by side
    no more are evaluated than of attempts one by one: before the first lock some wait for others, later only one is.

    Failures count by address (IPv6: by /64; a Unix socket's peers: by user), or by login, known or not: this stops
    guesses from many addresses, and also lets anybody lock anybody out. Who gives no login, and a scheme of one's own,
    count by address in either case. Success takes back the failures of the same login from the same address, and no
    others: an account of one's own does not buy guesses at other people's.

    It remembers 20,000 addresses or logins, and forgets those with the fewest failures first. Around `any_of`, a wrong
    passphrase counts also where something else in it said yes.

    Args:
        validator: None: the default one, over the host's passphrases.
        clock: Seconds that never run backwards.
    """

    def __init__(
        self,
        validator: ConnectionValidator | None = None,
        *,
        after: int = 5,
        first_s: float = 1.0,
        most_s: float = 3600.0,
        forget_s: float = 86_400.0,
        per: Literal["address", "login"] = "address",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.validator = ConnectionValidator() if validator is None else validator
        check_validator_type("lock_out()", self.validator)
        if type(after) is not int or not 1 <= after <= _MOST_AFTER:
            raise ConfigurationError(f"lock_out(after={after!r}): a number of failures from 1 to {_MOST_AFTER}")
        for name, seconds in (("first_s", first_s), ("most_s", most_s), ("forget_s", forget_s)):
            check_seconds(f"lock_out({name}={seconds!r})", seconds)
        if not first_s <= most_s <= forget_s:
            raise ConfigurationError("lock_out(): first_s= is at most most_s=, and that at most forget_s=")
        if per not in ("address", "login"):
            raise ConfigurationError(f'lock_out(per={per!r}): "address" or "login"')
        self.per = per
        self._failures = Failures(
            after=after, first_s=first_s, most_s=most_s, forget_s=forget_s, clock=check_clock("lock_out", clock)
        )
        inner = () if validator is None else (shown(self.validator),)
        times = f"after={after}, first_s={first_s:g}, most_s={most_s:g}, forget_s={forget_s:g}, per={per!r}"
        self._repr = f"lock_out({', '.join((*inner, times))})"
        self._needs_certificate = needs_certificate(self.validator)
        self._stock = lock_out
        self._proves = True
        self._question = question_of(self.validator)

    def __repr__(self) -> str:
        return self._repr

    def accept_identification(
        self, host: HostView, connection: Connection, token: Any, challenge: Any
    ) -> bool | Verdict:
        # HELLO names a login that nobody has to mean, but where the token is checked against it.
        login = challenge.login if type(challenge) is ScramChallenge else ""
        sender = sender_of(connection.address[0])
        by_login = self.per == "login" and login
        key, who = (("login", login), sender) if by_login else (("address", sender), login)
        where = "at this login" if by_login else f"from {sender}"
        locked_s = self._failures.begin(key)
        if locked_s is not None:
            how = f"locked for {locked_s:.3g} s more" if locked_s else "one attempt at a time"
            return deny(DenyReason.SECURITY, f"{how} after too many failures {where}")
        failed, clear, now_locked_s = True, False, 0.0
        try:
            verdict = read_verdict(self.validator.accept_identification(host, connection, token, challenge))
            failed = not verdict or misled(self.validator, connection)
            clear = not failed and bool(login) and connection.verifier is not None
        finally:
            now_locked_s = self._failures.end(key, who, failed=failed, clear=clear)
        if not verdict and now_locked_s:
            return replace(verdict, reason=f"{verdict.reason}; {where} locked for {now_locked_s:.3g} s now")
        return verdict

    def _misled(self, connection: Connection) -> bool:
        return misled(self.validator, connection)

    # --- handed on as they are

    def accept_host(self, host: HostView, connection: Connection) -> bool | Verdict:
        return self.validator.accept_host(host, connection)

    def check_certificate(self, certificate: "Certificate | None") -> bool | Verdict:
        return self.validator.check_certificate(certificate)

    def create_auth_challenge(self, host: HostView, connection: Connection) -> Any:
        return self.validator.create_auth_challenge(host, connection)

    def accept_identity(self, host: HostView, connection: Connection) -> bool | Verdict:
        return self.validator.accept_identity(host, connection)

    def create_host_proof(self, host: HostView, connection: Connection, token: Any, challenge: Any) -> Any:
        return self.validator.create_host_proof(host, connection, token, challenge)

    def munge_identification(self, identity: Any) -> Any:
        return self.validator.munge_identification(identity)

    def create_auth_token(
        self, identity: Any, challenge: Any, peer_address: tuple[str, int] | None, uri: Any, host: HostView | None
    ) -> Any:
        return self.validator.create_auth_token(identity, challenge, peer_address, uri, host)

    def check_host_proof(self, identity: Any, challenge: Any, token: Any, proof: Any) -> bool | Verdict:
        return self.validator.check_host_proof(identity, challenge, token, proof)
