"""Operators remembered by what they are: the same as worked out anew, and only where values say nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings
from random_graphs import graphs

from tinynas.engine import operations
from tinynas.engine.kernels import choose
from tinynas.engine.operations import list_operations, operation
from tinynas.graph import DType, Graph, GraphBuilder, Operator, OpKind, Tensor
from tinynas.graph.passes import simplify
from tinynas.graph.tflite import read_tflite


@settings(max_examples=100, deadline=None)
@given(graphs())
def test_what_is_remembered_is_what_would_be_worked_out(graph: Graph) -> None:
    simple = simplify(graph)
    anew = [operation(simple, op, choose(simple, i)) for i, op in enumerate(simple.operators)]
    assert list_operations(simple) == list_operations(simple) == anew


def test_one_map_read_twice_is_not_taken_for_two() -> None:
    shape = (1, 4, 4, 2)
    maps = tuple(Tensor(name, shape, DType.INT8) for name in ("first", "second", "sum"))
    twice = Graph("twice", maps, (Operator(OpKind.ADD, (0, 0), (2,)),), (0, 1), (2,))
    both = replace(twice, operators=(Operator(OpKind.ADD, (0, 1), (2,)),))
    read = [
        [r.tensor for r in list_operations(graph)[0].wired(graph.operators[0]).readings]
        for graph in (twice, both)
    ]
    assert read == [[0, 0], [0, 1]]


def test_no_operator_with_values_is_remembered(shared: Path) -> None:
    operations.forget()
    for path in sorted((shared / "models").glob("*.tflite")):
        list_operations(simplify(read_tflite(path)))
    assert operations.remembered() == 0
    net = GraphBuilder("plain", (8, 8, 4))
    list_operations(net.build(net.conv(net.input, 4, 3)))
    assert operations.remembered() == 1
