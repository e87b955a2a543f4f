"""The quantised linear fit: exact on rules of its own, golden on a published RegNet, never negative."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinynas.spaces.linear_fit import fit_linear, linear_widths

#: pycls, RegNetX-200MF: d 13, w0 24, wa 36.44, wm 2.49 give widths 24 56 152 368, depths 1 1 4 7
REGNETX_200MF = [24] + [56] + 4 * [152] + 7 * [368]


def test_the_rule_gives_the_published_widths() -> None:
    assert linear_widths(24, 36.44, 2.49, 13).tolist() == REGNETX_200MF


def test_a_published_regnet_is_nearly_fitted() -> None:
    """The grid has no 36.44 and no 2.49, so the fit is near rather than exact."""
    found = fit_linear(REGNETX_200MF)
    assert found.error < 0.03
    assert found.initial == 24


@pytest.mark.parametrize("width", [8, 64])
def test_constant_widths_are_fitted_exactly(width: int) -> None:
    found = fit_linear([width] * 6)
    assert (found.initial, found.error) == (width, 0.0)


def test_one_block_off_by_a_factor_costs_its_share() -> None:
    """Sixteen blocks of 64 and one of 72: |log(72 / 64)| / 17 is what the flat rule leaves."""
    found = fit_linear([72] + 16 * [64])
    assert 0 < found.error <= math.log(72 / 64) / 17 + 1e-9


def test_falling_widths_fit_badly() -> None:
    assert fit_linear([128, 128, 16, 16]).error > 0.5


@given(st.lists(st.integers(1, 16).map(lambda k: 8 * k), min_size=1, max_size=20))
def test_the_error_is_that_of_the_rule_reported(widths: list[int]) -> None:
    found = fit_linear(widths)
    rule = linear_widths(found.initial, found.slope, found.multiplier, len(widths))
    again = sum(abs(math.log(w / r)) for w, r in zip(widths, rule, strict=True)) / len(widths)
    assert found.error == pytest.approx(again, abs=1e-9)
    # the flat rule of the widths' own median width is on the grid, so the fit is no worse
    flat = min(sum(abs(math.log(w / c)) for w in widths) / len(widths) for c in set(widths))
    assert found.error <= flat + 1e-6


@pytest.mark.parametrize("widths", [[], [8, 0]])
def test_no_widths_are_refused(widths: list[int]) -> None:
    with pytest.raises(ValueError, match="positive width"):
        fit_linear(widths)
