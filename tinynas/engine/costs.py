"""Modelled cost of kernels: executed instructions of an Armv7E-M core for all rows of an operator.

Rates are of the inner loops, counted in their source, and of what surrounds them, measured by
benchmarks/speed.py. They choose between kernels; no figure that anyone is told comes from here.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinynas.engine import winograd
from tinynas.engine.rows import map_shape
from tinynas.graph import Graph, Operator, OpKind


@dataclass(frozen=True, slots=True)
class Rates:
    """Instructions a multiply-accumulate, an output value, a gathered input value."""

    product: float
    output: float
    gathered: float = 0.0

    def __call__(self, graph: Graph, operator: Operator) -> float:
        """All instructions of `operator`."""
        made = graph.tensors[operator.outputs[0]].elements
        depth = depth_of(graph, operator)
        pixels = made // map_shape(graph.tensors[operator.outputs[0]]).channels
        return made * (depth * self.product + self.output) + pixels * depth * self.gathered


@dataclass(frozen=True, slots=True)
class ElementRates:
    """Instructions an output value, whatever it is made of."""

    output: float

    def __call__(self, graph: Graph, operator: Operator) -> float:
        """All instructions of `operator`."""
        return self.output * graph.tensors[operator.outputs[0]].elements


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

    def __call__(self, graph: Graph, operator: Operator) -> float:
        """All instructions of `operator`."""
        made = map_shape(graph.tensors[operator.outputs[0]])
        depth = depth_of(graph, operator)
        columns = 1 if operator.kind is OpKind.FULLY_CONNECTED else made.columns
        blocks = blocks_of(columns)
        pairs = -(-made.channels // 2)
        products = sum(
            number * pairs * (step * -(-depth // 4) + end)
            for number, step, end in zip(blocks, self.steps, self.ends, strict=True)
        )
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

    def __call__(self, graph: Graph, operator: Operator) -> float:
        """All instructions of `operator`."""
        made = map_shape(graph.tensors[operator.outputs[0]])
        channels = map_shape(graph.tensors[operator.inputs[0]]).channels
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

    def __call__(self, graph: Graph, operator: Operator) -> float:
        """All instructions of `operator`."""
        made = map_shape(graph.tensors[operator.outputs[0]])
        rows = operator.window.kernel[0] if operator.window is not None else 1
        taken = {outputs: group + rows * row for outputs, group, row in self.groups}
        most = max(taken)
        whole, left = divmod(made.columns, most)
        rest = next(taken[outputs] for outputs in taken if outputs >= left) if left else 0
        return made.rows * made.channels * (whole * taken[most] + rest + self.channel)


def blocks_of(columns: int) -> tuple[int, int, int, int]:
    """Blocks of four, three, two and one pixels that a row of `columns` is made by (tn_blocks_rows.h)."""
    fours, left = divmod(columns, 4)
    return fours, int(left == 3), int(left == 2), int(left == 1)


def depth_of(graph: Graph, operator: Operator) -> int:
    """Products of an output value."""
    weights = graph.tensors[operator.inputs[1]]
    if operator.kind is OpKind.DEPTHWISE_CONV_2D:
        return weights.elements // weights.shape[3]
    return weights.elements // weights.shape[0]
