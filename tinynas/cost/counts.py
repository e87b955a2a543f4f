"""What the tail of an arena and the flash of a network depend on: how many of everything there are.

Every field is one number for one Graph, or an int64 array [n] for n networks at once; the models of
`tinynas.cost.tail` and `tinynas.cost.flash` are plain arithmetic on it, so that one code serves both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from tinynas.graph import Activation, DType, Graph, Operator, OpKind

#: one number, or one a network
Int: TypeAlias = "int | NDArray[np.int64]"

#: fields of `Counts` that are sums over operators, beside those by kind
_ADDING_UP = (
    "constants",
    "weight_bytes",
    "bias_bytes",
    "other_constant_bytes",
    "spatial_convs",
    "large_depthwise",
    "packed_weight_bytes",
    "readings",
)

_Size = TypeVar("_Size", int, NDArray[np.int64])

#: operators that multiply by constant weights, with one bias and one requantisation a channel
WEIGHTED = (OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D, OpKind.FULLY_CONNECTED)

#: operators for which TFLM keeps no data
_STATELESS = {OpKind.RESHAPE, OpKind.TRANSPOSE, OpKind.RESIZE_NEAREST_NEIGHBOR}


@dataclass(frozen=True)
class Counts:
    """How many of everything. Kinds that a network lacks may be missing from the mappings.

    `channels` are the output channels of weighted operators that have a scale each; `channel_slots` the
    same with every operator's rounded up to a multiple of four (int32 tables aligned to 16 bytes).
    `tensors` are all entries of the file's tensor table, `constants` those that carry data.
    """

    operators: Mapping[OpKind, Int]
    channels: Mapping[OpKind, Int]
    channel_slots: Mapping[OpKind, Int]
    tensors: Int
    constants: Int
    weight_bytes: Int
    bias_bytes: Int
    other_constant_bytes: Int
    #: CONV_2D operators with a kernel larger than 1 x 1: those that need scratch with CMSIS-NN
    spatial_convs: Int
    #: depthwise operators with a kernel other than 3 x 3: those that need scratch with CMSIS-NN
    large_depthwise: Int
    #: weights as the engine packs them, each operator's in whole words
    packed_weight_bytes: Int
    #: pixels of zero points that the engine keeps in flash to pad with
    padding_bytes: Int
    #: feature maps that operators read, a map once for each that reads it
    readings: Int
    inputs: int = 1
    outputs: int = 1
    quantized_inputs: int = 1
    quantized_outputs: int = 1
    #: kind of the first operator that keeps data of its own (all but reshapes and transposes)
    first: OpKind | None = OpKind.CONV_2D

    @property
    def total_operators(self) -> Int:
        """Operators of every kind."""
        return _sum(self.operators)

    @property
    def total_channels(self) -> Int:
        """Per-channel scales of every kind of operator."""
        return _sum(self.channels)

    def of(self, kind: OpKind) -> Int:
        """How many operators of `kind`; 0 where there are none."""
        return self.operators.get(kind, 0)


def count(graph: Graph) -> Counts:
    """The counts of one graph.

    A graph without quantisation is counted as what TensorFlow's converter will make of it: one scale a
    channel in convolutions and dense layers.
    """
    weighted = [op for op in graph.operators if op.kind in WEIGHTED]
    weight_bytes = sum(graph.tensors[op.inputs[1]].size_bytes for op in weighted)
    bias_bytes = sum(graph.tensors[i].size_bytes for op in weighted for i in op.inputs[2:3] if i >= 0)
    constant_bytes = sum(tensor.size_bytes for tensor in graph.tensors if tensor.constant)
    channels: Counter[OpKind] = Counter()
    slots: Counter[OpKind] = Counter()
    for op in weighted:
        channels[op.kind] += (scales := per_channel_scales(graph, op))
        slots[op.kind] += -(-scales // 4) * 4
    return Counts(
        operators=Counter(op.kind for op in graph.operators),
        channels=channels,
        channel_slots=slots,
        tensors=len(graph.tensors),
        constants=sum(tensor.constant for tensor in graph.tensors),
        weight_bytes=weight_bytes,
        bias_bytes=bias_bytes,
        other_constant_bytes=constant_bytes - weight_bytes - bias_bytes,
        spatial_convs=sum(_kernel(op) != (1, 1) for op in weighted if op.kind is OpKind.CONV_2D),
        large_depthwise=sum(_kernel(op) != (3, 3) for op in weighted if op.kind is OpKind.DEPTHWISE_CONV_2D),
        packed_weight_bytes=sum(packed_weights(graph, op) for op in weighted),
        padding_bytes=_padding_bytes(graph),
        readings=sum(len(list(graph.activations_in(op))) for op in graph.operators),
        inputs=len(graph.inputs),
        outputs=len(graph.outputs),
        quantized_inputs=sum(graph.tensors[i].dtype is not DType.FLOAT32 for i in graph.inputs),
        quantized_outputs=sum(graph.tensors[i].dtype is not DType.FLOAT32 for i in graph.outputs),
        first=next((op.kind for op in graph.operators if op.kind not in _STATELESS), None),
    )


def tally(counts: Counts) -> list[int]:
    """Numbers of one graph that are, added up over the operators of a network, that network's."""
    of_kinds = [int(counts.of(kind)) for kind in OpKind]
    of_layers = [
        int(each.get(kind, 0)) for each in (counts.channels, counts.channel_slots) for kind in WEIGHTED
    ]
    return [*of_kinds, *of_layers, *[getattr(counts, name) for name in _ADDING_UP]]


def tallied(sums: NDArray[np.int64], padding_bytes: NDArray[np.int64]) -> Counts:
    """The counts of n networks of one input by the sums [numbers, n] of the tallies of their operators.

    `padding_bytes` [n] do not add up: operators share pixels.
    """
    rows = iter(sums)
    operators, channels, channel_slots = (
        {kind: next(rows) for kind in kinds} for kinds in (OpKind, WEIGHTED, WEIGHTED)
    )
    others = {name: next(rows) for name in _ADDING_UP}
    # maps are the input and what each operator makes
    tensors = _sum(operators) + 1 + others["constants"]
    return Counts(operators, channels, channel_slots, tensors, padding_bytes=padding_bytes, **others)


def per_channel_scales(graph: Graph, operator: Operator) -> int:
    """Output channels of a weighted operator that have a scale of their own; 0 for one scale in all."""
    weights, channels = graph.tensors[operator.inputs[1]], output_channels(graph, operator)
    if weights.quantization is None or weights.quantization.per_channel:
        return channels
    # TFLM keeps tables for a convolution's only channel too, but none for a dense layer's
    return 1 if channels == 1 and operator.kind is not OpKind.FULLY_CONNECTED else 0


def output_channels(graph: Graph, operator: Operator) -> int:
    """Output channels of a weighted operator."""
    shape = graph.tensors[operator.inputs[1]].shape
    return shape[3] if operator.kind is OpKind.DEPTHWISE_CONV_2D else shape[0]


def packed_weights(graph: Graph, operator: Operator) -> int:
    """Bytes of a weighted operator's weights as the engine packs them.

    Depthwise filters come by fours of channels and pairs of taps, all others as they are.
    """
    weights = graph.tensors[operator.inputs[1]]
    if operator.kind is OpKind.DEPTHWISE_CONV_2D and operator.depth_multiplier == 1:
        channels = weights.shape[3]
        return packed_depthwise(weights.elements // channels, channels)
    return whole_words(weights.size_bytes)


def packed_depthwise(taps: _Size, channels: _Size) -> _Size:
    """Bytes of a depthwise filter of multiplier 1 as the engine packs it."""
    return whole_words(channels) * (taps + taps % 2)


def whole_words(size: _Size) -> _Size:
    """`size` rounded up to words of four bytes."""
    return -(-size // 4) * 4


def _padding_bytes(graph: Graph) -> int:
    """Bytes of one pixel of each zero point that is padded with, as wide as the widest map it pads.

    Where zero points are not known yet, all maps behind one activation have one.
    """
    makers = {op.outputs[0]: op for op in graph.operators}
    widest: dict[object, int] = {}
    for op in graph.operators:
        if not (padded := padded_bytes(graph, op)):
            continue
        known, maker = graph.tensors[op.inputs[0]].quantization, makers.get(op.inputs[0])
        clamped = maker is not None and maker.activation is not Activation.NONE
        zero = known.zero_points[0] if known else maker.activation if maker and clamped else op.inputs[0]
        widest[zero] = max(widest.get(zero, 0), padded)
    return sum(widest.values())


def padded_bytes(graph: Graph, operator: Operator) -> int:
    """Bytes of one pixel of zero points that the engine pads the operator's map with; 0 where it does not."""
    source = graph.tensors[operator.inputs[0]].shape
    if operator.kind not in WEIGHTED or operator.window is None:
        return 0
    return whole_words(source[3]) if any(operator.window.margins(*source[1:3])) else 0


def _kernel(operator: Operator) -> tuple[int, int] | None:
    return operator.window.kernel if operator.window else None


def _sum(parts: Mapping[OpKind, Int]) -> Int:
    total: Int = 0
    for part in parts.values():
        total = total + part
    return total
