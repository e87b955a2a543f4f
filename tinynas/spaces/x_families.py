"""Families of X blocks, measured network by network: by their blocks, or each Graph by the runtime.

Under our own engine SRAM is what the best groups of operators need, and flash leaves out the schedule, as for
the mobile family (see `tinynas.spaces.optimiser`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, TypeAlias

import numpy as np

from tinynas.cost.compute import macs
from tinynas.cost.counts import count
from tinynas.cost.estimates import MemoryRule
from tinynas.networks import Genotype, build_graph
from tinynas.networks.regnet import SE_RATIO
from tinynas.spaces.anynet import RULES, AnyNetChoice, AnyNetRule, AnyNetSpace
from tinynas.spaces.estimates import estimates
from tinynas.spaces.family import Scoring, Target
from tinynas.spaces.garbage import no_collection
from tinynas.spaces.needs import Needs, block_needs
from tinynas.spaces.pictures import Pictures, resolution_grid
from tinynas.spaces.regnet import OCTAVES, RegNetChoice, RegNetSpace
from tinynas.spaces.statistics import SpaceStats, Times, summarise
from tinynas.spaces.xspace import STEM, XSpace

#: a function of the pictures that lists the spaces of a family
_Grid: TypeAlias = "Callable[[str, Pictures], list[XSpace[Any]]]"
#: a function of the pictures and a resolution that makes the widest space there
_One: TypeAlias = "Callable[[str, Pictures, int], XSpace[Any]]"


@dataclass(frozen=True, slots=True)
class XFamily:
    """Spaces of X blocks; `grid` lists them, `one` has all their networks of one resolution.

    A tenth of the mobile family's samples take as long as all of those: some seconds. Widths differ too much
    to share weights.
    """

    name: str
    choice_type: type[Any]
    grid: _Grid
    one: _One
    scoring: Scoring = Scoring.SHORT_TRAINING
    samples: int = 100
    together: int = 6

    def spaces(self, pictures: Pictures) -> list[XSpace[Any]]:
        """The grid for `pictures`."""
        return self.grid(self.name, pictures)

    def whole(self, pictures: Pictures, resolution: int) -> XSpace[Any]:
        """Every network of the family at `resolution`."""
        return self.one(self.name, pictures, resolution)

    def with_elastic(self, space: XSpace[Any], pictures: Pictures, count: int) -> XSpace[Any]:
        """`space` with lower resolutions besides."""
        return space.with_elastic(count)

    @no_collection()
    def measure(
        self,
        spaces: Sequence[XSpace[Any]],
        target: Target,
        samples: int,
        rngs: Sequence[np.random.Generator],
    ) -> list[SpaceStats]:
        """Network by network, but for times, which are those of all networks together."""
        drawn = [
            [*(space.genotype(space.sample(rng)) for _ in range(samples)), space.genotype(space.smallest())]
            for space, rng in zip(spaces, rngs, strict=True)
        ]
        times = target.times(lambda model: estimates(model).milliseconds(chain(*drawn)))
        found = []
        for number, (space, networks) in enumerate(zip(spaces, drawn, strict=True)):
            own = slice(number * (samples + 1), (number + 1) * (samples + 1))
            of_space = None if times is None else replace(times, milliseconds=times.milliseconds[own])
            found.append(_summarise(space, networks, target, of_space))
        return found


def regnet_grid(se: float) -> _Grid:
    """Nine regimes, octaves of w0 and of wa, at every resolution; the stem is no wider than w0 must be."""

    def grid(name: str, pictures: Pictures) -> list[XSpace[Any]]:
        return [
            RegNetSpace(
                name,
                (resolution,),
                pictures,
                se,
                stem=min(STEM, initial),
                initial=(initial, 2 * initial),
                slope=(slope, 2 * slope),
            )
            for initial in OCTAVES
            for slope in OCTAVES
            for resolution in resolution_grid(pictures.native)
        ]

    return grid


def all_regnets(se: float) -> _One:
    """Every w0 and wa at one resolution."""
    return lambda name, pictures, resolution: RegNetSpace(name, (resolution,), pictures, se)


def all_anynets(rule: AnyNetRule) -> _One:
    """The space of `rule` at one resolution."""
    return lambda name, pictures, resolution: AnyNetSpace(name, (resolution,), pictures, rule=rule)


def anynet_grid(rule: AnyNetRule) -> _Grid:
    """One space at every resolution."""

    def grid(name: str, pictures: Pictures) -> list[XSpace[Any]]:
        return [
            AnyNetSpace(name, (resolution,), pictures, rule=rule)
            for resolution in resolution_grid(pictures.native)
        ]

    return grid


def x_families() -> list[XFamily]:
    """RegNetX and RegNetY, and AnyNetX A to E."""
    return [
        XFamily("regnetx", RegNetChoice, regnet_grid(0.0), all_regnets(0.0)),
        XFamily("regnety", RegNetChoice, regnet_grid(SE_RATIO), all_regnets(SE_RATIO)),
        *(
            XFamily(f"anynetx-{letter}", AnyNetChoice, anynet_grid(rule), all_anynets(rule))
            for letter, rule in RULES.items()
        ),
    ]


def network_needs(networks: Sequence[Genotype], target: Target, enough: int = 0) -> Needs:
    """MACs, bytes of SRAM and bytes of flash, as stage 1 counts them.

    Never more than the runtime itself says of a network, nor less but for what only a plan can tell; of
    SRAM perhaps more where that is no more than `enough`.
    """
    return _NEEDS[target.runtime.rule](networks, target, enough)


def _summarise(
    space: XSpace[Any], networks: Sequence[Genotype], target: Target, times: Times | None
) -> SpaceStats:
    """What is said of a space by `networks` of it, the last of them its smallest, and by their times."""
    needs = (
        network_needs(networks[:-1], target, target.budget.sram_bytes),
        network_needs(networks[-1:], target),
    )
    macs_, sram, flash = np.concatenate(needs, axis=1)
    return summarise(
        (space.name, space.resolution),
        macs_,
        sram <= target.budget.sram_bytes,
        flash <= target.budget.flash_bytes,
        (int(sram.min()), int(flash.min())),
        times,
    )


def _one_by_one(networks: Sequence[Genotype], target: Target, enough: int) -> Needs:
    runtime, board, found = target.runtime, target.board, list[tuple[int, int, int]]()
    for graph in map(build_graph, networks):
        sram = runtime.sram(graph, board).total
        found.append((macs(graph), sram, int(runtime.flash_of(count(graph), board))))
    return Needs(*np.array(found, np.int64).T)


def _by_blocks(networks: Sequence[Genotype], target: Target, enough: int) -> Needs:
    return block_needs().of(networks, target.runtime, target.board, enough)


_NEEDS: Mapping[MemoryRule, Callable[[Sequence[Genotype], Target, int], Needs]] = {
    MemoryRule.GREEDY: _one_by_one,
    MemoryRule.LIVE_IN_PLACE: _one_by_one,
    MemoryRule.STREAMED: _by_blocks,
}
