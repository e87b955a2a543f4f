"""What all design spaces of X blocks share: genes, the stages they stand for, and the bounds on those.

A space of RegNet's kind says which genes a network has (`tinynas.spaces.genes`) and which stages they make;
drawing, varying, combining, encoding and writing as a genotype follow.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Generic, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from tinynas.cost.compute import conv_activations
from tinynas.engine.streaming import MOST_OPERATORS
from tinynas.errors import RequestError
from tinynas.networks import Genotype, build_graph, trainable_params
from tinynas.networks.regnet import Stage, build_stages, most_operators
from tinynas.spaces.genes import Dimension, Gene, Options, decode_genes, encode_genes
from tinynas.spaces.pictures import Pictures, fitting_strides, resolution_grid

#: width of the stem at most: half of RegNet's
STEM = 16
#: draws in a row that may miss the bounds before a space is given up
_MOST_DRAWS = 10_000


class XChoice(Protocol):
    """The genes of one network: a frozen dataclass of numbers and tuples of them."""

    @property
    def resolution(self) -> int:
        """Rows and columns of the picture."""
        ...


ChoiceT = TypeVar("ChoiceT", bound=XChoice)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a network of the space may have; None is no bound.

    `stages` are fewest and most; `activations` are elements of all convolutions' outputs, as RegNet counts.
    """

    stages: tuple[int, int] = (3, 5)
    width: int | None = None
    params: int | None = None
    activations: int | None = None

    def admit(self, stages: Sequence[Stage]) -> bool:
        """Whether number and width of the stages are within the bounds."""
        fewest, most = self.stages
        widest = max(stage.width for stage in stages)
        return fewest <= len(stages) <= most and (self.width is None or widest <= self.width)

    def admit_network(self, genotype: Genotype) -> bool:
        """Whether parameters and activations are within the bounds."""
        if self.params is not None and trainable_params(genotype) > self.params:
            return False
        return self.activations is None or conv_activations(build_graph(genotype)) <= self.activations


@dataclass(frozen=True)
class XSpace(ABC, Generic[ChoiceT]):
    """Networks of X blocks; `resolutions[0]` is the space's own, others are elastic.

    Stem and stages halve the map, but for the first of them where it would end below 4 x 4. `se` is the
    squeeze ratio, 0 for none.
    """

    family: str
    resolutions: tuple[int, ...]
    pictures: Pictures
    se: float = 0.0
    stem: int = STEM
    bounds: Bounds = Bounds()

    @property
    def resolution(self) -> int:
        """The resolution of the space: the largest it has."""
        return self.resolutions[0]

    @property
    @abstractmethod
    def name(self) -> str:
        """What tells the space from others of its family."""

    @property
    @abstractmethod
    def own_genes(self) -> Mapping[str, Gene]:
        """The genes by the choice's field, but for the resolution."""

    @property
    @abstractmethod
    def dimensions(self) -> Mapping[str, Dimension]:
        """The genes that size the network, and what they size."""

    @abstractmethod
    def make(self, **values: Any) -> ChoiceT:
        """The choice with those fields."""

    @abstractmethod
    def stages(self, choice: ChoiceT) -> tuple[Stage, ...]:
        """The stages that `choice` stands for."""

    @abstractmethod
    def corners(self) -> Iterable[ChoiceT]:
        """Networks of the space's own resolution among which the smallest and the largest are looked for."""

    def sample(self, rng: np.random.Generator) -> ChoiceT:
        """A network whose every gene is drawn on its own, of those within the bounds.

        Raises:
            RequestError: hardly any network is within the bounds.
        """
        for _ in range(_MOST_DRAWS):
            choice = self.make(**{name: gene.draw(rng) for name, gene in self.genes.items()})
            if self.admits(choice):
                return choice
        raise RequestError(
            f"of {_MOST_DRAWS:,} networks drawn from {self.family} {self.name} none is within the bounds of "
            "the space: allow more parameters, activations or width"
        )

    def mutate(self, choice: ChoiceT, rng: np.random.Generator, probability: float) -> ChoiceT:
        """`choice` with every gene redrawn with `probability`; drawn again where that breaks a bound."""
        return self._within(lambda: self._mix(self.sample(rng), choice, rng, probability), choice)

    def cross(self, mother: ChoiceT, father: ChoiceT, rng: np.random.Generator) -> ChoiceT:
        """A network that takes each gene from either parent with equal probability, within the bounds."""
        return self._within(lambda: self._mix(mother, father, rng, 0.5), mother)

    def admits(self, choice: ChoiceT) -> bool:
        """Whether `choice` is within the bounds of the space and not too deep for our engine to run."""
        stages = self.stages(choice)
        if not self.bounds.admit(stages) or most_operators(stages, self.se) > MOST_OPERATORS:
            return False
        if self.bounds.params is None and self.bounds.activations is None:
            return True
        return self.bounds.admit_network(self.genotype(choice))

    def smallest(self) -> ChoiceT:
        """The network whose blocks have the fewest weights, or nearly."""
        return self._at(min(self.resolutions), min(self._admitted, key=self._weights))

    def largest(self) -> ChoiceT:
        """The network whose blocks have the most weights, or nearly."""
        return self._at(self.resolution, max(self._admitted, key=self._weights))

    def encode(self, choice: ChoiceT) -> NDArray[np.float32]:
        """The genes as numbers from 0 to 1: [n] for predictors and distances."""
        return encode_genes(self.genes, choice)

    def decode(self, codes: Sequence[float] | NDArray[np.float32]) -> ChoiceT:
        """The choice nearest to `codes` [n]; inverse of `encode`. It may break a bound (see `admits`)."""
        return self.make(**decode_genes(self.genes, codes))

    def genotype(self, choice: ChoiceT) -> Genotype:
        """`choice` in the block language: what is built, costed, exported and cached by."""
        stages = self.stages(choice)
        strides = fitting_strides((2,) * (len(stages) + 1), choice.resolution)
        blocks = build_stages(stages, strides, self.stem, self.se)
        return Genotype(choice.resolution, self.pictures.in_channels, blocks, self.pictures.classes)

    def with_elastic(self, count: int) -> Self:
        """The space with up to `count` resolutions of the grid next below its own besides."""
        lower = sorted(
            (r for r in resolution_grid(self.pictures.native) if r < self.resolution), reverse=True
        )
        return replace(self, resolutions=(self.resolution, *lower[:count]))

    @cached_property
    def genes(self) -> Mapping[str, Gene]:
        """The genes by the choice's field."""
        return {"resolution": Options(self.resolutions)} | dict(self.own_genes)

    @cached_property
    def _admitted(self) -> list[ChoiceT]:
        """The corners within the bounds; where there is none, whatever a draw brings."""
        found = [choice for choice in self.corners() if self.admits(choice)]
        return found or [self.sample(np.random.default_rng(0))]

    def _weights(self, choice: ChoiceT) -> int:
        """Weights of the blocks, but for projections and squeezes, which come with them."""
        return sum(stage.weights for stage in self.stages(choice))

    def _at(self, resolution: int, choice: ChoiceT) -> ChoiceT:
        genes = {name: getattr(choice, name) for name in self.own_genes}
        return self.make(resolution=resolution, **genes)

    def _mix(self, a: ChoiceT, b: ChoiceT, rng: np.random.Generator, share: float) -> ChoiceT:
        values = {
            name: gene.mix(getattr(a, name), getattr(b, name), rng, share)
            for name, gene in self.genes.items()
        }
        return self.make(**values)

    def _within(self, vary: Callable[[], ChoiceT], otherwise: ChoiceT) -> ChoiceT:
        for _ in range(_MOST_DRAWS):
            if self.admits(varied := vary()):
                return varied
        return otherwise
