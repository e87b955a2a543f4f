"""Builds virtual_firmware.c for a chip, once a session, and runs it on the virtual board."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
GCC = "arm-none-eabi-gcc"
#: board -> (core, FPU, the number virtual_firmware.c knows it by, RAM)
BOARDS = {
    "stm32f746": ("cortex-m7", "fpv5-sp-d16", 746, 0x20000000),
    "stm32f412": ("cortex-m4", "fpv4-sp-d16", 412, 0x20000000),
    "stm32h743": ("cortex-m7", "fpv5-d16", 743, 0x24000000),
    "stm32l4r5": ("cortex-m4", "fpv4-sp-d16", 405, 0x20000000),
}


def require_virtual() -> None:
    """Skips the test where something is missing, and says what."""
    missing = [
        m for m in ("unicorn", "capstone", "elftools", "serial") if importlib.util.find_spec(m) is None
    ]
    if missing:
        pytest.skip(f"{', '.join(missing)} missing: pip install 'tinynas[virtual,firmware]'")
    if shutil.which(GCC) is None:
        pytest.skip(f"{GCC} is not installed")


@cache
def build(board: str, *flags: str, source: str = "virtual_firmware.c") -> Path:
    """The ELF of a test firmware for a board."""
    require_virtual()
    core, fpu, chip, ram = BOARDS[board]
    elf = Path(mkdtemp(prefix="tinynas-test-")) / f"{board}.elf"
    subprocess.run(
        [
            GCC, f"-mcpu={core}", "-mthumb", "-mfloat-abi=hard", f"-mfpu={fpu}", f"-DCHIP={chip}", "-O2",
            "-Wall", "-Wextra", "-Werror",
            "-ffreestanding", "-fno-tree-loop-distribute-patterns", "-nostdlib",
            f"-Wl,--defsym=RAM_ORIGIN={ram},--defsym=RAM_SIZE=0x8000",
            f"-T{HERE / 'virtual_firmware.ld'}", *flags, str(HERE / source), "-o", str(elf),
        ],
        check=True,
    )  # fmt: skip
    return elf


def run(elf: Path, board: str, typed: bytes, *options: str) -> subprocess.CompletedProcess[bytes]:
    """Types at a virtual board and waits for its end; a board that hangs fails the test."""
    command = [sys.executable, "-m", "tinynas.device.virtual", str(elf), "--board", board, *options]
    return subprocess.run(command, input=typed, capture_output=True, timeout=120, check=False, cwd=ROOT)
