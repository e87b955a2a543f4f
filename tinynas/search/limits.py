"""Which networks a board can hold and run in time: their footprints, and the answer where none fits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tinynas.board import Board, Budget
from tinynas.cost import Runtime, macs
from tinynas.cost.latency import LatencyModel
from tinynas.cost.times import unknown_times
from tinynas.errors import RequestError
from tinynas.networks import Genotype, build_graph, trainable_params
from tinynas.search.timings import Correction
from tinynas.units import format_milliseconds, format_size


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a network takes: multiply-accumulates, parameters as published, bytes of SRAM and of flash.

    `latency_ms` is what a model says of one inference, None where the board has no model.
    """

    macs: int
    params: int
    sram_bytes: int
    flash_bytes: int
    latency_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Need:
    """The memory a network takes under one runtime, in bytes, and the time; None where that is not asked."""

    sram_bytes: int
    flash_bytes: int
    latency_ms: float | None = None

    def __str__(self) -> str:
        """``12 KiB (12,288 B) of SRAM, 80 KiB (81,920 B) of flash and 25.3 ms an inference``."""
        time = [] if self.latency_ms is None else [f"{format_milliseconds(self.latency_ms)} an inference"]
        *first, last = [
            f"{format_size(self.sram_bytes)} of SRAM",
            f"{format_size(self.flash_bytes)} of flash",
            *time,
        ]
        return f"{', '.join(first)} and {last}"

    def strains(self, budget: Budget) -> Iterator[tuple[str, float]]:
        """What is scarce, and how many times the share of it that `budget` allows is taken."""
        yield "SRAM", self.sram_bytes / budget.sram_bytes
        yield "flash", self.flash_bytes / budget.flash_bytes
        if budget.latency_ms is not None and self.latency_ms is not None:
            yield "time", self.latency_ms / budget.latency_ms

    def strain(self, budget: Budget) -> float:
        """How many times what is scarcest is taken: at most 1 where all of `budget` suffices."""
        return max(times for _, times in self.strains(budget))

    def excess(self, budget: Budget) -> str | None:
        """By what it exceeds `budget`, in words; None where it fits."""
        for name, need, has in (
            ("SRAM", self.sram_bytes, budget.sram_bytes),
            ("flash", self.flash_bytes, budget.flash_bytes),
        ):
            if need > has:
                return f"{format_size(need)} of {name}, {need - has:,} B more than allowed"
        time, allowed = self.latency_ms, budget.latency_ms
        if time is not None and allowed is not None and time > allowed:
            return f"{format_milliseconds(time)}, {format_milliseconds(time - allowed)} more than allowed"
        return None


class Limits:
    """A budget on a board under a runtime. Every genotype is costed once, then remembered by its text.

    `latency` tells times, which can be corrected; without a model they are unknown. A bound on time that
    nothing can be held to is refused.

    Raises:
        RequestError: the budget bounds the time and there is no `latency` model.
    """

    def __init__(
        self,
        *,
        runtime: Runtime,
        board: Board,
        budget: Budget,
        latency: LatencyModel | None = None,
    ) -> None:
        if budget.latency_ms is not None and latency is None:
            raise unknown_times(board, runtime)
        self.budget = budget
        self._runtime = runtime
        self._board = board
        self._latency = latency
        self._correction = Correction()
        self._needs: dict[str, Need] = {}
        self._footprints: dict[str, Footprint] = {}

    @property
    def seen(self) -> int:
        """How many different networks were asked about."""
        return len(self._needs)

    def correct(self, correction: Correction) -> None:
        """From now on times of the model are corrected so."""
        self._correction = correction

    def need(self, genotype: Genotype) -> Need:
        """What `genotype` takes: all that deciding takes, so draws that do not fit stay cheap."""
        text = str(genotype)
        if text not in self._needs:
            graph = build_graph(genotype)
            self._needs[text] = Need(
                self._runtime.sram(graph, self._board).total,
                self._runtime.flash(graph, self._board).total,
                self._latency.milliseconds(graph) if self._latency is not None else None,
            )
        return self._corrected(text, self._needs[text])

    def satisfied_by(self, genotype: Genotype) -> bool:
        """Whether `genotype` stays within the SRAM, the flash and the time of the budget."""
        return self.need(genotype).strain(self.budget) <= 1

    def footprint(self, genotype: Genotype) -> Footprint:
        """Everything `genotype` takes; its time by the model alone, uncorrected."""
        text = str(genotype)
        if text not in self._footprints:
            self.need(genotype)
            bare = self._needs[text]
            self._footprints[text] = Footprint(
                macs(build_graph(genotype)),
                trainable_params(genotype),
                bare.sram_bytes,
                bare.flash_bytes,
                bare.latency_ms,
            )
        return self._footprints[text]

    def no_room(self) -> RequestError:
        """The answer when none of the networks seen fits: what was asked, and the need of the nearest."""
        budget = self.budget
        asked = Need(budget.sram_bytes, budget.flash_bytes, budget.latency_ms)
        if not self._needs:
            return RequestError(f"no network was tried against {asked}: ask for at least one evaluation")
        corrected = (self._corrected(*each) for each in self._needs.items())
        nearest = min(corrected, key=lambda need: need.strain(budget))
        more = " and ".join(f"more {name}" for name, times in nearest.strains(budget) if times > 1)
        if budget.latency_ms is None:
            nearest = replace(nearest, latency_ms=None)
        return RequestError(
            f"no network found fits {asked}: of {len(self._needs):,} tried the nearest needs {nearest}; "
            f"allow {more}, or choose a smaller space or another board"
        )

    def _corrected(self, genotype: str, need: Need) -> Need:
        if need.latency_ms is None:
            return need
        return replace(need, latency_ms=self._correction.milliseconds(genotype, need.latency_ms))
