"""Passphrases as a host keeps them."""

from collections.abc import Iterator

import pytest
from emporion.errors import ConfigurationError
from emporion.validators.connection import scram
from emporion.validators.connection import verifiers as module
from emporion.validators.connection.scram import client_proof, prepare, proves, stretch
from emporion.validators.connection.verifiers import Verifiers

MESSAGE = b"what both ends saw"
FEW = 4096


def proof(verifiers: Verifiers, passphrase: str) -> bytes:
    return client_proof(stretch(prepare(passphrase), verifiers.salt, verifiers.iterations), MESSAGE)


def label(verifiers: Verifiers, login: str, passphrase: str) -> str | None:
    found, why = verifiers.find(login, MESSAGE, proof(verifiers, passphrase))
    assert (found is None) == bool(why)
    return "-" if found is None else found.label


def test_any_passphrase_of_a_list_opens_and_gives_no_identity() -> None:
    verifiers = Verifiers(["one", "two"], iterations=FEW)
    assert [label(verifiers, "", passphrase) for passphrase in ("one", "two", "three")] == [None, None, "-"]


def test_a_labelled_passphrase_gives_its_label_with_or_without_login() -> None:
    verifiers = Verifiers({"ann": "one", "bob": "two"}, iterations=FEW)
    assert label(verifiers, "", "two") == "bob"
    assert label(verifiers, "bob", "two") == "bob"
    assert label(verifiers, "bob", "one") == "-"
    assert label(verifiers, "carol", "one") == "-"


def test_a_shared_password_needs_the_login() -> None:
    verifiers = Verifiers({"ann": "same", "bob": "same"}, iterations=FEW)
    assert label(verifiers, "", "same") == "-"
    assert label(verifiers, "ann", "same") == "ann"


@pytest.mark.parametrize("passphrase", ["first", "last", "wrong"])
def test_every_verifier_is_tried_wherever_the_match_stands(passphrase: str, monkeypatch: pytest.MonkeyPatch) -> None:
    verifiers = Verifiers(["first", "middle", "last"], iterations=FEW)
    tried: list[bytes] = []

    def counting(stored: bytes, message: bytes, proof: bytes) -> bool:
        tried.append(stored)
        return proves(stored, message, proof)

    monkeypatch.setattr(module, "proves", counting)
    verifiers.find("", MESSAGE, proof(verifiers, passphrase))
    assert len(set(tried)) == 3


@pytest.mark.parametrize("login", ["ann", "nobody"])
def test_an_unknown_login_costs_as_much_as_a_known_one(login: str, monkeypatch: pytest.MonkeyPatch) -> None:
    verifiers = Verifiers({"ann": "one"}, iterations=FEW)
    tried: list[bytes] = []

    def counting(stored: bytes, message: bytes, proof: bytes) -> bool:
        tried.append(stored)
        return proves(stored, message, proof)

    monkeypatch.setattr(module, "proves", counting)
    assert verifiers.find(login, MESSAGE, bytes(32))[0] is None
    assert len(tried) == 1


def test_an_unknown_login_stays_out_even_with_a_good_proof_for_nobody() -> None:
    assert label(Verifiers({"ann": "one"}, iterations=FEW), "nobody", "") == "-"


def test_the_empty_set_opens_to_nobody() -> None:
    for login in ("", "ann"):
        assert label(Verifiers([], iterations=FEW), login, "anything") == "-"


def test_nothing_of_a_passphrase_is_kept() -> None:
    verifiers = Verifiers(["a very secret passphrase"], iterations=FEW)
    keys = stretch("a very secret passphrase", verifiers.salt, FEW)
    kept = [value for v in verifiers._verifiers for value in (v.stored_key, v.server_key)]
    assert keys.client not in kept
    assert "secret" not in repr(verifiers)


def test_building_verifiers_leaves_no_client_key_in_the_cache() -> None:
    before = dict(scram._stretched._known)
    Verifiers(["never cached"], iterations=FEW)
    assert scram._stretched._known == before


def test_the_salt_stays_when_the_passphrases_change() -> None:
    old = Verifiers(["one"], iterations=FEW)
    new = old.with_passphrases({"ann": "two"})
    assert (new.salt, new.iterations) == (old.salt, old.iterations)
    assert label(new, "", "two") == "ann"
    assert label(new, "", "one") == "-"


def test_two_hosts_never_share_a_salt() -> None:
    assert Verifiers([], iterations=FEW).salt != Verifiers([], iterations=FEW).salt


def test_too_many_passphrases_are_not_all_tried_for_a_stranger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_TRIED", 1)
    verifiers = Verifiers({"ann": "one", "bob": "two"}, iterations=FEW)
    assert label(verifiers, "", "one") == "-"
    assert label(verifiers, "ann", "one") == "ann"


def test_a_login_is_compared_in_its_prepared_form() -> None:
    verifiers = Verifiers({"Rene\u0301": "one"}, iterations=FEW)
    assert label(verifiers, "Ren\u00e9", "one") == "Rene\u0301"


@pytest.mark.parametrize(
    "passphrases",
    [
        "one text",
        [""],
        ["ok", ""],
        [None],
        [b"bytes"],
        {"ann": ""},
        {"": "one"},
        {"ann\n": "one"},
        {"a" * 256: "one"},
        {"\u00e9": "one", "e\u0301": "two"},
        ["line\n"],
    ],
)
def test_what_could_never_open_a_host_is_said_at_once(passphrases: object) -> None:
    with pytest.raises(ConfigurationError):
        Verifiers(passphrases, iterations=FEW)  # type: ignore[arg-type]


def test_an_error_about_a_passphrase_does_not_repeat_it() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Verifiers(["hush hush\n"], iterations=FEW)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("iterations", [0, 4095, 5_000_001])
def test_iterations_that_clients_would_refuse_are_refused_here(iterations: int) -> None:
    with pytest.raises(ConfigurationError):
        Verifiers([], iterations=iterations)


@pytest.mark.parametrize("salt", [b"", b"short", b"x" * 65])
def test_a_salt_has_a_sensible_length(salt: bytes) -> None:
    with pytest.raises(ConfigurationError):
        Verifiers([], iterations=FEW, salt=salt)


# --- changes ----------------------------------------------------------------------------------------------------


def test_a_passphrase_is_added_replaced_and_removed() -> None:
    first = Verifiers(["any"], iterations=FEW)
    both = first.added("one", "ann")
    assert (label(both, "", "one"), label(both, "ann", "one"), label(both, "", "any")) == ("ann", "ann", None)
    assert (both.salt, both.iterations) == (first.salt, first.iterations)
    other = both.added("two", "ann", replace=True)
    assert (label(other, "ann", "two"), label(other, "", "one"), len(other)) == ("ann", "-", 2)
    assert label(other.removed("ann"), "", "two") == "-"
    assert label(other.removed(passphrase="any"), "", "any") == "-"
    assert len(first) == 1  # a set never changes


def test_a_label_is_replaced_in_whatever_spelling_it_comes() -> None:
    verifiers = Verifiers({"Rene\u0301": "one"}, iterations=FEW)
    with pytest.raises(ConfigurationError, match="--replace"):
        verifiers.added("two", "Ren\u00e9")
    assert [one.label for one in verifiers.added("two", "Ren\u00e9", replace=True)] == ["Ren\u00e9"]
    assert len(verifiers.removed("Ren\u00e9")) == 0


def test_what_is_not_there_cannot_be_removed_nor_what_is_there_be_added() -> None:
    verifiers = Verifiers(["any"], iterations=FEW).added("one", "ann")
    for wrong in (
        lambda: verifiers.removed("bob"),
        lambda: verifiers.removed(passphrase="other"),
        lambda: verifiers.removed(passphrase="one"),  # it has a label: that is how it is removed
        lambda: verifiers.removed(),
        lambda: verifiers.added("any"),
        lambda: verifiers.added("two", "ann"),
        lambda: verifiers.added("", "bob"),
        lambda: verifiers.added("x", ""),
        lambda: verifiers.added("x", "a\nb"),
        lambda: verifiers.added("x", "a\0b"),
        lambda: verifiers.added("x", "a" * 1_000_000),
        lambda: verifiers.added("x" * 1_000_000, "bob"),
        lambda: verifiers.check("x", ""),
        lambda: verifiers.check(""),
    ):
        with pytest.raises(ConfigurationError) as caught:
            wrong()
        assert len(str(caught.value)) < 300


def test_more_passphrases_than_a_host_should_keep_are_refused_before_they_are_all_stretched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MAX_PASSPHRASES", 3)
    asked = 0

    def endless() -> Iterator[str]:
        nonlocal asked
        while True:
            asked += 1
            yield f"passphrase {asked}"

    with pytest.raises(ConfigurationError, match="more than 3 passphrases"):
        Verifiers(endless(), iterations=FEW)
    assert asked == 4
    with pytest.raises(ConfigurationError, match="more than 3"):
        Verifiers(["1", "2", "3"], iterations=FEW).added("4")


def test_where_clients_need_a_login_each_passphrase_needs_a_label(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_TRIED", 2)
    full = Verifiers({"ann": "one", "bob": "two"}, iterations=FEW)
    assert len(full.added("three", "carol")) == 3
    with pytest.raises(ConfigurationError, match="give each a label"):
        full.added("three")
    with pytest.raises(ConfigurationError, match="give each a label"):
        Verifiers(["one", "two", "three"], iterations=FEW)


def test_a_kept_set_is_checked_like_a_new_one() -> None:
    kept = list(Verifiers({"ann": "one"}, iterations=FEW))
    for iterations, salt, verifiers in (
        (1, b"x" * 16, kept), (FEW, b"x", kept), (FEW, b"x" * 16, kept * 2),
    ):  # fmt: skip
        with pytest.raises(ConfigurationError):
            Verifiers.of(verifiers, iterations=iterations, salt=salt)
