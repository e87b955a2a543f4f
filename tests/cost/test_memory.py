"""Memory of the published networks to the byte, and the planner against an independent statement of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinynas.cost import Buffers, buffers, count, live_peak, plan_greedy
from tinynas.graph import GraphBuilder, OpKind
from tinynas.networks import PRESETS, build_graph

#: ../shared/reference/tinynas.md: live peak, the same with in-place depthwise, TFLM head; without scratch
PUBLISHED = {
    "mcunet-in0": (46_080, 46_080, 46_080),
    "mcunet-in1": (92_160, 92_160, 92_160),
    "mcunet-in2": (332_800, 204_800, 332_800),
    "mcunet-in3": (340_736, 247_808, 371_712),
    "mcunet-in4": (422_400, 409_600, 422_400),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_memory_of_the_published_networks(name: str) -> None:
    graph = build_graph(PRESETS[name])
    live, in_place, head = PUBLISHED[name]
    assert live_peak(graph, in_place_depthwise=False).bytes == live
    assert live_peak(graph, in_place_depthwise=True).bytes == in_place
    assert plan_greedy(buffers(graph)).peak == head


def test_a_depthwise_input_that_is_read_later_is_not_overwritten() -> None:
    builder = GraphBuilder("skip", (8, 8, 4))
    x = builder.conv(builder.input, 4)
    graph = builder.build(builder.add(builder.depthwise(x, 3), x))
    assert live_peak(graph, in_place_depthwise=True).bytes == live_peak(graph, in_place_depthwise=False).bytes


def test_the_peak_is_at_the_operator_that_has_it() -> None:
    builder = GraphBuilder("bulge", (8, 8, 1))
    graph = builder.build(builder.conv(builder.conv(builder.conv(builder.input, 2), 50), 3))
    assert live_peak(graph, in_place_depthwise=False).operator == 2
    assert live_peak(graph, in_place_depthwise=False).bytes == 64 * (50 + 3)


def test_buffers_leave_out_constants_and_hold_scratch_last() -> None:
    builder = GraphBuilder("two", (4, 4, 3))
    graph = builder.build(builder.conv(builder.conv(builder.input, 5, 3), 7))
    table = buffers(graph, {0: (24, 8)})
    assert table.sizes.tolist() == [48, 80, 112, 24, 8]
    assert table.first.tolist() == [-1, 0, 1, 0, 0]
    assert table.last.tolist() == [0, 1, 1, 0, 0]


def _random_buffers(rows: list[tuple[int, int, int]]) -> Buffers:
    size, first, length = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    return Buffers(size, first, first + length, np.arange(len(rows)))


#: size, first operator, operators it lives on
ROW = st.tuples(st.integers(1, 200), st.integers(0, 12), st.integers(0, 6))
ROWS = st.lists(ROW, min_size=1, max_size=20)


@given(ROWS)
def test_plans_never_overlap_and_reach_the_bound(rows: list[tuple[int, int, int]]) -> None:
    table = _random_buffers(rows)
    plan = plan_greedy(table)
    sizes = -(-table.sizes // 16) * 16
    ends = plan.offsets + sizes
    for i in range(len(rows)):
        for j in range(i):
            together = table.first[i] <= table.last[j] and table.first[j] <= table.last[i]
            assert not together or ends[i] <= plan.offsets[j] or ends[j] <= plan.offsets[i]
    live = max(sizes[(table.first <= t) & (t <= table.last)].sum() for t in range(19))
    assert live <= plan.peak == ends.max() <= sizes.sum()


@given(ROWS)
def test_the_planner_equals_a_plain_search_for_the_first_gap(rows: list[tuple[int, int, int]]) -> None:
    table = _random_buffers(rows)
    sizes = (-(-table.sizes // 16) * 16).tolist()
    placed: dict[int, int] = {}
    for i in sorted(range(len(rows)), key=lambda i: (-sizes[i], -i)):
        rivals = [
            (placed[j], placed[j] + sizes[j])
            for j in placed
            if table.first[j] <= table.last[i] and table.first[i] <= table.last[j]
        ]
        # the lowest place is at zero or at the end of a rival
        candidates = sorted({0, *(end for _, end in rivals)})
        placed[i] = next(c for c in candidates if all(c + sizes[i] <= s or e <= c for s, e in rivals))
    assert plan_greedy(table).offsets.tolist() == [placed[i] for i in range(len(rows))]


def test_counts_of_a_small_network() -> None:
    builder = GraphBuilder("small", (8, 8, 3))
    x = builder.depthwise(builder.conv(builder.input, 6, 3, 2), 5)
    counts = count(builder.build(builder.dense(builder.global_mean(builder.add(x, x)), 10)))
    assert counts.total_operators == 5
    assert counts.channels == {OpKind.CONV_2D: 6, OpKind.DEPTHWISE_CONV_2D: 6, OpKind.FULLY_CONNECTED: 10}
    assert counts.channel_slots[OpKind.FULLY_CONNECTED] == 12
    assert counts.weight_bytes == 6 * 27 + 25 * 6 + 60
    assert counts.bias_bytes == 4 * 22
    assert (counts.tensors, counts.constants) == (13, 7)
    assert (counts.spatial_convs, counts.large_depthwise) == (1, 1)
