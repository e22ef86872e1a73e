"""Making certificates, reading hostile ones, and the validator that goes by them: without a socket."""

import errno
import os
import random
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID
from emporion.errors import ConfigurationError, DenyReason, ProtocolError
from emporion.runtime.connection.certificates import (
    Issued,
    key_beside,
    load_authority,
    make_authority,
    make_client,
    make_host,
    save,
)
from emporion.runtime.connection.tls import TLS, client_context, end_point_binding, load_certificate, server_context
from emporion.tests.pki import MAD, SUBJECT, Edited, forged, tlv, with_common_names, with_field
from emporion.validators.connection import Connection, ConnectionValidator, certificates
from emporion.validators.connection.fingerprints import fingerprint, is_fingerprint, parse_fingerprints, source_of
from emporion.validators.verdict import read_verdict

WARNED = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
AUTHORITY = make_authority("ours")
NORA = make_client(AUTHORITY, "nora")


def der(issued: Issued) -> bytes:
    return issued.der if isinstance(issued, Edited) else issued.certificate.public_bytes(Encoding.DER)


def extension(issued: Issued, kind: type[Any]) -> tuple[Any, bool]:
    found = issued.certificate.extensions.get_extension_for_class(kind)
    return found.value, found.critical


# --- making


def test_an_authority_signs_others_and_no_further_authorities() -> None:
    constraints, critical = extension(AUTHORITY, x509.BasicConstraints)
    assert (constraints.ca, constraints.path_length, critical) == (True, 0, True)
    usage, critical = extension(AUTHORITY, x509.KeyUsage)
    assert (usage.key_cert_sign, usage.crl_sign, usage.digital_signature, critical) == (True, True, False, True)
    assert make_authority().certificate.subject != make_authority().certificate.subject
    AUTHORITY.certificate.verify_directly_issued_by(AUTHORITY.certificate)


@pytest.mark.parametrize(
    ("issued", "use"),
    [
        (NORA, ExtendedKeyUsageOID.CLIENT_AUTH),
        (make_host(AUTHORITY, ["shop.example"]), ExtendedKeyUsageOID.SERVER_AUTH),
    ],
    ids=["client", "host"],
)
def test_a_certificate_says_what_it_is_for_and_who_signed_it(issued: Issued, use: x509.ObjectIdentifier) -> None:
    constraints, critical = extension(issued, x509.BasicConstraints)
    assert (constraints.ca, critical) == (False, True)
    usage, critical = extension(issued, x509.KeyUsage)
    assert (usage.digital_signature, usage.key_cert_sign, critical) == (True, False, True)
    assert list(extension(issued, x509.ExtendedKeyUsage)[0]) == [use]
    mine = extension(AUTHORITY, x509.SubjectKeyIdentifier)[0].digest
    assert extension(issued, x509.AuthorityKeyIdentifier)[0].key_identifier == mine
    assert extension(issued, x509.SubjectKeyIdentifier)[0].digest != mine
    issued.certificate.verify_directly_issued_by(AUTHORITY.certificate)
    key = issued.certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert isinstance(key.curve, ec.SECP256R1)
    lasts = issued.certificate.not_valid_after_utc - datetime.now(UTC)
    assert timedelta(days=364) < lasts <= timedelta(days=365)
    assert issued.certificate.not_valid_before_utc < datetime.now(UTC)


def test_a_hosts_names_are_those_that_clients_check() -> None:
    issued = make_host(AUTHORITY, ["shop.example", "*.shop.example", "192.0.2.1", "[::1]", "::2", "xn--mnchen-3ya.de"])
    names = extension(issued, x509.SubjectAlternativeName)[0]
    assert names.get_values_for_type(x509.DNSName) == ["shop.example", "*.shop.example", "xn--mnchen-3ya.de"]
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["192.0.2.1", "::1", "::2"]


@pytest.mark.parametrize("name", ["", "shop example", "münchen.de", "shop.example:7766", "a\nb", "*", "-x", "x" * 300])
def test_what_is_no_name_of_a_host_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="no name of a host"):
        make_host(AUTHORITY, ["shop.example", name])
    with pytest.raises(ConfigurationError, match="1 to 100"):
        make_host(AUTHORITY, [])


@pytest.mark.parametrize("name", ["", "n" * 65, "a\nb", "a\0", "\u202enora", "\ud800"])
def test_what_is_no_identity_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError):
        make_client(AUTHORITY, name)


def test_a_clients_e_mail_address_is_an_alternative_name_too() -> None:
    issued = make_client(AUTHORITY, "nora@shop.example")
    assert extension(issued, x509.SubjectAlternativeName)[0].get_values_for_type(x509.RFC822Name) == [
        "nora@shop.example"
    ]
    assert make_client(AUTHORITY, "núria@münchen").certificate is not None


def test_nothing_outlives_its_authority() -> None:
    short = make_authority(days=10)
    assert make_client(short, "nora", days=9)
    with pytest.raises(ConfigurationError, match="at most 9 days"):
        make_client(short, "nora", days=11)
    for days in (0, -1, 10**9, 1.5, True):
        with pytest.raises(ConfigurationError, match="days="):
            make_authority(days=days)  # type: ignore[arg-type]


def test_keys_are_private_and_nothing_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    key = save(AUTHORITY, path)
    assert key == key_beside(path) == tmp_path / "ca.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    before = path.read_bytes(), key.read_bytes()
    with pytest.raises(ConfigurationError, match="exists"):
        save(NORA, path)
    path.unlink()
    with pytest.raises(ConfigurationError, match="exists"):
        save(NORA, path)
    assert not path.exists()
    path.write_bytes(before[0])
    assert key.read_bytes() == before[1]
    assert load_authority(path).certificate == AUTHORITY.certificate
    with pytest.raises(ConfigurationError, match="where the key goes"):
        save(NORA, tmp_path / "nora.key")
    with pytest.raises(ConfigurationError, match="names no file"):
        save(NORA, Path())
    with pytest.raises(ConfigurationError, match="cannot write"):
        save(NORA, tmp_path / "nowhere" / "nora.pem")


def test_half_a_file_is_not_left_in_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(ConfigurationError, match="No space left"):
            save(NORA, tmp_path / "nora.pem")
    assert list(tmp_path.iterdir()) == []
    save(NORA, tmp_path / "nora.pem")


def test_a_host_starts_with_names_that_cannot_be_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An address of X.400, which OpenSSL leaves alone. The log says so, and that is all."""
    odd = x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, bytes.fromhex("3002a300"))
    now, name = datetime.now(UTC), NORA.certificate.subject
    builder = x509.CertificateBuilder(name, name, NORA.key.public_key(), 1, now, now + timedelta(days=1), [])
    builder = builder.add_extension(odd, critical=False)
    key = save(Issued(builder.sign(NORA.key, hashes.SHA256()), NORA.key), tmp_path / "odd.pem")
    assert server_context(TLS(certificate=tmp_path / "odd.pem", key=key))
    assert "its extensions cannot be read" in caplog.text


def test_no_key_is_left_behind_when_its_certificate_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "nora.pem").symlink_to(tmp_path / "nowhere" / "x.pem")
    with pytest.raises(ConfigurationError, match="exists"):
        save(NORA, tmp_path / "nora.pem")
    assert [path.name for path in tmp_path.iterdir()] == ["nora.pem"]


def test_what_is_no_authority_signs_nothing(tmp_path: Path) -> None:
    save(NORA, tmp_path / "nora.pem")
    ca = save(AUTHORITY, tmp_path / "ca.pem")
    with pytest.raises(ConfigurationError, match="no authority"):
        load_authority(tmp_path / "nora.pem")
    with pytest.raises(ConfigurationError, match="not that of"):
        load_authority(tmp_path / "ca.pem", tmp_path / "nora.key")
    with pytest.raises(ConfigurationError, match="no certificate"):
        load_authority(ca)
    with pytest.raises(ConfigurationError, match="no unencrypted private key"):
        ca.chmod(0o600)
        (tmp_path / "nora.pem").chmod(0o600)
        load_authority(tmp_path / "ca.pem", tmp_path / "nora.pem")
    with pytest.raises(ConfigurationError, match="cannot read"):
        load_authority(tmp_path / "none.pem")


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620])
def test_a_key_that_others_can_reach_is_refused_everywhere(tmp_path: Path, mode: int) -> None:
    ca, nora = save(AUTHORITY, tmp_path / "ca.pem"), save(NORA, tmp_path / "nora.pem")
    ca.chmod(mode)
    nora.chmod(mode)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        load_authority(tmp_path / "ca.pem")
    one_file = tmp_path / "both.pem"
    one_file.write_bytes(nora.read_bytes() + (tmp_path / "nora.pem").read_bytes())
    one_file.chmod(mode)
    for tls in (TLS(certificate=tmp_path / "nora.pem", key=nora), TLS(certificate=one_file)):
        for make in (client_context, server_context):
            with pytest.raises(ConfigurationError, match="chmod 600"):
                make(tls)
    nora.chmod(0o600)
    assert client_context(TLS(certificate=tmp_path / "nora.pem", key=nora))


# --- reading what a peer shows


@WARNED
def test_what_a_peer_shows_is_read_or_is_a_protocol_error() -> None:
    """Whatever bits are turned: `cryptography` raises several kinds of errors, some of them late."""
    good = der(make_host(AUTHORITY, ["shop.example"]))
    chance = random.Random(5)
    read = 0
    for _ in range(3000):
        bad = bytearray(good)
        for _ in range(chance.randint(1, 3)):
            bad[chance.randrange(len(bad))] = chance.randrange(256)
        try:
            certificate = load_certificate(bytes(bad))
            binding = end_point_binding(bytes(bad))
        except ProtocolError:
            continue
        read += 1
        assert len(binding) in (32, 48, 64, 20, 28)
        for validator in (certificates(), certificates(subjects=["*"])):
            connection = Connection(("127.0.0.1", 1), certificate=certificate)
            verdict = read_verdict(validator.accept_identification(None, connection, None, None))  # type: ignore[arg-type]
            assert verdict.accepted is (connection.identity is not None)
            assert connection.identity is None or connection.identity.isprintable()
    assert read > 100


@WARNED
@pytest.mark.parametrize("what", MAD)
def test_a_mad_certificate_gives_a_denial_or_a_printable_identity(what: str) -> None:
    edit, good = MAD[what]
    try:
        certificate = load_certificate(der(forged(AUTHORITY, edit=edit)))
    except ProtocolError:
        assert not good
        return
    connection = Connection(("127.0.0.1", 1), certificate=certificate)
    verdict = read_verdict(certificates().accept_identification(None, connection, None, None))  # type: ignore[arg-type]
    if what == "an extension twice":  # the name is read, and nothing else; OpenSSL refuses it before
        good = True
    assert verdict.accepted is good
    assert connection.identity == ("nora" if good else None)


# --- the validator


def judged(validator: ConnectionValidator, issued: Issued | None) -> tuple[bool, str, str | None]:
    certificate = None if issued is None else load_certificate(der(issued))
    early = read_verdict(validator.check_certificate(certificate))
    connection = Connection(("127.0.0.1", 1), certificate=certificate)
    verdict = read_verdict(validator.accept_identification(None, connection, "whatever", b"x"))  # type: ignore[arg-type]
    assert verdict or verdict.code is DenyReason.SECURITY
    assert early or not verdict
    return verdict.accepted, verdict.reason, connection.identity


def test_it_asks_nothing_and_takes_nobody_without_a_certificate() -> None:
    assert certificates().create_auth_challenge(None, Connection(("", 0))) is None  # type: ignore[arg-type]
    accepted, why, identity = judged(certificates(), None)
    assert (accepted, identity) == (False, None)
    assert "TLS(ca=...)" in why


def test_an_issuer_is_known_by_its_signature_and_not_by_its_name(tmp_path: Path) -> None:
    namesake = make_authority("ours")
    save(AUTHORITY, tmp_path / "ca.pem")
    validator = certificates(ca=tmp_path / "ca.pem")
    assert judged(validator, NORA) == (True, "", "nora")
    assert not judged(validator, make_client(namesake, "nora"))[0]
    both = tmp_path / "both.pem"
    both.write_bytes(namesake.certificate_pem + AUTHORITY.certificate_pem)
    assert judged(certificates(ca=both), make_client(namesake, "nora"))[0]
    assert judged(certificates(ca=both), NORA)[0]


def test_a_file_without_authorities_is_a_mistake(tmp_path: Path) -> None:
    save(NORA, tmp_path / "nora.pem")
    (tmp_path / "empty.pem").touch()
    for name, text in (("nora.pem", "no authority's"), ("empty.pem", "no certificate"), ("none.pem", "cannot read")):
        with pytest.raises(ConfigurationError, match=text):
            certificates(ca=tmp_path / name)


def test_fingerprints_narrow_down_and_revoked_ones_never_pass(tmp_path: Path) -> None:
    mark, other = fingerprint(der(NORA)), fingerprint(der(make_client(AUTHORITY, "nora")))
    assert judged(certificates(fingerprints=[other, mark]), NORA)[0]
    assert not judged(certificates(fingerprints=[other]), NORA)[0]
    assert judged(certificates(revoked=[other]), NORA)[0]
    assert "revoked" in judged(certificates(fingerprints=[mark], revoked=[mark]), NORA)[1]
    empty = tmp_path / "empty"
    empty.touch()
    assert not judged(certificates(fingerprints=empty), NORA)[0]
    assert judged(certificates(revoked=str(empty)), NORA)[0]


@pytest.mark.parametrize(
    "options",
    [
        {"fingerprints": ["sha256:xyz"]},
        {"fingerprints": []},
        {"subjects": ()},
        {"fingerprints": "sha256:" + "0" * 64},
        {"revoked": ["SHA256:" + "0" * 64]},
        {"revoked": "no/such/file"},
        {"subjects": "nora"},
        {"subjects": [""]},
        {"subjects": [b"nora"]},
        {"identity": "nora"},
    ],
)
def test_nonsense_is_refused_when_it_is_made(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        certificates(**options)


@pytest.mark.parametrize(("pattern", "fits"), [("nora", True), ("n*", True), ("*", True), ("Nora", False), ("", False)])
def test_subjects_are_shell_patterns_in_which_case_counts(pattern: str, fits: bool) -> None:
    assert judged(certificates(subjects=[pattern or "nor", "x"]), NORA)[0] is fits


def test_a_name_that_cannot_be_printed_or_is_not_alone_fits_no_pattern() -> None:
    for names in ([b"nora\0"], [b"nora", b"nora"], ["\u202enora".encode()], [b""], [b"\n"]):
        assert not judged(certificates(subjects=["*"]), forged(AUTHORITY, edit=with_common_names(*names)))[0]
    assert not judged(certificates(subjects=["*"]), forged(AUTHORITY, edit=with_field(SUBJECT, tlv(0x30, b""))))[0]


def test_without_a_common_name_the_first_address_or_name_counts() -> None:
    nameless = with_field(SUBJECT, tlv(0x30, b""))
    mail, name = x509.RFC822Name("nora@shop.example"), x509.DNSName("shop.example")
    assert judged(certificates(), forged(AUTHORITY, names=(name, mail), edit=nameless))[2] == "nora@shop.example"
    assert judged(certificates(), forged(AUTHORITY, names=(name,), edit=nameless))[2] == "shop.example"
    assert judged(certificates(), forged(AUTHORITY, names=(name,)))[2] == "nora"
    assert "no name to go by" in judged(certificates(), forged(AUTHORITY, edit=nameless))[1]
    assert (
        "no name to go by"
        in judged(certificates(), forged(AUTHORITY, names=(x509.UniformResourceIdentifier("x:y"),), edit=nameless))[1]
    )


@pytest.mark.parametrize("identity", [None, "", 7, b"nora", "a\nb", "n" * 256, "\u00e4" * 128])
def test_an_identity_of_ones_own_making_is_checked_like_a_login(identity: Any) -> None:
    accepted, why, shown = judged(certificates(identity=lambda certificate: identity), NORA)
    assert (accepted, shown) == (False, None)
    assert why.isprintable()


def test_identities_are_prepared_as_logins_are() -> None:
    assert judged(certificates(identity=lambda certificate: "no\u0308ra\u00a0b"), NORA)[2] == "n\u00f6ra b"


def test_what_identity_raises_reaches_the_host() -> None:
    with pytest.raises(ZeroDivisionError):
        judged(certificates(identity=lambda certificate: str(1 / 0)), NORA)


def test_it_shows_what_it_was_made_of(tmp_path: Path) -> None:
    assert repr(certificates()) == "certificates()"
    mark = "sha256:" + "0" * 64
    (tmp_path / "known").write_text(mark)
    shown = repr(certificates(fingerprints=tmp_path / "known", revoked=[mark], subjects=["nora", "b*"]))
    assert (
        shown == f"certificates(fingerprints={str(tmp_path / 'known')!r}, revoked=['{mark}'], subjects=['nora', 'b*'])"
    )


# --- fingerprints


def test_a_file_of_fingerprints_has_one_a_line() -> None:
    one, two = "sha256:" + "0" * 64, "sha256:" + "a" * 64
    assert parse_fingerprints(f"# ours\n\n{one} nora's\n  {two}#\n", "f") == {one, two}
    for line in ("sha256:0", one.upper(), "sha1:00", "\x1b[2J", one + "0"):
        with pytest.raises(ConfigurationError, match=r"f, line 2") as caught:
            parse_fingerprints(f"{one}\n{line}\n", "f")
        assert str(caught.value).isprintable()
    assert not is_fingerprint(one + "\n")
    assert not is_fingerprint(None)


def test_a_file_of_fingerprints_is_bounded_text(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"#" * (1024 * 1024 + 1))
    with pytest.raises(ConfigurationError, match="more than"):
        source_of("x", path)
    path.write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match="UTF-8"):
        source_of("x", path)
