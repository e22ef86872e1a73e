"""Passphrases as a host keeps them: salted verifiers, from which nobody can log in."""

import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from ...errors import ConfigurationError
from .scram import DEFAULT_ITERATIONS, DIGEST_BYTES, MAX_ITERATIONS, MIN_ITERATIONS, Keys, prepare, proves, stretch

__all__ = ["MAX_LOGIN_BYTES", "MAX_TRIED", "Verifier", "Verifiers"]

SALT_BYTES: Final = 16
MAX_LOGIN_BYTES: Final = 255  # of UTF-8; what a HELLO can carry
# Without a login every verifier is tried, 2.2 us each: a stranger must not cost the host more than milliseconds.
MAX_TRIED: Final = 1_000


@dataclass(frozen=True, slots=True, repr=False)
class Verifier:
    """One passphrase: enough to check its proof and to prove that the host knows it, not enough to log in elsewhere."""

    label: str | None  # the identity it gives; None for a passphrase from a plain list
    stored_key: bytes
    server_key: bytes


class Verifiers:
    """Which passphrases open a host. Immutable: swap the whole object to change it while the host runs.

    One salt and one iteration count serve the whole set, so that clients need no user name. Neither the passphrases nor
    anything that could stand in for them is kept.
    """

    __slots__ = ("_by_login", "_dummy", "_verifiers", "iterations", "salt")

    def __init__(
        self,
        passphrases: Iterable[str] | Mapping[str, str],
        *,
        iterations: int = DEFAULT_ITERATIONS,
        salt: bytes | None = None,
    ) -> None:
        """Stretch each passphrase: about 120 ms each with the default `iterations`.

        Args:
            passphrases: A list (any of them opens, the identity is None) or {label: passphrase} (the label is the
                identity, and what a client may give as login). Empty: nobody gets in.
            iterations: From 4,096 (RFC 7677) to 5,000,000, which clients refuse to exceed.
            salt: 8 to 64 bytes; None draws 16. Keep it over a change, and clients need not stretch again.

        Raises:
            ConfigurationError: An empty passphrase, a label that cannot be a login, a character nobody should type.
        """
        self.iterations, self.salt = _costs(iterations, secrets.token_bytes(SALT_BYTES) if salt is None else salt)
        self._verifiers = tuple(
            _verifier(label, passphrase, self.salt, self.iterations) for label, passphrase in _pairs(passphrases)
        )
        self._by_login = _index(self._verifiers)
        # Unknown logins meet this one, so that they cost as much as known ones. No passphrase leads to it.
        self._dummy = Verifier(None, secrets.token_bytes(DIGEST_BYTES), secrets.token_bytes(DIGEST_BYTES))

    def with_passphrases(self, passphrases: Iterable[str] | Mapping[str, str]) -> "Verifiers":
        """The same salt and cost with other passphrases: handshakes under way and kept client keys stay good."""
        return Verifiers(passphrases, iterations=self.iterations, salt=self.salt)

    def find(self, login: str, message: bytes, proof: bytes) -> tuple[Verifier | None, str]:
        """The verifier that `proof` over `message` belongs to, or None and why, for the host's log.

        Args:
            login: As the client sent it; empty: any passphrase will do, and every verifier is tried to the end.
            message: `ScramChallenge.message` of the host's own challenge.
            proof: The client's 32 bytes; any other length proves nothing.
        """
        if login:
            known = self._by_login.get(login)
            proved = proves((known or self._dummy).stored_key, message, proof)
            return (known, "") if known and proved else (None, "wrong password" if known else "unknown login")
        if len(self._verifiers) > MAX_TRIED:
            return None, f"no login given, and more than {MAX_TRIED} passphrases to try"
        matches = [verifier for verifier in self._verifiers if proves(verifier.stored_key, message, proof)]
        if len({verifier.label for verifier in matches}) > 1:
            return None, "several labels share this passphrase: the client has to give its login"
        return (matches[0], "") if matches else (None, "wrong passphrase")

    def __len__(self) -> int:
        return len(self._verifiers)

    def __repr__(self) -> str:
        return f"<Verifiers: {len(self)} passphrases, {self.iterations} iterations>"


def _costs(iterations: int, salt: bytes) -> tuple[int, bytes]:
    if not MIN_ITERATIONS <= iterations <= MAX_ITERATIONS:
        raise ConfigurationError(f"iterations={iterations}: clients take {MIN_ITERATIONS} to {MAX_ITERATIONS}")
    if not 8 <= len(salt) <= 64:
        raise ConfigurationError(f"a salt of {len(salt)} bytes: give 8 to 64")
    return iterations, bytes(salt)


def _pairs(passphrases: Iterable[str] | Mapping[str, str]) -> Iterator[tuple[str | None, str]]:
    if isinstance(passphrases, str | bytes):
        raise ConfigurationError("passphrases: give a list of them, not one text (each letter would open the host)")
    if isinstance(passphrases, Mapping):
        yield from passphrases.items()
    else:
        yield from ((None, passphrase) for passphrase in passphrases)


def _verifier(label: str | None, passphrase: str, salt: bytes, iterations: int) -> Verifier:
    where = "a passphrase" if label is None else f"the passphrase of {label!r}"
    if not isinstance(passphrase, str) or not passphrase:
        raise ConfigurationError(f"{where} is empty or no text: give a text, or leave it out")
    try:
        prepared = prepare(passphrase)
    except ValueError as error:
        raise ConfigurationError(f"{where} has {error}") from None
    # Past the cache: a host must not keep client keys.
    keys: Keys = stretch.__wrapped__(prepared, salt, iterations)
    return Verifier(label, keys.stored, keys.server)


def _index(verifiers: Iterable[Verifier]) -> dict[str, Verifier]:
    index: dict[str, Verifier] = {}
    for verifier in verifiers:
        if verifier.label is None:
            continue
        login = _login(verifier.label)
        if login in index:
            raise ConfigurationError(f"label {verifier.label!r} and another one are the same login: rename one")
        index[login] = verifier
    return index


def _login(label: str) -> str:
    if not isinstance(label, str) or not label:
        raise ConfigurationError(f"label {label!r}: give a text; the empty name means 'any passphrase'")
    try:
        login = prepare(label)
    except ValueError as error:
        raise ConfigurationError(f"label {label!r} has {error}") from None
    if len(login.encode()) > MAX_LOGIN_BYTES:
        raise ConfigurationError(f"label {label[:40]!r}... is longer than {MAX_LOGIN_BYTES} bytes: shorten it")
    return login
