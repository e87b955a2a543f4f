"""Cycles of a Cortex-M7: an in-order scoreboard that issues up to two instructions a cycle.

Units and latencies follow LLVM's ARMScheduleM7.td, except that one load a cycle is issued: that, with the
data cache (``edges.look_up``), meets eight published times of MLPerf Tiny on STM32F746 and H7A3 with a mean
error of 2.1 %, worst 4.2 % (benchmarks/virtual_mlperf.py). It was chosen among 16 variants on those same
eight points: allow +-15 % elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from capstone import arm  # type: ignore[import-untyped]

from tinynas.device.virtual.decode import Instruction

#: cycles of a branch that was predicted wrong
MISPREDICTED = 6
_INDIRECT = 3
_SYSTEM = 3


@dataclass(frozen=True, slots=True)
class Issue:
    """How one kind of instruction is issued: units it takes, latency, whether alone or first of a pair.

    ``early`` is the cycles after issue at which operands must be there (-1: one cycle before it);
    ``busy`` how long nothing follows.
    """

    units: tuple[str, ...]
    latency: int = 1
    early: int = 0
    alone: bool = False
    first: bool = False
    busy: int = 1


_UNITS: Mapping[str, int] = {
    "alu": 2, "shifter": 1, "mac": 1, "load": 1, "store": 1, "simd": 1, "branch": 1,
    "float": 1, "float_port": 2,
}  # fmt: skip
_ISSUE: Mapping[str, Issue] = {
    "alu": Issue(("alu",)),
    "multiply": Issue(("mac",), latency=2),
    "multiply_long": Issue(("mac",), latency=2),
    "simd": Issue(("simd", "alu"), first=True),
    "simd_slow": Issue(("simd", "alu"), latency=2, first=True),
    "simd_shift": Issue(("simd", "alu", "shifter"), early=-1, first=True),
    "simd_shift_slow": Issue(("simd", "alu", "shifter"), latency=2, early=-1, first=True),
    "bits": Issue(("simd", "alu", "shifter"), first=True),
    "load": Issue(("load",), early=-1),
    "narrow_load": Issue(("load",), latency=2, early=-1),
    "vload": Issue(("load", "float_port"), early=-1),
    "store": Issue(("store",), early=-1),
    "vstore": Issue(("store",), early=-1),
    "ldrd": Issue(("load",), early=-1, alone=True),
    "strd": Issue(("load",), early=-1, alone=True),
    "ldm": Issue(("load",), early=-1, alone=True),
    "stm": Issue(("load",), early=-1, alone=True),
    "divide": Issue(("alu",), alone=True, busy=7),
    "float": Issue(("float", "float_port"), latency=3),
    "float_accumulate": Issue(("float", "float_port"), latency=6),
    "float_divide": Issue(("float", "float_port"), latency=16),
    "branch": Issue(("branch",)),
    "system": Issue(("alu",), alone=True, busy=_SYSTEM),
}
_MEMORY = frozenset({"load", "narrow_load", "vload", "store", "vstore", "ldrd", "strd", "ldm", "stm"})
_SWAPS = frozenset({"rev", "rev16", "rbit", "revsh"})
_WRITES_BASE = frozenset({"load", "narrow_load", "store", "ldrd", "strd"})
_PLAIN_SHIFTS = frozenset({"lsl", "lsls", "lsr", "lsrs", "asr", "asrs", "ror"})
_IMMEDIATE_SHIFTER = frozenset({"and", "ands", "orr", "eor"})


class _Scoreboard:
    """The state of issue: the cycle, what was issued in it, and when each register is ready."""

    def __init__(self) -> None:
        self.cycle = 0
        self._issued = 0
        self._taken: dict[str, int] = {}
        self._ready: dict[int, int] = {}

    def run(self, block: Sequence[Instruction], taken: bool) -> int:
        """Issues a block; the cycle at its end."""
        for instruction in block:
            if instruction.kind != "it":
                self._issue(instruction)
        if block and block[-1].branch != "none" and (taken or block[-1].branch != "conditional"):
            self._advance(1)
            self.cycle += _INDIRECT if block[-1].branch == "indirect" else 0
        return self.cycle

    def _advance(self, cycles: int) -> None:
        self.cycle += cycles
        self._issued = 0
        self._taken = {}

    def _issue(self, this: Instruction) -> None:
        how = _ISSUE[this.kind]
        units = _units(this, how)
        wait = max((self._needed(this, how, register) for register in this.reads), default=0)
        if wait > self.cycle:
            self._advance(wait - self.cycle)
        if not self._fits(how, units):
            self._advance(1)
        for unit in units:
            self._taken[unit] = self._taken.get(unit, 0) + 1
        self._issued = 2 if how.alone else self._issued + 1
        for register in this.writes:
            self._ready[register] = self.cycle + how.latency
        if this.kind in _WRITES_BASE and this.access is not None and this.access.step:
            self._ready[this.access.base] = self.cycle
        self.cycle += _busy(this, how) - 1

    def _needed(self, this: Instruction, how: Issue, register: int) -> int:
        """The first cycle at which this may be issued for the sake of one of its operands."""
        ready = self._ready.get(register)
        return 0 if ready is None else ready - _early(this, how, register)

    def _fits(self, how: Issue, units: Sequence[str]) -> bool:
        if self._issued >= 2 or ((how.alone or how.first) and self._issued):
            return False
        return all(self._taken.get(unit, 0) < _UNITS[unit] for unit in units)


def _units(this: Instruction, how: Issue) -> tuple[str, ...]:
    if this.kind == "alu" and (this.shifts or (this.long_immediate and this.mnemonic in _IMMEDIATE_SHIFTER)):
        return (*how.units, "shifter")
    return how.units


def _busy(this: Instruction, how: Issue) -> int:
    if this.kind == "ldm":
        return max(1, (this.count + 1) // 2)
    if this.kind == "stm":
        return max(1, this.count)
    return 1 if this.mnemonic == "nop" else how.busy


def _early(this: Instruction, how: Issue, register: int) -> int:
    """How many cycles after issue an operand may come (negative: before); data of a store come late."""
    if this.kind in _MEMORY:
        return -1 if register in this.address_reads or this.kind == "ldm" else 1
    if register in this.accumulator:
        return 1
    if this.conditional and register == arm.ARM_REG_CPSR:
        return 0
    if this.kind == "alu":
        return -1 if this.shifts and this.mnemonic not in _PLAIN_SHIFTS else 0
    return -1 if this.kind == "bits" and this.mnemonic in _SWAPS else how.early


def edge_cycles(left: Sequence[Instruction], taken: bool, entered: Sequence[Instruction]) -> int:
    """Cycles that ``entered`` adds when it is reached from ``left``, by a jump or by running on.

    The branch out of ``left`` is charged here, because only here it is known which way it went.
    """
    board = _Scoreboard()
    board.run(left, taken)
    together = board.run(entered, False)
    alone = _Scoreboard().run(left, False) if left else 0
    return max(1, together - alone)


def penalty(left: Sequence[Instruction]) -> int:
    """Cycles lost where the way out of ``left`` is predicted wrong; calls and returns are never."""
    return MISPREDICTED if left and left[-1].branch == "conditional" else 0
