"""What is better: accuracy or a reward, ties decided alike in every run.

Accuracies compare after equal training; where a ladder lets the better half go on, who came further is first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from tinynas.errors import RequestError
from tinynas.search.candidate import Candidate
from tinynas.search.space_protocol import ChoiceT

#: accuracy alone, whatever bounds there are
ACCURACY = "accuracy"


class Objective(Protocol):
    """What the search maximises in place of accuracy."""

    def reward(self, accuracy: float, latency_ms: float) -> float:
        """Of a network of that accuracy (0..1) and latency."""
        ...


@dataclass(frozen=True, slots=True)
class MnasNetReward:
    """ACC * (LAT / T) ** w, with w = `below` where LAT <= T = `target_ms`, else `above`.

    MnasNet (arXiv 1807.11626), equations 2 and 3: -0.07 on both sides makes the target soft, for there
    twice the time bought 5 % more accuracy; 0 and -1 make it hard.
    """

    target_ms: float
    below: float
    above: float

    def reward(self, accuracy: float, latency_ms: float) -> float:
        """As `Objective.reward`."""
        times = latency_ms / self.target_ms
        exponent = self.below if times <= 1 else self.above
        return float(accuracy * times**exponent)


#: exponents below the target and above it
_EXPONENTS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"mnasnet-soft": (-0.07, -0.07), "mnasnet-hard": (0.0, -1.0)}
)
OBJECTIVES = (ACCURACY, *_EXPONENTS)


def find_objective(name: str, target_ms: float | None) -> Objective | None:
    """The objective of that name with its target; None is accuracy.

    Raises:
        RequestError: there is no such, or it lacks its target.
    """
    if name == ACCURACY:
        return None
    if name not in _EXPONENTS:
        raise RequestError(f"'{name}' is not an objective: choose {', '.join(OBJECTIVES)}")
    if target_ms is None:
        raise RequestError(
            f"--objective {name} weighs time against a target: name that with --latency or --fps"
        )
    return MnasNetReward(target_ms, *_EXPONENTS[name])


def ranked(candidates: Iterable[Candidate[ChoiceT]]) -> list[Candidate[ChoiceT]]:
    """Best first, whatever order they came in: who fits, by steps trained, merit, fewer MACs, genotype text.

    Measured times may put those that came furthest out of the limits: who never fitted is not scored at all.
    """
    return sorted(
        candidates, key=lambda c: (not c.fits, -c.trained_steps, -c.merit, c.footprint.macs, c.genotype)
    )
