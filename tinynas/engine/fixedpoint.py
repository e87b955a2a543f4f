"""gemmlowp's fixed-point arithmetic in NumPy, bit for bit: what TFLite's int8 tables are made of.

A number is an int32 with some integer bits: one with `n` of them is worth raw / 2^(31 - n). Arrays hold such
raw values as int64, so that products fit. Functions are named after what they compute; the comments name the
function of gemmlowp/fixedpoint.h whose bits they give.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Raw = NDArray[np.int64]

_MAX = 2**31 - 1
_MIN = -(2**31)
#: one, of no integer bits: the largest there is
ONE = _MAX

#: exp(-2^power) of no integer bits, by power
_POWERS = {-2: 1672461947, -1: 1302514674, 0: 790015084, 1: 290630308, 2: 39332535, 3: 720401, 4: 242}
_EXP_OF_MINUS_EIGHTH = 1895147668
_THIRD = 715827883


def as_raw(values: Any) -> Raw:
    """`values` as int64."""
    return np.asarray(values, np.int64)


def high_multiply(left: Any, right: Any, bits: int = 32) -> Raw:
    """The upper half of twice the product of `bits`-bit numbers (SaturatingRoundingDoublingHighMul)."""
    product = as_raw(left) * as_raw(right)
    half = 1 << (bits - 2)
    nudged = product + np.where(product >= 0, half, 1 - half)
    # C divides towards zero, where a shift would round down
    high: Raw = np.minimum(np.sign(nudged) * (np.abs(nudged) >> (bits - 1)), (1 << (bits - 1)) - 1)
    return high


def rounding_shift(values: Any, places: int) -> Raw:
    """`values` / 2^`places`, halves away from zero (RoundingDivideByPOT)."""
    raw = as_raw(values)
    mask = (1 << places) - 1
    return (raw >> places) + ((raw & mask) > (mask >> 1) + (raw < 0))


def saturating_shift(values: Any, places: int) -> Raw:
    """`values` * 2^`places`, cut off at the ends of int32 (SaturatingRoundingMultiplyByPOT)."""
    raw = as_raw(values)
    threshold = (1 << (31 - places)) - 1
    shifted = np.where(raw > threshold, _MAX, raw << places)
    return np.where(raw < -threshold, _MIN, shifted)


def exponential(values: Any, integer_bits: int) -> Raw:
    """exp(x) of no integer bits, for x <= 0 of `integer_bits` 4 or 5 (exp_on_negative_values)."""
    raw = as_raw(values)
    fraction_bits = 31 - integer_bits
    quarter = 1 << (fraction_bits - 2)
    below = (raw & (quarter - 1)) - quarter
    result = _exponential_near_zero(saturating_shift(below, integer_bits))
    rest = below - raw
    for power, factor in _POWERS.items():
        if power < integer_bits:
            has_power = (rest & (1 << (fraction_bits + power))) != 0
            result = np.where(has_power, high_multiply(result, factor), result)
    return np.where(raw == 0, ONE, result)


def _exponential_near_zero(raw: Raw) -> Raw:
    """exp(x) for -1/4 <= x < 0, both of no integer bits: Taylor's series around -1/8."""
    x = raw + (1 << 28)
    x2 = high_multiply(x, x)
    x3, x4 = high_multiply(x2, x), high_multiply(x2, x2)
    series = rounding_shift(high_multiply(rounding_shift(x4, 2) + x3, _THIRD) + x2, 1)
    return _EXP_OF_MINUS_EIGHTH + high_multiply(_EXP_OF_MINUS_EIGHTH, x + series)


def logistic(values: Any, integer_bits: int) -> Raw:
    """1 / (1 + exp(-x)) of no integer bits, for x of `integer_bits` (logistic)."""
    raw = as_raw(values)
    positive = _one_over_one_plus(exponential(-np.abs(raw), integer_bits))
    return np.where(raw == 0, 1 << 30, np.where(raw > 0, positive, ONE - positive))


def _one_over_one_plus(raw: Raw) -> Raw:
    """1 / (1 + x) for 0 < x < 1, both of no integer bits: three steps of Newton and Raphson's division."""
    # two positive addends: the rounded half of their sum
    half = (raw + ONE + 1) >> 1
    one = 1 << 29
    # of two integer bits, starting at 48/17 - 32/17 * half
    guess = 1515870810 + high_multiply(half, -1010580540)
    for _ in range(3):
        error = one - high_multiply(half, guess)
        guess = guess + saturating_shift(high_multiply(guess, error), 2)
    return saturating_shift(guess, 1)
