"""Stage 1 as a whole: the record of a choice among design spaces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tinynas.board import Budget
from tinynas.errors import RequestError, RunError
from tinynas.spaces.families import find_family
from tinynas.spaces.family import DesignSpace
from tinynas.spaces.pictures import Pictures
from tinynas.spaces.statistics import SpaceStats


@dataclass(frozen=True, slots=True)
class SpaceReport:
    """Stage 1 as a whole: the request, every space in the order of the grid, and the one chosen.

    `note` says in a sentence where the guard had to be relaxed, and is empty otherwise.
    """

    family: str
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
    def pictures(self) -> Pictures:
        """The pictures the spaces are for."""
        return Pictures(self.native, self.in_channels, self.classes)

    @property
    def chosen(self) -> DesignSpace[Any]:
        """The chosen space, with its one resolution."""
        spaces = find_family(self.family).spaces(self.pictures)
        return next(space for space in spaces if space.name == self.chosen_name)

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
            "family": self.family,
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
            "spaces": [_plain(stats) for stats in self.spaces],
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> SpaceReport:
        """The report that `to_dict` wrote.

        Raises:
            RunError: a field is missing or of another kind.
        """
        try:
            return cls(
                # records from before there were several have none
                family=find_family(str(plain.get("family", "mobile"))).name,
                board=str(plain["board"]),
                budget=Budget(int(plain["sram_bytes"]), int(plain["flash_bytes"]), plain.get("latency_ms")),
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
        except (KeyError, TypeError, ValueError, RequestError) as failure:
            raise RunError(
                f"the record of the space optimiser is damaged ({type(failure).__name__}: {failure}): "
                "delete it to have it made again"
            ) from None

    def _rank(self, stats: SpaceStats) -> tuple[bool, bool, float]:
        return (stats.name == self.chosen_name, stats.share >= self.min_share, stats.mean_macs or 0.0)


def _plain(stats: SpaceStats) -> dict[str, Any]:
    return asdict(stats) | {"macs_quantiles": list(stats.macs_quantiles)}


def _stats(row: Mapping[str, Any]) -> SpaceStats:
    def optional(key: str) -> float | None:
        return None if row.get(key) is None else float(row[key])

    return SpaceStats(
        name=str(row["name"]),
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
        # records from before time could be limited have none
        share_latency=optional("share_latency"),
        smallest_latency_ms=optional("smallest_latency_ms"),
    )
