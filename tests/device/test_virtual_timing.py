"""What instructions cost and which addresses they use, as the virtual board's models say."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("capstone", reason="capstone missing: pip install 'tinynas[virtual]'")

from tinynas.device.virtual import cortex_m4, cortex_m7
from tinynas.device.virtual.accesses import program_of
from tinynas.device.virtual.accuracy import accuracy
from tinynas.device.virtual.decode import Decoder, Instruction
from tinynas.device.virtual.timing import Timing

START = 0x08000000


@cache
def block(*lines: str) -> tuple[Instruction, ...]:
    """The decoded block of assembly, as it would lie at the start of flash."""
    if shutil.which("arm-none-eabi-as") is None:
        pytest.skip("arm-none-eabi-as is not installed")
    with TemporaryDirectory() as folder:
        source, built, raw = (Path(folder) / name for name in ("a.s", "a.o", "a.bin"))
        source.write_text(
            ".syntax unified\n.thumb\n.cpu cortex-m7\n.fpu fpv5-d16\n" + "\n".join(lines) + "\n"
        )
        subprocess.run(["arm-none-eabi-as", str(source), "-o", str(built)], check=True)
        subprocess.run(["arm-none-eabi-objcopy", "-O", "binary", str(built), str(raw)], check=True)
        decoded = Decoder().block(raw.read_bytes(), START)
    assert sum(i.size for i in decoded) >= 2 * len(lines)
    return decoded


def m4(*lines: str) -> int:
    return cortex_m4.block_cycles(block(*lines))


def m7(*lines: str) -> int:
    """Cycles of ten repetitions, without the pipeline's beginning and end."""
    once, often = (cortex_m7.edge_cycles((), False, block(*lines * n)) for n in (2, 12))
    return often - once


def test_m4_by_the_manual() -> None:
    assert m4("adds r0, r1, r2") == 1
    assert m4("smlad r0, r1, r2, r0") == 1
    assert m4("smlal r0, r1, r2, r3") == 1
    assert m4("mla r0, r1, r2, r3") == 2
    assert m4("ldr r0, [r1]") == 2
    assert m4("ldr r0, [r1]", "ldr r2, [r3]", "ldr r4, [r5]") == 4  # pipelined: one more than their number
    assert m4("ldr r0, [r1]", "ldr r2, [r0]") == 4  # the address is what was loaded
    assert m4("ldr r0, [r1, r2]", "str r0, [r3, #20]") == 3
    assert m4("ldr r0, [r1, r2]", "str r1, [r3, r2]") == 3
    assert m4("str r0, [r1]") == 1
    assert m4("str r0, [r1, r2]") == 2
    assert m4("adds r1, r2, r3", "ldr r0, [r1]") == 4  # an address just computed
    assert m4("adds r1, r2, r3", "adds r4, r2, r3", "ldr r0, [r1]") == 4
    assert m4("push {r4, r5, r6, lr}") == 5
    assert m4("pop {r4, r5, r6}") == 4
    assert m4("ldrd r0, r1, [r2]") == 3
    assert m4("vmul.f32 s0, s1, s2") == 1
    assert m4("vdiv.f32 s0, s1, s2") == 14


def test_m4_charges_the_refill_to_the_way_taken() -> None:
    loop, after = block("subs r0, #1", "bne .-2"), block("movs r1, #0")
    assert cortex_m4.edge_cycles(loop, True, after) == cortex_m4.edge_cycles(loop, False, after) + 2


def test_m4_fetches_words() -> None:
    """Samples a and b of compendium.i-0.nl/docs/instruction-alignment/effects, measured on an STM32L4."""
    wide = ("mov.w r8, r8",) * 3
    assert m4("mov r8, r8", *wide) == 5
    assert m4("mov.w r8, r8", *wide) == 4
    assert m4("mov r8, r8", *wide[1:]) == 3
    assert m4("nop", *["str.w r0, [r1]"] * 3) == 4
    assert m4("nop", *["str.w r0, [r1]"] * 4) == 6
    loop, aligned = block("subs r0, #1", "bne .-2"), block("mov.w r8, r8")
    off = block("nop", "mov.w r8, r8")[1:]
    assert cortex_m4.edge_cycles(loop, True, off) == cortex_m4.edge_cycles(loop, True, aligned) + 1
    assert cortex_m4.edge_cycles(loop, False, off) == cortex_m4.edge_cycles(loop, False, aligned)


def test_m7_issues_two_instructions_but_one_load_a_cycle() -> None:
    assert m7("adds r0, r1, r2", "adds r3, r4, r5") == 10
    assert m7("ldr r0, [r1]", "adds r3, r4, r5") == 10
    assert m7("ldr r0, [r1]", "ldr r2, [r3]") == 20
    assert m7("mul r0, r1, r2", "mul r3, r4, r5") == 20  # one multiplier
    assert m7("adds r0, r0, r1", "adds r0, r0, r2") == 20  # each needs the last one's result


def test_m7_accumulator_is_needed_late() -> None:
    assert m7("smlad r0, r1, r2, r0") == 10
    assert m7("mul r0, r0, r1") == 20


def test_only_conditional_branches_are_predicted_wrong() -> None:
    assert cortex_m7.penalty(block("subs r0, #1", "bne .-2")) == cortex_m7.MISPREDICTED
    assert cortex_m7.penalty(block("bx lr")) == 0
    assert cortex_m7.penalty(()) == 0


_LINES = (
    "adds r0, r1, r2", "ldr r3, [r4]", "str r5, [r6, #4]", "smlad r0, r1, r2, r3", "it eq\n addeq r1, r2",
    "ldrd r0, r1, [r2]", "push {r0, r1}", "udiv r0, r1, r2", "vadd.f32 s0, s1, s2", "sxtb16 r0, r1, ror #8",
    "strb r0, [r1], #1", "ssat r0, #8, r1, asr #3", "nop", "clz r0, r1",
)  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(_LINES), min_size=1, max_size=8))
def test_blocks_cost_at_least_one_cycle_for_two_instructions(lines: list[str]) -> None:
    whole = block(*lines)
    issued = [i for i in whole if i.kind != "it"]
    # the cycle of the last issue is charged to whatever comes next
    assert (cortex_m7.edge_cycles((), False, whole) + 1) * 2 >= len(issued)
    assert cortex_m4.edge_cycles((), False, whole) >= len(issued)


def addresses(
    lines: tuple[str, ...], registers: dict[int, int], memory: dict[int, int] | None = None
) -> list[int]:
    """What a program says a block accesses, for given registers and words of memory."""
    values = dict(registers)
    found = []
    for touch in program_of(block(*lines)).touches:
        form = touch.form
        address = form.offset + values.get(form.base, 0) + (values.get(form.index, 0) << form.shift)
        found.append(address & 0xFFFFFFFF)
        if touch.keep >= 0:
            values[touch.keep] = (memory or {})[found[-1]]
    return found


def test_addresses_follow_steps_sums_and_pointers() -> None:
    assert addresses(("ldr r0, [r1], #4", "ldr r2, [r1, #8]"), {1: 100}) == [100, 112]
    assert addresses(("ldr r0, [r1, #4]!", "ldrb r2, [r1]"), {1: 100}) == [104, 104]
    assert addresses(("ldr r0, [r1, r2, lsl #2]",), {1: 100, 2: 5}) == [120]
    assert addresses(("add r3, r1, r2", "ldrb r0, [r3, #1]"), {1: 100, 2: 5}) == [106]
    assert addresses(("mov r3, r1", "adds r3, #16", "str r0, [r3]"), {1: 100}) == [116]
    assert addresses(("ldr r3, [r1]", "ldr r0, [r3, #8]"), {1: 100}, {100: 5000}) == [100, 5008]
    assert addresses(("push {r4, lr}", "ldr r0, [sp, #4]"), {13: 1000}) == [992, 996]
    assert addresses(("ldmia r1!, {r2, r3}", "ldr r4, [r1]"), {1: 100}) == [100, 108]
    assert addresses(("ldr r0, [pc, #8]",), {}) == [START + 4 + 8]


def test_what_cannot_be_told_is_counted_not_guessed() -> None:
    program = program_of(block("mul r1, r2, r3", "ldr r0, [r1]"))
    assert (len(program.touches), program.unknown) == (0, 1)
    assert program_of(block("it eq", "ldreq r0, [r1]")).unknown == 1


def test_timing_remembers_blocks_and_prices_edges() -> None:
    code = bytes.fromhex("0138fdd1")  # subs r0, #1; bne .-2
    timing = Timing("cortex-m7", lambda address, size: code[:size])
    first = timing.price(0, START, 4)
    again = timing.price(START, START, 4)
    assert first.instructions == again.instructions == 2
    assert again.penalty == cortex_m7.MISPREDICTED and first.penalty == 0
    assert again.cycles >= 1


@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m7"])
def test_every_figure_says_that_it_is_modelled(core: str) -> None:
    assert accuracy(core).startswith("modelled")
