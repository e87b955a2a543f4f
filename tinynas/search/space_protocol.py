"""What the search asks of a design space and of whoever finds accuracies; it knows nothing else of either."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from tinynas.networks import Genotype
from tinynas.spaces.genes import Dimension, Gene

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

    @property
    def genes(self) -> Mapping[str, Gene]:
        """What a choice consists of, by its field."""
        ...

    @property
    def dimensions(self) -> Mapping[str, Dimension]:
        """The genes that size the network, and what they size."""
        ...

    def smallest(self) -> ChoiceT:
        """What limits must at least hold."""
        ...

    def encode(self, choice: ChoiceT) -> NDArray[np.float32]:
        """The free numbers of the genes as places from 0 to 1: [n]."""
        ...

    def decode(self, codes: Sequence[float]) -> ChoiceT:
        """The choice nearest to `codes` [n]; inverse of `encode`. It may break a bound (see `admits`)."""
        ...

    def admits(self, choice: ChoiceT) -> bool:
        """Whether `choice` is within the bounds that tie the genes of the space."""
        ...

    def genotype(self, choice: ChoiceT) -> Genotype:
        """The network meant. Choices that differ in unused genes share a genotype."""
        ...
