"""Packing of 3 x 3 convolutions by Winograd's F(2x4, 3x3) in exact integers (firmware/engine/winograd.c).

The transformations are those of Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2015),
section 4.1: F(2, 3) down the columns, F(4, 3) along the rows, with the weights' times 2 and times 24 so that
they are integers.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tinynas.elementwise import larger
from tinynas.engine.block_packing import pack_blocks, plain_constants
from tinynas.engine.layers import Layer, layer_of
from tinynas.engine.parameters import Blocks, Int8s, Int16s
from tinynas.graph import Graph, Operator

#: rows of an output that a step makes, and of the input that it reads; columns of a tile of each
ROWS, WINDOW_ROWS, COLUMNS, WINDOW_COLUMNS = 2, 4, 4, 6
#: tiles and output channels at a time
TILES, FOUR = 2, 4
#: channels whose values of two tiles take as much as is held
_HELD = 32

#: twice the transformation down a kernel's columns, 24 times that along its rows: [values of a tile, kernel]
_DOWN = np.array([[2, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 2]])
_ALONG = np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]])
_SCALE = 48
#: channels of a word as SXTB16 leaves them
_LANES = [0, 2, 1, 3]


def fits_winograd(layer: Layer) -> bool:
    """Whether 48 times a sum of products stays in 32 bits, whatever the inputs."""
    return bool(np.all(_SCALE * 128 * layer.magnitudes < 2**31))


def winograd_depth(channels: int) -> int:
    """Input channels in whole words."""
    return -(-channels // FOUR) * FOUR


def held_columns(channels: int) -> int:
    """Columns of an output whose values are held at a time: of few channels more, see winograd.c."""
    return TILES * COLUMNS * larger(1, _HELD // winograd_depth(channels))


def winograd_memory(channels: int, columns: int) -> int:
    """Bytes of working memory: values of all tiles held, sums of two of them, the columns of one."""
    depth, values = winograd_depth(channels), WINDOW_ROWS * WINDOW_COLUMNS
    pairs = -(-min(columns, held_columns(channels)) // (TILES * COLUMNS))
    return values * TILES * (2 * depth * pairs + 4 * FOUR) + WINDOW_COLUMNS * depth


def pack_winograd(graph: Graph, operator: Operator) -> Blocks:
    """The constants of tn_convolve_winograd; its window is that of a step.

    Raises:
        ValueError: as `layer_of`.
    """
    layer = layer_of(graph, operator)
    filters = layer.filters.reshape(layer.outputs, *layer.window.kernel, -1)
    return replace(
        pack_blocks(graph, operator, lambda ordered: winograd_weights(filters)),
        constants=plain_constants(layer, layer.output_zero).ravel(),
        depth=winograd_depth(filters.shape[3]),
        kernel_rows=WINDOW_ROWS,
        stride_rows=ROWS,
    )


def winograd_weights(filters: Int8s) -> Int16s:
    """Transformed `filters` [outputs, 3, 3, channels] as C reads them, all channels by fours.

    By fours of output channels: value of a tile, column by column, pair of input channels, output channel.
    """
    outputs, _, _, channels = filters.shape
    missing = -outputs % FOUR, winograd_depth(channels) - channels
    whole = np.pad(filters.astype(np.int64), ((0, missing[0]), (0, 0), (0, 0), (0, missing[1])))
    words = whole.reshape(-1, FOUR, 3, 3, (channels + missing[1]) // FOUR, FOUR)[..., _LANES]
    taps = words.reshape(*words.shape[:4], -1, 2)
    # o: four of outputs, f: one of them, y, x: row and column of the kernel, p, l: pair and lane, u, v: value
    values: Int16s = np.einsum("uy,vx,ofyxpl->ovupfl", _DOWN, _ALONG, taps).astype(np.int16).ravel()
    return values
