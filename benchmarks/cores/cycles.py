"""Modelled cycles of a block of instructions on Arm's cores, without caches and wait states.

The M7 issues two instructions a cycle in order: of two, one may load or store, one multiply, one branch.
Results are there a cycle later, loaded and multiplied ones two; a sum to which the next SMLAD adds is
forwarded.
The M4 takes the cycles of its reference manual's table (DDI 0439, 3.3.1): loads that follow each other one
each, a taken branch three. For both each block is a schedule of its own, and a branch at its end is taken.
The M0+ takes the cycles of its own manual's table (DDI 0484C, 3.3, table 3-1), with the multiplier of one
cycle and without single-cycle ports; a conditional branch that is not taken saves the refill.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import capstone
from capstone import CS_ARCH_ARM, CS_GRP_JUMP, CS_MODE_MCLASS, CS_MODE_THUMB
from capstone.arm import ARM_CC_AL, ARM_CC_INVALID, ARM_REG_PC

_M7_WIDTH = 2
_M7_TAKEN, _M4_TAKEN, _M0_PLUS_TAKEN = 1, 2, 1
#: of the M0+'s instructions that take neither one cycle nor what they move
_M0_PLUS = {"bl": 3, "blx": 2, "mrs": 3, "msr": 3, "dmb": 3, "dsb": 3, "isb": 3, "wfe": 2, "wfi": 2}
#: the quotient's bits decide; a middle
_DIVISION = 6
_MULTIPLY = (
    "mul",
    "mla",
    "mls",
    "smul",
    "smla",
    "smmul",
    "smmla",
    "smmls",
    "smuad",
    "smlad",
    "umul",
    "umla",
    "umaal",
)
_LOADS, _STORES = (
    ("ldr", "ldm", "pop", "vldr", "vldm", "vpop"),
    ("str", "stm", "push", "vstr", "vstm", "vpush"),
)


@dataclass(frozen=True, slots=True)
class Cycles:
    """Of one block, once entered: left by a branch at its end, and how many fewer it is if left otherwise."""

    left: int
    saved: int = 0


class CycleModel:
    """Decodes blocks and schedules them on `core`, a key of `MODELS`."""

    def __init__(self, core: str) -> None:
        self._model = MODELS[core]
        self._decoder: Any = capstone.Cs(CS_ARCH_ARM, CS_MODE_THUMB | CS_MODE_MCLASS)
        self._decoder.detail = True

    def of(self, code: bytes, address: int) -> Cycles:
        """The cycles of the block `code` at `address`."""
        return self._model(list(self._decoder.disasm(code, address)))


def _m7(instructions: list[Any]) -> Cycles:
    ready: dict[int, int] = {}
    cycle, used = 0, {"issue": 0, "memory": 0, "multiply": 0}
    for each in instructions:
        name = each.mnemonic
        memory, multiply = name.startswith((*_LOADS, *_STORES)), name.startswith(_MULTIPLY)
        reads, writes = each.regs_access()
        addend = each.operands[-1].reg if multiply and len(each.operands) == 4 else None
        # an accumulator is wanted a cycle later than factors
        start = max([cycle, *(ready.get(r, 0) - (r == addend) for r in reads)])
        words = _words(each) if memory else 0
        while True:
            if start > cycle:
                cycle, used = start, {"issue": 0, "memory": 0, "multiply": 0}
            busy = (
                used["issue"] == _M7_WIDTH or (memory and used["memory"]) or (multiply and used["multiply"])
            )
            if not busy and not (words > 2 and used["issue"]):
                break
            start = cycle + 1
        used["issue"] += 1
        used["memory"] += memory
        used["multiply"] += multiply
        if words > 2:
            # several words go by pairs, and nothing beside them
            cycle, used = cycle + (words + 1) // 2 - 1, {"issue": _M7_WIDTH, "memory": 1, "multiply": 0}
        if name.startswith(("udiv", "sdiv")):
            cycle += _DIVISION
        loaded = name.startswith(_LOADS)
        for register in writes:
            base = memory and not _is_target(each, register)
            ready[register] = cycle + (2 if (loaded and not base) or multiply else 1)
    return Cycles(cycle + 1 + (_M7_TAKEN if _branches(instructions) else 0))


def _m4(instructions: list[Any]) -> Cycles:
    cycles, after_memory = 0, False
    for each in instructions:
        name = each.mnemonic
        memory = name.startswith((*_LOADS, *_STORES))
        if memory:
            words = _words(each)
            single = words == 1
            store = name.startswith(_STORES)
            cycles += 1 if single and (after_memory or store) else 1 + words
        elif name.startswith(("udiv", "sdiv")):
            cycles += _DIVISION
        else:
            cycles += 1
        after_memory = memory
    return Cycles(cycles + (_M4_TAKEN if _branches(instructions) else 0))


def _m0_plus(instructions: list[Any]) -> Cycles:
    cycles = sum(map(_m0_plus_cycles, instructions))
    conditional = _branches(instructions) and instructions[-1].cc not in (ARM_CC_AL, ARM_CC_INVALID)
    return Cycles(cycles, _M0_PLUS_TAKEN if conditional else 0)


def _m0_plus_cycles(instruction: Any) -> int:
    """Of one, whose branch is taken."""
    name = instruction.mnemonic
    if name in _M0_PLUS:
        return _M0_PLUS[name]
    jumps = CS_GRP_JUMP in instruction.groups or ARM_REG_PC in instruction.regs_access()[1]
    if name.startswith((*_LOADS, *_STORES)):
        # a list that ends in the program counter is a return
        return 1 + _words(instruction) + (2 if jumps else 0)
    return 1 + (_M0_PLUS_TAKEN if jumps else 0)


#: by the name that gcc has for the core
MODELS: Mapping[str, Callable[[list[Any]], Cycles]] = {
    "cortex-m7": _m7,
    "cortex-m4": _m4,
    "cortex-m0plus": _m0_plus,
}


def _branches(instructions: list[Any]) -> bool:
    return bool(instructions) and CS_GRP_JUMP in instructions[-1].groups


def _words(instruction: Any) -> int:
    """Words that a load or store moves."""
    name = instruction.mnemonic
    if name.startswith(("ldrd", "strd")):
        return 2
    if name.startswith(("ldm", "stm", "vldm", "vstm")):
        return max(1, len(instruction.operands) - 1)
    return len(instruction.operands) if name.startswith(("push", "pop", "vpush", "vpop")) else 1


def _is_target(instruction: Any, register: int) -> bool:
    """Whether `register` is loaded, and not a base that moves on."""
    return any(operand.type == 1 and operand.reg == register for operand in instruction.operands)
