"""What the C kernels must compute, said plainly in NumPy with 64-bit integers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Int8 = NDArray[np.int8]
Int64 = NDArray[np.int64]
Integers = NDArray[np.signedinteger[Any]]


def rescale(values: Integers, multiplier: Integers | int, shift: Integers | int) -> Int64:
    """TFLite's MultiplyByQuantizedMultiplier with two roundings: halves up, then halves away from zero."""
    multiplier, shift = np.broadcast_arrays(np.int64(multiplier), np.int64(shift))
    left = np.maximum(shift, 0)
    right = np.maximum(-shift, 0)
    shifted = (values.astype(np.int64) << left).astype(np.int32).astype(np.int64)
    high = (shifted * multiplier + (1 << 30)) >> 31
    half = np.where(right > 0, np.int64(1) << np.maximum(right - 1, 0), 0)
    result: Int64 = np.sign(high) * ((np.abs(high) + half) >> right)
    return result


def finish(values: Int64, zero: int, low: int, high: int) -> Int8:
    """Adds the output's zero point, in 32 bits as TFLite does, and clamps."""
    return np.clip((values + zero).astype(np.int32), low, high).astype(np.int8)


def windows(
    values: Int8,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    pad: tuple[int, int],
    out: tuple[int, int],
    fill: int,
) -> Int64:
    """Every window of a map, `fill` outside it: [out rows, out columns, kernel rows, columns, channels]."""
    rows, columns, channels = values.shape
    result = np.full((*out, *kernel, channels), fill, np.int64)
    for y in range(out[0]):
        for x in range(out[1]):
            for i in range(kernel[0]):
                for j in range(kernel[1]):
                    row, column = y * stride[0] - pad[0] + i, x * stride[1] - pad[1] + j
                    if 0 <= row < rows and 0 <= column < columns:
                        result[y, x, i, j] = values[row, column]
    return result


def pack_depthwise(weights: Int8) -> Int8:
    """[kh, kw, channels] weights by fours of channels and pairs of taps (see tinynas_kernels.h)."""
    channels = weights.shape[2]
    taps = weights.reshape(-1, channels)
    padded = np.zeros((-(-len(taps) // 2) * 2, -(-channels // 4) * 4), np.int8)
    padded[: len(taps), :channels] = taps
    # [pair, tap of the pair, four, half of the four, channel of the half] -> [four, pair, half, tap, channel]
    blocks = padded.reshape(-1, 2, padded.shape[1] // 4, 2, 2)
    return np.ascontiguousarray(blocks.transpose(2, 0, 3, 1, 4)).reshape(-1)


def round_half_away(numerator: Int64, denominator: Int64) -> Int64:
    """numerator / denominator to the nearest integer, halves away from zero."""
    result: Int64 = np.sign(numerator) * ((np.abs(numerator) + denominator // 2) // denominator)
    return result
