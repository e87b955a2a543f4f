"""Overlaps in closed form equal what looking at every row finds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from random_graphs import graphs

from tinynas.engine.checker import check_plan
from tinynas.engine.overlap import Overlap, Overlaps
from tinynas.engine.planner import plan_network
from tinynas.engine.streaming import RowGraph, Stream, row_graph
from tinynas.graph import DType, Graph, Operator, OpKind, Padding, Tensor, Window
from tinynas.graph.passes import simplify
from tinynas.networks import PRESETS, build_graph

#: the first reader of a map, that map, another
Pair = tuple[int, Stream, Stream]


def pairs(rows: RowGraph) -> Iterator[Pair]:
    """Every map over every other that it may ever lie over: from each reader of that on."""
    for source in rows.streams.values():
        for reader in dict.fromkeys(op for op, _ in rows.consumers[source.tensor]):
            for program in rows.programs[max(reader, source.last) :]:
                yield reader, source, rows.streams[program.output]


@st.composite
def windowed(draw: st.DrawFn) -> Graph:
    """Poolings with any windows and margins, sums, maps one over another and resized ones."""
    tensors = [Tensor("input", (1, draw(st.integers(1, 15)), 3, 2), DType.INT8)]
    operators: list[Operator] = []
    for number in range(draw(st.integers(1, 8))):
        x = draw(st.integers(max(0, number - 2), number))
        (_, rows, columns, channels), inputs = tensors[x].shape, (x,)
        kind = draw(st.sampled_from(_KINDS))
        window, axis = None, -1
        if kind is OpKind.AVERAGE_POOL_2D:
            window = draw(windows(rows))
            rows, columns = window.output_size(rows, columns)
        elif kind is OpKind.RESIZE_NEAREST_NEIGHBOR:
            rows = draw(st.integers(1, 15))
        elif kind is OpKind.ADD:
            alike = [y for y, other in enumerate(tensors) if other.shape == tensors[x].shape]
            inputs = (x, draw(st.sampled_from(alike)))
        elif draw(st.booleans()):
            alike = [y for y, other in enumerate(tensors) if other.shape[2:] == tensors[x].shape[2:]]
            inputs, axis = (x, draw(st.sampled_from(alike))), 1
            rows = sum(tensors[y].shape[1] for y in inputs)
        else:
            inputs, axis = (x, x), 3
            channels *= 2
        tensors.append(Tensor(f"map {number}", (1, rows, columns, channels), DType.INT8))
        operators.append(Operator(kind, inputs, (number + 1,), window, axis=axis))
    return Graph("windowed", tuple(tensors), tuple(operators), (0,), (len(operators),))


#: poolings and sums, of which runs consist, are the most
_KINDS = (
    [OpKind.AVERAGE_POOL_2D] * 5 + [OpKind.ADD] * 3 + [OpKind.CONCATENATION, OpKind.RESIZE_NEAREST_NEIGHBOR]
)


@st.composite
def windows(draw: st.DrawFn, rows: int) -> Window:
    """A window over a map of so many rows that meets it, one column wide."""
    stride, padding = draw(st.integers(1, 3)), draw(st.sampled_from(Padding))
    if padding is not Padding.EXPLICIT:
        most = rows if padding is Padding.VALID else 7
        return Window((draw(st.integers(1, most)), 1), (stride, 1), padding)
    reach = draw(st.integers(1, 7))
    above, below = draw(st.integers(0, 7)), draw(st.integers(0, 7))
    assume(above + rows + below >= reach)
    return Window((reach, 1), (stride, 1), padding, pads=(above, below, 0, 0))


@settings(max_examples=200, deadline=None)
@given(graphs() | windowed())
def test_closed_form_equals_row_by_row(graph: Graph) -> None:
    rows = row_graph(simplify(graph))
    overlaps = Overlaps(rows)
    for pair in pairs(rows):
        assert overlaps.find(*pair) == overlaps.row_by_row(*pair)


@settings(max_examples=100, deadline=None)
@given(windowed())
def test_plans_of_any_windows_are_proven(graph: Graph) -> None:
    check_plan(plan_network(graph))


@pytest.mark.parametrize(
    "name", ["mcunet-in0", "mobilenetv2-0.35", "mnasnet-a1", "regnetx-200mf", "regnety-200mf"]
)
def test_published_networks_need_no_row_by_row(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = row_graph(simplify(build_graph(PRESETS[name])))
    overlaps = Overlaps(rows)
    found = [pair for pair in pairs(rows) if pair[2].producer - pair[0] < 12]
    expected = [overlaps.row_by_row(*pair) for pair in found]
    monkeypatch.setattr(Overlaps, "row_by_row", _forbidden)
    assert [overlaps.find(*pair) for pair in found] == expected


def _forbidden(overlaps: Overlaps, *pair: object) -> Overlap:
    raise AssertionError(f"{pair} has no closed form")
