"""What a stretch of training is: how many steps, at which rate, of which sub-networks. No Keras here."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np

from tinynas.spaces.mobile import Choice, MobileSpace


class Subnet(Protocol):
    """What training must know of a network: the resolution of its pictures."""

    @property
    def resolution(self) -> int:
        """Height = width in pixels."""


_Subnet = TypeVar("_Subnet", bound=Subnet)


class Sampler(Protocol[_Subnet]):
    """Which sub-networks a step trains."""

    def __call__(self, rng: np.random.Generator) -> list[_Subnet]:
        """The sub-networks of one step; all of one resolution."""


@dataclass(frozen=True, slots=True)
class FixedSampler(Generic[_Subnet]):
    """Always the one network: the largest at first, the winner at the end, or one trained alone."""

    choice: _Subnet

    def __call__(self, rng: np.random.Generator) -> list[_Subnet]:
        """The network."""
        return [self.choice]


@dataclass(frozen=True, slots=True)
class RandomSampler:
    """`count` random sub-networks a batch (4 in section 3.2 of the paper), of one random resolution.

    With `satisfies`, sub-networks outside the limits are redrawn a few times: they would never be chosen,
    and training time is scarce.
    """

    space: MobileSpace
    count: int = 4
    satisfies: Callable[[Choice], bool] | None = None
    tries: int = 50

    def __call__(self, rng: np.random.Generator) -> list[Choice]:
        """`count` sub-networks of the space."""
        resolution = int(rng.choice(self.space.resolutions))
        return [self._draw(rng, resolution) for _ in range(self.count)]

    def _draw(self, rng: np.random.Generator, resolution: int) -> Choice:
        for _ in range(self.tries):
            drawn = self.space.sample(rng)
            choice = Choice(resolution, drawn.depths, drawn.kernels, drawn.expands)
            if self.satisfies is None or self.satisfies(choice):
                break
        return choice


@dataclass(frozen=True, slots=True)
class Phase(Generic[_Subnet]):
    """One stretch of training: `steps` of SGD with Nesterov momentum 0.9 on a one-cycle schedule.

    The learning rate rises linearly over the first `warmup` share to `peak_rate`, then falls as a cosine.
    `decay` is decoupled weight decay, on kernels only. `index` keeps the random streams of phases apart.
    """

    name: str
    index: int
    steps: int
    peak_rate: float
    sampler: Sampler[_Subnet]
    warmup: float = 0.2
    decay: float = 2e-3
    smoothing: float = 0.1

    def rate(self, step: int) -> float:
        """The learning rate of a step."""
        rise = max(1, round(self.warmup * self.steps))
        if step < rise:
            return self.peak_rate * (0.1 + 0.9 * step / rise)
        return 0.5 * self.peak_rate * (1 + math.cos(math.pi * (step - rise) / max(1, self.steps - rise)))


@dataclass(frozen=True, slots=True)
class Progress:
    """What an observer is told after a step: how its batch went, the mean of all networks trained on it.

    `epoch` is passes over the pictures so far, whole at the end of one.
    """

    phase: str
    step: int
    steps: int
    epoch: float
    loss: float
    accuracy: float
