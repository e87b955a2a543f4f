"""Operators as the engine runs them: step by step, each reading some rows of its inputs and writing some.

A step of most operators makes one row of the output. A mean over rows takes one row of its input a step and
writes in its last one; what turns a whole map around (dense layers, transposes) reads all its rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tinynas.graph import Graph, Operator, OpKind, Tensor
from tinynas.graph.passes.rewrite import feature_map

Rows = NDArray[np.int64]

_WHOLE_INPUT = {OpKind.FULLY_CONNECTED, OpKind.RESHAPE, OpKind.TRANSPOSE}


@dataclass(frozen=True, slots=True)
class MapShape:
    """A tensor as rows of columns of channels; `element` is the size of an element in bytes."""

    rows: int
    columns: int
    channels: int
    element: int

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return self.columns * self.channels * self.element

    @property
    def bytes(self) -> int:
        """Bytes of the whole map."""
        return self.rows * self.row_bytes


def map_shape(tensor: Tensor) -> MapShape:
    """NHWC tensors by their rows; those of fewer axes are one row."""
    return MapShape(*feature_map(tensor.shape), tensor.dtype.size)


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """Which rows of one input each step of an operator reads: `lows[step]`..`highs[step]`, both included.

    Both rise with the step (or stay); where high < low a step reads nothing. int64 arrays [steps].
    """

    tensor: int
    lows: Rows
    highs: Rows

    def mirrored(self, rows: int) -> Reading:
        """The same with the steps in reverse, and the input's `rows` counted from the bottom."""
        return Reading(self.tensor, rows - 1 - self.highs[::-1], rows - 1 - self.lows[::-1])


@dataclass(frozen=True, slots=True, eq=False)
class RowProgram:
    """How one operator runs: `steps` of them, each writing row `step` of `output`.

    One that writes `at_end` writes its only row in its last step.
    """

    readings: tuple[Reading, ...]
    output: int
    steps: int
    at_end: bool = False

    def steps_until(self, row: int) -> int:
        """How many steps it takes until `row` of the output is there."""
        return self.steps if self.at_end else row + 1


def row_program(graph: Graph, operator: Operator) -> RowProgram:
    """The steps of one operator of a simplified graph."""
    output = operator.outputs[0]
    made = map_shape(graph.tensors[output])
    if averages_rows(graph, operator):
        source = operator.inputs[0]
        rows = map_shape(graph.tensors[source]).rows
        return RowProgram((_reading(source, 1, 1, 0, rows, rows),), output, rows, at_end=True)
    sources = [i for i in operator.inputs if i >= 0 and not graph.tensors[i].constant]
    above = 0
    readings = []
    for source in sources:
        rows = map_shape(graph.tensors[source]).rows
        readings.append(_read(graph, operator, source, rows, made.rows, above))
        above += rows
    return RowProgram(tuple(readings), output, made.rows)


def averages_rows(graph: Graph, operator: Operator) -> bool:
    """Whether the operator is a MEAN that runs over the rows of its input (and perhaps its columns)."""
    if operator.kind is not OpKind.MEAN:
        return False
    axes = graph.tensors[operator.inputs[1]].data
    # a graph without weights has global means alone
    return axes is None or 1 in {int(axis) % 4 for axis in np.ravel(axes)}


def _read(graph: Graph, operator: Operator, source: int, rows: int, steps: int, above: int) -> Reading:
    """How `operator` reads `source`; `above` is the number of rows of the inputs before it."""
    if operator.kind in _WHOLE_INPUT:
        return _reading(source, rows, 0, 0, steps, rows)
    if operator.window is not None:
        columns = graph.tensors[source].shape[2]
        top = operator.window.margins(rows, columns)[0]
        reach = (operator.window.kernel[0] - 1) * operator.window.dilation[0] + 1
        return _reading(source, reach, operator.window.stride[0], top, steps, rows)
    if operator.kind is OpKind.PAD:
        paddings = graph.tensors[operator.inputs[1]].data
        top = 0 if paddings is None else int(paddings[1][0])
        return _reading(source, 1, 1, top, steps, rows)
    if operator.kind is OpKind.CONCATENATION and operator.axis == 1 and len(graph.tensors[source].shape) == 4:
        return _reading(source, 1, 1, above, steps, rows)
    if operator.kind is OpKind.RESIZE_NEAREST_NEIGHBOR:
        picked = nearest_indices(rows, steps, operator)
        return Reading(source, picked, picked)
    # elementwise, along the row or channels alone; a single row is repeated
    return _reading(source, 1, min(rows - 1, 1), 0, steps, rows)


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


def _reading(source: int, reach: int, stride: int, before: int, steps: int, rows: int) -> Reading:
    return Reading(source, *_spans(reach, stride, before, steps, rows))


@lru_cache(maxsize=4096)
def _spans(reach: int, stride: int, before: int, steps: int, rows: int) -> tuple[Rows, Rows]:
    """Rows first..last of a window of `reach` rows, at row step * stride - before, of `rows` there are."""
    first = np.arange(steps, dtype=np.int64) * stride - before
    lows, highs = np.clip(first, 0, rows), np.clip(first + reach - 1, -1, rows - 1)
    lows.flags.writeable = highs.flags.writeable = False
    return lows, highs
