"""Fitting what a kernel's loops and missing cache lines cost to the cycles that operators took.

Least squares of relative errors, with no coefficient below zero: a loop never gives time back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinynas.cost.lines import LINE, count_lines
from tinynas.cost.trips import count_trips
from tinynas.cost.work import DataMemory, Work

#: cycles by what takes them
Costs = Mapping[str, float]

#: kernels whose loops are nearly, or in part the very same as, those of another
_VARIANTS = {
    "tn_convolve": "tn_pointwise",
    "tn_convolve_groups": "tn_pointwise",
    "tn_dense": "tn_pointwise",
    "tn_convolve_packed_planes": "tn_convolve_packed",
    "tn_convolve_paired": "tn_convolve_packed",
    "tn_convolve_paired_planes": "tn_convolve_packed",
}
#: how firmly a variant does, beside what was timed
_LEANING = 0.1
#: the relative error that is rather borne than a cost twice the usual one: few lines of one operator would
#: else be made to answer for whatever is odd about it
_STIFFNESS = 0.02


@dataclass(frozen=True, slots=True)
class Timed:
    """An operator and the cycles it took."""

    work: Work
    cycles: int


def features(work: Work, memory: DataMemory) -> dict[str, float]:
    """All that an operator's cycles are a sum of, and how often it occurs: of some not at all."""
    return count_trips(work) | count_lines(work, memory)


def fit(timed: Sequence[Timed], memory: DataMemory) -> dict[str, Costs]:
    """Cycles of each of the `features`, for every kernel among `timed`; what takes none is left out.

    Lines of any kind lean on what a line takes when all are taken for alike, and a kernel that is seldom
    chosen on the one that it is a variant of: so what few operators show stays near what many do.
    """
    by_kernel: dict[str, list[Timed]] = defaultdict(list)
    for each in timed:
        by_kernel[each.work.kernel].append(each)
    costs: dict[str, Costs] = {}
    for kernel in sorted(by_kernel, key=lambda each: each in _VARIANTS):
        rows = [_occurring(features(each.work, memory)) for each in by_kernel[kernel]]
        cycles = [each.cycles for each in by_kernel[kernel]]
        lines = {name for row in rows for name in row if name.startswith(LINE)}
        alike = [_merged(row, lines) for row in rows]
        usual = dict.fromkeys(lines, _solve(alike, cycles, {}).get(LINE, 0.0))
        usual |= costs.get(_VARIANTS.get(kernel, ""), {})
        found = _solve(rows, cycles, usual)
        costs[kernel] = {name: round(cost, 4) for name, cost in found.items() if cost > 1e-4}
    return dict(sorted(costs.items()))


def predict(costs: Costs, work: Work, memory: DataMemory) -> float:
    """The cycles of an operator, by the costs of its kernel."""
    cycles = 0.0
    # one after the other, so that it is the same sum in every Python, and of arrays
    for name, count in features(work, memory).items():
        if name in costs:
            cycles = cycles + costs[name] * count
    return cycles


def _occurring(row: Costs) -> dict[str, float]:
    return {name: count for name, count in row.items() if count}


def _merged(row: Costs, names: Collection[str]) -> dict[str, float]:
    """`row` with one feature in the place of all `names`."""
    kept = {name: count for name, count in row.items() if name not in names}
    return kept | {LINE: sum(row.get(name, 0.0) for name in names)}


def _solve(rows: Sequence[Costs], cycles: Sequence[int], usual: Costs) -> dict[str, float]:
    """The costs at which `rows` of features come nearest to `cycles`, and to `usual` as these allow."""
    from scipy.optimize import nnls  # type: ignore[import-untyped]

    names = sorted({name for row in rows for name, count in row.items() if count})
    table: NDArray[np.float64] = np.array([[row.get(name, 0.0) for name in names] for row in rows])
    table /= np.array(cycles)[:, None]
    # as if there had been operators of one feature alone, for each that has a usual cost
    common = np.array([usual.get(name, 0.0) for name in names])
    strength = _LEANING * table.mean(axis=0) * np.sqrt(len(rows))
    told = common > 0
    strength[told] = np.maximum(strength[told], _STIFFNESS / common[told])
    leaning = np.diag(strength)[[name in usual for name in names]]
    wanted = leaning @ common
    table = np.vstack([table, leaning])
    scales = table.max(axis=0)
    found, _ = nnls(table / scales, np.append(np.ones(len(rows)), wanted), maxiter=100 * len(names))
    return dict(zip(names, (found / scales).tolist(), strict=True))
