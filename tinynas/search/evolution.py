"""Evolutionary search as MCUNet runs it (arXiv 2007.10319, section 3.2)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinynas.errors import RequestError
from tinynas.search.candidate import Candidate
from tinynas.search.objective import ranked
from tinynas.search.pool import Pool, Proposal
from tinynas.search.space_protocol import ChoiceT
from tinynas.search.strategy import require_at_least, require_share


@dataclass(frozen=True, kw_only=True)
class Breeding(ABC):
    """A random population, then iterations of `mutation` children by mutation and `crossover` by crossover.

    In place of children that cannot be found, since all that fit are scored, networks are drawn at random: so
    everyone scores as many as the space has.

    Raises:
        RequestError: a setting is out of its range.
    """

    population: int = 100
    iterations: int = 30
    crossover: int = 50
    mutation: int = 50
    mutation_probability: float = 0.1

    def __post_init__(self) -> None:
        require_at_least(1, population=self.population)
        require_at_least(0, iterations=self.iterations, crossover=self.crossover, mutation=self.mutation)
        if self.iterations and not self.crossover + self.mutation:
            raise RequestError("crossover and mutation are both 0: iterations need children, so raise one")
        require_share(mutation_probability=self.mutation_probability)

    @property
    def generations(self) -> int:
        """The population and every iteration."""
        return 1 + self.iterations

    @property
    def evaluations(self) -> int:
        """Networks scored if every child can be found: 3,100 with the published settings."""
        return self.population + self.iterations * (self.mutation + self.crossover)

    def propose(
        self, generation: int, scored: Sequence[Candidate[ChoiceT]], pool: Pool[ChoiceT]
    ) -> list[Proposal[ChoiceT]]:
        """The population at first, then mutants and crosses of those that may have children."""
        if generation == 0:
            return pool.random(self.population)
        parents = self.mates(scored, pool.rng)
        children = [
            *pool.mutants(self.mutation, parents, self.mutation_probability),
            *pool.crosses(self.crossover, parents),
        ]
        return children + pool.random(self.mutation + self.crossover - len(children))

    @abstractmethod
    def mates(self, scored: Sequence[Candidate[ChoiceT]], rng: np.random.Generator) -> list[ChoiceT]:
        """Who may have children, of all networks `scored` so far."""


@dataclass(frozen=True, kw_only=True)
class Evolution(Breeding):
    """Children of the best networks so far.

    Every iteration the best `parents` of all networks scored yet have children. Parents stay: a good network
    is displaced only by better ones.

    Raises:
        RequestError: a setting is out of its range.
    """

    parents: int = 20

    def __post_init__(self) -> None:
        super().__post_init__()
        require_at_least(1, parents=self.parents)

    def mates(self, scored: Sequence[Candidate[ChoiceT]], rng: np.random.Generator) -> list[ChoiceT]:
        """The best networks so far."""
        return [candidate.choice for candidate in ranked(scored)[: self.parents]]
