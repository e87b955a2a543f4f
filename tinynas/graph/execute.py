"""Running a Graph with whatever arithmetic is given: layers being trained, or constants being exported.

Only the operators that a genotype makes are known here; engines run their own plans.
"""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias

from tinynas.graph.ir import Activation, Graph, Operator, OpKind

#: a value of the arithmetic at hand
Value: TypeAlias = Any

#: operators that have a kernel and a bias
WEIGHTED = frozenset({OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D, OpKind.FULLY_CONNECTED})


class Arithmetic(Protocol):
    """How the operators of a Graph are computed on batches [n, rows, columns, channels]."""

    def weighted(self, layer: int, operator: Operator, x: Value) -> Value:
        """Weighted operator number `layer` of the graph, counted from 0, without its activation."""

    def add(self, x: Value, y: Value) -> Value:
        """The elementwise sum."""

    def multiply(self, x: Value, y: Value) -> Value:
        """The elementwise product, a [n, 1, 1, channels] operand repeated over the map."""

    def sigmoid(self, x: Value) -> Value:
        """The logistic sigmoid."""

    def mean(self, x: Value, keep_dims: bool) -> Value:
        """The mean over rows and columns."""

    def activate(self, x: Value, activation: Activation) -> Value:
        """RELU or RELU6 of `x`."""


def execute(graph: Graph, batch: Value, arithmetic: Arithmetic) -> Value:
    """The output of `graph`, which has one input and one output, for a `batch` of inputs."""
    values = {graph.inputs[0]: batch}
    layer = 0
    for operator in graph.operators:
        inputs = [values[i] for i in graph.activations_in(operator)]
        if operator.kind in WEIGHTED:
            result = arithmetic.weighted(layer, operator, inputs[0])
            layer += 1
        else:
            result = _unweighted(graph, operator, inputs, arithmetic)
        if operator.activation is not Activation.NONE:
            result = arithmetic.activate(result, operator.activation)
        values[operator.outputs[0]] = result
    return values[graph.outputs[0]]


def _unweighted(graph: Graph, operator: Operator, inputs: list[Value], arithmetic: Arithmetic) -> Value:
    match operator.kind:
        case OpKind.ADD:
            return arithmetic.add(*inputs)
        case OpKind.MUL:
            return arithmetic.multiply(*inputs)
        case OpKind.LOGISTIC:
            return arithmetic.sigmoid(*inputs)
        case OpKind.MEAN:
            return arithmetic.mean(inputs[0], keep_dims=len(graph.tensors[operator.outputs[0]].shape) == 4)
    raise ValueError(f"no genotype makes {operator.kind.value}")
