"""Chip files on the virtual board: clocks as the registers say, caches, memory, reset, stack overflow."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from cross import link_probe, needs_arm_gcc

from tinynas.board import load_board
from tinynas.device.linker import STACK_BYTES
from tinynas.device.ports import SerialLine
from tinynas.device.virtual.process import virtual_board

pytestmark = [
    pytest.mark.slow,
    needs_arm_gcc,
    pytest.mark.skipif(
        any(importlib.util.find_spec(name) is None for name in ("unicorn", "capstone", "elftools", "serial")),
        reason="the virtual board is in the extra 'virtual'",
    ),
]

#: bit 0 instruction cache, 1 data cache, 2 prefetch or accelerator; the H7's flash has none of the last
CACHES = {"stm32f412": 7, "stm32f746": 7, "stm32h743": 3, "stm32l4r5": 7}


def report(line: SerialLine) -> dict[bytes, int]:
    """What hal_probe.c says up to its full stop."""
    said = b""
    for _ in range(3000):
        said += line.read()
        if b".=00000000\n" in said:
            facts = (each.split(b"=") for each in said.partition(b".=")[0].split())
            return {name[-1:]: int(value, 16) for name, value in facts}
    raise AssertionError(f"no whole report in {said!r}")


@pytest.mark.parametrize("name", sorted(CACHES))
def test_a_chip_starts_at_full_speed(name: str, tmp_path: Path) -> None:
    board = load_board(name)
    with virtual_board(link_probe(board, tmp_path), name) as running, SerialLine(running.url) as line:
        line.write(b"?")
        facts = report(line)
        if facts[b"w"] == 0x1234ABCD:  # the one of the start, which may be lost before the line is open
            facts = report(line)
        assert facts[b"c"] == board.clock_hz
        assert facts[b"k"] == CACHES[name]
        assert facts[b"s"] == STACK_BYTES and 0 < facts[b"u"] < STACK_BYTES
        assert facts[b"z"] == 9
        assert 100 < facts[b"t"] < 20_000
        line.write(b"!")
        again = report(line)  # start-up has copied .data and zeroed .bss again
        assert (again[b"w"], again[b"z"]) == (0x1234ABCD, 0)


def test_a_stack_that_overflows_faults(tmp_path: Path) -> None:
    board = load_board("stm32f746")
    with virtual_board(link_probe(board, tmp_path), board.id) as running, SerialLine(running.url) as line:
        report(line)
        line.write(b"^")
        assert running.wait(30) == 1
        ended = running.report()
    assert ended is not None and "stack" in ended
