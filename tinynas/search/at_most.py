"""Any strategy, stopped after a number of evaluations."""

from __future__ import annotations

from collections.abc import Sequence

from tinynas.search.candidate import Candidate
from tinynas.search.pool import Pool, Proposal
from tinynas.search.space_protocol import ChoiceT
from tinynas.search.strategy import Strategy, require_at_least


class AtMost:
    """`strategy` until `evaluations` networks are scored: what it proposes beyond them is left out.

    Raises:
        RequestError: there is nothing to score.
    """

    def __init__(self, strategy: Strategy, evaluations: int) -> None:
        require_at_least(1, evaluations=evaluations)
        self._strategy, self._evaluations = strategy, evaluations

    @property
    def generations(self) -> int:
        """As many as the strategy's own."""
        return self._strategy.generations

    @property
    def evaluations(self) -> int:
        """The least of both."""
        return min(self._strategy.evaluations, self._evaluations)

    def propose(
        self, generation: int, scored: Sequence[Candidate[ChoiceT]], pool: Pool[ChoiceT]
    ) -> list[Proposal[ChoiceT]]:
        """The strategy's proposals, as far as evaluations are left."""
        left = self._evaluations - len(scored)
        return self._strategy.propose(generation, scored, pool)[:left] if left > 0 else []
