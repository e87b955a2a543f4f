"""Networks with random weights: a Graph of shapes alone becomes a .tflite file whose values stay alive.

Scales are chosen so that every layer's outputs fill int8 without saturating it: the root mean square of each
feature map is followed through the network, as for an initialisation, and no data is needed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from make_tflite import Rng, TfliteMaker, fused, options, padded, random_weights

from tinynas.graph import Activation, Graph, Operator, OpKind, Tensor

#: root mean square of uniform int8 weights and inputs
_UNIFORM = 127 / math.sqrt(3)
#: a feature map of no activation holds this many times its root mean square
_REACH = 3.5


@dataclass(frozen=True, slots=True)
class _Map:
    """A feature map of the file: its index, quantisation and root mean square (real)."""

    index: int
    scale: float
    zero: int
    rms: float


def random_tflite(graph: Graph, seed: int) -> bytes:
    """A .tflite with the operators and shapes of `graph` and random weights, biases, scales and zero points.

    Raises:
        KeyError: a kind of operator that `tinynas.networks` does not make.
    """
    writer = _Writer(graph, np.random.default_rng(seed))
    for operator in graph.operators:
        writer.maps[operator.outputs[0]] = _KINDS[operator.kind](writer, operator)
    ends = ([writer.maps[i].index for i in tensors] for tensors in (graph.inputs, graph.outputs))
    return writer.maker.finish(*ends)


class _Writer:
    """A file in the making."""

    def __init__(self, graph: Graph, rng: Rng) -> None:
        self.graph, self.rng, self.maker = graph, rng, TfliteMaker()
        self.maps = {i: self.map(graph.tensors[i], 1.0, Activation.NONE) for i in graph.inputs}

    def map(self, tensor: Tensor, rms: float, activation: Activation) -> _Map:
        """A feature map whose values have `rms` before `activation`."""
        if activation is Activation.NONE:
            zero = int(self.rng.integers(-12, 13))
            return self.exact_map(tensor, _REACH * rms / 128, zero, rms)
        return self.exact_map(tensor, 3 * rms / 255, -128, rms / math.sqrt(2))

    def exact_map(self, tensor: Tensor, scale: float, zero: int, rms: float) -> _Map:
        """A feature map of a given quantisation."""
        return _Map(self.maker.tensor(tensor.shape, float(np.float32(scale)), zero), scale, zero, rms)

    def output(self, operator: Operator) -> Tensor:
        """The tensor that `operator` makes."""
        return self.graph.tensors[operator.outputs[0]]

    def layer(self, operator: Operator, products: int, channel_axis: int) -> tuple[list[int], _Map]:
        """Input, weights and bias of a layer with `products` products an output, and its output."""
        source, shape = self.maps[operator.inputs[0]], self.graph.tensors[operator.inputs[1]].shape
        channels = shape[channel_axis]
        # 6 is the end of ReLU6: at a third of that most values are inside
        rms = 1.0 if operator.activation is Activation.NONE else 2.0
        typical = rms / (source.rms * _UNIFORM * math.sqrt(products))
        scales = (typical * self.rng.uniform(0.5, 1.4, channels)).astype(np.float32)
        weights = self.maker.tensor(
            shape, scales.tolist(), 0, random_weights(self.rng, shape), axis=channel_axis
        )
        products_scales = np.float32(source.scale) * scales
        biases = np.round(self.rng.normal(0, 0.3 * rms, channels) / products_scales).astype(np.int32)
        bias = self.maker.tensor((channels,), products_scales.tolist(), 0, biases, dtype="int32")
        return [source.index, weights, bias], self.map(self.output(operator), rms, operator.activation)


def _convolution(writer: _Writer, operator: Operator) -> _Map:
    window, depthwise = operator.window, operator.kind is OpKind.DEPTHWISE_CONV_2D
    assert window is not None
    shape = writer.graph.tensors[operator.inputs[1]].shape
    products = shape[1] * shape[2] * (1 if depthwise else shape[3])
    inputs, made = writer.layer(operator, products, 3 if depthwise else 0)
    facts = {"padding": padded(window.padding), "strideH": window.stride[0], "strideW": window.stride[1]}
    facts |= {"dilationHFactor": 1, "dilationWFactor": 1}
    facts["fusedActivationFunction"] = fused(operator.activation)
    if depthwise:
        table = options("DepthwiseConv2D", depthMultiplier=operator.depth_multiplier, **facts)
    else:
        table = options("Conv2D", **facts)
    writer.maker.operator(operator.kind, inputs, [made.index], table)
    return made


def _dense(writer: _Writer, operator: Operator) -> _Map:
    inputs, made = writer.layer(operator, writer.graph.tensors[operator.inputs[1]].shape[1], 0)
    table = options("FullyConnected", fusedActivationFunction=fused(operator.activation))
    writer.maker.operator(operator.kind, inputs, [made.index], table)
    return made


def _binary(writer: _Writer, operator: Operator) -> _Map:
    left, right = (writer.maps[i] for i in operator.inputs)
    rms = math.hypot(left.rms, right.rms) if operator.kind is OpKind.ADD else 2 * left.rms * right.rms
    made = writer.map(writer.output(operator), rms, operator.activation)
    table = options(operator.kind.value.capitalize(), fusedActivationFunction=fused(operator.activation))
    writer.maker.operator(operator.kind, [left.index, right.index], [made.index], table)
    return made


def _mean(writer: _Writer, operator: Operator) -> _Map:
    source, target = writer.maps[operator.inputs[0]], writer.output(operator)
    made = writer.exact_map(target, source.scale * writer.rng.uniform(0.3, 0.6), source.zero, source.rms / 2)
    table = options("Reducer", keepDims=len(target.shape) == 4)
    writer.maker.operator(operator.kind, [source.index, writer.maker.constant([1, 2])], [made.index], table)
    return made


def _logistic(writer: _Writer, operator: Operator) -> _Map:
    made = writer.exact_map(writer.output(operator), 1 / 256, -128, 0.5)
    writer.maker.operator(operator.kind, [writer.maps[operator.inputs[0]].index], [made.index])
    return made


_KINDS: dict[OpKind, Callable[[_Writer, Operator], _Map]] = {
    OpKind.CONV_2D: _convolution,
    OpKind.DEPTHWISE_CONV_2D: _convolution,
    OpKind.FULLY_CONNECTED: _dense,
    OpKind.ADD: _binary,
    OpKind.MUL: _binary,
    OpKind.MEAN: _mean,
    OpKind.LOGISTIC: _logistic,
}
