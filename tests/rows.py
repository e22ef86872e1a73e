"""What the tests of values share: two sessions that are none, and the way of values through rows and the codec."""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from emporion.errors import ValueNotPortable
from emporion.runtime.wire.bounds import BOUNDS, Bounds
from emporion.runtime.wire.decode import decode_values
from emporion.runtime.wire.hooks import Mobile
from emporion.runtime.wire.messages import Body, Result
from emporion.runtime.wire.msgpack import MsgpackCodec
from emporion.runtime.wire.values import encode_values
from emporion.validators.consignment import Consignment

DIGEST = "0" * 64
CODEC = MsgpackCodec()


class Shop:
    """An exposed object."""


class Pair(NamedTuple):
    """A tuple that is not exactly a tuple."""

    a: int
    b: int


class Mapped(dict[str, int]):
    """A dict that is not exactly a dict."""


class Number(IntEnum):
    """An int that nobody registered."""

    ONE = 1


class Agent:
    """A mobile object: all its attributes are its state."""

    def __init__(self, **attributes: Any) -> None:
        vars(self).update(attributes)

    if TYPE_CHECKING:
        name: str
        myself: object


class Spoon:
    """Neither value nor exposed nor mobile."""


class Out:
    """The sender's session: shops are capabilities, agents are mobile."""

    def __init__(self, manifest: Mapping[str, str] | None = None) -> None:
        self.manifest = manifest or {"agent": DIGEST, "agent.shopping": "f" * 64}

    def capability(self, obj: object) -> tuple[Any, ...] | None:
        return (7, ["stock", "buy"]) if isinstance(obj, Shop) else None

    def mobile(self, obj: object) -> Mobile | None:
        goods = Consignment(self.manifest)
        return Mobile(goods, "agent.shopping", "Agent", dict(vars(obj))) if isinstance(obj, Agent) else None


class In:
    """The receiver's session; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def capability(self, payload: Sequence[Any]) -> object:
        self.asked.append(payload)
        return Shop()

    def mobile(self, goods: Consignment, module: str, qualname: str) -> object:
        self.asked.append((dict(goods.manifest), module, qualname))
        return Agent()

    def named(self, goods: Consignment, module: str, qualname: str) -> object:
        self.asked.append(("named", dict(goods.manifest), module, qualname))
        return Agent

    def fill(self, shell: object, state: object) -> None:
        self.asked.append(("fill", shell))
        vars(shell).update(state)  # type: ignore[call-overload]


def trip(*values: object, incoming: In | None = None, bounds: Bounds = BOUNDS) -> list[Any]:
    """What arrives at the other end, through the codec."""
    body, blobs = encode_values(values, Out(), label=lambda n: f"args[{n}]", bounds=bounds)
    message = CODEC.decode(CODEC.encode(Result(1, body)))
    assert isinstance(message, Result)
    return decode_values(message.body, memoryview(b"".join(blobs)), incoming or In(), bounds=bounds)


def decode(roots: list[Any], *rows: list[Any], blobs: bytes = b"", manifests: Any = (), **bounds: int) -> list[Any]:
    return decode_values(Body(roots, list(rows), list(manifests)), memoryview(blobs), In(), bounds=Bounds(**bounds))


def refuse(*values: object, bounds: Bounds = BOUNDS) -> ValueNotPortable:
    with pytest.raises(ValueNotPortable) as caught:
        encode_values(values, Out(), label=lambda n: f"args[{n}]", bounds=bounds)
    return caught.value
