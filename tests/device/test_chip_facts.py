"""Registers, clocks and pins of firmware/hal and of the virtual board, against what the makers publish."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from chip_facts import AFTER_RESET, ALTERNATE_FUNCTION, CLOCKS, LINES, PINS_AND_LINES, REGISTERS, Clock
from cross import HAL, family_flags

from tinynas.board import load_board
from tinynas.device.linker import board_header
from tinynas.device.virtual.chip import load_chip
from tinynas.engine.host import compiler

#: a board for each chip file
BOARD_OF = {
    "stm32f4.c": "stm32f412",
    "stm32f7.c": "stm32f746",
    "stm32h7.c": "stm32h743",
    "stm32l4.c": "stm32l4r5",
    "nrf52.c": "nrf52840",
}


def values(source: str, board_id: str, expressions: list[str], folder: Path) -> list[int]:
    """What C expressions in a file of firmware/hal are worth, by a compiler of this computer."""
    board = load_board(board_id)
    (folder / "tinynas_board.h").write_text(board_header(board))
    prints = "".join(f'    printf("%llu\\n", (unsigned long long)({each}));\n' for each in expressions)
    (folder / "ask.c").write_text(
        f'#include <stdio.h>\n#include "{HAL / source}"\n#define U(uart) ((stm32_uart)uart)\n'
        f"int main(void)\n{{\n{prints}}}\n"
    )
    flags = ["-w", "-std=gnu11", "-c", f"-I{HAL}", f"-I{folder}", *family_flags(board)]
    # the chip file's functions call others that are not here: none of them runs
    stubs = ["-Wl,--unresolved-symbols=ignore-all", "-no-pie"]
    made = [str(folder / name) for name in ("ask.c", "ask.o", "ask")]
    subprocess.run([compiler(), *flags, made[0], "-o", made[1]], check=True)
    subprocess.run([compiler(), *stubs, made[1], "-o", made[2]], check=True)
    said = subprocess.run([made[2]], capture_output=True, text=True, check=True).stdout
    return [int(line) for line in said.split()]


def check(source: str, board: str, facts: Mapping[str, int], folder: Path) -> None:
    """Every expression is worth what the maker says."""
    found = dict(zip(facts, values(source, board, list(facts), folder), strict=True))
    assert found == dict(facts)


@pytest.mark.parametrize("source", REGISTERS)
def test_registers_are_where_the_maker_puts_them(source: str, tmp_path: Path) -> None:
    check(source, BOARD_OF[source], REGISTERS[source], tmp_path)


@pytest.mark.parametrize("board", PINS_AND_LINES)
def test_uart_and_pins_of_the_family(board: str, tmp_path: Path) -> None:
    check("stm32.c", board, PINS_AND_LINES[board], tmp_path)


@pytest.mark.parametrize("board", ALTERNATE_FUNCTION)
def test_pins_reach_their_uart(board: str, tmp_path: Path) -> None:
    source = next(file for file in REGISTERS if board.startswith(file[:-2]))
    check(source, board, {"U(BOARD_UART).function": ALTERNATE_FUNCTION[board]}, tmp_path)


@pytest.mark.parametrize("board", CLOCKS)
def test_clocks_stay_within_the_limits(board: str, tmp_path: Path) -> None:
    limits: Clock = CLOCKS[board]
    asked = [limits.vco_input, limits.vco, limits.core, limits.wait_states]
    vco_input, vco, core, wait_states = values(limits.source, board, asked, tmp_path)
    assert limits.input_range[0] * 1e6 <= vco_input <= limits.input_range[1] * 1e6
    assert limits.vco_range[0] * 1e6 <= vco <= limits.vco_range[1] * 1e6
    assert core == load_board(board).clock_hz
    assert wait_states >= sum(core / limits.flash_divider > 1e6 * step for step in limits.steps)


@pytest.mark.parametrize("board", AFTER_RESET)
def test_the_virtual_chip_wakes_up_like_the_real_one(board: str) -> None:
    chip = load_chip(load_board(board))
    known = {register.name: (register.address, register.reset) for register in chip.registers}
    assert {name: known[name] for name in AFTER_RESET[board]} == AFTER_RESET[board]
    assert {line.name: (line.base, line.irq) for line in chip.lines} == LINES[board]
