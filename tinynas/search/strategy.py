"""What a search strategy is: a small object that proposes a generation from what is scored so far.

A strategy holds settings, never state. What it proposes depends on its settings, the candidates scored in
earlier generations and the pool's random generator alone, so a killed run proposes the same again.
"""

from __future__ import annotations

from collections.abc import Sequence
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
