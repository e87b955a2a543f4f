"""The networks of a study: drawn from each space until they fit the board and the band of MACs."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, is_dataclass
from typing import Any, Protocol, TypeVar

import numpy as np

from tinynas.cost import conv_activations, macs
from tinynas.errors import RequestError
from tinynas.networks import Genotype, build_graph
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


def sample_networks(
    name: str, space: Samplable[Any], limits: Limits, count: int, seed: int, band: Band | None = None
) -> list[Sampled]:
    """`count` different networks of `space` that satisfy `limits` and lie in `band`.

    Network k depends on (seed, name, k) and on not being one of those before it.

    Raises:
        RequestError: too few networks can be found; the message says what stood in the way.
    """
    found: dict[str, Sampled] = {}
    for index in range(count):
        rng = np.random.default_rng((seed, zlib.crc32(name.encode()), index))
        sampled = next(filter(None, (_draw(space, limits, band, rng, found) for _ in range(DRAWS))), None)
        if sampled is None:
            raise _nothing_fits(name, limits, count, len(found), band)
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
    band: Band | None,
    rng: np.random.Generator,
    taken: Mapping[str, Sampled],
) -> tuple[Any, Genotype] | None:
    choice = space.sample(rng)
    genotype = space.genotype(choice)
    if str(genotype) in taken or (band is not None and macs(build_graph(genotype)) not in band):
        return None
    return (choice, genotype) if limits.satisfied_by(genotype) else None


def _nothing_fits(name: str, limits: Limits, wanted: int, found: int, band: Band | None) -> RequestError:
    if found:
        return RequestError(
            f"{name} has no more than {found} networks that fit in {DRAWS:,} draws each, and {wanted} were "
            "asked for: ask for fewer with --networks, or allow more memory or a wider --macs"
        )
    if band is not None and not limits.seen:
        return RequestError(
            f"none of {DRAWS:,} networks drawn from {name} has {band}: widen --macs, or change --resolution"
        )
    return limits.no_room()


def _plain(choice: Any) -> dict[str, Any]:
    """A choice as the table holds it."""
    if is_dataclass(choice) and not isinstance(choice, type):
        return asdict(choice)
    raise TypeError(f"a choice must be a dataclass, not {type(choice).__name__}")
