"""A proof by login and password, over verifiers of its own instead of the host's passphrases."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from ...errors import ConfigurationError, DenyReason
from ..verdict import Verdict, deny
from .steps import Connection, ConnectionValidator, HostView
from .verifiers import Verifiers

__all__ = ["VerifierSource", "logins"]


@runtime_checkable
class VerifierSource(Protocol):
    """Something that gives the verifiers as they are now, such as a file of them."""

    def current(self) -> Verifiers: ...


@dataclass(frozen=True, slots=True)
class _Instead:
    """A host as the default proof sees it, with other verifiers, and closed to who gives nothing."""

    current: Callable[[], Verifiers]
    host: HostView
    allow_anonymous: bool = False

    @property
    def verifiers(self) -> Verifiers:
        return self.current()

    @property
    def max_connections(self) -> int:
        return self.host.max_connections

    def connections(self) -> Sequence[Any]:
        return self.host.connections()


class logins(ConnectionValidator):
    """Lets in who proves a login and its password; the login is the identity. The host's passphrases do not count.

    The proof is the default one, SCRAM-SHA-256 bound to the channel: clients say ``connect(..., login=, passphrase=)``.

    Args:
        source: {login: password}, stretched at once, about 120 ms each; `Verifiers`; a path of a verifier file;
            something whose ``current()`` gives the present `Verifiers`, such as a `VerifierFile`; or a function that
            does. Asked twice for each handshake: a change holds at once, and connections that are open stay. Where it
            raises a `ConfigurationError`, nobody comes in.

    Raises:
        ConfigurationError: It is none of these, has a login or password that nobody can give or no login at all, or
            ``current()`` has nothing to give.
    """

    def __init__(
        self,
        source: Mapping[str, str] | Verifiers | os.PathLike[str] | VerifierSource | Callable[[], Verifiers],
    ) -> None:
        if isinstance(source, Mapping):
            source = Verifiers(source)
        elif isinstance(source, os.PathLike):
            from .verifier_file import VerifierFile  # needs msgspec: loaded where it is used

            source = VerifierFile(source)
        self._current: Callable[[], object]
        if isinstance(source, Verifiers):
            fixed = source
            if len(fixed) and all(one.label is None for one in fixed):
                raise ConfigurationError("logins(): none of these passphrases has a login: give {login: password}")
            self._shown = repr(fixed)
            self._current = lambda: fixed
        elif not isinstance(source, type) and isinstance(source, VerifierSource):
            self._shown = repr(source)
            self._current = source.current
            self._verifiers()
        elif callable(source):
            self._shown = getattr(source, "__qualname__", None) or repr(source)
            self._current = source
        else:  # not shown: it may be a list of passwords
            raise ConfigurationError(
                f"logins({type(source).__name__}): give {{login: password}}, Verifiers, a pathlib.Path of a verifier "
                "file, something with current(), or a function that gives Verifiers"
            )

    def __repr__(self) -> str:
        return f"logins({self._shown})"

    def create_auth_challenge(self, host: HostView, connection: Connection) -> Any:
        exchange = connection.exchange
        if exchange is not None and not exchange.login and host.verifiers is not None:
            # Nobody comes in here without a login. Beside a gate, in `any_of`, the host's passphrases are left to try.
            return super().create_auth_challenge(host, connection)
        return super().create_auth_challenge(self._instead(host), connection)

    def accept_identification(
        self, host: HostView, connection: Connection, token: Any, challenge: Any
    ) -> bool | Verdict:
        if not getattr(challenge, "login", ""):
            return deny(DenyReason.SECURITY, "no login given")
        return super().accept_identification(self._instead(host), connection, token, challenge)

    def _instead(self, host: HostView) -> _Instead:
        return _Instead(self._verifiers, host)

    def _verifiers(self) -> Verifiers:
        verifiers = self._current()
        if not isinstance(verifiers, Verifiers):
            raise ConfigurationError(f"{self!r} gave {type(verifiers).__name__}: it has to give Verifiers")
        return verifiers
