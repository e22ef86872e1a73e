"""Names are labels, digests are identity: versions of one module side by side, and new code used at once."""

import importlib
import os
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import emporion
from emporion.agents.closure import closure_of
from emporion.runtime.client import ClientPeer
from emporion.runtime.events import CodeCrossed
from emporion.runtime.wire.messages import Code, NeedCode
from emporion.tests.harbour import Harbour, in_thread

VERSION = """
from . import parts  # of {name}: no other test's text has this digest

class Agent:
    version = {version}

    def __init__(self):
        self.seen = []

    def look(self, shop):
        self.seen.append([self.version, parts.PART, shop.name()])
        return self.seen[-1]
"""


class Shop:
    @emporion.expose
    def name(self) -> str:
        return "shop"


class Counting(ClientPeer):
    """A client that counts the sources that it gives."""

    given: list[str]

    def supply(self, asked: NeedCode) -> Code:
        vars(self).setdefault("given", []).extend(asked.modules)
        return super().supply(asked)


def package(harbour: Harbour) -> tuple[str, Path]:
    name = harbour.shelf.package(agent=VERSION.format(version=1, name="PKG"), parts="PART = 1  # of PKG\n")
    return name, harbour.shelf.folder / name


def write(path: Path, text: str) -> None:
    """Change a file so that its modification time is sure to be another one."""
    stamp = path.stat().st_mtime_ns + 2_000_000_000
    path.write_text(text, encoding="utf-8")
    os.utime(path, ns=(stamp, stamp))
    importlib.invalidate_caches()


def imported(name: str) -> ModuleType:
    return importlib.import_module(f"{name}.agent")


def afresh(name: str) -> ModuleType:
    for module in [one for one in sys.modules if one == name or one.startswith(f"{name}.")]:
        del sys.modules[module]
    return imported(name)


def look(agent: Any) -> Any:
    agent.look(Shop())
    return agent


def test_after_a_reload_the_new_code_is_used_at_once_and_only_what_changed_is_sent(harbour: Harbour) -> None:
    name, folder = package(harbour)
    module = imported(name)
    proxy = harbour.connect(harbour.register(look), peer=Counting)
    assert proxy.go(module.Agent()).seen == [[1, 1, "shop"]]
    write(folder / "agent.py", VERSION.format(version=2, name=name))
    importlib.reload(module)
    assert proxy.go(module.Agent()).seen == [[2, 1, "shop"]]
    assert proxy.go(module.Agent()).seen == [[2, 1, "shop"]]
    assert sorted(proxy._peer.given) == [f"{name}.agent", f"{name}.agent", f"{name}.parts"]


def test_after_a_fresh_import_new_helpers_are_used_at_once(harbour: Harbour) -> None:
    name, folder = package(harbour)
    proxy = harbour.connect(harbour.register(look), peer=Counting)
    assert proxy.go(imported(name).Agent()).seen == [[1, 1, "shop"]]
    write(folder / "parts.py", f"PART = 2  # of {name}\n")
    assert proxy.go(afresh(name).Agent()).seen == [[1, 2, "shop"]]
    assert sorted(proxy._peer.given) == [f"{name}.agent", f"{name}.parts", f"{name}.parts"]


def test_an_unchanged_module_that_is_imported_afresh_sends_nothing(harbour: Harbour) -> None:
    name, _ = package(harbour)
    proxy = harbour.connect(harbour.register(look), peer=Counting)
    proxy.go(imported(name).Agent())
    given = len(proxy._peer.given)
    proxy.go(afresh(name).Agent())
    importlib.reload(imported(name))
    proxy.go(imported(name).Agent())
    assert len(proxy._peer.given) == given


def test_two_versions_meet_in_one_visit_and_come_home_as_what_they_were(harbour: Harbour) -> None:
    name, folder = package(harbour)
    first = imported(name).Agent()

    def play(one: Any, other: Any = None) -> Any:
        return [one.look(Shop()), other and other.look(Shop()), one, other]

    proxy = harbour.stage(play)
    proxy.go(first)
    write(folder / "agent.py", VERSION.format(version=2, name=name))
    write(folder / "parts.py", f"PART = 2  # of {name}\n")
    second = afresh(name).Agent()
    one, other, first_home, second_home = proxy.go(first, second)
    assert (one, other) == ([1, 1, "shop"], [2, 2, "shop"])
    assert (type(first_home), type(second_home)) == (type(first), type(second))
    assert type(first) is not type(second)


def test_two_versions_run_in_two_visits_at_the_same_time(harbour: Harbour) -> None:
    name, folder = package(harbour)
    first = imported(name).Agent()
    both, begun = threading.Barrier(2, timeout=30), threading.Event()

    def play(agent: Any) -> Any:
        begun.set()
        both.wait()
        found = agent.look(Shop())
        both.wait()
        return found

    proxy = harbour.stage(play)
    waiting = in_thread(lambda: proxy.go(first))
    assert begun.wait(30)
    write(folder / "agent.py", VERSION.format(version=2, name=name))
    second = afresh(name).Agent()
    assert proxy.go(second) == [2, 1, "shop"]
    assert waiting() == [1, 1, "shop"]


def test_two_versions_of_a_hosts_class_live_side_by_side_on_a_client(harbour: Harbour) -> None:
    name = harbour.shelf.package(goods="class Lamp:\n    def glow(self):\n        return 'dimly'\n")
    path = harbour.shelf.folder / name / "goods.py"
    made = [importlib.import_module(f"{name}.goods").Lamp()]
    proxy = harbour.stage(lambda: made[-1])
    old = proxy.go()
    write(path, "class Lamp:\n    def glow(self):\n        return 'brightly'\n")
    made.append(importlib.reload(sys.modules[f"{name}.goods"]).Lamp())
    new = proxy.go()
    assert (old.glow(), new.glow()) == ("dimly", "brightly")
    assert type(old) is not type(new)


# --- many threads at once


def test_the_code_that_fifty_threads_first_use_at_one_moment_travels_once(harbour: Harbour) -> None:
    name, _ = package(harbour)
    module = imported(name)
    proxy = harbour.connect(harbour.register(look), peer=Counting)
    start = threading.Barrier(50, timeout=30)

    def send() -> Any:
        start.wait()
        return proxy.go(module.Agent()).seen

    waiting = [in_thread(send) for _ in range(50)]
    assert [one() for one in waiting] == [[[1, 1, "shop"]]] * 50
    assert sorted(proxy._peer.given) == [f"{name}.agent", f"{name}.parts"]


def test_fifty_threads_with_twenty_versions_get_their_own_and_each_travels_once(harbour: Harbour) -> None:
    name, folder = package(harbour)
    classes = []
    proxy = harbour.connect(harbour.register(look), peer=Counting)
    for version in range(20):
        write(folder / "agent.py", VERSION.format(version=version, name=name))
        classes.append(afresh(name).Agent)
        closure_of(classes[-1])  # as when it is first sent: it keeps its text from then on
    start = threading.Barrier(50, timeout=30)

    def send(number: int) -> bool:
        start.wait()
        mine = [(number + step) % 20 for step in (0, 7, 13)]
        homes = [proxy.go(classes[version]()) for version in mine]
        return [home.seen for home in homes] == [[[version, 1, "shop"]] for version in mine]

    waiting = [in_thread(lambda number=number: send(number)) for number in range(50)]  # type: ignore[misc]
    assert all(one() for one in waiting)
    assert sorted(proxy._peer.given) == [f"{name}.agent"] * 20 + [f"{name}.parts"]
    sent = [event for event in harbour.ears.events(CodeCrossed) if event.direction == "upload" and event.accepted]
    assert len({event.digest for event in sent}) == 21


def test_a_class_that_fifty_threads_first_get_at_one_moment_comes_down_once(harbour: Harbour) -> None:
    name = harbour.shelf.package(goods="class Lamp:\n    def glow(self):\n        return 'dimly'\n")
    lamp = importlib.import_module(f"{name}.goods").Lamp
    start = threading.Barrier(50, timeout=30)
    proxy = harbour.stage(lamp)

    def get() -> Any:
        start.wait()
        return type(proxy.go())

    waiting = [in_thread(get) for _ in range(50)]
    assert len({one() for one in waiting}) == 1
    sent = [event.module for event in harbour.ears.events(CodeCrossed) if event.rule == "sent"]
    assert sent == [f"{name}.goods"]
