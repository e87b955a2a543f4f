"""How well a quantised linear rule describes any network's widths (RegNet, arXiv 2003.13678, section 3.3).

The rule is that of `tinynas.networks.regnet`; its depth is the network's own, its other parameters those of
a grid with the least error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from tinynas.networks.regnet import quantised_lines

Floats: TypeAlias = NDArray[np.float64]

#: the grid: initial widths, slopes (0: all blocks alike) and multipliers
_INITIAL = np.arange(8, 257, 8, dtype=np.float64)
_SLOPES = np.concatenate([[0.0], np.geomspace(0.5, 256, 110)])
_MULTIPLIERS = np.linspace(1.5, 3.0, 31)


@dataclass(frozen=True, slots=True)
class LinearFit:
    """The nearest rule and `error` = e_fit, the mean |log(w / w_hat)| over the blocks."""

    initial: float
    slope: float
    multiplier: float
    error: float


def linear_widths(initial: float, slope: float, multiplier: float, depth: int) -> Floats:
    """Widths [depth] of the rule."""
    widths: Floats = quantised_lines(np.array([initial]), np.array([slope]), np.array([multiplier]), depth)[0]
    return widths


def fit_linear(widths: Sequence[int]) -> LinearFit:
    """The rule nearest to the `widths` of a network's blocks, one entry a block.

    Raises:
        ValueError: no width, or one that is not positive (a caller's mistake).
    """
    if not widths or min(widths) < 1:
        raise ValueError("a fit needs the positive width of every block")
    initial, slope, multiplier, log_rule = _grid(len(widths))
    target = np.log(np.asarray(widths, np.float64)).astype(np.float32)
    errors = np.abs(log_rule - target).mean(axis=1)
    best = int(errors.argmin())
    nearest = linear_widths(initial[best], slope[best], multiplier[best], len(widths))
    exact = float(np.abs(np.log(np.asarray(widths, np.float64) / nearest)).mean())
    return LinearFit(float(initial[best]), float(slope[best]), float(multiplier[best]), exact)


@lru_cache(maxsize=8)
def _grid(depth: int) -> tuple[Floats, Floats, Floats, NDArray[np.float32]]:
    """Every rule of the grid and the logarithms of its widths [rules, depth]."""
    mesh = np.meshgrid(_INITIAL, _SLOPES, _MULTIPLIERS, indexing="ij")
    initial, slope, multiplier = (axis.ravel() for axis in mesh)
    return (
        initial,
        slope,
        multiplier,
        np.log(quantised_lines(initial, slope, multiplier, depth)).astype(np.float32),
    )
