"""Successive halving: all networks of a generation are trained a little, the better half twice as long, ...

Of Jamieson and Talwalkar (arXiv 1502.07970), with half of the networks left at each rung. Where weights are
shared there is nothing to train and one rung.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from tinynas.networks import Genotype
from tinynas.search.candidate import Candidate
from tinynas.search.objective import ranked
from tinynas.search.space_protocol import ChoiceT, Evaluator

_Scored = TypeVar("_Scored", contravariant=True)


class Ladder(Protocol[_Scored]):
    """Scores networks after more and more training."""

    @property
    def rungs(self) -> tuple[int, ...]:
        """After how many training steps of their own networks are scored, rising; at least one."""
        ...

    def accuracy(self, choice: _Scored, genotype: Genotype, steps: int) -> float:
        """Accuracy (0..1) after `steps`, whether or not the network stands at an earlier rung already.

        It must depend on nothing but the seed of the run, the genotype and the steps, or a run that was
        killed and continued would end with another winner.
        """
        ...

    def drop(self, genotype: str) -> None:
        """That network is beaten: what was kept to train it further can go. Perhaps told more than once."""
        ...


@dataclass(frozen=True, slots=True)
class OneRung(Generic[ChoiceT]):
    """Scores networks by `evaluate`, which trains none of them."""

    evaluate: Evaluator[ChoiceT]
    rungs: tuple[int, ...] = (0,)

    def accuracy(self, choice: ChoiceT, genotype: Genotype, steps: int) -> float:
        """What `evaluate` says."""
        return self.evaluate(choice, genotype)

    def drop(self, genotype: str) -> None:
        """Nothing is kept."""


class Order(Protocol):
    """Who of several goes first."""

    def __call__(self, candidates: Iterable[Candidate[ChoiceT]], /) -> list[Candidate[ChoiceT]]:
        """`candidates`, best first, whatever order they came in."""
        ...


def better_half(candidates: Sequence[Candidate[ChoiceT]], order: Order = ranked) -> set[str]:
    """The genotypes that go on to the next rung: the better half by `order`, an odd one included."""
    return {candidate.genotype for candidate in order(candidates)[: -(-len(candidates) // 2)]}


def most_scores(networks: int, generations: int, rungs: int) -> int:
    """How many scores `networks` of so many `generations` take at most."""
    return networks + sum(min(networks, (networks >> rung) + generations) for rung in range(1, rungs))
