"""Random search: the baseline every other strategy is measured against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinynas.search.candidate import Candidate
from tinynas.search.pool import Pool, Proposal
from tinynas.search.space_protocol import ChoiceT
from tinynas.search.strategy import batches, require_at_least

#: networks drawn at a time; as many as Evolution's population, so that both open with the same networks
_BATCH = 100


@dataclass(frozen=True, kw_only=True)
class RandomSearch:
    """Scores `evaluations` networks drawn uniformly from those that satisfy the limits.

    Raises:
        RequestError: there is nothing to score.
    """

    evaluations: int

    def __post_init__(self) -> None:
        require_at_least(1, evaluations=self.evaluations)

    @property
    def generations(self) -> int:
        """Batches of up to 100 networks."""
        return batches(self.evaluations, _BATCH)

    def propose(
        self, generation: int, scored: Sequence[Candidate[ChoiceT]], pool: Pool[ChoiceT]
    ) -> list[Proposal[ChoiceT]]:
        """The next networks, whatever the scores so far."""
        return pool.random(min(_BATCH, self.evaluations - generation * _BATCH))
