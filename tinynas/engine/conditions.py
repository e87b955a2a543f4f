"""Which layers with weights the kernels in C can run: windows, groups, and the ranges that allow short cuts.

Each tells it of an operator of a graph; the catalogue (`tinynas.engine.kernels`) is made of them. What is
wrong with a layer's constants is no business of these: it is told when they are packed.
"""

from __future__ import annotations

from tinynas.engine.block_packing import fits_packed
from tinynas.engine.layers import Layer, layer_of
from tinynas.engine.winograd import fits_winograd
from tinynas.errors import ModelError
from tinynas.graph import Graph, Operator

#: rows of the largest window that the kernels of planes hold, and its strides
_MOST_PLANE_ROWS, _MOST_PLANE_STRIDE = 7, 2


def weighted(graph: Graph, operator: Operator) -> bool:
    """Whether the weights are constant."""
    return graph.tensors[operator.inputs[1]].constant


def undilated(graph: Graph, operator: Operator) -> bool:
    """Whether a convolution has constant weights and its taps stand side by side."""
    return operator.window is not None and operator.window.dilation == (1, 1) and weighted(graph, operator)


def groups_of(graph: Graph, operator: Operator) -> int:
    """The groups of a convolution: its input's channels over those a filter sees."""
    return graph.tensors[operator.inputs[0]].shape[3] // graph.tensors[operator.inputs[1]].shape[3]


def pointwise(graph: Graph, operator: Operator) -> bool:
    """Whether it is 1 x 1, of one group and without padding."""
    if not undilated(graph, operator) or groups_of(graph, operator) > 1:
        return False
    window = operator.window
    return window is not None and window.kernel == (1, 1) and not any(window.pads or ())


def one_group(graph: Graph, operator: Operator) -> bool:
    """Whether every output sees every input channel."""
    return undilated(graph, operator) and groups_of(graph, operator) == 1


def single(graph: Graph, operator: Operator) -> bool:
    """Whether a depthwise convolution has one output channel an input channel."""
    return undilated(graph, operator) and operator.depth_multiplier == 1


def _short(graph: Graph, operator: Operator) -> bool:
    """Whether the short requantisation is exact for every channel, of which there are two at least."""
    layer = _layer(graph, operator)
    return layer is not None and layer.short and layer.outputs > 1


def paired(graph: Graph, operator: Operator) -> bool:
    """Whether blocks with paired weights run a convolution."""
    return one_group(graph, operator) and _short(graph, operator)


def packed(graph: Graph, operator: Operator) -> bool:
    """Whether blocks with packed weights run a convolution."""
    return paired(graph, operator) and fits_packed(layer_of(graph, operator))


def winograd(graph: Graph, operator: Operator) -> bool:
    """Whether a convolution is one of 3 x 3 that tn_convolve_winograd runs."""
    window = operator.window
    if window is None or (window.kernel, window.stride) != ((3, 3), (1, 1)) or not paired(graph, operator):
        return False
    return fits_winograd(layer_of(graph, operator))


def paired_planes(graph: Graph, operator: Operator) -> bool:
    """The same of paired weights, and outputs that can stand in planes."""
    return paired(graph, operator) and layer_of(graph, operator).writes_planes


def packed_planes(graph: Graph, operator: Operator) -> bool:
    """The same of packed weights, and outputs that can stand in planes."""
    return packed(graph, operator) and layer_of(graph, operator).writes_planes


def dense_paired(graph: Graph, operator: Operator) -> bool:
    """Whether blocks with paired weights run a dense layer."""
    return weighted(graph, operator) and _short(graph, operator)


def dense_packed(graph: Graph, operator: Operator) -> bool:
    """Whether blocks with packed weights run a dense layer."""
    return dense_paired(graph, operator) and fits_packed(layer_of(graph, operator))


def _plane_window(graph: Graph, operator: Operator) -> bool:
    """Whether the kernels of planes can run the depthwise convolution, whatever its window's columns."""
    if (
        not single(graph, operator)
        or operator.window is None
        or operator.window.stride[1] > _MOST_PLANE_STRIDE
    ):
        return False
    layer = _layer(graph, operator)
    if layer is None:
        return False
    rows, (top, bottom, _, _) = layer.window.kernel[0], layer.margins
    return layer.reads_planes and rows <= _MOST_PLANE_ROWS and max(top, bottom) < rows


def planes_3(graph: Graph, operator: Operator) -> bool:
    """Whether it is the 3 x 3 kernel of planes that runs it: nothing below the zero point is kept."""
    if operator.window is None or operator.window.kernel != (3, 3) or not _plane_window(graph, operator):
        return False
    layer = layer_of(graph, operator)
    return layer.low == layer.output_zero


def planes_5_7(graph: Graph, operator: Operator) -> bool:
    """Whether it is the other kernel of planes that runs it."""
    return (
        operator.window is not None and operator.window.kernel[1] in (5, 7) and _plane_window(graph, operator)
    )


def _layer(graph: Graph, operator: Operator) -> Layer | None:
    try:
        return layer_of(graph, operator)
    except (ValueError, ModelError):
        return None
