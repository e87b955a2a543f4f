"""NSGA-II (Deb et al., IEEE Trans. Evol. Comput. 6(2), 2002): a whole front instead of one network."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np

from tinynas.search.candidate import Candidate
from tinynas.search.domination import by_domination
from tinynas.search.evolution import Evolution
from tinynas.search.space_protocol import ChoiceT


class ParetoEvolution(Evolution):
    """Evolution among those that nobody beats in accuracy, time, SRAM and flash together.

    Of the population and its children as many as the population survive, by front, then by room on it;
    the better of any two drawn at random is a parent. optuna's sampler of that name keeps its state in a
    study and draws gene by gene; this one has none, and varies networks as their space does.

    Raises:
        RequestError: a setting is out of its range.
    """

    def __init__(
        self,
        *,
        population: int = 100,
        iterations: int = 30,
        crossover: int = 50,
        mutation: int = 50,
        mutation_probability: float = 0.1,
    ) -> None:
        super().__init__(
            population=population,
            iterations=iterations,
            parents=population,
            crossover=crossover,
            mutation=mutation,
            mutation_probability=mutation_probability,
        )

    def mates(self, scored: Sequence[Candidate[ChoiceT]], rng: np.random.Generator) -> list[ChoiceT]:
        """Winners of as many tournaments as the population has places."""
        alive: list[Candidate[ChoiceT]] = []
        # selected anew from the first generation on, so that nothing has to be remembered
        for _, born in groupby(scored, key=lambda candidate: candidate.generation):
            alive = by_domination([*alive, *born])[: self._parents]
        # they stand best first
        winners = rng.integers(len(alive), size=(self._parents, 2)).min(axis=1)
        return [alive[winner].choice for winner in winners.tolist()]
