"""A general-purpose timer that counts up: prescaler, reload, update flag and interrupt."""

from __future__ import annotations

from tinynas.device.virtual.bus import Bus, Now, prescalers
from tinynas.device.virtual.chip import Bit, Counter
from tinynas.device.virtual.edges import NEVER

_CR1, _DIER, _SR, _EGR, _CNT, _PSC, _ARR = 0x00, 0x0C, 0x10, 0x14, 0x24, 0x28, 0x2C


class Timer:
    """One timer of 32 bits; CNT shows modelled time at the timer clock that the prescaler registers give."""

    def __init__(self, counter: Counter, bus: Bus, ahb: Bit, now: Now) -> None:
        self.counter = counter
        self._bus, self._ahb, self._now = bus, ahb, now
        self.reset()

    def reset(self) -> None:
        """Stopped at zero."""
        self._values = {_ARR: 0xFFFFFFFF}
        self._prescaler = 0  # PSC takes effect at the next update
        self._start = 0
        self._held = 0
        self._seen = 0

    def _cycles_a_tick(self) -> int:
        _, ticks = prescalers(self._bus, self._ahb, self.counter.bus)
        return ticks * (self._prescaler + 1)

    def _ticks(self) -> int:
        """Ticks since the count was last set, wraps included."""
        running = self._values.get(_CR1, 0) & 1
        return self._held + ((self._now() - self._start) // self._cycles_a_tick() if running else 0)

    def _update(self) -> None:
        """Notes wraps since the last look."""
        wraps = self._ticks() // (self._values[_ARR] + 1)
        if wraps > self._seen:
            self._seen = wraps
            self._values[_SR] = self._values.get(_SR, 0) | 1

    def _set(self, count: int) -> None:
        self._held, self._start, self._seen = count, self._now(), 0

    def read(self, offset: int) -> int:
        """CNT and SR depend on time."""
        if offset in (_CNT, _SR):
            self._bus.changed()
            self._update()
        if offset == _CNT:
            return self._ticks() % (self._values[_ARR] + 1)
        return self._values.get(offset, 0)

    def write(self, offset: int, size: int, value: int) -> None:
        """EGR.UG loads the prescaler and clears the count; flags in SR are cleared by writing zero."""
        self._update()
        count = self._ticks() % (self._values[_ARR] + 1)
        if offset == _SR:
            self._values[_SR] = self._values.get(_SR, 0) & value
        elif offset == _CNT:
            self._set(value)
        elif offset == _EGR:
            if value & 1:
                self._prescaler = self._values.get(_PSC, 0)
                self._values[_SR] = self._values.get(_SR, 0) | 1
                self._set(0)
        else:
            if offset in (_CR1, _ARR):
                self._set(count)
            self._values[offset] = value

    def next_event(self) -> int:
        """The next wrap, where it interrupts."""
        if not (self._values.get(_CR1, 0) & 1 and self._values.get(_DIER, 0) & 1):
            return NEVER
        left = self._values[_ARR] + 1 - self._ticks() % (self._values[_ARR] + 1)
        return self._now() + left * self._cycles_a_tick()

    def interrupting(self) -> int | None:
        """While the update flag is set and its interrupt enabled."""
        if not self._values.get(_DIER, 0) & 1:
            return None
        self._update()
        return self.counter.irq if self._values.get(_SR, 0) & 1 else None
