"""Whose a firmware's flash is, told by its symbols; what is not known stays unknown."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from cross import link, link_probe, needs_arm_gcc

from tinynas.board import load_board
from tinynas.device.elf import FirmwareSize, Section, Symbol, firmware_size
from tinynas.device.measurement import MemoryUse
from tinynas.device.parts import MemoryParts, beside

pytest.importorskip("elftools", reason="pyelftools is in the extra 'virtual'")

SECTIONS = (
    Section(".text", 0x0800_0000, 300, True, False),
    Section(".rodata", 0x0800_0200, 200, True, False),
    Section(".data", 0x2000_0000, 12, True, True),
    Section(".bss", 0x2000_0010, 88, False, True),
)


def symbol(name: str, source: str | None, address: int, size: int, *, code: bool = False) -> Symbol:
    return Symbol(name, source, address, size, code, in_flash=address < 0x2000_0000)


SYMBOLS = (
    symbol("op0_weights", "model.c", 0x0800_0200, 50),
    symbol("op0", "model.c", 0x0800_0234, 14),
    symbol("arena", "model.c", 0x2000_0010, 64),
    symbol("table", "tn_link.c", 0x0800_0250, 64),
    symbol("gather", "convolution.c", 0x0800_0001, 22, code=True),
    symbol("tn_dense", None, 0x0800_0021, 30, code=True),
    symbol("tn_dense_alias", None, 0x0800_0021, 30, code=True),
    symbol("tn_put8", None, 0x0800_0051, 18, code=True),
    symbol("model_invoke", None, 0x0800_0071, 16, code=True),
    symbol("golden_name", None, 0x0800_0290, 7),
)


def test_every_byte_of_flash_and_sram_is_somebody_s() -> None:
    size = FirmwareSize(SECTIONS, 64, 0, False, SYMBOLS)
    parts = MemoryParts.of_elf(size)
    # whole words: 52 + 16 of constants, 24 + 32 + 16 of code
    assert (parts.constants, parts.engine, parts.golden) == (68, 72, 7)
    assert parts.flash_bytes == size.flash_bytes == 512
    assert (parts.variables, parts.sram_bytes) == (36, size.ram_bytes)


@pytest.mark.parametrize("missing", ["model.c", "golden"])
def test_flash_without_telling_symbols_is_nobody_s(missing: str) -> None:
    left = tuple(each for each in SYMBOLS if missing not in (each.source, each.name.partition("_")[0]))
    parts = MemoryParts.of_elf(FirmwareSize(SECTIONS, None, None, False, left))
    assert parts == MemoryParts()


@needs_arm_gcc
def test_symbols_of_real_files_know_their_file(tmp_path: Path) -> None:
    model, golden, other = (tmp_path / name for name in ("model.c", "golden.c", "other.c"))
    model.write_text(
        "static const short table[7] = {1, 2};\nstatic char arena[40];\n"
        "int model_invoke(int i) { arena[i]++; return table[i & 3]; }\n"
    )
    golden.write_text('const char golden_name[] = "seven";\n')
    other.write_text(
        "int model_invoke(int);\nextern const char golden_name[];\nstatic const int table[9] = {3};\n"
        "int main(void) { volatile int i = 1; return model_invoke(i) + golden_name[i] + table[i]; }\n"
    )
    elf, board = tmp_path / "firmware.elf", load_board("stm32f412")
    done = link(board, [model, golden, other], tmp_path)
    assert done.returncode == 0, done.stderr
    size = firmware_size(elf)
    parts = MemoryParts.of_elf(size)
    assert (parts.constants, parts.golden, parts.arena, parts.stack) == (16, 6, 40, 4096)
    assert parts.flash_bytes == size.flash_bytes and 0 < (parts.engine or 0) < 100
    subprocess.run(["arm-none-eabi-strip", elf], check=True)
    assert MemoryParts.of_elf(firmware_size(elf)) == MemoryParts()


@needs_arm_gcc
def test_firmware_without_a_network_has_no_parts_of_one(tmp_path: Path) -> None:
    parts = MemoryParts.of_elf(firmware_size(link_probe(load_board("stm32h743"), tmp_path)))
    assert (parts.constants, parts.firmware, parts.flash_bytes) == (None, None, None)
    assert parts.stack == 4096


def test_a_board_tells_only_what_its_linker_script_does() -> None:
    told = MemoryParts.of_board(MemoryUse(500, 4096, 700, 8, 900, 0, 6000, 300))
    assert told == MemoryParts(arena=500, stack=4096, variables=408)
    assert MemoryParts.of_board(MemoryUse(500, None, None, None, None, 0, None, None)) == MemoryParts(500)


def test_parts_stand_beside_each_other() -> None:
    found = beside(elf=MemoryParts(arena=4), board=MemoryParts())
    assert found["arena_bytes"] == {"elf": 4, "board": None}
    assert found["constants_bytes"] == {"elf": None, "board": None}
