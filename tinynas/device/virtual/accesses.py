"""Which addresses a block of code will read and write, told by the registers at its beginning.

The data cache has to be followed access by access, but to have Unicorn report each of them costs four fifths
of the speed. Nearly all addresses in hot loops are sums of registers that the block finds set, or of pointers
that it loads itself, so each block gets a small program, once, that works its addresses out. Accesses whose
address depends on more than that are left out, as are conditional ones; ``Program.unknown`` counts them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from capstone import arm  # type: ignore[import-untyped]

from tinynas.device.virtual.decode import Instruction

#: slots of a program's values: registers r0-r12, sp, lr; then words loaded
REGISTERS, TEMPORARIES = 15, 17
_SLOTS = {getattr(arm, f"ARM_REG_R{n}"): n for n in range(13)} | {arm.ARM_REG_SP: 13, arm.ARM_REG_LR: 14}
_LOADS = frozenset({"load", "narrow_load", "vload", "ldrd", "ldm"})
_STORES = frozenset({"store", "vstore", "strd", "stm"})
_WIDTHS = {"b": 1, "h": 2}
_NONE = -1
_WORD = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Form:
    """base + (index << shift) + offset, where base and index are slots, or -1 for none."""

    base: int
    index: int
    shift: int
    offset: int

    def plus(self, number: int) -> Form:
        """The form further on."""
        return Form(self.base, self.index, self.shift, self.offset + number)

    def joined(self, other: Form, shift: int) -> Form | None:
        """This plus (other << shift), where that is still a form."""
        if other.base == _NONE and other.index == _NONE:
            return self.plus(other.offset << shift)
        if other.index != _NONE:
            return None
        offset = self.offset + (other.offset << shift)
        if self.index == _NONE and self.base != _NONE:
            return Form(self.base, other.base, shift, offset)
        if self.base == _NONE and self.index == _NONE:
            return (
                Form(other.base, _NONE, 0, offset) if shift == 0 else Form(_NONE, other.base, shift, offset)
            )
        return None


@dataclass(frozen=True, slots=True)
class Touch:
    """One access: its address, its bytes, and the slot that keeps the word loaded (-1: not needed)."""

    form: Form
    size: int
    store: bool
    keep: int


@dataclass(frozen=True, slots=True)
class Program:
    """What a block does to memory, in order; how many accesses could not be told."""

    touches: tuple[Touch, ...]
    unknown: int

    def slots(self) -> tuple[int, ...]:
        """Registers whose values it needs."""
        used = {slot for touch in self.touches for slot in (touch.form.base, touch.form.index)}
        return tuple(sorted(slot for slot in used if 0 <= slot < REGISTERS))


def program_of(block: Sequence[Instruction]) -> Program:
    """The addresses of a block's accesses."""
    follower = _Follower()
    for instruction in block:
        follower.step(instruction)
    needed = {slot for touch in follower.touches for slot in (touch.form.base, touch.form.index)}
    return Program(
        tuple(
            touch if touch.keep in needed else Touch(touch.form, touch.size, touch.store, _NONE)
            for touch in follower.touches
        ),
        follower.unknown,
    )


class _Follower:
    """Follows what registers hold, as forms; what is not in ``_known`` is not known."""

    def __init__(self) -> None:
        self._known = {register: Form(slot, _NONE, 0, 0) for register, slot in _SLOTS.items()}
        self._next = REGISTERS
        self.touches: list[Touch] = []
        self.unknown = 0

    def step(self, this: Instruction) -> None:
        """One instruction further."""
        stack = this.mnemonic in ("push", "pop", "vpush", "vpop")
        memory = this.kind in _LOADS or this.kind in _STORES
        if this.conditional:
            self.unknown += memory
            self._forget(this.writes)
        elif memory and (stack or this.kind in ("ldm", "stm")):
            self._many(this, stack)
        elif memory:
            self._one(this)
        else:
            result = self._calculated(this)
            self._forget(this.writes)
            if result is not None:
                self._known[this.operands[0][1]] = result

    def _forget(self, registers: frozenset[int]) -> None:
        for register in registers:
            self._known.pop(register, None)

    def _address(self, this: Instruction) -> Form | None:
        access = this.access
        if access is None:
            return None
        if access.base == arm.ARM_REG_PC:
            base: Form | None = Form(_NONE, _NONE, 0, (this.address + 4) & ~3)
        else:
            base = self._known.get(access.base)
        if base is not None and access.index:
            index = self._known.get(access.index)
            base = None if index is None else base.joined(index, access.shift)
        return None if base is None else base.plus(access.offset)

    def _one(self, this: Instruction) -> None:
        form = self._address(this)
        access = this.access
        moved = self._known.get(access.base) if access is not None and access.step else None
        load = this.kind in _LOADS
        keep = self._touch(form, _width(this), not load, load and this.mnemonic == "ldr")
        self._forget(this.writes)
        if keep != _NONE and load and this.operands[0][0] == "register":
            self._known[this.operands[0][1]] = Form(keep, _NONE, 0, 0)
        if access is not None and access.step:
            self._known.pop(access.base, None)
            if moved is not None:
                self._known[access.base] = moved.plus(access.step)

    def _many(self, this: Instruction, stack: bool) -> None:
        register = arm.ARM_REG_SP if stack else this.operands[0][1]
        form = self._known.get(register)
        size = this.count * (8 if self._doubles(this) else 4)
        down = this.mnemonic.endswith("db") or this.mnemonic in ("push", "vpush")
        start = None if form is None else form.plus(-size if down else 0)
        self._touch(start, size, this.kind == "stm", False)
        self._forget(this.writes)
        writes_back = stack or register in this.writes
        if form is not None:
            self._known[register] = form.plus(-size if down else size) if writes_back else form

    @staticmethod
    def _doubles(this: Instruction) -> bool:
        first = arm.ARM_REG_D0
        return this.mnemonic.startswith("v") and any(
            kind == "register" and first <= register <= arm.ARM_REG_D31 for kind, register in this.operands
        )

    def _touch(self, form: Form | None, size: int, store: bool, keep: bool) -> int:
        if form is None:
            self.unknown += 1
            return _NONE
        slot = _NONE
        if keep and self._next < REGISTERS + TEMPORARIES:
            slot = self._next
            self._next += 1
        self.touches.append(Touch(form, size, store, slot))
        return slot

    def _calculated(self, this: Instruction) -> Form | None:
        """The result of moves, sums and shifts that stay a form."""
        name, operands = this.mnemonic, this.operands
        if len(operands) < 2 or operands[0][0] != "register":
            return None
        if name in ("mov", "movs", "movw"):
            return self._value(operands[1])
        if name not in ("add", "adds", "addw", "sub", "subs", "subw"):
            return None
        left = self._value(operands[1] if len(operands) > 2 else operands[0])
        right = self._value(operands[-1])
        if left is None or right is None:
            return None
        if name.startswith("sub"):
            return left.plus(-right.offset) if operands[-1][0] == "value" else None
        return left.joined(right, 0) or right.joined(left, 0)

    def _value(self, operand: tuple[str, int]) -> Form | None:
        kind, value = operand
        if kind == "value":
            return Form(_NONE, _NONE, 0, value)
        return self._known.get(value) if kind == "register" else None


def _width(this: Instruction) -> int:
    if this.kind in ("ldrd", "strd"):
        return 8
    if this.kind in ("vload", "vstore"):
        return 8 if any(arm.ARM_REG_D0 <= r <= arm.ARM_REG_D31 for _, r in this.operands[:1]) else 4
    letter = this.mnemonic[3:].lstrip("s")[:1]
    return _WIDTHS.get(letter, 4)
