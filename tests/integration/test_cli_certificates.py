"""The command line about certificates, as real processes: made, shown, and used by a host and its clients."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from emporion.runtime.connection.certificates import make_authority, make_client, save
from emporion.runtime.connection.tls import server_context
from emporion.tests.integration.test_cli import GUEST, TAVERN, TAVERN_OPTIONS, emporion, ended, failed, secret, serve
from emporion.tests.pki import PAST, forged, with_common_names
from emporion.validators.connection.fingerprints import is_fingerprint


def made(folder: Path, *arguments: str) -> str:
    """The fingerprint that `emporion certificate make` prints."""
    done = emporion("certificate", "make", *arguments, cwd=folder)
    assert (done.returncode, done.stderr) == (0, ""), done
    assert is_fingerprint(done.stdout.strip())
    return done.stdout.strip()


def shown(folder: Path, name: str) -> list[dict[str, Any]]:
    done = emporion("certificate", "show", name, "--json", cwd=folder)
    assert (done.returncode, done.stderr) == (0, ""), done
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tavern, a guest, an authority, and whom it certified."""
    folder = tmp_path_factory.mktemp("pki")
    (folder / "tavern.py").write_text(TAVERN, encoding="utf-8")
    (folder / "guest.py").write_text(GUEST, encoding="utf-8")
    secret(folder / "secret", "correct horse\n")
    made(folder, "ca", "ca.pem")
    made(folder, "host", "tavern.pem", "--ca", "ca.pem", "--name", "127.0.0.1", "--name", "tavern.example")
    made(folder, "client", "nora.pem", "--ca", "ca.pem", "--name", "nora")
    return folder


def test_a_pki_of_ones_own_takes_three_commands(folder: Path) -> None:
    """The certificate is the whole proof: no passphrase, no prompt; its name is the identity."""
    tls = ("--certificate", "tavern.pem", "--client-ca", "ca.pem")
    tavern = serve(folder, *TAVERN_OPTIONS, *tls)
    try:
        assert "?fp=" not in tavern.uri
        guest = ("send", "guest.py:Guest", "--to", tavern.uri, "--call", "whoami", "--ca", "ca.pem")
        done = emporion(*guest, "--certificate", "nora.pem", cwd=folder)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[0] == "result  'nora'"
        failed(emporion(*guest, "--anonymous", cwd=folder), "wants a client certificate")
    finally:
        assert ended(tavern) == 0
    assert "it showed no certificate" in tavern.log.read_text(encoding="utf-8")


def test_with_a_passphrase_a_host_wants_both(folder: Path) -> None:
    tavern = serve(
        folder, *TAVERN_OPTIONS, "--certificate", "tavern.pem", "--client-ca", "ca.pem", "--passphrase-file", "secret"
    )
    try:
        guest = ("send", "guest.py:Guest", "--to", tavern.uri, "--call", "whoami", "--ca", "ca.pem")
        both = ("--certificate", "nora.pem", "--key", "nora.key", "--passphrase-file", "secret")
        assert emporion(*guest, *both, cwd=folder).returncode == 0
        failed(emporion(*guest, "--certificate", "nora.pem", cwd=folder), "check passphrase")
        failed(emporion(*guest, "--passphrase-file", "secret", cwd=folder), "wants a client certificate")
    finally:
        assert ended(tavern) == 0


def test_files_that_cannot_be_right_are_said_in_one_line(folder: Path) -> None:
    host = ("host", *TAVERN_OPTIONS, "--anonymous")
    failed(emporion(*host, "--key", "tavern.key", cwd=folder), "certificate=")
    failed(emporion(*host, "--certificate", "none.pem", cwd=folder), "none.pem")
    failed(emporion(*host, "--certificate", "tavern.pem", "--key", "nora.key", cwd=folder), "cannot be used together")
    failed(emporion(*host, "--listen", "emporion+tcp://127.0.0.1:0", "--client-ca", "ca.pem", cwd=folder), "TLS")
    to = ("send", "guest.py:Guest", "--to", "emporion://127.0.0.1:9/tavern", "--call", "whoami", "--anonymous")
    failed(emporion(*to, "--ca", "none.pem", cwd=folder), "none.pem")


def test_making_writes_two_files_and_overwrites_none(folder: Path) -> None:
    assert stat.S_IMODE((folder / "ca.key").stat().st_mode) == 0o600
    assert stat.S_IMODE((folder / "nora.key").stat().st_mode) == 0o600
    before = (folder / "nora.key").read_bytes()
    client = ("certificate", "make", "client", "nora.pem", "--ca", "ca.pem", "--name", "nora")
    failed(emporion(*client, cwd=folder), "nothing is overwritten")
    assert (folder / "nora.key").read_bytes() == before
    failed(emporion("certificate", "make", "ca", "ca.pem", cwd=folder), "nothing is overwritten")


def test_what_cannot_be_signed_is_said(folder: Path) -> None:
    make = ("certificate", "make")
    failed(emporion(*make, "host", "x.pem", "--ca", "ca.pem", "--name", "a b", cwd=folder), "no name of a host")
    failed(emporion(*make, "client", "x.pem", "--ca", "nora.pem", "--name", "x", cwd=folder), "make ca")
    failed(emporion(*make, "client", "x.pem", "--ca", "none.pem", "--name", "x", cwd=folder), "cannot read none.pem")
    failed(emporion(*make, "client", "x.pem", "--ca", "ca.pem", "--name", "\x1b[2J", cwd=folder), "control character")
    long = emporion(*make, "client", "x.pem", "--ca", "ca.pem", "--name", "x", "--days", "9999", cwd=folder)
    failed(long, "ask for at most")
    assert not (folder / "x.pem").exists()
    assert not (folder / "x.key").exists()


def test_a_certificate_is_shown_with_all_that_one_wants_to_know(folder: Path) -> None:
    (facts,) = shown(folder, "tavern.pem")
    assert facts["subject"] == "CN=127.0.0.1"
    assert facts["issuer"].startswith("CN=emporion CA ")
    assert facts["names"] == ["127.0.0.1", "tavern.example"]
    assert facts["for"] == ["host"]
    assert facts["valid"] == "yes"
    assert facts["key"] == "tavern.key"
    done = emporion("certificate", "show", "tavern.pem", cwd=folder)
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "names 127.0.0.1, tavern.example" in lines
    assert f"fingerprint {facts['fingerprint']}" in lines
    assert "key tavern.key" in lines
    narrow = emporion("certificate", "show", "tavern.pem", cwd=folder, COLUMNS="40", FORCE_COLOR="1")
    assert facts["fingerprint"] in narrow.stdout, "a fingerprint that is cut or broken cannot be copied"
    assert shown(folder, "ca.pem")[0]["for"] == ["authority"]
    assert shown(folder, "nora.pem")[0]["for"] == ["client"]


def test_a_hosts_state_folder_shows_what_its_uris_carry(folder: Path, tmp_path: Path) -> None:
    own = server_context(state_dir=tmp_path)
    (facts,) = shown(tmp_path, ".")
    assert facts["fingerprint"] == own.fingerprint
    assert facts["names"] == ["localhost", "127.0.0.1", "::1"]
    assert facts["key"] == "host.pem"
    (tmp_path / "host.pem").chmod(0o644)
    assert "chmod 600" in shown(tmp_path, ".")[0]["key"]


def test_several_certificates_are_shown_one_after_the_other(folder: Path, tmp_path: Path) -> None:
    ours = make_authority("ours")
    nora = make_client(ours, "nora")
    save(nora, tmp_path / "chain.pem")
    save(make_authority("theirs"), tmp_path / "theirs.pem")
    with (tmp_path / "chain.pem").open("ab") as file:
        file.write(ours.certificate_pem)
    first, second = shown(tmp_path, "chain.pem")
    assert (first["subject"], second["subject"]) == ("CN=nora", "CN=ours")
    assert (first["key"], second["key"]) == ("chain.key", "")
    (tmp_path / "chain.key").write_bytes((tmp_path / "theirs.key").read_bytes())
    assert "belongs to another" in shown(tmp_path, "chain.pem")[0]["key"]
    (tmp_path / "chain.key").unlink()
    assert shown(tmp_path, "chain.pem")[0]["key"] == ""
    assert emporion("certificate", "show", "chain.pem", cwd=tmp_path).stdout.count("fingerprint") == 2


def test_foreign_text_is_made_harmless(tmp_path: Path) -> None:
    ours = make_authority("ours")
    hostile = with_common_names("\x1b[2Jnora\n\u202e".encode())
    (tmp_path / "bad.pem").write_bytes(forged(ours, period=PAST, edit=hostile).certificate_pem)
    done = emporion("certificate", "show", "bad.pem", cwd=tmp_path)
    assert done.returncode == 0, done
    assert "\x1b" not in done.stdout
    assert "\u202e" not in done.stdout
    assert "(expired)" in done.stdout
    for line in done.stdout.splitlines():
        assert line.split()[0] in ("subject", "issuer", "names", "for", "valid", "fingerprint", "key")


def test_what_is_no_certificate_is_said(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(bytes(1024 * 1024 + 1))
    for path, text in (
        (folder / "nora.key", "no certificate"),
        (tmp_path, "cannot read"),
        (tmp_path / "big", "more than"),
        (Path("none\x1b.pem"), "cannot read"),
    ):
        done = emporion("certificate", "show", str(path), cwd=tmp_path)
        failed(done, text)
        assert "\x1b" not in done.stderr
