"""Any strategy, stopped after a number of evaluations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinynas.search.candidate import Candidate
from tinynas.search.pool import Pool, Proposal
from tinynas.search.space_protocol import ChoiceT
from tinynas.search.strategy import Strategy, require_at_least


@dataclass(frozen=True)
class AtMost:
    """`strategy` until `most` networks are scored: what it proposes beyond them is left out.

    Raises:
        RequestError: there is nothing to score.
    """

    strategy: Strategy
    most: int

    def __post_init__(self) -> None:
        require_at_least(1, evaluations=self.most)

    @property
    def generations(self) -> int:
        """As many as the strategy's own."""
        return self.strategy.generations

    @property
    def evaluations(self) -> int:
        """The least of both."""
        return min(self.strategy.evaluations, self.most)

    def propose(
        self, generation: int, scored: Sequence[Candidate[ChoiceT]], pool: Pool[ChoiceT]
    ) -> list[Proposal[ChoiceT]]:
        """The strategy's proposals, as far as evaluations are left."""
        left = self.most - len(scored)
        return self.strategy.propose(generation, scored, pool)[:left] if left > 0 else []
