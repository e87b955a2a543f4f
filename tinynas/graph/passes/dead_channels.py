"""Removes channels that say nothing: those that always hold one value, and those that nobody listens to.

Training with weight decay leaves channels whose weights are all zero (35 % of MLPerf Tiny's vww_96). What
such a channel adds to the next layer's accumulators is a constant, which goes into that layer's bias. Where
the map is padded the constant must be the zero point, since that is what the margins hold.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tinynas.graph.ir import DType, Graph, Operator, OpKind, Quantization, Tensor
from tinynas.graph.passes.channel_classes import ChannelClasses
from tinynas.graph.passes.constants import channel_values
from tinynas.graph.passes.products import (
    WEIGHTED,
    Booleans,
    Products,
    Values,
    bias_of,
    is_padded,
    products_of,
)
from tinynas.graph.passes.rewrite import Edit
from tinynas.graph.quantized import quantization_of

_T = TypeVar("_T")

#: of all feature maps together; each is looked at by itself
_MOST_CHANNELS = 2**18
_LARGEST_BIAS = np.iinfo(np.int32).max
_MIXING = (OpKind.CONV_2D, OpKind.FULLY_CONNECTED)
_BINARY = (OpKind.ADD, OpKind.MUL)


def drop_dead_channels(graph: Graph) -> Graph:
    """`graph` without channels whose values are constant or unused; every output byte stays.

    Channels that stand or fall together (see `channel_classes`) go together, when each convolution or dense
    layer that reads them has only zero weights for them, or can take their constants into its bias. A feature
    map keeps one channel at least; the network's inputs and outputs, and what grouped convolutions read and
    write, keep all. A graph of a great many channels, such as no network has, is left as it is.
    """
    if all(t.data is None for op in graph.operators if op.kind in WEIGHTED for t in graph.constants_in(op)):
        return graph
    maps = (*graph.inputs, *(operator.outputs[0] for operator in graph.operators))
    if sum(math.prod(graph.tensors[tensor].shape[-1:]) for tensor in maps) > _MOST_CHANNELS:
        return graph
    values = channel_values(graph)
    classes = ChannelClasses(graph)
    for operator in graph.operators:
        if operator.kind in _MIXING:
            _pin_needed(graph, classes, operator, values[operator.inputs[0]])
        elif operator.kind in (OpKind.DEPTHWISE_CONV_2D, *_BINARY) and not _sliceable(graph, operator):
            target = operator.outputs[0]
            classes.stay(target, np.ones(graph.tensors[target].shape[-1], bool))
    kept = classes.kept()
    if all(stay.all() for stay in kept.values()):
        return graph
    return _without_channels(graph, kept, values)


def _pin_needed(graph: Graph, classes: ChannelClasses, operator: Operator, values: Values) -> None:
    """Pin the input channels that `operator` cannot do without."""
    source, products = operator.inputs[0], products_of(graph, operator)
    if graph.tensors[source].dtype is not DType.INT8 or products is None:
        needed = np.ones(len(values), bool)
        classes.stay(operator.outputs[0], np.ones(graph.tensors[operator.outputs[0]].shape[-1], bool))
    else:
        zero = quantization_of(graph.tensors[source])[1]
        needed = np.zeros(len(values), bool)
        needed[products.channels[~products.foldable(values, zero, is_padded(graph, operator))]] = True
        largest = abs(products.bias) + abs(products.folded(values, zero)).sum(axis=1)
        if largest.max() > _LARGEST_BIAS:
            needed[:] = True
    classes.stay(source, needed)


def _sliceable(graph: Graph, operator: Operator) -> bool:
    """Whether the operator's constants, if it has any, are known and so can lose channels."""
    return all(t.data is not None for t in graph.constants_in(operator))


def _without_channels(graph: Graph, kept: dict[int, Booleans], values: dict[int, Values]) -> Graph:
    """`graph` with only the channels of each feature map that `kept` names."""
    edit = Edit(graph)
    for tensor, stay in kept.items():
        if not stay.all():
            edit.retype(tensor, _sliced(graph.tensors[tensor], len(graph.tensors[tensor].shape) - 1, stay))
    for index, operator in enumerate(graph.operators):
        ours = [kept[i] for i in (operator.inputs[0], operator.outputs[0]) if i in kept]
        if all(stay.all() for stay in ours):
            continue
        if operator.kind in WEIGHTED:
            edit.put(index, _narrowed(graph, edit, operator, kept, values))
        elif operator.kind in _BINARY:
            edit.put(index, _narrowed_binary(graph, edit, operator, kept[operator.outputs[0]]))
    return edit.done()


def _narrowed(
    graph: Graph, edit: Edit, operator: Operator, kept: dict[int, Booleans], values: dict[int, Values]
) -> Operator:
    """A convolution or dense layer with fewer channels; the constants of those gone are in its bias."""
    source, target = operator.inputs[0], operator.outputs[0]
    weights, into, out_of = graph.tensors[operator.inputs[1]], kept[source], kept[target]
    if operator.kind is OpKind.DEPTHWISE_CONV_2D:
        bias = bias_of(graph, operator, len(out_of))
        slim = _sliced(weights, 3, out_of)
    else:
        products = products_of(graph, operator)
        bias = None if products is None else _folded_bias(graph, operator, products, into, values[source])
        repeats = weights.shape[-1] // len(into)
        slim = _sliced(_sliced(weights, len(weights.shape) - 1, np.tile(into, repeats)), 0, out_of)
    assert bias is not None, "channels of unknown weights are pinned"
    inputs = (source, edit.add(slim), edit.add(_bias(graph, operator, bias, out_of)))
    return replace(operator, inputs=inputs)


def _folded_bias(
    graph: Graph, operator: Operator, products: Products, kept: Booleans, values: Values
) -> NDArray[np.int64]:
    zero = quantization_of(graph.tensors[operator.inputs[0]])[1]
    gone = ~kept[products.channels]
    bias: NDArray[np.int64] = products.bias + (products.folded(values, zero) * gone).sum(axis=1)
    return bias


def _bias(graph: Graph, operator: Operator, bias: NDArray[np.int64], kept: Booleans) -> Tensor:
    """The int32 bias tensor of the channels that stay, made anew where there was none."""
    if len(operator.inputs) > 2 and operator.inputs[2] >= 0:
        old = graph.tensors[operator.inputs[2]]
        full = replace(old, shape=bias.shape, data=bias.astype(np.int32))
        return _sliced(full, 0, kept)
    data = bias[kept].astype(np.int32)
    name = f"{graph.tensors[operator.outputs[0]].name}:bias"
    return Tensor(name, data.shape, DType.INT32, constant=True, data=data)


def _narrowed_binary(graph: Graph, edit: Edit, operator: Operator, kept: Booleans) -> Operator:
    """ADD or MUL, whose constant side loses the channels that the other side lost."""

    def narrowed(tensor: int) -> int:
        side = graph.tensors[tensor]
        if not side.constant or side.shape[-1:] != (len(kept),):
            return tensor
        return edit.add(_sliced(side, len(side.shape) - 1, kept))

    return replace(operator, inputs=tuple(map(narrowed, operator.inputs)))


def _sliced(tensor: Tensor, axis: int, kept: Booleans) -> Tensor:
    """`tensor` with only the `kept` entries along `axis`, and their scales."""
    if kept.all():
        return tensor
    shape = (*tensor.shape[:axis], int(kept.sum()), *tensor.shape[axis + 1 :])
    data = None if tensor.data is None else np.compress(kept, tensor.data, axis)
    return replace(
        tensor, shape=shape, data=data, quantization=_sliced_scales(tensor.quantization, axis, kept)
    )


def _sliced_scales(known: Quantization | None, axis: int, kept: Booleans) -> Quantization | None:
    if known is None or not known.per_channel or known.axis != axis:
        return known
    return replace(known, scales=_chosen(known.scales, kept), zero_points=_chosen(known.zero_points, kept))


def _chosen(entries: Sequence[_T], kept: Booleans) -> tuple[_T, ...]:
    return tuple(entry for entry, stay in zip(entries, kept, strict=True) if stay)
