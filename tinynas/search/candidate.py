"""A scored network, and its line in the run's journal."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, is_dataclass
from enum import StrEnum
from typing import Any, Generic, TypeAlias, TypeVar

from tinynas.search.limits import Footprint
from tinynas.search.lines import typed_field
from tinynas.search.space_protocol import ChoiceT

#: a choice as a journal holds it
Genes: TypeAlias = Mapping[str, Any]

_T = TypeVar("_T")


class Origin(StrEnum):
    """How a network came to be proposed."""

    SEED = "seed"
    RANDOM = "random"
    MUTATION = "mutation"
    CROSSOVER = "crossover"
    #: a place on a grid
    GRID = "grid"
    #: drawn from a model of what was scored
    MODEL = "model"


@dataclass(frozen=True, slots=True)
class Candidate(Generic[ChoiceT]):
    """A network that satisfies the limits and was scored.

    `genotype` is the text that identifies it, `choice` what its space made it from, `accuracy` (0..1) is on
    pictures held out of training, `generation` counts from 0. `trained_steps` of its own came before the
    score: none with shared weights. `reward` is what it is worth if that is not its accuracy (see
    `tinynas.search.rating`); a journal has none, and the latency of the model alone.
    """

    genotype: str
    choice: ChoiceT
    accuracy: float
    footprint: Footprint
    generation: int
    origin: Origin
    trained_steps: int = 0
    reward: float | None = None

    @property
    def merit(self) -> float:
        """What the search maximises: the reward where there is one, else the accuracy."""
        return self.accuracy if self.reward is None else self.reward

    @property
    def fits(self) -> bool:
        """Whether it is within the limits as they are known now."""
        return self.merit >= 0

    @property
    def key(self) -> tuple[str, int]:
        """What tells this score from all others of the run."""
        return self.genotype, self.trained_steps


def candidate_line(candidate: Candidate[Any]) -> str:
    """`candidate` as one line of JSON without the line's end; numbers survive the round trip exactly."""
    choice, footprint = candidate.choice, asdict(candidate.footprint)
    if candidate.footprint.latency_ms is None:
        del footprint["latency_ms"]
    return json.dumps(
        {
            "genotype": candidate.genotype,
            "accuracy": candidate.accuracy,
            **footprint,
            "generation": candidate.generation,
            "origin": candidate.origin.value,
            "trained_steps": candidate.trained_steps,
            "choice": asdict(choice) if is_dataclass(choice) and not isinstance(choice, type) else choice,
        },
        allow_nan=False,
    )


def parse_candidate(line: str) -> Candidate[Genes]:
    """The candidate that `line` holds, its choice still plain data (see `restore_choice`).

    Raises:
        ValueError: the line is not what `candidate_line` writes; the message says what is amiss.
    """
    data = json.loads(line)
    if not isinstance(data, dict):
        raise ValueError("it is not an object")
    accuracy = typed_field(data, "accuracy", (int, float))
    if not is_accuracy(accuracy):
        raise ValueError("its 'accuracy' is not within 0 and 1")
    return Candidate(
        genotype=typed_field(data, "genotype", str),
        choice=typed_field(data, "choice", dict),
        accuracy=float(accuracy),
        footprint=Footprint(
            macs=typed_field(data, "macs", int),
            params=typed_field(data, "params", int),
            sram_bytes=typed_field(data, "sram_bytes", int),
            flash_bytes=typed_field(data, "flash_bytes", int),
            latency_ms=_optional_number(data, "latency_ms"),
        ),
        generation=typed_field(data, "generation", int),
        origin=Origin(typed_field(data, "origin", str)),
        # journals from before networks were trained on their own have none
        trained_steps=typed_field({"trained_steps": 0} | data, "trained_steps", int),
    )


def latest(candidates: Iterable[Candidate[_T]]) -> list[Candidate[_T]]:
    """Each network once, as it was scored last, in the order of their first scores."""
    return list({candidate.genotype: candidate for candidate in candidates}.values())


def restore_choice(choice_type: type[_T], genes: Genes) -> _T:
    """The `choice_type` that was written as `genes`: JSON's lists become tuples again."""
    return choice_type(**{name: _as_tuple(gene) for name, gene in genes.items()})


def is_accuracy(value: float) -> bool:
    """Whether `value` is a share of pictures: a number from 0 to 1."""
    return math.isfinite(value) and 0 <= value <= 1


def _optional_number(data: Mapping[str, Any], name: str) -> float | None:
    return float(typed_field(data, name, (int, float))) if name in data else None


def _as_tuple(gene: Any) -> Any:
    return tuple(map(_as_tuple, gene)) if isinstance(gene, list) else gene
