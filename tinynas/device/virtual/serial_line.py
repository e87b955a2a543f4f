"""USART, UART and LPUART of STM32.

Bytes come in four times as fast as the firmware's own baud rate says, since a firmware that polls has to be
emulated meanwhile. Sending is not paced: the transmit register is always empty, so nothing waits for it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from tinynas.device.virtual.bus import Bus, Now, prescalers
from tinynas.device.virtual.chip import Bit, Line
from tinynas.device.virtual.edges import NEVER

_BITS_A_BYTE = 10
_FASTER = 4
#: IDLE, TC, TXE
_IDLE, _SENT, _EMPTY = 1 << 4, 1 << 6, 1 << 7
_RECEIVED = 1 << 5
_ACKNOWLEDGED = 0b11 << 21
_RECEIVE, _TRANSMIT = 1 << 2, 1 << 3


@dataclass(frozen=True, slots=True)
class _Layout:
    """Offsets of registers; bit of CR1 that enables all; what the rate register counts in."""

    control: int
    rate: int
    status: int
    receive: int
    transmit: int
    enable: int
    rate_unit: int


_LAYOUTS = {
    "isr": _Layout(0x00, 0x0C, 0x1C, 0x24, 0x28, 1 << 0, 1),
    "lpuart": _Layout(0x00, 0x0C, 0x1C, 0x24, 0x28, 1 << 0, 256),
    "sr": _Layout(0x0C, 0x08, 0x00, 0x04, 0x04, 1 << 13, 1),
}


class SerialLine:
    """One serial line. ``send`` gets each byte sent; ``arrived`` is filled, by another thread, with bytes
    received.
    """

    def __init__(self, line: Line, bus: Bus, ahb: Bit, now: Now, send: Callable[[int], None]) -> None:
        self.line = line
        self.arrived: deque[int] = deque()
        self.polls = 0
        self._bus, self._ahb, self._now, self._send = bus, ahb, now, send
        self._layout = _LAYOUTS[line.layout]
        self.reset()

    def reset(self) -> None:
        """As after power-on; what is on its way to the board stays on its way."""
        self._values: dict[int, int] = {}
        self._next_at = 0
        self._last = 0

    def read(self, offset: int) -> int:
        """Status is computed, data taken."""
        if offset == self._layout.status:
            self.polls += 1
            return self._status()
        if offset == self._layout.receive:
            return self._take()
        return self._values.get(offset, 0)

    def write(self, offset: int, size: int, value: int) -> None:
        """Data are sent, where sender and line are enabled; the rest is remembered."""
        if offset == self._layout.transmit:
            if self._enabled(_TRANSMIT):
                self._send(value & 0xFF)
        elif offset != self._layout.status:
            self._values[offset] = value

    def next_event(self) -> int:
        """The cycle at which the next byte will have arrived."""
        if not self.arrived or not self._enabled(_RECEIVE):
            return NEVER
        # one that is already there only waits to be read: nothing new will happen
        return self._next_at if self._next_at > self._now() else NEVER

    def interrupting(self) -> int | None:
        """Its interrupt, when one of the conditions that the control register selects holds."""
        control = self._values.get(self._layout.control, 0)
        wanted = control & (_RECEIVED | _SENT | _EMPTY)
        if not wanted or not control & self._layout.enable:
            return None
        return self.line.irq if wanted & self._status() else None

    def cycles_a_byte(self) -> int:
        """Core cycles that one byte takes on the line at the rate set."""
        rate = self._values.get(self._layout.rate, 0) & 0xFFFFF
        if self._values.get(self._layout.control, 0) & (1 << 15):  # oversampling by 8
            rate = (rate & 0xFFF0) // 2 + (rate & 7)
        bus, _ = prescalers(self._bus, self._ahb, self.line.bus)
        return _BITS_A_BYTE * rate * bus // (self._layout.rate_unit * _FASTER)

    def _enabled(self, side: int) -> bool:
        control = self._values.get(self._layout.control, 0)
        return bool(control & self._layout.enable) and control & side == side

    def _ready(self) -> bool:
        return bool(self.arrived) and self._enabled(_RECEIVE) and self._now() >= self._next_at

    def _status(self) -> int:
        acknowledged = 0 if self._layout is _LAYOUTS["sr"] or not self._enabled(0) else _ACKNOWLEDGED
        return _SENT | _EMPTY | acknowledged | (_RECEIVED if self._ready() else _IDLE)

    def _take(self) -> int:
        if self._ready():
            self._bus.changed()
            self._last = self.arrived.popleft()
            self._next_at = self._now() + self.cycles_a_byte()
        return self._last
