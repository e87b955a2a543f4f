"""What a core's timing depends on, read from machine code: the kind of each instruction and its registers.

Capstone disassembles. The kinds are the groups that the Cortex-M4's manual (DDI 0439, table 3-1) and LLVM's
scheduling model of the Cortex-M7 (ARMScheduleM7.td) distinguish.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

import capstone  # type: ignore[import-untyped]
from capstone import arm

Branch = Literal["none", "conditional", "direct", "indirect"]

_CONDITIONS = ["eq", "ne", "cs", "hs", "cc", "lo", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le"]
_KINDS: tuple[tuple[str, str], ...] = (
    (r"it[te]{0,3}", "it"),
    (r"ldm(ia|db)?|pop|vldm(ia|db)?|vpop", "ldm"),
    (r"stm(ia|db)?|push|vstm(ia|db)?|vpush", "stm"),
    (r"ldrex[bh]?", "load"),
    (r"strex[bh]?", "store"),
    (r"ldrd", "ldrd"),
    (r"strd", "strd"),
    (r"ldrs?[bh]t?", "narrow_load"),
    (r"ldrt?", "load"),
    (r"str[bh]?t?", "store"),
    (r"vldr", "vload"),
    (r"vstr", "vstore"),
    (r"[us]div", "divide"),
    (r"[us]mull|[us]mlal|umaal|smlaldx?|smlsldx?|smlal[bt][bt]", "multiply_long"),
    (r"smla[ds]x?|smls[ds]x?|smu[as]dx?|smla[bt][bt]|smul[bt][bt]|smlaw[bt]|smulw[bt]", "multiply"),
    (r"smml[as]r?|smmulr?|mul|muls|mla|mls", "multiply"),
    (r"vdiv|vsqrt", "float_divide"),
    (r"v(f?n?m(la|ls|a|s))", "float_accumulate"),
    (r"v.*", "float"),
    (r"nop|dmb|dsb|isb|mrs|msr|svc|bkpt|cps|cpsid|cpsie|wfi|wfe|sev", "system"),
    (r"[us]xt(b16|b|h)|(s|sh|u|uh)(add16|add8|asx|sax|sub16|sub8)|sel", "simd"),
    (r"(q|uq)(add16|add8|asx|sax|sub16|sub8|add|sub)|usada?8", "simd_slow"),
    (r"[us]bfx|pkhbt|pkhtb|[us]xta(b16|b|h)", "simd_shift"),
    (r"[us]sat(16)?|qd(add|sub)", "simd_shift_slow"),
    (r"bf[ci]|clz|rbit|rev|rev16|revsh", "bits"),
)
_KIND = tuple((re.compile(pattern), kind) for pattern, kind in _KINDS)
_ACCUMULATES = re.compile(r"smla[ds]x?|smls[ds]x?|smla[bt][bt]|smlaw[bt]|mla|mls|smml[as]r?")
_SHIFT = re.compile(r"(lsl|lsr|asr|ror)s?")
_BRANCHES = frozenset({"b", "bl", "bx", "blx", "cbz", "cbnz", "tbb", "tbh"})
_STACK = frozenset({"pop", "push", "vpop", "vpush"})


@dataclass(frozen=True, slots=True)
class Access:
    """One address operand: base + (index << shift) + offset; ``step`` is added to the base afterwards.

    ``before`` tells that the step is taken before the access (pre-indexed), registers are capstone's.
    """

    base: int
    index: int
    shift: int
    offset: int
    step: int
    before: bool


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction as a pipeline sees it; registers are capstone's numbers, ``count`` those of a list."""

    mnemonic: str
    kind: str
    address: int
    size: int
    reads: frozenset[int]
    writes: frozenset[int]
    address_reads: frozenset[int]
    accumulator: frozenset[int]
    count: int
    conditional: bool
    shifts: bool
    long_immediate: bool
    branch: Branch
    access: Access | None
    operands: tuple[tuple[str, int], ...]


class Decoder:
    """Disassembles Thumb code of one core."""

    def __init__(self) -> None:
        self._capstone: Any = capstone.Cs(
            capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS
        )
        self._capstone.detail = True

    def block(self, code: bytes, address: int) -> tuple[Instruction, ...]:
        """The instructions of ``code``, which lies at ``address``; ends early where they are unknown."""
        return tuple(_instruction(raw) for raw in self._capstone.disasm(code, address))


def _instruction(raw: Any) -> Instruction:
    mnemonic = raw.mnemonic.split(".")[0]
    conditional = raw.cc not in (arm.ARM_CC_AL, arm.ARM_CC_INVALID) and not mnemonic.startswith("it")
    if conditional:
        mnemonic = _without_condition(mnemonic)
    reads, writes = (frozenset(registers) for registers in raw.regs_access())
    operands = raw.operands
    branch = _branch(raw, mnemonic, conditional, writes)
    memory = next((operand.mem for operand in operands if operand.type == arm.ARM_OP_MEM), None)
    kind = _kind(mnemonic)
    return Instruction(
        mnemonic=mnemonic,
        kind="branch" if branch != "none" and kind == "alu" else kind,
        address=raw.address,
        size=raw.size,
        reads=reads,
        writes=writes,
        address_reads=frozenset() if memory is None else frozenset({memory.base, memory.index} - {0}),
        accumulator=_accumulator(mnemonic, kind, operands),
        count=_listed(mnemonic, kind, operands),
        conditional=conditional,
        shifts=_SHIFT.fullmatch(mnemonic) is not None or any(_shifted(operand) for operand in operands),
        long_immediate=any(o.type == arm.ARM_OP_IMM and not 0 <= o.imm <= 255 for o in operands),
        branch=branch,
        access=_access(raw, memory, operands),
        operands=tuple(_operand(operand) for operand in operands),
    )


def _without_condition(mnemonic: str) -> str:
    return mnemonic[:-2] if len(mnemonic) > 2 and mnemonic[-2:] in _CONDITIONS else mnemonic


def _kind(mnemonic: str) -> str:
    return next((kind for pattern, kind in _KIND if pattern.fullmatch(mnemonic)), "alu")


def _branch(raw: Any, mnemonic: str, conditional: bool, writes: frozenset[int]) -> Branch:
    if mnemonic in ("cbz", "cbnz") or (mnemonic == "b" and conditional):
        return "conditional"
    if mnemonic in ("b", "bl"):
        return "direct"
    jumps = capstone.CS_GRP_JUMP in raw.groups or capstone.CS_GRP_CALL in raw.groups
    return "indirect" if jumps or mnemonic in _BRANCHES or arm.ARM_REG_PC in writes else "none"


def _accumulator(mnemonic: str, kind: str, operands: Any) -> frozenset[int]:
    """Registers that are needed one cycle late, because they are only added to."""
    if kind == "multiply_long" and mnemonic not in ("smull", "umull"):
        return frozenset({operands[0].reg, operands[1].reg})
    if kind == "multiply" and len(operands) == 4 and _ACCUMULATES.fullmatch(mnemonic):
        return frozenset({operands[3].reg})
    return frozenset()


def _listed(mnemonic: str, kind: str, operands: Any) -> int:
    if kind in ("ldm", "stm"):
        registers = sum(1 for operand in operands if operand.type == arm.ARM_OP_REG)
        return registers - (mnemonic not in _STACK)
    return 2 if kind in ("ldrd", "strd") else 1


def _shifted(operand: Any) -> bool:
    return bool(
        operand.type == arm.ARM_OP_REG and operand.shift.type != arm.ARM_SFT_INVALID and operand.shift.value
    )


def _access(raw: Any, memory: Any, operands: Any) -> Access | None:
    """The address operand; stack and list instructions name theirs only by what they are."""
    if memory is None:
        return None
    last = operands[-1]
    post = last.type == arm.ARM_OP_IMM and raw.writeback and len(operands) > 1
    step = (last.imm if post else memory.disp) if raw.writeback else 0
    shift = memory.lshift or (
        next((o.shift.value for o in operands if o.type == arm.ARM_OP_MEM), 0) if memory.index else 0
    )
    return Access(memory.base, memory.index, shift, 0 if post else memory.disp, step, not post)


def _operand(operand: Any) -> tuple[str, int]:
    if operand.type == arm.ARM_OP_REG:
        return ("shifted" if _shifted(operand) else "register", operand.reg)
    if operand.type == arm.ARM_OP_IMM:
        return ("value", operand.imm)
    return ("memory" if operand.type == arm.ARM_OP_MEM else "other", 0)
