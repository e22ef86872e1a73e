"""Frames on bytes in memory: lengths, codecs, cuts, and what is never copied."""

import time

import pytest
from emporion.errors import ProtocolError, ValueNotPortable
from emporion.runtime.wire.frames import Frame, FrameReader, write_frame


def wire(body: bytes, *blobs: bytes, codec: int = 1) -> bytes:
    return b"".join(write_frame(codec, body, blobs))


def content(frames: list[Frame]) -> list[tuple[int, bytes, bytes]]:
    return [(frame.codec, bytes(frame.body), bytes(frame.blobs)) for frame in frames]


def test_a_frame_is_laid_out_as_the_protocol_says() -> None:
    assert wire(b"body", b"one", b"two") == b"\x00\x00\x00\x0f\x01\x00\x00\x00\x04bodyonetwo"


def test_a_frame_comes_back_with_its_body_and_blobs() -> None:
    assert content(FrameReader(100).feed(wire(b"body", b"one", b"two"))) == [(1, b"body", b"onetwo")]


def test_two_frames_and_a_half_in_one_read_give_two_and_later_the_third() -> None:
    reader = FrameReader(100)
    stream = wire(b"a") + wire(b"b", b"x") + wire(b"c")

    assert content(reader.feed(stream[:-1])) == [(1, b"a", b""), (1, b"b", b"x")]
    assert reader.missing == 1
    assert content(reader.feed(stream[-1:])) == [(1, b"c", b"")]
    assert reader.missing == 0


def test_a_frame_longer_than_allowed_is_refused_at_its_first_four_bytes() -> None:
    with pytest.raises(ProtocolError, match="101 bytes"):
        FrameReader(100).feed((101).to_bytes(4))


def test_a_frame_of_exactly_the_bound_is_taken() -> None:
    assert content(FrameReader(100).feed(wire(b"x" * 95))) == [(1, b"x" * 95, b"")]
    with pytest.raises(ProtocolError):
        FrameReader(99).feed(wire(b"x" * 95))


@pytest.mark.parametrize("length", [0, 4])
def test_a_length_that_leaves_no_room_for_the_header_is_refused(length: int) -> None:
    with pytest.raises(ProtocolError):
        FrameReader(100).feed(length.to_bytes(4) + bytes(5))


def test_a_body_longer_than_its_frame_is_refused() -> None:
    with pytest.raises(ProtocolError, match="says that its body has 7"):
        FrameReader(100).feed(b"\x00\x00\x00\x0b\x01\x00\x00\x00\x07bodybo")


def test_an_unknown_codec_is_refused_when_the_header_is_there() -> None:
    with pytest.raises(ProtocolError, match="codec 9"):
        FrameReader(100).feed(wire(b"x" * 50, codec=9)[:9])


def test_a_reader_takes_only_the_codecs_it_was_given() -> None:
    assert content(FrameReader(100, {2}).feed(wire(b"x", codec=2))) == [(2, b"x", b"")]
    with pytest.raises(ProtocolError):
        FrameReader(100, {2}).feed(wire(b"x"))


def test_frames_before_a_broken_one_are_delivered_and_then_the_reader_stays_broken() -> None:
    reader = FrameReader(100)

    assert content(reader.feed(wire(b"good") + b"\xff" * 9)) == [(1, b"good", b"")]
    assert reader.error is not None
    for _ in range(2):
        with pytest.raises(ProtocolError):
            reader.feed(wire(b"good"))


def test_a_large_blob_is_handed_over_uncopied_at_both_ends() -> None:
    blob = bytes(100_000)
    buffers = write_frame(1, b"body", [blob])

    assert buffers[-1] is blob
    stream = b"".join(buffers)
    (frame,) = FrameReader(200_000).feed(stream)
    assert frame.blobs.obj is stream


def test_a_small_frame_is_one_buffer() -> None:
    assert len(write_frame(1, b"body", [b"blob"])) == 1


def test_a_frame_that_the_other_end_would_refuse_is_not_written() -> None:
    assert write_frame(1, b"x" * 95, max_frame_bytes=100)
    with pytest.raises(ValueNotPortable, match="send it in parts"):
        write_frame(1, b"x" * 95, [b"y"], max_frame_bytes=100)


def test_a_long_frame_in_single_bytes_takes_no_quadratic_time() -> None:
    body = bytes(1_000_000)
    stream = wire(body)
    reader = FrameReader(2_000_000)
    pieces = [stream[at : at + 1] for at in range(len(stream))]
    started = time.process_time()

    frames = [frame for piece in pieces for frame in reader.feed(piece)]

    assert content(frames) == [(1, body, b"")]
    assert time.process_time() - started < 3.0  # seconds; copying what is held each time takes several times that
