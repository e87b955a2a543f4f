"""The Graph: one representation of a network, with or without weights, that everything else reads."""

from tinynas.graph.builder import GraphBuilder, LayerBuilder, OutlineBuilder
from tinynas.graph.ir import (
    Activation,
    DType,
    Graph,
    Margins,
    Operator,
    OpKind,
    Padding,
    Quantization,
    Tensor,
    Window,
)

__all__ = [
    "Activation",
    "DType",
    "Graph",
    "GraphBuilder",
    "LayerBuilder",
    "Margins",
    "OpKind",
    "Operator",
    "OutlineBuilder",
    "Padding",
    "Quantization",
    "Tensor",
    "Window",
]
