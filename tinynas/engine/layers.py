"""Layers with weights as the kernels see them: filters, biases, requantisation, the ranges of sums."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tinynas.engine.parameters import Int8s, Int32s
from tinynas.graph import DType, Graph, Operator, OpKind, Padding, Tensor, Window
from tinynas.graph.quantized import activation_range, folded_multipliers, quantization_of

#: accumulators below this may be doubled, and their sign taken for their product's
_NARROW = 2**30
#: the largest int16 before rounding, and an int8 less -128
_MOST_HALF, _MOST_SHIFTED = 2**15 - 2, 255
INT8 = np.iinfo(np.int8)
#: right shifts with which the zero point fits into the rounding, see tn_products.h
SHORT = range(1, 23)


@dataclass(frozen=True, eq=False)
class Layer:
    """A convolution or dense layer: output o is the sum of products with `filters`[o], plus `bias`[o].

    `filters` int8 [outputs, depth], `bias` int32 [outputs] with the input's zero point folded in and
    `plain_bias` without, `multipliers` and `shifts` (> 0 to the left) int64 [outputs]; `margins` are top,
    bottom, left, right.
    """

    filters: Int8s
    bias: Int32s
    plain_bias: NDArray[np.int64]
    multipliers: NDArray[np.int64]
    shifts: NDArray[np.int64]
    window: Window
    margins: tuple[int, int, int, int]
    input_zero: int
    output_zero: int
    low: int
    high: int

    @property
    def outputs(self) -> int:
        """Output channels."""
        return len(self.filters)

    @cached_property
    def magnitudes(self) -> NDArray[np.int64]:
        """The sum of each filter's magnitudes: [outputs]."""
        sums: NDArray[np.int64] = np.abs(self.filters, dtype=np.int16).sum(axis=1, dtype=np.int64)
        return sums

    @cached_property
    def reach(self) -> NDArray[np.int64]:
        """The largest magnitude that a sum with its bias can have: [outputs]."""
        largest: NDArray[np.int64] = np.abs(self.bias.astype(np.int64)) + 128 * self.magnitudes
        return largest

    @cached_property
    def narrow(self) -> bool:
        """Whether no input makes a sum too large for the short requantisation of tn_arithmetic.h."""
        return bool(np.all(self.reach < _NARROW))

    @cached_property
    def rights(self) -> NDArray[np.int64]:
        """Shifts to the right [outputs]; 1 for a multiplier of 0, with which any is right."""
        return np.where(self.multipliers == 0, 1, -self.shifts)

    @cached_property
    def short(self) -> bool:
        """Whether every channel can be requantised in few instructions: narrow, its shift 1 (or 0) to 22."""
        return self.narrow and self._short_shifts

    @cached_property
    def _short_shifts(self) -> bool:
        """A shift of 0 takes no correction of the sign, which does no harm where nothing negative is kept."""
        least = 0 if self.low == self.output_zero else SHORT.start
        return bool(np.all((least <= self.rights) & (self.rights < SHORT.stop)))

    @cached_property
    def writes_planes(self) -> bool:
        """Whether the outputs can stand in planes: with the zero point -128 and not clamped otherwise."""
        if (self.low, self.high, self.output_zero) != (INT8.min, INT8.max, INT8.min) or not self.short:
            return False
        # two outputs share a word before they are cut to a byte each
        largest = self.reach * self.multipliers // 2**31 >> self.rights
        return bool(np.all(largest < _MOST_HALF))

    @cached_property
    def reads_planes(self) -> bool:
        """Whether inputs less a zero point of -128 leave the sums narrow."""
        reach = np.abs(self.plain_bias) + _MOST_SHIFTED * self.magnitudes
        return self.input_zero == INT8.min and bool(np.all(reach < _NARROW)) and self._short_shifts


#: of the graph asked about last; equal graphs may have other weights, so only the same one is known
_known: list[tuple[Graph, dict[Operator, Layer]]] = []


def layer_of(graph: Graph, operator: Operator) -> Layer:
    """The convolution (depthwise or not) or dense layer `operator`.

    Every condition of every kernel asks for it, and then whoever packs it: it is made once.

    Raises:
        ValueError: weights or a quantisation are missing or strange.
        ModelError: a scale is damaged.
    """
    if not _known or _known[0][0] is not graph:
        _known[:] = [(graph, {})]
    known = _known[0][1]
    if operator not in known:
        known[operator] = _layer_of(graph, operator)
    return known[operator]


def _layer_of(graph: Graph, operator: Operator) -> Layer:
    source, target = graph.tensors[operator.inputs[0]], graph.tensors[operator.outputs[0]]
    filters = _filters(graph, operator)
    outputs = len(filters)
    multipliers, shifts = folded_multipliers(source, graph.tensors[operator.inputs[1]], target)
    if len(multipliers) not in (1, outputs):
        raise ValueError(f"its weights have {len(multipliers)} scales for {outputs} channels")
    low, high = activation_range(target, operator.activation)
    window = operator.window or Window((1, 1), (1, 1), Padding.VALID)
    margins = window.margins(source.shape[1], source.shape[2]) if operator.window else (0, 0, 0, 0)
    zero = quantization_of(source)[1]
    bias = _bias(graph, operator, outputs)
    return Layer(
        filters,
        # wrapping around in 32 bits as the accumulator does
        (bias - zero * filters.sum(axis=1, dtype=np.int64)).astype(np.int32),
        bias,
        np.broadcast_to(multipliers.astype(np.int64), (outputs,)),
        np.broadcast_to(shifts.astype(np.int64), (outputs,)),
        window,
        margins,
        zero,
        quantization_of(target)[1],
        low,
        high,
    )


def stored(tensor: Tensor) -> Int8s:
    """The values of an int8 constant.

    Raises:
        ValueError: they are missing or of another type.
    """
    if tensor.data is None:
        raise ValueError(f"the constant {tensor.name} has no data")
    if tensor.dtype is not DType.INT8:
        raise ValueError(f"the constant {tensor.name} is {tensor.dtype.label}, not int8")
    values: Int8s = tensor.data.view(np.int8)
    return values


def _filters(graph: Graph, operator: Operator) -> Int8s:
    tensor = graph.tensors[operator.inputs[1]]
    weights = stored(tensor)
    if operator.kind is OpKind.DEPTHWISE_CONV_2D:
        return weights.reshape(-1, weights.shape[3]).T
    if operator.kind is OpKind.FULLY_CONNECTED:
        if tensor.quantization is not None and any(tensor.quantization.zero_points):
            raise ValueError("its weights have a zero point other than 0")
        elements = graph.tensors[operator.inputs[0]].elements
        if elements != weights.shape[1]:
            raise ValueError(f"its weights take {weights.shape[1]} inputs and there are {elements}")
        return weights
    return weights.reshape(weights.shape[0], -1)


def _bias(graph: Graph, operator: Operator, outputs: int) -> NDArray[np.int64]:
    if len(operator.inputs) < 3 or operator.inputs[2] < 0:
        return np.zeros(outputs, np.int64)
    tensor = graph.tensors[operator.inputs[2]]
    if tensor.data is None:
        raise ValueError(f"the constant {tensor.name} has no data")
    if tensor.dtype is not DType.INT32:
        raise ValueError(f"the constant {tensor.name} is {tensor.dtype.label}, not int32")
    bias: NDArray[np.int64] = tensor.data.astype(np.int64).ravel()
    if len(bias) != outputs:
        raise ValueError(f"its bias has {len(bias)} values for {outputs} channels")
    return bias
