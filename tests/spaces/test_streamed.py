"""The engine's bound on arrays of networks equals what its planner finds for each of them."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tinynas.engine.planner import plan_network
from tinynas.engine.streaming import row_graph
from tinynas.graph.passes import simplify
from tinynas.networks import build_graph
from tinynas.spaces import MobileSpace, make_space, resolution_grid, width_grid
from tinynas.spaces.batch import BlockBatch, ChoiceBatch, sample_batch, tabulate
from tinynas.spaces.chains import chains
from tinynas.spaces.streamed import streamed_bounds


@st.composite
def drawn(draw: st.DrawFn) -> tuple[MobileSpace, ChoiceBatch]:
    """A few networks of any space of the grids, its extremes among them."""
    native = draw(st.sampled_from((8, 28, 32, 96, 224)))
    resolution = draw(st.sampled_from(resolution_grid(native)))
    channels, classes = draw(st.sampled_from((1, 3))), draw(st.sampled_from((2, 10, 100, 1001)))
    space = make_space(draw(st.sampled_from(width_grid())), resolution, native, channels, classes)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return space, sample_batch(space, 3, rng).extended(space.smallest()).extended(space.largest())


def batch_of(pair: tuple[MobileSpace, ChoiceBatch]) -> BlockBatch:
    return tabulate(*pair)


@given(drawn())
@settings(max_examples=20, deadline=None)
def test_bounds_equal_the_planner_s_and_no_arena_is_smaller(pair: tuple[MobileSpace, ChoiceBatch]) -> None:
    space, genes = pair
    bounds = streamed_bounds([batch_of(pair)])
    for row, bound in enumerate(bounds.tolist()):
        plan = plan_network(simplify(build_graph(space.genotype(genes.choice(row)))))
        assert bound == plan.bound <= plan.arena


@given(drawn(), drawn())
@settings(max_examples=15, deadline=None)
def test_a_network_s_bound_does_not_depend_on_its_company(
    one: tuple[MobileSpace, ChoiceBatch], other: tuple[MobileSpace, ChoiceBatch]
) -> None:
    alone = [streamed_bounds([batch_of(pair)]) for pair in (one, other)]
    assert streamed_bounds([batch_of(one), batch_of(other)]).tolist() == np.concatenate(alone).tolist()


@given(drawn())
@settings(max_examples=15, deadline=None)
def test_chains_hold_the_maps_and_rings_of_the_row_graph(pair: tuple[MobileSpace, ChoiceBatch]) -> None:
    space, genes = pair
    networks = chains([batch_of(pair)])
    for row in range(len(genes)):
        rows = row_graph(build_graph(space.genotype(genes.choice(row))))
        streams = [rows.streams[program.output] for program in rows.programs]
        # all but mean and classifier
        there = np.flatnonzero(networks.real[:, row])
        assert len(there) == len(streams) - 2
        for operator, stream in zip(there, streams, strict=False):
            assert networks.rings[operator, row] == stream.ring_bytes
            assert networks.sizes[operator + 1, row] == stream.bytes
