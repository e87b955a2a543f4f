"""Requests and replies over a line that may lose, garble or repeat bytes.

A request carries a number; the board carries it out once and answers the same again if it comes again
(firmware/link/tn_link.h). So a request without a reply is simply sent again, waiting longer each time, until
a reply comes or patience ends with one clear sentence about what was, or was not, heard.
"""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from tinynas.device.frames import REPLY, VERSION, Decoder, Frame, encode
from tinynas.errors import DeviceError, FirmwareError, LinkError

#: how long a request that the board answers at once is repeated, in seconds
PATIENCE = 5.0


class Command(IntEnum):
    """What firmware/src/main.c understands."""

    HELLO = 1
    LOAD = 2
    INFER = 3
    OUTPUT = 4
    PROFILE = 5
    MEMORY = 6
    CHECK = 7
    RESET = 8


class Status(IntEnum):
    """The first byte of a reply's payload: tn_status."""

    OK = 0
    UNKNOWN_COMMAND = 1
    BAD_REQUEST = 2
    NOT_READY = 3
    OTHER_VERSION = 4


class NotReadyError(DeviceError):
    """The board has lost what it was given before: it was restarted in between."""


class SilenceError(LinkError):
    """No reply came; the line itself is there."""


class Transport(Protocol):
    """A line to a board, for instance `ports.SerialLine`."""

    @property
    def name(self) -> str:
        """What a user calls it: ``/dev/ttyACM0``."""

    def write(self, data: bytes) -> None:
        """Send. Raises LinkError: the line is gone."""

    def read(self) -> bytes:
        """What has come; nothing after some milliseconds of silence. Raises LinkError: the line is gone."""


@dataclass(frozen=True, slots=True)
class Waits:
    """How long a reply is awaited before the request is sent again, in seconds; doubled up to `longest`.

    A board that is known to take its time is given it: repetitions that it does not need would only be more
    work for it.
    """

    first: float = 0.25
    longest: float = 2.0


class Link:
    """Sends requests and finds their replies; `clock` gives seconds."""

    def __init__(
        self, line: Transport, waits: Waits | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._line, self._waits, self._clock = line, waits or Waits(), clock
        self._decoder = Decoder()
        self._usual: dict[Command, float] = {}
        # at random, so that this session's first request is not taken for a repetition of the last one's
        self._sequence = secrets.randbelow(1 << 16)
        #: replies that came, requests that were made, and how often they were sent
        self.sound = self.requests = self.sent = 0

    @property
    def name(self) -> str:
        """What a user calls the line."""
        return self._line.name

    def now(self) -> float:
        """Seconds by the link's clock."""
        return self._clock()

    def request(self, command: Command, payload: bytes = b"", patience: float = PATIENCE) -> bytes:
        """The reply's payload after its status; asks again and again for `patience` seconds.

        Raises:
            SilenceError: no reply came. LinkError: the line is gone.
            FirmwareError: the board does not know the request, or speaks another version of the protocol.
            NotReadyError: the board was restarted and needs its input again.
        """
        self._sequence = (self._sequence + 1) % (1 << 16)
        self.requests += 1
        asked = encode(Frame(command, self._sequence, payload))
        heard, began = self._decoder.received, self._clock()
        wait = first = self._usual.get(command, self._waits.first)
        deadline = began + patience
        while True:
            self._line.write(asked)
            self.sent += 1
            reply, sign = self._await(command | REPLY, min(wait, max(0.0, deadline - self._clock())))
            if reply is not None:
                # which of several requests it answers is not known; that it was waited for so long is
                taken = wait if wait > first else 2 * (self._clock() - began)
                self._usual[command] = min(max(taken, self._waits.first), self._waits.longest)
                return self._accepted(reply)
            deadline = max(deadline, sign + patience)
            if self._clock() >= deadline:
                raise SilenceError(self._silence(self._decoder.received - heard, patience))
            wait = min(2 * wait, self._waits.longest)

    def _await(self, kind: int, wait: float) -> tuple[Frame | None, float]:
        """The reply to the request if it comes in `wait` seconds, and when the board last gave a sign.

        A sign is a reply to a former request: the board works through repetitions that it did not need. The
        wait begins anew with each; there are no more of them than requests were sent.
        """
        sign = -math.inf
        moment = self._clock() + wait
        while True:
            for frame in self._decoder.feed(self._line.read()):
                # an echo of the request is sound too, and no sign of the firmware
                self.sound += bool(frame.type & REPLY)
                if frame.type == kind and frame.sequence == self._sequence and frame.payload:
                    return frame, sign
                if frame.type & REPLY and self.sound <= self.sent:
                    sign = self._clock()
                    moment = sign + wait
            if self._clock() >= moment:
                return None, sign

    def _accepted(self, reply: Frame) -> bytes:
        status = reply.payload[0]
        if reply.version != VERSION or status == Status.OTHER_VERSION:
            raise FirmwareError(
                f"the board on {self.name} speaks version {reply.version} of the protocol and this tinynas "
                f"version {VERSION}: build and flash its firmware again with this one (`tinynas flash`)"
            )
        if status == Status.OK:
            return reply.payload[1:]
        if status == Status.NOT_READY:
            raise NotReadyError(f"the board on {self.name} was restarted while it was used: try again")
        kind = Command(reply.type & ~REPLY).name.lower()
        raise FirmwareError(
            f"the firmware on {self.name} refuses the command {kind} (status {status}): it was built by "
            "another tinynas or for another model; flash it again (`tinynas flash`)"
        )

    def _silence(self, heard: int, patience: float) -> str:
        """One sentence for what was heard in `patience` seconds: `heard` bytes."""
        if self.sound:
            how = f"only garbled bytes ({heard})" if heard else "nothing more"
            return (
                f"the board on {self.name} has stopped answering: {how} for {patience:.3g} s; check the "
                "cable, reset the board and try again"
            )
        if heard:
            return (
                f"what runs on {self.name} is not tinynas's firmware, or another line speed: {heard} bytes "
                "came and none of them made sense; flash it (`tinynas flash`), or name another --port"
            )
        return (
            f"nothing answers on {self.name}: check that the board is powered, that the port is the board's, "
            "and that tinynas's firmware is on it (`tinynas flash`)"
        )
