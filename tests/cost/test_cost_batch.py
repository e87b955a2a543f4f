"""The vectorised planner against TFLM's, buffer by buffer."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tinynas.cost.batch import BufferBatch, Crowd, greedy_fits, greedy_heads
from tinynas.cost.memory import Buffers, plan_greedy


@st.composite
def batches(draw: st.DrawFn) -> BufferBatch:
    """Networks with arbitrary lifetimes, absent buffers, and few sizes so that ties abound."""
    networks, columns = draw(st.integers(1, 6)), draw(st.integers(1, 9))

    def table(values: st.SearchStrategy[int]) -> NDArray[np.int32]:
        flat = draw(st.lists(values, min_size=networks * columns, max_size=networks * columns))
        return np.array(flat, np.int32).reshape(networks, columns)

    first = table(st.integers(-1, 6))
    sizes = table(st.one_of(st.sampled_from((0, 1, 15, 16, 17, 32, 40)), st.integers(0, 5000)))
    added = np.array(draw(st.permutations(range(columns))), np.int64)
    return BufferBatch(sizes, first, first + table(st.integers(0, 4)), added, reach=columns)


def expected_heads(batch: BufferBatch) -> list[int]:
    """One by one, in the order of adding, absent buffers left out."""
    heads = []
    for sizes, first, last in zip(batch.sizes, batch.first, batch.last, strict=True):
        order = [column for column in np.argsort(batch.added) if sizes[column]]
        columns = (values[order].astype(np.int64) for values in (sizes, first, last))
        heads.append(plan_greedy(Buffers(*columns, tensors=np.full(len(order), -1, np.int64))).peak)
    return heads


def crowd_of(batch: BufferBatch) -> Crowd:
    """The tightest that is true: over all buffers present, what is alive with each."""
    sizes = -(-batch.sizes.astype(np.int64) // 16) * 16
    first, last = batch.first, batch.last
    together = (first[:, :, None] <= last[:, None, :]) & (last[:, :, None] >= first[:, None, :])
    together &= (sizes[:, :, None] > 0) & (sizes[:, None, :] > 0)
    most = (together * sizes[:, None, :]).sum(axis=2).max(axis=1)
    return Crowd(most, max(0, int(together.sum(axis=2).max()) - 1))


@given(batches())
def test_heads_equal_the_planners(batch: BufferBatch) -> None:
    assert greedy_heads(batch).tolist() == expected_heads(batch)


@given(batches(), st.integers(-16, 16))
@settings(max_examples=60)
def test_fits_exactly_up_to_the_head(batch: BufferBatch, slack: int) -> None:
    heads = np.array(expected_heads(batch), np.int64)
    for limits in (heads + slack, np.full_like(heads, int(np.median(heads)))):
        assert greedy_fits(batch, limits, crowd_of(batch)).tolist() == (heads <= limits).tolist()


def test_more_networks_than_one_chunk_keep_their_order() -> None:
    rng = np.random.default_rng(1)
    sizes = rng.integers(0, 999, (2500, 5)).astype(np.int32)
    first = np.tile(np.arange(5, dtype=np.int32), (2500, 1))
    batch = BufferBatch(sizes, first, first + 1, np.arange(5), reach=1)
    heads = greedy_heads(batch)
    picked = [0, 1023, 1024, 2047, 2048, 2499]
    assert heads[picked].tolist() == expected_heads(batch.rows(np.array(picked)))
    crowd = crowd_of(batch)
    assert (greedy_fits(batch, heads, crowd) & ~greedy_fits(batch, heads - 1, crowd)).all()
