"""Frames under any cut and any bytes."""

from itertools import pairwise

from emporion.errors import ProtocolError
from emporion.runtime.wire.frames import FrameReader, write_frame
from hypothesis import given
from hypothesis import strategies as st

MESSAGES = st.lists(st.tuples(st.binary(max_size=40), st.lists(st.binary(max_size=9), max_size=3)), max_size=6)


def drain(reader: FrameReader, pieces: list[bytes]) -> tuple[list[tuple[int, bytes, bytes]], bool]:
    """Frames that come out, and whether the stream was found broken."""
    frames: list[tuple[int, bytes, bytes]] = []
    for piece in pieces:
        try:
            frames += [(frame.codec, bytes(frame.body), bytes(frame.blobs)) for frame in reader.feed(piece)]
        except ProtocolError:
            return frames, True
    return frames, reader.error is not None


@given(MESSAGES, st.integers(1, 30))
def test_frames_survive_any_cut(messages: list[tuple[bytes, list[bytes]]], step: int) -> None:
    """However TCP cuts the stream, the same frames come out."""
    stream = b"".join(b"".join(write_frame(1, body, blobs)) for body, blobs in messages)
    pieces = [stream[at : at + step] for at in range(0, len(stream), step)]

    frames, broken = drain(FrameReader(100), pieces)

    assert not broken
    assert frames == [(1, body, b"".join(blobs)) for body, blobs in messages]


@given(MESSAGES, st.binary(max_size=40), st.lists(st.integers(0, 300), max_size=8))
def test_any_bytes_give_the_same_frames_and_the_same_verdict_under_any_cut(
    messages: list[tuple[bytes, list[bytes]]], tail: bytes, cuts: list[int]
) -> None:
    stream = b"".join(b"".join(write_frame(1, body, blobs)) for body, blobs in messages) + tail
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    pieces = [stream[a:b] for a, b in pairwise(edges)]

    assert drain(FrameReader(60), pieces) == drain(FrameReader(60), [stream])
