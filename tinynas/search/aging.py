"""Regularised evolution (Real et al., arXiv 1802.01548): whoever is oldest dies, however good it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinynas.search.candidate import Candidate, Origin
from tinynas.search.objective import ranked
from tinynas.search.pool import Pool, Proposal
from tinynas.search.space_protocol import ChoiceT
from tinynas.search.strategy import RandomStart, require_at_least, require_share


@dataclass(frozen=True, kw_only=True)
class RegularisedEvolution(RandomStart):
    """A population of fixed size, a tournament for every child, and death by age.

    Of `population` networks (the paper's P = 100) `tournament` are drawn (S = 25), and the best of them has
    one child by mutation, which takes the place of the oldest. So the population is always the networks
    scored last, and a network lives on only through children that are good themselves. `together` children
    are made from one population, as by the paper's parallel workers.

    Raises:
        RequestError: a setting is out of its range.
    """

    population: int = 100
    tournament: int = 25
    mutation_probability: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        require_at_least(1, population=self.population, tournament=self.tournament)
        require_share(mutation_probability=self.mutation_probability)

    @property
    def opening(self) -> int:
        """The first population."""
        return self.population

    def follow(
        self, scored: Sequence[Candidate[ChoiceT]], pool: Pool[ChoiceT], count: int
    ) -> list[Proposal[ChoiceT]]:
        """Mutants of winners of tournaments among the youngest."""
        alive = scored[-self.first :]

        def child() -> ChoiceT:
            entered = pool.rng.integers(len(alive), size=self.tournament)
            winner = ranked(alive[int(i)] for i in entered)[0]
            return pool.space.mutate(winner.choice, pool.rng, self.mutation_probability)

        children = pool.collect(count, Origin.MUTATION, child)
        return children + pool.random(count - len(children))
