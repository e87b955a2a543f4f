"""The private peripherals of a Cortex-M: SysTick, interrupt controller and system control, cycle counter.

Registers and reset values: Armv7-M Architecture Reference Manual (DDI 0403), B3 and C1.
"""

from __future__ import annotations

from collections.abc import Callable

from tinynas.board import Board
from tinynas.device.virtual.bus import Bus, Now
from tinynas.device.virtual.edges import NEVER

NMI, HARD_FAULT, SVCALL, PENDSV, SYSTICK = 2, 3, 11, 14, 15
_PRIORITY_MASK = 0xF0  # four bits on all of our chips
_UNLOCK = 0xC5ACCE55


class SysTick:
    """The system timer; ``pend`` gets its exception."""

    def __init__(self, bus: Bus, now: Now, pend: Callable[[int], None]) -> None:
        self._bus, self._now, self._pend = bus, now, pend
        self.reset()

    def reset(self) -> None:
        """Stopped."""
        self._control = self._load = self._start = 0
        self._flag = False
        self._next = NEVER

    @property
    def _divider(self) -> int:
        return 1 if self._control & 4 else 8

    def read(self, offset: int) -> int:
        """CTRL (clears COUNTFLAG), LOAD, VAL, CALIB."""
        if offset == 0:
            self._bus.changed()
            self.tick()
            flag, self._flag = self._flag, False
            return self._control | flag << 16
        if offset == 8:
            self._bus.changed()
            return self._value()
        return {4: self._load, 0xC: 0x40000000}.get(offset, 0)

    def _value(self) -> int:
        if not self._control & 1 or not self._load:
            return 0
        gone = (self._now() - self._start) // self._divider % (self._load + 1)
        return self._load - gone

    def write(self, offset: int, size: int, value: int) -> None:
        """Any write to VAL starts the count anew."""
        if offset == 0:
            started = value & ~self._control & 1
            self._control = value & 7
            if started:
                self._start = self._now()
        elif offset == 4:
            self._load = value & 0xFFFFFF
        elif offset == 8:
            self._start, self._flag = self._now(), False
        self._plan()

    def _plan(self) -> None:
        running = self._control & 1 and self._load
        period = (self._load + 1) * self._divider
        self._next = self._now() + period - (self._now() - self._start) % period if running else NEVER

    def tick(self) -> None:
        """Notes a wrap that has happened."""
        if self._now() >= self._next:
            self._flag = True
            if self._control & 2:
                self._pend(SYSTICK)
            self._plan()

    def next_event(self) -> int:
        """The next wrap, where it interrupts."""
        return self._next if self._control & 2 else NEVER

    def interrupting(self) -> int | None:
        """Its exception is pended by ``tick``."""
        self.tick()
        return None


class CycleCounter:
    """DWT: CYCCNT shows the modelled cycles while DEMCR.TRCENA and CTRL.CYCCNTENA are set.

    On a Cortex-M7 software must first write the key to LAR, as on the chip.
    """

    def __init__(self, bus: Bus, now: Now, locked: bool, tracing: Callable[[], bool]) -> None:
        self._bus, self._now, self._locks, self._tracing = bus, now, locked, tracing
        self.reset()

    def reset(self) -> None:
        """Stopped at zero."""
        self._locked = self._locks
        self._running_since: int | None = None
        self._held = 0
        self._control = 0x40000000

    def read(self, offset: int) -> int:
        """CTRL, CYCCNT, LSR; the other counters stand still."""
        if offset == 4:
            self._bus.changed()
            return self._count() & 0xFFFFFFFF
        if offset == 0xFB4:
            return 1 | self._locked << 1 if self._locks else 0
        return self._control if offset == 0 else 0

    def write(self, offset: int, size: int, value: int) -> None:
        """LAR unlocks; then CTRL starts and CYCCNT sets the count."""
        if offset == 0xFB0:
            self._locked = self._locks and value != _UNLOCK
        elif not self._locked and self._tracing():
            if offset == 0:
                self._held = self._count()
                self._control = 0x40000000 | value & 0x0FFFFFFF
                self._running_since = self._now() if value & 1 else None
            elif offset == 4:
                self._held = value
                self._running_since = self._now() if self._control & 1 else None

    def _count(self) -> int:
        if self._running_since is None or not self._tracing():
            return self._held
        return self._held + self._now() - self._running_since

    def next_event(self) -> int:
        """None ever."""
        return NEVER

    def interrupting(self) -> int | None:
        """Never."""
        return None


class SystemControl:
    """NVIC, SCB, MPU type and debug registers from 0xE000E000 on, without SysTick's, which it forwards.

    ``request_reset`` is called for AIRCR.SYSRESETREQ.
    """

    def __init__(self, board: Board, cpuid: int, systick: SysTick, request_reset: Callable[[], None]) -> None:
        self._board, self._cpuid, self._systick = board, cpuid, systick
        self._request_reset = request_reset
        self.pending: set[int] = set()
        self.active: list[int] = []
        self.reset()

    def reset(self) -> None:
        """Nothing enabled, nothing pending; vectors at the start of flash."""
        flash = next(region for region in self._board.regions if region.kind == "flash")
        m7 = self._board.core == "cortex-m7"
        self._values = {0xD08: flash.origin, 0xD14: 0x00040200 if m7 else 0x00000200, 0xF34: 0xC0000000}
        self._enabled: set[int] = set()
        self.pending.clear()
        self.active.clear()

    @property
    def vectors(self) -> int:
        """Where the vector table lies."""
        return self._values[0xD08]

    @property
    def tracing(self) -> bool:
        """DEMCR.TRCENA."""
        return bool(self._values.get(0xDFC, 0) >> 24 & 1)

    @property
    def data_cache(self) -> bool:
        """CCR.DC."""
        return bool(self._values[0xD14] >> 16 & 1)

    @property
    def float_enabled(self) -> bool:
        """CPACR gives full access to the floating-point unit."""
        return self._values.get(0xD88, 0) >> 20 & 0xF == 0xF

    @property
    def enabled_interrupts(self) -> frozenset[int]:
        """Numbers of the interrupts that the controller lets through."""
        return frozenset(self._enabled)

    def pend(self, exception: int) -> None:
        """Makes an exception pending."""
        self.pending.add(exception)

    def priority(self, exception: int) -> int:
        """Lower comes first; -1 and -2 are fixed."""
        if exception < 4:
            return exception - 4
        offset = 0xD18 + exception - 4 if exception < 16 else 0x400 + exception - 16
        return self._values.get(offset & ~3, 0) >> (8 * (offset & 3)) & _PRIORITY_MASK

    def candidate(self, asking: set[int]) -> int | None:
        """The pending exception of the best priority; ``asking`` are interrupts that devices assert."""
        interrupts = {16 + number for number in asking if number in self._enabled}
        waiting = interrupts | {e for e in self.pending if e < 16 or e - 16 in self._enabled}
        return min(waiting, key=lambda e: (self.priority(e), e), default=None)

    def running_priority(self) -> int:
        """Priority of what runs now: 256 in thread mode."""
        return min((self.priority(exception) for exception in self.active), default=256)

    def read(self, offset: int) -> int:
        """A register, word by word."""
        if 0x10 <= offset < 0x20:
            return self._systick.read(offset - 0x10)
        for start in (0x100, 0x180):
            if start <= offset < start + 0x40:
                return _bits(self._enabled, offset - start)
        for start in (0x200, 0x280):
            if start <= offset < start + 0x40:
                return _bits({e - 16 for e in self.pending if e >= 16}, offset - start)
        if 0x300 <= offset < 0x340:
            return _bits({e - 16 for e in self.active if e >= 16}, offset - 0x300)
        if offset == 0xD04:
            return self._state()
        if offset == 0xD0C:
            return 0xFA050000 | self._values.get(offset, 0) & 0x700
        fixed = {0xD00: self._cpuid, 0xD78: 0x09000003, 0xD7C: 0x8303C003, 0xD80: self._cache(), 0xD90: 0x800}
        return fixed.get(offset, self._values.get(offset, 0))

    def write(self, offset: int, size: int, value: int) -> None:
        """A register, or the bytes of one where the architecture allows them (priorities)."""
        if 0x10 <= offset < 0x20:
            self._systick.write(offset - 0x10, size, value)
        elif 0x100 <= offset < 0x140:
            self._enabled |= _numbers(offset - 0x100, value)
        elif 0x180 <= offset < 0x1C0:
            self._enabled -= _numbers(offset - 0x180, value)
        elif 0x200 <= offset < 0x240:
            self.pending |= {16 + n for n in _numbers(offset - 0x200, value)}
        elif 0x280 <= offset < 0x2C0:
            self.pending -= {16 + n for n in _numbers(offset - 0x280, value)}
        elif offset == 0xD04:
            self._set_state(value)
        elif offset == 0xD0C:
            self._values[offset] = value & 0x700
            if value >> 16 == 0x05FA and value & 4:
                self._request_reset()
        elif offset == 0xF00:
            self.pending.add(16 + (value & 0x1FF))
        else:
            word, shift = offset & ~3, 8 * (offset & 3)
            mask = ((1 << (8 * size)) - 1) << shift
            self._values[word] = self._values.get(word, 0) & ~mask | value << shift & mask

    def _state(self) -> int:
        active = self.active[-1] if self.active else 0
        return active | (PENDSV in self.pending) << 28 | (SYSTICK in self.pending) << 26

    def _set_state(self, value: int) -> None:
        for bit, exception in ((31, NMI), (28, PENDSV), (26, SYSTICK)):
            if value >> bit & 1:
                self.pending.add(exception)
        for bit, exception in ((27, PENDSV), (25, SYSTICK)):
            if value >> bit & 1:
                self.pending.discard(exception)

    def _cache(self) -> int:
        """CCSIDR: 32-byte lines; data in four ways, instructions in two (Cortex-M7 TRM)."""
        caches = self._board.caches
        if caches.where != "core":
            return 0
        instructions = self._values.get(0xD84, 0) & 1
        size, ways = (caches.icache_bytes, 2) if instructions else (caches.dcache_bytes, 4)
        return 0xF0000000 | (size // (32 * ways) - 1) << 13 | (ways - 1) << 3 | 1

    def next_event(self) -> int:
        """SysTick's."""
        return self._systick.next_event()

    def interrupting(self) -> int | None:
        """Lets SysTick note its wraps."""
        return self._systick.interrupting()


def _bits(numbers: set[int], offset: int) -> int:
    first = 8 * offset
    return sum(1 << (n - first) for n in numbers if first <= n < first + 32)


def _numbers(offset: int, value: int) -> set[int]:
    return {8 * offset + bit for bit in range(32) if value >> bit & 1}
