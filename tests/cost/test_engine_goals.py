"""The engine planning for speed: a network without weights is counted as a trained one, and fits as often."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tinynas.board import Budget, load_board
from tinynas.cost import EngineRuntime, aim_within
from tinynas.cost.engine_flash import most_code_bytes
from tinynas.cost.prices import price_on
from tinynas.engine.goals import Aim, Goal
from tinynas.engine.planner import least_arena
from tinynas.graph import OpKind
from tinynas.graph.passes import simplify
from tinynas.graph.tflite import graph_from_bytes
from tinynas.graph.typical import with_typical_constants
from tinynas.networks import PRESETS, build_graph
from tinynas.spaces import Pictures, find_family

sys.path.append(str(Path(__file__).resolve().parents[1] / "engine"))

from random_network import random_tflite

F746 = load_board("stm32f746")
FAST = (Goal.BALANCED, Goal.SPEED)


@pytest.mark.parametrize("goal", FAST, ids=lambda goal: goal.value)
@pytest.mark.parametrize("name", ["mcunet-in0", "mcunet-in1"])
def test_weights_change_nothing_that_was_predicted_without_them(name: str, goal: Goal) -> None:
    graph, runtime = build_graph(PRESETS[name]), EngineRuntime(Aim(goal))
    trained = graph_from_bytes(random_tflite(graph, seed=3), name)
    assert runtime.plan(graph).kernels == runtime.plan(trained).kernels
    assert runtime.sram(graph, F746) == runtime.sram(trained, F746)
    assert runtime.flash(graph, F746) == runtime.flash(trained, F746)


@pytest.mark.slow
@settings(max_examples=6)
@given(
    family=st.sampled_from(["mobile", "regnetx", "regnety"]),
    seed=st.integers(0, 2**31),
    goal=st.sampled_from(FAST),
)
# the layout for the least arena was 256 bytes larger than this goal's
@example(family="regnetx", seed=150, goal=Goal.BALANCED)
def test_a_network_fits_for_speed_whenever_it_fits_at_all(family: str, seed: int, goal: Goal) -> None:
    """So what stage 1 counts, plans for the smallest arena, holds for every goal."""
    rng, spaces = np.random.default_rng(seed), find_family(family).spaces(Pictures(32, 3, 10))
    space = spaces[int(rng.integers(len(spaces)))]
    graph = build_graph(space.genotype(space.sample(rng)))
    smallest, least = EngineRuntime().sram(graph, F746).total, least_arena(simplify(graph))
    assert EngineRuntime(Aim(goal, smallest)).sram(graph, F746).total <= smallest
    # no kernel spends less than those for the smallest arena; of all layouts only this bound is proven
    assert EngineRuntime(Aim(goal, least - 4)).sram(graph, F746).total >= least
    assert EngineRuntime(Aim(goal)).sram(graph, F746).total >= least


@pytest.mark.slow
@settings(max_examples=6)
@given(name=st.sampled_from(["mcunet-in0", "mcunet-in1", "regnetx-200mf"]), share=st.floats(-0.1, 1.1))
def test_constants_fill_the_flash_and_no_more(name: str, share: float) -> None:
    """With less than the smallest kernels take the plan is that for the least arena."""
    graph = build_graph(PRESETS[name])
    small, fast = (EngineRuntime(Aim(goal)).flash(graph, F746).constants for goal in (Goal.RAM, Goal.SPEED))
    limit = round(small + share * (fast - small))
    runtime = EngineRuntime(Aim(Goal.SPEED, None, limit))
    flash = runtime.flash(graph, F746)
    assert flash.constants <= max(limit, small)
    if flash.constants > limit:
        assert runtime.plan(graph).kernels == EngineRuntime().plan(graph).kernels
    code = most_code_bytes(F746)
    assert flash.code < code
    budget = Budget(F746.sram_bytes, limit + code)
    assert EngineRuntime(aim_within(Goal.SPEED, budget, F746)) == replace(
        runtime, aim=Aim(Goal.SPEED, F746.sram_bytes, limit, price=price_on(F746))
    )


def test_what_is_known_of_a_network_stays() -> None:
    graph = build_graph(PRESETS["mcunet-in0"])
    known = graph_from_bytes(random_tflite(graph, seed=3), "known")
    filled = with_typical_constants(known)
    assert all(new.data is old.data for new, old in zip(filled.tensors, known.tensors, strict=True))
    made, again = with_typical_constants(graph), with_typical_constants(graph)
    layers = [op.inputs[1] for op in made.operators if op.kind is OpKind.CONV_2D]
    weights = [made.tensors[index].data for index in layers]
    assert len({data.tobytes() for data in weights if data is not None}) == len(layers)
    for index, data in zip(layers, weights, strict=True):
        assert np.array_equal(data, again.tensors[index].data)  # type: ignore[arg-type]
