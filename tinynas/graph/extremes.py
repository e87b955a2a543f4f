"""Layers at the ends of what typical values make of them.

Which kernels run a layer hangs on its values by bounds alone: sums of weights, scales, biases must not be too
large. So what runs a layer whose values are all as large as typical ones get, and one without any, runs every
layer between the two, and no value has to be drawn (`tinynas.graph.typical`).
"""

from __future__ import annotations

import math
from functools import lru_cache
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
from tinynas.graph.outline import PLAIN_SETTINGS, Likeness
from tinynas.graph.typical import CHANNEL_AXES, DIVISOR, KINDS, MOST_BIAS, MOST_WEIGHT, SPREAD, range_of

#: layers whose filters have about as many weights are looked at together: by so many
_STEP = 64
#: scales as they are spread, and what rounding may do to them
_SPREAD = SPREAD[0] * (1 - 1e-9), SPREAD[1] * (1 + 1e-9)
#: element types of input, weights and bias, and whether they are constant
_TYPES = (DType.INT8, False, DType.INT8, True, DType.INT32, True)
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

    @property
    def most_products(self) -> int:
        """Weights of a filter, at most."""
        return self.most * (math.prod(self.window.kernel) if self.window else 1)

    @property
    def largest_magnitude(self) -> int:
        """What the magnitudes of a filter's typical weights add up to at most."""
        return MOST_WEIGHT * self.most_products


def layers_like(likeness: Likeness, source: int) -> Layers | None:
    """Those of that likeness, whose input has values of the kind `source`.

    None for what is no layer as `GraphBuilder` makes them, of two output channels at least.
    """
    kind, window, activation = likeness.kind, likeness.window, likeness.activation
    if likeness.settings != PLAIN_SETTINGS or len(likeness.inputs) != 3:
        return None
    first, second, third = likeness.inputs
    if first is None or second is None or third is None:
        return None
    read, weights, types = first[0], second[0], (*first[1:], *second[1:], *third[1:])
    if types != _TYPES or likeness.output[1] is not DType.INT8:
        return None
    channels, seen = weights[CHANNEL_AXES[kind]], weights[-1]
    if channels < 2:
        return None
    if kind is OpKind.FULLY_CONNECTED:
        whole = math.prod(read) == seen
        return Layers(kind, activation, None, *_about(seen, 1), False, source) if whole else None
    if window is None:
        return None
    explicit = _with_margins(window, read[1], read[2])
    if kind is OpKind.DEPTHWISE_CONV_2D:
        return Layers(kind, activation, explicit, 1, 1, True, source)
    about = _about(seen, window.kernel[0] * window.kernel[1])
    return Layers(kind, activation, explicit, *about, read[3] // seen > 1, source)


@lru_cache(maxsize=1024)
def _with_margins(window: Window, rows: int, columns: int) -> Window:
    margins = window.margins(rows, columns)
    return Window(window.kernel, window.stride, Padding.EXPLICIT, window.dilation, margins)


def _about(seen: int, taps: int) -> tuple[int, int]:
    """The fewest and most input channels looked at together with `seen`, for filters of so many taps.

    Twice as many at most, since scales go by the root of their number.
    """
    step = min(max(1, _STEP // taps), 1 << (seen - 1).bit_length() >> 1 or 1)
    most = -(-seen // step) * step
    return most - step + 1, most


def extreme_layer(layers: Layers, magnitude: int) -> Graph:
    """One of `layers`, the magnitudes of whose filters' weights add up to `magnitude` each.

    Its channels have every sign and scale and the largest bias; with a magnitude of 0 all is zero. Its output
    is one pixel.
    """
    kind, window, large = layers.kind, layers.window, magnitude > 0
    kernel = window.kernel if window else ()
    operator = Operator(kind, (0, 1, 2), (3,), window, layers.activation)
    before, behind = KINDS[layers.source], range_of(kind, layers.activation)
    smallest, largest = (
        end / (DIVISOR * math.sqrt(math.prod(kernel) * seen))
        for end, seen in zip(_SPREAD, (layers.most, layers.fewest), strict=True)
    )
    scales = np.repeat([smallest, largest], len(_SIGNS)) * behind.scales[0] / before.scales[0]
    weights, biases = np.tile(_SIGNS, (2, 1)).T
    sizes = np.clip(magnitude - MOST_WEIGHT * np.arange(layers.most_products), 0, MOST_WEIGHT)
    channels, size = len(scales), tuple[int, ...]()
    if window is not None:
        (rows, columns), (top, bottom, left, right) = window.reach, window.margins(0, 0)
        size = (max(1, rows - top - bottom), max(1, columns - left - right))
    if kind is OpKind.DEPTHWISE_CONV_2D:
        read, filters = channels, np.outer(sizes, weights).reshape(1, *kernel, channels)
    else:
        read = layers.most * (2 if layers.grouped else 1)
        filters = np.outer(weights, sizes).reshape(channels, *kernel, layers.most)
    of_channels = Quantization(tuple((large * scales).tolist()), (0,) * channels, CHANNEL_AXES[kind])
    tensors = (
        Tensor("source", (1, *size, read), DType.INT8, False, before),
        _constant("weights", filters.astype(np.int8), DType.INT8, of_channels),
        _constant("bias", (large * MOST_BIAS * biases).astype(np.int32), DType.INT32),
        Tensor("made", (1, *(1 for _ in size), channels), DType.INT8, False, behind),
    )
    return Graph("extreme layer", tensors, (operator,), (0,), (3,))


def _constant(
    name: str, data: NDArray[Any], dtype: DType, quantization: Quantization | None = None
) -> Tensor:
    return Tensor(name, data.shape, dtype, True, quantization, data)
