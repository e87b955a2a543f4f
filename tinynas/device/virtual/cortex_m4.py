"""Cycles of a Cortex-M4: one instruction at a time, by its manual (DDI 0439, 3.3) and by measurement.

To the table of 3.3.1 come, each from a source of its own:

- 3.3.2, load and store timings: loads are pipelined with the load or store that follows; a load or store
  whose address the instruction before has just computed waits a cycle (no forwarding path).
- 3.3.1 gives a taken branch 1 to 3 cycles of refill, by alignment and width of its target. Measured on an
  STM32L4 (compendium.i-0.nl, instruction alignment): one more for a wide instruction off a word's start.
- There too: three or more such wide instructions in a row cost one cycle more, stores alone from four on.

With the flash interface's data cache (``edges.look_up``). Instruction fetches that the flash accelerator does
not hide are not modelled: by a cache of 32 lines, as the reference manual has it, they are 0.4 to 3 % of
the four networks in benchmarks/virtual_mlperf.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise

from tinynas.device.virtual.decode import Instruction

#: refill of the three-stage pipeline after a branch that is taken
REFILL = 2
_CYCLES = {
    "divide": 7,
    "float_divide": 14,
    "float_accumulate": 3,
}
_ONE_LOAD = ("load", "narrow_load", "vload")
_ONE_STORE = ("store", "vstore")
_LISTS = ("ldm", "stm", "ldrd", "strd")
_ACCESSES = (*_ONE_LOAD, *_ONE_STORE, *_LISTS)


def block_cycles(block: Sequence[Instruction], before: Instruction | None = None) -> int:
    """Cycles of straight-line code, its last instruction's branch not taken; ``before`` runs on into it."""
    own = sum(_cycles(left, this) for left, this in pairwise([before, *block]) if this is not None)
    return own + sum(1 for group in _off_words(block) if _starves(group))


def edge_cycles(left: Sequence[Instruction], taken: bool, entered: Sequence[Instruction]) -> int:
    """Cycles of ``entered`` when it is reached from ``left``, by a jump or (not ``taken``) by running on."""
    last = left[-1] if left else None
    if last is None or last.branch == "none":
        return max(1, block_cycles(entered, last))
    jumps = taken or last.branch != "conditional"
    split = jumps and bool(entered) and _off_word(entered[0])
    return max(1, block_cycles(entered) + (REFILL if jumps else 0) + split)


def _cycles(before: Instruction | None, this: Instruction) -> int:
    """Of one instruction after another; what is saved by their overlap is taken off here."""
    kind = this.kind
    if kind == "it":  # folded into a 16-bit neighbour
        return 0 if before is not None and before.size == 2 else 1
    if kind == "multiply":
        return 2 if this.mnemonic in ("mla", "mls") else 1
    if kind not in _ACCESSES:
        return _CYCLES.get(kind, 1)
    waits = 0 if before is None else _waits(before, this)
    if kind in _LISTS:
        return 1 + this.count + waits
    indexed = this.access is not None and this.access.index != 0
    alone = 2 if kind in _ONE_LOAD or indexed else 1
    return (1 if before is not None and _pipelined(before, this) else alone) + waits


def _pipelined(before: Instruction, this: Instruction) -> bool:
    """Whether one load or store follows a load without its result as an address."""
    return before.kind in _ONE_LOAD and not before.writes & this.address_reads


def _waits(before: Instruction, this: Instruction) -> int:
    """A cycle for an address that was computed, not loaded, just before."""
    computed = before.kind not in (*_ACCESSES, "it") and before.branch == "none"
    return int(computed and bool(before.writes & this.address_reads))


def _off_word(instruction: Instruction) -> bool:
    """Whether it is of 32 bits in two words of memory."""
    return instruction.size == 4 and instruction.address % 4 != 0


def _off_words(block: Sequence[Instruction]) -> Iterator[list[Instruction]]:
    """The longest rows of instructions that are ``_off_word``."""
    return (list(group) for off, group in groupby(block, _off_word) if off)


def _starves(group: Sequence[Instruction]) -> bool:
    """Whether fetching falls behind once in such a row."""
    return len(group) >= (4 if all(each.kind in _ONE_STORE for each in group) else 3)
