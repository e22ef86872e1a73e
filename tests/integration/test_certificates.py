"""A PKI of one's own, through real hosts and clients: who comes in, as whom, and what all others are told."""

import contextlib
import socket
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import emporion
import pytest
from cryptography import x509
from emporion.runtime.connection.certificates import make_client, make_host
from emporion.tests.harbour import Ears, listening, open_host
from emporion.tests.pki import CLIENT_USE, FUTURE, HOST_USE, PAST, Files, Town, forged, uri_of
from emporion.validators.connection import (
    ConnectionValidator,
    all_of,
    any_of,
    blocked_networks,
    certificates,
    lock_out,
    logins,
    rate,
)
from emporion.validators.connection.fingerprints import fingerprint


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)


def mark(files: Files) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding

    return fingerprint(x509.load_pem_x509_certificate(files.certificate.read_bytes()).public_bytes(Encoding.DER))


def said(ears: Ears, text: str) -> str:
    """The one line of the host's log that has `text`."""
    found = ears.wait_for(lambda: [line for r in list(ears.records) if text in (line := r.getMessage())])
    assert len(found) == 1
    assert "\n" not in found[0]
    return found[0]


# --- who comes in


def test_a_certificate_opens_the_host_and_is_the_callers_identity(town: Town) -> None:
    with (
        listening() as ears,
        town.open(connection_validator=certificates()) as host,
        emporion.connect(uri_of(host), tls=town.as_nora()) as desk,
    ):
        assert desk.who() == ["nora", "CN=nora"]
        (connection,) = host.connections()
        assert connection.identity == "nora"
        assert "as 'nora'" in said(ears, "accepted")


def test_a_host_that_made_its_own_certificate_can_ask_for_those_of_clients(town: Town) -> None:
    """The fingerprint in its URI proves the host, an authority vouches for the client."""
    tls = emporion.TLS(ca=town.ca, require_client_certificate=True)
    with town.open(tls, connection_validator=certificates()) as host:
        uri = emporion.URI.parse(f"emporion://127.0.0.1:{host.uri.port}/desk?fp={host.uri.fingerprint}")
        with emporion.connect(uri, tls=town.nora.tls()) as desk:
            assert desk.who() == ["nora", "CN=nora"]
        with pytest.raises(emporion.ConfigurationError, match="nothing here proves"):
            emporion.connect(uri_of(host), tls=town.nora.tls())


def test_an_address_in_the_certificate_is_as_good_as_a_name(town: Town) -> None:
    with (
        town.open(connection_validator=certificates()) as host,
        emporion.connect(uri_of(host, "127.0.0.1"), tls=town.as_nora()) as desk,
    ):
        assert desk.who()[0] == "nora"


def test_with_the_default_validator_a_certificate_is_needed_beside_the_passphrase(town: Town) -> None:
    verifiers = emporion.Verifiers({"desk-7": "pw"}, iterations=4096)
    with town.open(passphrases=verifiers) as host:
        with emporion.connect(uri_of(host), passphrase="pw", tls=town.as_nora()) as desk:
            assert desk.who() == ["desk-7", "CN=nora"]
        with pytest.raises(emporion.ConnectionDenied, match="check passphrase"):
            emporion.connect(uri_of(host), passphrase="guessed", tls=town.as_nora())
        with pytest.raises(emporion.ConnectionDenied, match="wants a client certificate"):
            emporion.connect(uri_of(host), passphrase="pw", tls=emporion.TLS(ca=town.ca))


def test_a_certificate_that_is_not_required_is_still_the_only_proof(town: Town) -> None:
    tls = town.host.tls(town.ca)
    with listening() as ears, town.open(tls, connection_validator=certificates()) as host:
        with emporion.connect(uri_of(host), tls=town.as_nora()) as desk:
            assert desk.who()[0] == "nora"
        with pytest.raises(emporion.ConnectionDenied, match="certificate") as caught:
            emporion.connect(uri_of(host), tls=emporion.TLS(ca=town.ca))
        assert caught.value.reason is emporion.DenyReason.SECURITY
        assert "shows no certificate" in said(ears, "denied")


def test_code_validators_see_the_certificates_identity(town: Town) -> None:
    class Yard:
        @emporion.expose
        def take(self, agent: Any) -> str:
            return str(agent.work())

    asked: list[tuple[str | None, str]] = []

    def judge(name: str, module: str | None, address: Any, caller: Any = None) -> bool:
        asked.append((caller.identity, caller.certificate.subject.rfc4514_string()))
        return False

    with town.open(connection_validator=certificates()) as host:
        host.register(Yard(), "yard", code_validator=judge)
        uri = emporion.URI(host="localhost", port=host.uri.port, name="yard")
        with (
            emporion.connect(uri, tls=town.as_nora(), mobile_code=True) as yard,
            pytest.raises(emporion.CodeDenied),
        ):
            yard.take(Mule())
    assert set(asked) == {("nora", "CN=nora")}


class Mule:
    def work(self) -> int:
        return 1


def test_fingerprints_at_a_host_are_those_of_its_clients(town: Town) -> None:
    other = town.put("other", make_client(town.ours, "other"))
    tls = town.host.tls(town.ca, require_client_certificate=True, fingerprints=[mark(town.nora)])
    with listening() as ears, town.open(tls, connection_validator=certificates()) as host:
        with emporion.connect(uri_of(host), tls=town.as_nora()) as desk:
            assert desk.who()[0] == "nora"
        with pytest.raises(emporion.ConnectionDenied, match="certificate") as caught:
            emporion.connect(uri_of(host), tls=other.tls(town.ca))
        assert caught.value.reason is emporion.DenyReason.SECURITY
        assert mark(other) in said(ears, "TLS(fingerprints=")


def test_fingerprints_at_a_host_that_requires_no_certificate_are_a_mistake(town: Town) -> None:
    for tls in (
        town.host.tls(fingerprints=[mark(town.nora)]),
        town.host.tls(town.ca, fingerprints=[mark(town.nora)]),
    ):
        with pytest.raises(emporion.ConfigurationError, match="require_client_certificate"):
            town.open(tls, passphrases=["other"])


def test_a_file_of_fingerprints_holds_from_the_moment_it_changes(town: Town, tmp_path: Path) -> None:
    known, revoked = tmp_path / "known", tmp_path / "revoked"
    known.write_text(f"# ours\n{mark(town.nora)} nora\n")
    revoked.write_text("")
    validator = certificates(fingerprints=known, revoked=revoked)
    with listening() as ears, town.open(connection_validator=validator) as host:

        def outcome() -> str:
            del ears.records[:]
            try:
                with emporion.connect(uri_of(host), tls=town.as_nora()):
                    return ""
            except emporion.ConnectionDenied as denied:
                assert "check passphrase and login, or certificate" in str(denied)
                return said(ears, "denied")

        with emporion.connect(uri_of(host), tls=town.as_nora()) as earlier:
            assert outcome() == ""
            revoked.write_text(mark(town.nora))
            assert "was revoked" in outcome()
            revoked.write_text("sha256:what")
            assert "line 1" in outcome()
            revoked.write_text("")
            known.write_text("")
            assert "not among the fingerprints" in outcome()
            known.unlink()
            assert "cannot read" in outcome()
            known.write_text(f"{mark(town.nora)}\n")
            assert outcome() == ""
            assert earlier.who()[0] == "nora"  # whoever is in stays in


def test_of_two_authorities_one_may_be_chosen(town: Town, tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(town.ca.read_bytes() + town.other_ca.read_bytes())
    namesake = town.put("namesake", make_client(town.theirs, "nora"))
    tls = town.host.tls(both, require_client_certificate=True)
    with listening() as ears, town.open(tls, connection_validator=certificates(ca=town.ca)) as host:
        with emporion.connect(uri_of(host), tls=town.as_nora()) as desk:
            assert desk.who()[0] == "nora"
        with pytest.raises(emporion.ConnectionDenied):
            emporion.connect(uri_of(host), tls=namesake.tls(town.ca))
        assert "not issued by" in said(ears, "denied")
        host.set_connection_validator(certificates())
        with emporion.connect(uri_of(host), tls=namesake.tls(town.ca)) as desk:
            assert desk.who()[0] == "nora"


def test_subjects_are_patterns_for_the_common_name(town: Town) -> None:
    robot = town.put("robot", make_client(town.ours, "robot-7"))
    with listening() as ears, town.open(connection_validator=certificates(subjects=["robot-*", "Nora"])) as host:
        with emporion.connect(uri_of(host), tls=robot.tls(town.ca)) as desk:
            assert desk.who()[0] == "robot-7"
        with pytest.raises(emporion.ConnectionDenied):
            emporion.connect(uri_of(host), tls=town.as_nora())
        assert "'nora', which fits none of" in said(ears, "denied")


def test_an_identity_can_be_looked_up(town: Town) -> None:
    people: dict[str, str] = {mark(town.nora): "Nora of the harbour"}

    def look_up(certificate: x509.Certificate) -> str | None:
        from cryptography.hazmat.primitives.serialization import Encoding

        return people.get(fingerprint(certificate.public_bytes(Encoding.DER)))

    with listening() as ears, town.open(connection_validator=certificates(identity=look_up)) as host:
        with emporion.connect(uri_of(host), tls=town.as_nora()) as desk:
            assert desk.who()[0] == "Nora of the harbour"
        people.clear()
        with pytest.raises(emporion.ConnectionDenied):
            emporion.connect(uri_of(host), tls=town.as_nora())
        assert "no identity" in said(ears, "denied")


# --- what all others are told

Period = tuple[datetime, datetime]
LOCALHOST = (x509.DNSName("localhost"),)


@pytest.mark.parametrize(
    ("make", "told", "logged"),
    [
        (None, "wants a client certificate", "showed no certificate"),
        (lambda town: forged(town.ours, period=PAST), "has expired", "its certificate has expired"),
        (lambda town: forged(town.ours, period=FUTURE), "valid already", "is not valid yet"),
        (lambda town: forged(town.theirs), "does not know the CA", "signed by nobody"),
        (lambda town: forged(None), "does not know the CA", "signed by nobody"),
        (lambda town: make_host(town.ours, ["localhost"]), "none for clients", "none for clients"),
    ],
    ids=["none", "expired", "not yet valid", "another CA's", "self-signed", "a host's"],
)
def test_a_client_is_told_what_is_wrong_with_its_certificate(
    town: Town, make: Callable[[Town], Any] | None, told: str, logged: str
) -> None:
    tls = emporion.TLS(ca=town.ca) if make is None else town.put("client", make(town)).tls(town.ca)
    with listening() as ears, town.open(connection_validator=certificates()) as host:
        with pytest.raises(emporion.ConnectionDenied, match=told) as caught:
            emporion.connect(uri_of(host), tls=tls)
        assert caught.value.reason is emporion.DenyReason.SECURITY
        line = said(ears, "denied")
        assert logged in line
        assert "127.0.0.1" in line
        assert "accepted" not in " ".join(r.getMessage() for r in ears.records)
        with emporion.connect(uri_of(host), tls=town.as_nora()) as desk:
            assert desk.who()[0] == "nora"


@pytest.mark.parametrize(
    ("make", "told", "warned"),
    [
        (lambda town: forged(town.ours, use=HOST_USE, names=LOCALHOST, period=PAST), "expired", "it expired on"),
        (lambda town: forged(town.ours, use=HOST_USE, names=LOCALHOST, period=FUTURE), "not valid yet", "not valid"),
        (lambda town: make_host(town.ours, ["elsewhere.example"]), "not for localhost", ""),
        (lambda town: forged(town.ours, "localhost", use=HOST_USE), "not for localhost", ""),
        (lambda town: make_host(town.theirs, ["localhost"]), "signed by nobody", ""),
        (lambda town: forged(None, use=HOST_USE, names=LOCALHOST), "signed by nobody", ""),
        (lambda town: forged(town.ours, use=CLIENT_USE, names=LOCALHOST), "none for hosts", "not made for hosts"),
    ],
    ids=["expired", "not yet valid", "another name's", "a common name's", "another CA's", "self-signed", "a client's"],
)
def test_a_hosts_certificate_that_is_not_good_is_told_and_nothing_is_sent_to_it(
    town: Town, make: Callable[[Town], Any], told: str, warned: str
) -> None:
    """And its operator hears of what can be seen without clients when it starts."""
    tls = town.put("bad", make(town)).tls()
    with listening() as ears, town.open(tls, passphrases=emporion.Verifiers(["pw"], iterations=4096)) as host:
        with pytest.raises(emporion.ConnectionDenied, match=told) as caught:
            emporion.connect(uri_of(host), passphrase="pw", tls=emporion.TLS(ca=town.ca))
        assert caught.value.reason is emporion.DenyReason.SECURITY
        assert "does not want this host's certificate" in said(ears, "denied")
        warnings = [text for r in ears.records if "will not take" in (text := r.getMessage())]
        assert len(warnings) == bool(warned) and all(warned in text for text in warnings)


def test_a_self_made_certificate_is_not_taken_where_a_ca_is_named(town: Town) -> None:
    with (
        emporion.Host(passphrases=emporion.Verifiers(["pw"], iterations=4096)) as host,
        pytest.raises(emporion.ConnectionDenied, match=r"\?fp="),
    ):
        emporion.connect(uri_of(host), passphrase="pw", tls=emporion.TLS(ca=town.ca))


def test_a_fingerprint_and_a_ca_are_both_insisted_on(town: Town) -> None:
    with town.open(connection_validator=certificates()) as host:
        with emporion.connect(uri_of(host, fingerprint=mark(town.host)), tls=town.as_nora()) as desk:
            assert desk.who()[0] == "nora"
        with pytest.raises(emporion.ConnectionDenied, match="the other end shows certificate"):
            emporion.connect(uri_of(host, fingerprint=mark(town.nora)), tls=town.as_nora())
    named = town.put("named", make_host(town.ours, ["localhost"]))
    with (
        town.open(named.tls(town.ca, require_client_certificate=True), connection_validator=certificates()) as host,
        pytest.raises(emporion.ConnectionDenied, match=r"not for 127\.0\.0\.1"),
    ):
        emporion.connect(uri_of(host, "127.0.0.1", mark(named)), tls=town.as_nora())


# --- with and without TLS


def test_tls_options_have_no_meaning_without_tls(town: Town, tmp_path: Path) -> None:
    """Passed over in silence they would promise what nobody keeps: a CA that vouches for a host in the clear."""
    tls = emporion.TLS(ca=town.ca)
    for place in ("emporion+tcp://127.0.0.1:0", f"emporion+unix://{tmp_path}/socket"):
        with pytest.raises(emporion.ConfigurationError, match="TLS"):
            emporion.Host(place, tls=tls, passphrases=["pw"])
    for uri in ("emporion+tcp://127.0.0.1:9/desk", f"emporion+unix://{tmp_path}/socket?object=desk"):
        with pytest.raises(emporion.ConfigurationError, match="TLS"):
            emporion.connect(uri, tls=tls, passphrase="pw")


def test_each_end_says_so_when_only_one_speaks_tls(town: Town) -> None:
    verifiers = emporion.Verifiers(["pw"], iterations=4096)
    with listening() as ears, emporion.Host("emporion+tcp://127.0.0.1:0", passphrases=verifiers) as plain:
        with pytest.raises(emporion.ConnectionDenied, match=r"does not speak TLS 1\.3.*emporion\+tcp://"):
            emporion.connect(uri_of(plain), passphrase="pw")
        assert "it speaks TLS" in said(ears, "denied")
    with listening() as ears, emporion.Host(passphrases=verifiers) as host:
        with pytest.raises(emporion.ConnectionDenied, match="this host speaks TLS"):
            emporion.connect(f"emporion+tcp://127.0.0.1:{host.uri.port}/desk", passphrase="pw")
        assert "does not speak TLS 1.3 as it should" in said(ears, "denied")


def test_a_browser_gets_no_answer_that_looks_like_one(town: Town) -> None:
    """What is no TLS at all, to a host in the clear, is closed without a word: only TLS is told that it is."""
    with (
        emporion.Host("emporion+tcp://127.0.0.1:0", passphrases=emporion.Verifiers(["pw"], iterations=4096)) as plain,
        socket.create_connection(("127.0.0.1", plain.uri.port), 60) as browser,
    ):
        browser.sendall(b"GET / HTTP/1.1\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert browser.recv(100) == b""


# --- together with others


def test_a_certificate_and_a_login_or_one_of_the_two(town: Town) -> None:
    verifiers = emporion.Verifiers({"nora": "pw", "otto": "pw of otto"}, iterations=4096)
    with town.open(town.host.tls(town.ca), connection_validator=all_of(certificates(), logins(verifiers))) as host:

        def outcome(tls: emporion.TLS, **proof: Any) -> str | None:
            try:
                with emporion.connect(uri_of(host), tls=tls, **proof) as desk:
                    identity: str | None = desk.who()[0]
                    return identity
            except emporion.ConnectionDenied:
                return "denied"

        nobody, nora = emporion.TLS(ca=town.ca), town.as_nora()
        otto = {"login": "otto", "passphrase": "pw of otto"}
        both = {"login": "nora", "passphrase": "pw"}
        assert outcome(nora, **both) == "nora"
        assert outcome(nora) == "denied"
        assert outcome(nobody, **both) == "denied"
        host.set_connection_validator(any_of(certificates(), logins(verifiers)))
        assert outcome(nora) == "nora"
        assert outcome(nobody, **otto) == "otto"
        assert outcome(nobody) == "denied"
        assert outcome(nobody, login="otto", passphrase="guessed") == "denied"
        host.set_connection_validator(all_of(certificates(), blocked_networks("127.0.0.0/8")))
        assert outcome(nora) == "denied"
        host.set_connection_validator(all_of(certificates(subjects=["n*"]), blocked_networks("192.0.2.0/24")))
        assert outcome(nora) == "nora"


@pytest.mark.parametrize(
    "validator", [certificates(), lock_out(certificates()), all_of(rate(9, 1.0), certificates())], ids=repr
)
def test_a_host_that_asks_for_no_certificates_takes_no_rule_that_wants_them(validator: ConnectionValidator) -> None:
    for listen in ("127.0.0.1:0", "emporion+tcp://127.0.0.1:0"):
        with pytest.raises(emporion.ConfigurationError, match=r"TLS\(ca="):
            emporion.Host(listen, connection_validator=validator)
    either = any_of(ConnectionValidator(), certificates())
    with (
        open_host(connection_validator=either) as host,
        pytest.raises(emporion.ConfigurationError, match=r"TLS\(ca="),
    ):
        host.set_connection_validator(validator)
