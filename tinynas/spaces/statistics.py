"""What stage 1 finds of every space, and the choice among them (MCUNet, section 3.1).

Under one memory limit more computation means more capacity, so the space whose satisfying networks have
the largest mean MACs is taken. A space in which one network in a hundred fits could win by accident and
would starve the search, hence a guard: a space must have at least a given share of satisfying networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: satisfying networks' MACs are kept as this many quantiles, evenly from the least to the most
QUANTILES = 101


@dataclass(frozen=True, slots=True)
class SpaceStats:
    """One space: how many of its networks satisfy the budget, and the MACs of those.

    Shares are of all networks sampled: of those within all limits, within SRAM, within flash. MACs are
    those of satisfying networks: their mean, 80th percentile and `QUANTILES` quantiles (the CDF), None and
    empty where no sample satisfies. `smallest_*` are the least that any network seen needs, the one
    with every gene at its smallest included; `smallest_satisfies` says whether that one does. What tells of
    time is None where time is not limited.
    """

    name: str
    resolution: int
    share: float
    share_sram: float
    share_flash: float
    mean_macs: float | None
    p80_macs: float | None
    smallest_sram_bytes: int
    smallest_flash_bytes: int
    smallest_macs: int
    smallest_satisfies: bool
    macs_quantiles: tuple[int, ...]
    share_latency: float | None = None
    smallest_latency_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Times:
    """Modelled milliseconds of an inference of each network [n], against a limit."""

    milliseconds: NDArray[np.float64]
    limit_ms: float

    @property
    def within(self) -> NDArray[np.bool_]:
        """Who stays within the limit: [n]."""
        return np.asarray(self.milliseconds <= self.limit_ms)


def summarise(
    space: tuple[str, int],
    macs: NDArray[np.int64],
    sram: NDArray[np.bool_],
    flash: NDArray[np.bool_],
    smallest: tuple[int, int],
    times: Times | None = None,
) -> SpaceStats:
    """The statistics of a `space`, its name and resolution, from its networks: [samples + 1].

    The last network is the smallest of the space. `sram` and `flash` say who stays within each; `smallest`
    are the least bytes of both; `times` are there where time is limited.
    """
    satisfies = sram & flash
    if times is not None:
        satisfies &= times.within
    samples = len(macs) - 1
    fitting = macs[:-1][satisfies[:-1]]
    quantiles = np.quantile(fitting, np.linspace(0, 1, QUANTILES)) if len(fitting) else np.empty(0)
    return SpaceStats(
        name=space[0],
        resolution=space[1],
        share=len(fitting) / samples,
        share_sram=int(sram[:-1].sum()) / samples,
        share_flash=int(flash[:-1].sum()) / samples,
        mean_macs=float(fitting.mean()) if len(fitting) else None,
        p80_macs=float(np.quantile(fitting, 0.8)) if len(fitting) else None,
        smallest_sram_bytes=smallest[0],
        smallest_flash_bytes=smallest[1],
        smallest_macs=int(macs[-1]),
        smallest_satisfies=bool(satisfies[-1]),
        macs_quantiles=tuple(int(q) for q in quantiles.round()),
        share_latency=None if times is None else int(times.within[:-1].sum()) / samples,
        smallest_latency_ms=None if times is None else float(times.milliseconds.min()),
    )


def choose(spaces: Sequence[SpaceStats], min_share: float) -> tuple[SpaceStats, str] | None:
    """The space to search and a note where the guard was relaxed; None where nothing fits.

    Largest mean MACs among spaces of which at least `min_share` satisfies. Where no space does, the
    largest share wins; where no sample satisfies, the largest of the smallest networks that do.
    """
    eligible = [stats for stats in spaces if stats.mean_macs is not None and stats.share >= min_share]
    if eligible:
        return max(eligible, key=lambda stats: stats.mean_macs or 0.0), ""
    if any(stats.share for stats in spaces):
        best = max(spaces, key=lambda stats: (stats.share, stats.mean_macs or 0.0))
        return best, (
            f"no space has {min_share:.1%} of its networks within the budget, so the one with the "
            f"largest share was taken: {best.share:.1%} of {best.name}"
        )
    last = [stats for stats in spaces if stats.smallest_satisfies]
    if not last:
        return None
    best = max(last, key=lambda stats: stats.smallest_macs)
    return best, (
        f"none of the networks sampled is within the budget; the smallest of {best.name} is, and "
        "there will be few others: the search may find little"
    )
