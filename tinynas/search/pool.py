"""Where strategies get networks from: only new ones that satisfy the limits, in a bounded number of draws."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Generic

import numpy as np

from tinynas.networks import Genotype
from tinynas.search.candidate import Origin
from tinynas.search.limits import Limits
from tinynas.search.space_protocol import ChoiceT, Space

#: draws in a row that may bring nothing new before a request is given up: 2 to 3 s where nothing fits
BARREN_DRAWS = 2000
#: draws allowed in all for each network wanted, besides `BARREN_DRAWS`: enough where one in a hundred fits
DRAWS_PER_NETWORK = 100


@dataclass(frozen=True, slots=True)
class Proposal(Generic[ChoiceT]):
    """A network to be scored."""

    choice: ChoiceT
    genotype: Genotype
    origin: Origin


class Pool(Generic[ChoiceT]):
    """The networks of a space that satisfy the limits and were not seen before, for one generation.

    Everything random comes from `rng`, whatever a strategy draws too, so the same generator brings the same
    proposals. `seeds` are choices to consider before any is drawn at random, such as the smallest network
    of the space. What does not fit is refused before it is scored and costs nothing but the draw.
    """

    def __init__(
        self,
        *,
        space: Space[ChoiceT],
        limits: Limits,
        rng: np.random.Generator,
        seen: Iterable[str] = (),
        seeds: Sequence[ChoiceT] = (),
    ) -> None:
        self.space = space
        self.rng = rng
        self._limits = limits
        self._seen = set(seen)
        self._seeds = list(seeds)

    def random(self, count: int) -> list[Proposal[ChoiceT]]:
        """Up to `count` networks: the seeds first, then draws from the whole space."""
        seeds, self._seeds = self._seeds, []
        fitting = self.offered(count, Origin.SEED, seeds)
        missing = count - len(fitting)
        return fitting + self.collect(missing, Origin.RANDOM, lambda: self.space.sample(self.rng))

    def mutants(self, count: int, parents: Sequence[ChoiceT], probability: float) -> list[Proposal[ChoiceT]]:
        """Up to `count` networks, each one of `parents` with every gene redrawn with `probability`."""
        return self.collect(
            count, Origin.MUTATION, lambda: self.space.mutate(self._one(parents), self.rng, probability)
        )

    def crosses(self, count: int, parents: Sequence[ChoiceT]) -> list[Proposal[ChoiceT]]:
        """Up to `count` networks, each mixed from two of `parents`."""
        return self.collect(
            count,
            Origin.CROSSOVER,
            lambda: self.space.cross(self._one(parents), self._one(parents), self.rng),
        )

    def offered(self, count: int, origin: Origin, choices: Iterable[ChoiceT]) -> list[Proposal[ChoiceT]]:
        """The first `count` of `choices` that are new and fit."""
        proposals = (self._consider(choice, origin) for choice in choices)
        return list(islice(filter(None, proposals), count))

    def collect(
        self,
        count: int,
        origin: Origin,
        draw: Callable[[], ChoiceT],
        most_barren: int = BARREN_DRAWS,
    ) -> list[Proposal[ChoiceT]]:
        """What `draw` brings that is new and fits; fewer than `count` where the draws run out.

        They do after `most_barren` in a row that brought nothing.
        """
        found: list[Proposal[ChoiceT]] = []
        barren = 0
        for _ in range(most_barren + DRAWS_PER_NETWORK * count):
            if len(found) >= count or barren == most_barren:
                break
            proposal = self._consider(draw(), origin)
            barren = 0 if proposal else barren + 1
            found += [proposal] if proposal else []
        return found

    def _consider(self, choice: ChoiceT, origin: Origin) -> Proposal[ChoiceT] | None:
        """`choice` as a proposal, if it is a network of the space that is new and fits."""
        if not self.space.admits(choice):
            return None
        genotype = self.space.genotype(choice)
        text = str(genotype)
        if text in self._seen or not self._limits.satisfied_by(genotype):
            return None
        self._seen.add(text)
        return Proposal(choice, genotype, origin)

    def _one(self, parents: Sequence[ChoiceT]) -> ChoiceT:
        return parents[int(self.rng.integers(len(parents)))]
