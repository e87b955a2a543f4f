"""Where strategies get networks from: only new ones that satisfy the limits, in a bounded number of draws."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
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

    Everything random comes from `rng`, so the same generator brings the same proposals. `seeds` are
    choices to consider before any is drawn at random, such as the smallest network of the space.
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
        self._space = space
        self._limits = limits
        self._rng = rng
        self._seen = set(seen)
        self._seeds = list(seeds)

    def random(self, count: int) -> list[Proposal[ChoiceT]]:
        """Up to `count` networks: the seeds first, then draws from the whole space."""
        seeds, self._seeds = self._seeds, []
        fitting = [p for choice in seeds if (p := self._consider(choice, Origin.SEED))][:count]
        missing = count - len(fitting)
        return fitting + self._collect(missing, Origin.RANDOM, lambda: self._space.sample(self._rng))

    def mutants(self, count: int, parents: Sequence[ChoiceT], probability: float) -> list[Proposal[ChoiceT]]:
        """Up to `count` networks, each one of `parents` with every gene redrawn with `probability`."""
        return self._collect(
            count, Origin.MUTATION, lambda: self._space.mutate(self._one(parents), self._rng, probability)
        )

    def crosses(self, count: int, parents: Sequence[ChoiceT]) -> list[Proposal[ChoiceT]]:
        """Up to `count` networks, each mixed from two of `parents`."""
        return self._collect(
            count,
            Origin.CROSSOVER,
            lambda: self._space.cross(self._one(parents), self._one(parents), self._rng),
        )

    def _collect(self, count: int, origin: Origin, draw: Callable[[], ChoiceT]) -> list[Proposal[ChoiceT]]:
        """What `draw` brings that is new and fits; fewer than `count` where the draws run out."""
        found: list[Proposal[ChoiceT]] = []
        barren = 0
        for _ in range(BARREN_DRAWS + DRAWS_PER_NETWORK * count):
            if len(found) >= count or barren == BARREN_DRAWS:
                break
            proposal = self._consider(draw(), origin)
            barren = 0 if proposal else barren + 1
            found += [proposal] if proposal else []
        return found

    def _consider(self, choice: ChoiceT, origin: Origin) -> Proposal[ChoiceT] | None:
        genotype = self._space.genotype(choice)
        text = str(genotype)
        if text in self._seen or not self._limits.satisfied_by(genotype):
            return None
        self._seen.add(text)
        return Proposal(choice, genotype, origin)

    def _one(self, parents: Sequence[ChoiceT]) -> ChoiceT:
        return parents[int(self._rng.integers(len(parents)))]
