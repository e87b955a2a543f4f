"""Long data over the link: read and written in pieces, shorter ones where the line loses long frames."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

from tinynas.device.link import PATIENCE, Command, Link, SilenceError
from tinynas.errors import FirmwareError

#: bytes of data in a frame, and the share of the patience spent on that size before a shorter one is tried
_SIZES = ((224, 0.2), (64, 0.2), (16, 0.2), (4, 0.4))


class Pieces:
    """Moves data over `link`; what was learnt about the length of frames stays for the next transfer."""

    def __init__(self, link: Link, patience: float = PATIENCE) -> None:
        self._link, self._patience = link, patience
        self._sizes: Sequence[tuple[int, float]] = _SIZES

    def hello(self) -> bytes:
        """The board's description of itself, whole.

        Raises:
            LinkError, FirmwareError: as `Link.request`.
        """
        data, total = b"", 1
        while len(data) < total:
            total, piece = self._description(len(data))
            data += piece
        return data

    def load(self, tensor: int, data: bytes) -> None:
        """Put `data` into input `tensor`.

        Raises:
            LinkError, FirmwareError, NotReadyError: as `Link.request`.
        """
        at = 0
        while at < len(data):
            at += self._load(tensor, at, data[at:])

    def output(self, tensor: int, size_bytes: int) -> bytes:
        """All of output `tensor`.

        Raises:
            LinkError, FirmwareError, NotReadyError: as `Link.request`.
        """
        data = b""
        while len(data) < size_bytes:
            data += self._output(tensor, len(data), size_bytes - len(data))
        return data

    def _description(self, at: int) -> tuple[int, bytes]:
        """Length of the whole description, and what stands from `at` on."""
        reply = self._exchange(Command.HELLO, lambda size: struct.pack("<HB", at, size))
        if len(reply) <= 2:
            raise FirmwareError(
                f"what the firmware on {self._link.name} says of itself breaks off: flash it again"
            )
        return int.from_bytes(reply[:2], "little"), reply[2:]

    def _load(self, tensor: int, at: int, rest: bytes) -> int:
        """Bytes of `rest` that were put at `at`."""
        self._exchange(Command.LOAD, lambda size: struct.pack("<BI", tensor, at) + rest[:size])
        return self._sizes[0][0]

    def _output(self, tensor: int, at: int, rest: int) -> bytes:
        """At most `rest` bytes from `at` on."""
        reply = self._exchange(Command.OUTPUT, lambda size: struct.pack("<BIB", tensor, at, min(size, rest)))
        if not 0 < len(reply) <= rest:
            raise FirmwareError(f"the firmware on {self._link.name} gives no output: flash it again")
        return reply

    def _exchange(self, command: Command, request: Callable[[int], bytes]) -> bytes:
        """The reply to `request(size)`, with the largest size that comes through."""
        while True:
            size, share = self._sizes[0]
            try:
                return self._link.request(command, request(size), self._patience * share)
            except SilenceError:
                if len(self._sizes) == 1:
                    raise
                self._sizes = self._sizes[1:]
