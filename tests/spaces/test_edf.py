"""The statistics of design spaces against cases worked out by hand and against exact probabilities."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinynas.spaces.edf import best_of, bootstrap_best, edf

ERRORS = st.lists(st.floats(0, 1), min_size=1, max_size=40)


def test_edf_of_four_networks() -> None:
    curve = edf([0.5, 0.2, 0.9, 0.2])
    assert curve.errors.tolist() == [0.2, 0.2, 0.5, 0.9]
    assert curve.shares.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert [curve(e) for e in (0.1, 0.2, 0.21, 0.5, 0.6, 1.0)] == [0, 0, 0.5, 0.5, 0.75, 1]
    assert curve.median == pytest.approx(0.35)


@given(ERRORS)
def test_mean_error_is_the_area_above_the_curve(errors: list[float]) -> None:
    curve = edf(errors)
    edges = np.concatenate([[0.0], curve.errors])
    below = np.concatenate([[0.0], curve.shares[:-1]])
    assert curve.mean == pytest.approx(float(np.sum(np.diff(edges) * (1 - below))), abs=1e-12)


@pytest.mark.parametrize("errors", [[], [0.1, float("nan")], [[0.1]]])
def test_what_is_no_row_of_numbers_is_refused(errors: list[float]) -> None:
    with pytest.raises(ValueError, match="row of numbers"):
        edf(errors)


def test_best_of_two_from_three_by_hand() -> None:
    """Nine pairs of (0.1, 0.4, 0.7): five have 0.1, three more have 0.4, one is 0.7 twice."""
    found = best_of([0.7, 0.1, 0.4], most=2)
    assert found.mean.tolist() == pytest.approx([0.4, (5 * 0.1 + 3 * 0.4 + 0.7) / 9])
    assert found.deviation[0] == pytest.approx(np.std([0.1, 0.4, 0.7]))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=5), st.integers(1, 4))
def test_best_of_equals_all_draws_counted(errors: list[float], most: int) -> None:
    found = best_of(errors, most)
    for n in range(1, most + 1):
        least = [min(draw) for draw in itertools.product(errors, repeat=n)]
        assert found.mean[n - 1] == pytest.approx(np.mean(least), abs=1e-12)
        assert found.deviation[n - 1] == pytest.approx(np.std(least), abs=1e-7)


def test_bootstrap_follows_the_exact_distribution_of_the_best() -> None:
    """Of 20 networks five are drawn; the best of them is the k-th with a known probability."""
    n, drawn, times = 20, 5, 10_000
    values = np.arange(1, n + 1, dtype=float)  # the k-th best network has the value k
    survive = (np.arange(n, -1, -1) / n) ** drawn
    reached = 1 - survive[1:]  # P(best <= k), k = 1..n
    interval = bootstrap_best(values, values / 100, np.random.default_rng(0), times=times)
    doubt = 4 * np.sqrt(0.25 / times)  # four standard deviations of a share
    for value, level in ((interval.low, 0.025), (interval.median, 0.5), (interval.high, 0.975)):
        k = int(value)
        assert reached[k - 1] >= level - doubt
        assert k == 1 or reached[k - 2] <= level + doubt


def test_bootstrap_of_one_outstanding_network() -> None:
    """Of four networks one is drawn at a time: the interval is that of the values themselves."""
    interval = bootstrap_best([1, 2, 3, 4], [0.4, 0.1, 0.2, 0.3], np.random.default_rng(0))
    assert (interval.low, interval.high) == (1, 4)
    # all four drawn four times over: with chance 1 - (3/4)^4 = 68 % the best is among them
    whole = bootstrap_best([1, 2, 3, 4], [0.4, 0.1, 0.2, 0.3], np.random.default_rng(0), share=1.0)
    assert whole.median == 2


def test_bootstrap_repeats_itself_and_refuses_a_mismatch() -> None:
    values, errors = list(range(30)), np.random.default_rng(1).random(30)
    first, second = (bootstrap_best(values, errors, np.random.default_rng(7)) for _ in range(2))
    assert first == second
    with pytest.raises(ValueError, match="30 values belong to 29 errors"):
        bootstrap_best(values, errors[:29], np.random.default_rng(7))
