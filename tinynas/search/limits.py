"""Which networks a board can hold: a footprint for every genotype, and the answer where none fits."""

from __future__ import annotations

from dataclasses import dataclass

from tinynas.board import Board, Budget
from tinynas.cost import Runtime, macs
from tinynas.errors import RequestError
from tinynas.networks import Genotype, build_graph, trainable_params
from tinynas.units import format_size


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a network takes: multiply-accumulates, parameters as published, bytes of SRAM and of flash."""

    macs: int
    params: int
    sram_bytes: int
    flash_bytes: int


@dataclass(frozen=True, slots=True)
class Need:
    """The memory a network takes under one runtime, in bytes."""

    sram_bytes: int
    flash_bytes: int

    def excess(self, budget: Budget) -> str | None:
        """By what it exceeds `budget`, in words; None where it fits."""
        for name, need, has in (
            ("SRAM", self.sram_bytes, budget.sram_bytes),
            ("flash", self.flash_bytes, budget.flash_bytes),
        ):
            if need > has:
                return f"{format_size(need)} of {name}, {need - has:,} B more than allowed"
        return None


class Limits:
    """A budget on a board under a runtime. Every genotype is costed once, then remembered by its text."""

    def __init__(self, *, runtime: Runtime, board: Board, budget: Budget) -> None:
        self._runtime = runtime
        self._board = board
        self._budget = budget
        self._needs: dict[str, Need] = {}
        self._footprints: dict[str, Footprint] = {}

    @property
    def seen(self) -> int:
        """How many different networks were asked about."""
        return len(self._needs)

    def need(self, genotype: Genotype) -> Need:
        """SRAM and flash of `genotype`: all that deciding takes, so draws that do not fit stay cheap."""
        text = str(genotype)
        if text not in self._needs:
            graph = build_graph(genotype)
            self._needs[text] = Need(
                self._runtime.sram(graph, self._board).total, self._runtime.flash(graph, self._board).total
            )
        return self._needs[text]

    def satisfied_by(self, genotype: Genotype) -> bool:
        """Whether `genotype` stays within both the SRAM and the flash of the budget."""
        return self._strain(self.need(genotype)) <= 1

    def footprint(self, genotype: Genotype) -> Footprint:
        """Everything `genotype` takes."""
        text = str(genotype)
        if text not in self._footprints:
            need = self.need(genotype)
            self._footprints[text] = Footprint(
                macs(build_graph(genotype)), trainable_params(genotype), need.sram_bytes, need.flash_bytes
            )
        return self._footprints[text]

    def no_room(self) -> RequestError:
        """The answer when none of the networks seen fits: what was asked, and the need of the nearest."""
        asked = _memories(self._budget.sram_bytes, self._budget.flash_bytes)
        if not self._needs:
            return RequestError(f"no network was tried against {asked}: ask for at least one evaluation")
        nearest = min(self._needs.values(), key=self._strain)
        return RequestError(
            f"no network found fits {asked}: of {len(self._needs):,} tried the nearest needs "
            f"{_memories(nearest.sram_bytes, nearest.flash_bytes)}; "
            f"allow {self._short_of(nearest)}, or choose a smaller space or another board"
        )

    def _strain(self, need: Need) -> float:
        """How many times its budget the scarcer memory is filled: at most 1 where both suffice."""
        return max(need.sram_bytes / self._budget.sram_bytes, need.flash_bytes / self._budget.flash_bytes)

    def _short_of(self, need: Need) -> str:
        sram = "more SRAM" if need.sram_bytes > self._budget.sram_bytes else ""
        flash = "more flash" if need.flash_bytes > self._budget.flash_bytes else ""
        return " and ".join(filter(None, (sram, flash)))


def _memories(sram_bytes: int, flash_bytes: int) -> str:
    return f"{format_size(sram_bytes)} of SRAM and {format_size(flash_bytes)} of flash"
