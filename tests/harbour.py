"""What the tests of visits share: a host on loopback, modules that only one side has, and ears on every log."""

import importlib
import itertools
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent
from types import ModuleType
from typing import Any, TypeVar

import emporion
from emporion.runtime import client
from emporion.runtime.client import ClientPeer
from emporion.runtime.events import CodeCrossed, VisitOver

E = TypeVar("E")
PASSPHRASE = "pw"
ANSWER_S = 60.0  # nothing here takes seconds; a test that fails should still end

WORKER = """
class Agent:
    def __init__(self):
        self.done = []

    def work(self, desk=None):
        self.done.append(sum(range(1000)))
        return self.done[-1]
"""

_numbers = itertools.count(1)


def anything_goes(name: str, module: str | None, address: tuple[str, int] | None) -> bool:
    """The code validator of somebody who should not have a host."""
    return True


class Shelf:
    """Modules in files of their own, importable by whoever has their folder on `sys.path`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        sys.path.insert(0, str(folder))

    def close(self) -> None:
        sys.path.remove(str(self.folder))

    def package(self, **texts: str) -> str:
        """A fresh package with these modules; gives its name, and ``PKG`` in a text becomes it too."""
        name = f"trade{next(_numbers)}"
        (self.folder / name).mkdir()
        for module, text in {"__init__": "", **texts}.items():
            text = dedent(text).replace("PKG", name)
            (self.folder / name / f"{module}.py").write_text(text, encoding="utf-8")
        importlib.invalidate_caches()
        return name

    def module(self, text: str) -> ModuleType:
        """A fresh module of a fresh package, imported."""
        return importlib.import_module(f"{self.package(only=text)}.only")

    def agent(self, text: str, *args: Any) -> Any:
        """An instance of the class `Agent` in a fresh module."""
        return self.module(text).Agent(*args)


class Stage:
    """A hosted object whose method does what a test says."""

    def __init__(self, play: Callable[..., Any]) -> None:
        self._play = play

    @emporion.expose
    def go(self, *args: Any, **kwargs: Any) -> Any:
        return self._play(*args, **kwargs)


class Ears(logging.Handler):
    """Hears all that `emporion` logs while a test runs."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.records: list[logging.LogRecord] = []
        self._heard = threading.Condition()

    def emit(self, record: logging.LogRecord) -> None:
        with self._heard:
            self.records.append(record)
            self._heard.notify_all()

    def events(self, kind: type[E]) -> list[E]:
        found = [getattr(record, "event", None) for record in list(self.records)]
        return [event for event in found if isinstance(event, kind)]

    def denials(self) -> list[CodeCrossed]:
        return [event for event in self.events(CodeCrossed) if not event.accepted]

    def ended(self) -> list[VisitOver]:
        return self.events(VisitOver)

    def printed(self) -> list[str]:
        """What agents printed, as it reached the client."""
        return [r.getMessage().partition(": ")[2] for r in list(self.records) if r.name == "emporion.agent"]

    def wait_for(self, what: Callable[[], E]) -> E:
        """The first true answer of `what`, which is asked again after each record."""
        with self._heard:
            found = self._heard.wait_for(what, ANSWER_S)
        assert found, "it was not heard of in time"
        return found

    def visit_over(self) -> VisitOver:
        """The report of the one visit of this test."""
        self.wait_for(lambda: self.events(VisitOver))
        (over,) = self.events(VisitOver)
        return over


@contextmanager
def listening() -> Iterator[Ears]:
    """Ears on the log for the time of a test."""
    log = logging.getLogger("emporion")
    ears = Ears()
    before = log.level
    log.setLevel(logging.DEBUG)
    log.addHandler(ears)
    try:
        yield ears
    finally:
        log.removeHandler(ears)
        log.setLevel(before)


def open_host(**options: Any) -> emporion.Host:
    """A host on loopback that stretches keys no longer than it must."""
    verifiers = emporion.Verifiers([PASSPHRASE], iterations=4096)
    return emporion.Host("emporion+tcp://127.0.0.1:0", passphrases=verifiers, **options)


class Harbour:
    """A host with stages, and clients that come to them."""

    def __init__(self, host: emporion.Host, shelf: Shelf, ears: Ears) -> None:
        self.host = host
        self.shelf = shelf
        self.ears = ears
        self._open: list[Any] = []

    def register(self, play: Callable[..., Any] | object, **options: Any) -> emporion.URI:
        """A stage for `play`, or another object; code may cross unless `code_validator` says otherwise."""
        options = {"code_validator": anything_goes, **options}
        return self.host.register(Stage(play) if callable(play) else play, **options)

    def connect(self, uri: emporion.URI, *, peer: type[ClientPeer] = ClientPeer, **options: Any) -> Any:
        """The proxy of a hosted object, for a client of its own; with `peer`, one that need not be honest."""
        honest = client.ClientPeer
        client.ClientPeer = peer  # type: ignore[misc]
        try:
            proxy = emporion.connect(uri, **{"passphrase": PASSPHRASE, "mobile_code": True, **options})
        finally:
            client.ClientPeer = honest  # type: ignore[misc]
        self._open.append(proxy)
        return proxy

    def stage(self, play: Callable[..., Any], **options: Any) -> Any:
        """A proxy whose ``go`` runs `play` at the host."""
        return self.connect(self.register(play, **options))

    def close(self) -> None:
        for proxy in self._open:
            proxy.__exit__(None, None, None)


def until(condition: Callable[[], object]) -> None:
    """Wait for what no event tells of: what a host tidies up after it has answered."""
    deadline_s = time.monotonic() + ANSWER_S
    while not condition():
        assert time.monotonic() < deadline_s, "it did not come about in time"
        time.sleep(0.005)


def in_thread(work: Callable[[], Any]) -> Callable[[], Any]:
    """Begin `work` in a thread; gives what waits for its result, or raises what it raised."""
    came: list[Any] = []

    def run() -> None:
        try:
            came.append((work(), None))
        except BaseException as error:
            came.append((None, error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def result() -> Any:
        thread.join(ANSWER_S)
        assert came, "no result in time"
        value, error = came[0]
        if error is not None:
            raise error
        return value

    return result


def neighbours(harbour: Harbour) -> Callable[[], None]:
    """Benign agents of another client, at work from now on; gives what ends them and checks that each came home."""
    agent = harbour.shelf.agent(WORKER)
    proxy = harbour.stage(lambda visitor: (visitor.work(), visitor)[1])
    assert proxy.go(agent).done  # its zygote is up, its code is here
    enough = threading.Event()

    def keep_working() -> int:
        visits = 0
        while not enough.is_set() or visits < 3:
            begun_s = time.monotonic()
            assert proxy.go(agent).done == [499500]
            assert time.monotonic() - begun_s < 10
            visits += 1
        return visits

    visits = in_thread(keep_working)

    def check() -> None:
        enough.set()
        assert visits() >= 3

    return check
