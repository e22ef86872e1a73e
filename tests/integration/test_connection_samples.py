"""The samples about who may connect, run as their docstrings say."""

import re
from pathlib import Path

from emporion.tests.programs import commands, hosting, in_shell, laid_out, told


def test_a_host_that_is_put_on_the_list_is_denied_from_then_on(tmp_path: Path) -> None:
    folder = laid_out("deny_hosts", tmp_path / "all", "host.py", "client.py")
    host, _, block, _ = commands("deny_hosts")
    with hosting(folder, *host.split()[2:]) as tea:
        before = told(folder, tea.uri)
        assert in_shell(block, folder).returncode == 0
        after = told(folder, tea.uri)
        (folder / "blocked").write_text("127.0.0.0/99\n", encoding="utf-8")
        damaged = told(folder, tea.uri)
    assert (before, after, damaged) == (["a cup of tea"], ["denied: HOST_BLOCKED"], ["denied: UNSPECIFIED"])
    assert tea.lines == ["127.0.0.1 may come", "127.0.0.1 is blocked"]


def test_a_client_is_known_by_the_passphrase_that_it_has_for_each_object(tmp_path: Path) -> None:
    host = laid_out("authenticate", tmp_path / "host", "host.py")
    client = laid_out("authenticate", tmp_path / "client", "client.py", "keyring.json")
    with hosting(host) as shelf:
        rooms = [shelf.uri.replace("/library", f"/{room}") for room in ("library", "archive", "cellar")]
        lines = [told(client, uri) for uri in rooms]
    assert lines == [["welcome, reader"], ["welcome, archivist"], ["denied: SECURITY"]]


def test_logins_come_and_go_in_a_file_and_guessing_locks_one_of_them(tmp_path: Path) -> None:
    folder = laid_out("user_login", tmp_path / "all", "host.py", "client.py")
    add_nora, host, nora, omar, add_omar, _, guess = commands("user_login")
    assert in_shell(add_nora, folder).returncode == 0
    with hosting(folder, *host.split()[2:]) as bank:
        steps = [nora, omar, add_omar, omar, guess, guess, guess, nora, omar]
        done = [in_shell(step.replace("emporion://...", bank.uri), folder) for step in steps]
    assert [one.returncode for one in done] == [0] * len(steps)
    denied = "denied: SECURITY\n"
    said = [one.stdout for step, one in zip(steps, done, strict=True) if step.startswith("python")]
    assert said == ["nora has 1200\n", denied, "omar has 80\n", denied, denied, denied, denied, "omar has 80\n"]
    kept = (folder / "users").read_text(encoding="utf-8")
    assert "nora" in kept and "tea" not in kept


def test_members_are_known_by_their_certificates_until_these_are_revoked(tmp_path: Path) -> None:
    folder = laid_out("certificates", tmp_path / "all", "host.py", "client.py")
    *make, show, host, nora, omar, revoke, _ = commands("certificates")
    made = [in_shell(command, folder) for command in [*make, show]]
    assert [(one.returncode, one.stderr) for one in made] == [(0, "")] * 5
    assert re.search(r"^subject +CN=nora *$", made[-1].stdout, re.MULTILINE)
    with hosting(folder, *host.split()[2:]) as shop:
        done = [in_shell(step.replace("emporion://...", shop.uri), folder) for step in (nora, omar, revoke, omar, nora)]
    assert [one.returncode for one in done] == [0] * 5
    said = [re.sub(r"20\d\d", "...", one.stdout) for one in done]
    assert said == ["welcome, nora, until ...\n", "welcome, omar, until ...\n", "", "denied: SECURITY\n",
                    "welcome, nora, until ...\n"]  # fmt: skip


def test_two_seats_are_for_two_clients_one_each(tmp_path: Path) -> None:
    host = laid_out("max_clients", tmp_path / "host", "host.py")
    client = laid_out("max_clients", tmp_path / "client", "client.py")
    with hosting(host) as sauna:
        lines = told(client, sauna.uri)
    assert lines == [
        "birch is denied: SERVER_TOO_BUSY",
        "inside: ['ann', 'ben']",
        "towel is denied: SERVER_TOO_BUSY",
        "inside: ['ann', 'cy']",
    ]
