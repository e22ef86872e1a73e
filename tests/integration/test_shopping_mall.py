"""The sample's story, told by its two real programs; and the demo, which shows it."""

import hashlib
import json
import logging
import os
import re
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from emporion.errors import ConnectionLost, EmporionError
from emporion.runtime.cli.demo import _process, _Stage, divided
from emporion.runtime.cli.logs import JsonLines
from emporion.runtime.cli.telling import Teller

SAMPLE = Path(__file__).parents[2] / "samples" / "shopping_mall"
LOGINS = "nora:red boots\notto:blue boots\nmoll:no boots\n"
WAIT_S = 60.0


@dataclass
class Story:
    acts: list[dict[str, Any]]
    log: list[dict[str, Any]]

    def events(self, kind: str, who: str = "") -> list[dict[str, Any]]:
        found = [record["event"] for record in self.log if record["event"] and record["event"]["kind"] == kind]
        return [event for event in found if event["peer"].startswith(who)]

    def crossed(self, direction: str, who: str, rule: str) -> list[str]:
        found = [event for event in self.events("CodeCrossed", who) if event["direction"] == direction]
        return [event["module"] for event in found if event["rule"] == rule]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """The mall as `emporion host` serves it, and the shoppers' program, run to its end."""
    folder = tmp_path_factory.mktemp("mall")
    logins = folder / "logins"
    logins.touch(mode=0o600)
    logins.write_text(LOGINS, encoding="utf-8")
    mall = SAMPLE / "server" / "mall.py"
    command = [
        *(sys.executable, "-m", "emporion", "host", f"{mall}:Mall", "--name", "mall", "--logins-file", str(logins)),
        *("--code-validator", f"{mall}:code_validator", "--log-format", "json"),
    ]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log) as host:
        assert host.stdout is not None
        try:
            uri = host.stdout.readline().decode().strip()
            assert uri, (folder / "log").read_text(encoding="utf-8")
            client = [sys.executable, str(SAMPLE / "client" / "shoppers.py"), uri, str(logins), "--json"]
            told = subprocess.run(client, capture_output=True, text=True, timeout=WAIT_S)
        finally:
            host.send_signal(signal.SIGTERM)
            assert host.wait(WAIT_S) == 0
    assert told.returncode == 0, told.stderr
    records = (folder / "log").read_text(encoding="utf-8").splitlines()
    yield Story([json.loads(line) for line in told.stdout.splitlines()], [json.loads(line) for line in records])


def test_neither_side_has_the_classes_of_the_other() -> None:
    server = {path.name for path in (SAMPLE / "server").rglob("*.py")}
    client = {path.name for path in (SAMPLE / "client").rglob("*.py")}
    assert server & client == {"__init__.py"}
    assert not (SAMPLE / "server" / "agent").exists()
    assert not (SAMPLE / "client" / "objects").exists()


def test_shoppers_come_home_with_what_they_could_afford(story: Story) -> None:
    nora, otto = story.acts[:2]
    assert [thing["class"] for thing in nora["bought"]] == ["Radio", "Boots", "Atlas", "Cactus"]
    assert (nora["left"], nora["unmet"]) == (250 - 60 - 120 - 45 - 10, [])
    assert [thing["class"] for thing in otto["bought"]] == ["Boots", "Cookbook", "Fern"]
    assert (otto["left"], otto["unmet"]) == (175 - 120 - 25 - 15, ["television", "radio"])


def test_the_shoppers_describe_their_goods_with_the_classes_that_came_down(story: Story) -> None:
    described = {thing["class"]: thing["thing"] for act in story.acts[:2] for thing in act["bought"]}
    assert described["Boots"] == "a pair of boots, size 41, waterproof up to the knees"
    assert described["Cookbook"] == '"One Hundred Soups", 128 pages'
    assert described["Fern"] == "a fern"


def test_what_an_agent_prints_reaches_its_sender(story: Story) -> None:
    assert story.acts[1]["said"] == [
        "Ohm & Daughters: television for 240? I have 175 left. Next time.",
        "Sole Mates: boots for 120, taken.",
        "The Paper Trail: cookbook for 25, taken.",
        "Root & Branch: fern for 15, taken.",
    ]


def test_an_agents_code_goes_up_once_and_is_judged_twice(story: Story) -> None:
    assert story.crossed("upload", "nora@", "sent") == ["agent.shopping"]
    assert story.crossed("upload", "otto@", "sent") == []
    assert story.crossed("upload", "otto@", "known") == ["agent.shopping"]


def test_only_the_modules_of_what_was_bought_come_down(story: Story) -> None:
    goods = {"objects.goods", "objects.shoes", "objects.books", "objects.plants"}
    assert set(story.crossed("download", "nora@", "sent")) == goods | {"objects.electronics"}
    assert set(story.crossed("download", "otto@", "sent")) == goods


def test_the_log_has_the_digest_of_every_module_that_crossed(story: Story) -> None:
    for event in story.events("CodeCrossed"):
        side = "client" if event["direction"] == "upload" else "server"
        file = (SAMPLE / side).joinpath(*event["module"].split(".")).with_suffix(".py")
        assert event["digest"] == hashlib.sha256(file.read_bytes()).hexdigest()


def test_a_pickpocket_and_the_ledger_do_not_pass(story: Story) -> None:
    refused = [event for event in story.events("CodeCrossed") if not event["accepted"]]
    assert [(event["module"], event["direction"], event["rule"]) for event in refused] == [
        ("agent.pickpocket", "upload", "only agent.shopping may shop here"),
        ("ledger", "download", "only what is for sale leaves the mall"),
    ]
    assert [act["refused"] for act in story.acts[2:]] == [True, True, True]
    assert "agent.pickpocket" in story.acts[2]["came"]
    assert "ledger" in story.acts[3]["came"]


def test_a_guessed_passphrase_opens_nothing(story: Story) -> None:
    assert story.acts[4]["came"].startswith("ConnectionDenied: ")
    denied = [r for r in story.log if r["logger"] == "emporion.connection" and r["level"] == "WARNING"]
    assert len(denied) == 1
    assert "sesame" not in json.dumps(story.log)


def test_every_visit_is_reported_with_its_time(story: Story) -> None:
    visits = story.events("VisitOver")
    assert [visit["peer"].partition("@")[0] for visit in visits] == ["nora", "otto"]
    assert all(0 < visit["wall_s"] < WAIT_S and visit["calls"] > 4 and not visit["ended_by"] for visit in visits)


# --- the demo ---------------------------------------------------------------------------------------------------


def demo(tmp_path: Path, **settings: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "emporion", "demo"],
        capture_output=True, timeout=WAIT_S + 10, env={**os.environ, "TMPDIR": str(tmp_path), **settings},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    assert done.stderr == b""
    return done.stdout.decode()


def test_the_demo_tells_the_whole_story_in_a_hundred_columns(tmp_path: Path) -> None:
    text = demo(tmp_path)
    assert max(map(len, text.splitlines())) <= 100
    assert set(re.findall(r"[^ -~]", text)) == {"\n", "─", "←", "→"}  # no colours where no terminal is
    for words in (
        *("TLS 1.3", "connected as nora from 127.0.0.1:", "connected as otto", "a pocket radio", "ms for the visit"),
        *("REFUSED: only agent.shopping may shop here", "REFUSED: only what is for sale leaves the mall"),
    ):
        assert words in text, text
    text_of_shopping = (SAMPLE / "client" / "agent" / "shopping.py").read_bytes()
    assert re.search(rf"up +→ +agent\.shopping +{hashlib.sha256(text_of_shopping).hexdigest()[:16]} +accepted", text)
    processes = re.findall(r"process (\d+):", text)
    assert len(set(processes)) == 2
    assert not any(Path("/proc", pid).exists() for pid in processes)
    assert list(tmp_path.iterdir()) == []


def test_the_demo_shows_itself_where_arrows_cannot_be_printed(tmp_path: Path) -> None:
    assert r"\u2192" in demo(tmp_path, PYTHONIOENCODING="ascii")


def test_records_of_the_next_act_wait_for_it_even_when_both_acts_are_told_at_once() -> None:
    """Real records of two acts, told by the time at which the first was over."""
    records = [
        JsonLines().format(logging.makeLogRecord({"name": "emporion.code", "msg": act, "created": created}))
        for act, created in (("first", 1_000.25), ("second", 1_000.75))
    ]
    first, second = divided([json.loads(record) for record in records], 1_000.5)
    assert [record["message"] for record in first] == ["first"]
    assert [record["message"] for record in second] == ["second"]


def test_a_mall_that_does_not_open_ends_the_demo_with_its_last_words() -> None:
    with (
        pytest.raises(ConnectionLost, match="no room for a mall"),
        _process([sys.executable, "-c", "import sys; sys.exit('no room for a mall')"]) as mall,
    ):
        _Stage(mall, time.monotonic() + WAIT_S).opening()


def test_the_demo_fails_when_one_of_its_processes_does() -> None:
    with (
        pytest.raises(EmporionError, match="out of breath"),
        _process([sys.executable, "-c", "import sys; sys.exit('out of breath')"]) as process,
        selectors.DefaultSelector() as selector,
    ):
        assert process.stderr is not None
        selector.register(process.stderr, selectors.EVENT_READ)
        assert selector.select(WAIT_S)  # it has come that far


def test_a_demo_that_is_interrupted_leaves_no_process_behind() -> None:
    with pytest.raises(KeyboardInterrupt), _process([sys.executable, "-c", "import time; time.sleep(99)"]) as process:
        raise KeyboardInterrupt
    assert process.returncode == -signal.SIGTERM


def test_the_demo_shows_foreign_text_harmless(capsys: pytest.CaptureFixture[str]) -> None:
    event = {
        "kind": "CodeCrossed", "module": "a\x1b[2J.[red]b[/red]", "digest": "d" * 64, "direction": "upload",
        "accepted": False, "rule": "no\nfaked line", "peer": "eve\x07@127.0.0.1:9",
    }  # fmt: skip
    record = {"event": event, "logger": "emporion.code", "level": "WARNING", "message": ""}
    Teller().act({"act": "attempt", "who": "Eve\u202e", "tries": "tries", "came": "\x9b31m"}, [record])
    shown = capsys.readouterr().out
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(shown)
    assert r"a\x1b[2J.[red]b[/red]" in shown
    assert r"no\nfaked line" in shown
