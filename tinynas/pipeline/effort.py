"""How much work a search does: three presets for each way of scoring, any number of which can be replaced."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from tinynas.errors import RequestError


@dataclass(frozen=True, slots=True)
class Effort:
    """Numbers of stage 1, training, evolution and fine-tuning.

    Epochs are passes over the training pictures; `max_steps` bounds each training phase on large data
    sets (0: no cap). Evolution's numbers are those of MCUNet, section 3.2. With shared weights the largest
    network and the supernet are trained; without them each network, for `trial_epochs` at most: half of a
    generation stops at each of `rungs` but the last, after half the training of the next.
    """

    samples: int = 1000
    largest_epochs: float = 10
    supernet_epochs: float = 20
    trial_epochs: float = 10
    rungs: int = 3
    finetune_epochs: float = 20
    max_steps: int = 0
    batch_size: int = 128
    subnets_per_batch: int = 4
    largest_rate: float = 0.1
    supernet_rate: float = 0.05
    trial_rate: float = 0.1
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
        """Networks tried by evolution, and by random search given the same budget."""
        return self.population + self.iterations * self.children

    @property
    def children(self) -> int:
        """Networks of a generation after the first."""
        return self.crossover + self.mutation

    def with_evaluations(self, evaluations: int) -> Effort:
        """The same with as few iterations as bring `evaluations`, and no more of a population than those."""
        population = min(self.population, evaluations)
        iterations = -(-(evaluations - population) // max(1, self.children))
        return replace(self, population=population, iterations=iterations)

    def steps(self, epochs: float, pictures: int) -> int:
        """Training steps of `epochs` over `pictures`, within the cap."""
        wanted = max(1, round(epochs * self.steps_per_epoch(pictures)))
        return min(wanted, self.max_steps) if self.max_steps else wanted

    def steps_per_epoch(self, pictures: int) -> int:
        """Batches that `pictures` make."""
        return pictures // min(self.batch_size, pictures)

    def trial_steps(self, pictures: int) -> tuple[int, ...]:
        """Training steps at each rung, rising; fewer rungs where a whole trial is of a few steps."""
        whole = self.steps(self.trial_epochs, pictures)
        return tuple(sorted({max(1, whole >> rung) for rung in range(min(self.rungs, whole.bit_length()))}))


#: beyond any sensible count, rate or share
_MOST = 10_000_000


@dataclass(frozen=True)
class Presets:
    """The efforts of one way of scoring, and the `foreign` numbers that it has no use for."""

    scoring: str
    efforts: Mapping[str, Effort]
    foreign: frozenset[str]

    def make(self, name: str, overrides: Mapping[str, Any]) -> Effort:
        """The preset `name` with the given fields replaced; None means not given.

        Raises:
            RequestError: an unknown preset, a number out of range, or one there is no use for.
        """
        if name not in self.efforts:
            raise RequestError(f"'{name}' is not an effort: choose {', '.join(self.efforts)}")
        given = {field: value for field, value in overrides.items() if value is not None}
        if unused := sorted(self.foreign & given.keys()):
            raise RequestError(
                f"{_option(unused[0])} has no meaning for a family scored by {self.scoring}: leave it out"
            )
        effort = replace(self.efforts[name], **given)
        _require_sensible(effort)
        return effort

    def plain(self, effort: Effort) -> dict[str, Any]:
        """The numbers by name that decide a search's result, as its request keeps them."""
        return {name: value for name, value in asdict(effort).items() if name not in self.foreign}


#: numbers of training a supernet, of fine-tuning a winner, of any training, of training networks one by one
SUPERNET = frozenset(
    {"largest_epochs", "supernet_epochs", "largest_rate", "supernet_rate", "subnets_per_batch"}
)
FINE_TUNING = frozenset({"finetune_epochs", "finetune_rate"})
ANY_TRAINING = frozenset({"batch_size", "max_steps"})
_TRIALS = frozenset({"trial_epochs", "trial_rate", "rungs"})

#: what an effort means however networks are scored
_QUICK = Effort(
    max_steps=400,
    batch_size=32,
    finetune_rate=0.03,
    calibration_batches=4,
    held_out=0.2,
    held_out_most=1000,
)
_STANDARD = Effort(calibration_batches=10, held_out_most=2000)
_PAPER = Effort(finetune_epochs=100)

SHARED_WEIGHTS = Presets(
    "shared weights",
    {
        "quick": replace(
            _QUICK,
            largest_epochs=4,
            supernet_epochs=2,
            finetune_epochs=8,
            largest_rate=0.05,
            supernet_rate=0.03,
            population=20,
            iterations=5,
            parents=6,
            crossover=6,
            mutation=6,
        ),
        "standard": replace(_STANDARD, largest_epochs=6, supernet_epochs=6, iterations=10),
        "paper": replace(_PAPER, largest_epochs=60, supernet_epochs=120),
    },
    foreign=_TRIALS,
)

#: 500 networks of 10 epochs each are what RegNet's authors judge a space by (section 3.1)
SHORT_TRAINING = Presets(
    "short training",
    {
        "quick": replace(
            _QUICK,
            samples=40,
            trial_epochs=3,
            finetune_epochs=6,
            trial_rate=0.05,
            population=8,
            iterations=2,
            parents=4,
            crossover=3,
            mutation=3,
            mutation_probability=0.3,
        ),
        "standard": replace(
            _STANDARD,
            samples=100,
            trial_epochs=4,
            population=32,
            iterations=6,
            parents=8,
            crossover=8,
            mutation=8,
            mutation_probability=0.3,
        ),
        "paper": replace(
            _PAPER, samples=100, iterations=8, crossover=25, mutation=25, mutation_probability=0.3
        ),
    },
    foreign=SUPERNET,
)


def _require_sensible(effort: Effort) -> None:
    for field in fields(effort):
        value = getattr(effort, field.name)
        if not math.isfinite(value) or value > _MOST:
            raise RequestError(f"{_option(field.name)} is {value:g}: give a number below {_MOST:,}")
        least = 0 if field.name in {"max_steps", "iterations", "crossover", "mutation"} else 1e-9
        if value < least:
            raise RequestError(f"{_option(field.name)} is {value:g}: it must be positive")
    if not effort.held_out < 1:
        raise RequestError(
            f"--held-out is {effort.held_out:g}: it is a share of the training pictures, below 1"
        )


def _option(field: str) -> str:
    return "--" + field.replace("_", "-")
