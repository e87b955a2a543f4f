"""From an operator with weights to the parameter struct of its C kernel.

Everything TFLite works out when it prepares an operator is worked out here, with its types and in its order
(single or double precision), because one bit of a multiplier can be one step of an output. What TFLite would
refuse is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinynas.engine.block_packing import (
    pack_depthwise_planes,
    pack_pairs,
    pack_pairs_to_planes,
    packed_pairs,
    paired_pairs,
)
from tinynas.engine.layers import SHORT, Layer, layer_of, stored
from tinynas.engine.lookups import lookup_table, softmax_exponentials
from tinynas.engine.parameters import (
    Affine,
    Binary,
    Concatenation,
    Convolution,
    Int8s,
    Lookup,
    Mean,
    Pad,
    PaddingPixel,
    Parameters,
    Permutation,
    Pool,
    Resize,
    Scale,
    Softmax,
    Sum,
)
from tinynas.engine.rows import averages_rows, map_shape, nearest_indices
from tinynas.engine.winograd import pack_winograd
from tinynas.errors import ModelError
from tinynas.graph import DType, Graph, Operator, OpKind, Tensor
from tinynas.graph.quantized import (
    activation_range,
    mean_multiplier,
    quantization_of,
    quantize_multiplier,
    requantize,
)

#: ADD works on both sides times 2^20
_ADD_SHIFT = 20
#: a half, as TFLite writes it
HALF = Scale(2**30, 0)
#: channels that tn_depthwise takes at a time, and its taps
_FOUR, _PAIR = 4, 2
#: pooling takes scales that differ by no more for equal
_SAME_SCALE = 1e-6
#: channels of a softmax, so that the sum of exponentials stays in 12 bits
_MOST_CLASSES = 2**12 - 1
#: rows and columns that a table of uint16 can name
_MOST_PLACES = 2**16


def pack(graph: Graph, index: int, function: str) -> Parameters:
    """The constants of operator `index` for the C kernel `function`, which is one of the catalogue's.

    Raises:
        ModelError: weights or a quantisation are missing, or one is such that TFLite refuses it too; the
            operator is named with its index.
    """
    operator = graph.operators[index]
    try:
        return _PACKERS[function](graph, operator)
    except ValueError as error:
        raise ModelError(
            f"{graph.name}: operator {index} ({operator.kind.value}) cannot be compiled: {error}; "
            "quantise and export the network again"
        ) from error
    except ModelError as error:
        raise ModelError(f"{graph.name}: operator {index} ({operator.kind.value}): {error}") from error


def _source(graph: Graph, operator: Operator) -> Tensor:
    return graph.tensors[operator.inputs[0]]


def _target(graph: Graph, operator: Operator) -> Tensor:
    return graph.tensors[operator.outputs[0]]


def _data(tensor: Tensor, *dtypes: DType) -> NDArray[Any]:
    """The values of a constant, which is of one of `dtypes`."""
    if tensor.data is None:
        raise ValueError(f"the constant {tensor.name} has no data")
    if tensor.dtype not in dtypes:
        raise ValueError(f"the constant {tensor.name} is {tensor.dtype.label}, not {dtypes[0].label}")
    return tensor.data


def _numbers(graph: Graph, operator: Operator) -> list[int]:
    """The operator's second input, a list of sizes or axes."""
    values = _data(graph.tensors[operator.inputs[1]], DType.INT32, DType.INT64)
    return [int(value) for value in values.ravel()]


# --- convolutions and dense layers ----------------------------------------------------------------------


def _convolution(graph: Graph, operator: Operator) -> Convolution:
    layer = layer_of(graph, operator)
    groups = _source(graph, operator).shape[3] // graph.tensors[operator.inputs[1]].shape[3]
    return _weighted(graph, operator, layer, packed=layer.filters.ravel(), groups=groups)


def _depthwise(graph: Graph, operator: Operator) -> Convolution:
    layer = layer_of(graph, operator)
    return _weighted(graph, operator, layer, packed=pack_depthwise(layer.filters.T), groups=layer.outputs)


def _depthwise_multiplied(graph: Graph, operator: Operator) -> Convolution:
    layer, groups = layer_of(graph, operator), _source(graph, operator).shape[3]
    return _weighted(graph, operator, layer, packed=layer.filters.T.ravel(), groups=groups)


def pack_depthwise(taps: Int8s) -> Int8s:
    """`taps` [taps, channels] by fours of channels and pairs of taps, as tn_depthwise loads them.

    Of taps a, b and channels 0..3 come a0 a1 b0 b1, a2 a3 b2 b3; missing ones are 0.
    """
    count, channels = taps.shape
    padded = np.pad(taps, ((0, -count % _PAIR), (0, -channels % _FOUR)))
    # [pair, tap of the pair, four, half of the four, channel of the half]
    split = padded.reshape(-1, _PAIR, padded.shape[1] // _FOUR, 2, 2)
    return np.ascontiguousarray(split.transpose(2, 0, 3, 1, 4)).ravel()


def _dense(graph: Graph, operator: Operator) -> Convolution:
    layer = layer_of(graph, operator)
    return _weighted(graph, operator, layer, packed=layer.filters.ravel(), groups=1)


def _weighted(graph: Graph, operator: Operator, layer: Layer, packed: Int8s, groups: int) -> Convolution:
    window, margins = layer.window, layer.margins
    padding = PaddingPixel(layer.input_zero, _source(graph, operator).shape[3]) if any(margins) else None
    return Convolution(
        weights=packed,
        bias=layer.bias,
        multipliers=layer.multipliers.astype(np.int32),
        shifts=layer.shifts.astype(np.int8),
        padding=padding,
        depth=layer.filters.shape[1],
        kernel_rows=window.kernel[0],
        kernel_columns=window.kernel[1],
        stride_rows=window.stride[0],
        stride_columns=window.stride[1],
        pad_top=margins[0],
        pad_left=margins[2],
        groups=groups,
        output_zero=layer.output_zero,
        low=layer.low,
        high=layer.high,
        narrow=int(layer.narrow),
    )


def _scale(tensor: Tensor) -> float:
    return quantization_of(tensor)[0]


# --- elementwise ----------------------------------------------------------------------------------------


def _add(graph: Graph, operator: Operator) -> Binary:
    left, right = _sides(graph, operator)
    target = _target(graph, operator)
    twice = 2 * max(_scale(left), _scale(right))
    scales = (
        _scale(left) / twice,
        _scale(right) / twice,
        twice / ((1 << _ADD_SHIFT) * _scale(target)),
    )
    if not all(0 < scale < 1 for scale in scales):
        raise ValueError("the output's scale is too fine for the sum of its inputs")
    return _binary(graph, operator, *(Scale(*quantize_multiplier(scale)) for scale in scales))


def _sum(graph: Graph, operator: Operator) -> Sum:
    """ADD by a table of the side whose scale is smaller: the other is multiplied by exactly a half."""
    sides = [graph.tensors[i] for i in operator.inputs[:2]]
    plain = _add(graph, operator)
    scales = (plain.left, plain.right)
    scaled = 0 if scales[1] == HALF else 1
    zeros = [quantization_of(side)[1] for side in sides]
    shifted = (np.arange(-128, 128) - zeros[scaled]) << _ADD_SHIFT
    side = requantize(shifted, scales[scaled].multiplier, scales[scaled].shift).astype(np.int64)
    right = -plain.output.shift
    return Sum(
        table=(2 * side - (zeros[1 - scaled] << _ADD_SHIFT)).astype(np.int32),
        multiplier=plain.output.multiplier,
        rounding=(2 * plain.output_zero + 1) << (right - 1),
        shift=right,
        scaled=scaled,
        low=plain.low,
        high=plain.high,
    )


def sums_by_table(graph: Graph, operator: Operator) -> bool:
    """Whether `_sum` can pack an ADD whose inputs have the output's shape."""
    try:
        plain = _add(graph, operator)
    except (ValueError, ModelError):
        return False
    return HALF in (plain.left, plain.right) and -plain.output.shift in SHORT


def _multiply(graph: Graph, operator: Operator) -> Binary:
    left, right = _sides(graph, operator)
    real = _scale(left) * _scale(right) / _scale(_target(graph, operator))
    none = Scale(0, 0)
    return _binary(graph, operator, none, none, Scale(*quantize_multiplier(real)))


def _sides(graph: Graph, operator: Operator) -> tuple[Tensor, Tensor]:
    """The two inputs, a constant one last: sums and products are the same either way."""
    left, right = (graph.tensors[i] for i in operator.inputs[:2])
    return (right, left) if left.constant else (left, right)


def _binary(graph: Graph, operator: Operator, left: Scale, right: Scale, output: Scale) -> Binary:
    sides, target = _sides(graph, operator), _target(graph, operator)
    low, high = activation_range(target, operator.activation)
    constant, shape = None, (0, 0, 0)
    if sides[1].constant:
        constant, shape = stored(sides[1]).ravel(), _image_shape(sides[1], target)
    return Binary(
        left=left,
        right=right,
        output=output,
        left_zero=quantization_of(sides[0])[1],
        right_zero=quantization_of(sides[1])[1],
        constant=constant,
        constant_rows=shape[0],
        constant_columns=shape[1],
        constant_channels=shape[2],
        output_zero=quantization_of(target)[1],
        low=low,
        high=high,
    )


def _image_shape(constant: Tensor, target: Tensor) -> tuple[int, int, int]:
    """Rows, columns and channels of a constant, its axes aligned with the last ones of `target`."""
    shape = map_shape(constant)
    if len(constant.shape) < 4 <= len(target.shape):
        rows, columns, channels = (*(1,) * (3 - len(constant.shape)), *constant.shape)
        return rows, columns, channels
    return shape.rows, shape.columns, shape.channels


# --- pooling and means ----------------------------------------------------------------------------------


def _pool(graph: Graph, operator: Operator) -> Pool:
    source, target, window = _source(graph, operator), _target(graph, operator), operator.window
    if window is None:
        raise ValueError("it has no window")
    top, _, left, _ = window.margins(source.shape[1], source.shape[2])
    (scale, zero), (new_scale, new_zero) = quantization_of(source), quantization_of(target)
    if zero != new_zero or abs(scale - new_scale) > _SAME_SCALE:
        raise ValueError("its input and output have different scales or zero points")
    low, high = activation_range(target, operator.activation)
    return Pool(*window.kernel, *window.stride, top, left, low, high)


def _mean(graph: Graph, operator: Operator) -> Mean:
    source, target = _source(graph, operator), _target(graph, operator)
    multiplier, shift = mean_multiplier(source, target, source.elements // target.elements)
    before, after = map_shape(source), map_shape(target)
    return Mean(
        Scale(multiplier, shift),
        input_zero=quantization_of(source)[1],
        output_zero=quantization_of(target)[1],
        over_rows=int(averages_rows(graph, operator)),
        over_columns=int(before.columns != after.columns),
    )


# --- tables ---------------------------------------------------------------------------------------------


def _lookup(graph: Graph, operator: Operator) -> Lookup:
    return Lookup(lookup_table(operator.kind, _source(graph, operator), _target(graph, operator)))


def _softmax(graph: Graph, operator: Operator) -> Softmax:
    scale, zero = quantization_of(_target(graph, operator))
    if _target(graph, operator).shape[-1] > _MOST_CLASSES:
        raise ValueError(f"SOFTMAX runs over at most {_MOST_CLASSES} channels")
    if (scale, zero) != (1 / 256, -128):
        raise ValueError("the output of SOFTMAX needs the scale 1/256 and the zero point -128")
    return Softmax(softmax_exponentials(_source(graph, operator), operator.beta))


def _affine(tensor: Tensor) -> Affine:
    return Affine(*quantization_of(tensor))


# --- moving values --------------------------------------------------------------------------------------


def _concatenation(graph: Graph, operator: Operator) -> Concatenation:
    """Along channels (the last axis) each pixel is a block, along columns each row is one."""
    target = _target(graph, operator)
    if any(graph.tensors[i].constant for i in operator.inputs):
        raise ValueError("one of its inputs is a constant")
    axis = operator.axis % len(target.shape)
    blocks = map_shape(target).columns if axis == len(target.shape) - 1 else 1
    return Concatenation(len(operator.inputs), blocks)


def _pad(graph: Graph, operator: Operator) -> Pad:
    # before and after each axis in turn
    before = _numbers(graph, operator)[::2]
    if len(before) != 4:
        raise ValueError(f"it pads {len(before)} axes")
    _, top, left, front = before
    return Pad(top, left, front, quantization_of(_target(graph, operator))[1])


def _resize(graph: Graph, operator: Operator) -> Resize:
    source, target = map_shape(_source(graph, operator)), map_shape(_target(graph, operator))
    if max(source.columns, target.columns) > _MOST_PLACES:
        raise ValueError(f"a map that is resized has at most {_MOST_PLACES} columns")
    rows, columns = (
        nearest_indices(size, wanted, operator).astype(np.uint16)
        for size, wanted in ((source.rows, target.rows), (source.columns, target.columns))
    )
    return Resize(rows, columns)


def _permutation(graph: Graph, operator: Operator) -> Permutation:
    source, target = _source(graph, operator), _target(graph, operator)
    shape = map_shape(target)
    if operator.kind is OpKind.RESHAPE:
        return Permutation(shape.columns * shape.channels, shape.channels, 1, first=0)
    order = [axis % len(source.shape) for axis in _numbers(graph, operator)]
    if order[0] != 0 or sorted(order) != list(range(len(source.shape))):
        raise ValueError(f"its order {order} moves the batch")
    strides = [int(np.prod(source.shape[axis + 1 :])) for axis in order]
    # missing axes in front are walked in one step
    row, column, channel = (0, 0, 0, *strides[1:])[-3:]
    return Permutation(row, column, channel, first=0)


_PACKERS: dict[str, Callable[[Graph, Operator], Parameters]] = {
    "tn_convolve": _convolution,
    "tn_convolve_groups": _convolution,
    "tn_pointwise": _convolution,
    "tn_depthwise": _depthwise,
    "tn_depthwise_multiplied": _depthwise_multiplied,
    "tn_dense": _dense,
    "tn_convolve_packed": partial(pack_pairs, pairs=packed_pairs),
    "tn_convolve_paired": partial(pack_pairs, pairs=paired_pairs),
    "tn_convolve_packed_planes": partial(pack_pairs_to_planes, pairs=packed_pairs),
    "tn_convolve_paired_planes": partial(pack_pairs_to_planes, pairs=paired_pairs),
    "tn_convolve_winograd": pack_winograd,
    "tn_depthwise_planes": pack_depthwise_planes,
    "tn_depthwise_planes_3": pack_depthwise_planes,
    "tn_dense_packed": partial(pack_pairs, pairs=packed_pairs),
    "tn_dense_paired": partial(pack_pairs, pairs=paired_pairs),
    "tn_add": _add,
    "tn_add_table": _sum,
    "tn_mul": _multiply,
    "tn_average_pool": _pool,
    "tn_max_pool": _pool,
    "tn_mean": _mean,
    "tn_lookup": _lookup,
    "tn_softmax": _softmax,
    "tn_concat": _concatenation,
    "tn_concat_rows": _concatenation,
    "tn_pad": _pad,
    "tn_resize": _resize,
    "tn_permute": _permutation,
    "tn_quantize": lambda graph, operator: _affine(_target(graph, operator)),
    "tn_dequantize": lambda graph, operator: _affine(_source(graph, operator)),
}
