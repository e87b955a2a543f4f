"""What counting needs to know of an instruction set: Armv7-M's Thumb, and RISC-V of 32 bits.

Imported by count_instructions.py alone: Unicorn is GPL-2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from unicorn import UC_ARCH_ARM, UC_ARCH_RISCV, UC_MODE_MCLASS, UC_MODE_RISCV32, UC_MODE_THUMB
from unicorn.arm_const import UC_ARM_REG_LR, UC_ARM_REG_PC, UC_ARM_REG_R0, UC_ARM_REG_R1, UC_ARM_REG_SP
from unicorn.riscv_const import (
    UC_RISCV_REG_A0,
    UC_RISCV_REG_A1,
    UC_RISCV_REG_PC,
    UC_RISCV_REG_RA,
    UC_RISCV_REG_SP,
)


@dataclass(frozen=True, slots=True)
class Registers:
    """Unicorn's numbers of those with a part in calls; `first` argument is where a result comes back."""

    counter: int
    stack: int
    link: int
    first: int
    second: int


@dataclass(frozen=True, slots=True)
class Architecture:
    """An instruction set in Unicorn.

    `call` is the instruction that asks the emulator, after which the program counter stands `past` bytes
    behind its beginning; `state` is the lowest bit of an address to go to. An instruction of two bytes or
    four is of four where `is_long` says so of the former two.
    """

    family: tuple[int, int]
    registers: Registers
    call: bytes
    past: int
    state: int
    is_long: Callable[[int, int], bool]

    def instructions(self, code: bytes) -> int:
        """How many instructions `code` holds."""
        position = number = 0
        while position < len(code):
            position += 4 if self.is_long(code[position], code[position + 1]) else 2
            number += 1
        return number


_THUMB = Architecture(
    family=(UC_ARCH_ARM, UC_MODE_THUMB | UC_MODE_MCLASS),
    registers=Registers(UC_ARM_REG_PC, UC_ARM_REG_SP, UC_ARM_REG_LR, UC_ARM_REG_R0, UC_ARM_REG_R1),
    call=b"\xab\xbe",  # BKPT 0xAB
    past=0,
    state=1,
    is_long=lambda low, high: high >= 0xE8,
)
_RISCV32 = Architecture(
    family=(UC_ARCH_RISCV, UC_MODE_RISCV32),
    registers=Registers(UC_RISCV_REG_PC, UC_RISCV_REG_SP, UC_RISCV_REG_RA, UC_RISCV_REG_A0, UC_RISCV_REG_A1),
    call=b"\x73\x00\x00\x00",  # ECALL
    past=4,
    state=0,
    is_long=lambda low, high: low & 3 == 3,
)


def architecture_of(elf: Any) -> Architecture:
    """That of an `elffile.ELFFile`; KeyError where it is none of these."""
    return {"EM_ARM": _THUMB, "EM_RISCV": _RISCV32}[elf["e_machine"]]
