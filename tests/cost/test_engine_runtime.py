"""The engine as a runtime: exact arena, code that is reached, the piece at the peak."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinynas.board import load_board
from tinynas.cost import EngineRuntime, LiveRuntime, TflmRuntime, count
from tinynas.cost.engine_flash import code_bytes
from tinynas.engine.goals import Aim, Goal
from tinynas.engine.kernels import CATALOGUE
from tinynas.engine.planner import plan_network
from tinynas.errors import ModelError
from tinynas.graph import GraphBuilder, OpKind
from tinynas.graph.passes import simplify
from tinynas.graph.tflite import read_tflite
from tinynas.networks import PRESETS, build_graph
from tinynas.spaces import Pictures, find_family

F746 = load_board("stm32f746")
ENGINE = EngineRuntime()


@pytest.mark.parametrize("name", ["mcunet-in0", "mcunet-in4", "mnasnet-a1", "mobilenetv2-0.35"])
def test_sram_is_the_arena_and_less_than_any_runtime_of_layers(name: str) -> None:
    graph = build_graph(PRESETS[name])
    sram = ENGINE.sram(graph, F746)
    assert sram.total == plan_network(simplify(graph)).arena
    assert sram.total < LiveRuntime().sram(graph, F746).total < TflmRuntime().sram(graph, F746).total


def test_the_peak_is_where_the_plan_s_worst_group_begins() -> None:
    net = GraphBuilder("one peak", (16, 16, 4))
    wide = net.conv(net.conv(net.input, 4, kernel=3), 64)
    graph = net.build(net.dense(net.global_mean(net.conv(net.depthwise(wide, 3), 2)), 2))
    plan, sram = plan_network(simplify(graph)), ENGINE.sram(graph, F746)
    firsts = [first for first, _ in plan.groups]
    assert sram.peak_operator in firsts
    # the wide map streams in the group that begins before it, or is in the one that makes it
    (end,) = [end for first, end in plan.groups if first == sram.peak_operator]
    assert sram.peak_operator <= 2 < end
    assert ENGINE.reach(graph, F746)[sram.peak_operator] == plan.arena


def test_working_memory_of_the_worst_group_is_scratch() -> None:
    net = GraphBuilder("patches", (8, 8, 3))
    graph = net.build(net.conv(net.input, 4, kernel=5))
    # two patches of 5 x 5 x 3 bytes, each in whole words
    assert ENGINE.sram(graph, F746).scratch == 2 * 76


def test_plans_of_equal_graphs_with_other_weights_are_not_confused(shared: Path) -> None:
    graph = read_tflite(shared / "models" / "mlperftiny__pretrainedResnet_quant.tflite")
    tensors = list(graph.tensors)
    weights = graph.operators[1].inputs[1]
    data = tensors[weights].data
    assert data is not None
    dead = data.copy()
    dead[:] = 0
    tensors[weights] = replace(tensors[weights], data=dead)
    other = replace(graph, tensors=tuple(tensors))
    assert other == graph
    whole, less = ENGINE.flash(graph, F746), ENGINE.flash(other, F746)
    # a layer of zeros is simplified away, with all it takes
    assert less.weights < whole.weights - 1000
    assert ENGINE.flash(graph, F746) == whole


def test_an_operator_without_a_kernel_is_named() -> None:
    graph = build_graph(PRESETS["mcunet-in0"])
    operators = list(graph.operators)
    operators[3] = replace(operators[3], kind=OpKind.STRIDED_SLICE)
    with pytest.raises(ModelError, match=r"operator 3 \(STRIDED_SLICE\)"):
        ENGINE.sram(replace(graph, operators=tuple(operators)), F746)


def test_only_functions_that_are_reached_are_counted() -> None:
    least = code_bytes({}, F746)
    assert code_bytes({"tn_pointwise": 0, "tn_add": 0}, F746) == least
    dense = code_bytes({"tn_dense": 3}, F746)
    assert dense == code_bytes({"tn_dense": 1}, F746) > least
    drawn = {"tn_dense": np.array([1, 0, 2]), "tn_pointwise": np.array([0, 1, 1])}
    both, pointwise = np.asarray(code_bytes(drawn, F746)), code_bytes({"tn_pointwise": 1}, F746)
    assert both.tolist()[:2] == [dense, pointwise]
    # what both need is there once
    assert max(dense, pointwise) < both[2] < dense + pointwise - least
    assert both[2] == code_bytes({"tn_dense": 1, "tn_pointwise": 1}, F746)


def test_code_is_that_of_the_board_s_core() -> None:
    kernels = dict.fromkeys(("tn_convolve", "tn_depthwise", "tn_softmax"), 1)
    m7, m4 = (code_bytes(kernels, load_board(name)) for name in ("stm32f746", "stm32f412"))
    assert m7 != m4
    # a core that nobody surveyed counts as another, rather than as nothing
    assert code_bytes(kernels, load_board("esp32s3")) == m7


@pytest.mark.slow
@settings(max_examples=8)
@given(
    family=st.sampled_from(["mobile", "regnetx", "regnety"]),
    seed=st.integers(0, 2**31),
    goal=st.sampled_from(Goal),
    board=st.sampled_from(["stm32f746", "stm32l4r5"]),
)
def test_counts_never_say_more_than_a_plan(family: str, seed: int, goal: Goal, board: str) -> None:
    rng, spaces = np.random.default_rng(seed), find_family(family).spaces(Pictures(32, 3, 10))
    space = spaces[int(rng.integers(len(spaces)))]
    graph, runtime = build_graph(space.genotype(space.sample(rng))), EngineRuntime(Aim(goal))
    told = runtime.flash_of(count(runtime.runs(graph)), load_board(board))
    exact = runtime.flash(graph, load_board(board))
    assert told <= exact.total
    if goal is Goal.RAM:  # but for the schedule's steps it is the same
        plan = runtime.plan(graph)
        assert exact.total - told == 4 * (len(plan.steps) - len(plan.graph.operators))


def test_the_code_of_all_fast_kernels_together_stays_under_20_kib() -> None:
    small = ("tn_convolve", "tn_pointwise", "tn_depthwise", "tn_dense", "tn_add", "tn_softmax")
    fast = [kernel.function for kernel in CATALOGUE if kernel.spends] + ["tn_add", "tn_softmax"]
    for functions in (small, fast):
        assert 2_000 < code_bytes(dict.fromkeys(functions, 1), F746) < 20 * 1024


def test_counts_of_packed_weights_are_the_packing_rules() -> None:
    net = GraphBuilder("packed", (9, 9, 3))
    graph = net.build(net.conv(net.depthwise(net.conv(net.input, 5, kernel=3), 3), 7))
    counts = count(graph)
    # 5 * 27 bytes in words; nine taps as ten of eight channels; 7 * 5 bytes in words
    assert counts.packed_weight_bytes == 136 + 80 + 36
    # pixels of the picture (3 channels) and of the first layer's output (5), which nothing clamps
    assert counts.padding_bytes == 4 + 8
    assert counts.readings == 3
