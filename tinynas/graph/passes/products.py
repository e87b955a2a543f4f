"""Convolutions and dense layers as one matrix: what each output channel makes of each input channel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinynas.graph.ir import Graph, Operator, OpKind

Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]
#: a value for each channel of a map that has it at every pixel; nan for channels that vary
Values = NDArray[np.float64]

WEIGHTED = (OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D, OpKind.FULLY_CONNECTED)


@dataclass(frozen=True, slots=True)
class Products:
    """The products behind the output channels [o], one column for each input channel or value they use.

    `channels` [o, n] says which channel of the input column n belongs to, `sums` [o, n] the sum of its
    weights over the taps, `touched` [o, n] whether any of them is not 0. `bias` is [o].
    """

    channels: Integers
    sums: Integers
    touched: Booleans
    bias: Integers

    def foldable(self, values: Values, zero: int, padded: bool) -> Booleans:
        """Which products [o, n] are the same at every pixel of the output.

        Those without weights, and those with a channel that has one value; on a `padded` map that value must
        be the zero point, for that is what the margins hold.
        """
        steady = values == zero if padded else ~np.isnan(values)
        foldable: Booleans = ~self.touched | steady[self.channels]
        return foldable

    def folded(self, values: Values, zero: int) -> Integers:
        """What each product adds to its accumulator [o, n]; 0 where the channel varies or has no weights."""
        known = np.nan_to_num(values - zero).astype(np.int64)[self.channels]
        folded: Integers = np.where(self.touched, known * self.sums, 0)
        return folded


def products_of(graph: Graph, operator: Operator) -> Products | None:
    """The products of an int8 operator with weights; None if these, or their channels, are not known."""
    weights = graph.tensors[operator.inputs[1]]
    source, target = graph.tensors[operator.inputs[0]], graph.tensors[operator.outputs[0]]
    if weights.data is None or not np.issubdtype(weights.data.dtype, np.signedinteger):
        return None
    data, inputs, outputs = weights.data.astype(np.int64), source.shape[-1], target.shape[-1]
    if operator.kind is OpKind.FULLY_CONNECTED:
        if data.shape[1] % inputs:
            return None
        taps = data[:, None, :]
        channels = np.broadcast_to(np.arange(data.shape[1]) % inputs, data.shape)
    elif operator.kind is OpKind.DEPTHWISE_CONV_2D:
        taps = data.reshape(-1, outputs).T[:, :, None]
        channels = (np.arange(outputs) // operator.depth_multiplier)[:, None]
    else:
        depth = data.shape[3]
        taps = data.reshape(outputs, -1, depth)
        group = np.arange(outputs) // (outputs * depth // inputs)
        channels = group[:, None] * depth + np.arange(depth)
    bias = bias_of(graph, operator, outputs)
    return None if bias is None else Products(channels, taps.sum(axis=1), taps.any(axis=1), bias)


def bias_of(graph: Graph, operator: Operator, outputs: int) -> Integers | None:
    """The bias [outputs] of an operator, zeros if it has none; None if it is not known."""
    if len(operator.inputs) < 3 or operator.inputs[2] < 0:
        return np.zeros(outputs, np.int64)
    data = graph.tensors[operator.inputs[2]].data
    return None if data is None else data.astype(np.int64).ravel()


def is_padded(graph: Graph, operator: Operator) -> bool:
    """Whether any tap of the operator can fall on a margin."""
    if operator.window is None:
        return False
    _, rows, columns, _ = graph.tensors[operator.inputs[0]].shape
    return any(operator.window.margins(rows, columns))
