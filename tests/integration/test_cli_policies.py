"""The command line about policies, as real processes: keys, signatures, and what a policy would decide."""

import json
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from emporion.agents.folder import modules_in
from emporion.agents.signing import load_key, public_text, signatures_beside
from emporion.errors import ConfigurationError
from emporion.tests.integration.test_cli import emporion, failed

AGENT = "from agent import tools\nimport math\n\n\nclass Shopper:\n    pass\n"
POLICY = '''
from emporion.validators.code import all_of, any_of, callers, downloads, imports, max_size, names, quiet, rate
from emporion.validators.code import signed_by, uploads

asked = []
code_validator = any_of(
    uploads(all_of(names("agent.*"), imports("math"), quiet(callers("nora")), rate(1, 60))),
    downloads(names("objects.*")),
)
signed = uploads(signed_by("keys"))
broken = lambda name, module, address: {}[name]
number = 3


def told(name, module, address, caller, consignment):
    return bool(module) and (address[0], caller.identity, len(consignment.manifest)) == ("10.0.0.1", "nora", 2)
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two agents' modules, and goods that must not run."""
    for name, text in {
        "agent/__init__.py": "# a package\n",
        "agent/shopping.py": AGENT,
        "agent/tools.py": "x = 1\n",
        "agent/thief.py": "import os\nopen('it-ran', 'w')\n",
        "objects/tv.py": "open('it-ran', 'w')\n",
        ".hidden/no.py": "",
        "venv/pyvenv.cfg": "",
        "venv/no.py": "",
        "not-a-name.py": "",
        "keys": "# nobody yet\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "mine.py").write_text(POLICY, encoding="utf-8")
    return tmp_path


def outcome(folder: Path, *arguments: str) -> dict[str, dict[str, Any]]:
    """What `emporion policy test --json` says, by module."""
    done = emporion("policy", "test", *arguments, "--json", cwd=folder)
    assert done.returncode == 0, done
    assert done.stderr == ""
    return {line["module"]: line for line in json.loads(done.stdout)}


def made(folder: Path, name: str = "key") -> str:
    done = emporion("key", "make", name, cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


def test_a_key_is_made_once_and_shown(folder: Path) -> None:
    text = made(folder)
    assert text == public_text(load_key(folder / "key"))
    assert stat.S_IMODE((folder / "key").stat().st_mode) == 0o600
    assert emporion("key", "show", "key", cwd=folder).stdout == f"{text}\n"
    failed(emporion("key", "make", "key", cwd=folder), "never overwritten")
    (folder / "key").chmod(0o644)
    failed(emporion("key", "show", "key", cwd=folder), "chmod 600")
    failed(emporion("sign", "agent.shopping:Shopper", "--key", "key", cwd=folder), "chmod 600")


def test_signing_writes_the_sidecar_and_says_what_was_signed(folder: Path) -> None:
    text = made(folder)
    done = emporion("sign", "agent.shopping:Shopper", "--key", "key", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    (shopping,) = [one for one in modules_in(folder) if one.name == "agent.shopping"]
    lines = [f"{name:<14}  {digest}" for name, digest in sorted(shopping.manifest.items())]
    assert done.stdout.splitlines() == [*lines, f"signed by {text}", f"in {shopping.origin}.signatures"]
    (signature,) = signatures_beside(shopping.origin, shopping.manifest)
    assert f"ed25519:{signature.key}" == text


def test_what_cannot_be_signed_is_an_error_in_one_line(folder: Path) -> None:
    made(folder)
    failed(emporion("sign", "agent.shopping:AGENT", "--key", "key", cwd=folder), "no 'AGENT'")
    failed(emporion("sign", "agent.tools:x", "--key", "key", cwd=folder), "is no class")
    failed(emporion("sign", "json:JSONDecoder", "--key", "key", cwd=folder), "part of Python")
    failed(emporion("sign", "agent.shopping:Shopper", "--key", "none", cwd=folder), "cannot read none")
    assert not list(folder.glob("**/*.signatures"))


def test_a_policy_is_tested_without_running_what_it_is_about(folder: Path) -> None:
    found = outcome(folder, "policies/mine.py", ".", "--as", "nora")
    assert list(found) == ["agent.shopping", "agent.thief", "agent.tools", "objects.tv", "policies.mine"]
    accepted = {name: (line["upload"]["accepted"], line["download"]["accepted"]) for name, line in found.items()}
    assert accepted == {
        "agent.shopping": (True, False),
        "agent.thief": (False, False),
        "agent.tools": (True, False),  # looking does not use the rate up
        "objects.tv": (False, True),
        "policies.mine": (False, False),
    }
    assert found["agent.shopping"]["consignment"] == ["agent.shopping", "agent.tools"]
    assert found["agent.thief"]["upload"]["reason"] == "'agent.thief' imports 'os'; 'math' may be imported"
    assert not (folder / "it-ran").exists()


def test_the_table_has_both_directions_and_what_the_peer_hears(folder: Path) -> None:
    done = emporion("policy", "test", "policies/mine.py", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    table = " ".join(done.stdout.split())
    assert table.startswith("module as an upload as a download agent.shopping DENIED:")
    assert "DENIED: a caller without identity fits" in table
    assert "(the peer hears:" in table
    assert "\n\n" not in done.stdout
    explained = emporion("policy", "test", "policies/mine.py", "--explain", cwd=folder).stdout
    assert "\nagent.thief, upload\n  any_of(" in explained
    assert "        imports('math') denies: 'agent.thief' imports 'os'; 'math' may be imported\n" in explained
    assert "objects.tv, download\n" in explained


def test_the_sender_is_the_one_that_was_given(folder: Path) -> None:
    found = outcome(folder, "policies/mine.py:told", "--address", "10.0.0.1", "--as", "nora")
    assert [name for name, line in found.items() if line["upload"]["accepted"]] == ["agent.shopping"]
    found = outcome(folder, "policies/mine.py:told", "--as", "nora")
    assert not any(line["upload"]["accepted"] for line in found.values())


def test_signatures_beside_the_modules_count_also_for_what_travels_with_them(folder: Path) -> None:
    (folder / "keys").write_text(f"{made(folder)} nora\n", encoding="utf-8")
    emporion("sign", "agent.shopping:Shopper", "--key", "key", cwd=folder)
    found = outcome(folder, "policies/mine.py:signed", "--explain")
    signed = {name for name, line in found.items() if line["upload"]["accepted"]}
    assert signed == {"agent.shopping", "agent.tools"}
    assert found["agent.tools"]["upload"]["reason"].endswith(" nora")
    assert found["agent.tools"]["explained"]["upload"][1].startswith("  signed_by('keys') accepts: signed by ed25519:")
    (folder / "agent" / "tools.py").write_text("x = 2\n", encoding="utf-8")
    done = emporion("policy", "test", "policies/mine.py:signed", "--json", cwd=folder)
    assert not any(line["upload"]["accepted"] for line in json.loads(done.stdout))
    assert done.stderr.count("\n") == 1
    assert "sign again" in done.stderr


def test_what_could_not_travel_is_said(folder: Path) -> None:
    (folder / "zipapp.py").write_text("x = 1\n", encoding="utf-8")
    (folder / "agent" / "tools.py").write_text("x = (\n", encoding="utf-8")
    (folder / "agent" / "big.py").write_text("#" * 2_000_000, encoding="utf-8")
    found = outcome(folder, "policies/mine.py")
    assert found["zipapp"]["upload"] is None
    assert found["agent.big"]["upload"] is None
    assert "cannot be read" in found["agent.shopping"]["fault"]
    assert found["agent.shopping"]["consignment"] == ["agent.shopping"]
    table = " ".join(emporion("policy", "test", "policies/mine.py", cwd=folder).stdout.split())
    assert "nobody is asked: module name 'zipapp'" in table
    assert "as it lies there it does not travel" in table


def test_a_validator_that_raises_denies_in_the_report_too(folder: Path) -> None:
    found = outcome(folder, "policies/mine.py:broken", "--explain")
    assert found["objects.tv"]["download"] == {
        "accepted": False, "reason": "the validator raised KeyError: 'objects.tv'", "told": "the validator failed",
    }  # fmt: skip
    assert found["objects.tv"]["explained"] == {}  # a plain function has no tree


def test_a_strangers_file_with_the_name_of_a_library_is_not_run(folder: Path) -> None:
    """The policy lies where the agents do, and what verifies signatures is loaded late."""
    (folder / "keys").write_text(made(folder), encoding="utf-8")
    emporion("sign", "agent.shopping:Shopper", "--key", "key", cwd=folder)
    (folder / "policy.py").write_text("import late\n" + POLICY, encoding="utf-8")
    (folder / "late.py").write_text("", encoding="utf-8")
    for library in ("cryptography", "ipaddress", "tokenize", "rich"):
        (folder / f"{library}.py").write_text("open('it-ran', 'w')\n", encoding="utf-8")
    command = [sys.executable, "-P", "-m", "emporion", "policy", "test", "policy.py:signed", "--json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert {line["module"] for line in json.loads(done.stdout) if line["upload"] and line["upload"]["accepted"]} == {
        "agent.shopping", "agent.tools",
    }  # fmt: skip
    assert not (folder / "it-ran").exists()


def test_names_from_the_folder_cannot_steer_the_terminal(folder: Path) -> None:
    (folder / "agent" / "thief.py").write_text("x = '\x1b[2J'\nimport \x1b\n", encoding="utf-8")
    done = emporion("policy", "test", "policies/mine.py", "--explain", cwd=folder)
    assert done.returncode == 0
    assert "\x1b" not in done.stdout


def test_wrong_usage_says_what_to_give(folder: Path) -> None:
    failed(emporion("policy", "test", "policies/mine.py:number", cwd=folder), "cannot be called")
    failed(emporion("policy", "test", "policies/none.py", cwd=folder), "there is no file")
    failed(emporion("policy", "test", "agent/tools.py", cwd=folder), "neither code_validator nor policy")
    failed(emporion("policy", "test", "policies/mine.py", "nowhere", cwd=folder), "no folder nowhere")
    (folder / "empty").mkdir()
    failed(emporion("policy", "test", "policies/mine.py", "empty", cwd=folder), "has no modules")
    wrong: subprocess.CompletedProcess[str] = emporion("policy", "test", "x.py", "--address", "home", cwd=folder)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "Traceback" not in wrong.stderr


def test_a_file_with_the_name_of_a_library_stands_in_nobodys_way(folder: Path) -> None:
    (folder / "math.py").write_text("x = 1\n", encoding="utf-8")
    found = {one.name: one for one in modules_in(folder)}
    assert (found["agent.shopping"].fault, list(found["agent.shopping"].manifest)) == (
        "", ["agent.shopping", "agent.tools"],
    )  # fmt: skip


def test_a_folder_has_so_many_modules(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emporion.agents.folder.MAX_LISTED", 2)
    with pytest.raises(ConfigurationError, match="more than 2 modules"):
        modules_in(folder)
