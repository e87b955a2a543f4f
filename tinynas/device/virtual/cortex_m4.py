"""Cycles of a Cortex-M4 by its manual's table (DDI 0439, 3.3.1): one instruction at a time, loads pipelined.

With the flash interface's data cache (``edges.look_up``) this met four published times of MLPerf Tiny on an
STM32L4R5 to +1, -7, -10 and -10 %; that cache missing, all are 7-24 % too low. Instruction fetches that the
flash accelerator does not hide are not modelled.
"""

from __future__ import annotations

from collections.abc import Sequence

from tinynas.device.virtual.decode import Instruction

#: refill of the three-stage pipeline after a branch that is taken
REFILL = 2
_DIVIDE = 7
_CYCLES = {
    "divide": _DIVIDE,
    "float_divide": 14,
    "float_accumulate": 3,
}
_ONE_LOAD = ("load", "narrow_load", "vload")
_ONE_STORE = ("store", "vstore")


def block_cycles(block: Sequence[Instruction]) -> int:
    """Cycles of straight-line code, its last instruction's branch not taken."""
    total = 0
    for index, instruction in enumerate(block):
        before = block[index - 1] if index else None
        after = block[index + 1] if index + 1 < len(block) else None
        total += _cycles(before, instruction, after)
    return total


def edge_cycles(left: Sequence[Instruction], taken: bool, entered: Sequence[Instruction]) -> int:
    """Cycles of ``entered`` when it is reached from ``left``, by a jump or (not ``taken``) by running on."""
    total = block_cycles(entered)
    if left and left[-1].branch != "none":
        total += REFILL if taken or left[-1].branch != "conditional" else 0
    elif left and left[-1].kind in _ONE_LOAD and entered and entered[0].kind in _ONE_LOAD:
        total -= 1  # the first load of this block hides in the pipeline of the last one's
    return max(1, total)


def _cycles(before: Instruction | None, this: Instruction, after: Instruction | None) -> int:
    kind = this.kind
    if kind == "it":  # folded into a 16-bit neighbour
        return 0 if before is not None and before.size == 2 else 1
    if kind == "multiply":
        return 2 if this.mnemonic in ("mla", "mls") else 1
    if kind in _ONE_LOAD:
        pipelined = (
            after is not None
            and after.kind in (*_ONE_LOAD, *_ONE_STORE)
            and not this.writes & after.address_reads
        )
        return 1 if pipelined else 2
    if kind in _ONE_STORE:
        indexed = this.access is not None and this.access.index != 0
        return 2 if indexed and after is not None and after.kind in (*_ONE_LOAD, *_ONE_STORE) else 1
    if kind in ("ldm", "stm", "ldrd", "strd"):
        return 1 + this.count
    return _CYCLES.get(kind, 1)
