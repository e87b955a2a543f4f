"""Modelled cycles of bare cores: every rule of the Cortex-M0+'s table, and what a loop takes as it runs."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import pytest

pytest.importorskip("capstone", reason="capstone is not installed: pip install 'tinynas[virtual]'")
pytest.importorskip("elftools", reason="pyelftools is not installed: pip install 'tinynas[virtual]'")
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from cores.build import CORTEX_M0_PLUS, compiler_missing
from cores.cycles import CycleModel, Cycles
from cores.unicorn_process import unicorn_missing
from counted_program import counted_program

M0_PLUS = CORTEX_M0_PLUS.cpu
MISSING = compiler_missing(CORTEX_M0_PLUS) or unicorn_missing()


def _of(*halves: int, core: str = M0_PLUS) -> Cycles:
    """The block of such half words."""
    return CycleModel(core).of(struct.pack(f"<{len(halves)}H", *halves), 0x1000)


# DDI 0484C, table 3-1
@pytest.mark.parametrize(
    ("halves", "cycles"),
    [
        pytest.param([0x2001], 1, id="movs r0, #1"),
        pytest.param([0x4348], 1, id="muls r0, r1"),
        pytest.param([0x4388], 1, id="bics r0, r1"),
        pytest.param([0x6808], 2, id="ldr r0, [r1]"),
        pytest.param([0x7808], 2, id="ldrb r0, [r1]"),
        pytest.param([0x5688], 2, id="ldrsb r0, [r1, r2]"),
        pytest.param([0x8008], 2, id="strh r0, [r1]"),
        pytest.param([0xC80E], 4, id="ldm r0!, {r1, r2, r3}"),
        pytest.param([0xC006], 3, id="stm r0!, {r1, r2}"),
        pytest.param([0xB510], 3, id="push {r4, lr}"),
        pytest.param([0xBC10], 2, id="pop {r4}"),
        pytest.param([0xBD10], 5, id="pop {r4, pc}"),
        pytest.param([0xE7FE], 2, id="b"),
        pytest.param([0xF7FF, 0xFFFE], 3, id="bl"),
        pytest.param([0x4770], 2, id="bx lr"),
        pytest.param([0x4798], 2, id="blx r3"),
        pytest.param([0x46F7], 2, id="mov pc, lr"),
        pytest.param([0x4487], 2, id="add pc, r0"),
        pytest.param([0xF3EF, 0x8010], 3, id="mrs r0, primask"),
        pytest.param([0xF3BF, 0x8F5F], 3, id="dmb"),
    ],
)
def test_instructions_of_a_cortex_m0_plus_take_what_its_manual_says(halves: list[int], cycles: int) -> None:
    """By themselves, and in a row: nothing overlaps."""
    assert _of(*halves) == Cycles(cycles)
    assert _of(0x2001, 0x6808, *halves) == Cycles(3 + cycles)


def test_only_a_conditional_branch_costs_less_where_it_is_not_taken() -> None:
    """Those of larger cores are always taken."""
    assert _of(0x2001, 0xD1FD) == Cycles(3, saved=1)
    assert _of(0x2001, 0xD1FD, core="cortex-m4") == Cycles(4)


#: 8 words are copied one by one; the branch in the middle is taken every other round
LOOP = """
__attribute__((naked)) void net_invoke(void)
{
    __asm__(".syntax unified\\n movs r0, #8\\n movs r3, #1\\n mov r1, sp\\n"
            "1: ldr r2, [r1]\\n tst r0, r3\\n bne 2f\\n str r2, [r1]\\n"
            "2: subs r0, #1\\n bne 1b\\n bx lr");
}
"""


@pytest.mark.skipif(bool(MISSING), reason=str(MISSING))
def test_branches_are_told_apart_as_they_are_taken(tmp_path: Path) -> None:
    """Beside the loop there is `run_model`: its push, call and return."""
    taken, around = counted_program(tmp_path, LOOP, CORTEX_M0_PLUS, [M0_PLUS]).cycles[M0_PLUS], 3 + 3 + 5
    odd, even = 2 + 1 + 2 + 1 + 2, 2 + 1 + 1 + 2 + 1 + 2
    assert taken == {-1: around + 3 + 4 * odd + 4 * even - 1 + 2}
