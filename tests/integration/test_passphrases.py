"""Passphrases of real hosts and clients: changed while they run, stolen, asked for late, and of every kind of text."""

import asyncio
import json
import logging
import socket
import threading
import unicodedata
from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import emporion
import pytest
from emporion import ConfigurationError, ConnectionDenied, DenyReason, VerifierFile, Verifiers
from emporion.tests.harbour import Ears, in_thread
from emporion.tests.unit.test_preparation import REFUSED, TAKEN
from emporion.tests.unit.test_verifier_file import DAMAGE, add, empty
from emporion.validators.connection.scram import DIGEST_BYTES, Keys, client_proof
from emporion.validators.connection.steps import Credentials

FEW = 4096


class Desk:
    @emporion.expose
    def who(self) -> str | None:
        return emporion.caller().identity


def opened(passphrases: Any, **options: Any) -> emporion.Host:
    host = emporion.Host("emporion+tcp://127.0.0.1:0", passphrases=passphrases, **options)
    host.register(Desk(), "desk")
    host.register(Desk(), "till")
    return host


def uri(host: emporion.Host, name: str = "desk") -> str:
    return f"{host.uri}{name}" if str(host.uri).endswith("/") else f"{host.uri}/{name}"


def who(host: emporion.Host, passphrase: Any, **options: Any) -> str | None:
    """As whom `passphrase` comes in; "-" where it is denied for reasons of security."""
    try:
        with emporion.connect(uri(host), passphrase=passphrase, **options) as desk:
            name: str | None = desk.who()
            return name
    except ConnectionDenied as denied:
        assert denied.reason is DenyReason.SECURITY
        return "-"


@pytest.fixture
def file(tmp_path: Path) -> VerifierFile:
    file = VerifierFile(tmp_path / "verifiers")
    add(file, "of nora", "nora")
    return file


# --- while the host runs ----------------------------------------------------------------------------------------


def test_a_change_of_the_file_counts_at_once_and_connections_stay(file: VerifierFile) -> None:
    with opened(file) as host, emporion.connect(uri(host), passphrase="of nora") as early:
        assert who(host, "of otto") == "-"
        add(file, "of otto", "otto")
        assert who(host, "of otto") == "otto"
        file.update(lambda now: now.removed("nora"))
        assert who(host, "of nora") == "-"
        assert early.who() == "nora"
        assert [one.label for one in host.verifiers or ()] == ["otto"]


@pytest.mark.parametrize("damage", ["cut", "empty", "another version", "missing", "open"])
def test_a_file_that_breaks_lets_nobody_in_until_it_is_mended(file: VerifierFile, damage: str, ears: Ears) -> None:
    whole = file.path.read_text()
    with opened(file.path, allow_anonymous=True) as host, emporion.connect(uri(host), passphrase="of nora") as early:
        if damage == "missing":
            file.path.unlink()
        elif damage == "open":
            file.path.chmod(0o644)
        else:
            file.path.write_text(DAMAGE[damage](whole))
        assert who(host, "of nora") == "-"
        assert who(host, None, verify_host=False) == "-"  # not even where all could come before
        told = [record.getMessage() for record in ears.records if "nobody is let in" in record.getMessage()]
        assert len(told) == 2 and all(str(file.path) in text for text in told)
        assert early.who() == "nora"
        with pytest.raises(ConfigurationError):
            assert host.verifiers
        file.path.unlink(missing_ok=True)
        file.path.touch(0o600)
        file.path.write_text(whole)
        assert who(host, "of nora") == "nora"


def test_a_host_whose_file_cannot_be_used_does_not_begin(file: VerifierFile, tmp_path: Path) -> None:
    file.path.write_text("damage")
    for given in (file, file.path, tmp_path / "none"):
        with pytest.raises(ConfigurationError, match="verifier file"):
            opened(given)


def test_passphrases_are_changed_from_many_threads_while_clients_come(ears: Ears) -> None:
    """No change is lost, nobody is sent away, and nobody comes in who should not."""
    with opened(Verifiers({"nora": "of nora"}, iterations=FEW)) as host:
        with emporion.connect(uri(host), passphrase="of nora") as early:
            go = threading.Barrier(6)

            def adding(name: int) -> None:
                go.wait()
                for n in range(5):
                    host.set_allowed_identifications(lambda now, n=n: now.added(f"{name} {n}", f"{name}-{n}"))  # type: ignore[misc]

            def coming() -> list[str | None]:
                go.wait()
                return [who(host, passphrase) for passphrase in ("of nora", "wrong") * 5]

            changes = [in_thread(lambda name=name: adding(name)) for name in range(4)]  # type: ignore[misc]
            visitors = [in_thread(coming) for _ in range(2)]
            assert [visitor() for visitor in visitors] == [["nora", "-"] * 5] * 2
            for change in changes:
                change()
            assert early.who() == "nora"
        assert {who(host, f"{name} {n}") for name in range(4) for n in range(5)} == {
            f"{name}-{n}" for name in range(4) for n in range(5)
        }
    assert not [record for record in ears.records if record.levelno >= logging.ERROR]


@pytest.mark.parametrize("in_file", [False, True], ids=["in memory", "in a file"])
def test_a_change_within_a_change_is_an_error_and_waits_for_nobody(in_file: bool, file: VerifierFile) -> None:
    with opened(file if in_file else Verifiers({"nora": "of nora"}, iterations=FEW)) as host:

        def meddle(now: Verifiers) -> Verifiers:
            host.set_allowed_identifications({"otto": "of otto"})
            return now

        def meddling() -> None:
            with pytest.raises(ConfigurationError, match="changes nothing by itself"):
                host.set_allowed_identifications(meddle)

        in_thread(meddling)()
        host.set_allowed_identifications(lambda now: now.added("of otto", "otto"))
        assert (who(host, "of nora"), who(host, "of otto")) == ("nora", "otto")


def test_what_a_host_goes_by_changes_its_form_while_it_runs(file: VerifierFile) -> None:
    with opened(Verifiers(["one"], iterations=FEW), allow_anonymous=True) as host:
        host.set_allowed_identifications({"ann": "two"})
        assert (who(host, "one"), who(host, "two")) == ("-", "ann")
        host.set_allowed_identifications(file.path)
        assert (who(host, "two"), who(host, "of nora")) == ("-", "nora")
        host.set_allowed_identifications(lambda now: now.added("of otto", "otto"))
        assert who(host, "of otto") == "otto" and len(file.current()) == 2
        host.set_allowed_identifications(None)
        assert who(host, None, verify_host=False) is None
        host.set_allowed_identifications(["three"])  # stretched anew: it had no cost to go by
        assert who(host, "of nora") == "-"
    with opened(file) as host:
        with pytest.raises(ConfigurationError, match="allow_anonymous=True"):
            host.set_allowed_identifications(None)
        assert who(host, "of nora") == "nora"


# --- the file, stolen -------------------------------------------------------------------------------------------


class Thief(emporion.ConnectionValidator):
    """Uses bytes of the file as what a passphrase stretches to, and takes any host."""

    def __init__(self, client: bytes, stored: bytes) -> None:
        self._keys = Keys(client, stored, client)

    def munge_identification(self, identity: Any) -> Any:
        return Credentials(identity.login, identity.passphrase)  # as it is: the file is longer than what one may type

    def create_auth_token(self, identity: Any, challenge: Any, *further: Any) -> Any:
        return client_proof(self._keys, challenge.message)

    def check_host_proof(self, *arguments: Any) -> bool:
        return True


class Careless(Thief):
    """Uses a text of any length as a passphrase."""

    def __init__(self) -> None:
        pass

    def create_auth_token(self, *arguments: Any) -> Any:
        return emporion.ConnectionValidator.create_auth_token(self, *arguments)


def test_who_steals_the_file_cannot_log_in_with_what_is_in_it(file: VerifierFile) -> None:
    add(file, "of anybody")
    text = file.path.read_text()
    content = json.loads(text)
    entries = content["entries"]
    fields = [content["salt"], *(entry[key] for entry in entries for key in ("stored_key", "server_key"))]
    pieces = [b64decode(field) for field in fields]
    with opened(file) as host:
        texts = [*fields, *map(bytes.hex, pieces), json.dumps(entries[0]), text, "4096", "nora"]
        for login in (None, "nora"):
            assert {who(host, typed, login=login, connection_validator=Careless()) for typed in texts} == {"-"}
            keys = [piece for piece in pieces if len(piece) == DIGEST_BYTES]
            assert len(keys) == 4
            for client in (*keys, bytes(DIGEST_BYTES)):
                for stored in (*keys, bytes(DIGEST_BYTES)):
                    assert who(host, "x", login=login, connection_validator=Thief(client, stored)) == "-"
        assert who(host, "of nora") == "nora"  # the way is open to who knows the passphrase
        nora = Thief(_client_key("of nora", pieces[0]), keys[0])
        assert who(host, "x", connection_validator=nora) == "nora"  # and the thief's tools would do, had he the key


def _client_key(passphrase: str, salt: bytes) -> bytes:
    from emporion.validators.connection.scram import stretch

    return stretch(passphrase, salt, FEW).client


# --- given late -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def host() -> Iterator[emporion.Host]:
    with opened(Verifiers({"nora": "of nora", "otto": "of otto"}, iterations=FEW)) as host:
        yield host


def counted(given: Any) -> tuple[Callable[[], Any], list[int]]:
    calls: list[int] = []

    def give() -> Any:
        calls.append(1)
        return given() if callable(given) else given

    return give, calls


@pytest.mark.parametrize("login", [None, "nora"])
def test_a_passphrase_is_asked_for_once_for_each_connection(host: emporion.Host, login: str | None) -> None:
    give, calls = counted("of nora")
    with emporion.connect(uri(host), passphrase=give, login=login) as desk:
        assert desk.who() == desk.who() == "nora"
        assert len(calls) == 1
        with emporion.connect(uri(host, "till"), passphrase=give, login=login) as till:
            assert till.who() == "nora"
    assert len(calls) == 2


def test_a_connection_that_is_made_again_asks_again(host: emporion.Host) -> None:
    """The callable may be a keyring in which the passphrase was changed meanwhile; none is kept beside it."""
    give, calls = counted("of nora")
    with emporion.connect(uri(host), passphrase=give) as desk:
        peer = object.__getattribute__(desk, "_peer")
        again = peer.reopened()
        again.close()
    assert len(calls) == 2
    assert "of nora" not in repr(peer.dialer)


def test_a_passphrase_is_not_asked_for_where_none_can_be_needed(host: emporion.Host) -> None:
    give, calls = counted("of nora")
    for wrong in ({"codec": "none"}, {"identity": 1}, {"login": 3}):
        with pytest.raises(ConfigurationError):
            emporion.connect(uri(host), passphrase=give, **wrong)
    with pytest.raises(ConfigurationError):
        emporion.connect(str(host.uri), passphrase=give)  # names no object
    with pytest.raises(ConfigurationError, match="URI"):
        emporion.connect(5, passphrase=give)  # type: ignore[arg-type]
    assert not calls


def test_no_host_waits_while_somebody_types() -> None:
    """It is not dialled yet: a host's patience with a handshake is short."""
    with socket.create_server(("127.0.0.1", 0)) as quiet:
        quiet.setblocking(False)

        def give() -> str:
            with pytest.raises(BlockingIOError):
                quiet.accept()
            raise KeyError("typed Ctrl-C")

        port = quiet.getsockname()[1]
        with pytest.raises(KeyError):
            emporion.connect(f"emporion+tcp://127.0.0.1:{port}/desk", passphrase=give)


@pytest.mark.parametrize("error", [KeyError("keyring"), KeyboardInterrupt(), OSError("locked"), TimeoutError("slow")])
def test_what_the_callable_raises_comes_out_of_connect_as_it_is(host: emporion.Host, error: BaseException) -> None:
    def give() -> str:
        raise error

    with pytest.raises(type(error)) as caught:
        emporion.connect(uri(host), passphrase=give)
    assert caught.value is error


@pytest.mark.parametrize("given", [3, 0, b"", b"of nora", ["of nora"], False, lambda: "of nora"])
def test_what_the_callable_gives_has_to_be_text(host: emporion.Host, given: object) -> None:
    with pytest.raises(ConfigurationError, match=rf"gave {type(given).__name__}: text is needed") as caught:
        emporion.connect(uri(host), passphrase=lambda: given)  # type: ignore[arg-type, return-value]
    assert "of nora" not in str(caught.value)


@pytest.mark.parametrize("given", ["", None])
def test_a_callable_that_gives_nothing_is_denied_like_an_empty_passphrase(host: emporion.Host, given: Any) -> None:
    assert who(host, lambda: given) == "-"
    assert who(host, "") == "-"


def test_two_objects_of_one_host_see_two_identities_of_one_process(host: emporion.Host) -> None:
    with (
        emporion.connect(uri(host, "desk"), passphrase=lambda: "of nora") as desk,
        emporion.connect(uri(host, "till"), passphrase="of otto", login="otto") as till,
    ):
        for _ in range(3):
            assert (desk.who(), till.who()) == ("nora", "otto")

        async def both() -> list[Any]:
            return await asyncio.gather(*(asyncio.to_thread(one.who) for one in (desk, till) * 10))

        assert asyncio.run(both()) == ["nora", "otto"] * 10
        assert {connection.identity for connection in host.connections()} >= {"nora", "otto"}


def test_a_login_needs_its_own_passphrase_also_when_that_comes_late(host: emporion.Host) -> None:
    assert who(host, lambda: "of nora", login="otto") == "-"
    assert who(host, lambda: "of otto", login="otto") == "otto"
    assert who(host, lambda: "of otto", login="nobody") == "-"


# --- every kind of text -----------------------------------------------------------------------------------------


def test_passphrases_of_every_script_open_however_they_are_typed() -> None:
    """One host has them all, each label is its passphrase; the client types it as it was, taken apart, and composed."""
    texts = {prepared for _, prepared in TAKEN.values() if prepared}
    labels = {text: text for text in texts if len(text.encode()) <= 255}
    with opened(Verifiers({**labels, "long": next(iter(texts - labels.keys()))}, iterations=FEW)) as host:
        for typed, prepared in TAKEN.values():
            if not prepared:
                continue
            wanted = prepared if prepared in labels else "long"
            for form in ("NFC", "NFD"):
                given = unicodedata.normalize(form, typed)
                assert who(host, given) == wanted
                assert who(host, lambda given=given: given, login=typed if wanted != "long" else "long") == wanted
            assert who(host, prepared + "x" if wanted != "long" else "x") == "-"
            assert who(host, prepared.swapcase()) == ("-" if prepared.swapcase() != prepared else wanted)


@pytest.mark.parametrize("typed", [typed for typed, _ in REFUSED.values()], ids=REFUSED)
def test_a_text_that_no_host_can_have_is_denied_before_anything_is_sent(typed: str, host: emporion.Host) -> None:
    with pytest.raises(ConfigurationError):
        Verifiers([typed], iterations=FEW)
    with pytest.raises(ConfigurationError):
        host.set_allowed_identifications([typed])
    for options in ({"passphrase": typed}, {"passphrase": lambda: typed}, {"passphrase": "x", "login": typed}):
        with pytest.raises(ConnectionDenied) as caught:
            emporion.connect(uri(host), **options)
        assert caught.value.reason is DenyReason.SECURITY
        assert len(str(caught.value)) < 300
        assert typed not in str(caught.value)
    assert who(host, "of nora") == "nora"


def test_a_set_that_began_empty_opens_to_what_is_added_only() -> None:
    with opened(empty()) as host:
        assert who(host, "of nora") == "-"
        host.set_allowed_identifications(lambda now: now.added("of nora", "nora"))
        assert who(host, "of nora") == "nora"


@pytest.mark.parametrize("given", [5, True, object(), "of nora", b"of nora"], ids=repr)
def test_what_is_no_set_of_passphrases_is_an_error_that_says_what_is(given: Any, host: emporion.Host) -> None:
    for take in (host.set_allowed_identifications, lambda given: emporion.Host(passphrases=given)):
        with pytest.raises(ConfigurationError, match=r"takes a list or \{identity: passphrase\}, not "):
            take(given)
    assert who(host, "of nora") == "nora"
