"""Evolutionary search as MCUNet runs it (arXiv 2007.10319, section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinynas.errors import RequestError
from tinynas.search.candidate import Candidate
from tinynas.search.objective import ranked
from tinynas.search.pool import Pool, Proposal
from tinynas.search.space_protocol import ChoiceT
from tinynas.search.strategy import require_at_least, require_share


class Evolution:
    """A random population, then children of the best networks so far.

    Every iteration the best `parents` of all networks scored yet bring `mutation` children by mutation and
    `crossover` by crossover. Parents stay: a good network is displaced only by better ones.

    Raises:
        RequestError: a setting is out of its range.
    """

    def __init__(
        self,
        *,
        population: int = 100,
        iterations: int = 30,
        parents: int = 20,
        crossover: int = 50,
        mutation: int = 50,
        mutation_probability: float = 0.1,
    ) -> None:
        require_at_least(1, population=population, parents=parents)
        require_at_least(0, iterations=iterations, crossover=crossover, mutation=mutation)
        if iterations and not crossover + mutation:
            raise RequestError("crossover and mutation are both 0: iterations need children, so raise one")
        require_share(mutation_probability=mutation_probability)
        self._population = population
        self._iterations = iterations
        self._parents = parents
        self._crossover = crossover
        self._mutation = mutation
        self._probability = mutation_probability

    @property
    def generations(self) -> int:
        """The population and every iteration."""
        return 1 + self._iterations

    @property
    def evaluations(self) -> int:
        """Networks scored if every child can be found: 3,100 with the published settings."""
        return self._population + self._iterations * (self._mutation + self._crossover)

    def propose(
        self, generation: int, scored: Sequence[Candidate[ChoiceT]], pool: Pool[ChoiceT]
    ) -> list[Proposal[ChoiceT]]:
        """The population at first, then mutants and crosses of the best networks so far."""
        if generation == 0:
            return pool.random(self._population)
        parents = self.mates(scored, pool.rng)
        return [
            *pool.mutants(self._mutation, parents, self._probability),
            *pool.crosses(self._crossover, parents),
        ]

    def mates(self, scored: Sequence[Candidate[ChoiceT]], rng: np.random.Generator) -> list[ChoiceT]:
        """Who may have children: the best networks so far."""
        return [candidate.choice for candidate in ranked(scored)[: self._parents]]
