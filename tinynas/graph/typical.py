"""Weights and quantisation for a network that has none yet, such as training and the converter make them.

Which kernels a network may use, and how its constants are packed, depends on zero points, scales and sums of
weights. Before a network is trained nobody knows them, but they hardly differ between networks: a map behind
a rectifier has the zero point -128, and a sum over n products is divided by about 20 times the root of n.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinynas.graph.ir import Activation, DType, Graph, Operator, OpKind, Quantization, Tensor

#: int8 = pixel - 128, see `tinynas.data.pixels`
_PICTURE = Quantization((1 / 64,), (0,))
#: what rectifiers leave, up to the 6 of RELU6; what nothing clamps; what lies between 0 and 1
_RECTIFIED = Quantization((6 / 255,), (-128,))
_PLAIN = Quantization((1 / 20,), (2,))
_SHARE = Quantization((1 / 256,), (-128,))
#: weights are as often one number of this range as another: most are well below the 127 of the largest
_MOST_WEIGHT, _MOST_BIAS = 64, 4000
#: a sum of n products is divided by this times the root of n; maps and channels differ by so much
_DIVISOR, _SPREAD = 20.0, (0.5, 1.4)

_SHARES = (OpKind.LOGISTIC, OpKind.SOFTMAX)
#: kinds whose output is quantised as their input
_KEEPS = (
    OpKind.MEAN,
    OpKind.AVERAGE_POOL_2D,
    OpKind.MAX_POOL_2D,
    OpKind.PAD,
    OpKind.RESHAPE,
    OpKind.TRANSPOSE,
    OpKind.RESIZE_NEAREST_NEIGHBOR,
)
_CHANNEL_AXES = {OpKind.CONV_2D: 0, OpKind.DEPTHWISE_CONV_2D: 3, OpKind.FULLY_CONNECTED: 0}


def with_typical_constants(graph: Graph) -> Graph:
    """`graph`, made of what `GraphBuilder` makes, with all that it lacks of constants and quantisation.

    The same graph always gets the same ones, and no two of its constants are alike.
    """
    rng, tensors = np.random.default_rng(0), list(graph.tensors)
    for index in graph.inputs:
        tensors[index] = _quantised(tensors[index], _PICTURE)
    for operator in graph.operators:
        source = tensors[operator.inputs[0]].quantization or _PLAIN
        (made,) = operator.outputs
        tensors[made] = _quantised(tensors[made], _output(operator, source, rng))
        for place, index in enumerate(operator.inputs):
            if index >= 0 and tensors[index].constant:
                tensors[index] = _constant(tensors[index], place, operator, rng)
        if operator.kind in _CHANNEL_AXES:
            weights = operator.inputs[1]
            scales = _weight_scales(tensors[weights], operator, source, tensors[made].quantization, rng)
            tensors[weights] = _quantised(tensors[weights], scales)
    return replace(graph, tensors=tuple(tensors))


def _output(operator: Operator, source: Quantization, rng: np.random.Generator) -> Quantization:
    if operator.kind in _KEEPS:
        return source
    if operator.kind in _SHARES:
        return _SHARE
    if operator.activation is Activation.NONE:
        return replace(_PLAIN, scales=(_PLAIN.scales[0] * rng.uniform(*_SPREAD),))
    return _RECTIFIED


def _constant(tensor: Tensor, place: int, operator: Operator, rng: np.random.Generator) -> Tensor:
    """Weights, a bias, or the axes of a mean over rows and columns."""
    if tensor.data is not None:
        return tensor
    values: NDArray[Any]
    if operator.kind is OpKind.MEAN:
        values = np.arange(1, 1 + tensor.elements, dtype=np.int32)
    elif tensor.dtype is DType.INT8:
        values = rng.integers(-_MOST_WEIGHT, _MOST_WEIGHT, tensor.shape, dtype=np.int8, endpoint=True)
    else:
        values = rng.integers(-_MOST_BIAS, _MOST_BIAS, tensor.shape, dtype=np.int32)
    return replace(tensor, data=values)


def _weight_scales(
    weights: Tensor,
    operator: Operator,
    source: Quantization,
    made: Quantization | None,
    rng: np.random.Generator,
) -> Quantization:
    """A scale a channel, that makes the sums fill the output."""
    axis = _CHANNEL_AXES[operator.kind]
    channels = weights.shape[axis]
    factor = 1 / (_DIVISOR * math.sqrt(weights.elements / channels))
    typical = factor * (made or _PLAIN).scales[0] / source.scales[0]
    scales = typical * rng.uniform(*_SPREAD, channels)
    return Quantization(tuple(scales.tolist()), (0,) * channels, axis)


def _quantised(tensor: Tensor, quantization: Quantization) -> Tensor:
    if tensor.quantization is not None:
        return tensor
    return replace(tensor, quantization=quantization)
