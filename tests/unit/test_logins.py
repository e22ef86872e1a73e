"""Logins, and the host's last word: `accept_identity`, and what `Connection.closed` says."""

from pathlib import Path
from typing import Any

import pytest
from emporion.errors import ConfigurationError, DenyReason
from emporion.tests.handshaking import ANN, OPEN_TO_ALL, VERIFIERS, WRONG, Place, meet
from emporion.validators.connection import Connection, ConnectionValidator, Credentials, allowed_networks, logins
from emporion.validators.connection.verifier_file import VerifierFile
from emporion.validators.connection.verifiers import Verifiers

PEOPLE = logins(VERIFIERS)
NOT_OURS = Place(Verifiers(["of the host"], iterations=4096))  # whose passphrases nobody here knows


@pytest.mark.parametrize("place", [NOT_OURS, OPEN_TO_ALL])
def test_logins_open_instead_of_the_hosts_passphrases(place: Place) -> None:
    met = meet(PEOPLE, ANN, place=place)
    assert met.identity == "ann" and met.proved
    for identity in (WRONG, Credentials("eve", "battery"), Credentials(None, "correct horse"), None,
                     Credentials(None, "of the host"), Credentials("ann", "")):  # fmt: skip
        denied = meet(PEOPLE, identity, place=place)
        assert (denied.code, denied.asked) == (DenyReason.SECURITY, True), identity
    assert meet(PEOPLE, Credentials(None, "battery")).reason == "no login given"
    assert meet(PEOPLE, Credentials("ann", ""), place=place).reason == "no passphrase given"
    assert meet(PEOPLE, place=Place(max_connections=0)).code is DenyReason.SERVER_TOO_BUSY


def test_logins_ask_their_source_anew_for_each_handshake() -> None:
    class Book:
        verifiers: Any = VERIFIERS

        def current(self) -> Any:
            return self.verifiers

    book = Book()
    for gate in (logins(book), logins(lambda: book.verifiers)):
        book.verifiers = VERIFIERS
        assert meet(gate, ANN) and not meet(gate, Credentials("zoe", "new"))
        book.verifiers = VERIFIERS.with_passphrases({"zoe": "new"})
        assert not meet(gate, ANN) and meet(gate, Credentials("zoe", "new")).identity == "zoe"
        book.verifiers = None
        denied = meet(gate, ANN)
        assert denied.code is DenyReason.SECURITY
        assert denied.reason.startswith("nobody is let in: logins(") and denied.reason.endswith("has to give Verifiers")


def test_logins_go_by_a_verifier_file_as_it_is_now(tmp_path: Path) -> None:
    path = tmp_path / "people"
    file = VerifierFile(path)
    file.update(lambda now: now.added("correct horse", "ann"), new=lambda: Verifiers([], iterations=4096))
    for gate in (logins(file), logins(path)):
        assert repr(gate) == f"logins(VerifierFile({str(path)!r}))"
        assert meet(gate, ANN).identity == "ann" and not meet(gate, Credentials("zoe", "new"))
        file.update(lambda now: now.added("new", "zoe"))
        assert meet(gate, Credentials("zoe", "new")).identity == "zoe"
        file.update(lambda now: now.removed("zoe"))
    path.unlink()
    assert meet(gate, ANN).code is DenyReason.SECURITY


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (Verifiers(["pw"], iterations=4096), "none of these passphrases has a login"),
        (Path("/nowhere/at/all"), "there is no verifier file"),
        (["pw"], "logins(list): give {login: password}"),
        ("ann:secret", "logins(str)"),
        (None, "logins(NoneType)"),
        ({"ann": ""}, "'ann'"),
        ({"": "pw"}, "any passphrase"),
    ],
)
def test_a_source_without_logins_is_refused(source: Any, says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        logins(source)
    assert says in str(caught.value) and "secret" not in str(caught.value)


# --- what accept_identity and Connection.closed promise


class Last(ConnectionValidator):
    """Remembers whom it was asked about, and says what a test wants."""

    def __init__(self, answer: Any = True) -> None:
        self.answer = answer
        self.asked: list[tuple[str | None, bool]] = []

    def accept_identity(self, host: Any, connection: Connection) -> Any:
        self.asked.append((connection.identity, connection.closed))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_the_last_step_is_asked_once_the_proof_holds_and_not_before() -> None:
    last = Last()
    assert meet(last, WRONG).code is DenyReason.SECURITY and last.asked == []
    assert meet(last, ANN).identity == "ann" and last.asked == [("ann", False)]


@pytest.mark.parametrize("answer", [None, 0, 2, "yes", (1, 0), ValueError("x")])
def test_the_last_step_lets_in_with_a_clear_yes_only(answer: Any) -> None:
    met = meet(Last(answer))
    assert (met.code, met.asked, met.connection.identity) == (DenyReason.UNSPECIFIED, True, None)


def test_closed_is_true_for_who_was_not_let_in_and_false_for_who_is_there() -> None:
    met = [meet(allowed_networks("::1")), meet(PEOPLE, WRONG), meet(Last(False)), meet(PEOPLE)]
    assert [one.connection.closed for one in met] == [True, True, True, False]
