"""Layers at the ends of what typical values make of them.

Which kernels run a layer hangs on its values by bounds alone: sums of weights, scales, biases must not be too
large. So what runs a layer whose values are all as large as typical ones get, and one without any, runs every
layer between the two, and no value has to be drawn (`tinynas.graph.typical`).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tinynas.graph.ir import (
    Activation,
    DType,
    Graph,
    Operator,
    OpKind,
    Padding,
    Quantization,
    Tensor,
    Window,
)
from tinynas.graph.typical import CHANNEL_AXES, DIVISOR, KINDS, MOST_BIAS, MOST_WEIGHT, SPREAD, range_of

#: layers whose filters have about as many weights are looked at together: by so many
_STEP = 64
#: scales as they are spread, and what rounding may do to them
_SPREAD = SPREAD[0] * (1 - 1e-9), SPREAD[1] * (1 + 1e-9)
#: every sign of weights with every sign of the bias
_SIGNS = np.array([(1, 1), (1, -1), (-1, 1), (-1, -1)])


class Layers(NamedTuple):
    """Layers without values that are alike but for their output channels and the sizes of their maps.

    A filter sees from `fewest` to `most` input channels, all there are unless `grouped`. Margins are in the
    `window`; `source` is the kind of values of the input (`typical_kinds`).
    """

    kind: OpKind
    activation: Activation
    window: Window | None
    fewest: int
    most: int
    grouped: bool
    source: int


def layers_like(graph: Graph, operator: Operator, source: int) -> Layers | None:
    """Those that `operator` is one of, whose input has values of the kind `source`.

    None for what is no layer as `GraphBuilder` makes them, of two output channels at least.
    """
    if operator.kind not in CHANNEL_AXES or len(operator.inputs) != 3 or operator.depth_multiplier != 1:
        return None
    read, weights, bias = (graph.tensors[i] for i in operator.inputs)
    made = graph.tensors[operator.outputs[0]]
    channels, seen = weights.shape[CHANNEL_AXES[operator.kind]], weights.shape[-1]
    dtypes = (read.dtype, weights.dtype, bias.dtype, made.dtype)
    if dtypes != (DType.INT8, DType.INT8, DType.INT32, DType.INT8) or not (
        weights.constant and bias.constant
    ):
        return None
    if read.constant or channels < 2 or made.shape[-1] != channels:
        return None
    window = operator.window
    if operator.kind is OpKind.FULLY_CONNECTED:
        if window is not None or read.elements != seen:
            return None
        return Layers(operator.kind, operator.activation, None, *_about(seen, 1), False, source)
    if window is None:
        return None
    margins = window.margins(read.shape[1], read.shape[2])
    window = Window(window.kernel, window.stride, Padding.EXPLICIT, window.dilation, margins)
    if operator.kind is OpKind.DEPTHWISE_CONV_2D:
        return Layers(operator.kind, operator.activation, window, 1, 1, True, source)
    grouped = read.shape[-1] // seen > 1
    return Layers(
        operator.kind, operator.activation, window, *_about(seen, math.prod(window.kernel)), grouped, source
    )


def _about(seen: int, taps: int) -> tuple[int, int]:
    """The fewest and most input channels that are looked at together with `seen`."""
    step = max(1, _STEP // taps)
    most = -(-seen // step) * step
    return most - step + 1, most


def extreme_layer(layers: Layers, *, large: bool) -> Graph:
    """One of `layers`, whose values are as `large` as any of them typically has, or all zero.

    Its channels have every sign and scale, its output is one pixel.
    """
    kind, window = layers.kind, layers.window
    kernel = window.kernel if window else ()
    operator = Operator(kind, (0, 1, 2), (3,), window, layers.activation)
    before, behind = KINDS[layers.source], range_of(operator)
    smallest, largest = (
        end / (DIVISOR * math.sqrt(math.prod(kernel) * seen))
        for end, seen in zip(_SPREAD, (layers.most, layers.fewest), strict=True)
    )
    scales = np.repeat([smallest, largest], len(_SIGNS)) * behind.scales[0] / before.scales[0]
    weights, biases = np.tile(_SIGNS, (2, 1)).T
    channels, size = len(scales), tuple[int, ...]()
    if window is not None:
        (rows, columns), (top, bottom, left, right) = window.reach, window.margins(0, 0)
        size = (max(1, rows - top - bottom), max(1, columns - left - right))
    if kind is OpKind.DEPTHWISE_CONV_2D:
        read, filters = channels, np.broadcast_to(weights, (1, *kernel, channels))
    else:
        read = layers.most * (2 if layers.grouped else 1)
        each = weights.reshape(channels, *(1 for _ in kernel), 1)
        filters = np.broadcast_to(each, (channels, *kernel, layers.most))
    of_channels = Quantization(tuple((large * scales).tolist()), (0,) * channels, CHANNEL_AXES[kind])
    tensors = (
        Tensor("source", (1, *size, read), DType.INT8, False, before),
        _constant("weights", (large * MOST_WEIGHT * filters).astype(np.int8), DType.INT8, of_channels),
        _constant("bias", (large * MOST_BIAS * biases).astype(np.int32), DType.INT32),
        Tensor("made", (1, *(1 for _ in size), channels), DType.INT8, False, behind),
    )
    return Graph("extreme layer", tensors, (operator,), (0,), (3,))


def _constant(
    name: str, data: NDArray[Any], dtype: DType, quantization: Quantization | None = None
) -> Tensor:
    return Tensor(name, data.shape, dtype, True, quantization, data)
