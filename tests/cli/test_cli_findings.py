"""What is printed of a measurement: nothing invented where something is not known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tinynas.cli.console import output
from tinynas.cli.findings import print_findings
from tinynas.device.measurement import Hello, Measurement, MemoryUse, Profile
from tinynas.device.parts import MemoryParts, beside
from tinynas.engine.goals import Goal
from tinynas.pipeline.measure import Comparison, Measured


def measured(clock_hz: int, memory: MemoryUse, comparison: Comparison | None) -> dict[str, Any]:
    """Of a board that runs two operators."""
    hello = Hello(
        clock_hz,
        False,
        False,
        False,
        "portable",
        500,
        2,
        1,
        "ab" * 32,
        (),
        (),
        "rp2040",
        "1234",
        "GCC 12",
        "net",
        Goal.SPEED,
    )
    latency = Measurement((30_000, 10_000, 20_000), clock_hz)
    return Measured(
        "/dev/x", "measured", hello, latency, memory, Profile((5_000, 15_000), clock_hz), comparison
    ).to_dict()


def test_a_board_that_tells_little(capsys: pytest.CaptureFixture[str]) -> None:
    print_findings(output(), measured(0, MemoryUse(500, None, None, None, None, 0, None, None), None))
    shown = capsys.readouterr().out
    assert "20,000 cycles, median of 3 (10,000 to 30,000); the board does not tell its clock" in shown
    assert "stack used  unknown" in shown and "no cache" in shown
    assert "outputs" not in shown and "predicted" not in shown and "nan" not in shown.lower()


def test_a_board_that_tells_all(capsys: pytest.CaptureFixture[str]) -> None:
    memory = MemoryUse(500, 4096, 700, 8, 900, 0, 6000, 300)
    comparison = Comparison("net.tflite", ("CONV_2D", "SOFTMAX"), 20, 3, 0.85)
    print_findings(output(), measured(100_000_000, memory, comparison), layers=True)
    shown = capsys.readouterr().out
    assert "0.200 ms (0.100 to 0.300)" in shown
    assert "17 of 20 samples give" in shown and "85.00 % on the board (20 test pictures)" in shown
    rows = [line.split() for line in shown.splitlines()]
    assert ["1", "SOFTMAX", "15,000", "75.0", "%"] in rows
    assert [".rodata", "300", "B"] in rows and [".bss", "900", "B"] in rows
    assert ["firmware's", "variables", "408", "B"] in rows and "constants" not in shown
    assert "4.887 KiB (5,004 B)" in shown and "6.16 KiB (6,308 B)" in shown


def test_parts_show_how_far_a_prediction_is_off(capsys: pytest.CaptureFixture[str]) -> None:
    predicted = MemoryParts(500, 4096, 408, constants=2_000, engine=900, golden=100, firmware=None)
    linked = replace(predicted, engine=800, firmware=3_000)
    found = {
        "model": "net",
        "sram_bytes": {"predicted": predicted.sram_bytes, "elf": linked.sram_bytes},
        "flash_bytes": {"predicted": predicted.flash_bytes, "elf": linked.flash_bytes},
        "parts": beside(predicted=predicted, elf=linked),
    }
    print_findings(output(), found)
    rows = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "engine's code 900 B, +12.5 % 800 B" in rows and "network's constants 2,000 B 2,000 B" in rows
    assert "rest of the firmware - 3,000 B" in rows and "flash - 5.762 KiB (5,900 B)" in rows
    assert "SRAM 4.887 KiB (5,004 B) 4.887 KiB (5,004 B)" in rows


def test_records_without_parts_are_shown_still(capsys: pytest.CaptureFixture[str]) -> None:
    sizes = {"predicted": 500, "elf": 500, "board": 500}
    print_findings(output(), {"model": "net", "arena_bytes": sizes, "flash_bytes": {"elf": 700}})
    rows = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "network's arena 500 B 500 B 500 B" in rows and "flash - 700 B -" in rows
