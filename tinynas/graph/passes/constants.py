"""Which channels hold one and the same value at every pixel, for every input of the network.

A channel whose weights are all zero holds its requantised bias. That value is followed forward, with TFLite's
exact integer arithmetic, through everything that keeps channels apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np

from tinynas.graph.ir import DType, Graph, Operator, OpKind
from tinynas.graph.passes.products import WEIGHTED, Values, is_padded, products_of
from tinynas.graph.passes.rewrite import integers
from tinynas.graph.quantized import (
    activation_range,
    folded_multipliers,
    mean_multiplier,
    quantization_of,
    quantize_multiplier,
    requantize,
)

_INT32 = np.iinfo(np.int32)
#: ADD works on both sides times 2^20
_ADD_SHIFT = 20


def channel_values(graph: Graph) -> dict[int, Values]:
    """For each int8 feature map the value of each of its channels, nan where it varies."""
    values = {i: _varying(graph, i) for i in graph.inputs}
    for operator in graph.operators:
        target = operator.outputs[0]
        rule = _RULES.get(operator.kind)
        if rule is None or not _is_int8(graph, operator):
            values[target] = _varying(graph, target)
        else:
            values[target] = rule(graph, operator, values)
    return values


def keeps_channels(graph: Graph, operator: Operator) -> bool:
    """Whether a RESHAPE, MEAN, PAD or CONCATENATION works on each channel by itself, in its place."""
    source, target = graph.tensors[operator.inputs[0]], graph.tensors[operator.outputs[0]]
    if operator.kind is OpKind.MEAN:
        axes = integers(graph, operator.inputs[1])
        return axes is not None and len(source.shape) == 4 and {axis % 4 for axis in axes} <= {1, 2}
    if operator.kind is OpKind.PAD:
        pads = integers(graph, operator.inputs[1])
        return pads is not None and len(operator.inputs) == 2 and not any(pads[-2:])
    if operator.kind is OpKind.CONCATENATION:
        return 0 <= operator.axis < len(target.shape) - 1
    return source.shape[-1:] == target.shape[-1:]


def _is_int8(graph: Graph, operator: Operator) -> bool:
    """Whether the operator works on int8 feature maps whose scales are known."""
    maps = [graph.tensors[i] for i in (operator.inputs[0], operator.outputs[0])]
    if operator.kind in (OpKind.ADD, OpKind.MUL):
        maps += [graph.tensors[i] for i in operator.inputs[1:]]
    return all(
        t.dtype is DType.INT8 and t.quantization is not None and not t.quantization.per_channel for t in maps
    )


def _varying(graph: Graph, tensor: int) -> Values:
    shape = graph.tensors[tensor].shape
    return np.full(shape[-1] if shape else 1, np.nan)


def _clamped(graph: Graph, operator: Operator, values: Values) -> Values:
    """`values`, integers or nan, within the range of the operator's output."""
    return np.clip(values, *activation_range(graph.tensors[operator.outputs[0]], operator.activation))


def _weighted(graph: Graph, operator: Operator, values: dict[int, Values]) -> Values:
    products = products_of(graph, operator)
    if products is None:
        return _varying(graph, operator.outputs[0])
    source, weights = (graph.tensors[i] for i in operator.inputs[:2])
    target = graph.tensors[operator.outputs[0]]
    zero, known = quantization_of(source)[1], values[operator.inputs[0]]
    sums = products.bias + products.folded(known, zero).sum(axis=1)
    steady = products.foldable(known, zero, is_padded(graph, operator)).all(axis=1)
    steady &= (sums >= _INT32.min) & (sums <= _INT32.max)
    stored = requantize(np.where(steady, sums, 0), *folded_multipliers(source, weights, target))
    result = np.where(steady, stored + quantization_of(target)[1], np.nan)
    return _clamped(graph, operator, result)


def _same(graph: Graph, operator: Operator, values: dict[int, Values]) -> Values:
    # the average of equal values is that value: TFLite leaves the margins out
    return _clamped(graph, operator, values[operator.inputs[0]])


def _reshaped(graph: Graph, operator: Operator, values: dict[int, Values]) -> Values:
    if keeps_channels(graph, operator):
        return values[operator.inputs[0]]
    return _varying(graph, operator.outputs[0])


def _padded(graph: Graph, operator: Operator, values: dict[int, Values]) -> Values:
    if not keeps_channels(graph, operator):
        return _varying(graph, operator.outputs[0])
    known = values[operator.inputs[0]]
    return np.where(known == quantization_of(graph.tensors[operator.outputs[0]])[1], known, np.nan)


def _mean(graph: Graph, operator: Operator, values: dict[int, Values]) -> Values:
    axes = integers(graph, operator.inputs[1])
    if axes is None or not keeps_channels(graph, operator):
        return _varying(graph, operator.outputs[0])
    source, target = graph.tensors[operator.inputs[0]], graph.tensors[operator.outputs[0]]
    known = values[operator.inputs[0]]
    count = math.prod(source.shape[axis] for axis in {axis % 4 for axis in axes})
    sums = np.nan_to_num((known - quantization_of(source)[1]) * count).astype(np.int64)
    stored = requantize(sums, *mean_multiplier(source, target, count)) + quantization_of(target)[1]
    return _clamped(graph, operator, np.where(np.isnan(known), np.nan, stored))


def _concatenated(graph: Graph, operator: Operator, values: dict[int, Values]) -> Values:
    parts = [values.get(i) for i in operator.inputs]
    known = [part for part in parts if part is not None]
    if len(known) != len(parts):
        return _varying(graph, operator.outputs[0])
    if operator.axis == len(graph.tensors[operator.outputs[0]].shape) - 1:
        return np.concatenate(known)
    agree = np.all([left == right for left, right in pairwise(known)] or [True], axis=0)
    return np.where(agree, known[0], np.nan)


def _sides(graph: Graph, operator: Operator, values: dict[int, Values]) -> list[Values]:
    """Both inputs of a binary operator, channel by channel and less their zero points."""
    sides = []
    for tensor in operator.inputs:
        data, zero = graph.tensors[tensor].data, quantization_of(graph.tensors[tensor])[1]
        channels = graph.tensors[tensor].shape[-1:]
        if tensor in values:
            sides.append(values[tensor] - zero)
        elif data is not None and data.size == math.prod(channels):
            sides.append(data.astype(np.float64).reshape(-1) - zero)
        else:
            sides.append(np.full(channels or 1, np.nan))
    return sides


def _sum(graph: Graph, operator: Operator, values: dict[int, Values]) -> Values:
    tensors = [graph.tensors[i] for i in (*operator.inputs, operator.outputs[0])]
    scales, zero = [quantization_of(t)[0] for t in tensors], quantization_of(tensors[2])[1]
    twice = 2 * max(scales[:2])
    left, right = np.broadcast_arrays(*_sides(graph, operator, values))
    steady = ~np.isnan(left) & ~np.isnan(right)
    total = sum(
        requantize(np.nan_to_num(side).astype(np.int64) << _ADD_SHIFT, *quantize_multiplier(scale / twice))
        for side, scale in zip((left, right), scales[:2], strict=True)
    )
    factor = quantize_multiplier(twice / ((1 << _ADD_SHIFT) * scales[2]))
    stored = requantize(np.asarray(total), *factor) + zero
    return _clamped(graph, operator, np.where(steady, stored, np.nan))


def _product(graph: Graph, operator: Operator, values: dict[int, Values]) -> Values:
    tensors = [graph.tensors[i] for i in (*operator.inputs, operator.outputs[0])]
    scales, zero = [quantization_of(t)[0] for t in tensors], quantization_of(tensors[2])[1]
    left, right = np.broadcast_arrays(*_sides(graph, operator, values))
    # nothing times whatever the gate is, is nothing
    product = np.where((left == 0) | (right == 0), 0.0, left * right)
    raw = np.nan_to_num(product).astype(np.int64)
    stored = requantize(raw, *quantize_multiplier(scales[0] * scales[1] / scales[2])) + zero
    return _clamped(graph, operator, np.where(np.isnan(product), np.nan, stored))


_Rule = Callable[[Graph, Operator, dict[int, Values]], Values]
_RULES: dict[OpKind, _Rule] = {
    **dict.fromkeys(WEIGHTED, _weighted),
    **dict.fromkeys((OpKind.AVERAGE_POOL_2D, OpKind.MAX_POOL_2D, OpKind.RESIZE_NEAREST_NEIGHBOR), _same),
    OpKind.RESHAPE: _reshaped,
    OpKind.PAD: _padded,
    OpKind.MEAN: _mean,
    OpKind.CONCATENATION: _concatenated,
    OpKind.ADD: _sum,
    OpKind.MUL: _product,
}
