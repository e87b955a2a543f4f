"""What stage 1 finds of every space, and the choice among them (MCUNet, section 3.1).

Under one memory limit more computation means more capacity, so the space whose satisfying networks have
the largest mean MACs is taken. A space in which one network in a hundred fits could win by accident and
would starve the search, hence a guard: a space must have at least a given share of satisfying networks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinynas.board import Budget
from tinynas.errors import RunError
from tinynas.spaces.mobile import MobileSpace, make_space

#: satisfying networks' MACs are kept as this many quantiles, evenly from the least to the most
QUANTILES = 101


@dataclass(frozen=True, slots=True)
class SpaceStats:
    """One space: how many of its networks satisfy the budget, and the MACs of those.

    Shares are of all networks sampled: of those within SRAM and flash, within SRAM, within flash. MACs are
    those of satisfying networks: their mean, 80th percentile and `QUANTILES` quantiles (the CDF), None and
    empty where no sample satisfies. `smallest_*_bytes` are the least that any network seen needs, the one
    with every gene at its smallest included; `smallest_satisfies` says whether that one does.
    """

    width: float
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

    @property
    def name(self) -> str:
        """``w0.5-r144``."""
        return f"w{self.width:g}-r{self.resolution}"


def summarise(
    space: MobileSpace,
    macs: NDArray[np.int64],
    sram: NDArray[np.bool_],
    flash: NDArray[np.bool_],
    smallest: tuple[int, int],
) -> SpaceStats:
    """The statistics of a space from its networks: [samples + 1], the last `space.smallest()`.

    `sram` and `flash` say who stays within each; `smallest` are the least bytes of both.
    """
    satisfies = sram & flash
    samples = len(macs) - 1
    fitting = macs[:-1][satisfies[:-1]]
    quantiles = np.quantile(fitting, np.linspace(0, 1, QUANTILES)) if len(fitting) else np.empty(0)
    return SpaceStats(
        width=space.width,
        resolution=space.resolution,
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
    )


@dataclass(frozen=True, slots=True)
class SpaceReport:
    """Stage 1 as a whole: the request, every space in the order of the grid, and the one chosen.

    `note` says in a sentence where the guard had to be relaxed, and is empty otherwise.
    """

    board: str
    budget: Budget
    runtime: str
    native: int
    in_channels: int
    classes: int
    samples: int
    seed: int
    min_share: float
    spaces: tuple[SpaceStats, ...]
    chosen_name: str
    note: str
    seconds: float

    @property
    def chosen_stats(self) -> SpaceStats:
        """The statistics of the chosen space."""
        return next(stats for stats in self.spaces if stats.name == self.chosen_name)

    @property
    def chosen(self) -> MobileSpace:
        """The chosen space, with its one resolution."""
        stats = self.chosen_stats
        return make_space(stats.width, stats.resolution, self.native, self.in_channels, self.classes)

    @property
    def ranking(self) -> tuple[SpaceStats, ...]:
        """The spaces with satisfying samples: the chosen first, then by falling mean MACs.

        Those that the guard rules out come last.
        """
        known = [stats for stats in self.spaces if stats.mean_macs is not None]
        return tuple(sorted(known, key=self._rank, reverse=True))

    @property
    def networks(self) -> int:
        """Networks costed."""
        return len(self.spaces) * self.samples

    @property
    def networks_per_second(self) -> float:
        """Speed of the whole stage."""
        return self.networks / self.seconds

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, keys with their units."""
        return {
            "board": self.board,
            **asdict(self.budget),
            "runtime": self.runtime,
            "native_pixels": self.native,
            "in_channels": self.in_channels,
            "classes": self.classes,
            "samples": self.samples,
            "seed": self.seed,
            "min_share": self.min_share,
            "chosen": self.chosen_name,
            "note": self.note,
            "seconds": self.seconds,
            "networks_per_second": round(self.networks_per_second),
            "spaces": [{"name": stats.name, **_plain(stats)} for stats in self.spaces],
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> SpaceReport:
        """The report that `to_dict` wrote.

        Raises:
            RunError: a field is missing or of another kind.
        """
        try:
            return cls(
                board=str(plain["board"]),
                budget=Budget(int(plain["sram_bytes"]), int(plain["flash_bytes"])),
                runtime=str(plain["runtime"]),
                native=int(plain["native_pixels"]),
                in_channels=int(plain["in_channels"]),
                classes=int(plain["classes"]),
                samples=int(plain["samples"]),
                seed=int(plain["seed"]),
                min_share=float(plain["min_share"]),
                spaces=tuple(_stats(row) for row in plain["spaces"]),
                chosen_name=str(plain["chosen"]),
                note=str(plain["note"]),
                seconds=float(plain["seconds"]),
            )
        except (KeyError, TypeError, ValueError) as failure:
            raise RunError(
                f"the record of the space optimiser is damaged ({type(failure).__name__}: {failure}): "
                "delete it to have it made again"
            ) from None

    def _rank(self, stats: SpaceStats) -> tuple[bool, bool, float]:
        return (stats.name == self.chosen_name, stats.share >= self.min_share, stats.mean_macs or 0.0)


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


def _plain(stats: SpaceStats) -> dict[str, Any]:
    return asdict(stats) | {"macs_quantiles": list(stats.macs_quantiles)}


def _stats(row: Mapping[str, Any]) -> SpaceStats:
    def optional(key: str) -> float | None:
        return None if row[key] is None else float(row[key])

    return SpaceStats(
        width=float(row["width"]),
        resolution=int(row["resolution"]),
        share=float(row["share"]),
        share_sram=float(row["share_sram"]),
        share_flash=float(row["share_flash"]),
        mean_macs=optional("mean_macs"),
        p80_macs=optional("p80_macs"),
        smallest_sram_bytes=int(row["smallest_sram_bytes"]),
        smallest_flash_bytes=int(row["smallest_flash_bytes"]),
        smallest_macs=int(row["smallest_macs"]),
        smallest_satisfies=bool(row["smallest_satisfies"]),
        macs_quantiles=tuple(int(q) for q in row["macs_quantiles"]),
    )
