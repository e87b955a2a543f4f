"""Frames of the serial link: bytes in, messages out, whatever the line does to them.

On the wire a frame is a body between two zero bytes, COBS-encoded so that it holds no zero itself; the body
is version, type, sequence number, length, payload and CRC-32. The board's side is firmware/link/tn_link.c.
Nothing here waits or knows a port.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

#: this side's version of the protocol
VERSION = 1
#: the most bytes of payload in a frame
MOST_PAYLOAD = 240
#: set in the type of a reply
REPLY = 0x80

_HEAD = struct.Struct("<BBHB")
_CRC = struct.Struct("<I")
_MOST_BODY = _HEAD.size + MOST_PAYLOAD + _CRC.size
_END = b"\0"


@dataclass(frozen=True, slots=True)
class Frame:
    """A message: `type` is the command, in a reply with bit 7 set; `sequence` 0..65535."""

    type: int
    sequence: int
    payload: bytes
    version: int = VERSION


def encode(frame: Frame) -> bytes:
    """The frame as it goes over the line.

    Raises:
        ValueError: the payload is longer than `MOST_PAYLOAD`.
    """
    if len(frame.payload) > MOST_PAYLOAD:
        raise ValueError(f"a payload of {len(frame.payload)} bytes; at most {MOST_PAYLOAD} fit in a frame")
    body = _HEAD.pack(frame.version, frame.type, frame.sequence, len(frame.payload)) + frame.payload
    return _END + cobs_encode(body + _CRC.pack(zlib.crc32(body))) + _END


def decode(data: bytes) -> Frame | None:
    """The frame in `data`, what lies between two zeros on the line; None if it is not a sound one."""
    body = cobs_decode(data)
    if body is None or not _HEAD.size + _CRC.size <= len(body) <= _MOST_BODY:
        return None
    body, crc = body[: -_CRC.size], _CRC.unpack(body[-_CRC.size :])[0]
    if zlib.crc32(body) != crc:
        return None
    version, kind, sequence, length = _HEAD.unpack_from(body)
    payload = body[_HEAD.size :]
    # another version may mean its length otherwise; that it is another one can be told all the same
    if version == VERSION and length != len(payload):
        return None
    return Frame(kind, sequence, payload, version)


class Decoder:
    """Finds the frames in a stream that comes in pieces; bounded, and garbage is skipped and counted."""

    def __init__(self) -> None:
        self._held = bytearray()
        #: bytes that came, and pieces between zeros that were no frame
        self.received = self.spoilt = 0

    def feed(self, data: bytes) -> list[Frame]:
        """The sound frames that end in `data`."""
        self.received += len(data)
        found = []
        *ended, rest = data.split(_END)
        for piece in ended:
            self._hold(piece)
            if self._held:
                frame = decode(bytes(self._held))
                self.spoilt += frame is None
                found += [frame] if frame is not None else []
            self._held.clear()
        self._hold(rest)
        return found

    def _hold(self, piece: bytes) -> None:
        """Keep what may be a frame; of more than that only enough to know that it was too long."""
        self._held += piece[: _MOST_BODY + 2 - len(self._held)]


def cobs_encode(body: bytes) -> bytes:
    """`body` without zeros: each run up to a zero gets its length plus one in front."""
    made = bytearray()
    for run in body.split(_END):
        while len(run) >= 254:
            made += b"\xff" + run[:254]
            run = run[254:]
        made += bytes([len(run) + 1]) + run
    return bytes(made)


def cobs_decode(data: bytes) -> bytes | None:
    """The inverse of `cobs_encode`; None if `data` is no such encoding."""
    made, at = bytearray(), 0
    while at < len(data):
        step = data[at]
        run = data[at + 1 : at + step]
        if step == 0 or len(run) != step - 1 or 0 in run:
            return None
        made += run
        at += step
        if at < len(data) and step < 255:
            made.append(0)
    return bytes(made) if data else None
