"""Regularised evolution (Real et al., arXiv 1802.01548): whoever is oldest dies, however good it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinynas.search.candidate import Candidate, Origin
from tinynas.search.objective import ranked
from tinynas.search.pool import Pool, Proposal
from tinynas.search.space_protocol import ChoiceT
from tinynas.search.strategy import batches, require_at_least, require_share


@dataclass(frozen=True, kw_only=True)
class RegularisedEvolution:
    """A population of fixed size, a tournament for every child, and death by age.

    Of `population` networks (the paper's P = 100) `tournament` are drawn (S = 25), and the best of them has
    one child by mutation, which takes the place of the oldest. So the population is always the networks
    scored last, and a network lives on only through children that are good themselves. `together` children
    are made from one population, as by the paper's parallel workers.

    Raises:
        RequestError: a setting is out of its range.
    """

    evaluations: int
    population: int = 100
    tournament: int = 25
    mutation_probability: float = 0.1
    together: int = 1

    def __post_init__(self) -> None:
        require_at_least(
            1,
            evaluations=self.evaluations,
            population=self.population,
            tournament=self.tournament,
            together=self.together,
        )
        require_share(mutation_probability=self.mutation_probability)

    @property
    def first(self) -> int:
        """Networks of the first population."""
        return min(self.population, self.evaluations)

    @property
    def generations(self) -> int:
        """The first population, then children."""
        return 1 + batches(self.evaluations - self.first, self.together)

    def propose(
        self, generation: int, scored: Sequence[Candidate[ChoiceT]], pool: Pool[ChoiceT]
    ) -> list[Proposal[ChoiceT]]:
        """The population at first, then mutants of winners of tournaments among the youngest."""
        if generation == 0:
            return pool.random(self.first)
        alive = scored[-self.first :]

        def child() -> ChoiceT:
            entered = pool.rng.integers(len(alive), size=self.tournament)
            winner = ranked(alive[int(i)] for i in entered)[0]
            return pool.space.mutate(winner.choice, pool.rng, self.mutation_probability)

        count = min(self.together, self.evaluations - len(scored))
        return pool.collect(count, Origin.MUTATION, child)
