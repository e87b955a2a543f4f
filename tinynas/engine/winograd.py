"""Packing of 3 x 3 convolutions by Winograd's F(4,3) in exact integers (firmware/engine/winograd.c).

The transformations are those of Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2015),
section 4.1.2, with the weights' times 24 so that they are integers.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tinynas.engine.block_packing import pack_blocks
from tinynas.engine.layers import Layer
from tinynas.engine.parameters import Blocks, Int8s, Int16s
from tinynas.graph import Graph, Operator

#: 24 times the transformation of a kernel row: [values of a tile, columns of the kernel]
_WEIGHTS = np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]])
_SCALE = 24
#: rows and columns of the kernel, and output channels at a time
_KERNEL, _FOUR = 3, 4


def fits_winograd(layer: Layer) -> bool:
    """Whether 24 times a sum of products stays in 32 bits, whatever the inputs."""
    sums = np.abs(layer.filters.astype(np.int64)).sum(axis=1)
    return bool(np.all(_SCALE * 128 * sums < 2**31))


def pack_winograd(graph: Graph, operator: Operator) -> Blocks:
    """The constants of tn_convolve_winograd.

    Raises:
        ValueError: as `layer_of`.
    """
    channels = graph.tensors[operator.inputs[0]].shape[3]
    return replace(
        pack_blocks(graph, operator, lambda ordered: winograd_weights(ordered, channels)),
        depth=_KERNEL * channels,
    )


def winograd_weights(ordered: Int8s, channels: int) -> Int16s:
    """Transformed filters [outputs, 9 * channels], channels of each tap in SXTB16's order, as C reads them.

    By fours of output channels: value of a tile, kernel row, pair of input channels, output channel.
    """
    taps = ordered.reshape(-1, _FOUR, _KERNEL, _KERNEL, channels // 2, 2).astype(np.int64)
    # o: four of outputs, f: one of them, y, x: row and column of the kernel, p, l: pair and lane, v: value
    values: Int16s = np.einsum("vx,ofyxpl->ovypfl", _WEIGHTS, taps).astype(np.int16).ravel()
    return values
