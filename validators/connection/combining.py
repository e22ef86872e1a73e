"""Several connection validators as one: all of them, or any of them."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from ...errors import ConfigurationError, DenyReason
from ..verdict import ACCEPT, MAX_REASON_CHARS, Verdict, deny, read_verdict
from .lock_out import lock_out
from .roles import Around, Question, check_validator_type, misled, needs_certificate, proves, question_of, shown, tried
from .steps import Connection, ConnectionValidator, HostView
from .verifiers import Verifier

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

__all__ = ["all_of", "any_of"]

_DEFAULT: Final = ConnectionValidator()
_NOBODY: Final = Connection(("", 0))
_NOBODY.tell = lambda *_: None  # of a certificate that a validator raised at, accept_host has told already
_QUESTIONS: Final = (Question.OWN, Question.HOSTS, Question.NONE)


class _Several(Around):
    """What both have in common: one challenge, and the client's steps of whoever asks it."""

    def __init__(self, *validators: ConnectionValidator) -> None:
        if not validators:
            raise ConfigurationError(f"{type(self).__name__}() needs at least one validator")
        for validator in validators:
            check_validator_type(f"{type(self).__name__}()", validator)
        self.validators = validators
        proving = [validator for validator in validators if proves(validator)]
        self._proves = bool(proving)
        self._answered = self._parties(proving)
        questions = [question_of(validator) for validator in self._answered]
        asking = [one for one, question in zip(self._answered, questions, strict=True) if question is Question.OWN]
        if len(asking) > 1:
            names = " and ".join(map(shown, asking))
            raise ConfigurationError(
                f"{type(self).__name__}(): one handshake asks one question, and {names} each ask one of their own"
            )
        # Where there is no own question, the host's passphrases are asked for, if anybody's proof goes by them.
        self._question = next(one for one in _QUESTIONS if one in questions)
        self._asking = self._answered[questions.index(self._question)]

    @abstractmethod
    def _parties(self, proving: list[ConnectionValidator]) -> Sequence[ConnectionValidator]:
        """Those whose proof can count, given those with one of their own."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(shown, self.validators))})"

    def create_auth_challenge(self, host: HostView, connection: Connection) -> Any:
        return self._asking.create_auth_challenge(host, connection)

    def munge_identification(self, identity: Any) -> Any:
        return self._asking.munge_identification(identity)

    def create_auth_token(
        self, identity: Any, challenge: Any, peer_address: tuple[str, int] | None, uri: Any, host: HostView | None
    ) -> Any:
        return self._asking.create_auth_token(identity, challenge, peer_address, uri, host)

    def check_host_proof(self, identity: Any, challenge: Any, token: Any, proof: Any) -> bool | Verdict:
        return self._asking.check_host_proof(identity, challenge, token, proof)


class all_of(_Several):
    """Lets in whom every validator inside lets in. Gates add their conditions; every own proof must hold.

    Where none has a proof of its own, the default one is asked, once. The identity is that which the first proof
    gives that gives one. Nobody is asked after a denial: put what is cheap first, and `rate` behind other gates.

    Raises:
        ConfigurationError: Two of them ask a question of their own: one handshake has one challenge.
    """

    def __init__(self, *validators: ConnectionValidator) -> None:
        super().__init__(*validators)
        self._needs_certificate = any(map(needs_certificate, validators))
        self._stock = all_of
        for one in self._answered:
            if self._question is Question.OWN and isinstance(one, lock_out) and not proves(one.validator):
                other = type(self._asking).__name__
                raise ConfigurationError(
                    f"all_of(): {shown(one)} guards the host's passphrases, which nobody is asked for beside {other}: "
                    f"write lock_out({other}(...))"
                )

    def _parties(self, proving: list[ConnectionValidator]) -> Sequence[ConnectionValidator]:
        return proving or [_DEFAULT]

    def accept_host(self, host: HostView, connection: Connection) -> bool | Verdict:
        for one in self.validators:
            verdict = _named(one, read_verdict(one.accept_host(host, connection)))
            if verdict and _bound(connection):
                verdict = _named(one, read_verdict(one.check_certificate(connection.certificate)))
            if not verdict:
                return verdict
        return ACCEPT

    def check_certificate(self, certificate: "Certificate | None") -> bool | Verdict:
        for one in self.validators:
            verdict = _named(one, read_verdict(one.check_certificate(certificate)))
            if not verdict:
                return verdict
        return ACCEPT

    def accept_identification(
        self, host: HostView, connection: Connection, token: Any, challenge: Any
    ) -> bool | Verdict:
        before, identity, verifier = connection.identity, None, None
        for one in self._answered:
            connection.identity, connection.verifier = before, None
            verdict = _named(one, read_verdict(one.accept_identification(host, connection, token, challenge)))
            if not verdict:
                connection.identity, connection.verifier = before, None
                return verdict
            identity = connection.identity if identity is None else identity
            verifier = connection.verifier if verifier is None else verifier
        connection.identity, connection.verifier = identity, verifier
        return ACCEPT

    def accept_identity(self, host: HostView, connection: Connection) -> bool | Verdict:
        # Proofs first: an `any_of` among them may settle only now who it is, and gates go by that.
        for one in sorted(self.validators, key=proves, reverse=True):
            verdict = _named(one, read_verdict(one.accept_identity(host, connection)))
            if not verdict:
                return verdict
        return ACCEPT

    def create_host_proof(self, host: HostView, connection: Connection, token: Any, challenge: Any) -> Any:
        proofs = [one.create_host_proof(host, connection, token, challenge) for one in self._answered]
        return next((proof for proof in proofs if proof is not None), None)

    def _misled(self, connection: Connection) -> bool:
        return any(misled(one, connection) for one in self.validators)


@dataclass(slots=True)
class _Progress:
    """How far one connection has come, in each branch."""

    alive: list[tuple[ConnectionValidator, str | None]]  # let through by accept_host, with the identity it set
    fallen: list[Verdict]
    proved: list[tuple[ConnectionValidator, str | None]] = field(default_factory=list)  # with the identity proved
    first: str | None = None  # the identity with which accept_identification ended
    misled: bool = False


class any_of(_Several):
    """Lets in whom at least one validator inside lets in as a whole: its conditions, and its proof.

    A gate's proof is the default one. A token that is given is shown to every proof. The identity is that of the first
    validator that says yes to the end, the host's proof that of one which has one. A validator that raises counts as a
    denial, and is logged. The peer is told the code that the last denials share, or else SERVER_TOO_BUSY if it is among
    them, or else SECURITY.

    Raises:
        ConfigurationError: Two of them ask a question of their own: one handshake has one challenge.
    """

    def __init__(self, *validators: ConnectionValidator) -> None:
        super().__init__(*validators)
        self._needs_certificate = all(map(needs_certificate, validators))
        self._stock = any_of
        self._progress: WeakKeyDictionary[Connection, _Progress] = WeakKeyDictionary()

    def _parties(self, proving: list[ConnectionValidator]) -> Sequence[ConnectionValidator]:
        return self.validators

    def accept_host(self, host: HostView, connection: Connection) -> bool | Verdict:
        before = connection.identity
        progress = _Progress([], [])
        for one in self.validators:
            connection.identity = before
            verdict = tried(one, connection, "accept_host", host, connection)
            if verdict and _bound(connection):
                verdict = tried(one, connection, "check_certificate", connection.certificate)
            if verdict:
                progress.alive.append((one, connection.identity))
            else:
                progress.fallen.append(_named(one, verdict))
        connection.identity = before
        self._progress[connection] = progress
        return ACCEPT if progress.alive else _joined(progress.fallen, progress.fallen)

    def check_certificate(self, certificate: "Certificate | None") -> bool | Verdict:
        verdicts = [_named(one, tried(one, _NOBODY, "check_certificate", certificate)) for one in self.validators]
        return ACCEPT if any(verdicts) else _joined(verdicts, verdicts)

    def accept_identification(
        self, host: HostView, connection: Connection, token: Any, challenge: Any
    ) -> bool | Verdict:
        progress = self._progress.get(connection)
        if progress is None or not progress.alive:
            return _OUT_OF_TURN
        if not self._proves:  # gates alone: their proof is the same, and is asked for once
            return super().accept_identification(host, connection, token, challenge)
        before = connection.identity
        verifiers: list[Verifier | None] = []
        denials: list[Verdict] = []
        right: list[bool] = []
        for one, identity in progress.alive:
            connection.identity, connection.verifier = identity, None
            verdict = tried(one, connection, "accept_identification", host, connection, token, challenge)
            if verdict:
                progress.proved.append((one, connection.identity))
                verifiers.append(connection.verifier)
            else:
                denials.append(_named(one, verdict))
            # The token is an answer to it; or, from a client without a login, to what the default one asks.
            if question_of(one) is self._question or connection.verifier is not None:
                right.append(bool(verdict) and not misled(one, connection))
        connection.identity, connection.verifier = before, None
        if not progress.proved:
            return _joined([*progress.fallen, *denials], denials)
        progress.misled = token is not None and bool(right) and not any(right)
        progress.fallen += denials
        progress.first = connection.identity = progress.proved[0][1]
        connection.verifier = next((verifier for verifier in verifiers if verifier is not None), None)
        return ACCEPT

    def accept_identity(self, host: HostView, connection: Connection) -> bool | Verdict:
        progress = self._progress.get(connection)
        if progress is None:
            return _OUT_OF_TURN
        before = connection.identity
        # Gates leave the identity to whoever proved it; so does an any_of beside a proof that took precedence.
        ours = self._proves and before == progress.first
        denials = []
        for one, identity in progress.proved if self._proves else progress.alive:
            connection.identity = identity if ours else before
            verdict = tried(one, connection, "accept_identity", host, connection)
            if verdict:
                return ACCEPT  # nobody else is asked: whoever counts connections must not count one under two names
            denials.append(_named(one, verdict))
        return _joined([*progress.fallen, *denials], denials)

    def create_host_proof(self, host: HostView, connection: Connection, token: Any, challenge: Any) -> Any:
        progress = self._progress.pop(connection, None)
        if progress is None:
            return None
        proving = [one for one, _ in progress.proved] or [_DEFAULT]
        proofs = [one.create_host_proof(host, connection, token, challenge) for one in proving]
        return next((proof for proof in proofs if proof is not None), None)

    def _misled(self, connection: Connection) -> bool:
        progress = self._progress.get(connection)
        return progress is not None and progress.misled


_OUT_OF_TURN: Final = deny(DenyReason.SECURITY, "any_of was asked without the steps before: call each in its turn")


def _bound(connection: Connection) -> bool:
    """Whether there is TLS, and with it a certificate to judge."""
    return connection.exchange is not None and connection.exchange.binding is not None


def _named(validator: ConnectionValidator, verdict: Verdict) -> Verdict:
    """A denial whose reason says who denied."""
    if verdict:
        return verdict
    return deny(verdict.code, f"{type(validator).__name__}: {verdict.reason or 'no'}"[:MAX_REASON_CHARS])


def _joined(all_: Sequence[Verdict], last: Sequence[Verdict]) -> Verdict:
    """One denial with the reasons of `all_`, and a code from the `last` step."""
    codes = {verdict.code for verdict in last}
    # Where they differ, no other single code would be true: another address, say, need not help.
    either = DenyReason.SERVER_TOO_BUSY if DenyReason.SERVER_TOO_BUSY in codes else DenyReason.SECURITY
    reasons = "; ".join(verdict.reason for verdict in all_)
    return deny(codes.pop() if len(codes) == 1 else either, reasons[:MAX_REASON_CHARS])
