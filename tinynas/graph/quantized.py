"""TFLite's exact integer requantisation, in NumPy.

Every int8 kernel ends the same way: an int32 accumulator times a real factor, rounded. TFLite does that with
integers: the factor becomes a 31-bit fraction and a shift, and the product is rounded twice, by the doubling
high multiply and by the shift to the right. These functions give the bits of its reference kernels
(tensorflow/lite/kernels/internal: common.h, quantization_util.cc, reference/reduce.h).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinynas.errors import ModelError
from tinynas.graph.ir import Activation, DType, Quantization, Tensor

_INT32_MAX = 2**31 - 1
_RANGES = {DType.INT8: (-128, 127), DType.UINT8: (0, 255), DType.INT16: (-(2**15), 2**15 - 1)}


def round_half_away(value: float) -> int:
    """`value` rounded to the nearest integer, halves away from zero, as C's round does."""
    whole = math.floor(abs(value))
    # not floor(x + 0.5): just below a half that sum rounds up to one
    return int(math.copysign(whole + (abs(value) - whole >= 0.5), value))


def quantize_multiplier(real: float) -> tuple[int, int]:
    """`real` >= 0 as (multiplier, shift): real = multiplier / 2^31 * 2^shift, as TFLite's QuantizeMultiplier.

    The multiplier is in [2^30, 2^31) and a positive shift is to the left. Factors so small that 32 bits
    would be shifted out become (0, 0).

    Raises:
        ModelError: the factor is negative, not finite, or would shift every bit out to the left.
    """
    if not 0.0 <= real < 2.0**31:
        raise ModelError(
            f"the model scales a value by {real:g}, which no int32 holds: its scales are damaged, "
            "export it again"
        )
    fraction, shift = math.frexp(real)
    multiplier = round_half_away(fraction * 2**31)
    if multiplier == 2**31:
        multiplier, shift = multiplier // 2, shift + 1
    return (multiplier, shift) if multiplier and shift >= -31 else (0, 0)


def quantize_multipliers(reals: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """`quantize_multiplier` of many: multipliers and shifts, of the shape of `reals`.

    Raises:
        ModelError: as there.
    """
    if strange := next((real for real in reals.ravel() if not 0.0 <= real < 2.0**31), None):
        quantize_multiplier(float(strange))
    fractions, powers = np.frexp(reals)
    # 22 bits stand behind the point at most, so that adding a half is exact
    multipliers = np.floor(fractions * 2**31 + 0.5).astype(np.int64)
    full = multipliers == 2**31
    multipliers, shifts = np.where(full, 2**30, multipliers), powers.astype(np.int64) + full
    lost = (multipliers == 0) | (shifts < -31)
    return np.where(lost, 0, multipliers), np.where(lost, 0, shifts)


def requantize(
    accumulators: NDArray[Any], multiplier: int | NDArray[Any], shift: int | NDArray[Any]
) -> NDArray[np.int32]:
    """TFLite's MultiplyByQuantizedMultiplier with double rounding, element by element.

    `accumulators` hold int32 values in any integer type and any shape; `multiplier` and `shift` (> 0 to the
    left) broadcast against them, so that per-channel ones stand along the last axis. Like TFLite's C, a shift
    to the left wraps around in 32 bits; only the product of two int32 minima saturates.
    """
    shift64 = np.asarray(shift, np.int64)
    left, right = np.maximum(shift64, 0), np.maximum(-shift64, 0)
    shifted = (np.asarray(accumulators, np.int64) << left).astype(np.int32).astype(np.int64)
    product = shifted * np.asarray(multiplier, np.int64)
    nudged = product + np.where(product >= 0, 1 << 30, 1 - (1 << 30))
    # C divides towards zero, where a shift would round down
    high = np.sign(nudged) * (np.abs(nudged) >> 31)
    high = np.minimum(high, _INT32_MAX)
    mask = (np.int64(1) << right) - 1
    threshold = (mask >> 1) + (high < 0)
    rounded: NDArray[np.int32] = ((high >> right) + ((high & mask) > threshold)).astype(np.int32)
    return rounded


def quantization_of(tensor: Tensor) -> tuple[float, int]:
    """Scale and zero point of a tensor that has one of each.

    Raises:
        ValueError: `tensor` has no quantisation, or one per channel.
    """
    known = tensor.quantization
    if known is None or known.per_channel:
        raise ValueError(f"tensor {tensor.name} has no single scale")
    return known.scales[0], known.zero_points[0]


def same_quantization(left: Quantization | None, right: Quantization | None) -> bool:
    """Whether equal integers of both mean equal numbers; false where one is not known."""
    return left is not None and right is not None and left == right


def activation_range(tensor: Tensor, activation: Activation) -> tuple[int, int]:
    """Smallest and largest stored value that `activation` leaves in `tensor`, as TFLite clamps.

    Raises:
        ValueError: the tensor is of no quantised type, or has no single scale where `activation` needs one.
    """
    if tensor.dtype not in _RANGES:
        raise ValueError(f"tensor {tensor.name} is {tensor.dtype.label}, which is not quantised")
    low, high = _RANGES[tensor.dtype]
    if activation is Activation.NONE:
        return low, high
    scale, zero = quantization_of(tensor)
    low = max(low, zero)
    if activation is Activation.RELU6:
        high = min(high, zero + _in_steps(6.0, scale))
    return low, high


def _in_steps(real: float, scale: float) -> int:
    # TFLite divides in single precision, and 6 / scale can stand close to a half
    return round_half_away(float(np.float32(real) / np.float32(scale)))


def folded_multipliers(
    source: Tensor, weights: Tensor, output: Tensor
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Multiplier and shift of a convolution or dense layer: [channels] each, or [1] with one for all.

    The factor is source scale * weight scale / output scale, in double precision. (Of a dense layer with one
    scale TensorFlow's own interpreter rounds the product to single precision; TFLite Micro, which the
    engine equals, does not.)

    Raises:
        ValueError: a quantisation that this needs is missing.
        ModelError: a factor is out of range.
    """
    if weights.quantization is None:
        raise ValueError(f"the weights {weights.name} have no scales")
    into, out_of = quantization_of(source)[0], quantization_of(output)[0]
    return quantize_multipliers(into * np.array(weights.quantization.scales) / out_of)


def mean_multiplier(source: Tensor, output: Tensor, count: int) -> tuple[int, int]:
    """Multiplier and shift that turn a sum of `count` values, less their zero points, into their mean.

    TFLite divides the multiplier, not the sum, whatever the axes and even between equal scales.
    """
    multiplier, shift = quantize_multiplier(quantization_of(source)[0] / quantization_of(output)[0])
    moved = min(count.bit_length() - 1, 32, 31 + shift)
    return (multiplier << moved) // count, shift - moved
