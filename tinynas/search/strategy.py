"""What a search strategy is: a small object that proposes a generation from what is scored so far.

A strategy holds settings, never state. What it proposes depends on its settings, the candidates scored in
earlier generations and the pool's random generator alone, so a killed run proposes the same again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tinynas.errors import RequestError
from tinynas.search.candidate import Candidate
from tinynas.search.pool import Pool, Proposal
from tinynas.search.space_protocol import ChoiceT


class Strategy(Protocol):
    """Proposes networks to score, generation after generation."""

    @property
    def generations(self) -> int:
        """How often `propose` is asked, at most."""
        ...

    @property
    def evaluations(self) -> int:
        """How many networks are scored, at most."""
        ...

    def propose(
        self, generation: int, scored: Sequence[Candidate[ChoiceT]], pool: Pool[ChoiceT]
    ) -> list[Proposal[ChoiceT]]:
        """The networks of `generation` (from 0), given all `scored` in earlier ones; none ends the search."""
        ...


@dataclass(frozen=True, kw_only=True)
class RandomStart(ABC):
    """Networks at random first, then `together` at a time, each time from all that are scored.

    Raises:
        RequestError: a setting is out of its range.
    """

    evaluations: int
    together: int = 1

    def __post_init__(self) -> None:
        require_at_least(1, evaluations=self.evaluations, together=self.together)

    @property
    @abstractmethod
    def opening(self) -> int:
        """Networks drawn at random, if so many are scored at all."""

    @property
    def first(self) -> int:
        """Networks of the first generation."""
        return min(self.opening, self.evaluations)

    @property
    def generations(self) -> int:
        """The first, and those that follow."""
        return 1 + batches(self.evaluations - self.first, self.together)

    def propose(
        self, generation: int, scored: Sequence[Candidate[ChoiceT]], pool: Pool[ChoiceT]
    ) -> list[Proposal[ChoiceT]]:
        """Random networks at first, then what follows from all `scored`."""
        if generation == 0:
            return pool.random(self.first)
        return self.follow(scored, pool, min(self.together, self.evaluations - len(scored)))

    @abstractmethod
    def follow(
        self, scored: Sequence[Candidate[ChoiceT]], pool: Pool[ChoiceT], count: int
    ) -> list[Proposal[ChoiceT]]:
        """The next `count` networks."""


def batches(networks: int, together: int) -> int:
    """Generations that it takes to score `networks`, `together` in each."""
    return -(-networks // together)


def require_at_least(least: int, **settings: int) -> None:
    """Refuses settings below `least`.

    Raises:
        RequestError: naming the setting, its value and the bound.
    """
    for name, value in settings.items():
        if value < least:
            raise RequestError(f"{name.replace('_', ' ')} is {value}: it must be at least {least}")


def require_share(**settings: float) -> None:
    """Refuses settings that are no share above 0.

    Raises:
        RequestError: naming the setting and its value.
    """
    for name, value in settings.items():
        if not 0 < value <= 1:
            raise RequestError(f"{name.replace('_', ' ')} is {value:g}: it must be above 0 and at most 1")
