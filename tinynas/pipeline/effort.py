"""How much work a search does: three presets, every number of which can be overridden."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from types import MappingProxyType
from typing import Any

from tinynas.errors import RequestError


@dataclass(frozen=True, slots=True)
class Effort:
    """Numbers of stage 1, training, evolution and fine-tuning.

    Epochs are passes over the training pictures; `max_steps` bounds each training phase on large data
    sets (0: no cap). Evolution's numbers are those of MCUNet, section 3.2.
    """

    samples: int = 1000
    largest_epochs: float = 10
    supernet_epochs: float = 20
    finetune_epochs: float = 20
    max_steps: int = 0
    batch_size: int = 128
    subnets_per_batch: int = 4
    largest_rate: float = 0.1
    supernet_rate: float = 0.05
    finetune_rate: float = 0.05
    population: int = 100
    iterations: int = 30
    parents: int = 20
    crossover: int = 50
    mutation: int = 50
    mutation_probability: float = 0.1
    calibration_batches: int = 20
    calibration_batch_size: int = 64
    held_out: float = 0.1
    held_out_most: int = 5000

    @property
    def evaluations(self) -> int:
        """Networks scored by evolution, and by random search given the same budget."""
        return self.population + self.iterations * (self.crossover + self.mutation)

    def steps(self, epochs: float, pictures: int) -> int:
        """Training steps of `epochs` over `pictures`, within the cap."""
        batch = min(self.batch_size, pictures)
        wanted = max(1, round(epochs * (pictures // batch)))
        return min(wanted, self.max_steps) if self.max_steps else wanted


#: beyond any sensible count, rate or share
_MOST = 10_000_000

EFFORTS: Mapping[str, Effort] = MappingProxyType(
    {
        "quick": Effort(
            largest_epochs=4,
            supernet_epochs=2,
            finetune_epochs=8,
            max_steps=400,
            batch_size=32,
            largest_rate=0.05,
            supernet_rate=0.03,
            finetune_rate=0.03,
            population=20,
            iterations=5,
            parents=6,
            crossover=6,
            mutation=6,
            calibration_batches=4,
            held_out=0.2,
            held_out_most=1000,
        ),
        "standard": Effort(
            largest_epochs=6,
            supernet_epochs=6,
            finetune_epochs=20,
            population=100,
            iterations=10,
            calibration_batches=10,
            held_out_most=2000,
        ),
        "paper": Effort(largest_epochs=60, supernet_epochs=120, finetune_epochs=100),
    }
)


def make_effort(preset: str, overrides: Mapping[str, Any]) -> Effort:
    """The `preset` with the given fields replaced; None means not given.

    Raises:
        RequestError: an unknown preset, or a number out of range.
    """
    if preset not in EFFORTS:
        raise RequestError(f"'{preset}' is not an effort: choose {', '.join(EFFORTS)}")
    effort = replace(EFFORTS[preset], **{k: v for k, v in overrides.items() if v is not None})
    for field in fields(effort):
        value = getattr(effort, field.name)
        if not math.isfinite(value) or value > _MOST:
            raise RequestError(
                f"--{field.name.replace('_', '-')} is {value:g}: give a number below {_MOST:,}"
            )
        least = 0 if field.name in {"max_steps", "iterations", "crossover", "mutation"} else 1e-9
        if value < least:
            raise RequestError(f"--{field.name.replace('_', '-')} is {value:g}: it must be positive")
    if not effort.held_out < 1:
        raise RequestError(
            f"--held-out is {effort.held_out:g}: it is a share of the training pictures, below 1"
        )
    return effort


def effort_dict(effort: Effort) -> dict[str, Any]:
    """The numbers by name, as a run's request keeps them."""
    return asdict(effort)
