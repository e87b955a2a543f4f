"""TFLM's arena and flash as modelled, against TFLM itself and against firmware measured on a Cortex-M7."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from tinynas.board import load_board
from tinynas.cost import Counts, LiveRuntime, TflmRuntime, buffers, count, find_runtime, plan_greedy, runtimes
from tinynas.cost.flash import tflm_code
from tinynas.cost.scratch import Kernels, conv_scratch, depthwise_scratch, scratch_of
from tinynas.cost.tail import HOST, tail_bytes
from tinynas.errors import RequestError
from tinynas.export.micro import measure_arena
from tinynas.graph import Graph
from tinynas.graph.tflite import read_tflite
from tinynas.networks import PRESETS, build_graph

_RECORDED = Path(__file__).resolve().parents[2] / "benchmarks" / "results" / "peer_tflm_firmware.json"
#: arena with CMSIS-NN and code in flash, bytes, by model
FIRMWARE = {
    name: (entry["arena_bytes"], entry["code_bytes"])
    for name, entry in json.loads(_RECORDED.read_text())["firmware"].items()
}
#: what the host's tail is above the measured one; every other model is exact
HOST_TAIL_ABOVE = {"tinyengine__mcunetv2_large": 64, "tinyengine__vww": 16}
F746 = load_board("stm32f746")
RP2040 = load_board("rp2040")


def _head(graph: Graph, kernels: Kernels) -> int:
    return plan_greedy(buffers(graph, scratch_of(graph, kernels))).peak


@pytest.mark.slow
def test_head_and_tail_equal_tflm_itself(shared: Path) -> None:
    files = sorted((shared / "models").glob("*.tflite"))
    assert len(files) >= 12
    for file in files:
        graph, measured = read_tflite(file), measure_arena(file.read_bytes())
        assert _head(graph, Kernels.REFERENCE) == measured.head, file.stem
        assert tail_bytes(count(graph), HOST) - measured.tail == HOST_TAIL_ABOVE.get(file.stem, 0), file.stem


@pytest.mark.parametrize("name", FIRMWARE)
def test_the_board_s_arena_and_code_are_within_their_stated_bands(shared: Path, name: str) -> None:
    graph = read_tflite(shared / "models" / f"{name}.tflite")
    arena, code = FIRMWARE[name]
    estimate = TflmRuntime().sram(graph, F746)
    # the recorded figure is what is in use once TFLM has started, without what starting takes
    assert arena <= estimate.head + estimate.tail <= arena + 16
    assert estimate.total >= estimate.head + estimate.tail
    assert 0.88 * code <= tflm_code(count(graph)) <= 1.01 * code


def test_every_piece_is_counted_once() -> None:
    graph = build_graph(PRESETS["mcunet-in2"])
    for runtime in runtimes():
        for board in (F746, RP2040):
            sram, flash = runtime.sram(graph, board), runtime.flash(graph, board)
            assert sram.total == sram.activations + sram.scratch + sram.tail
            # what only a plan tells is not in the arithmetic for many
            assert 0.99 * flash.total <= runtime.flash_of(count(graph), board) <= flash.total
            assert runtime.name == "engine" or flash.total == runtime.flash_of(count(graph), board)
            assert sram.tail == runtime.tail_of(count(graph), board)
            assert 0 <= sram.peak_operator < len(graph.operators)


def test_live_bounds_tflm_and_scratch_needs_dsp() -> None:
    for genotype in PRESETS.values():
        graph = build_graph(genotype)
        bound, dsp, plain = (
            LiveRuntime().sram(graph, F746),
            TflmRuntime().sram(graph, F746),
            TflmRuntime().sram(graph, RP2040),
        )
        assert bound.total < plain.total <= dsp.total
        assert LiveRuntime().flash(graph, F746).total < TflmRuntime().flash(graph, F746).total


def test_one_arithmetic_serves_one_network_and_many() -> None:
    counts = [count(build_graph(PRESETS[f"mcunet-in{i}"])) for i in range(5)]
    stacked = _stack(counts)
    for runtime in runtimes():
        for estimate in (runtime.tail_of, runtime.flash_of):
            one_by_one = [int(estimate(each, F746)) for each in counts]
            assert np.asarray(estimate(stacked, F746)).tolist() == one_by_one


def _stack(counts: list[Counts]) -> Counts:
    """The counts of many networks as one of arrays."""
    arrays: dict[str, object] = {}
    for field in fields(Counts):
        values = [getattr(each, field.name) for each in counts]
        if isinstance(values[0], dict):
            arrays[field.name] = {kind: np.array([v[kind] for v in values]) for kind in values[0]}
        elif field.name not in ("first", "inputs", "outputs", "quantized_inputs", "quantized_outputs"):
            arrays[field.name] = np.array(values)
    return replace(counts[0], **arrays)  # type: ignore[arg-type]


def test_scratch_of_cmsis_nn_by_its_published_rules() -> None:
    assert conv_scratch(Kernels.CMSIS_NN, 9, 3) == 4 * 28
    assert conv_scratch(Kernels.CMSIS_NN, 1, 64) == 0
    assert depthwise_scratch(Kernels.CMSIS_NN, 9, 64) == 0
    assert depthwise_scratch(Kernels.CMSIS_NN, 25, 64) == 2 * 25 * 64
    kernels = np.array([9, 25, 49])
    assert np.asarray(depthwise_scratch(Kernels.CMSIS_NN, kernels, 16)).tolist() == [0, 800, 1568]
    assert np.asarray(conv_scratch(Kernels.REFERENCE, kernels, 16)).tolist() == [0, 0, 0]


def test_a_runtime_is_found_by_name_and_a_near_miss_is_suggested() -> None:
    assert find_runtime("TFLM").name == "tflm"
    with pytest.raises(RequestError, match="did you mean tflm"):
        find_runtime("tlfm")
    with pytest.raises(RequestError, match="the runtimes are engine, tflm, live"):
        find_runtime("xyzzy")
