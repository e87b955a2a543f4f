"""A PAD before convolutions becomes their own padding, so that the padded map never exists."""

from __future__ import annotations

from dataclasses import replace

from tinynas.graph.ir import Graph, Margins, Operator, OpKind, Padding, Window
from tinynas.graph.passes.rewrite import Edit, integers, readers
from tinynas.graph.quantized import same_quantization

_FOLDING = (OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D)


def fold_padding(graph: Graph) -> Graph:
    """`graph` with each PAD of rows and columns folded into the convolutions that read it, if all can.

    Bit-exact: TFLite pads int8 maps with the zero point, and so does a convolution its own border. A
    convolution that pads itself (SAME) adds its margins to those of the PAD.
    """
    edit, users = Edit(graph), readers(graph)
    for operator in graph.operators:
        padded = operator.outputs[0]
        margins = _margins(graph, operator)
        if margins is None or padded in graph.outputs or padded not in users:
            continue
        windows = [_widened(graph, graph.operators[user], padded, margins) for user in users[padded]]
        for user, window in zip(users[padded], windows, strict=True):
            if None not in windows:
                reader = graph.operators[user]
                inputs = (operator.inputs[0], *reader.inputs[1:])
                edit.put(user, replace(reader, inputs=inputs, window=window))
    return edit.done()


def _margins(graph: Graph, operator: Operator) -> Margins | None:
    """The zero-point margins that `operator` adds, if it is a PAD that adds nothing else."""
    # a third input is a value of its own to pad with
    if operator.kind is not OpKind.PAD or len(operator.inputs) != 2:
        return None
    source, padded = (graph.tensors[i] for i in (operator.inputs[0], operator.outputs[0]))
    pads = integers(graph, operator.inputs[1])
    if pads is None or len(source.shape) != 4 or any(pads[:2] + pads[6:]):
        return None
    if not same_quantization(source.quantization, padded.quantization):
        return None
    return pads[2], pads[3], pads[4], pads[5]


def _widened(graph: Graph, reader: Operator, padded: int, outer: Margins) -> Window | None:
    """The window of `reader` on the map without its margins; None if it cannot take them over."""
    window = reader.window
    if reader.kind not in _FOLDING or window is None or reader.inputs.count(padded) != 1:
        return None
    _, rows, columns, _ = graph.tensors[padded].shape
    inner = window.margins(rows, columns)
    top, bottom, left, right = (a + b for a, b in zip(outer, inner, strict=True))
    rows, columns = rows - outer[0] - outer[1], columns - outer[2] - outer[3]
    outs = graph.tensors[reader.outputs[0]].shape[1:3]
    # rows below the last window are read by nobody
    bottom, right = (
        min(after, max((out - 1) * stride + reach - size - before, 0))
        for after, out, stride, reach, size, before in zip(
            (bottom, right), outs, window.stride, window.reach, (rows, columns), (top, left), strict=True
        )
    )
    # every window must touch the map itself: kernels rely on it
    if max(top, bottom) >= window.reach[0] or max(left, right) >= window.reach[1]:
        return None
    widened = replace(window, padding=Padding.EXPLICIT, pads=(top, bottom, left, right))
    return widened if widened.output_size(rows, columns) == outs else None
