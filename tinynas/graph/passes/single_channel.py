"""A depthwise convolution of one channel is a convolution, which has the faster kernel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tinynas.graph.ir import Graph, Operator, OpKind, Tensor
from tinynas.graph.passes.rewrite import Edit


def widen_single_channels(graph: Graph) -> Graph:
    """`graph` with each DEPTHWISE_CONV_2D of one input channel and several outputs as a CONV_2D.

    Bit-exact: both sum the same products of that channel. Weights [1, kh, kw, out] become [out, kh, kw, 1].
    """
    edit = Edit(graph)
    for index, operator in enumerate(graph.operators):
        if _reads_one_channel(graph, operator):
            weights = edit.add(_turned(graph.tensors[operator.inputs[1]]))
            inputs = (operator.inputs[0], weights, *operator.inputs[2:])
            edit.put(index, replace(operator, kind=OpKind.CONV_2D, inputs=inputs, depth_multiplier=1))
    return edit.done()


def _reads_one_channel(graph: Graph, operator: Operator) -> bool:
    if operator.kind is not OpKind.DEPTHWISE_CONV_2D or operator.depth_multiplier == 1:
        return False
    return graph.tensors[operator.inputs[0]].shape[3] == 1 and graph.tensors[operator.inputs[1]].constant


def _turned(weights: Tensor) -> Tensor:
    """The filter with its output channels first."""
    _, rows, columns, channels = weights.shape
    scales = weights.quantization
    return replace(
        weights,
        shape=(channels, rows, columns, 1),
        data=None if weights.data is None else np.ascontiguousarray(weights.data.transpose(3, 1, 2, 0)),
        quantization=None if scales is None else replace(scales, axis=0),
    )
