"""Modelled cost of kernels: executed instructions of an Armv7E-M core for all rows of an operator.

Rates are of the inner loops, counted in their source, and of what surrounds them, measured by
benchmarks/speed.py. They choose between kernels; no figure that anyone is told comes from here.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinynas.elementwise import where
from tinynas.engine import winograd
from tinynas.engine.tasks import Task
from tinynas.graph import OpKind


@dataclass(frozen=True, slots=True)
class Rates:
    """Instructions a multiply-accumulate, an output value, a gathered input value."""

    product: float
    output: float
    gathered: float = 0.0

    def __call__(self, task: Task) -> float:
        """All instructions of `task`."""
        pixels, depth = task.output.rows * task.output.columns, task.depth
        made = pixels * task.output.channels
        return made * (depth * self.product + self.output) + pixels * depth * self.gathered


@dataclass(frozen=True, slots=True)
class ElementRates:
    """Instructions an output value, whatever it is made of."""

    output: float

    def __call__(self, task: Task) -> float:
        """All instructions of `task`."""
        return self.output * (task.output.rows * task.output.columns * task.output.channels)


@dataclass(frozen=True, slots=True)
class BlockRates:
    """Instructions of blocks of two channels by four, three, two and one pixels.

    `steps` are those of four values of each size of block, `ends` what is around all steps of one;
    `pixel` and `gathered` are what a pixel and each of its values take to be widened.
    """

    steps: tuple[float, float, float, float]
    ends: tuple[float, float, float, float]
    pixel: float
    gathered: float

    def __call__(self, task: Task) -> float:
        """All instructions of `task`."""
        made, depth = task.output, task.depth
        columns = 1 if task.kind is OpKind.FULLY_CONNECTED else made.columns
        pairs, products = -(-made.channels // 2), 0.0
        for number, step, end in zip(blocks_of(columns), self.steps, self.ends, strict=True):
            products = products + number * pairs * (step * -(-depth // 4) + end)
        return made.rows * (products + columns * (self.pixel + self.gathered * depth))


@dataclass(frozen=True, slots=True)
class WinogradRates:
    """Instructions of a 3 x 3 convolution by tiles of two rows and four columns (firmware/engine/winograd.c).

    Of two tiles a `step` is two input channels by four output channels of one value, `end` what is around
    all steps of one, `word` the transformation of two input channels of one tile.
    """

    step: float
    end: float
    word: float
    output: float

    def __call__(self, task: Task) -> float:
        """All instructions of `task`."""
        made, channels = task.output, task.source.channels
        steps, words = -(-made.rows // winograd.ROWS), winograd.winograd_depth(channels) // 2
        pairs_of_tiles = -(-made.columns // (winograd.TILES * winograd.COLUMNS))
        sums = winograd.WINDOW_ROWS * winograd.WINDOW_COLUMNS * -(-made.channels // winograd.FOUR)
        of_tiles = sums * (words * self.step + self.end) + winograd.TILES * words * self.word
        return steps * pairs_of_tiles * of_tiles + self.output * made.rows * made.columns * made.channels


@dataclass(frozen=True, slots=True)
class PlaneRates:
    """Instructions of a depthwise kernel of planes.

    A row of one channel is made in groups: of the last, largest of `groups`, and one of the first that holds
    what is left. Each is its outputs, its instructions, and those of each kernel row.
    Each channel takes `channel` a row of the output. Stride 2 is not told from 1.
    """

    groups: tuple[tuple[int, float, float], ...]
    channel: float

    def __call__(self, task: Task) -> float:
        """All instructions of `task`."""
        made = task.output
        rows = task.window.kernel[0] if task.window is not None else 1
        taken = {outputs: group + rows * row for outputs, group, row in self.groups}
        most = max(taken)
        left, rest = made.columns % most, 0.0
        for outputs in sorted(taken, reverse=True):
            rest = where((left > 0) & (left <= outputs), taken[outputs], rest)
        return made.rows * made.channels * (made.columns // most * taken[most] + rest + self.channel)


def blocks_of(columns: int) -> tuple[int, int, int, int]:
    """Blocks of four, three, two and one pixels that a row of `columns` is made by (tn_blocks_rows.h)."""
    fours, left = divmod(columns, 4)
    return fours, 1 * (left == 3), 1 * (left == 2), 1 * (left == 1)
