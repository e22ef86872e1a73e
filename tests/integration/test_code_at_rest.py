"""A host's code outlives it, and its operator can take code back: at once, everywhere, from another process too."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import emporion
import pytest
from emporion.agents.manifest import digest_of
from emporion.errors import CodeDenied, ConfigurationError, VisitEnded
from emporion.runtime.client import ClientPeer
from emporion.runtime.code.disk import DiskCodeStore
from emporion.runtime.events import CodeCrossed
from emporion.runtime.host import SPARES
from emporion.runtime.options import BOTH_WALLS
from emporion.runtime.wire.messages import Code, NeedCode
from emporion.tests.harbour import ANSWER_S, PASSPHRASE, Harbour, Shelf, in_thread, listening, open_host, until

ASKER = """
class Agent:
    def __init__(self):
        self.notes = []

    def work(self, desk):
        self.notes.append(desk.sign())
        self.notes.append(desk.sign())
        return self.notes

    def rest(self):
        return "rested"
"""


class Watched(ClientPeer):
    """A client that writes down what it is asked for."""

    asked: list[dict[str, str]]

    def supply(self, asked: NeedCode) -> Code:
        vars(self).setdefault("asked", []).append(dict(asked.modules))
        return super().supply(asked)


class Desk:
    """Keeps an agent in its first question until a test lets it go on."""

    def __init__(self) -> None:
        self.waiting = threading.Event()
        self.go_on = threading.Event()
        self.signed = 0

    @emporion.expose
    def sign(self) -> str:
        self.signed += 1
        self.waiting.set()
        assert self.go_on.wait(ANSWER_S)
        return "signed"


@contextmanager
def opened(folder: Path, **options: Any) -> Iterator[Harbour]:
    """A host of its own, with its state in `folder`/state, and clients that have modules in `folder`."""
    shelf = Shelf(folder)
    with listening() as ears, open_host(state_dir=folder / "state", **options) as host:
        harbour = Harbour(host, shelf, ears)
        try:
            yield harbour
        finally:
            harbour.close()
            shelf.close()


def digest_for(agent: Any) -> str:
    return digest_of(Path(sys.modules[type(agent).__module__].__file__ or "").read_text(encoding="utf-8"))


def command(folder: Path, *arguments: str) -> str:
    """Run `emporion code ...` on the host's state to its end; what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "emporion", "code", *arguments, "--state-dir", str(folder / "state")],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=ANSWER_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def no_visit_is_left(host: emporion.Host) -> None:
    keeper = host._jails.of(BOTH_WALLS)._keeper
    assert keeper is not None
    until(lambda: len(keeper._live) <= SPARES)


# --- over a restart


def test_after_a_restart_no_source_is_sent_again_and_the_validator_is_asked_all_the_same(tmp_path: Path) -> None:
    questions: list[tuple[str, str | None]] = []

    def validator(name: str, module: str | None, address: Any) -> bool:
        questions.append((name, module))
        return True

    agent: Any = None
    rules = []
    for _ in range(2):
        with opened(tmp_path) as harbour:
            agent = agent or harbour.shelf.agent(ASKER)
            uri = harbour.register(lambda visitor: visitor.rest(), code_validator=validator)
            proxy = harbour.connect(uri, peer=Watched)
            assert proxy.go(agent) == "rested"
            rules += [event.rule for event in harbour.ears.events(CodeCrossed)]
            asked = vars(proxy._peer).get("asked", [])
            assert len(asked) == (1 if len(rules) == 1 else 0)
    assert rules == ["sent", "known"]
    assert questions == [(type(agent).__module__, ASKER)] * 2


def test_a_sender_at_a_unix_socket_is_its_user_whatever_process_it_was(tmp_path: Path) -> None:
    verifiers = emporion.Verifiers([PASSPHRASE], iterations=4096)
    host = emporion.Host(f"emporion+unix://{tmp_path}/socket", passphrases=verifiers)
    shelf = Shelf(tmp_path)
    with listening() as ears, host, closing(shelf), closing(Harbour(host, shelf, ears)) as here:
        here.stage(lambda visitor: None).go(shelf.agent(ASKER))
        (kept,) = host.code.listing()
        assert [label.peer for label in kept.labels] == [f"anonymous@uid={os.getuid()}"]
        (crossed,) = ears.events(CodeCrossed)
        assert crossed.peer == f"anonymous@uid={os.getuid()},pid={os.getpid()}"


def test_the_list_says_whose_code_it_was(tmp_path: Path) -> None:
    with opened(tmp_path) as harbour:
        agent = harbour.shelf.agent(ASKER)
        harbour.stage(lambda visitor: None).go(agent)
        (kept,) = harbour.host.code.listing()
        (label,) = kept.labels
        assert (label.name, label.peer) == (type(agent).__module__, "anonymous@127.0.0.1")
        assert kept.digest == digest_for(agent)
        assert harbour.host.code.get(kept.digest) == ASKER


def test_a_host_whose_state_cannot_be_used_does_not_listen(tmp_path: Path) -> None:
    DiskCodeStore(tmp_path / "state").close()
    (tmp_path / "state" / "code.sqlite3").chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        emporion.Host(f"emporion+unix://{tmp_path}/sock", state_dir=tmp_path / "state")
    assert not (tmp_path / "sock").exists()


def test_a_closed_host_has_let_go_of_its_file(tmp_path: Path) -> None:
    with opened(tmp_path) as harbour:
        harbour.stage(lambda visitor: None).go(harbour.shelf.agent(ASKER))
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["code.sqlite3"]  # the last one out tidies up


# --- yanks, at rest


def test_yanked_code_does_not_come_in_again_and_a_restart_changes_nothing(tmp_path: Path) -> None:
    with opened(tmp_path) as harbour:
        agent = harbour.shelf.agent(ASKER)
        digest = digest_for(agent)
        proxy = harbour.stage(lambda visitor: visitor.rest())
        assert proxy.go(agent) == "rested"
        command(tmp_path, "yank", digest[:12], "--why", "it steals boots")
        refused(proxy, agent, digest)
    with opened(tmp_path) as harbour:
        proxy = harbour.stage(lambda visitor: visitor.rest())
        refused(proxy, agent, digest)
        refused(harbour.stage(lambda visitor: visitor.rest(), code_validator=None), agent, digest)
        command(tmp_path, "unyank", digest)
        assert proxy.go(agent) == "rested"


def refused(proxy: Any, agent: Any, digest: str) -> None:
    with pytest.raises(CodeDenied) as denied:
        proxy.go(agent)
    assert (denied.value.module, denied.value.direction) == (type(agent).__module__, "upload")
    assert denied.value.reason == f"digest {digest[:16]} was yanked: it steals boots"


def test_a_host_without_a_state_folder_can_yank_too(harbour: Harbour) -> None:
    agent = harbour.shelf.agent(ASKER)
    proxy = harbour.stage(lambda visitor: visitor.rest())
    harbour.host.code.yank(digest_for(agent), "it steals boots")
    refused(proxy, agent, digest_for(agent))
    harbour.host.code.unyank(digest_for(agent))
    assert proxy.go(agent) == "rested"


# --- yanks, on the way out


GOODS = "class Thing:\n    pass\n"


def test_a_yanked_module_of_the_hosts_own_goes_neither_to_clients_nor_into_visits(harbour: Harbour) -> None:
    things = harbour.shelf.module(GOODS)
    agent = harbour.shelf.agent("class Agent:\n    def take(self, thing):\n        return 'taken'\n")
    digest = digest_of(GOODS)
    client = harbour.stage(things.Thing)
    visit = harbour.stage(lambda visitor: visitor.take(things.Thing()))
    assert type(client.go()).__name__ == "Thing"
    assert visit.go(agent) == "taken"
    harbour.host.code.yank(digest, "recalled by its maker")
    try:
        for attempt in (client.go, lambda: visit.go(agent)):
            with pytest.raises(CodeDenied, match="recalled by its maker") as denied:
                attempt()
            assert (denied.value.module, denied.value.direction) == (things.__name__, "download")
    finally:
        harbour.host.code.unyank(digest)


def test_what_was_announced_before_it_was_yanked_is_not_supplied(harbour: Harbour) -> None:
    digest = digest_of(GOODS)

    class Slow(ClientPeer):
        def fetch(self, modules: dict[str, str], *, within_s: float | None = None) -> dict[str, str]:
            harbour.host.code.yank(digest, "just now")
            return super().fetch(modules, within_s=within_s)

    things = harbour.shelf.module(GOODS)
    try:
        with pytest.raises(CodeDenied, match="just now") as denied:
            harbour.connect(harbour.register(things.Thing), peer=Slow).go()
        assert (denied.value.module, denied.value.direction) == (things.__name__, "download")
        assert [event.rule for event in harbour.ears.denials()] == [f"digest {digest[:16]} was yanked: just now"]
    finally:
        harbour.host.code.unyank(digest)


def test_a_yanked_agent_that_never_entered_a_visit_does_not_go_home(harbour: Harbour) -> None:
    agent = harbour.shelf.agent(ASKER)

    def play(visitor: Any) -> Any:
        harbour.host.code.yank(digest_for(agent), "it steals boots")
        return visitor

    try:
        with pytest.raises(CodeDenied, match="was yanked"):
            harbour.stage(play).go(agent)
    finally:
        harbour.host.code.unyank(digest_for(agent))


# --- yanks, in visits that run


def test_an_agent_that_is_yanked_before_its_first_step_takes_none(harbour: Harbour) -> None:
    agent = harbour.shelf.agent(ASKER)

    def play(visitor: Any) -> Any:
        harbour.host.code.yank(digest_for(agent), "it steals boots")
        return visitor.rest()

    try:
        refused(harbour.stage(play), agent, digest_for(agent))
        no_visit_is_left(harbour.host)
    finally:
        harbour.host.code.unyank(digest_for(agent))


def test_a_yank_by_another_process_ends_the_visit_at_the_agents_next_question(tmp_path: Path) -> None:
    heard: list[BaseException] = []
    with opened(tmp_path) as harbour:
        agent, desk = harbour.shelf.agent(ASKER), Desk()
        digest = digest_for(agent)

        def play(visitor: Any) -> Any:
            for attempt in (lambda: visitor.work(desk), visitor.rest):
                try:
                    attempt()
                except emporion.EmporionError as error:
                    heard.append(error)
            raise heard[0]

        gone = in_thread(lambda: harbour.stage(play).go(agent))
        assert desk.waiting.wait(ANSWER_S)
        assert type(agent).__module__ in command(tmp_path, "yank", digest[:8], "--why", "it steals boots")
        desk.go_on.set()
        with pytest.raises(CodeDenied) as told:
            gone()
        first, then = heard
        for error in (first, told.value):
            assert isinstance(error, CodeDenied)
            assert (error.module, error.direction) == (type(agent).__module__, "upload")
            assert error.reason == f"digest {digest[:16]} was yanked: it steals boots"
        assert isinstance(then, VisitEnded)
        assert type(agent).__module__ in str(then) and digest[:16] in str(then)
        assert desk.signed == 1, "the question after the yank must not have been answered"
        assert "it steals boots" in harbour.ears.visit_over().ended_by
        no_visit_is_left(harbour.host)


@pytest.mark.parametrize("kept", ["memory", "disk"])
def test_a_yank_ends_the_visit_at_the_hosts_next_call(kept: str, harbour: Harbour, tmp_path: Path) -> None:
    with opened(tmp_path) if kept == "disk" else listening_to(harbour) as port:
        agent = port.shelf.agent(ASKER)
        heard: list[BaseException] = []

        def play(visitor: Any) -> Any:
            assert visitor.rest() == "rested"
            port.host.code.yank(digest_for(agent), "it steals boots")
            for _ in range(2):
                with pytest.raises(emporion.EmporionError) as error:
                    visitor.rest()
                heard.append(error.value)
            return visitor

        with pytest.raises(VisitEnded, match="it steals boots"):
            port.stage(play).go(agent)
        assert list(map(type, heard)) == [CodeDenied, VisitEnded]
        assert len(port.ears.denials()) == 1
        assert "it steals boots" in port.ears.visit_over().ended_by
        no_visit_is_left(port.host)


@contextmanager
def listening_to(harbour: Harbour) -> Iterator[Harbour]:
    yield harbour


def test_a_yank_of_a_hosts_module_ends_the_visit_that_was_given_it(harbour: Harbour) -> None:
    things = harbour.shelf.module(GOODS.replace("Thing", "Ware"))
    agent = harbour.shelf.agent("class Agent:\n    def take(self, thing):\n        return 'taken'\n")
    digest = digest_of(GOODS.replace("Thing", "Ware"))

    def play(visitor: Any) -> Any:
        visitor.take(things.Ware())
        harbour.host.code.yank(digest, "recalled by its maker")
        return visitor.take(1)

    with pytest.raises(CodeDenied, match="recalled by its maker") as denied:
        harbour.stage(play).go(agent)
    assert (denied.value.module, denied.value.direction) == (things.__name__, "download")


def test_a_yank_of_other_code_disturbs_no_visit(tmp_path: Path) -> None:
    with opened(tmp_path) as harbour:
        agent, desk = harbour.shelf.agent(ASKER), Desk()
        gone = in_thread(lambda: harbour.stage(lambda visitor: visitor.work(desk)).go(agent))
        assert desk.waiting.wait(ANSWER_S)
        with closing(DiskCodeStore(tmp_path / "state", make=False)) as elsewhere:
            elsewhere.yank("ab" * 32, "of somebody else's")
        desk.go_on.set()
        assert gone() == ["signed", "signed"]
        assert harbour.host.code.yanked("ab" * 32) == "of somebody else's"
