"""The Cortex-M's registers in Unicorn, and its exceptions: entry, return and stack frames.

Armv7-M Architecture Reference Manual (DDI 0403) B1.5: eight words are stacked, eighteen more where the code
that was interrupted has used floating point.
"""

from __future__ import annotations

import struct
from typing import Any

from unicorn import arm_const as uc_arm

from tinynas.board import Board

_R = [getattr(uc_arm, f"UC_ARM_REG_R{n}") for n in range(13)]
_FLOATS = [getattr(uc_arm, f"UC_ARM_REG_S{n}") for n in range(16)]
_MASKS = (uc_arm.UC_ARM_REG_PRIMASK, uc_arm.UC_ARM_REG_BASEPRI, uc_arm.UC_ARM_REG_FAULTMASK)
_HIDDEN = (
    *_MASKS,
    uc_arm.UC_ARM_REG_CONTROL,
    uc_arm.UC_ARM_REG_FPSCR,
    *(getattr(uc_arm, f"UC_ARM_REG_D{n}") for n in range(16)),
)
SP, LR, PC = uc_arm.UC_ARM_REG_SP, uc_arm.UC_ARM_REG_LR, uc_arm.UC_ARM_REG_PC
_XPSR, _CONTROL = uc_arm.UC_ARM_REG_XPSR, uc_arm.UC_ARM_REG_CONTROL
_THUMB, _FPCA, _SPSEL = 1 << 24, 4, 2
_FRAME, _FLOAT_FRAME = 32, 72
#: cycles from request to the handler's first instruction and back (TRM: 12 and about 10 from zero-wait
#: memory)
ENTRY_CYCLES, RETURN_CYCLES = 12, 10
_FROM_MSP, _FROM_PSP, _FROM_HANDLER, _NO_FLOAT = 0x9, 0xD, 0x1, 0x10


def cpu_model(board: Board) -> int:
    """Unicorn's number of the board's core. Not its M-class mode, which is always a Cortex-M33."""
    models = {
        "cortex-m7": uc_arm.UC_CPU_ARM_CORTEX_M7,
        "cortex-m4": uc_arm.UC_CPU_ARM_CORTEX_M4,
    }
    return int(models[board.core])


class Core:
    """Registers and exceptions of one core."""

    def __init__(self, uc: Any) -> None:
        self._uc = uc

    def reset(self, vectors: int) -> int:
        """Stack pointer and first address from the vector table; that address."""
        stack, entry = struct.unpack("<II", self._uc.mem_read(vectors, 8))
        for register in (*_R, *_FLOATS, uc_arm.UC_ARM_REG_FPSCR, LR):
            self._uc.reg_write(register, 0)
        for register in _MASKS:
            self._uc.reg_write(register, 0)
        self._uc.reg_write(_XPSR, _THUMB)
        self._uc.reg_write(_CONTROL, 0)
        self._uc.reg_write(SP, stack & ~3)
        self._uc.reg_write(LR, 0xFFFFFFFF)
        return int(entry)

    def read(self, register: int) -> int:
        """One register."""
        return int(self._uc.reg_read(register))

    def masked_below(self) -> int:
        """Only exceptions of a lower number than this priority are let in by PRIMASK, FAULTMASK, BASEPRI."""
        if self.read(uc_arm.UC_ARM_REG_FAULTMASK) & 1:
            return -1
        if self.read(uc_arm.UC_ARM_REG_PRIMASK) & 1:
            return 0
        return (self.read(uc_arm.UC_ARM_REG_BASEPRI) & 0xF0) or 256

    def thumb(self) -> bool:
        """Whether the state is Thumb's, the only one of a Cortex-M."""
        return bool(self.read(_XPSR) & _THUMB)

    def on_process_stack(self) -> bool:
        """Whether the stack pointer is the process's, as under an operating system."""
        return bool(self.read(_CONTROL) & _SPSEL)

    def registers(self) -> dict[str, int]:
        """r0-r12, sp, lr, pc, xpsr."""
        values = {f"r{n}": self.read(register) for n, register in enumerate(_R)}
        return values | {
            "sp": self.read(SP), "lr": self.read(LR), "pc": self.read(PC), "xpsr": self.read(_XPSR)
        }  # fmt: skip

    def hidden(self) -> tuple[int, ...]:
        """The state that ``registers`` leaves out: masks, control, floating point."""
        return tuple(self.read(register) for register in _HIDDEN)

    def enter(self, exception: int, vectors: int, resume: int, nested: bool) -> int:
        """Stacks the state, to go on at ``resume``; the handler's address. ``nested``: a handler is
        interrupted.
        """
        stack, control, xpsr = self.read(SP), self.read(_CONTROL), self.read(_XPSR)
        float_used = bool(control & _FPCA)
        frame = stack - _FRAME - (_FLOAT_FRAME if float_used else 0)
        padded = bool(frame & 4)
        frame -= 4 if padded else 0
        saved = [self.read(register) for register in (*_R[:4], _R[12], LR)]
        status = xpsr & ~(1 << 9) | padded << 9
        self._uc.mem_write(frame, struct.pack("<8I", *saved, resume & ~1, status & 0xFFFFFFFF))
        if float_used:
            floats = [self.read(register) for register in _FLOATS]
            words = struct.pack("<18I", *floats, self.read(uc_arm.UC_ARM_REG_FPSCR), 0)
            self._uc.mem_write(frame + _FRAME, words)
        back = _FROM_HANDLER if nested else _FROM_PSP if control & _SPSEL else _FROM_MSP
        self._uc.reg_write(SP, frame)
        self._uc.reg_write(_CONTROL, control & ~_FPCA)
        self._uc.reg_write(_XPSR, xpsr & 0xF8000000 | _THUMB | exception)  # switches to the main stack
        self._uc.reg_write(LR, 0xFFFFFFE0 | back | (0 if float_used else _NO_FLOAT))
        return int(struct.unpack("<I", self._uc.mem_read(vectors + 4 * exception, 4))[0])

    def leave(self, exc_return: int, outer: int) -> int:
        """Unstacks by an EXC_RETURN value, back into handler ``outer`` (0: none); the address to go on at."""
        self._uc.reg_write(_XPSR, _THUMB | outer)
        control = self.read(_CONTROL) & ~(_SPSEL | _FPCA)
        self._uc.reg_write(_CONTROL, control | (_SPSEL if exc_return & 4 else 0))
        frame = self.read(SP)
        *saved, resume, status = struct.unpack("<8I", self._uc.mem_read(frame, _FRAME))
        float_used = not exc_return & _NO_FLOAT
        for register, value in zip((*_R[:4], _R[12], LR), saved, strict=True):
            self._uc.reg_write(register, value)
        end = frame + _FRAME
        if float_used:
            *floats, fpscr, _ = struct.unpack("<18I", self._uc.mem_read(end, _FLOAT_FRAME))
            for register, value in zip(_FLOATS, floats, strict=True):
                self._uc.reg_write(register, value)
            self._uc.reg_write(uc_arm.UC_ARM_REG_FPSCR, fpscr)
            end += _FLOAT_FRAME
        self._uc.reg_write(SP, end + (4 if status >> 9 & 1 else 0))
        self._uc.reg_write(_XPSR, status & ~(1 << 9) & ~0x1FF | outer)
        self._uc.reg_write(_CONTROL, self.read(_CONTROL) | (_FPCA if float_used else 0))
        return int(resume) | 1
