"""The virtual board itself: core, memories, peripherals and time, run until something ends it.

Unicorn runs until ``edges.on_block`` asks for attention: at a deadline (a timer, a byte on the line, a look
around), at a step it has no price for, or below the stack. All else happens here, between two such stops.
"""

from __future__ import annotations

import time
from typing import Any

from unicorn import unicorn_const as uc_const
from unicorn.unicorn_py3.unicorn import Uc, UcError

from tinynas.board import Board
from tinynas.device.virtual import core as cores
from tinynas.device.virtual import edges as counting
from tinynas.device.virtual.bus import Bus
from tinynas.device.virtual.chip import Bit, Chip
from tinynas.device.virtual.core import Core
from tinynas.device.virtual.core_peripherals import SVCALL
from tinynas.device.virtual.devices import Surroundings, make_devices
from tinynas.device.virtual.edges import NEVER, Edges
from tinynas.device.virtual.ending import Ending
from tinynas.device.virtual.idling import Idling
from tinynas.device.virtual.image import Image
from tinynas.device.virtual.memory import is_memory, load, make_memory, map_memory, snapshot
from tinynas.device.virtual.timing import Timing
from tinynas.device.virtual.wire import Wire

_MMIO = ((0x40000000, 0x20000000), (0xE0000000, 0x00100000))
_NOWHERE = 0xFFFFFFFE
_EXC_RETURN = 0xFFFFFF00
#: cycles between two looks for endless loops and for the end of the time given
_SLICE, _SLOW_SLICE = 10_000_000, 500_000
#: most cycles between two looks whether a masked interrupt may come in; at first after every block, then
#: after this part of the time that it has waited
_MASKED_POLL, _MASKED_PART = 300, 16
#: blocks within which a waiting loop must have come round
_LOOP_BLOCKS = 64
_WAIT_STATES = Bit("FLASH", "ACR", 0)
#: registers that turn caches on: FLASH.ACR is looked up by its name
_CCR = 0xE000ED14
_SUPERVISOR_CALL, _BREAKPOINT = 2, 7
#: reads of registers that change nothing, after which to look around
_POLLED = 20_000
#: cycles for which bytes sent are gathered
_GATHER = 20_000


class Machine:
    """One board with one firmware. ``wire`` is its serial port's other end."""

    def __init__(self, board: Board, chip: Chip, image: Image, wire: Wire, *, native: bool) -> None:
        """Loads the firmware.

        Raises:
            RequestError: it does not belong on this board.
        """
        self.board, self.chip, self.image, self.wire = board, chip, image, wire
        self.banks = make_memory(board, chip)
        load(image, self.banks, board)
        self._uc: Any = Uc(uc_const.UC_ARCH_ARM, uc_const.UC_MODE_THUMB)
        self._uc.ctl_set_cpu_model(cores.cpu_model(board))
        self.edges = Edges(native)
        self.timing = Timing(board.core, lambda address, size: bytes(self._uc.mem_read(address, size)))
        self.core = Core(self._uc)
        self.bus = Bus(chip)
        around = Surroundings(
            lambda: self.edges.clock,
            lambda: self.edges.clock - self.idling.slept,
            self._request_reset,
            self._hurry,
        )
        self.devices = make_devices(board, chip, self.bus, wire, around)
        self.control = self.devices.control
        self.idling = Idling(self.edges, self.devices, wire, board.clock_hz)
        map_memory(self._uc, self.banks)
        for base, size in _MMIO:
            self._uc.mmio_map(base, size, self._read, base, self._write, base)
        self._flash_control = self.bus.address_of(_WAIT_STATES)
        self._set_cache()
        self.edges.hook(self._uc)
        self._uc.hook_add(uc_const.UC_HOOK_INTR, self._on_exception)
        self._uc.hook_add(uc_const.UC_HOOK_MEM_INVALID, self._on_bad_access)
        self._pc = 0
        self._exception: int | None = None
        self._bad_access: tuple[int, int, int] | None = None
        self._reset_requested = False
        self._slice = _SLICE if native else _SLOW_SLICE
        self._next_slice = self._slice
        self._stop_requested = False
        self._masked_since: int | None = None
        self._flush_at = 0
        self._polls_line = self._reads_bus = self._idle = False
        self.resets = 0
        self._restart()

    def _set_cache(self) -> None:
        coupled = next((region for region in self.board.regions if region.kind == "dtcm"), None)
        uncached = range(coupled.origin, coupled.end) if coupled is not None else range(0)
        self.edges.set_cache(self.chip.data_cache, self.board.caches.dcache_bytes, uncached)
        self._switch_cache()

    def _switch_cache(self) -> None:
        cache = self.chip.data_cache
        on = self.control.data_cache if cache.switch is None else bool(self.bus.field(cache.switch, 1))
        miss = cache.miss_cycles or self.bus.field(_WAIT_STATES, 4)
        self.edges.switch_cache(on, miss)

    def _hurry(self) -> None:
        """Attention at the next block; other threads may call this."""
        self.edges.state[counting.DEADLINE] = 0

    def _request_reset(self) -> None:
        self._reset_requested = True

    def _restart(self) -> None:
        """Everything but the memories as after power-on."""
        self._reset_requested = False
        self.idling.wake()
        self.bus.reset()
        self._switch_cache()
        self._pc = self.core.reset(self.control.vectors)
        self.edges.break_off()
        limit = self.image.stack_limit(self.core.read(cores.SP), self.board.regions)
        self.edges.state[counting.LIMIT] = limit

    def stop(self) -> None:
        """Ends ``run`` soon; for signal handlers and other threads."""
        self._stop_requested = True
        self._hurry()

    @property
    def cycles(self) -> int:
        """Modelled cycles since power-on, sleep included."""
        return self.edges.clock

    @property
    def instructions(self) -> int:
        """Instructions executed."""
        return int(self.edges.state[counting.EXECUTED])

    def run(self, seconds: float | None = None) -> Ending:
        """Runs until a fault, or for so many seconds of real time; how it ended."""
        end = None if seconds is None else time.monotonic() + seconds
        while True:
            ending = self._attend(end) or (self._slumber() if self.idling.asleep else self._burst())
            if ending is not None:
                return ending

    def _burst(self) -> Ending | None:
        """Executes until something wants attention."""
        state = self.edges.state
        state[counting.STOP] = 0
        self._exception = self._bad_access = None
        try:
            self._uc.emu_start(self._pc | 1, _NOWHERE)
        except UcError as error:
            return self._faulted(error)
        self._pc = self.core.read(cores.PC)
        if self._exception is not None:
            return self._excepted(self._exception)
        why = int(state[counting.STOP])
        if why == counting.EDGE_UNKNOWN:
            return self._price()
        if why == counting.STACK_OVERFLOWN:
            return self._overflown()
        if why == 0:
            self.idling.fall_asleep(bytes(self._uc.mem_read(self._pc - 2, 2)))
        return None

    def _slumber(self) -> Ending | None:
        """Sleeps for a while, or to the next interrupt."""
        if self.idling.for_ever and not self._wakeful():
            return self._ending("endless sleep", "it waits for an interrupt, and none is on that could come")
        before = self.cycles
        self.idling.sleep(self._wakeful)
        self._next_slice += self.cycles - before
        return None

    # ---- what stops it

    def _price(self) -> Ending | None:
        """Enters the step that was never taken before, with its cost."""
        if not self.core.thumb():
            return self._ending("usage fault", "a jump to an even address: a Cortex-M knows no Arm state")
        state = self.edges.state
        target, size = int(state[counting.MISSING]), int(state[counting.MISSING_SIZE])
        price = self.timing.price(int(state[counting.PREVIOUS]), target, size)
        if not self.control.float_enabled and any(
            i.mnemonic.startswith("v") for i in self.timing.known(target)
        ):
            return self._ending(
                "usage fault",
                "a floating-point instruction in this block while SCB.CPACR keeps the unit off",
            )
        self.edges.add(target, price)
        return None

    def _overflown(self) -> Ending | None:
        state = self.edges.state
        if self.core.on_process_stack():
            state[counting.LIMIT] = 0  # tasks of an operating system have stacks of their own
            return None
        below = int(state[counting.LIMIT]) - self.core.read(cores.SP)
        return self._ending(
            "stack overflow",
            f"the stack has grown {below} bytes below its end 0x{int(state[counting.LIMIT]):08X}",
        )

    def _excepted(self, number: int) -> Ending | None:
        if self._pc >= _EXC_RETURN:
            return self._return(self._pc)
        if number == _SUPERVISOR_CALL:
            self.control.pend(SVCALL)
            return None
        if number == _BREAKPOINT:
            return self._ending("breakpoint", "a breakpoint instruction, and no debugger to take it")
        return self._ending("usage fault", f"an exception (Unicorn's number {number})")

    def _return(self, exc_return: int) -> Ending | None:
        if not self.control.active:
            return self._ending("usage fault", f"a jump to 0x{exc_return:08X} outside a handler")
        self.control.active.pop()
        outer = self.control.active[-1] if self.control.active else 0
        self._pc = self.core.leave(exc_return, outer)
        self.edges.break_off()
        self.edges.state[counting.CLOCK] += cores.RETURN_CYCLES
        return None

    def _faulted(self, error: UcError) -> Ending | None:
        self._pc = self.core.read(cores.PC)
        if self._pc >= _EXC_RETURN:
            return self._return(self._pc)
        low = self.core.read(cores.SP) < int(self.edges.state[counting.LIMIT])
        if low and (overflow := self._overflown()) is not None:
            return overflow
        if self._bad_access is not None:
            kind, address, size = self._bad_access
            return self._ending(*_access_fault(kind, address, size, is_memory(self.banks, address)))
        if error.errno == uc_const.UC_ERR_INSN_INVALID:
            code = bytes(self._uc.mem_read(self._pc, 2)) if is_memory(self.banks, self._pc) else b""
            return self._ending(
                "usage fault",
                f"an instruction (0x{int.from_bytes(code, 'little'):04X}) undefined on a {self.board.core}",
            )
        return self._ending("hard fault", str(error))

    def _ending(self, kind: str, sentence: str, fault: bool = True) -> Ending:
        registers = self.core.registers()
        caller = registers["lr"]
        return Ending(
            fault, kind, sentence, self.image.place(registers["pc"]), registers,
            "an exception's entry" if caller >= _EXC_RETURN else self.image.place((caller & ~1) - 2),
        )  # fmt: skip

    # ---- attention

    def _attend(self, end: float | None) -> Ending | None:
        """Reset, interrupts, the next deadline; from time to time a look around."""
        if self._reset_requested:
            self.resets += 1
            self._restart()
        if self._stop_requested:
            return self._ending("stopped", "asked to", fault=False)
        if end is not None and time.monotonic() >= end:
            return self._ending("stopped", "the time given is over", fault=False)
        if self.cycles >= self._next_slice:
            ending = self._look_around()
            if ending is not None:
                return ending
            self._next_slice = self.cycles + (self._slice if not self._idle else self._slice // 100)
        state = self.edges.state
        # order matters: a byte that arrives from here on finds the deadline set and moves it
        state[counting.DEADLINE] = NEVER
        masked = self._interrupt()
        due = min(self.devices.next_event(), self._masked_poll(masked), self._next_slice, self._send())
        if state[counting.DEADLINE]:
            state[counting.DEADLINE] = max(due, self.cycles + 1)
            if self.wire.take_news():
                self._hurry()
        return None

    def _masked_poll(self, masked: bool) -> int:
        """The cycle at which to look again whether what masks keep out may come in."""
        if not masked:
            self._masked_since = None
            return NEVER
        self._masked_since = self.cycles if self._masked_since is None else self._masked_since
        return self.cycles + min(1 + (self.cycles - self._masked_since) // _MASKED_PART, _MASKED_POLL)

    def _send(self) -> int:
        """Passes on what the board has sent, several bytes at a time; the cycle at which to do so next."""
        if not self.wire.unsent:
            return NEVER
        if self.cycles >= self._flush_at:
            self.wire.flush()
            self._flush_at = self.cycles + _GATHER
            return NEVER
        return self._flush_at

    def _interrupt(self) -> bool:
        """Enters the best pending exception's handler; whether one is pending that masks keep out."""
        candidate = self.devices.candidate()
        if candidate is None:
            return False
        priority = self.control.priority(candidate)
        if priority >= self.control.running_priority():
            return False  # its turn comes when the handler returns, which stops
        if priority >= self.core.masked_below():
            return True
        self.control.pending.discard(candidate)
        nested = bool(self.control.active)
        self._pc = self.core.enter(candidate, self.control.vectors, self._pc, nested)
        self.control.active.append(candidate)
        self.idling.wake()
        self.edges.break_off()
        self.edges.state[counting.CLOCK] += cores.ENTRY_CYCLES
        return False

    def _wakeful(self) -> bool:
        return self.devices.candidate() is not None or self._reset_requested

    def _look_around(self) -> Ending | None:
        """Finds loops that nothing can end, and waits where only the outside can end one."""
        self._idle = self._comes_round()
        if not self._idle:
            return None
        open_to_them = self.core.masked_below() == 256 and not self.control.active
        if self._polls_line or (self.devices.receiving() and open_to_them):
            polls = self._polls_line
            self.idling.wait(lambda: self._wakeful() or (polls and self.wire.pending))
            return None
        if self.devices.next_event() < NEVER and open_to_them:
            return None
        waits = f", reading {self.bus.name(self.bus.last_read)}" if self._reads_bus else ""
        return self._ending("endless loop", f"this loop changes nothing and nothing can end it{waits}")

    def _comes_round(self) -> bool:
        """Whether registers and memories soon are again exactly what they are now, with no change outside.

        Then the same will happen for ever. Runs the firmware meanwhile, block by block.
        """
        state = self.edges.state
        changes, polls = self.bus.changes, self.devices.polls()
        reads = self.bus.reads
        first = self.core.registers() | {"pc": self._pc & ~1}
        hidden, memories = self.core.hidden(), snapshot(self.banks)
        for _ in range(_LOOP_BLOCKS):
            state[counting.DEADLINE] = self.cycles + 1
            before = self.cycles
            ended = self._burst() is not None
            # a supervisor call is pending here; its handler must come before anything else
            if ended or self.bus.changes != changes or self._reset_requested or self.control.pending:
                return False
            if self.idling.asleep and not self._wakeful():
                return False
            self.idling.wake()
            now = self.core.registers() | {"pc": self._pc & ~1}
            same = self.cycles > before and now == first and self.core.hidden() == hidden
            if same and snapshot(self.banks) == memories:
                self._polls_line = self.devices.polls() != polls
                self._reads_bus = self.bus.reads != reads
                return True
        return False

    # ---- called by Unicorn

    def _read(self, _uc: Any, offset: int, size: int, base: int) -> int:
        value = self.bus.read(base + offset, size)
        if self.bus.idle_reads % _POLLED == _POLLED - 1:
            self._next_slice = self.cycles
            self._hurry()
        return value

    def _write(self, _uc: Any, offset: int, size: int, value: int, base: int) -> None:
        address = base + offset
        if self.bus.write(address, size, value):
            self._hurry()
        if address in (_CCR, self._flash_control):
            self._switch_cache()

    def _on_exception(self, uc: Any, number: int, _: Any) -> None:
        self._exception = number
        uc.emu_stop()

    def _on_bad_access(self, _uc: Any, access: int, address: int, size: int, _value: int, _: Any) -> bool:
        self._bad_access = (access, address, size)
        return False


def _access_fault(access: int, address: int, size: int, mapped: bool) -> tuple[str, str]:
    if access in (uc_const.UC_MEM_FETCH_UNMAPPED, uc_const.UC_MEM_FETCH_PROT):
        return "bus fault", f"a jump to 0x{address:08X}, where there is no code"
    verb = "reads" if access in (uc_const.UC_MEM_READ_UNMAPPED, uc_const.UC_MEM_READ_PROT) else "writes"
    where = "which cannot be written" if mapped else "where there is no memory"
    return "bus fault", f"{verb} {size} bytes at 0x{address:08X}, {where}"
