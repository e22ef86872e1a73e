"""Conversations of real visits with their host, as the fuzzer's material: recorded, kept in small files, read again.

A file has one line for each frame: ``host KIND`` where the host says something (what, is its own affair), and
``visit HEX`` for what the visit says. ``python tests/fuzz/conversations.py`` records them all anew, which is needed
when the protocol changes; test_visit_protocol.py says when.
"""

import contextlib
import select
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

import emporion
from emporion.runtime.jails import _key
from emporion.runtime.options import Isolation, Limits
from emporion.runtime.sandbox.supervisor import Jailed, Jailer
from emporion.runtime.wire.codecs import CODECS
from emporion.runtime.wire.frames import FrameReader
from emporion.runtime.wire.messages import Fault
from emporion.tests.harbour import anything_goes, open_host

__all__ = ["AGENT", "FOLDER", "HOST", "SCENES", "Conversation", "Shop", "Stage", "agents_module", "kept"]

FOLDER: Final = Path(__file__).with_name("visit_conversations")
MODULE: Final = "fuzzed_agent"  # its name and text are in what is recorded: by digest
HOST: Final = b""  # a step of a conversation in which the host speaks
_CODECS: Final = {codec.id: codec for codec in CODECS.values()}

AGENT: Final = '''
from collections import namedtuple
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction


class Note:
    def __init__(self, text):
        self.text = text


class Agent:
    def __init__(self):
        self.seen = []
        self.note = Note("first")
        self.friend = None

    def ask(self, shop):
        for number in range(3):
            self.seen.append(shop.price(number))
        print("asked")
        return self.seen

    def values(self, shop):
        told = [None, True, -1, 2 ** 70, 0.5, "é", b"bytes", (1, (2,)), {3}, frozenset([4]), {"a": [1], 2: "b"},
                Decimal("1.5"), Fraction(1, 3), date(2020, 2, 29), timedelta(1), 1j, range(3), ..., slice(1, 2)]
        told.append(told)
        return shop.take(told, key="value", more=b"x" * 2000)

    def hold(self, shop):
        drawer = shop.drawer()
        drawer.label = "mine " + drawer.label
        again = shop.take(drawer, shop)
        return [drawer, again is drawer, drawer.price(1)]

    def let_go(self, shop):
        for _ in range(3):
            shop.drawer()
        return shop.price(0)

    def fail(self, shop):
        try:
            shop.break_down("by request")
        except LookupError as error:
            print("caught", error)
        raise ValueError("sold out", 3)

    def lead(self, shop):
        return shop.call_back(self, 2)

    def count(self, shop, deep):
        return deep if deep == 0 else shop.call_back(self, deep - 1)

    def meet(self, other):
        self.friend = other
        other.friend = self
        other.note = self.note
        return [other, self, Note]

    def give(self, shop):
        return shop.take(Note("given"), Note, self)
'''


class Shop:
    """What the agents ask."""

    broken_into: ClassVar[list[str]] = []  # what was reached that is not exposed

    def __init__(self) -> None:
        self._label = "shop"
        self.taken: list[Any] = []

    @emporion.expose
    def price(self, number: int) -> int:
        return 100

    @emporion.expose
    def take(self, *args: Any, **kwargs: Any) -> Any:
        self.taken.append((args, kwargs))
        return args[0] if args else None

    @emporion.expose
    def drawer(self) -> "Shop":
        return Shop()

    @emporion.expose
    def break_down(self, why: object) -> None:
        raise LookupError(str(why))

    @emporion.expose
    def call_back(self, visitor: Any, deep: Any) -> Any:
        return visitor.count(self, deep)

    @property
    def label(self) -> str:
        return self._label

    @label.setter
    def label(self, text: str) -> None:
        self._label = text

    emporion.expose(label)

    def open_till(self, *args: Any, **kwargs: Any) -> None:
        self.broken_into.append("the till")

    @property
    def _private(self) -> None:
        self.broken_into.append("the back room")


def _attributes(first: Any, second: Any, shop: Shop) -> Any:
    first.seen = [1, first.seen]
    return [first.seen, hasattr(first, "nothing"), first.note.text, first.ask(shop), first.note]


# What the hosted method does with two agents, by the name of the conversation.
SCENES: Final[dict[str, Callable[[Any, Any, Shop], Any]]] = {
    "ask": lambda first, second, shop: [first.ask(shop), first],
    "values": lambda first, second, shop: [first.values(shop), first],
    "hold": lambda first, second, shop: first.hold(shop),
    "let_go": lambda first, second, shop: [first.let_go(shop), first.let_go(shop)],
    "fail": lambda first, second, shop: first.fail(shop),
    "lead": lambda first, second, shop: [first.lead(shop), first],
    "meet": lambda first, second, shop: [first.meet(second), second.friend, first],
    "give": lambda first, second, shop: [first.give(shop), second],
    "attributes": _attributes,
}


class Stage:
    """The hosted object whose visits are recorded, and fuzzed; `outcomes` has what its method got, or was raised."""

    def __init__(self) -> None:
        self.shop = Shop()
        self.outcomes: list[Any] = []

    @emporion.expose
    def go(self, first: Any, second: Any, scene: str) -> Any:
        try:
            result = SCENES[scene](first, second, self.shop)
        except BaseException as error:
            self.outcomes.append(error)
            raise
        self.outcomes.append(result)
        return result

    @emporion.expose
    def hello(self) -> str:
        return "hello"


@dataclass(frozen=True)
class Conversation:
    """`steps`: whole frames of the visit's, and `HOST` for each frame of the host's."""

    scene: str
    steps: tuple[bytes, ...]

    @classmethod
    def read(cls, path: Path) -> "Conversation":
        """From a file of the folder."""
        lines = [line.split() for line in path.read_text(encoding="ascii").splitlines()]
        return cls(path.stem, tuple(HOST if who == "host" else bytes.fromhex(what) for who, what in lines))

    @property
    def said(self) -> list[int]:
        """Where in `steps` the visit speaks."""
        return [n for n, step in enumerate(self.steps) if step is not HOST]


def kept() -> list[Conversation]:
    """All conversations of the folder."""
    return [Conversation.read(path) for path in sorted(FOLDER.glob("*.txt"))]


@contextlib.contextmanager
def agents_module() -> Iterator[Any]:
    """The agents' module, importable under its name for the time being."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, f"{MODULE}.py").write_text(AGENT, encoding="utf-8")
        sys.path.insert(0, folder)
        try:
            yield __import__(MODULE)
        finally:
            sys.path.remove(folder)
            del sys.modules[MODULE]


class _Overheard:
    """A jailer whose visits are overheard; `lines` has what was said in the last one."""

    def __init__(self, jailer: Jailer) -> None:
        self._jailer = jailer
        self.lines: list[str] = []
        self.over = threading.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._jailer, name)

    def open(self, limits: Limits, *, role: str = "visit") -> Jailed:
        jailed = self._jailer.open(limits, role=role)
        if role == "visit":
            self.lines, self.over = [], threading.Event()
            inner, jailed.socket = jailed.socket, socket.socket()
            jailed.socket.close()
            jailed.socket, outer = socket.socketpair()
            threading.Thread(target=self._listen, args=(inner, outer, self.lines, self.over), daemon=True).start()
        return jailed

    @staticmethod
    def _listen(inner: socket.socket, outer: socket.socket, lines: list[str], over: threading.Event) -> None:
        readers = {one: FrameReader(2**32 - 1, _CODECS.keys()) for one in (inner, outer)}
        with inner, outer:
            while True:
                for source in select.select([inner, outer], [], [])[0]:
                    data = source.recv(1 << 20) if source.fileno() >= 0 else b""
                    if not data:
                        over.set()
                        return
                    for frame in readers[source].feed(data):
                        message = _CODECS[frame.codec].decode(frame.body)
                        if isinstance(message, Fault):
                            message.traceback = "Traceback (most recent call last):"  # more would tell where it was
                        raw = _raw(frame.codec, _CODECS[frame.codec].encode(message), bytes(frame.blobs))
                        said = type(message).__name__ if source is outer else raw.hex()
                        lines.append(f"{'host' if source is outer else 'visit'} {said}")
                    with contextlib.suppress(OSError):
                        (outer if source is inner else inner).sendall(data)


def _raw(codec: int, body: bytes, blobs: bytes) -> bytes:
    length = 5 + len(body) + len(blobs)
    return length.to_bytes(4) + bytes([codec]) + len(body).to_bytes(4) + body + blobs


def record(folder: Path = FOLDER) -> None:
    """Let real agents visit a real host, and write down what they say to each other."""
    with agents_module() as module, open_host() as host:
        overheard = _Overheard(host._jails.of(Isolation()))
        host._jails._jailers[_key(Isolation())] = overheard  # type: ignore[assignment]  # has what a host uses of one
        uri = host.register(Stage(), "stage", code_validator=anything_goes, isolation=Isolation())
        with emporion.connect(uri, passphrase="pw", mobile_code=True) as proxy:
            for scene in SCENES:
                with contextlib.suppress(emporion.AgentError):
                    proxy.go(module.Agent(), module.Agent(), scene)
                overheard.over.wait(10)
                (folder / f"{scene}.txt").write_text("\n".join(overheard.lines) + "\n", encoding="ascii")


if __name__ == "__main__":
    record()
