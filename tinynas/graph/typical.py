"""Weights and quantisation for a network that has none yet, such as training and the converter make them.

Which kernels a network may use, and how its constants are packed, depends on zero points, scales and sums of
weights. Before a network is trained nobody knows them, but they hardly differ between networks: a map behind
a rectifier has the zero point -128, and a sum over n products is divided by about 20 times the root of n.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from tinynas.graph.ir import Activation, DType, Graph, Operator, OpKind, Quantization, Tensor
from tinynas.graph.outline import Likeness, Shape

#: int8 = pixel - 128, see `tinynas.data.pixels`
_PICTURE = Quantization((1 / 64,), (0,))
#: what rectifiers leave, up to the 6 of RELU6; what nothing clamps; what lies between 0 and 1
_RECTIFIED = Quantization((6 / 255,), (-128,))
_PLAIN = Quantization((1 / 20,), (2,))
_SHARE = Quantization((1 / 256,), (-128,))
#: the kinds of values that maps have, by number
KINDS = (_PICTURE, _RECTIFIED, _PLAIN, _SHARE)
#: the kind of values that pictures have
PICTURE = KINDS.index(_PICTURE)
#: weights are as often one number of this range as another: most are well below the 127 of the largest
MOST_WEIGHT, MOST_BIAS = 64, 4000
#: weights that are drawn before they come again: a prime, so that no two channels are equal
_DRAWN = 8191
#: a sum of n products is divided by this times the root of n; maps and channels differ by so much
DIVISOR, SPREAD = 20.0, (0.5, 1.4)

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
CHANNEL_AXES = {OpKind.CONV_2D: 0, OpKind.DEPTHWISE_CONV_2D: 3, OpKind.FULLY_CONNECTED: 0}
#: kinds whose outputs each see several input channels, along the last axis of the weights
_MIXES = (OpKind.CONV_2D, OpKind.FULLY_CONNECTED)


def with_typical_constants(graph: Graph) -> Graph:
    """`graph`, made of what `GraphBuilder` makes, with all that it lacks of constants and quantisation.

    Layers alike get the same values in another order, so that whatever kernel can run one can run all of
    them, in every graph, and no two constants are equal; the same graph always gets the same ones.
    """
    tensors, met = list(graph.tensors), Counter[str]()
    for index in graph.inputs:
        tensors[index] = _quantised(tensors[index], _PICTURE)
    for operator in graph.operators:
        alike = _alike(graph, operator)
        _fill(tensors, operator, alike, _Order(met[alike]))
        met[alike] += 1
    return replace(graph, tensors=tuple(tensors))


def with_typical_operator(graph: Graph, index: int, kinds: Sequence[int]) -> Graph:
    """`graph`, which has no values, with those of operator `index`; `kinds` are those of `typical_kinds`."""
    tensors, operator = list(graph.tensors), graph.operators[index]
    for source in graph.activations_in(operator):
        tensors[source] = _quantised(tensors[source], KINDS[kinds[source]])
    _fill(tensors, operator, _alike(graph, operator), _Order(0))
    return replace(graph, tensors=tuple(tensors))


def _fill(tensors: list[Tensor], operator: Operator, alike: str, order: _Order) -> None:
    """Give the constants and the output of `operator` among `tensors` what they lack."""
    rng = _generator(alike)
    source = tensors[operator.inputs[0]].quantization or _PLAIN
    (made,) = operator.outputs
    tensors[made] = _quantised(tensors[made], _output(operator, source, rng))
    for place, index in enumerate(operator.inputs):
        if index >= 0 and tensors[index].constant:
            tensors[index] = _constant(tensors[index], place, operator, rng, order)
    if operator.kind in CHANNEL_AXES:
        weights = operator.inputs[1]
        scales = _weight_scales(tensors[weights], operator, source, tensors[made].quantization, rng, order)
        tensors[weights] = _quantised(tensors[weights], scales)


def typical_kinds(graph: Graph, source: int = PICTURE) -> list[int]:
    """What kind of values every tensor of `graph` typically has, which has none: a number for each kind.

    Operators alike whose inputs have the same kinds can be run by the same kernels. `source` is the kind of
    the inputs: not that of pictures where the graph is a part of a network.
    """
    kinds = [KINDS.index(_PLAIN)] * len(graph.tensors)
    for index in graph.inputs:
        kinds[index] = source
    for operator in graph.operators:
        kinds[operator.outputs[0]] = made_kind(operator.kind, operator.activation, kinds[operator.inputs[0]])
    return kinds


@lru_cache
def made_kind(kind: OpKind, activation: Activation, source: int) -> int:
    """The kind of values that an operator makes of such as `source` says."""
    return source if kind in _KEEPS else KINDS.index(range_of(kind, activation))


@dataclass(frozen=True, slots=True)
class _Order:
    """Where the values of one of several layers alike stand: in the first one, as they are drawn.

    Pairs of output channels change places with pairs, and input channels with one another: what kernels ask
    of weights holds in any such order.
    """

    number: int

    def outputs(self, values: NDArray[Any], axis: int) -> NDArray[Any]:
        """`values` with other channels along `axis`; of an odd number the last three stay."""
        channels = values.shape[axis]
        pairs = channels // 2 - channels % 2
        if not self.number or pairs < 2:
            return values
        moved = np.random.default_rng(self.number).permutation(pairs)
        order = np.arange(channels)
        order[: 2 * pairs] = (2 * moved[:, None] + [0, 1]).ravel()
        return values.take(order, axis)

    def inputs(self, values: NDArray[Any]) -> NDArray[Any]:
        """`values` with other input channels, the last axis."""
        if not self.number:
            return values
        return values.take(np.random.default_rng(self.number).permutation(values.shape[-1]), -1)


def largest_magnitude(operators: Likeness) -> int:
    """What the magnitudes of the typical weights of a filter add up to at most, if not depthwise.

    Filters are stretches of what is drawn, one after the other, so that is so of the largest stretch.
    """
    constants = [face[0] for face in operators.inputs if face is not None and face[2]]
    rng = _generator(_words(operators.kind, operators.activation, constants))
    if range_of(operators.kind, operators.activation) is _PLAIN:
        rng.uniform(*SPREAD)
    channels, *filters = constants[0]
    drawn = np.abs(_draw_weights(rng, channels * math.prod(filters)), dtype=np.int64)
    cycles, rest = divmod(math.prod(filters), len(drawn))
    sums = np.concatenate([[0], np.cumsum(np.tile(drawn, 2))])
    return int(cycles * drawn.sum() + (sums[rest : rest + len(drawn)] - sums[: len(drawn)]).max())


def _draw_weights(rng: np.random.Generator, elements: int) -> NDArray[np.int8]:
    """The weights of a layer of so many, or as many of them as come before they repeat."""
    return rng.integers(-MOST_WEIGHT, MOST_WEIGHT, min(elements, _DRAWN), dtype=np.int8, endpoint=True)


def _generator(alike: str) -> np.random.Generator:
    """What draws the values of layers that share these words."""
    return np.random.default_rng(crc32(alike.encode()))


def _alike(graph: Graph, operator: Operator) -> str:
    """What tells layers apart that get other values."""
    return _words(operator.kind, operator.activation, [each.shape for each in graph.constants_in(operator)])


def _words(kind: OpKind, activation: Activation, constants: Sequence[Shape]) -> str:
    return f"{kind.value} {activation.value} {[*constants]}"


def _output(operator: Operator, source: Quantization, rng: np.random.Generator) -> Quantization:
    if operator.kind in _KEEPS:
        return source
    if (found := range_of(operator.kind, operator.activation)) is _PLAIN:
        return replace(_PLAIN, scales=(_PLAIN.scales[0] * rng.uniform(*SPREAD),))
    return found


def range_of(kind: OpKind, activation: Activation) -> Quantization:
    """Of an operator's output, that is not quantised as its input."""
    if kind in _SHARES:
        return _SHARE
    return _PLAIN if activation is Activation.NONE else _RECTIFIED


def _constant(
    tensor: Tensor, place: int, operator: Operator, rng: np.random.Generator, order: _Order
) -> Tensor:
    """Weights, a bias, or the axes of a mean over rows and columns."""
    if tensor.data is not None:
        return tensor
    values: NDArray[Any]
    if operator.kind is OpKind.MEAN:
        values = np.arange(1, 1 + tensor.elements, dtype=np.int32)
    elif tensor.dtype is DType.INT8:
        values = np.resize(_draw_weights(rng, tensor.elements), tensor.shape)
        if operator.kind in CHANNEL_AXES:
            values = order.outputs(values, CHANNEL_AXES[operator.kind])
        if operator.kind in _MIXES:
            values = order.inputs(values)
    else:
        values = order.outputs(rng.integers(-MOST_BIAS, MOST_BIAS, tensor.shape, dtype=np.int32), 0)
    return replace(tensor, data=values)


def _weight_scales(
    weights: Tensor,
    operator: Operator,
    source: Quantization,
    made: Quantization | None,
    rng: np.random.Generator,
    order: _Order,
) -> Quantization:
    """A scale a channel, that makes the sums fill the output."""
    axis = CHANNEL_AXES[operator.kind]
    channels = weights.shape[axis]
    factor = 1 / (DIVISOR * math.sqrt(weights.elements / channels))
    typical = factor * (made or _PLAIN).scales[0] / source.scales[0]
    scales = order.outputs(typical * rng.uniform(*SPREAD, channels), 0)
    return Quantization(tuple(scales.tolist()), (0,) * channels, axis)


def _quantised(tensor: Tensor, quantization: Quantization) -> Tensor:
    if tensor.quantization is not None:
        return tensor
    return replace(tensor, quantization=quantization)
