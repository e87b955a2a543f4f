"""The networks of a study: drawn from each space until they fit the board and the band of MACs."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, is_dataclass
from typing import Any, Protocol, TypeVar

import numpy as np

from tinynas.cost import conv_activations, macs
from tinynas.errors import RequestError
from tinynas.networks import Genotype, build_graph, trainable_params
from tinynas.search.limits import Limits
from tinynas.study.record import Sampled
from tinynas.units import format_count

#: draws for one network before its space is given up
DRAWS = 5000

_Choice = TypeVar("_Choice")


class Samplable(Protocol[_Choice]):
    """A design space, as far as a study asks."""

    def sample(self, rng: np.random.Generator) -> _Choice:
        """A network drawn at random."""

    def genotype(self, choice: _Choice) -> Genotype:
        """The network meant."""


@dataclass(frozen=True, slots=True)
class Band:
    """Which multiply-accumulates a network of the study may have, both ends included."""

    low: int
    high: int

    def __contains__(self, count: int) -> bool:
        return self.low <= count <= self.high

    def __str__(self) -> str:
        return f"{format_count(self.low)} to {format_count(self.high)} MACs"


@dataclass(frozen=True, slots=True)
class Complexity:
    """What a study bounds beside memory (RegNet, section 4, bounds all three); None is no bound.

    `params` and `activations` are the most; activations are elements of all convolutions' outputs.
    """

    macs: Band | None = None
    params: int | None = None
    activations: int | None = None

    def admits(self, genotype: Genotype) -> bool:
        """Whether `genotype` is within all bounds."""
        if self.params is not None and trainable_params(genotype) > self.params:
            return False
        if self.macs is None and self.activations is None:
            return True
        graph = build_graph(genotype)
        if self.macs is not None and macs(graph) not in self.macs:
            return False
        return self.activations is None or conv_activations(graph) <= self.activations

    @property
    def options(self) -> str:
        """The options of the command line that set the bounds there are."""
        bounds = {"--macs": self.macs, "--params": self.params, "--activations": self.activations}
        return ", ".join(option for option, bound in bounds.items() if bound is not None)

    def __str__(self) -> str:
        bounds = [str(self.macs)] if self.macs is not None else []
        for most, what in ((self.params, "parameters"), (self.activations, "activations")):
            if most is not None:
                bounds.append(f"at most {format_count(most)} {what}")
        return " and ".join(bounds)


UNBOUNDED = Complexity()


def sample_networks(
    name: str,
    space: Samplable[Any],
    limits: Limits,
    count: int,
    seed: int,
    complexity: Complexity = UNBOUNDED,
) -> list[Sampled]:
    """`count` different networks of `space` that satisfy `limits` and are within `complexity`.

    Network k depends on (seed, name, k) and on not being one of those before it.

    Raises:
        RequestError: too few networks can be found; the message says what stood in the way.
    """
    found: dict[str, Sampled] = {}
    for index in range(count):
        rng = np.random.default_rng((seed, zlib.crc32(name.encode()), index))
        sampled = next(
            filter(None, (_draw(space, limits, complexity, rng, found) for _ in range(DRAWS))), None
        )
        if sampled is None:
            raise _nothing_fits(name, limits, count, len(found), complexity)
        choice, genotype = sampled
        cost, graph = limits.footprint(genotype), build_graph(genotype)
        found[str(genotype)] = Sampled(
            name, index, str(genotype), _plain(choice), cost.macs, cost.params, conv_activations(graph),
            cost.sram_bytes, cost.flash_bytes,
        )  # fmt: skip
    return list(found.values())


def _draw(
    space: Samplable[Any],
    limits: Limits,
    complexity: Complexity,
    rng: np.random.Generator,
    taken: Mapping[str, Sampled],
) -> tuple[Any, Genotype] | None:
    choice = space.sample(rng)
    genotype = space.genotype(choice)
    if str(genotype) in taken or not complexity.admits(genotype):
        return None
    return (choice, genotype) if limits.satisfied_by(genotype) else None


def _nothing_fits(name: str, limits: Limits, wanted: int, found: int, complexity: Complexity) -> RequestError:
    if found:
        return RequestError(
            f"{name} has no more than {found} networks that fit in {DRAWS:,} draws each, and {wanted} were "
            "asked for: ask for fewer with --networks, or allow more memory or a wider --macs"
        )
    if complexity != UNBOUNDED and not limits.seen:
        return RequestError(
            f"none of {DRAWS:,} networks drawn from {name} has {complexity}: widen {complexity.options}, or "
            "change --resolution"
        )
    return limits.no_room()


def _plain(choice: Any) -> dict[str, Any]:
    """A choice as the table holds it."""
    if is_dataclass(choice) and not isinstance(choice, type):
        return asdict(choice)
    raise TypeError(f"a choice must be a dataclass, not {type(choice).__name__}")
