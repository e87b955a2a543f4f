"""Firmware built by the Arm compiler as PlatformIO builds it, for tests that do not need PlatformIO."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from fake_board import program_flags, program_sources

from tinynas.board import Board, load_board
from tinynas.device.linker import board_header, chip_files, linker_script

ROOT = Path(__file__).resolve().parent.parent.parent
HAL = ROOT / "firmware" / "hal"
BARE_METAL = ("stm32f412", "stm32f746", "stm32f767", "stm32h743", "stm32l4r5", "nrf52840")

needs_arm_gcc = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed"
)


def family_flags(board: Board) -> list[str]:
    """The defines that PlatformIO takes from the manifest."""
    manifest = json.loads((ROOT / "boards" / f"{board.id}.json").read_text())
    return str(manifest["build"]["extra_flags"]).split()


def link(board: Board, sources: list[Path], folder: Path, *extra: str) -> subprocess.CompletedProcess[str]:
    """`folder`/firmware.elf of the chip files of `board` and `sources`; every warning is an error."""
    (folder / "link.ld").write_text(linker_script(board))
    (folder / "tinynas_board.h").write_text(board_header(board))
    command = [
        "arm-none-eabi-gcc", "-std=gnu11", "-Os", "-Wall", "-Wextra", "-Wshadow", "-Werror", "-mthumb",
        f"-mcpu={board.core}", f"-mfpu={board.fpu}", "-mfloat-abi=hard",
        "-ffunction-sections", "-fdata-sections", *family_flags(board), f"-I{HAL}", f"-I{folder}",
        *(str(HAL / name) for name in chip_files(board)), *map(str, sources), *extra,
        "-nostartfiles", "--specs=nano.specs", "--specs=nosys.specs", "-Wl,--gc-sections",
        "-T", str(folder / "link.ld"), "-o", str(folder / "firmware.elf"),
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, check=False)


def link_program(board: str, library: Path) -> Path:
    """The ELF file of the whole firmware for `board`, with the model in `library`."""
    done = link(load_board(board), program_sources(library), library, *program_flags(library, board))
    assert done.returncode == 0, done.stderr
    return library / "firmware.elf"


def link_probe(board: Board, folder: Path) -> Path:
    """The ELF file of hal_probe.c for `board`."""
    done = link(board, [Path(__file__).with_name("hal_probe.c")], folder)
    assert done.returncode == 0, done.stderr
    return folder / "firmware.elf"
