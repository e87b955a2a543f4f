"""Estimates by blocks are those of whole graphs, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinynas.board import Budget, load_board
from tinynas.cost.runtime import aim_within, find_runtime
from tinynas.cost.times import require_latency_model
from tinynas.engine.goals import Goal
from tinynas.networks import PRESETS, Genotype, build_graph
from tinynas.spaces import Pictures, find_family
from tinynas.spaces.estimates import Estimates

WHOLE = Budget(2**30, 2**30)


def _assert_equal(networks: list[Genotype], board: str, goal: Goal) -> None:
    target = load_board(board)
    model = require_latency_model(target, find_runtime("engine", aim_within(goal, WHOLE, target)))
    whole, by_blocks = [model.estimate(build_graph(each)) for each in networks], Estimates(model)
    assert by_blocks.milliseconds(networks) == whole
    # and again, of what is remembered
    assert by_blocks.milliseconds(networks) == whole


@given(
    family=st.sampled_from(["mobile", "regnetx", "regnety", "anynetx-a"]),
    native=st.sampled_from((8, 32, 96, 224)),
    board=st.sampled_from(("stm32f746", "stm32h743", "stm32f412")),
    goal=st.sampled_from(Goal),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=30, deadline=None)
def test_a_network_s_blocks_add_up_to_its_graph(
    family: str, native: int, board: str, goal: Goal, seed: int
) -> None:
    rng, spaces = np.random.default_rng(seed), find_family(family).spaces(Pictures(native, 3, 10))
    space = spaces[int(rng.integers(len(spaces)))]
    _assert_equal([space.genotype(space.sample(rng)) for _ in range(3)], board, goal)


@pytest.mark.parametrize("goal", Goal, ids=lambda goal: goal.value)
def test_published_networks_too(goal: Goal) -> None:
    """Their first block is depthwise: planes for it are written by the stem."""
    _assert_equal(list(PRESETS.values()), "stm32f746", goal)
