"""The devices of one board, put at their addresses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tinynas.board import Board
from tinynas.device.virtual.bus import Bus, Device, Now
from tinynas.device.virtual.chip import Chip, Peripheral
from tinynas.device.virtual.core_peripherals import CycleCounter, SystemControl, SysTick
from tinynas.device.virtual.serial_line import SerialLine
from tinynas.device.virtual.timer import Timer
from tinynas.device.virtual.wire import Wire


@dataclass(frozen=True)
class Devices:
    """The interrupt controller, the serial lines, and every device that may want attention."""

    control: SystemControl
    lines: tuple[SerialLine, ...]
    all: tuple[Device, ...]

    def next_event(self) -> int:
        """The cycle of the first event of any."""
        return min(device.next_event() for device in self.all)

    def next_byte(self) -> int:
        """The cycle at which the next byte will have arrived."""
        return min(line.next_event() for line in self.lines)

    def candidate(self) -> int | None:
        """The pending exception of the best priority."""
        asking = {number for device in self.all if (number := device.interrupting()) is not None}
        return self.control.candidate(asking)

    def polls(self) -> int:
        """Looks at the status of serial lines so far."""
        return sum(line.polls for line in self.lines)

    def receiving(self) -> bool:
        """Whether a serial line's interrupt is let through."""
        return any(line.line.irq in self.control.enabled_interrupts for line in self.lines)


@dataclass(frozen=True)
class Surroundings:
    """What devices need of the machine: cycles, cycles awake, a reset, attention at the next block."""

    now: Now
    awake: Now
    request_reset: Callable[[], None]
    hurry: Callable[[], None]


def make_devices(board: Board, chip: Chip, bus: Bus, wire: Wire, around: Surroundings) -> Devices:
    """All of them, attached to ``bus``; the board's own serial line is connected to ``wire``."""
    pending: list[SystemControl] = []
    systick = SysTick(bus, around.now, lambda exception: pending[0].pend(exception))
    control = SystemControl(board, chip.cpuid, systick, around.request_reset)
    pending.append(control)
    # the cycle counter stands still while the core sleeps
    counter = CycleCounter(bus, around.awake, chip.dwt_lock, lambda: control.tracing)
    bus.attach(Peripheral("SCS", 0xE000E000, None), control, pages=4)
    bus.attach(Peripheral("DWT", 0xE0001000, None), counter, pages=4)
    lines = _make_lines(board, chip, bus, wire, around)
    for timer in chip.timers:
        device = Timer(timer, bus, chip.ahb, around.now)
        bus.attach(Peripheral(timer.name, timer.base, timer.gate), device)
    return Devices(control, lines, tuple(bus.devices()))


def _make_lines(
    board: Board, chip: Chip, bus: Bus, wire: Wire, around: Surroundings
) -> tuple[SerialLine, ...]:
    connected = board.uart.peripheral if board.uart is not None else None
    lines = []
    for line in chip.lines:
        send = wire.send if line.name == connected else _nobody
        device = SerialLine(line, bus, chip.ahb, around.now, send)
        bus.attach(Peripheral(line.name, line.base, line.gate), device)
        lines.append(device)
        if line.name == connected:
            wire.connect(device.arrived, around.hurry)
    return tuple(lines)


def _nobody(_: int) -> None:
    """Where a line's bytes go that is not connected."""
