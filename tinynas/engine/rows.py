"""Operators as the engine runs them: step by step, each reading some rows of its inputs and writing some.

A step of most operators makes one row of the output; some kernels make several at once, from which they
gain. A mean over rows takes one row of its input a step and writes in its last one; what turns a whole map
around (dense layers, transposes) reads all its rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tinynas.engine.plan import aligned
from tinynas.graph import DType, Graph, Operator, OpKind, Tensor, Window
from tinynas.graph.passes.rewrite import feature_map

Rows = NDArray[np.int64]

_WHOLE_INPUT = {OpKind.FULLY_CONNECTED, OpKind.RESHAPE, OpKind.TRANSPOSE}


@dataclass(frozen=True)
class MapShape:
    """A tensor as rows of columns of channels; `element` is the size of an element in bytes."""

    rows: int
    columns: int
    channels: int
    element: int

    @cached_property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return self.columns * self.channels * self.element

    @cached_property
    def bytes(self) -> int:
        """Bytes of the whole map."""
        return self.rows * self.row_bytes

    @cached_property
    def aligned_bytes(self) -> int:
        """The same in the arena."""
        return aligned(self.bytes)


def map_shape(tensor: Tensor) -> MapShape:
    """NHWC tensors by their rows; those of fewer axes are one row."""
    return shape_of(tensor.shape, tensor.dtype)


@lru_cache(maxsize=2**14)
def shape_of(shape: tuple[int, ...], dtype: DType) -> MapShape:
    """The same for the shape and the elements of a tensor."""
    return MapShape(*feature_map(shape), dtype.size)


@dataclass(frozen=True, slots=True)
class Slide:
    """A window of `reach` rows that moves down a map by `stride` rows a step, from `above` rows above it on.

    In its last step it reaches `below` rows below the map.
    """

    reach: int
    stride: int
    above: int
    below: int

    @property
    def meets(self) -> bool:
        """Whether every step reads a row of the map."""
        return self.above < self.reach and self.below < self.reach

    @property
    def covers(self) -> bool:
        """Whether every step reads a row of the map, the first its first and the last its last."""
        return 0 <= self.above < self.reach and 0 <= self.below < self.reach


@dataclass(frozen=True, eq=False)
class Span:
    """Rows of a map of `rows` that each step reads: `lows[step]`..`highs[step]`, both included.

    Both rise with the step (or stay); where high < low a step reads nothing. int64 arrays [steps]. `slide`
    says the same in closed form where the rows of a window are read. Operators alike share one object.
    """

    lows: Rows
    highs: Rows
    rows: int
    slide: Slide | None = None

    @cached_property
    def even(self) -> bool:
        """Whether it is a window, over the map in every step."""
        return self.slide is not None and self.slide.meets

    @cached_property
    def most(self) -> int:
        """The most rows that one step reads."""
        return int((self.highs - self.lows).max()) + 1

    @cached_property
    def mirrored(self) -> Span:
        """The same with the steps in reverse, and rows counted from the bottom."""
        lows, highs = self.rows - 1 - self.highs[::-1], self.rows - 1 - self.lows[::-1]
        if np.array_equal(lows, self.lows) and np.array_equal(highs, self.highs):
            return self
        return Span(lows, highs, self.rows)


@dataclass(frozen=True, eq=False)
class Making:
    """When the rows of an output are made: its first c rows are there after `until[c]` steps.

    `until` is int64 [rows + 1]. One that is made `at_end` has a single row, made in the last step, whichever
    way rows run. Operators alike share one object.
    """

    until: Rows
    at_end: bool = False

    @cached_property
    def steps(self) -> int:
        """Of the operator."""
        return int(self.until[-1])

    @cached_property
    def rows(self) -> int:
        """Of the output."""
        return len(self.until) - 1

    @cached_property
    def by(self) -> Rows:
        """The step that makes each row: [rows]."""
        return self.until[1:] - 1

    @cached_property
    def even(self) -> bool:
        """Whether every step makes one row, or the last the only one."""
        return self.at_end or self.steps == self.rows

    @cached_property
    def there(self) -> Rows:
        """How many rows there are as soon as the first c are: [rows + 1]."""
        counts: Rows = np.searchsorted(self.until, self.until, side="right").astype(np.int64) - 1
        return counts

    @cached_property
    def mirrored(self) -> Making:
        """The same with the steps in reverse, and rows counted from the bottom."""
        until = np.concatenate([[0], self.steps - self.by[::-1]])
        if self.at_end or np.array_equal(until, self.until):
            return self
        return Making(until)

    def rows_of(self, step: int) -> range:
        """The rows that a step makes."""
        first, end = np.searchsorted(self.by, (step, step + 1)).tolist()
        return range(first, end)


@lru_cache(maxsize=4096)
def made_together(rows: int, together: int = 1) -> Making:
    """So many rows a step, and in the last one what is left over."""
    until: Rows = -(-np.arange(rows + 1, dtype=np.int64) // together)
    until.flags.writeable = False
    return Making(until)


@lru_cache(maxsize=4096)
def made_at_end(steps: int) -> Making:
    """A single row in the last of so many steps."""
    return Making(np.array([0, steps], np.int64), at_end=True)


class Reading(NamedTuple):
    """Which rows of the input `tensor` each step of an operator reads."""

    tensor: int
    span: Span

    @property
    def lows(self) -> Rows:
        """The first row of each step: [steps]."""
        return self.span.lows

    @property
    def highs(self) -> Rows:
        """The last row of each step: [steps]."""
        return self.span.highs


class RowProgram(NamedTuple):
    """How one operator runs: what its steps read, and when they make the rows of `output`."""

    readings: tuple[Reading, ...]
    output: int
    making: Making

    @property
    def steps(self) -> int:
        """How many there are."""
        return self.making.steps

    @property
    def mirrored(self) -> RowProgram:
        """The same with the steps in reverse, and all rows counted from the bottom."""
        readings = tuple([Reading(reading.tensor, reading.span.mirrored) for reading in self.readings])
        return RowProgram(readings, self.output, self.making.mirrored)


def row_program(graph: Graph, operator: Operator, together: int = 1) -> RowProgram:
    """The steps of one operator of a simplified graph, each of which makes `together` rows."""
    output = operator.outputs[0]
    made = map_shape(graph.tensors[output]).rows
    if averages_rows(graph, operator):
        source = operator.inputs[0]
        rows = map_shape(graph.tensors[source]).rows
        return RowProgram((Reading(source, sliding(1, 1, 0, rows, rows)),), output, made_at_end(rows))
    above = 0
    readings = []
    making = made_together(made, together)
    for source in graph.activations_in(operator):
        rows = map_shape(graph.tensors[source]).rows
        span = _span(graph, operator, source, rows, made, above)
        readings.append(Reading(source, span if together == 1 else _of_steps(span, making)))
        above += rows
    return RowProgram(tuple(readings), output, making)


@lru_cache(maxsize=4096)
def _of_steps(span: Span, making: Making) -> Span:
    """What steps read that make several rows, by what each row is made of."""
    lasts = np.flatnonzero(np.diff(making.by, append=making.steps))
    firsts = np.concatenate([[0], lasts[:-1] + 1])
    return Span(span.lows[firsts], span.highs[lasts], span.rows)


def averages_rows(graph: Graph, operator: Operator) -> bool:
    """Whether the operator is a MEAN that runs over the rows of its input (and perhaps its columns)."""
    if operator.kind is not OpKind.MEAN:
        return False
    axes = graph.tensors[operator.inputs[1]].data
    # a graph without weights has global means alone
    return axes is None or 1 in {int(axis) % 4 for axis in np.ravel(axes)}


def _span(graph: Graph, operator: Operator, source: int, rows: int, steps: int, above: int) -> Span:
    """How `operator` reads `source`; `above` is the number of rows of the inputs before it."""
    if operator.window is not None:
        return _window_span(operator.window, rows, graph.tensors[source].shape[2], steps)
    if operator.kind in _WHOLE_INPUT:
        return sliding(rows, 0, 0, steps, rows)
    if operator.kind is OpKind.PAD:
        paddings = graph.tensors[operator.inputs[1]].data
        top = 0 if paddings is None else int(paddings[1][0])
        return sliding(1, 1, top, steps, rows)
    if operator.kind is OpKind.CONCATENATION and operator.axis == 1 and len(graph.tensors[source].shape) == 4:
        return sliding(1, 1, above, steps, rows)
    if operator.kind is OpKind.RESIZE_NEAREST_NEIGHBOR:
        picked = nearest_indices(rows, steps, operator)
        return Span(picked, picked, rows)
    # elementwise, along the row or channels alone; a single row is repeated
    return sliding(1, min(rows - 1, 1), 0, steps, rows)


@lru_cache(maxsize=4096)
def _window_span(window: Window, rows: int, columns: int, steps: int) -> Span:
    """How a window reads a map of `rows` x `columns` in so many `steps`."""
    return sliding(window.reach[0], window.stride[0], window.margins(rows, columns)[0], steps, rows)


@lru_cache(maxsize=4096)
def sliding(reach: int, stride: int, above: int, steps: int, rows: int) -> Span:
    """A window of `reach` rows, at row step * stride - above, of `rows` there are."""
    first = np.arange(steps, dtype=np.int64) * stride - above
    lows, highs = np.clip(first, 0, rows), np.clip(first + reach - 1, -1, rows - 1)
    lows.flags.writeable = highs.flags.writeable = False
    return Span(lows, highs, rows, Slide(reach, stride, above, (steps - 1) * stride - above + reach - rows))


def nearest_indices(size: int, wanted: int, operator: Operator) -> Rows:
    """Which of `size` rows (or columns) each of `wanted` ones repeats: TFLite's nearest neighbour."""
    corners = operator.align_corners and wanted > 1
    # single precision, as the kernel computes it
    scale = np.float32((size - 1) / (wanted - 1) if corners else size / wanted)
    offset = np.float32(0.5 if operator.half_pixel_centers else 0.0)
    places = (np.arange(wanted, dtype=np.float32) + offset) * scale
    picked = np.floor(places + np.float32(0.5)) if operator.align_corners else np.floor(places)
    indices: Rows = np.minimum(picked.astype(np.int64), size - 1)
    return indices
