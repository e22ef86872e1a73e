"""Values alone, in this process: what a message costs between the objects and the bytes, without any socket."""

import pickle
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from emporion.runtime.wire.decode import decode_values
from emporion.runtime.wire.frames import FrameReader, write_frame
from emporion.runtime.wire.messages import Call, Op
from emporion.runtime.wire.msgpack import MsgpackCodec
from emporion.runtime.wire.values import Mobile, encode_values

__all__ = ["Cost", "costs"]

MAX_FRAME_BYTES: Final = 64 * 1024 * 1024
BLOCKS: Final = 9  # of which the median counts
_CODEC: Final = MsgpackCodec()

MESSAGES: Final[dict[str, tuple[object, ...]]] = {
    "add(1, 2)": (1, 2),
    "a dict of 100 prices": ({f"product {number}": number * 1.25 for number in range(100)},),
    "100 rows of a table": ([{"name": f"product {n}", "price": n * 1.25, "sold": n % 2 == 0} for n in range(100)],),
    "64 KiB of bytes": (bytes(65536),),
}


@dataclass(frozen=True, slots=True)
class Cost:
    """The medians for one message, in seconds."""

    label: str
    size: int  # bytes of the frame
    encode_s: float
    decode_s: float
    pickle_s: float  # both ways, for scale: it may not be used on what a stranger sent


class _NoObjects:
    """Hooks for messages that hold plain values only."""

    def capability(self, obj: object) -> Any:
        raise TypeError("no capabilities here")

    def mobile(self, *parts: object) -> Mobile | None:
        raise TypeError("no mobile objects here")

    def named(self, *parts: object) -> object:
        raise TypeError("no mobile code here")

    def fill(self, shell: object, state: object) -> None:
        raise TypeError("no mobile objects here")


_HOOKS: Final = _NoObjects()


def _encode(values: tuple[object, ...]) -> list[bytes]:
    body, blobs = encode_values(values, _HOOKS, label=str)
    return write_frame(_CODEC.id, _CODEC.encode(Call(5_000, 9_999, 1, Op.CALL, "add", [], body)), blobs)


def _decode(data: bytes) -> list[Any]:
    (frame,) = FrameReader(MAX_FRAME_BYTES).feed(data)
    message = _CODEC.decode(frame.body)
    assert type(message) is Call
    return decode_values(message.body, frame.blobs, _HOOKS)


def costs(seconds: float) -> list[Cost]:
    """Measure every message; `seconds` for each of its three parts."""
    found = []
    for label, values in MESSAGES.items():
        data = b"".join(_encode(values))
        if tuple(_decode(data)) != values:
            raise SystemExit(f"benchmark: {label} did not survive the way through bytes")
        found.append(
            Cost(
                label,
                len(data),
                _time(lambda values=values: _encode(values), seconds),  # type: ignore[misc]
                _time(lambda data=data: _decode(data), seconds),  # type: ignore[misc]
                _time(lambda values=values: pickle.loads(pickle.dumps(values)), seconds),  # type: ignore[misc]
            )
        )
    return found


def _time(work: Callable[[], object], seconds: float) -> float:
    """Seconds for one turn of `work`: the median of some blocks that take `seconds` together."""
    begun_s = time.perf_counter()
    work()
    once_s = max(1e-7, time.perf_counter() - begun_s)
    turns = max(1, int(seconds / BLOCKS / once_s))
    blocks = []
    for _ in range(BLOCKS):
        begun_s = time.perf_counter()
        for _ in range(turns):
            work()
        blocks.append((time.perf_counter() - begun_s) / turns)
    return statistics.median(blocks)
