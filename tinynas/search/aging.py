"""Regularised evolution (Real et al., arXiv 1802.01548): whoever is oldest dies, however good it was."""

from __future__ import annotations

from collections.abc import Sequence

from tinynas.search.candidate import Candidate, Origin
from tinynas.search.objective import ranked
from tinynas.search.pool import Pool, Proposal
from tinynas.search.space_protocol import ChoiceT
from tinynas.search.strategy import require_at_least, require_share


class RegularisedEvolution:
    """A population of fixed size, a tournament for every child, and death by age.

    Of `population` networks (the paper's P = 100) `tournament` are drawn (S = 25), and the best of them has
    one child by mutation, which takes the place of the oldest. So the population is always the networks
    scored last, and a network lives on only through children that are good themselves. `together` children
    are made from one population, as by the paper's parallel workers.

    Raises:
        RequestError: a setting is out of its range.
    """

    def __init__(
        self,
        *,
        evaluations: int,
        population: int = 100,
        tournament: int = 25,
        mutation_probability: float = 0.1,
        together: int = 1,
    ) -> None:
        require_at_least(
            1, evaluations=evaluations, population=population, tournament=tournament, together=together
        )
        require_share(mutation_probability=mutation_probability)
        self._evaluations = evaluations
        self._population = min(population, evaluations)
        self._tournament = tournament
        self._probability = mutation_probability
        self._together = together

    @property
    def generations(self) -> int:
        """The first population, then children."""
        return 1 + -(-(self._evaluations - self._population) // self._together)

    @property
    def evaluations(self) -> int:
        """Networks scored if every child can be found."""
        return self._evaluations

    def propose(
        self, generation: int, scored: Sequence[Candidate[ChoiceT]], pool: Pool[ChoiceT]
    ) -> list[Proposal[ChoiceT]]:
        """The population at first, then mutants of winners of tournaments among the youngest."""
        if generation == 0:
            return pool.random(self._population)
        alive = scored[-self._population :]

        def child() -> ChoiceT:
            entered = pool.rng.integers(len(alive), size=self._tournament)
            winner = ranked(alive[int(i)] for i in entered)[0]
            return pool.space.mutate(winner.choice, pool.rng, self._probability)

        count = min(self._together, self._evaluations - len(scored))
        return pool.collect(count, Origin.MUTATION, child)
