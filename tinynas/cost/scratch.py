"""Scratch memory that TFLite Micro's kernels ask for on top of the activations.

The rules are those of the kernels' own sources: tflite-micro@90b983c (reference kernels) and
CMSIS-NN@99f736a (`*_get_buffer_size` for cores with DSP but no MVE). A request lives while its operator
runs and is part of the head's plan. Sizes are plain arithmetic: numbers, or arrays for many networks.
"""

from __future__ import annotations

import enum

import numpy as np
from numpy.typing import NDArray

from tinynas.cost.counts import Int
from tinynas.graph import DType, Graph, Operator, OpKind


class Kernels(enum.Enum):
    """Which implementation of the operators the firmware links."""

    NONE = "none"
    REFERENCE = "reference"
    CMSIS_NN = "cmsis-nn"


def conv_scratch(kernels: Kernels, kernel: Int, in_channels: Int) -> Int:
    """Bytes a CONV_2D asks for; `kernel` is the number of taps (rows x columns), undilated.

    CMSIS-NN unrolls two columns of the input as int16; 1 x 1 convolutions read it in place.
    """
    if kernels is not Kernels.CMSIS_NN:
        return 0 * (kernel * in_channels)
    columns = -(-(kernel * in_channels) // 4) * 4
    return _unless(kernel == 1, 4 * columns)


def depthwise_scratch(kernels: Kernels, kernel: Int, channels: Int) -> Int:
    """Bytes a DEPTHWISE_CONV_2D of multiplier 1 asks for; `kernel` is the number of taps of a square.

    CMSIS-NN has a 3 x 3 kernel that needs none; all others unroll one int16 column.
    """
    if kernels is not Kernels.CMSIS_NN:
        return 0 * (kernel * channels)
    return _unless(kernel == 9, 2 * kernel * channels)


def mean_scratch(elements: Int, rank: int, axes: int, integer: bool = True) -> tuple[Int, ...]:
    """Bytes of the requests of a MEAN to `elements` outputs: sums, an index, the axes. All kernels alike."""
    index: tuple[Int, ...] = (4 * rank, 4 * axes)
    return (4 * elements, *index) if integer else index


def requests(graph: Graph, operator: Operator, kernels: Kernels) -> tuple[int, ...]:
    """Bytes of every scratch request of one operator, in the order in which it makes them."""
    source, result = graph.tensors[operator.inputs[0]], graph.tensors[operator.outputs[0]]
    integer = source.dtype in (DType.INT8, DType.INT16)
    if operator.kind is OpKind.MEAN:
        axes = graph.tensors[operator.inputs[1]].elements
        return _ints(mean_scratch(result.elements, len(source.shape), axes, integer))
    if kernels is not Kernels.CMSIS_NN or source.dtype is not DType.INT8:
        return ()
    if operator.kind is OpKind.AVERAGE_POOL_2D:
        return (4 * source.shape[3],)
    if operator.window is None:
        return ()
    rows, columns = operator.window.kernel
    dilated = operator.window.dilation != (1, 1)
    if operator.kind is OpKind.CONV_2D:
        size = conv_scratch(kernels, rows * columns, source.shape[3])
    elif operator.kind is OpKind.DEPTHWISE_CONV_2D and operator.depth_multiplier == 1 and not dilated:
        size = depthwise_scratch(kernels, rows * columns, source.shape[3])
    else:
        return ()
    return (int(size),) if size else ()


def _unless(absent: bool | NDArray[np.bool_], size: Int) -> Int:
    """`size`, but 0 where `absent`."""
    return size * ~absent if isinstance(absent, np.ndarray) else 0 if absent else size


def _ints(sizes: tuple[Int, ...]) -> tuple[int, ...]:
    return tuple(int(size) for size in sizes)


def scratch_of(graph: Graph, kernels: Kernels) -> dict[int, tuple[int, ...]]:
    """The requests in bytes of every operator of `graph`, by its index."""
    return {index: tuple(requests(graph, op, kernels)) for index, op in enumerate(graph.operators)}
