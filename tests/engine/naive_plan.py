"""The simplest right plan, an oracle for clever ones: every map whole at its own place, operators in turn."""

from __future__ import annotations

from collections.abc import Iterator

from tinynas.engine.choosing import choose_kernels
from tinynas.engine.goals import Aim, Goal
from tinynas.engine.plan import ALIGNMENT, Placement, Plan, Step
from tinynas.engine.streaming import RowGraph, row_graph
from tinynas.graph import Graph


def naive_plan(graph: Graph, goal: Goal = Goal.RAM) -> Plan:
    """A plan for `graph` in which nothing shares memory, with the kernels for `goal`."""
    kernels = choose_kernels(graph, Aim(goal))
    used = dict.fromkeys((*graph.inputs, *(op.outputs[0] for op in graph.operators)))
    offset, maps = 0, {}
    rows = row_graph(graph, kernels)
    shapes = rows.shapes
    for tensor in used:
        shape = shapes[tensor]
        maps[tensor] = Placement(offset, shape.rows)
        offset += _words(shape.bytes)
    scratch = []
    for kernel, operator in zip(kernels, graph.operators, strict=True):
        scratch.append(offset)
        offset += _words(kernel.working(graph, operator))
    return Plan(
        graph=graph,
        goal=goal,
        arena=offset,
        bound=offset,
        group_bytes=(offset,) * len(graph.operators),
        groups=tuple((index, index + 1) for index in range(len(kernels))),
        maps=maps,
        scratch=tuple(scratch),
        kernels=tuple(kernel.function for kernel in kernels),
        steps=tuple(_steps(rows)),
    )


def _steps(rows: RowGraph) -> Iterator[Step]:
    for index, program in enumerate(rows.programs):
        for first in range(0, program.steps, 100):
            yield Step(index, first, min(100, program.steps - first))


def _words(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
