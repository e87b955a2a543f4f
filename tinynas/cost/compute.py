"""Multiply-accumulates and weights of a Graph: plain arithmetic on shapes.

Counted as MACs: convolutions, depthwise convolutions, fully connected layers. Not counted: biases,
additions, elementwise products, pooling, activations.
"""

from __future__ import annotations

from tinynas.graph import Graph, Operator, OpKind

_WEIGHTED = {OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D, OpKind.FULLY_CONNECTED}


def operator_macs(graph: Graph, operator: Operator) -> int:
    """Multiply-accumulates of one operator."""
    if operator.kind not in _WEIGHTED:
        return 0
    weights = graph.tensors[operator.inputs[1]]
    output = graph.tensors[operator.outputs[0]]
    if operator.kind is OpKind.FULLY_CONNECTED:
        return weights.elements * (output.elements // weights.shape[0])
    positions = output.elements // output.shape[-1]
    return positions * weights.elements


def operator_weights(graph: Graph, operator: Operator) -> int:
    """Weights and biases of one operator."""
    if operator.kind not in _WEIGHTED:
        return 0
    return sum(tensor.elements for tensor in graph.constants_in(operator))


def macs(graph: Graph) -> int:
    """Multiply-accumulates of one inference."""
    return sum(operator_macs(graph, op) for op in graph.operators)


def weights_and_biases(graph: Graph) -> int:
    """Number of weights and biases the int8 model carries."""
    return sum(operator_weights(graph, op) for op in graph.operators)


def conv_activations(graph: Graph) -> int:
    """Elements of the outputs of all convolutions and dense layers: RegNet's "activations" (section 4)."""
    return sum(graph.tensors[op.outputs[0]].elements for op in graph.operators if op.kind in _WEIGHTED)
