"""NSGA-II (Deb et al., IEEE Trans. Evol. Comput. 6(2), 2002): a whole front instead of one network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from tinynas.search.candidate import Candidate
from tinynas.search.domination import by_domination
from tinynas.search.evolution import Breeding
from tinynas.search.space_protocol import ChoiceT


@dataclass(frozen=True, kw_only=True)
class ParetoEvolution(Breeding):
    """Evolution among those that nobody beats in accuracy, time, SRAM and flash together.

    Of the population and its children as many as the population survive, by front, then by room on it;
    the better of any two drawn at random is a parent. optuna's sampler of that name keeps its state in a
    study and draws gene by gene; this one has none, and varies networks as their space does.

    Raises:
        RequestError: a setting is out of its range.
    """

    def mates(self, scored: Sequence[Candidate[ChoiceT]], rng: np.random.Generator) -> list[ChoiceT]:
        """Winners of as many tournaments as the population has places."""
        alive: list[Candidate[ChoiceT]] = []
        # selected anew from the first generation on, so that nothing has to be remembered
        for _, born in groupby(scored, key=lambda candidate: candidate.generation):
            alive = by_domination([*alive, *born])[: self.population]
        # they stand best first
        winners = rng.integers(len(alive), size=(self.population, 2)).min(axis=1)
        return [alive[winner].choice for winner in winners.tolist()]
