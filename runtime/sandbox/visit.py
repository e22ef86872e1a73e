"""What runs inside a jailed process: the visit's end of the session, or the compiler. The host is outside, and trusted.

Nothing here is a wall. An agent that broke out of the language owns this whole process; what it can do with it, the
operating system's wall and the host's own checks decide.
"""

import ast
import contextlib
import marshal
import os
import socket
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple
from typing import Any, Final

from ...agents.state import capture, is_combination, new_shell, restore
from ...errors import CodeDenied, ConnectionLost, NotExposed, ProtocolError
from ...validators.consignment import Consignment
from ..connection.channel import Channel
from ..connection.driver import Driver
from ..connection.session import Asked
from ..connection.transport import PlainTransport, Transport
from ..exports import Export
from ..exposure import Interface, expose
from ..peer import DIRECTORY, OURS, Peer
from ..proxy import Proxy, peer_and_number
from ..wire.codecs import CODECS
from ..wire.frames import write_frame
from ..wire.messages import Body, Call, Message, Op, Output, Provide, Result
from ..wire.scalars import use_zones
from ..wire.values import Mobile, Named
from .language.complaints import in_one_line
from .language.extras import allow
from .language.needs import needs_of
from .language.ownership import WRITABLE
from .language.policy import PolicyRefused, compile_module
from .language.stdlib_zoneinfo import ZoneInfo
from .language.world import World
from .language.world import warm_up as warm_up_world
from .protocol import EXIT_MEMORY

__all__ = ["AGENTS", "allow", "main", "prepare", "warm_up"]

AGENTS: Final = 2  # a capability that only a visit gives: a mobile object that stays there
MAX_FRAME_BYTES: Final = 64 * 1024 * 1024  # the host counts what it sends in, and sends nothing larger
FLUSH_CHARACTERS: Final = 4096  # printed text waits until it is this much, or until the agent says something else


WRITABLE.add(Proxy)  # it decides by itself: exposed properties, and nothing else


class _JailPeer(Peer):
    """The end inside a jail: it has one thread and one chain."""

    def __init__(self, transport: Transport) -> None:
        super().__init__("the host")
        channel = Channel(transport, codecs=CODECS.values(), max_frame_bytes=MAX_FRAME_BYTES)
        self.driver = Driver(channel, self, initiator=False)

    def serve(self, asked: Asked) -> tuple[Message, Sequence[bytes]]:
        try:
            return super().serve(asked)
        except MemoryError:
            os._exit(EXIT_MEMORY)  # the host reads the status: an answer would need memory
        except BaseException as error:  # agents may raise what they like, KeyboardInterrupt too: it is their answer
            return self.fault_out(asked.message.call, error)

    def fault_out(self, call: int, error: BaseException, *, code: bool = True) -> tuple[Message, Sequence[bytes]]:
        if isinstance(error, MemoryError):
            os._exit(EXIT_MEMORY)
        return super().fault_out(call, error, code=False)  # the host takes text, and no exception of an agent's


class _Printer:
    """Where a world prints: a visit, once it has one."""

    write: Callable[[str], None]

    def __call__(self, text: str) -> None:
        self.write(text)


def _new_world() -> tuple[World, _Printer]:
    printer = _Printer()
    return World(write=printer), printer


_worlds: list[tuple[World, _Printer]] = []  # made while the spare waits, not in the visit's own time


class NoSuchAttribute(Exception):
    """What a hosted method reads of an agent is not there; it gets an AttributeError, as from any object."""


class AgentsPeer(_JailPeer):
    """Holds the mobile objects of one visit."""

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport)
        self.world, printer = _worlds.pop() if _worlds else _new_world()
        printer.write = self.write
        self._departing = False
        self._goods: dict[str, Consignment] = {}  # by closure
        self._printed: list[str] = []
        self._printed_size = 0

    # --- what the host asks -------------------------------------------------------------------------------------

    def directory(self, method: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        if method == "lower_language_wall":  # the operator's `Isolation(language=False)`, said before anything else
            self.world = World(write=self.write, language=False)
            return None
        (objects,) = args
        if method == "load":
            return [self._describe(obj) for obj in objects]
        if method == "depart":
            self._departing = True  # until the answer is encoded
            return objects
        raise NotExposed(f"a visit does not know {method!r}")

    def answer(self, asked: Asked, message: Call) -> tuple[Body, list[bytes]]:
        try:
            return super().answer(asked, message)
        finally:
            self._departing = False
            self.flush()

    def check(self, export: Export, message: Call) -> None:
        if message.method == "__call__" and message.op == Op.CALL:
            return  # functions, classes, and what says that it can be called
        if not message.method.isidentifier() or message.method.startswith("_"):
            raise NotExposed(f"{message.method!r} is private")

    def invoke(self, asked: Asked, export: Export, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        message = asked.message
        assert isinstance(message, Call)
        if message.op == Op.GET:
            missing = object()
            found = getattr(export.obj, message.method, missing)
            if found is missing:
                raise NoSuchAttribute(f"{type(export.obj).__qualname__} has no attribute {message.method!r}")
            return found
        if message.method == "__call__":
            # Not its attribute: in a class that is what its objects do when called.
            return _to_its_end(export.obj(*args, **kwargs))
        return _to_its_end(super().invoke(asked, export, args, kwargs))

    def _describe(self, obj: object) -> list[Any]:
        """[number, names that can be called]: how a mobile object that stays here is known to the host."""
        cls = obj if isinstance(obj, type) else type(obj)
        methods = [name for name in dir(cls) if not name.startswith("_") and callable(getattr(cls, name, None))]
        number = self.exports.add(obj, Interface(cls.__qualname__, frozenset(), frozenset()), None)
        return [number, methods]

    # --- values -------------------------------------------------------------------------------------------------

    def capability_out(self, obj: object) -> tuple[Any, ...] | None:
        if isinstance(obj, Proxy):
            return (OURS, peer_and_number(obj)[1])
        place = None if self._departing else self.world.place(obj)
        if place is None:
            return None
        number, methods = self._describe(obj)
        return (AGENTS, number, place.module, place.label, methods)

    def mobile_out(self, obj: object) -> Mobile | Named | None:
        place = self.world.place(type(obj) if is_combination(obj) else obj)
        if place is None:
            return None
        if place.path is None:
            raise TypeError(f"{place.label} stands nowhere in module {place.module!r}: it cannot leave the visit")
        goods = self._goods[place.closure]
        if place.named and not is_combination(obj):
            return Named(goods, place.module, place.path)
        return Mobile(goods, place.module, place.path, capture(obj))

    def mobile_in(self, goods: Consignment, module: str, qualname: str) -> object:
        return new_shell(self.world.load_class(self._known(goods), module, qualname))

    def named_in(self, goods: Consignment, module: str, qualname: str) -> object:
        return self.world.load(self._known(goods), module, qualname)

    def _known(self, goods: Consignment) -> str:
        closure = self.world.add_closure(goods.manifest)
        self._goods[closure] = goods
        return closure

    def fill(self, shell: object, state: object) -> None:
        restore(shell, state)

    # --- code and output ----------------------------------------------------------------------------------------

    def news(self, message: Provide | Output) -> None:
        if not isinstance(message, Provide):
            raise ProtocolError("the host prints nothing here")
        for name, digest, code in message.modules:
            # Made by our own compiler in another jail, kept by the host: the language wall rests on that, not the
            # operating system's.
            self.world.add_code(name, digest, marshal.loads(code))

    def write(self, text: str) -> None:
        """What agent code prints; sent before anything else the agent says."""
        self._printed.append(text)
        self._printed_size += len(text)
        if self._printed_size >= FLUSH_CHARACTERS:
            self.flush()

    def flush(self) -> None:
        """Send what was printed."""
        if self._printed:
            text = "".join(self._printed)
            self._printed.clear()
            self._printed_size = 0
            self.driver.post(Output("", text.encode(errors="backslashreplace").decode()))

    def call(self, target: int, op: int, method: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        self.flush()
        return super().call(target, op, method, args, kwargs)


def _to_its_end(answer: Any) -> Any:
    """What an agent's `async def` returns: nobody else has a loop to run it in. All other answers as they are.

    A bare ``yield`` lets nobody else run, there is nobody; waiting for anything else is answered as asyncio does.
    """
    if type(answer) is not types.CoroutineType:
        return answer
    step, argument = answer.send, None
    while True:
        try:
            waits_for = step(argument)
        except StopIteration as ended:
            return ended.value
        if waits_for is None:
            step, argument = answer.send, None
        else:
            step, argument = answer.throw, RuntimeError(f"Task got bad yield: {waits_for!r}")


class CompilerPeer(_JailPeer):
    """Compiles one module under the language policy, and does nothing else."""

    def directory(self, method: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        name, digest, source, language = args
        try:
            code = marshal.dumps(compile_module(source, name=name, digest=digest, language=language))
            return [code, _needs(source) if language else [], ""]
        except PolicyRefused as refused:
            return [b"", _needs(source), "language policy: " + in_one_line(refused.complaints)]
        except RecursionError:
            raise CodeDenied(name, "upload", "its expressions are nested too deeply to compile") from None


def _needs(source: str) -> list[list[Any]]:
    """`Need` by `Need`, as the host takes them."""
    try:
        return [list(astuple(need)) for need in needs_of(ast.parse(source))]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []  # the compiler has said so already


_WARM: Final = {"warm": "0" * 64}
_WARM_GOODS: Final = Consignment(_WARM)
_WARM_SOURCE: Final = """
class Warm:
    def __init__(self):
        self.seen = []

    def look(self, shop):
        for number in range(8):
            self.seen.append(f"{shop.price(number)} {number}")
        print(len(self.seen))
        return self.seen
"""
_warm_code: list[bytes] = []


class _Shop:
    """What the agent of the warm-up asks; the recorded conversation has the answers."""

    @expose
    def price(self, number: int) -> int:
        raise AssertionError(f"the host answers for price({number})")


def prepare() -> None:
    """In the zygote: import and set up all that agent code may need, while there still is a file system."""
    warm_up_world()
    use_zones(ZoneInfo)
    _warm_code.append(marshal.dumps(compile_module(_WARM_SOURCE, name="warm", digest=_WARM["warm"])))
    warm_up()


def warm_up() -> None:
    """In a spare, before its last wall: a small visit, so that the pages a visit writes to are its own already."""
    host, agent = Peer("the visit"), Mobile(_WARM_GOODS, "warm", "Warm", {"seen": []})
    host.mobile_out = lambda obj: agent  # type: ignore[method-assign]  # of this one recording
    codec = next(iter(CODECS.values()))
    said: list[Message] = [
        Provide([("warm", _WARM["warm"], _warm_code[0])]),
        Call(1, 1, DIRECTORY, Op.CALL, "load", [], host.encode(([agent],), str)[0]),
        Call(2, 3, 1, Op.CALL, "look", [], host.encode((_Shop(),), str)[0]),
        *(Result(number, Body([100])) for number in range(1, 9)),
        Call(3, 5, DIRECTORY, Op.CALL, "depart", [], host.encode(([],), str)[0]),
    ]
    AgentsPeer(_Recorded([b"".join(write_frame(codec.id, codec.encode(one))) for one in said])).driver.run()
    _worlds[:] = [_new_world()]  # of this process's own: it seeds what is random in it


class _Recorded:
    """A transport from which the host's half of a conversation is heard, whatever is answered."""

    hides = False

    def __init__(self, said: list[bytes]) -> None:
        self._said = said[::-1]

    def receive(self, timeout_s: float | None) -> bytes | None:
        return self._said.pop() if self._said else b""

    def send(self, buffers: Sequence[bytes], full: Callable[[], None]) -> None:
        pass

    def say_last(self, data: bytes) -> None:
        pass

    def buffered(self) -> bool:
        return True

    def fileno(self) -> int:
        return -1

    def abort(self) -> None:
        pass

    def close(self) -> None:
        pass


_ROLES: Final[dict[str, Callable[[Transport], _JailPeer]]] = {"visit": AgentsPeer, "compile": CompilerPeer}


def main(sock: socket.socket, role: str) -> None:
    """Serve the host until it closes the connection or kills this process."""
    peer = _ROLES[role](PlainTransport(sock))
    with contextlib.suppress(ConnectionLost):
        peer.driver.run()
