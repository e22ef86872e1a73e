"""What a host goes by when it asks for passphrases, wherever it has them from."""

import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence

from ...errors import ConfigurationError
from .verifier_file import VerifierFile
from .verifiers import Verifiers

__all__ = ["GivenPassphrases", "Passphrases"]

GivenPassphrases = Sequence[str] | Mapping[str, str] | Verifiers | VerifierFile | os.PathLike[str] | None


class Passphrases:
    """A host's passphrases, which may change while it runs. Thread-safe."""

    def __init__(self, given: GivenPassphrases) -> None:
        """Take a list, {label: passphrase}, verifiers, or a file of them (or its path); None: nobody is asked.

        Raises:
            ConfigurationError: Passphrases that could never be right, a file that cannot be used.
        """
        self._lock = threading.Lock()
        self._changing = 0  # the thread that is at it
        self._source = _read(given, None)
        self.current()

    def current(self) -> Verifiers | None:
        """The verifiers that hold now; None: nobody is asked.

        Raises:
            ConfigurationError: They are in a file that cannot be used any more: nobody may come in.
        """
        source = self._source
        return source.current() if isinstance(source, VerifierFile) else source

    @property
    def wanted(self) -> bool:
        """Whether anybody is asked for one, be there any that is right or not."""
        return self._source is not None

    def change(self, given: GivenPassphrases | Callable[[Verifiers], Verifiers]) -> None:
        """Go by `given` from now on. Changes come one after the other: who begins last has the last word.

        A list or mapping is stretched with the salt and cost there is. A callable is given the present verifiers and
        gives those to come, which go into the file where they are in one; no other change comes between.

        Raises:
            ConfigurationError: As above, a callable where there are no verifiers, or one that changes them by itself.
                What held before still holds.
        """
        if self._changing == threading.get_ident():  # it would wait for itself
            raise ConfigurationError("what changes the passphrases gives the new ones, and changes nothing by itself")
        with self._lock:
            self._changing = threading.get_ident()
            try:
                self._change(given)
            finally:
                self._changing = 0

    def _change(self, given: GivenPassphrases | Callable[[Verifiers], Verifiers]) -> None:
        source = self._source
        if isinstance(given, Verifiers | VerifierFile) or not callable(given):
            following = _read(given, source)
            if isinstance(following, VerifierFile):
                following.current()
            self._source = following
        elif isinstance(source, VerifierFile):
            source.update(given)
        elif source is None:
            raise ConfigurationError("this host has no passphrases that could be changed: give it a list")
        else:
            self._source = _checked(given(source))


def _read(given: GivenPassphrases, before: Verifiers | VerifierFile | None) -> Verifiers | VerifierFile | None:
    if given is None or isinstance(given, Verifiers | VerifierFile):
        return given
    if isinstance(given, os.PathLike):
        return VerifierFile(given)
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        what = "one string" if isinstance(given, str | bytes) else type(given).__name__
        raise ConfigurationError(
            f"passphrases= takes a list or {{identity: passphrase}}, not {what}; a verifier file as a pathlib.Path"
        )
    try:
        known = before.current() if isinstance(before, VerifierFile) else before
    except ConfigurationError:  # the file is what the operator wants to be rid of
        known = None
    return Verifiers(given) if known is None else known.with_passphrases(given)


def _checked(verifiers: object) -> Verifiers:
    if not isinstance(verifiers, Verifiers):
        raise ConfigurationError(f"what changes the passphrases gave {type(verifiers).__name__}: Verifiers are needed")
    return verifiers
