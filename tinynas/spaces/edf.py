"""How good a design space is, judged by a sample of its trained networks (RegNet, arXiv 2003.13678).

Everything is a pure function of errors, one a network: the empirical distribution of section 3.1, the
empirical bootstrap behind its figures, and the random search efficiency of NDS (arXiv 1905.13214, section 5).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: of the networks, as many as a resample has; how often; and how much of the outcome the interval holds
BOOTSTRAP_SHARE, BOOTSTRAP_TIMES, BOOTSTRAP_LEVEL = 0.25, 10_000, 0.95


@dataclass(frozen=True, slots=True)
class Edf:
    """F(e) = the share of n networks whose error is below e.

    `errors` [n] ascend; at ``errors[k]`` the curve rises from ``k / n`` to ``shares[k] = (k + 1) / n``.
    """

    errors: NDArray[np.float64]
    shares: NDArray[np.float64]

    def __call__(self, error: float) -> float:
        """The share of networks with an error below `error`."""
        return float(np.searchsorted(self.errors, error, side="left") / len(self.errors))

    @property
    def median(self) -> float:
        """The error that half of the networks beat."""
        return float(np.median(self.errors))

    @property
    def mean(self) -> float:
        """The mean error: the area above the curve."""
        return float(np.mean(self.errors))


@dataclass(frozen=True, slots=True)
class BestInterval:
    """Where the value of the best network lies: the median and the ends of the central interval."""

    low: float
    median: float
    high: float


@dataclass(frozen=True, slots=True)
class BestOf:
    """The error of the best of N random networks: expectation and standard deviation, N = 1, 2, ..."""

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]


def edf(errors: ArrayLike) -> Edf:
    """The empirical distribution of `errors` [n].

    Raises:
        ValueError: there are none, or one is not a number (a caller's mistake).
    """
    ordered = np.sort(_checked(errors))
    return Edf(ordered, np.arange(1, len(ordered) + 1) / len(ordered))


def bootstrap_best(
    values: ArrayLike,
    errors: ArrayLike,
    rng: np.random.Generator,
    *,
    share: float = BOOTSTRAP_SHARE,
    times: int = BOOTSTRAP_TIMES,
    level: float = BOOTSTRAP_LEVEL,
) -> BestInterval:
    """Which of `values` [n] belongs to the best network, with how much doubt (RegNet, section 3.2).

    A `share` of the (value, error) pairs is drawn with replacement and its best taken, `times` over; the
    interval holds the central `level` of those.

    Raises:
        ValueError: values and errors are not equally many, none, or not numbers (a caller's mistake).
    """
    value, error = _checked(values), _checked(errors)
    if len(value) != len(error):
        raise ValueError(f"{len(value)} values belong to {len(error)} errors")
    count = max(1, round(share * len(error)))
    drawn = rng.integers(len(error), size=(times, count))
    winners = drawn[np.arange(times), error[drawn].argmin(axis=1)]
    tail = (1 - level) / 2
    low, median, high = np.quantile(value[winners], [tail, 0.5, 1 - tail], method="inverted_cdf")
    return BestInterval(float(low), float(median), float(high))


def best_of(errors: ArrayLike, most: int | None = None) -> BestOf:
    """The best of N networks drawn from those of `errors` [n] with replacement, N up to `most` (n).

    Exact rather than simulated: of N draws the least is the k-th smallest error with probability
    ((n - k + 1) / n)^N - ((n - k) / n)^N.
    """
    ordered = edf(errors).errors
    n = len(ordered)
    draws = np.arange(1, (most or n) + 1)[:, None]
    survive = (np.arange(n, -1, -1) / n)[None, :] ** draws
    chance = survive[:, :-1] - survive[:, 1:]
    mean = chance @ ordered
    variance = (chance * (ordered[None, :] - mean[:, None]) ** 2).sum(axis=1)
    return BestOf(mean, np.sqrt(variance))


def _checked(numbers: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(numbers, np.float64)
    if array.ndim != 1 or not len(array) or not np.isfinite(array).all():
        raise ValueError("a distribution needs a row of numbers, one a network")
    return array
