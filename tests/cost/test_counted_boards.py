"""Boards without a virtual twin: waits for serial flash, and times told from counted instructions."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("elftools", reason="pyelftools is not installed: pip install 'tinynas[virtual]'")
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from cores.build import compiler_missing
from cores.counted import BOARDS, CountedBench, waiting
from cores.serial_flash import ESP32_S3, RP2040, SerialFlash
from cores.unicorn_process import Count, unicorn_missing

from tinynas.board import load_board
from tinynas.cost import EngineRuntime, macs
from tinynas.cost.calibration import shipped
from tinynas.cost.latency import CalibratedModel, latency_model
from tinynas.engine.goals import Goal
from tinynas.errors import RequestError
from tinynas.networks import build_graph, parse_genotype
from tinynas.pipeline.profile import run_network
from tinynas.pipeline.profile_set import Designed

#: with squeeze-and-excitation, and more weights than either cache holds
SMALL = "r16x3 conv_k3_s2_c8 ir_r1_k3_s2_e3_c16_se0.25 conv_k1_s1_c128 fc_c200"


def test_reads_of_serial_flash_take_what_was_measured() -> None:
    """Of an ESP32-S3 with its flash in QIO (rev 0.2, 80 MHz at 240), and of an RP2040."""
    # command, address and mode, dummies as in QIO; the clocks on top as we have them in DIO
    quad = replace(ESP32_S3, silent=8 + 6 + 6 + ESP32_S3.silent - (8 + 12 + 4), byte=2)
    assert quad.whole == pytest.approx(266, rel=0.05)
    assert replace(quad, line_bytes=64, read_bytes=64).whole == pytest.approx(473, rel=0.05)
    assert quad.first_word == pytest.approx(115, rel=0.1)
    assert RP2040.wait == pytest.approx(111, rel=0.02)
    assert RP2040.first_word == pytest.approx(400e-9 * 125e6, rel=0.15)


def test_a_line_is_waited_for_between_its_first_word_and_its_end() -> None:
    """By whole reads, of which a line may take several."""
    flash = SerialFlash(line_bytes=32, read_bytes=32, silent=10, byte=2, core_cycles=3)
    assert (flash.first_word, flash.whole, flash.wait) == (54, 222, 138)
    assert flash.spread == pytest.approx((54 + 3 * 222) / 4 / 138 - 1 + 0.1)
    halves = replace(flash, read_bytes=16)
    assert halves.wait == 2 * (54 + 126) / 2
    assert replace(flash, read_bytes=4).spread == pytest.approx(0.1)


@pytest.mark.parametrize("board", BOARDS)
def test_boards_have_the_lines_and_the_clock_that_are_assumed(board: str) -> None:
    """Of the manifest and of what is shipped."""
    known = load_board(board)
    assert known.caches.where == "flash"
    assert known.caches.line_bytes == BOARDS[board].flash.line_bytes
    assert shipped()[board].clock_hz == known.clock_hz


def test_instructions_become_cycles_kernel_by_kernel() -> None:
    """On an ESP32-S3; of an RP2040 the cycles of its core are taken."""
    run, kernels = None, ("tn_pointwise", "tn_mul", "tn_lookup")
    cycles = {"cortex-m0plus": {0: 300, 1: 40, -1: 7}}
    counted = Count(160, 10, {0: 100, 1: 50}, {}, cycles, run)  # type: ignore[arg-type]
    operators, scheduler = BOARDS["esp32s3"].cycles(counted, kernels)
    assert operators == pytest.approx([127, 95, 0])
    assert scheduler == pytest.approx(12.7)
    assert BOARDS["rp2040"].cycles(counted, kernels) == ([300, 40, 0], 7)


@pytest.mark.parametrize("board", BOARDS)
def test_a_band_grows_with_what_is_waited_for(board: str) -> None:
    """And is at least a quarter; what is shipped says one of these."""
    way = BOARDS[board]
    bands = [way.band(share / 10) for share in range(11)]
    assert min(bands) == bands[0] == 0.25
    assert bands == sorted(bands) or way.flash.spread < way.spread
    assert way.band(1.0) >= way.flash.spread
    said = float(shipped()[board].times.rpartition("+-")[2].removesuffix(" %")) / 100
    assert said in [pytest.approx(band) for band in bands]


def test_other_boards_are_refused() -> None:
    """In a sentence that says what can be counted."""
    with pytest.raises(RequestError, match="counted for rp2040, esp32s3, not for stm32f746"):
        CountedBench().require(load_board("stm32f746"))


@pytest.mark.parametrize("name", BOARDS)
def test_a_network_is_timed_by_its_own_code(name: str, tmp_path: Path) -> None:
    """Built, executed, and its operators told apart; what is shipped is near, and never saw this network."""
    core = BOARDS[name].core
    if missing := compiler_missing(core) or unicorn_missing():
        pytest.skip(missing)
    board, designed = load_board(name), Designed(parse_genotype(SMALL), Goal.RAM)
    profiled = run_network(designed, board, CountedBench(), tmp_path)
    run = profiled.run
    assert len(run.cycles) == len(profiled.arranged.rows.graph.operators)
    assert min(run.cycles) > 0
    assert sum(run.cycles) < run.total < 1.1 * sum(run.cycles)
    assert 3 < run.total / macs(build_graph(designed.genotype)) < 40
    assert 0 < waiting(profiled, board) < 1
    assert run.compiler.endswith("-O2")
    model = latency_model(board, EngineRuntime())
    assert isinstance(model, CalibratedModel)
    assert sum(model.cycles(profiled.arranged)) == pytest.approx(run.total, rel=0.05)
