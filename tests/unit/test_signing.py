"""Signatures over manifests: keys and key files, the sidecar beside the source, the block that trusts publishers."""

import json
import logging
import os
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, x25519
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from emporion.agents.manifest import digest_of
from emporion.agents.signing import (
    generate_key,
    load_key,
    public_text,
    save_key,
    sidecar_of,
    sign_beside,
    sign_manifest,
    signatures_beside,
    verify,
)
from emporion.errors import ConfigurationError
from emporion.tests.harbour import Ears, listening
from emporion.validators import consignment as goods
from emporion.validators.code import Consignment, Signature, judge, not_, signed_by
from emporion.validators.consignment import MAX_SIGNATURES, signed_bytes
from emporion.validators.keys import MAX_FILE_BYTES, parse_key, parse_keys
from emporion.validators.verdict import Verdict

HERE = ("192.0.2.1", 4711)
SOURCES = {"agent.shopping": "import agent.tools\n", "agent.tools": "x = 1\n"}
MANIFEST = {name: digest_of(source) for name, source in SOURCES.items()}
OTHER = {**MANIFEST, "agent.tools": digest_of("x = 2\n")}
NORA, OTTO, MOLL = (ed25519.Ed25519PrivateKey.from_private_bytes(bytes([n] * 32)) for n in (1, 2, 3))


@pytest.fixture
def ears() -> Iterator[Ears]:
    with listening() as ears:
        yield ears


def short(key: Any) -> str:
    return public_text(key)[:24] + "..."


def shipped(*signatures: Signature, manifest: Mapping[str, str] = MANIFEST) -> Consignment:
    return Consignment(manifest, signatures)


def coming(block: Any, *signatures: Signature, name: str = "agent.tools", manifest: Any = MANIFEST) -> Verdict:
    return judge(block, name, SOURCES[name], HERE, consignment=shipped(*signatures, manifest=manifest))


# --- keys -------------------------------------------------------------------------------------------------------


def test_a_key_survives_its_file(tmp_path: Path) -> None:
    key = generate_key()
    path = tmp_path / "key"
    save_key(path, key)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert public_text(load_key(path)) == public_text(key)
    assert parse_key(public_text(key)) == key.public_key().public_bytes_raw().hex()


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "key"
    save_key(path, NORA)
    with pytest.raises(ConfigurationError, match="never overwritten"):
        save_key(path, OTTO)
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ConfigurationError, match="never overwritten"):
        save_key(tmp_path / "link", OTTO)
    with pytest.raises(ConfigurationError, match="cannot write"):
        save_key(tmp_path / "no" / "key", OTTO)
    assert public_text(load_key(path)) == public_text(NORA)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key"
    save_key(path, NORA)
    path.chmod(mode)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        load_key(path)


def pem(key: Any, how: Any = None) -> bytes:
    return bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how or NoEncryption()))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no unencrypted private key"),
        (b"x" * 100_000, "no unencrypted private key"),
        (pem(NORA, BestAvailableEncryption(b"pw")), "no unencrypted private key"),
        (pem(x25519.X25519PrivateKey.generate()), "another kind"),
    ],
)
def test_what_is_no_key_is_refused(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "key"
    path.touch(mode=0o600)
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=why):
        load_key(path)
    with pytest.raises(ConfigurationError, match="cannot read"):
        load_key(tmp_path / "missing")


# --- signatures -------------------------------------------------------------------------------------------------


def test_a_signature_is_of_the_bytes_that_the_page_names() -> None:
    """Whoever has another Ed25519 can check it: nothing but the canonical text is signed."""
    signature = sign_manifest(MANIFEST, NORA)
    NORA.public_key().verify(bytes.fromhex(signature.signature), signed_bytes(MANIFEST))
    verify(MANIFEST, signature)
    verify(dict(reversed(MANIFEST.items())), signature)


@pytest.mark.parametrize(
    "manifest",
    [
        OTHER,
        {"agent.tools": MANIFEST["agent.tools"]},
        {**MANIFEST, "agent.more": "0" * 64},
        {"agent.shopping": MANIFEST["agent.tools"], "agent.tools": MANIFEST["agent.shopping"]},
        {},
    ],
)
def test_a_signature_holds_for_no_other_manifest(manifest: dict[str, str]) -> None:
    signature = sign_manifest(MANIFEST, NORA)
    with pytest.raises(ConfigurationError, match="other code"):
        verify(manifest, signature)


def test_a_signature_holds_for_no_other_key() -> None:
    made = sign_manifest(MANIFEST, NORA)
    with pytest.raises(ConfigurationError):
        verify(MANIFEST, Signature(parse_key(public_text(OTTO)), made.signature))
    with pytest.raises(ConfigurationError):
        verify(MANIFEST, Signature(made.key, made.signature[:-1] + ("0" if made.signature[-1] != "0" else "1")))
    with pytest.raises(ConfigurationError):
        verify(MANIFEST, Signature("f" * 64, made.signature))  # no point of the curve


# --- the block --------------------------------------------------------------------------------------------------


def test_what_a_trusted_publisher_signed_is_accepted() -> None:
    block = signed_by([public_text(NORA), public_text(OTTO)])
    for name in SOURCES:
        verdict = coming(block, sign_manifest(MANIFEST, OTTO), name=name)
        assert verdict == Verdict(True, f"signed by {short(OTTO)}")
    assert coming(signed_by(public_text(NORA)), sign_manifest(MANIFEST, MOLL), sign_manifest(MANIFEST, NORA))


@pytest.mark.parametrize(
    ("signatures", "why"),
    [
        ([], "nobody has signed it"),
        ([sign_manifest(MANIFEST, MOLL)], f"the key {short(MOLL)} is unknown here"),
        ([sign_manifest(OTHER, NORA)], f"the signature of {short(NORA)} is wrong: it is of other code"),
        ([sign_manifest(MANIFEST, OTTO)], f"the key {short(OTTO)} was revoked"),
        (
            [sign_manifest(MANIFEST, MOLL), sign_manifest(MANIFEST, OTTO)],
            f"the key {short(MOLL)} is unknown here; the key {short(OTTO)} was revoked",
        ),
        ([Signature(f"{n:064x}", "0" * 128) for n in range(MAX_SIGNATURES + 1)], "17 signatures, 16 are the most"),
    ],
)
def test_a_denial_says_who_signed_and_why_that_is_not_enough(signatures: list[Signature], why: str) -> None:
    block = signed_by([public_text(NORA), public_text(OTTO)], revoked=[public_text(OTTO)])
    verdict = coming(block, *signatures)
    assert not verdict
    assert why in verdict.reason
    assert f"denies: {verdict.reason}" in block.explain("agent.tools", "x = 1\n", HERE, None, shipped(*signatures))


def test_all_publishers_can_be_asked_for() -> None:
    block = signed_by([public_text(NORA), public_text(OTTO)], every=True)
    nora, otto, moll = (sign_manifest(MANIFEST, key) for key in (NORA, OTTO, MOLL))
    assert coming(block, nora, otto, moll).reason == f"signed by {short(NORA)}, {short(OTTO)}"
    assert coming(block, nora).reason == f"{short(OTTO)} has not signed"
    assert not coming(block, nora, moll)
    revoked = signed_by([public_text(NORA), public_text(OTTO)], revoked=[public_text(OTTO)], every=True)
    assert coming(revoked, nora)
    assert not coming(signed_by(public_text(NORA), revoked=public_text(NORA), every=True), nora)


def test_a_module_must_be_the_one_that_the_manifest_lists() -> None:
    block, good = signed_by(public_text(NORA)), sign_manifest(MANIFEST, NORA)
    for name, text in [("agent.tools", "x = 2\n"), ("agent.other", "x = 1\n")]:
        verdict = judge(block, name, text, HERE, consignment=shipped(good))
        assert verdict.reason == f"{name!r} is not what its consignment lists under that name"


def test_without_source_or_consignment_it_cannot_tell() -> None:
    block = signed_by(public_text(NORA))
    goods = shipped(sign_manifest(MANIFEST, NORA))
    for asked in (block, not_(block)):
        assert not judge(asked, "agent.tools", None, None, consignment=goods)
        assert not judge(asked, "agent.tools", "x = 1\n", HERE)


def test_a_signature_is_verified_once_and_only_for_keys_that_are_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    verified: list[str] = []
    honest = goods._verify

    def counting(signature: Signature, message: bytes) -> bool:
        verified.append(signature.key)
        return honest(signature, message)

    monkeypatch.setattr(goods, "_verify", counting)
    manifest = {**MANIFEST, "agent.once": "3" * 64}
    signatures = [sign_manifest(manifest, key) for key in (NORA, MOLL)]
    block = signed_by(public_text(NORA))
    for _ in range(3):
        for name in SOURCES:
            assert coming(block, *signatures, name=name, manifest=manifest)
    assert verified == [signatures[0].key]
    assert not coming(signed_by(public_text(NORA), revoked=[public_text(NORA)]), *signatures, manifest=manifest)


# --- key files --------------------------------------------------------------------------------------------------


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_key_file_names_its_publishers(tmp_path: Path) -> None:
    path = written(tmp_path / "keys", f"# ours\n\n{public_text(NORA)}  Nora Ärmel # on loan\r\n{public_text(OTTO)}\n")
    for block in (signed_by(path), signed_by(str(path))):
        assert coming(block, sign_manifest(MANIFEST, NORA)).reason == f"signed by {short(NORA)} Nora Ärmel"
        assert coming(block, sign_manifest(MANIFEST, OTTO)).reason == f"signed by {short(OTTO)}"
        assert not coming(block, sign_manifest(MANIFEST, MOLL))


def test_a_key_is_revoked_while_the_host_runs(tmp_path: Path) -> None:
    path = written(tmp_path / "keys", f"{public_text(NORA)} nora\n")
    block, signature = signed_by(path), sign_manifest(MANIFEST, NORA)
    assert coming(block, signature)
    with path.open("a") as file:
        file.write(f"revoked {public_text(NORA)} # lost her laptop\n")
    assert coming(block, signature).reason == f"the key {short(NORA)} was revoked"
    written(path, f"{public_text(OTTO)}\n")
    assert "unknown" in coming(block, signature).reason
    assert coming(block, sign_manifest(MANIFEST, OTTO))
    new = written(tmp_path / "new", f"{public_text(MOLL)}\n")
    os.utime(new, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    new.replace(path)  # of the same size and time
    assert not coming(block, sign_manifest(MANIFEST, OTTO))


@pytest.mark.parametrize("damage", [f"{public_text(NORA)} nora\nrevoked ed255", None, "\udcff", "x" * MAX_FILE_BYTES])
def test_a_damaged_key_file_denies_and_the_peer_hears_no_details(tmp_path: Path, damage: str | None) -> None:
    path = written(tmp_path / "keys", f"{public_text(NORA)} nora\n")
    block, signature = signed_by(path), sign_manifest(MANIFEST, NORA)
    assert coming(block, signature)
    if damage is None:
        path.unlink()
    else:
        path.write_text(damage, encoding="utf-8", errors="surrogateescape")
    for asked in (block, not_(block)):
        verdict = coming(asked, signature)
        assert not verdict
        assert str(path) in verdict.reason
        assert verdict.told_reason == "the validator failed"
    written(path, f"{public_text(NORA)} nora\n")
    assert coming(block, signature)


def test_a_key_file_is_read_when_it_changes_and_not_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "keys", f"{public_text(NORA)}\n")
    block, signature = signed_by(path), sign_manifest(MANIFEST, NORA)
    monkeypatch.setattr("emporion.validators.watched.SETTLED_NS", -1)  # as if it had been written long ago
    assert coming(block, signature)
    monkeypatch.setattr("emporion.validators.keys.parse_keys", lambda *_: pytest.fail("it was read again"))
    assert coming(block, signature)


def test_a_line_that_is_none_is_named_by_its_number() -> None:
    with pytest.raises(ConfigurationError, match=r"keys, line 2: 'ed25519:12' is no public key"):
        parse_keys(f"{public_text(NORA)}\ned25519:12\n", "keys")
    with pytest.raises(ConfigurationError, match="line 1"):
        parse_keys("revoked\n", "keys")


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: signed_by([]),
        lambda: signed_by("/nonexistent/keys"),
        lambda: signed_by(Path("/")),
        lambda: signed_by([public_text(NORA).upper()]),
        lambda: signed_by([public_text(NORA) + "\n"]),
        lambda: signed_by([3]),  # type: ignore[list-item]
        lambda: signed_by(public_text(NORA), revoked=["nora"]),
    ],
)
def test_keys_that_cannot_be_right_are_refused_when_the_block_is_made(wrong: Any) -> None:
    with pytest.raises(ConfigurationError):
        wrong()


def test_the_block_shows_what_it_goes_by(tmp_path: Path) -> None:
    path = written(tmp_path / "keys", "")
    assert repr(signed_by(path)) == f"signed_by({str(path)!r})"
    both = [public_text(NORA), public_text(OTTO)]
    assert repr(signed_by(both, revoked=both[:1], every=True)) == "signed_by(<2>, revoked=<1>, every=True)"


# --- beside the source ------------------------------------------------------------------------------------------


def test_signatures_lie_beside_the_source_and_add_up(tmp_path: Path, ears: Ears) -> None:
    origin = tmp_path / "shopping.py"
    assert signatures_beside(str(origin), MANIFEST) == ()
    path = sign_beside(origin, MANIFEST, NORA)
    assert path == sidecar_of(origin) == tmp_path / "shopping.py.signatures"
    sign_beside(origin, MANIFEST, OTTO)
    sign_beside(origin, MANIFEST, NORA)  # again
    found = signatures_beside(origin, MANIFEST)
    assert {one.key for one in found} == {parse_key(public_text(key)) for key in (NORA, OTTO)}
    assert coming(signed_by([public_text(NORA), public_text(OTTO)], every=True), *found)
    assert json.loads(path.read_text()).keys() == {"manifest", "signatures"}
    assert [file.name for file in tmp_path.iterdir()] == ["shopping.py.signatures"]
    assert not ears.records


def test_a_module_in_a_zip_file_has_no_sidecar(tmp_path: Path, ears: Ears) -> None:
    (tmp_path / "agents.zip").touch()
    assert signatures_beside(tmp_path / "agents.zip" / "shopping.py", MANIFEST) == ()
    assert not ears.records


def test_after_an_edit_the_old_signatures_go_with_a_warning(tmp_path: Path, ears: Ears) -> None:
    origin = tmp_path / "shopping.py"
    sign_beside(origin, MANIFEST, NORA)
    for _ in range(3):
        assert signatures_beside(origin, OTHER) == ()
    (record,) = ears.records
    assert (record.name, record.levelno) == ("emporion.agents", logging.WARNING)
    assert "sign again" in record.getMessage()
    sign_beside(origin, OTHER, OTTO)
    (signature,) = signatures_beside(origin, OTHER)
    assert signature.key == parse_key(public_text(OTTO))
    assert len(ears.records) == 1


@pytest.mark.parametrize(
    "content",
    [
        "", "[]", "{}", "[" * 100_000, "\udcff", '{"manifest": {}, "signatures": []}',
        json.dumps({"manifest": MANIFEST, "signatures": [{"key": "0", "signature": "1"}]}),
        json.dumps({"manifest": MANIFEST, "signatures": {}}),
        json.dumps({"manifest": MANIFEST, "signatures": [["0" * 64, "1" * 128]]}),
        json.dumps({"manifest": MANIFEST, "signatures": [], "more": 1}),
        json.dumps({"manifest": MANIFEST, "signatures": []}) + " " * 300_000,
    ],
)  # fmt: skip
def test_a_sidecar_that_is_none_is_warned_of_and_replaced(tmp_path: Path, ears: Ears, content: str) -> None:
    origin = tmp_path / "forged\nline.py"
    sidecar_of(origin).write_text(content, encoding="utf-8", errors="surrogateescape")
    assert signatures_beside(origin, MANIFEST) == ()
    (record,) = ears.records
    assert "no file of signatures" in record.getMessage()
    assert "\n" not in record.getMessage()
    sign_beside(origin, MANIFEST, NORA)
    assert len(signatures_beside(origin, MANIFEST)) == 1


def test_a_sidecar_has_room_for_so_many_and_says_when_it_cannot_be_written(tmp_path: Path) -> None:
    origin = tmp_path / "shopping.py"
    for _ in range(MAX_SIGNATURES):
        sign_beside(origin, MANIFEST, generate_key())
    before = sidecar_of(origin).read_bytes()
    with pytest.raises(ConfigurationError, match="the most"):
        sign_beside(origin, MANIFEST, NORA)
    assert sidecar_of(origin).read_bytes() == before
    with pytest.raises(ConfigurationError, match="cannot write"):
        sign_beside(tmp_path / "no" / "shopping.py", MANIFEST, NORA)


def test_reading_signatures_loads_no_openssl() -> None:
    script = (
        "import sys; from emporion.agents import signing; from emporion.validators.code import signed_by\n"
        f"signing.signatures_beside('/nonexistent', {{}}); signed_by({public_text(NORA)!r})\n"
        "assert 'cryptography' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
