"""The exact requantisation against Python's unlimited integers, and what TFLite's clamps leave."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinynas.errors import ModelError
from tinynas.graph import Activation, DType, Quantization, Tensor
from tinynas.graph.quantized import (
    activation_range,
    folded_multipliers,
    mean_multiplier,
    quantize_multiplier,
    requantize,
    round_half_away,
)

_int32 = st.integers(-(2**31), 2**31 - 1)


def _map(scale: float, zero: int = 0, dtype: DType = DType.INT8) -> Tensor:
    return Tensor("map", (1, 4), dtype, quantization=Quantization((float(np.float32(scale)),), (zero,)))


def _towards_zero(dividend: int, divisor: int) -> int:
    return abs(dividend) // divisor * (1 if dividend >= 0 else -1)


def _requantized(value: int, multiplier: int, shift: int) -> int:
    """One value, as the C reads: two roundings, the second half away from zero."""
    value = (value << max(shift, 0)) + 2**31
    product = (value % 2**32 - 2**31) * multiplier
    high = _towards_zero(product + (2**30 if product >= 0 else 1 - 2**30), 2**31)
    right = max(-shift, 0)
    return _towards_zero(high + (1 if high >= 0 else -1) * (2**right // 2), 2**right)


@given(value=_int32, multiplier=st.integers(2**30, 2**31 - 1), shift=st.integers(-31, 20))
def test_requantisation_is_that_of_the_reference_kernels(value: int, multiplier: int, shift: int) -> None:
    assert requantize(np.array(value), multiplier, shift) == _requantized(value, multiplier, shift)


@pytest.mark.parametrize("shift", [-5, -2, -1, 0, 1, 3])
def test_every_tie_is_rounded_alike(shift: int) -> None:
    # small values times a power of two: many of the products lie half way
    values = np.arange(-300, 301)
    wanted = [_requantized(int(value), 2**30, shift) for value in values]
    assert requantize(values, 2**30, shift).tolist() == wanted


@given(st.lists(_int32, min_size=3, max_size=3), st.lists(st.integers(-20, 8), min_size=3, max_size=3))
def test_channels_have_their_own_factors(values: list[int], shifts: list[int]) -> None:
    multipliers = np.array([2**30, 2**31 - 1, 1_500_000_000])
    made = requantize(np.array([values, values], np.int32), multipliers, np.array(shifts))
    assert made.dtype == np.int32 and made.shape == (2, 3)
    wanted = [_requantized(v, int(m), s) for v, m, s in zip(values, multipliers, shifts, strict=True)]
    assert made[1].tolist() == wanted


@given(st.floats(2.0**-31, 2.0**30))
def test_a_multiplier_is_its_factor_to_31_bits(real: float) -> None:
    multiplier, shift = quantize_multiplier(real)
    assert 2**30 <= multiplier < 2**31
    assert abs(multiplier * 2.0 ** (shift - 31) / real - 1) <= 2.0**-31


@pytest.mark.parametrize(
    ("real", "wanted"),
    [(1.0, (2**30, 1)), (0.5, (2**30, 0)), (0.0, (0, 0)), (2.0**-40, (0, 0)), (1 - 2.0**-40, (2**30, 1))],
)
def test_multipliers_at_the_edges(real: float, wanted: tuple[int, int]) -> None:
    assert quantize_multiplier(real) == wanted


@pytest.mark.parametrize("real", [-0.1, float("nan"), float("inf"), 2.0**31])
def test_a_factor_that_no_int32_holds_is_the_models_fault(real: float) -> None:
    with pytest.raises(ModelError, match="export it again"):
        quantize_multiplier(real)


def test_halves_go_away_from_zero() -> None:
    assert [round_half_away(x) for x in (0.5, -0.5, 1.5, -2.5, 0.49999999999999994, 2.4)] == [
        1,
        -1,
        2,
        -3,
        0,
        2,
    ]


@pytest.mark.parametrize(
    ("activation", "scale", "zero", "wanted"),
    [
        (Activation.NONE, 0.1, 5, (-128, 127)),
        (Activation.RELU, 0.1, 5, (5, 127)),
        (Activation.RELU6, 0.1, 5, (5, 65)),
        (Activation.RELU6, 6 / 255, -128, (-128, 127)),
        (Activation.RELU6, 0.01, 100, (100, 127)),
    ],
)
def test_activations_clamp(activation: Activation, scale: float, zero: int, wanted: tuple[int, int]) -> None:
    assert activation_range(_map(scale, zero), activation) == wanted


def test_what_has_no_scale_is_refused() -> None:
    bare = Tensor("bare", (4,), DType.INT8)
    assert activation_range(bare, Activation.NONE) == (-128, 127)
    with pytest.raises(ValueError, match="bare"):
        activation_range(bare, Activation.RELU)
    with pytest.raises(ValueError, match="float32"):
        activation_range(Tensor("real", (4,), DType.FLOAT32), Activation.NONE)


def test_the_product_of_scales_is_double_precision() -> None:
    # chosen so that a single-precision product would differ in the 31 bits of the multiplier
    into, out_of, scale = _map(0.1), _map(0.7), float(np.float32(0.3))
    known = Quantization((scale,), (0,))
    dense = folded_multipliers(into, Tensor("dense", (1, 4), DType.INT8, True, known), out_of)
    exact = float(np.float32(0.1)) * scale / float(np.float32(0.7))
    single = float(np.float32(0.1) * np.float32(scale)) / float(np.float32(0.7))
    assert dense[0] == quantize_multiplier(exact)[0] != quantize_multiplier(single)[0]


@given(count=st.integers(1, 4000), value=st.integers(-128, 127))
def test_the_mean_of_equal_values_is_that_value(count: int, value: int) -> None:
    same = _map(0.37, -5)
    assert abs(int(requantize(np.array(value * count), *mean_multiplier(same, same, count))) - value) == 0
