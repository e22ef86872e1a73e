"""Passphrases as a host keeps them: salted verifiers, from which nobody can log in."""

import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from ...errors import ConfigurationError
from .scram import (
    DEFAULT_ITERATIONS,
    DIGEST_BYTES,
    MAX_ITERATIONS,
    MIN_ITERATIONS,
    Keys,
    client_proof,
    prepare,
    proves,
    stretch,
)

__all__ = ["MAX_LOGIN_BYTES", "MAX_PASSPHRASES", "MAX_TRIED", "Verifier", "Verifiers"]

SALT_BYTES: Final = 16
MAX_LOGIN_BYTES: Final = 255  # of UTF-8; what a HELLO can carry
# Without a login every verifier is tried, 2.2 us each: a stranger must not cost the host more than milliseconds.
MAX_TRIED: Final = 1_000
# Of one set: to stretch them takes twenty minutes, to read them again from a file a tenth of a second. More need a
# database of the operator's, and a validator of his own that asks it.
MAX_PASSPHRASES: Final = 10_000


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
        iterations, salt = _costs(iterations, secrets.token_bytes(SALT_BYTES) if salt is None else salt)
        self._keep((_verifier(*pair, salt, iterations) for pair in _pairs(passphrases)), iterations, salt)

    def _keep(self, verifiers: Iterable[Verifier], iterations: int, salt: bytes) -> None:
        self.iterations, self.salt = iterations, salt
        self._verifiers = tuple(islice(verifiers, MAX_PASSPHRASES + 1))
        if len(self._verifiers) > MAX_PASSPHRASES:
            raise ConfigurationError(
                f"more than {MAX_PASSPHRASES:,} passphrases: so many need a database, and a connection_validator= of "
                "your own that asks it"
            )
        if len(self._verifiers) > MAX_TRIED and any(one.label is None for one in self._verifiers):
            raise ConfigurationError(
                f"among more than {MAX_TRIED:,} passphrases one without a label would open nothing: give each a label, "
                "which clients give as login"
            )
        self._by_login = _index(self._verifiers)
        # Unknown logins meet this one, so that they cost as much as known ones. No passphrase leads to it.
        self._dummy = Verifier(None, secrets.token_bytes(DIGEST_BYTES), secrets.token_bytes(DIGEST_BYTES))

    @classmethod
    def of(cls, verifiers: Iterable[Verifier], *, iterations: int, salt: bytes) -> "Verifiers":
        """A set as it was kept somewhere: verifiers that were all made with this salt and cost.

        Raises:
            ConfigurationError: A label that cannot be a login or comes twice, a cost out of bounds, too many.
        """
        kept = cls.__new__(cls)
        kept._keep(verifiers, *_costs(iterations, salt))
        return kept

    def with_passphrases(self, passphrases: Iterable[str] | Mapping[str, str]) -> "Verifiers":
        """The same salt and cost with other passphrases: handshakes under way and kept client keys stay good."""
        return Verifiers(passphrases, iterations=self.iterations, salt=self.salt)

    def added(self, passphrase: str, label: str | None = None, *, replace: bool = False) -> "Verifiers":
        """These and one more.

        Args:
            label: None: it gives no identity.
            replace: In the place of the one that has this label.

        Raises:
            ConfigurationError: As for `check_free`, and for `Verifiers`.
        """
        if not replace:
            self.check_free(label)
        known = None if label is None else self._by_login.get(_login(label))
        new = _verifier(label, passphrase, self.salt, self.iterations)
        if label is None and any(one.label is None and one.stored_key == new.stored_key for one in self):
            raise ConfigurationError("this passphrase is there already, without a label")
        return Verifiers.of([*(one for one in self if one is not known), new], **self._terms())

    def check_free(self, label: str | None) -> None:
        """Insist that nobody has this label, or one that is the same login.

        Raises:
            ConfigurationError: Somebody has, or it cannot be a login.
        """
        if label is not None and _login(label) in self._by_login:
            text = f"{label!r} has a passphrase already: remove that first, or give --replace (replace=True)"
            raise ConfigurationError(text)

    def removed(self, label: str | None = None, *, passphrase: str = "") -> "Verifiers":
        """These without that of `label`; with None the one without a label that `passphrase` belongs to.

        Raises:
            ConfigurationError: There is none.
        """
        if label is not None:
            gone = self._by_login.get(_login(label))
        else:
            stored = _verifier(None, passphrase, self.salt, self.iterations).stored_key
            gone = next((one for one in self if one.label is None and one.stored_key == stored), None)
        if gone is None:
            text = "no passphrase without a label is this one" if label is None else f"there is no label {label!r}"
            raise ConfigurationError(text)
        return Verifiers.of([one for one in self if one is not gone], **self._terms())

    def check(self, passphrase: str, login: str | None = None) -> tuple[Verifier | None, str]:
        """What a client with this passphrase would find open, as `find`; for who has the passphrase, not for a host.

        Raises:
            ConfigurationError: An empty passphrase, or one that no client can send; a login likewise.
        """
        keys = _keys("the passphrase", passphrase, self.salt, self.iterations)
        return self.find("" if login is None else _login(login), b"check", client_proof(keys, b"check"))

    def _terms(self) -> dict[str, Any]:
        return {"iterations": self.iterations, "salt": self.salt}

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

    def __iter__(self) -> Iterator[Verifier]:
        return iter(self._verifiers)

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
    where = "a passphrase" if label is None else f"the passphrase of {label!r:.99}"
    keys = _keys(where, passphrase, salt, iterations)
    return Verifier(label, keys.stored, keys.server)


def _keys(where: str, passphrase: str, salt: bytes, iterations: int) -> Keys:
    if not isinstance(passphrase, str) or not passphrase:
        raise ConfigurationError(f"{where} is empty or no text: give a text, or leave it out")
    try:
        prepared = prepare(passphrase)
    except ValueError as error:
        raise ConfigurationError(f"{where} has {error}") from None
    return stretch(prepared, salt, iterations)  # never kept: a host must not have client keys


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
        raise ConfigurationError(f"label {label!r:.99}: give a text; the empty name means 'any passphrase'")
    try:
        login = prepare(label)
    except ValueError as error:
        raise ConfigurationError(f"label {label[:40]!r} has {error}") from None
    if len(login.encode()) > MAX_LOGIN_BYTES:
        raise ConfigurationError(f"label {label[:40]!r}... is longer than {MAX_LOGIN_BYTES} bytes: shorten it")
    return login
