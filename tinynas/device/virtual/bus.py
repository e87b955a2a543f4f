"""The peripherals' address space: plain registers from the chip's data file, and devices that do something.

Everything the manual does not make do something is a register that remembers what was written, with its true
reset value. That is enough for start-up code, and for firmware that nobody here has seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from tinynas.device.virtual.chip import Bit, Chip, Peripheral, Register

_PAGE = 10  # peripherals are at least 1 KiB apart


class Device(Protocol):
    """A peripheral that does more than remember; addresses are offsets from its base, values 32-bit."""

    def read(self, offset: int) -> int:
        """The value of the register at ``offset``, with what reading it does."""

    def write(self, offset: int, size: int, value: int) -> None:
        """Writes ``size`` bytes at ``offset``, with what that does."""

    def reset(self) -> None:
        """As after power-on."""

    def next_event(self) -> int:
        """The cycle at which it will want to be looked at."""

    def interrupting(self) -> int | None:
        """The number of the interrupt it asks for now."""


class Bus:
    """Reads and writes of peripheral addresses; a peripheral whose clock is off reads zero and ignores
    writes.

    ``changes`` counts what could let a waiting loop go on: writes, and reads that change something or whose
    value depends on time.
    """

    def __init__(self, chip: Chip) -> None:
        self._registers: Mapping[int, Register] = {register.address: register for register in chip.registers}
        self._named = {register.name: register for register in chip.registers}
        self._gates = {p.base >> _PAGE: p.gate for p in chip.peripherals if p.gate is not None}
        self._devices: dict[int, tuple[int, Device]] = {}
        self._values: dict[int, int] = {}
        self.changes = 0
        self.reads = 0
        self._reads_then = 0
        self.last_read = 0
        self.unclocked: set[str] = set()
        self._names = {p.base >> _PAGE: p.name for p in chip.peripherals}

    def changed(self) -> None:
        """Notes one more change."""
        self.changes += 1
        self._reads_then = self.reads

    @property
    def idle_reads(self) -> int:
        """Reads since the last change."""
        return self.reads - self._reads_then

    def attach(self, peripheral: Peripheral, device: Device, pages: int = 1) -> None:
        """Puts a device at its addresses."""
        for page in range(pages):
            self._devices[(peripheral.base >> _PAGE) + page] = (peripheral.base, device)
        self._names[peripheral.base >> _PAGE] = peripheral.name
        if peripheral.gate is not None:
            self._gates[peripheral.base >> _PAGE] = peripheral.gate

    def devices(self) -> Iterable[Device]:
        """Every device once."""
        return {id(device): device for _, device in self._devices.values()}.values()

    def reset(self) -> None:
        """As after power-on."""
        self._values.clear()
        for device in self.devices():
            device.reset()

    def read(self, address: int, size: int) -> int:
        """What ``size`` bytes at ``address`` read as."""
        word = address & ~3
        self.last_read = address
        self.reads += 1
        value = self._read_word(word)
        return (value >> (8 * (address - word))) & ((1 << (8 * size)) - 1)

    def write(self, address: int, size: int, value: int) -> bool:
        """Writes ``size`` bytes; a part of a plain register leaves its rest. Whether a device must be looked
        at.
        """
        self.changed()
        page = address >> _PAGE
        if self._gated(page):
            return False
        found = self._devices.get(page)
        if found is not None:
            base, device = found
            device.write(address - base, size, value)
            return True
        word, shift = address & ~3, 8 * (address & 3)
        mask = ((1 << (8 * size)) - 1) << shift
        self._values[word] = (self._stored(word) & ~mask) | ((value << shift) & mask)
        return False

    def _read_word(self, address: int) -> int:
        page = address >> _PAGE
        if self._gated(page):
            return 0
        found = self._devices.get(page)
        if found is not None:
            base, device = found
            return device.read(address - base)
        return self.register_value(address)

    def _gated(self, page: int) -> bool:
        gate = self._gates.get(page)
        if gate is None or self.field(gate, 1):
            return False
        self.unclocked.add(self._names[page])
        return True

    def _stored(self, address: int) -> int:
        register = self._registers.get(address)
        return self._values.get(address, register.reset if register is not None else 0)

    def register_value(self, address: int) -> int:
        """A plain register as it reads, ready flags and all."""
        value = self._stored(address)
        register = self._registers.get(address)
        if register is None:
            return value
        value |= register.ones
        for bit, source in register.follows.items():
            value = value & ~(1 << bit) | self.field(source, 1) << bit
        return value

    def field(self, bit: Bit, width: int) -> int:
        """``width`` bits from ``bit`` on, as last written."""
        register = self._named[f"{bit.peripheral}.{bit.register}"]
        return (self._stored(register.address) >> bit.number) & ((1 << width) - 1)

    def address_of(self, bit: Bit) -> int:
        """The address of the register that holds a bit."""
        return self._named[f"{bit.peripheral}.{bit.register}"].address

    def name(self, address: int) -> str:
        """``RCC.CR (0x40023800)``, or the address alone."""
        register = self._registers.get(address)
        if register is not None:
            return f"{register.name} (0x{address:08X})"
        peripheral = self._names.get(address >> _PAGE)
        return f"{peripheral} (0x{address:08X})" if peripheral is not None else f"0x{address:08X}"


def prescalers(bus: Bus, ahb: Bit, apb: Bit) -> tuple[int, int]:
    """(core cycles per cycle of the peripheral bus, core cycles per tick of its timers)."""
    # 4-bit field 1000.. divides by 2, 4, 8, 16, 64, 128, 256, 512; 3-bit field 100.. by 2, 4, 8, 16
    high = bus.field(ahb, 4)
    core = (2, 4, 8, 16, 64, 128, 256, 512)[high - 8] if high >= 8 else 1
    low = bus.field(apb, 3)
    divider = 2 << (low - 4) if low >= 4 else 1
    return core * divider, core * max(1, divider // 2)


Now = Callable[[], int]
