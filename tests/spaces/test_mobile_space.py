"""The mobile space: its rules hold for every network drawn, varied or crossed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinynas.graph import OpKind
from tinynas.networks import build_graph
from tinynas.spaces import (
    Choice,
    MobileSpace,
    elastic_resolutions,
    is_small,
    make_space,
    resolution_grid,
    width_grid,
)
from tinynas.spaces.mobile import BASE_STRIDES, PAPER_DEPTHS, strides_for

natives = st.integers(8, 224)
seeds = st.integers(0, 2**32 - 1)


@st.composite
def spaces(draw: st.DrawFn) -> MobileSpace:
    native = draw(natives)
    resolution = draw(st.sampled_from(resolution_grid(native)))
    elastic = elastic_resolutions(resolution, native, draw(st.integers(0, 2)))
    return make_space(draw(st.sampled_from(width_grid())), resolution, native, 3, 10, elastic)


def _obeys(space: MobileSpace, choice: Choice) -> None:
    assert choice.resolution in space.resolutions
    assert all(depth in space.depths for depth in choice.depths[:-1]) and choice.depths[-1] == 1
    assert set(choice.kernels) <= set(space.kernels) and set(choice.expands) <= set(space.expands)
    genotype = space.genotype(choice)
    assert len(genotype.blocks) == 2 + sum(choice.depths)
    assert math.prod(block.stride for block in genotype.blocks) == math.prod(space.strides)
    assert not genotype.blocks[1].has_residual(genotype.blocks[0].channels)


@given(spaces(), seeds)
def test_every_way_of_making_a_network_stays_in_the_space(space: MobileSpace, seed: int) -> None:
    rng = np.random.default_rng(seed)
    mother, father = space.sample(rng), space.sample(rng)
    child, mutant = space.cross(mother, father, rng), space.mutate(mother, rng, 0.3)
    for choice in (mother, father, child, mutant, space.largest(), space.smallest()):
        _obeys(space, choice)
    for ours, a, b in zip(child.kernels, mother.kernels, father.kernels, strict=True):
        assert ours in (a, b)


@given(spaces(), seeds)
def test_mutation_keeps_or_redraws_as_asked(space: MobileSpace, seed: int) -> None:
    rng = np.random.default_rng(seed)
    choice = space.sample(rng)
    assert space.mutate(choice, rng, 0.0) == choice
    assert space.cross(choice, choice, rng) == choice


@given(spaces(), seeds)
def test_the_code_comes_back(space: MobileSpace, seed: int) -> None:
    choice = space.sample(np.random.default_rng(seed))
    codes = space.encode(choice)
    assert codes.dtype == np.float32 and codes.min() >= 0 and codes.max() <= 1
    assert space.decode(codes) == choice and space.admits(choice)


@given(natives)
def test_small_pictures_keep_a_last_map_of_four_by_four(native: int) -> None:
    """At every resolution of the grid, the elastic ones below it included."""
    for resolution in resolution_grid(native):
        strides = strides_for(resolution, native)
        if not is_small(native):
            assert strides == BASE_STRIDES
            continue
        for r in (resolution, *elastic_resolutions(resolution, native, 3)):
            genotype = make_space(0.2, resolution, native, 1, 2, [r]).genotype
            space = make_space(0.2, resolution, native, 1, 2, [r])
            graph = build_graph(genotype(space.smallest()))
            last = next(op for op in graph.operators if op.kind is OpKind.MEAN)
            assert min(graph.tensors[last.inputs[0]].shape[1:3]) >= 4


def test_the_published_grid_and_space() -> None:
    assert resolution_grid(224) == (48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224)
    assert width_grid() == (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
    space = make_space(1.0, 224, 224, 3, 1000)
    assert space.channels == (32, 16, 24, 40, 80, 96, 192, 320)
    assert space.depths == PAPER_DEPTHS and space.name == "w1-r224"


@pytest.mark.parametrize(("native", "least", "most"), [(8, 4, 15), (28, 14, 52), (32, 16, 60), (64, 32, 120)])
def test_small_grids_reach_from_half_to_about_twice(native: int, least: int, most: int) -> None:
    grid = resolution_grid(native)
    assert (len(grid), grid[0], grid[-1]) == (12, least, most) and native in grid
