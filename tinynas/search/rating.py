"""What a scored network is worth now: its time as corrected by then, its reward, and whether it still fits.

A candidate is kept as it was scored, with the time that the model alone says; corrections of the model come
later. So rating is a pure function of both, done again whenever the correction changes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from tinynas.board import Budget
from tinynas.search.candidate import Candidate
from tinynas.search.limits import Need
from tinynas.search.objective import Objective
from tinynas.search.space_protocol import ChoiceT
from tinynas.search.timings import Correction


@dataclass(frozen=True, slots=True)
class Rating:
    """What networks must stay within, what is maximised (None: accuracy), and the correction of times."""

    budget: Budget
    objective: Objective | None = None
    correction: Correction = field(default_factory=Correction)

    def rate(self, candidate: Candidate[ChoiceT]) -> Candidate[ChoiceT]:
        """`candidate` as it is worth now; one that does not fit any more is worth less than any that does."""
        time = candidate.footprint.latency_ms
        corrected = None if time is None else self.correction.milliseconds(candidate.genotype, time)
        cost = replace(candidate.footprint, latency_ms=corrected)
        strain = Need(cost.sram_bytes, cost.flash_bytes, cost.latency_ms).strain(self.budget)
        if strain > 1:
            reward: float | None = -strain
        elif self.objective is None or corrected is None:
            reward = None
        else:
            reward = self.objective.reward(candidate.accuracy, corrected)
        return replace(candidate, footprint=cost, reward=reward)
