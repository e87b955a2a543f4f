"""What an operator is to do, whatever its values and whichever kernel does it: shapes.

A task may stand for many operators of one kind and window: its numbers are then arrays, an element for each.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from tinynas.elementwise import larger, smaller
from tinynas.engine.rows import MapShape, shape_of
from tinynas.graph import OpKind, Window
from tinynas.graph.outline import MOST_REMEMBERED, Likeness

#: kinds with weights
WEIGHTED = (OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D, OpKind.FULLY_CONNECTED)
#: arrays of fewer take longer than one task after the other
_SEVERAL = 4


class Task(NamedTuple):
    """One operator.

    `source` is its first input and `other` its second, if any, `read_bytes` are those of all that are feature
    maps; `depth` is the products of an output value, 0 without weights.
    """

    kind: OpKind
    window: Window | None
    source: MapShape
    other: MapShape | None
    output: MapShape
    read_bytes: int
    depth: int
    groups: int

    @property
    def map_bytes(self) -> int:
        """Bytes of the feature maps that it reads and makes, together."""
        return self.read_bytes + self.output.bytes

    @property
    def padded(self) -> tuple[int, int]:
        """Rows and columns of the output whose window is partly outside of the source."""
        window, source, output = self.window, self.source, self.output
        if window is None:
            return 0, 0
        (top, _, left, _), (rows, columns) = window.margins(source.rows, source.columns), window.reach
        return (
            _outside(output.rows, window.stride[0], rows, top, source.rows),
            _outside(output.columns, window.stride[1], columns, left, source.columns),
        )

    @property
    def rows_inside(self) -> int:
        """Rows of the window that are inside of the source, in all steps together."""
        window, rows, steps = self.window, self.source.rows, self.output.rows
        if window is None:
            return 0
        top, reach, stride = window.margins(rows, self.source.columns)[0], window.reach[0], window.stride[0]
        last = (steps - 1) * stride - top
        # those above the first row, and from the last step on backwards those below the last one
        above, below = _falling(top, stride, steps), _falling(last + reach - rows, stride, steps)
        return steps * reach - above - below


def _outside(steps: int, stride: int, reach: int, before: int, size: int) -> int:
    first = -(-before // stride)
    last = (size + before - reach) // stride
    return steps - larger(0, smaller(last, steps - 1) - first + 1)


def _falling(first: int, by: int, most: int) -> int:
    """The sum of first, first - by, first - 2 by, ..., of `most` numbers those above zero."""
    count = smaller(larger(0, -(-first // by)), most)
    return count * first - by * (count * (count - 1) // 2)


@lru_cache(maxsize=MOST_REMEMBERED)
def task_of(operators: Likeness) -> Task:
    """The task of operators of that likeness."""
    output = shape_of(*operators.output[:2])
    maps = [shape_of(shape, dtype) for shape, dtype, _ in operators.maps] or [output]
    kind, depth, groups = operators.kind, 0, 1
    if kind in WEIGHTED and (second := operators.inputs[1]) is not None:
        weights = second[0]
        depth = math.prod(weights) // weights[3 if kind is OpKind.DEPTHWISE_CONV_2D else 0]
        groups = maps[0].channels // weights[3] if kind is OpKind.CONV_2D else 1
    other = maps[1] if len(maps) > 1 else None
    read = sum([each.bytes for each in maps])
    return Task(kind, operators.window, maps[0], other, output, read, depth, groups)


def stack(tasks: Sequence[Task]) -> Task:
    """One task that stands for all of `tasks`, which have one kind and window, and as many inputs."""
    first = tasks[0]
    others = [task.other for task in tasks if task.other is not None]
    numbers = np.array([(task.read_bytes, task.depth, task.groups) for task in tasks])
    return Task(
        first.kind,
        first.window,
        _stacked([task.source for task in tasks]),
        _stacked(others) if others else None,
        _stacked([task.output for task in tasks]),
        *numbers.T,
    )


def for_each(tasks: Sequence[Task], tell: Callable[[Task], Sequence[float]]) -> Sequence[Sequence[float]]:
    """What is told of each of `tasks`, of all together where there are several; they are as for `stack`."""
    if len(tasks) < _SEVERAL:
        return [tell(task) for task in tasks]
    columns = [np.broadcast_to(column, len(tasks)) for column in tell(stack(tasks))]
    rows: list[list[float]] = np.transpose(columns).tolist()
    return rows


def _stacked(shapes: Sequence[MapShape]) -> MapShape:
    return MapShape(*np.array([(each.rows, each.columns, each.channels, each.element) for each in shapes]).T)
