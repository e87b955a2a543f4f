"""Time that passes while the core executes nothing: asleep, or in a loop that only the outside can end."""

from __future__ import annotations

import time
from collections.abc import Callable

from tinynas.device.virtual import edges as counting
from tinynas.device.virtual.devices import Devices
from tinynas.device.virtual.edges import NEVER, Edges
from tinynas.device.virtual.wire import Wire

#: the last halfword of WFI and of WFE, short and long
_INTERRUPT_WAITS, _EVENT_WAITS = (b"\x30\xbf", b"\x03\x80"), (b"\x20\xbf", b"\x02\x80")
#: seconds of waiting after which to look around
_WAIT = 0.25


class Idling:
    """Whether the core of one board sleeps, and the clock meanwhile."""

    def __init__(self, edges: Edges, devices: Devices, wire: Wire, clock_hz: int) -> None:
        self._edges, self._devices, self._wire, self._clock_hz = edges, devices, wire, clock_hz
        #: cycles asleep since power-on, which the cycle counter does not count
        self.slept = 0
        self._asleep = self._strictly = False

    @property
    def asleep(self) -> bool:
        """Between a WFI or WFE and what ends it."""
        return self._asleep

    @property
    def for_ever(self) -> bool:
        """Whether the core sleeps and nothing that the firmware has switched on can end that."""
        silent = self._devices.next_event() == NEVER and not self._devices.receiving()
        return self._asleep and self._strictly and silent

    def wake(self) -> None:
        """As after power-on, or at an interrupt."""
        self._asleep = False

    def fall_asleep(self, instruction: bytes) -> None:
        """The core has just executed ``instruction``, of which this is the last halfword."""
        self._strictly = instruction in _INTERRUPT_WAITS
        self._asleep = self._strictly or instruction in _EVENT_WAITS

    def sleep(self, awake: Callable[[], bool]) -> None:
        """Lets time pass until ``awake``, or for a while; a WFE may end without a reason, a WFI does not."""
        started = self._edges.clock
        self.wait(awake)
        self.slept += self._edges.clock - started
        self._asleep = self._strictly and not awake()

    def wait(self, awake: Callable[[], bool]) -> None:
        """Lets time pass until ``awake``, at most as fast as it really does, except to a byte that is already
        here.
        """
        limit = time.monotonic() + _WAIT
        while not awake() and time.monotonic() < limit:
            due, now = self._devices.next_event(), self._edges.clock
            if due < NEVER and due == self._devices.next_byte():
                self._edges.state[counting.CLOCK] = due
                continue
            left = (due - now) / self._clock_hz if due < NEVER else _WAIT
            before = time.monotonic()
            self._wire.wait(max(0.0, min(left, limit - before)))
            passed = int((time.monotonic() - before) * self._clock_hz)
            self._edges.state[counting.CLOCK] = min(now + passed, due)
