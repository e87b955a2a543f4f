"""What the search asks of a design space and of whoever finds accuracies; it knows nothing else of either."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias, TypeVar

import numpy as np

from tinynas.networks import Genotype

#: how a space writes one network down: a frozen dataclass of plain numbers, strings and tuples of them
ChoiceT = TypeVar("ChoiceT")

#: accuracy (0..1) of a network. It must depend on nothing but the seed of the run and the genotype, or a
#: run that was killed and continued would end with another winner.
Evaluator: TypeAlias = Callable[[ChoiceT, Genotype], float]


class Space(Protocol[ChoiceT]):
    """A design space: networks can be drawn, varied, combined and written as a genotype."""

    def sample(self, rng: np.random.Generator) -> ChoiceT:
        """A network drawn at random."""
        ...

    def mutate(self, choice: ChoiceT, rng: np.random.Generator, probability: float) -> ChoiceT:
        """`choice` with every gene redrawn with `probability`."""
        ...

    def cross(self, mother: ChoiceT, father: ChoiceT, rng: np.random.Generator) -> ChoiceT:
        """A network that takes each gene from either parent."""
        ...

    def genotype(self, choice: ChoiceT) -> Genotype:
        """The network meant. Choices that differ in unused genes share a genotype."""
        ...
