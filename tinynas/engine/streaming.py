"""How many rows of each feature map have to exist at a time when its network runs row by row.

Rows are pulled: to make a row of an operator, first make the rows of its inputs that its window still
lacks. So of a map with one consumer exactly the rows of one window exist. Where a map has several consumers
(a residual, a squeeze-and-excite gate), the rows between the slowest and the fastest exist; those are worked
out at the operator where the branches join, since every demand comes through it, one step at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np

from tinynas.engine.kernels import Form, Kernel, check_end, kernel_named
from tinynas.engine.operations import list_operations
from tinynas.engine.plan import Plan, aligned
from tinynas.engine.planes import planes_shape
from tinynas.engine.progress import Branch
from tinynas.engine.rows import (
    Making,
    MapShape,
    Reading,
    RowProgram,
    Rows,
    Span,
    made_together,
    map_shape,
)
from tinynas.errors import ModelError
from tinynas.graph import DType, Graph

#: a step's operator is a byte in the C table
MOST_OPERATORS = 256
#: rows of all operators together, times the inputs of each; every one is planned by itself
MOST_WORK = 2**17
_ENDS = {DType.INT8.label, DType.FLOAT32.label}
#: behind every operator
NOWHERE = 2**31


class Stream(NamedTuple):
    """A feature map between operators, by index: made by `producer` (-1: an input of the network).

    Inside a group of operators that holds `producer` to `join`, `slots` rows at a time are enough. `join`
    is the operator where all its consumers' branches meet: the only consumer itself, or NOWHERE. `last` is
    the last operator that reads it, NOWHERE for an output of the network. `bytes` are those of the whole
    map, `ring_bytes` those of the rows that exist at a time.
    """

    tensor: int
    shape: MapShape
    producer: int
    last: int
    join: int
    slots: int
    bytes: int
    ring_bytes: int

    @property
    def meeting(self) -> int:
        """The operator from which on it can be a ring; where branches never meet, one of all rows."""
        return self.join if self.join != NOWHERE else self.last


@dataclass(frozen=True)
class RowGraph:
    """A graph as row programs: `programs`, `kernels` and `working` memory (bytes) by operator."""

    graph: Graph
    programs: tuple[RowProgram, ...]
    kernels: tuple[Kernel, ...]
    working: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.programs)

    @cached_property
    def shapes(self) -> dict[int, MapShape]:
        """The shape of every feature map, by tensor index, in the form that its reader wants."""
        made = (*self.graph.inputs, *(program.output for program in self.programs))
        planes = {
            operator.inputs[0]: planes_shape(self.graph, operator)
            for operator, kernel in zip(self.graph.operators, self.kernels, strict=True)
            if kernel.reads is Form.PLANES
        }
        return {tensor: planes.get(tensor) or map_shape(self.graph.tensors[tensor]) for tensor in made}

    @cached_property
    def consumers(self) -> dict[int, list[tuple[int, Reading]]]:
        """Who reads each feature map, and how: (operator, reading) in order of execution."""
        found: dict[int, list[tuple[int, Reading]]] = {tensor: [] for tensor in self.shapes}
        for index, program in enumerate(self.programs):
            for reading in program.readings:
                found[reading.tensor].append((index, reading))
        return found

    @cached_property
    def producers(self) -> dict[int, int]:
        """The operator that makes each feature map; inputs of the network are not there."""
        return {program.output: index for index, program in enumerate(self.programs)}

    @cached_property
    def streams(self) -> dict[int, Stream]:
        """Every feature map as a stream, by tensor index."""
        joins, outputs, producers = _joins(self), set(self.graph.outputs), self.producers
        streams: dict[int, Stream] = {}
        for (tensor, shape), consumers in zip(self.shapes.items(), self.consumers.values(), strict=True):
            producer = producers.get(tensor, -1)
            last, join = (consumers[-1][0] if consumers else producer), NOWHERE
            slots, size = shape.rows, shape.aligned_bytes
            ring = size
            if tensor in outputs:
                last = NOWHERE
            elif consumers:
                join = _meet(consumers, joins) if producer < 0 else joins[producer]
            if join != NOWHERE:
                making = made_together(slots) if producer < 0 else self.programs[producer].making
                if len(consumers) > 1:
                    wanted = _rows_until_join(*self._until(tensor, join), making)
                elif making.even:
                    wanted = consumers[0][1].span.most
                else:
                    wanted = _rows_of_window(making, consumers[0][1].span)
                if wanted < slots:
                    slots = max(wanted, 1)
                    ring = aligned(slots * shape.row_bytes)
            streams[tensor] = Stream(tensor, shape, producer, last, join, slots, size, ring)
        return streams

    def _until(self, tensor: int, join: int) -> tuple[tuple[Branch, ...], int]:
        """All operators from behind the one that makes `tensor` up to `join`; how far it is before them."""
        place = self._places[tensor]
        first = max(place + 1, 0)
        return self.branches[first : join + 1], first - place

    @cached_property
    def _places(self) -> dict[int, int]:
        """The operator that makes each feature map; inputs of the network stand before, one by one."""
        return {**{tensor: -1 - i for i, tensor in enumerate(self.graph.inputs)}, **self.producers}

    @cached_property
    def branches(self) -> tuple[Branch, ...]:
        """Every operator as it stands to those before it."""
        places = self._places
        return tuple(
            [
                Branch(making, tuple([(op - places[tensor], span) for tensor, span in readings]))
                for op, (readings, _, making) in enumerate(self.programs)
            ]
        )

    @cached_property
    def mirrored(self) -> RowGraph:
        """The same network run from the bottom row upwards: rows and steps counted from there."""
        return replace(self, programs=tuple([program.mirrored for program in self.programs]))


def planned_rows(plan: Plan) -> RowGraph:
    """The row programs of `plan`, with its kernels."""
    return row_graph(plan.graph, [kernel_named(function) for function in plan.kernels])


def row_graph(graph: Graph, kernels: Sequence[Kernel] | None = None) -> RowGraph:
    """The row programs of a simplified graph, run by `kernels`, or by those that spend nothing.

    Raises:
        ModelError: an operator that no kernel runs, no operator at all, or more than the tables can number.
    """
    if not graph.operators:
        raise ModelError(f"{graph.name} computes nothing: there is no operator left to run; check the file")
    if len(graph.operators) > MOST_OPERATORS:
        raise ModelError(
            f"{graph.name} has {len(graph.operators)} operators after simplification and the engine runs at "
            f"most {MOST_OPERATORS}: use a shallower network"
        )
    if strange := {graph.tensors[i].dtype.label for i in (*graph.inputs, *graph.outputs)} - _ENDS:
        raise ModelError(
            f"{graph.name} has an input or output of {', '.join(sorted(strange))}, and the engine hands over "
            "int8 or float values: export it so"
        )
    for end in (*graph.inputs, *graph.outputs):
        # one that no operator reads has its place in the arena too
        check_end(graph, end)
    operations = list_operations(graph, kernels)
    programs = tuple([each.wired(op) for each, op in zip(operations, graph.operators, strict=True)])
    if (work := sum([each.steps * max(1, len(each.readings)) for each in programs])) > MOST_WORK:
        raise ModelError(
            f"{graph.name} makes {work:,} rows out of others, more than the engine plans: use smaller inputs"
        )
    return RowGraph(
        graph,
        programs,
        tuple([each.kernel for each in operations]),
        tuple([each.working for each in operations]),
    )


def _joins(rows: RowGraph) -> list[int]:
    """The immediate post-dominator of every operator, or NOWHERE."""
    outputs = set(rows.graph.outputs)
    joins = [NOWHERE] * len(rows)
    for index in range(len(rows) - 1, -1, -1):
        tensor = rows.programs[index].output
        after = rows.consumers[tensor]
        if after and tensor not in outputs:
            joins[index] = after[0][0] if len(after) == 1 else _meet(after, joins)
    return joins


def _meet(consumers: Sequence[tuple[int, Reading]], joins: Sequence[int]) -> int:
    """The first operator that every path from all of `consumers` passes, they themselves included."""
    meeting = consumers[0][0]
    for other, _ in consumers[1:]:
        while meeting != other:
            if NOWHERE in (meeting, other):
                return NOWHERE
            if meeting < other:
                meeting = joins[meeting]
            else:
                other = joins[other]
    return meeting


@lru_cache(maxsize=4096)
def _rows_of_window(making: Making, span: Span) -> int:
    """Rows of a map that exist at most while its only consumer reads it by `span`."""
    ways = ((making, span), (making.mirrored, span.mirrored))
    return max(int((made.there[read.highs + 1] - read.lows).max()) for made, read in ways)


@lru_cache(maxsize=4096)
def _rows_until_join(branches: tuple[Branch, ...], before: int, making: Making) -> int:
    """Rows of a map, made so, that exist at most while the last of `branches` pulls what a step needs.

    The map is made `before` operators before the first of them.
    """
    # a group may run either way, and windows need not be symmetric
    down: list[list[tuple[int, Span]]] = [[] for _ in branches]
    up: list[list[tuple[int, Span]]] = [[] for _ in branches]
    for index, branch in enumerate(branches, start=1):
        for distance, span in branch.sources:
            source = index - distance
            if source == 1 - before:
                source = 0
            elif source < 1:
                continue
            down[source].append((index, span))
            up[source].append((index, span.mirrored))
    mirrored = [branch.making.mirrored for branch in branches]
    return max(
        _rows_at_once([branch.making for branch in branches], down, making),
        _rows_at_once(mirrored, up, making.mirrored),
    )


def _rows_at_once(
    makings: Sequence[Making], readers: Sequence[Sequence[tuple[int, Span]]], made: Making
) -> int:
    """The same one way: of each operator how its output is made and who reads that, the map first."""
    join, height = len(makings), made.rows
    # the steps each operator has done once the last has all that its step z reads: [steps of the last]
    done: dict[int, Rows] = {join: np.arange(1, makings[-1].steps + 1)}
    for index in range(join - 1, 0, -1):
        demanded = _highest_demand(readers[index], done)
        if demanded is not None:
            done[index] = makings[index - 1].until[demanded + 1]
    newest = _highest_demand(readers[0], done)
    if newest is None:
        return height
    oldest = np.full_like(newest, height)
    for index, span in readers[0]:
        if index in done:
            before = np.concatenate([[0], done[index][:-1]])
            oldest = np.minimum(oldest, np.append(span.lows, height)[before])
    return int((made.there[newest + 1] - oldest).max())


def _highest_demand(readers: Sequence[tuple[int, Span]], done: dict[int, Rows]) -> Rows | None:
    """The highest row of a map that those of its `readers` in `done` have read, -1 before the first."""
    highest: Rows | None = None
    for index, span in readers:
        if index in done:
            highs = np.concatenate([[-1], span.highs])[done[index]]
            highest = highs if highest is None else np.maximum(highest, highs)
    return highest
