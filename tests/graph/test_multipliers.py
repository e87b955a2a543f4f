"""Factors as TFLite's fractions and shifts: many at once as one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinynas.errors import ModelError
from tinynas.graph.quantized import quantize_multiplier, quantize_multipliers

#: next to a power of two, a fraction rounds up to a whole
EDGES = [0.0, 0.5, 1.0, 2.0**-32, 2.0**-33, 1 - 2.0**-31, 1 - 2.0**-32, 1 - 2.0**-33, 0.75 - 2.0**-33]


@given(st.lists(st.floats(0, 2.0**31, exclude_max=True) | st.sampled_from(EDGES), min_size=1))
def test_many_are_as_one_by_one(reals: list[float]) -> None:
    multipliers, shifts = quantize_multipliers(np.array(reals))
    pairs = list(zip(multipliers.tolist(), shifts.tolist(), strict=True))
    assert pairs == [quantize_multiplier(real) for real in reals]


@pytest.mark.parametrize("strange", [-0.1, 2.0**31, float("nan"), float("inf")])
def test_one_that_no_int32_holds_is_refused(strange: float) -> None:
    with pytest.raises(ModelError, match="which no int32 holds"):
        quantize_multipliers(np.array([0.5, strange]))
