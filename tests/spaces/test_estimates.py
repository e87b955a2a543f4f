"""Estimates by blocks are those of whole graphs, to the last bit."""

from __future__ import annotations

import gc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinynas.board import Budget, load_board
from tinynas.cost.runtime import aim_within, find_runtime
from tinynas.cost.times import require_latency_model
from tinynas.engine.goals import Goal
from tinynas.errors import ModelError
from tinynas.graph.outline import outline_of
from tinynas.networks import (
    PRESETS,
    Conv,
    Genotype,
    MBConv,
    XBlock,
    build_graph,
    build_part,
    outline_part,
)
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
    family=st.sampled_from(["mobile", "regnetx", "regnety", "anynetx-a", "anynetx-e"]),
    native=st.sampled_from((8, 32, 96, 224)),
    board=st.sampled_from(("stm32f746", "stm32f767", "stm32h743", "stm32f412", "stm32l4r5", "nrf52840")),
    goal=st.sampled_from(Goal),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=40, deadline=None)
def test_a_network_s_blocks_add_up_to_its_graph(
    family: str, native: int, board: str, goal: Goal, seed: int
) -> None:
    rng, spaces = np.random.default_rng(seed), find_family(family).spaces(Pictures(native, 3, 10))
    space = spaces[int(rng.integers(len(spaces)))]
    _assert_equal([space.genotype(space.sample(rng)) for _ in range(3)], board, goal)


@given(
    channels=st.integers(1, 40),
    resolution=st.integers(1, 40),
    group=st.integers(1, 3),
    stride=st.integers(1, 2),
    kernel=st.sampled_from([1, 3, 5]),
    se=st.sampled_from([0.0, 0.25, 1.0]),
    classes=st.sampled_from([None, 2, 10]),
)
@settings(max_examples=60, deadline=None)
def test_outlines_are_those_of_graphs(
    channels: int, resolution: int, group: int, stride: int, kernel: int, se: float, classes: int | None
) -> None:
    """Whoever lists the operators of blocks, they are the same objects in the same order."""
    blocks = (
        Conv(kernel, stride, channels),
        XBlock(kernel, stride, 2 * group, 1, group, se),
        MBConv(kernel, 1, 2 * group, 3, se),
    )
    shape = (resolution, resolution, 3)
    assert outline_part(blocks, shape, classes) == outline_of(build_part(blocks, shape, classes))


def test_networks_of_a_batch_do_not_depend_on_one_another() -> None:
    """Nor on what is remembered, nor is garbage left uncollected where one cannot be estimated."""
    rng, (space, *_) = np.random.default_rng(0), find_family("regnety").spaces(Pictures(32, 3, 10))
    networks = [space.genotype(space.sample(rng)) for _ in range(12)]
    target = load_board("stm32h743")
    model = require_latency_model(target, find_runtime("engine", aim_within(Goal.SPEED, WHOLE, target)))
    together = Estimates(model).milliseconds(networks)
    assert together == [Estimates(model).milliseconds([network])[0] for network in networks]
    large = Genotype(8192, 3, networks[0].blocks, 10)
    with pytest.raises(ModelError, match="more than a microcontroller holds"):
        Estimates(model).milliseconds([networks[0], large])
    assert gc.isenabled()


@pytest.mark.parametrize("goal", Goal, ids=lambda goal: goal.value)
def test_published_networks_too(goal: Goal) -> None:
    """Their first block is depthwise: planes for it are written by the stem."""
    _assert_equal(list(PRESETS.values()), "stm32f746", goal)
