"""What a family of design spaces is to stage 1, to a study and to the search.

A family lists its spaces for given pictures and knows how to find out what their networks need; a space
draws, varies and combines networks. Everything else works with these two and names no family.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from tinynas.board import Board, Budget
from tinynas.cost.estimates import Runtime
from tinynas.cost.latency import LatencyModel
from tinynas.cost.times import require_latency_model
from tinynas.networks import Genotype
from tinynas.spaces.genes import Dimension, Gene
from tinynas.spaces.pictures import Pictures
from tinynas.spaces.statistics import SpaceStats, Times

ChoiceT = TypeVar("ChoiceT")
SpaceT = TypeVar("SpaceT")


class Scoring(StrEnum):
    """How networks of a family get accuracies: parts of one trained supernet, or each trained briefly."""

    SHARED_WEIGHTS = "shared weights"
    SHORT_TRAINING = "short training"


@dataclass(frozen=True, slots=True)
class Target:
    """What networks have to fit: a board's budget under a runtime; `latency` tells times if they count."""

    board: Board
    budget: Budget
    runtime: Runtime
    latency: LatencyModel | None = None

    @classmethod
    def of(cls, board: Board, budget: Budget, runtime: Runtime) -> Target:
        """With the model of times there is, if the budget bounds the time.

        Raises:
            RequestError: it does, and there is none.
        """
        bounded = budget.latency_ms is not None
        return cls(board, budget, runtime, require_latency_model(board, runtime) if bounded else None)

    def times(self, tell: Callable[[LatencyModel], Sequence[float] | NDArray[np.float64]]) -> Times | None:
        """The milliseconds [n] that `tell` makes of the model; None where time is not limited."""
        if self.latency is None or self.budget.latency_ms is None:
            return None
        return Times(np.asarray(tell(self.latency)), self.budget.latency_ms)


class DesignSpace(Protocol[ChoiceT]):
    """A space at one resolution, and perhaps elastic lower ones."""

    @property
    def name(self) -> str:
        """What tells it from others of its family."""
        ...

    @property
    def resolution(self) -> int:
        """Its own resolution, the largest."""
        ...

    def sample(self, rng: np.random.Generator) -> ChoiceT:
        """A network drawn at random."""
        ...

    def mutate(self, choice: ChoiceT, rng: np.random.Generator, probability: float) -> ChoiceT:
        """`choice` with every gene redrawn with `probability`."""
        ...

    def cross(self, mother: ChoiceT, father: ChoiceT, rng: np.random.Generator) -> ChoiceT:
        """A network that takes each gene from either parent."""
        ...

    def smallest(self) -> ChoiceT:
        """What a budget must at least hold."""
        ...

    def largest(self) -> ChoiceT:
        """The network that computes and weighs most, or nearly."""
        ...

    @property
    def genes(self) -> Mapping[str, Gene]:
        """What a choice consists of, by its field."""
        ...

    @property
    def dimensions(self) -> Mapping[str, Dimension]:
        """The genes that size the network, and what they size."""
        ...

    def encode(self, choice: ChoiceT) -> NDArray[np.float32]:
        """The genes of `choice` as numbers from 0 to 1: [n]."""
        ...

    def decode(self, codes: Sequence[float] | NDArray[np.float32]) -> ChoiceT:
        """The choice nearest to `codes` [n]; inverse of `encode`. It may break a bound (see `admits`)."""
        ...

    def admits(self, choice: ChoiceT) -> bool:
        """Whether `choice` is within the bounds that tie the genes of the space."""
        ...

    def genotype(self, choice: ChoiceT) -> Genotype:
        """The network meant."""
        ...


class Family(Protocol[SpaceT]):
    """Design spaces of one kind."""

    @property
    def name(self) -> str:
        """What the command line calls it."""
        ...

    @property
    def choice_type(self) -> type[Any]:
        """The dataclass of a space's choices, to restore them from plain data."""
        ...

    @property
    def scoring(self) -> Scoring:
        """How stage 2 scores its networks."""
        ...

    @property
    def samples(self) -> int:
        """Networks that stage 1 draws from a space unless told otherwise."""
        ...

    @property
    def together(self) -> int:
        """Spaces measured best in one call of `measure`."""
        ...

    def spaces(self, pictures: Pictures) -> list[SpaceT]:
        """The grid that stage 1 chooses from; names are unique."""
        ...

    def whole(self, pictures: Pictures, resolution: int) -> SpaceT:
        """All that the family has at `resolution`, as one space: what a study compares.

        Raises:
            RequestError: its networks are not one space; the message says how to name one.
        """
        ...

    def with_elastic(self, space: SpaceT, pictures: Pictures, count: int) -> SpaceT:
        """`space` with up to `count` resolutions of the grid next below its own besides."""
        ...

    def measure(
        self, spaces: Sequence[SpaceT], target: Target, samples: int, rngs: Sequence[np.random.Generator]
    ) -> list[SpaceStats]:
        """Share, MACs and least needs of `samples` networks of each space, and of its smallest one."""
        ...
