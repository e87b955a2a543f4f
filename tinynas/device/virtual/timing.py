"""What each step from block to block costs on a core: decoding, then the core's own model.

Every figure that comes of this is modelled: ``accuracy.py`` has the words that stand beside it.
"""

from __future__ import annotations

from collections.abc import Callable

from capstone import arm  # type: ignore[import-untyped]

from tinynas.device.virtual import cortex_m4, cortex_m7
from tinynas.device.virtual.accesses import program_of
from tinynas.device.virtual.decode import Decoder, Instruction
from tinynas.device.virtual.edges import Price

ReadCode = Callable[[int, int], bytes]


class Timing:
    """Prices edges; ``read_code(address, size)`` gives the machine code."""

    def __init__(self, core: str, read_code: ReadCode) -> None:
        self._m7 = core == "cortex-m7"
        self._read = read_code
        self._decoder = Decoder()
        self._blocks: dict[int, tuple[Instruction, ...]] = {}

    def block(self, address: int, size: int) -> tuple[Instruction, ...]:
        """The decoded block at ``address``, remembered."""
        known = self._blocks.get(address)
        if known is None:
            known = self._blocks[address] = self._decoder.block(self._read(address, size), address)
        return known

    def known(self, address: int) -> tuple[Instruction, ...]:
        """The block at ``address`` if it was seen, else nothing."""
        return self._blocks.get(address, ())

    def price(self, source: int, target: int, size: int) -> Price:
        """The cost of going from the block at ``source`` (0: none) to the one of ``size`` bytes at
        ``target``.
        """
        left, entered = self.known(source), self.block(target, size)
        taken = bool(left) and left[-1].address + left[-1].size != target
        core = cortex_m7 if self._m7 else cortex_m4
        cycles = core.edge_cycles(left, taken, entered)
        penalty = cortex_m7.penalty(left) if self._m7 else 0
        moves_stack = any(arm.ARM_REG_SP in instruction.writes for instruction in entered)
        return Price(cycles, penalty, len(entered), program_of(entered), moves_stack)
