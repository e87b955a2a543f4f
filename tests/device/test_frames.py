"""Frames: what is sent arrives, whatever else arrives is no frame, and after garbage all is well again."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinynas.device.frames import MOST_PAYLOAD, Decoder, Frame, cobs_decode, cobs_encode, decode, encode

payloads = st.binary(max_size=MOST_PAYLOAD)
frames = st.builds(Frame, st.integers(0, 255), st.integers(0, 65535), payloads)


def bitwise_crc32(data: bytes) -> int:
    """As the standard words it, ISO 3309."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xEDB88320 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def test_a_frame_is_these_bytes() -> None:
    """The format itself, by hand: a change of it is a new version."""
    # 01 03 0201 02 0009 and its CRC; the only zero of these makes two runs, of 5 and of 5 bytes
    body = bytes.fromhex("01 03 01 02 02 00 09")
    crc = bitwise_crc32(body).to_bytes(4, "little")
    assert encode(Frame(3, 0x0201, b"\x00\x09")) == b"\0\x06" + body[:5] + b"\x06\x09" + crc + b"\0"
    assert bitwise_crc32(b"123456789") == 0xCBF43926


@given(frame=frames)
def test_what_is_sent_arrives(frame: Frame) -> None:
    wire = encode(frame)
    assert wire[0] == wire[-1] == 0 and 0 not in wire[1:-1] and len(wire) <= MOST_PAYLOAD + 12 < 256
    assert decode(wire[1:-1]) == frame
    assert Decoder().feed(wire) == [frame]


@given(sent=st.lists(frames, max_size=5), cuts=st.lists(st.integers(0, 400), max_size=6))
def test_the_pieces_a_stream_comes_in_do_not_matter(sent: list[Frame], cuts: list[int]) -> None:
    wire = b"".join(map(encode, sent))
    places = sorted({0, len(wire), *(cut for cut in cuts if cut < len(wire))})
    decoder = Decoder()
    assert [frame for a, b in pairwise(places) for frame in decoder.feed(wire[a:b])] == sent


@given(garbage=st.binary(max_size=600), frame=frames)
def test_the_next_frame_after_garbage_is_found(garbage: bytes, frame: Frame) -> None:
    decoder = Decoder()
    before = decoder.feed(garbage)
    assert decoder.feed(encode(frame))[-1:] == [frame] and not before


@given(frame=frames, data=st.data())
def test_a_harmed_frame_is_none(frame: Frame, data: st.DataObject) -> None:
    wire = bytearray(encode(frame))
    place = data.draw(st.integers(1, len(wire) - 2))
    harm = data.draw(st.sampled_from(["lost", "flipped", "repeated"]))
    if harm == "flipped":
        wire[place] ^= data.draw(st.integers(1, 255))
    elif harm == "lost":
        del wire[place]
    else:
        wire.insert(place, wire[place])
    assert frame not in Decoder().feed(bytes(wire)) and not Decoder().feed(bytes(wire))


@given(body=st.binary(max_size=700))
def test_cobs_is_undone(body: bytes) -> None:
    made = cobs_encode(body)
    assert 0 not in made and cobs_decode(made) == body


@given(data=st.binary(max_size=300))
def test_decoding_anything_is_safe(data: bytes) -> None:
    cobs_decode(data)
    assert decode(data) is None


def test_endless_noise_takes_no_memory() -> None:
    decoder = Decoder()
    for _ in range(100):
        assert decoder.feed(b"\xaa" * 10_000) == []
    assert len(decoder._held) < 300 and decoder.received == 1_000_000
    frame = Frame(1, 2, b"x")
    assert decoder.feed(encode(frame)) == [frame]


def test_too_long_a_payload_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 240"):
        encode(Frame(1, 1, bytes(241)))
