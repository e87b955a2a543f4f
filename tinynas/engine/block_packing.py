"""Packing of the kernels that work by blocks of pixels and channels (firmware/engine/tn_blocks.h)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinynas.engine.layers import INT8, Layer, layer_of
from tinynas.engine.parameters import Blocks, Int8s, Int16s, Int32s
from tinynas.engine.planes import planes_for
from tinynas.engine.rows import map_shape
from tinynas.graph import Graph, Operator

#: filters in the order of tn_blocks.h to weights as a kernel reads them
WeightForm = Callable[[Int8s], Int16s]
#: the same, and the constants [channels, 4], to what stands for pairs of channels
PairForm = Callable[[Int8s, Int32s], Int16s]

#: values of a step of the inner loop, and bytes of a word
_STEP = _WORD = 4
#: where SXTB16 leaves a word's bytes
_LANES = [0, 2, 1, 3]
#: a packed halfword holds 256 times the second channel's weight, whose sum has 23 bits
_PACKED = 256
_MOST_PACKED_SUM = 2**31 // (_PACKED * 128)


def block_depth(runs: int, run: int) -> int:
    """Values a pixel of `runs` kernel rows of `run` bytes: a multiple of four."""
    return -(-runs * run // _STEP) * _STEP


def fits_packed(layer: Layer) -> bool:
    """Whether the filters may stand as 256 * w[o + 1] + w[o], see tn_blocks.h."""
    if layer.outputs == 1:
        return False
    _, high_sums = _partners(layer.magnitudes)
    if np.any(high_sums >= _MOST_PACKED_SUM):
        return False
    if layer.filters.min(initial=0) > INT8.min:
        return True
    low, high = _partners(layer.filters)
    words = np.multiply(high, _PACKED, dtype=np.int32) + low
    return bool(np.all(words >= np.iinfo(np.int16).min))


def pack_pairs(graph: Graph, operator: Operator, pairs: PairForm) -> Blocks:
    """The constants of tn_convolve_packed, tn_dense_packed and their like of other `pairs`.

    Raises:
        ValueError: as `layer_of`.
    """
    layer = layer_of(graph, operator)
    return _pairs(graph, operator, layer, pairs, layer.output_zero)


def pack_pairs_to_planes(graph: Graph, operator: Operator, pairs: PairForm) -> Blocks:
    """The same for those that write planes, which hold values less the zero point.

    Raises:
        ValueError: as `layer_of`.
    """
    (reader,) = (each for each in graph.operators if operator.outputs[0] in each.inputs)
    packed = _pairs(graph, operator, layer_of(graph, operator), pairs, 0)
    return replace(packed, before=planes_for(graph, reader).before)


def pack_blocks(graph: Graph, operator: Operator, weights: WeightForm) -> Blocks:
    """The constants of kernels that take `weights` and what belongs to channels apart.

    Raises:
        ValueError: as `layer_of`.
    """
    return _blocks(graph, operator, layer_of(graph, operator), weights)


def pack_depthwise_planes(graph: Graph, operator: Operator) -> Blocks:
    """The constants of the kernels of planes (tn_planes.h).

    Raises:
        ValueError: as `layer_of`.
    """
    layer = layer_of(graph, operator)
    weights = plane_weights(layer.filters.reshape(layer.outputs, *layer.window.kernel))
    plain = replace(layer, bias=layer.plain_bias.astype(np.int32))
    return replace(
        _blocks(graph, operator, layer, lambda ordered: weights),
        weights=weights.ravel(),
        constants=plain_constants(plain, layer.output_zero).ravel(),
        depth=weights.shape[1],
    )


def plane_weights(filters: Int8s) -> Int16s:
    """`filters` [channels, rows, columns] doubled, as tn_planes.h says: [channels, values]."""
    values = 2 * filters.astype(np.int16)
    # w0 w1, w2 w3, ... and then w1 w2, w3 w4, ...
    words: Int16s = np.concatenate([values[:, :, :-1], values[:, :, 1:]], axis=2)
    return words.reshape(len(filters), -1)


def _blocks(graph: Graph, operator: Operator, layer: Layer, weights: WeightForm) -> Blocks:
    ordered = gathered_order(layer.filters, layer.window.kernel[0])
    dense = operator.window is None
    return Blocks(
        weights=weights(ordered),
        constants=channel_constants(layer, layer.output_zero),
        depth=ordered.shape[1],
        columns=1 if dense else map_shape(graph.tensors[operator.outputs[0]]).columns,
        kernel_rows=layer.window.kernel[0],
        kernel_columns=layer.window.kernel[1],
        stride_rows=layer.window.stride[0],
        stride_columns=layer.window.stride[1],
        pad_top=layer.margins[0],
        pad_left=layer.margins[2],
        before=0,
        padding=layer.input_zero,
        low=layer.low,
        high=layer.high,
    )


def _pairs(graph: Graph, operator: Operator, layer: Layer, pairs: PairForm, zero: int) -> Blocks:
    packed = _blocks(graph, operator, layer, lambda ordered: pairs(ordered, plain_constants(layer, zero)))
    return replace(packed, constants=None)


def gathered_order(filters: Int8s, runs: int) -> Int8s:
    """`filters` [outputs, values] of `runs` kernel rows in the order of tn_blocks.h: [outputs, depth]."""
    rows = filters.reshape(len(filters), runs, -1)
    whole = rows.shape[2] // _WORD * _WORD
    words = rows[:, :, :whole].reshape(len(filters), -1, _WORD)[:, :, _LANES].reshape(len(filters), -1)
    ordered = np.concatenate([words, rows[:, :, whole:].reshape(len(filters), -1)], axis=1)
    return np.pad(ordered, ((0, 0), (0, -ordered.shape[1] % _STEP)))


def packed_weights(ordered: Int8s) -> Int16s:
    """256 * w[o + 1] + w[o] for pairs of channels: [pairs * depth]."""
    low, high = _partners(ordered)
    words: Int16s = (_PACKED * high.astype(np.int16) + low).astype(np.int16)
    return words.ravel()


def paired_weights(ordered: Int8s) -> Int16s:
    """2 * w of pairs of values of the one and the other channel of a pair: [2 * pairs * depth]."""
    even = 2 * _by_pairs(ordered).astype(np.int16)
    # [pair, channel, pair of values, value] to [pair, pair of values, channel, value]
    split: Int16s = even.reshape(len(even) // 2, 2, -1, 2)
    return split.transpose(0, 2, 1, 3).ravel()


def packed_pairs(ordered: Int8s, constants: Int32s) -> Int16s:
    """Packed weights with the `constants` [channels, 4] of each pair of channels behind them."""
    biases, others = _constants_of_pairs(constants)
    return _side_by_side(packed_weights(ordered).reshape(len(biases), -1), biases, others)


def paired_pairs(ordered: Int8s, constants: Int32s) -> Int16s:
    """Paired weights with the biases of each pair of channels before and its other constants behind them."""
    biases, others = _constants_of_pairs(constants)
    return _side_by_side(biases, paired_weights(ordered).reshape(len(biases), -1), others)


def _side_by_side(*parts: Int16s) -> Int16s:
    rows: Int16s = np.concatenate(parts, axis=1)
    return rows.ravel()


def _constants_of_pairs(constants: Int32s) -> tuple[Int16s, Int16s]:
    """Twice the biases of pairs of channels, and all else, as halfwords: [pairs, 4], [pairs, 12]."""
    table = _by_pairs(constants).astype("<i4").reshape(-1, 2, constants.shape[1])
    return _halfwords(table[:, :, :1]), _halfwords(table[:, :, 1:])


def _halfwords(table: Int32s) -> Int16s:
    rows: Int16s = np.ascontiguousarray(table).reshape(len(table), -1).view("<i2")
    return rows


def channel_constants(layer: Layer, zero: int) -> Int32s:
    """Of each channel twice its bias, multiplier, rounding and right shift: [4 * channels], by pairs.

    The rounding has the zero point `zero` in it.
    """
    return _by_pairs(plain_constants(layer, zero)).ravel()


def plain_constants(layer: Layer, zero: int) -> Int32s:
    """The same channel by channel: [channels, 4]."""
    # half of what is divided by, if anything is, and the zero point times that
    rounding = (zero << layer.rights) + (1 << layer.rights) // 2
    columns = (2 * layer.bias.astype(np.int64), layer.multipliers, rounding, layer.rights)
    table: Int32s = np.stack(columns, axis=1).astype(np.int32)
    return table


def _partners(rows: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    even = _by_pairs(rows)
    return even[::2], even[1::2]


def _by_pairs(rows: NDArray[Any]) -> NDArray[Any]:
    """The last of an odd number goes with the one before it, which is thus there twice."""
    return np.insert(rows, -1, rows[-2], axis=0) if len(rows) % 2 else rows
