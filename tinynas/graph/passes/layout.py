"""Operators that only move or rename values, inside the network: dropped where nobody can tell."""

from __future__ import annotations

import math
from dataclasses import replace

from tinynas.graph.ir import Graph, Operator, OpKind
from tinynas.graph.passes.rewrite import (
    Edit,
    feature_map,
    integer_constant,
    integers,
    readers,
    rewired,
    writers,
)
from tinynas.graph.quantized import same_quantization

#: kinds that read values by their rows, columns and channels alone, whatever axes of one stand between
_ANY_RANK = (OpKind.FULLY_CONNECTED, OpKind.SOFTMAX)


def remove_identities(graph: Graph) -> Graph:
    """`graph` without operators whose output equals their input, bit by bit and shape by shape."""
    same = {
        op.outputs[0]: op.inputs[0]
        for op in graph.operators
        if op.outputs[0] not in graph.outputs and _is_identity(graph, op)
    }
    return rewired(graph, same) if any(i in same for op in graph.operators for i in op.inputs) else graph


def _is_identity(graph: Graph, operator: Operator) -> bool:
    source, target = graph.tensors[operator.inputs[0]], graph.tensors[operator.outputs[0]]
    if source.shape != target.shape or source.dtype is not target.dtype:
        return False
    if operator.kind is OpKind.RESHAPE:
        return True
    if operator.kind is OpKind.TRANSPOSE:
        order = integers(graph, operator.inputs[1])
        return order is not None and list(order) == sorted(order)
    if not same_quantization(source.quantization, target.quantization):
        return False
    if operator.align_corners and operator.half_pixel_centers:
        # the two together shift even a map of its own size by a pixel
        return False
    # of one quantisation and one shape: no margin, no other size, and means of single values
    return operator.kind in (OpKind.QUANTIZE, OpKind.PAD, OpKind.RESIZE_NEAREST_NEIGHBOR, OpKind.MEAN)


def tidy_reshapes(graph: Graph) -> Graph:
    """`graph` with reshapes in their plainest form.

    A TRANSPOSE that leaves the order of all axes longer than one is a RESHAPE; a RESHAPE of a RESHAPE reads
    the first one's input; a TRANSPOSE of a TRANSPOSE is one; a RESHAPE has one input, for its output's shape
    says the rest.
    """
    edit, makers = Edit(graph), writers(graph)
    for index, operator in enumerate(graph.operators):
        plain = _plain(graph, operator)
        if plain is None and operator.kind in (OpKind.RESHAPE, OpKind.TRANSPOSE):
            before = makers.get(operator.inputs[0])
            plain = _joined(graph, edit, graph.operators[before], operator) if before is not None else None
        if plain is not None:
            edit.put(index, plain)
    return edit.done()


def _plain(graph: Graph, operator: Operator) -> Operator | None:
    """A TRANSPOSE that moves nothing, or a RESHAPE with a constant shape, as RESHAPE of one input."""
    if operator.kind is OpKind.RESHAPE and len(operator.inputs) > 1:
        return replace(operator, inputs=operator.inputs[:1])
    order = integers(graph, operator.inputs[1]) if operator.kind is OpKind.TRANSPOSE else None
    if order is None:
        return None
    shape = graph.tensors[operator.inputs[0]].shape
    moved = [axis for axis in order if shape[axis] != 1]
    return Operator(OpKind.RESHAPE, operator.inputs[:1], operator.outputs) if moved == sorted(moved) else None


def _joined(graph: Graph, edit: Edit, first: Operator, second: Operator) -> Operator | None:
    """One operator for two of a kind in a row."""
    if first.kind is not second.kind:
        return None
    if first.kind is OpKind.RESHAPE:
        return replace(second, inputs=first.inputs[:1])
    orders = [integers(graph, operator.inputs[1]) for operator in (first, second)]
    if orders[0] is None or orders[1] is None:
        return None
    order = integer_constant("order", (orders[0][axis] for axis in orders[1]))
    return replace(second, inputs=(first.inputs[0], edit.add(order)))


def drop_reshapes(graph: Graph) -> Graph:
    """`graph` with each reader of a RESHAPE reading its input instead, where it sees the same values there.

    A FULLY_CONNECTED takes the elements in their order, whatever the shape. A SOFTMAX works on the channels,
    so only axes of one may come or go. Other kinds need all four axes; for them a MEAN or dense layer before
    the RESHAPE writes the new shape itself, where rows, columns and channels are the same either way.
    """
    while (absorbed := _with_one_absorbed(graph)) is not None:
        graph = absorbed
    return _with_reshapes_passed_by(graph)


def _with_one_absorbed(graph: Graph) -> Graph | None:
    """`graph` with one RESHAPE done by the operator before it; None if none can be."""
    users, makers = readers(graph), writers(graph)
    for index, reshape in enumerate(graph.operators):
        if reshape.kind is OpKind.RESHAPE and _absorbs(graph, users, makers, reshape):
            edit, maker = Edit(graph), makers[reshape.inputs[0]]
            edit.put(maker, replace(graph.operators[maker], outputs=reshape.outputs))
            edit.put(index)
            return edit.done()
    return None


def _with_reshapes_passed_by(graph: Graph) -> Graph:
    """`graph` with each reader that does not mind the shape reading what was reshaped."""
    edit, users = Edit(graph), readers(graph)
    for reshape in graph.operators:
        source, target = reshape.inputs[0], reshape.outputs[0]
        if reshape.kind is not OpKind.RESHAPE:
            continue
        for user in users.get(target, ()):
            if _indifferent(graph, graph.operators[user], source, target):
                inputs = tuple(source if i == target else i for i in graph.operators[user].inputs)
                edit.put(user, replace(graph.operators[user], inputs=inputs))
    return edit.done()


def _indifferent(graph: Graph, reader: Operator, source: int, target: int) -> bool:
    """Whether `reader` does the same on `source` as on `target`, which has the same elements in one order."""
    before, after = graph.tensors[source].shape, graph.tensors[target].shape
    if reader.kind not in _ANY_RANK or reader.inputs.count(target) != 1 or reader.inputs[0] != target:
        return False
    if not same_quantization(graph.tensors[source].quantization, graph.tensors[target].quantization):
        return False
    if feature_map(before) == feature_map(after):
        return True
    if reader.kind is not OpKind.FULLY_CONNECTED:
        return False
    return graph.tensors[reader.inputs[1]].shape[1] == math.prod(before)


def _absorbs(graph: Graph, users: dict[int, list[int]], makers: dict[int, int], reshape: Operator) -> bool:
    """Whether the operator before `reshape` can write the reshaped tensor itself."""
    source, target = reshape.inputs[0], reshape.outputs[0]
    if source not in makers or source in graph.outputs or len(users[source]) != 1:
        return False
    before, after = graph.tensors[source], graph.tensors[target]
    maker = graph.operators[makers[source]]
    if feature_map(before.shape) != feature_map(after.shape) or target in graph.outputs:
        return False
    if not same_quantization(before.quantization, after.quantization) or len(after.shape) != 4:
        return False
    return maker.kind in (OpKind.MEAN, OpKind.FULLY_CONNECTED)
