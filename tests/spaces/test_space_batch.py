"""Arrays of networks against the networks' own Graphs: shapes, MACs, counts, buffers, bytes alive."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinynas.cost.batch import greedy_heads
from tinynas.cost.compute import macs
from tinynas.cost.counts import count
from tinynas.cost.memory import buffers, live_peak, plan_greedy
from tinynas.cost.scratch import Kernels, scratch_of
from tinynas.graph import Graph
from tinynas.networks import build_graph
from tinynas.spaces import MobileSpace, make_space, resolution_grid, width_grid
from tinynas.spaces.batch import BlockBatch, ChoiceBatch, sample_batch, tabulate
from tinynas.spaces.buffers import batch_buffers, crowd, live_peaks, tflm_scratch


@st.composite
def spaces(draw: st.DrawFn) -> MobileSpace:
    """Any space of the grids for photographs and for small pictures."""
    native = draw(st.sampled_from((8, 28, 32, 96)))
    resolution = draw(st.sampled_from(resolution_grid(native)))
    channels, classes = draw(st.sampled_from((1, 3))), draw(st.sampled_from((2, 10, 100, 1001)))
    return make_space(draw(st.sampled_from(width_grid())), resolution, native, channels, classes)


@st.composite
def drawn(draw: st.DrawFn) -> tuple[BlockBatch, list[Graph]]:
    """A few networks of one space, its extremes among them, as arrays and as Graphs."""
    space = draw(spaces())
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    genes = sample_batch(space, 2, rng).extended(space.smallest()).extended(space.largest())
    graphs = [build_graph(space.genotype(genes.choice(row))) for row in range(len(genes))]
    return tabulate(space, genes), graphs


@given(drawn())
@settings(max_examples=25, deadline=None)
def test_macs_and_counts_equal_the_graphs(pair: tuple[BlockBatch, list[Graph]]) -> None:
    batch, graphs = pair
    assert batch.macs.tolist() == [macs(graph) for graph in graphs]
    counts = batch.counts()
    for row, graph in enumerate(graphs):
        single = count(graph)
        for name in (field.name for field in fields(single)):
            one, many = getattr(single, name), getattr(counts, name)
            if isinstance(many, dict):
                found = {kind: int(values[row]) for kind, values in many.items() if values[row]}
                assert found == dict(one), name
            else:
                assert one == (many[row] if isinstance(many, np.ndarray) else many), name


@given(drawn(), st.sampled_from((None, *Kernels)))
@settings(max_examples=30, deadline=None)
def test_buffers_heads_and_live_bytes_equal_the_graphs(
    pair: tuple[BlockBatch, list[Graph]], kernels: Kernels | None
) -> None:
    batch, graphs = pair
    scratch = tflm_scratch(batch.blocks, batch.features, kernels) if kernels else None
    table = batch_buffers(batch, scratch)
    heads, bound = greedy_heads(table), live_peaks(batch, scratch, rounded=True)
    live, in_place = live_peaks(batch), live_peaks(batch, in_place=True)
    order = np.argsort(table.added)
    for row, graph in enumerate(graphs):
        asked = scratch_of(graph, kernels) if kernels else {}
        single = buffers(graph, asked)
        present = order[table.sizes[row, order] > 0]
        assert table.sizes[row, present].tolist() == single.sizes.tolist()
        assert table.first[row, present].tolist() == single.first.tolist()
        assert table.last[row, present].tolist() == single.last.tolist()
        assert heads[row] == plan_greedy(single).peak
        assert bound[row] <= heads[row]
        assert live[row] == live_peak(graph, in_place_depthwise=False).bytes
        assert in_place[row] == live_peak(graph, in_place_depthwise=True).bytes


@given(drawn())
@settings(max_examples=15, deadline=None)
def test_no_two_buffers_alive_together_stand_beyond_reach(pair: tuple[BlockBatch, list[Graph]]) -> None:
    batch, _ = pair
    for scratch in (None, tflm_scratch(batch.blocks, batch.features, Kernels.CMSIS_NN)):
        table = batch_buffers(batch, scratch)
        for sizes, first, last in zip(table.sizes, table.first, table.last, strict=True):
            columns = np.flatnonzero(sizes)
            together = (first[columns, None] <= last[columns]) & (last[columns, None] >= first[columns])
            apart = np.abs(columns[:, None] - columns)
            assert apart[together].max() <= table.reach


@given(drawn())
@settings(max_examples=15, deadline=None)
def test_no_buffer_is_in_a_larger_crowd_than_stated(pair: tuple[BlockBatch, list[Graph]]) -> None:
    batch, _ = pair
    for scratch in (None, tflm_scratch(batch.blocks, batch.features, Kernels.CMSIS_NN)):
        table, stated = batch_buffers(batch, scratch), crowd(batch, scratch)
        units = -(-table.sizes.astype(np.int64) // 16) * 16
        for sizes, first, last, most in zip(units, table.first, table.last, stated.bytes, strict=True):
            present = np.flatnonzero(sizes)
            together = (first[present, None] <= last[present]) & (last[present, None] >= first[present])
            assert (together @ sizes[present]).max() <= most
            assert together.sum(axis=1).max() - 1 <= stated.others


def test_sampling_is_uniform_reproducible_and_of_the_own_resolution() -> None:
    space = make_space(0.5, 144, 96, 3, 100, elastic=(128, 112))
    batch = sample_batch(space, 3000, np.random.default_rng([7, 3]))
    again = sample_batch(space, 3000, np.random.default_rng([7, 3]))
    other = sample_batch(space, 3000, np.random.default_rng([7, 4]))
    assert (batch.kernels == again.kernels).all() and (batch.depths == again.depths).all()
    assert (batch.kernels != other.kernels).any()
    assert batch.resolution == 144 and (batch.depths[:, -1] == 1).all()
    inner = batch.depths[:, :-1]
    for genes, options in ((batch.kernels, (3, 5, 7)), (batch.expands, (3, 4, 6)), (inner, (2, 3, 4))):
        shares = [(genes == option).mean(axis=0) for option in options]
        assert np.allclose(np.sum(shares, axis=0), 1)
        # 3000 draws: five standard deviations are 4.3 points
        assert np.abs(np.array(shares) - 1 / 3).max() < 0.045


def test_choices_round_trip() -> None:
    space, rng = make_space(0.3, 32, 32, 3, 10), np.random.default_rng(5)
    choices = [space.sample(rng) for _ in range(5)]
    batch = ChoiceBatch.of(choices)
    assert [batch.choice(row) for row in range(5)] == choices
    assert [tuple(row) for row in batch.active.tolist()] == [tuple(space.active_slots(c)) for c in choices]


def test_another_resolution_is_refused() -> None:
    space = make_space(0.5, 144, 96, 3, 100)
    stranger = make_space(0.5, 128, 96, 3, 100).smallest()
    with pytest.raises(ValueError, match="128"):
        tabulate(space, ChoiceBatch.of([stranger]))
