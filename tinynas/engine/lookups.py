"""Functions of one int8 value as tables of 256 bytes, with the bits of TFLite's reference kernels.

Entry i is the result for the stored value i - 128. The kernels compute these functions anew for every
element; a table gives the same bytes with one load. Scales come from the file in single precision; what is
made of them is double precision where TFLite Micro has it so.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinynas.engine.fixedpoint import exponential, high_multiply, logistic, rounding_shift
from tinynas.graph import OpKind, Tensor
from tinynas.graph.quantized import quantization_of, quantize_multiplier, requantize, round_half_away

Table = NDArray[np.int8]

_STORED = np.arange(-128, 128, dtype=np.int64)
_LOGISTIC_INTEGER_BITS = 4
_SOFTMAX_INTEGER_BITS = 5
#: HARD_SWISH works on 16-bit values: the input times 2^7
_HIGH_RESOLUTION = 2.0**7
#: the scale at which 3.0 is the largest 16-bit value
_REACH_OF_HARD_SWISH = 3.0 / 2.0**15


def lookup_table(kind: OpKind, source: Tensor, target: Tensor) -> Table:
    """int8 [256]: what `kind` makes of each stored value of `source`, as stored in `target`.

    Raises:
        ValueError: TFLite refuses these quantisations, or `kind` is no function of one value.
    """
    if kind not in _FUNCTIONS:
        raise ValueError(f"{kind.value} is no function of one value")
    return _FUNCTIONS[kind](source, target).astype(np.int8)


def _clamped(values: NDArray[Any], low: int = -128, high: int = 127) -> NDArray[Any]:
    return np.clip(values, low, high)


def _requantized(source: Tensor, target: Tensor) -> NDArray[Any]:
    (scale, zero), (new_scale, new_zero) = quantization_of(source), quantization_of(target)
    return _clamped(requantize(_STORED - zero, *quantize_multiplier(scale / new_scale)) + new_zero)


def _relu(source: Tensor, target: Tensor) -> NDArray[Any]:
    return _clamped(_requantized(source, target), low=max(-128, quantization_of(target)[1]))


def _relu6(source: Tensor, target: Tensor) -> NDArray[Any]:
    # TFLite clamps the stored values and never rescales them, whatever the output's quantisation
    scale, zero = quantization_of(source)
    six = zero + round_half_away(float(np.float32(6.0) / np.float32(scale)))
    return _clamped(_STORED, zero, max(zero, min(six, 127)))


def _logistic(source: Tensor, target: Tensor) -> NDArray[Any]:
    scale, zero = quantization_of(source)
    if quantization_of(target)[1] != -128:
        raise ValueError("the output of LOGISTIC needs the zero point -128")
    bits = _LOGISTIC_INTEGER_BITS
    factor = scale * 2.0 ** (31 - bits)
    if factor < 0.5:
        # TFLite Micro shifts by its exponent, and by less than nothing
        raise ValueError("the input's scale is too small for LOGISTIC")
    multiplier, shift = quantize_multiplier(factor)
    radius = _radius(bits, shift)
    values = _STORED - zero
    inside = np.abs(values) < radius
    rescaled = requantize(np.where(inside, values, 0), multiplier, shift)
    result = _clamped(rounding_shift(logistic(rescaled, bits), 23) - 128)
    return np.where(inside, result, np.where(values > 0, 127, -128))


def _hard_swish(source: Tensor, target: Tensor) -> NDArray[Any]:
    (scale, zero), (new_scale, new_zero) = quantization_of(source), quantization_of(target)
    fine = scale / _HIGH_RESOLUTION
    factor, shift = _sixteen_bits(fine / new_scale)
    if shift > 0:
        raise ValueError("the output's scale is too fine for HARD_SWISH")
    reach_factor, reach_shift = _sixteen_bits(fine / _REACH_OF_HARD_SWISH)
    if min(shift, reach_shift) < -15:
        # TFLite shifts 16-bit values by more than they have
        raise ValueError("the input's scale is too small for HARD_SWISH")
    values = (_STORED - zero) << 7
    unshifted = high_multiply(values, factor, bits=16)
    gate = values
    if reach_shift > 0:
        gate = _saturated(gate << (reach_shift - 1))
    gate = high_multiply(gate, reach_factor, bits=16)
    if reach_shift > 0:
        gate = _saturated(gate << 1)
    elif reach_shift < 0:
        gate = rounding_shift(gate, -reach_shift)
    # from [-1, 1] to [0, 1]
    gate = (gate + (1 << 15)) >> 1
    product = gate * unshifted
    # this high multiply rounds towards zero
    product = np.sign(product) * (np.abs(product) >> 15)
    return _clamped(rounding_shift(product, -shift) + new_zero)


def _sixteen_bits(real: float) -> tuple[int, int]:
    """The factor `real` as a 16-bit multiplier and a shift (DownScaleInt32ToInt16Multiplier)."""
    multiplier, shift = quantize_multiplier(real)
    return min((multiplier + (1 << 15)) >> 16, 2**15 - 1), shift


def _saturated(values: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.clip(values, -(2**15), 2**15 - 1)


def softmax_exponentials(source: Tensor, beta: float) -> NDArray[np.int32]:
    """int32 [256]: exp(-d * scale * `beta`) of no integer bits for d = 0..255; 0 where TFLite leaves d out.

    Raises:
        ValueError: TFLite refuses the scale of `source`.
    """
    scale, _ = quantization_of(source)
    factor = beta * scale * 2.0 ** (31 - _SOFTMAX_INTEGER_BITS)
    if not factor > 1:
        raise ValueError(f"the scale {scale:g} of SOFTMAX's input is too small")
    multiplier, shift = quantize_multiplier(min(factor, 2.0**31 - 1))
    differences = np.arange(256, dtype=np.int64)
    kept = differences <= _radius(_SOFTMAX_INTEGER_BITS, shift)
    rescaled = high_multiply(np.where(kept, -differences << shift, 0), multiplier)
    return np.where(kept, exponential(rescaled, _SOFTMAX_INTEGER_BITS), 0).astype(np.int32)


def _radius(integer_bits: int, shift: int) -> int:
    """The largest value that, shifted, still fits `integer_bits` (CalculateInputRadius)."""
    if shift < 0:
        raise ValueError("the input's scale is too small")
    return math.floor(((1 << integer_bits) - 1) * 2.0 ** (31 - integer_bits) / 2.0**shift)


_FUNCTIONS: dict[OpKind, Callable[[Tensor, Tensor], NDArray[Any]]] = {
    OpKind.QUANTIZE: _requantized,
    OpKind.RELU: _relu,
    OpKind.RELU6: _relu6,
    OpKind.LOGISTIC: _logistic,
    OpKind.HARD_SWISH: _hard_swish,
}
