"""A host with secrets around it, and strangers' agents that come for them: behind both walls, and behind each alone.

What must stay out of reach is there to be found: a file, a secret in the host's environment, a socket that listens,
processes, and other visits, one of which has a secret in its state. The hostile text is announced and supplied by a
client that never runs it.
"""

import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import emporion
from emporion.agents.manifest import digest_of
from emporion.errors import EmporionError
from emporion.runtime.client import ClientPeer
from emporion.runtime.options import Isolation, Limits
from emporion.runtime.wire.messages import Body, Code, NeedCode
from emporion.tests.harbour import ANSWER_S, Harbour, Shelf, in_thread, listening, open_host

WAYS: Final = {
    "both walls": Isolation(),
    "the language alone": Isolation(os=False),
    "the operating system alone": Isolation(language=False),
}
MARKS: Final = {name: f"{name}-{os.urandom(8).hex()}" for name in ("canary", "environment", "neighbour")}
LIMITS: Final = Limits(cpu_s=4.0, wall_s=20.0, memory_mib=96)

PLAIN: Final = "class Agent:\n    def work(self, desk):\n        return 'worked'\n"
STAYING: Final = """
class Agent:
    def __init__(self, secret):
        self.secret = secret

    def work(self, desk):
        desk.stay()
        return self.secret
"""
# Without the language wall a row runs first, whatever comes of it; then all that it was about is tried in plain Python.
HARVEST: Final = '''
import gc, io, os, socket

class Agent:
    def work(self, desk):
        loot = []
        def attempt(what, deed):
            try:
                loot.append((what, str(deed())[:500]))
            except BaseException as error:
                loot.append((what, type(error).__name__))
        def fork():
            child = os.fork()
            if not child:
                os._exit(0)
            return "forked"
        def connect():
            socket.create_connection(("127.0.0.1", PORT), 2).send(b"here I am")
            return "connected"
        def lying_about():
            found = []
            for each in gc.get_objects():
                if type(each) in (dict, list, tuple):
                    texts = each.values() if type(each) is dict else each
                    found += [text for text in list(texts) if type(text) is str and text.startswith("neigh" "bour-")]
            return found
        def others():
            peer = desk._peer
            found = set()
            for number in range(1, 40):
                try:
                    found.add(peer.call(number, 0, "secret", (), {}))
                except Exception as error:
                    found.add(type(error).__name__)
            return sorted(found)
        attempt("room", lambda: os.closerange(0, 3))  # under the limit of descriptors
        try:
            exec(compile(ROW, "row", "exec"), {"__name__": "agent.trial", "__builtins__": __builtins__})
        except BaseException as error:
            loot.append(("row", type(error).__name__))
        attempt("file", lambda: open(CANARY).read())
        attempt("file", lambda: io.FileIO(CANARY).read())
        attempt("file", lambda: os.read(os.open(CANARY, os.O_RDONLY), 100))
        attempt("folder", lambda: os.listdir(os.path.dirname(CANARY)))
        attempt("environment", lambda: dict(os.environ))
        for process in ("self", "1", str(HOST)):
            attempt("environment", lambda: open(f"/proc/{process}/environ").read())
        attempt("socket", connect)
        attempt("process", fork)
        for process in (1, HOST, -1):
            attempt("process", lambda: os.kill(process, 0) or "signalled")
        attempt("memory", lying_about)
        attempt("visits", others)
        return loot
'''


class Stranger(ClientPeer):
    """Announces and supplies a text that it has never imported."""

    source = PLAIN

    def encode(self, values: Any, label: Any) -> tuple[Body, list[bytes]]:
        body, blobs = super().encode(values, label)
        for manifest in body.manifests:
            for name in manifest:
                manifest[name] = digest_of(self.source)
        return body, blobs

    def supply(self, asked: NeedCode) -> Code:
        return Code(asked.call, dict.fromkeys(asked.modules.values(), self.source))


class Desk:
    """What an agent is given; the neighbour's has a secret, and stays open until the tests are over."""

    def __init__(self, secret: str = "") -> None:
        self._secret = secret
        self.came = threading.Event()
        self.over = threading.Event()

    @emporion.expose
    def secret(self) -> str:
        return self._secret

    @emporion.expose
    def stay(self) -> None:
        self.came.set()
        self.over.wait(10 * ANSWER_S)


class Scene:
    """A host with secrets around it, and a stage for each way."""

    def __init__(self, harbour: Harbour, canary: Path, listener: socket.socket) -> None:
        self.harbour = harbour
        self.canary = canary
        self.listener = listener
        self.agent = harbour.shelf.agent(PLAIN)
        self.stages: dict[str, Any] = {}
        self.neighbours: list[Desk] = []
        self.waiting: list[Any] = []
        self.leak = ""  # what a hosted method gives away, so that a test sees that it would be seen

    def open(self, way: str, isolation: Isolation) -> None:
        """A stage, and beside it another client's agent in the same kind of process."""
        desk = Desk(MARKS["neighbour"])
        neighbour = self.harbour.shelf.agent(STAYING, MARKS["neighbour"])
        staying = self.harbour.stage(lambda visitor: visitor.work(desk) and None, isolation=isolation,
                                     limits=Limits(wall_s=10 * ANSWER_S))
        self.neighbours.append(desk)
        self.waiting.append(in_thread(lambda: staying.go(neighbour)))
        assert desk.came.wait(ANSWER_S)
        uri = self.harbour.register(lambda visitor: visitor.work(Desk(self.leak)), isolation=isolation, limits=LIMITS)
        self.stages[way] = self.harbour.connect(uri, peer=Stranger)

    def text_for(self, source: str, language: bool) -> str:
        source = source.replace("CANARY", str(self.canary))
        if language:
            return f"{source}\n{PLAIN}"
        port, host = self.listener.getsockname()[1], os.getpid()
        return f"ROW = {source!r}\nCANARY = {str(self.canary)!r}\nPORT = {port}\nHOST = {host}\n{HARVEST}"

    def attack(self, way: str, text: str) -> str:
        """Everything that comes out of one visit: what it printed, and its answer or its error."""
        proxy = self.stages[way]
        proxy._peer.source = text
        self.harbour.ears.records.clear()
        try:
            answer = str(proxy.go(self.agent))
        except EmporionError as error:
            answer = f"{type(error).__name__}: {error}"
        return "\n".join([*self.harbour.ears.printed(), answer])

    def evidence(self, said: str, *, language: bool) -> list[str]:
        """What shows that an attack succeeded."""
        found = [name for name, mark in MARKS.items() if mark in said]
        found += [word for word in ("connected", "forked", "signalled", self.canary.name) if f"'{word}'" in said]
        if language and "ESCAPED" in said.partition("CodeDenied")[0]:
            found.append("the row's own word")
        try:
            self.listener.accept()[0].close()
            found.append("somebody came to the socket")
        except BlockingIOError:
            pass
        return found


@contextmanager
def open_scene(modules: Path) -> Iterator[Scene]:
    """A scene with a stage for each way; `modules` is an empty folder."""
    folder = Path(tempfile.mkdtemp(prefix="emporion-canary-"))  # where an unprivileged process could look
    folder.chmod(0o755)
    canary = folder / "canary.txt"
    canary.write_text(MARKS["canary"])
    os.environ["EMPORION_TEST_SECRET"] = MARKS["environment"]
    shelf = Shelf(modules)
    with socket.create_server(("127.0.0.1", 0)) as listener, listening() as ears:
        listener.setblocking(False)
        with open_host() as host:
            harbour = Harbour(host, shelf, ears)
            scene = Scene(harbour, canary, listener)
            for way, isolation in WAYS.items():
                scene.open(way, isolation)
            yield scene
            for desk in scene.neighbours:
                desk.over.set()
            for result in scene.waiting:
                result()  # they were undisturbed to the end
            harbour.close()
    shelf.close()
    del os.environ["EMPORION_TEST_SECRET"]
    shutil.rmtree(folder)
