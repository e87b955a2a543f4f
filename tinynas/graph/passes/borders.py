"""The network begins and ends with its int8 feature maps: the conversions around them are the caller's."""

from __future__ import annotations

from dataclasses import replace

from tinynas.graph.ir import DType, Graph, Operator, OpKind
from tinynas.graph.passes.rewrite import Edit, readers, writers


def drop_borders(graph: Graph) -> Graph:
    """`graph` without QUANTIZE, DEQUANTIZE, RESHAPE and TRANSPOSE between it and its caller.

    The caller then gives and takes what stands behind them: int8 values with the scale and zero point of
    the new input or output instead of floats, and NHWC where a TRANSPOSE made it of NCHW (or the other way
    round). A RESHAPE leaves the bytes as they are. An operator is dropped only where nothing else reads the
    network's input (or, at an output, what the operator wrote), so that no other value changes.
    """
    for border in (_dropped_input, _dropped_output):
        while (shorter := border(graph)) is not None:
            graph = shorter
    return graph


def _dropped_input(graph: Graph) -> Graph | None:
    """`graph` without one operator that reads an input of the network; None if there is none to drop."""
    users = readers(graph)
    for tensor in graph.inputs:
        if len(users.get(tensor, ())) != 1 or tensor in graph.outputs:
            continue
        index = users[tensor][0]
        operator = graph.operators[index]
        behind = operator.outputs[0]
        if _converts(graph, operator, OpKind.QUANTIZE) and behind not in graph.outputs:
            inputs = tuple(behind if i == tensor else i for i in graph.inputs)
            return replace(_without(graph, index), inputs=inputs)
    return None


def _dropped_output(graph: Graph) -> Graph | None:
    users, makers = readers(graph), writers(graph)
    for tensor in graph.outputs:
        if tensor in users or tensor not in makers or graph.outputs.count(tensor) != 1:
            continue
        index = makers[tensor]
        operator = graph.operators[index]
        before = operator.inputs[0]
        # an input handed through, or one value twice, would be no output of its own
        if before not in makers or before in graph.outputs:
            continue
        if _converts(graph, operator, OpKind.DEQUANTIZE):
            outputs = tuple(before if i == tensor else i for i in graph.outputs)
            return replace(_without(graph, index), outputs=outputs)
    return None


def _converts(graph: Graph, operator: Operator, conversion: OpKind) -> bool:
    """Whether `operator` only moves values, or is the given `conversion` between float and int8."""
    if operator.kind in (OpKind.RESHAPE, OpKind.TRANSPOSE):
        return True
    types = {graph.tensors[i].dtype for i in (operator.inputs[0], operator.outputs[0])}
    return operator.kind is conversion and types == {DType.FLOAT32, DType.INT8}


def _without(graph: Graph, operator: int) -> Graph:
    edit = Edit(graph)
    edit.put(operator)
    return edit.done()
