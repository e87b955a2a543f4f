"""The mobile design space of MCUNet (arXiv 2007.10319, section 3): MBn blocks with elastic genes.

A space is one width multiplier at one resolution. Its networks are a stem, one plain separable block and
six stages of inverted bottlenecks. For pictures too small for the published strides, strides are dropped
until the last feature map is at least 4 x 4, and stages may have a single block.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tinynas.networks import Conv, Genotype, MBConv, make_divisible
from tinynas.spaces.genes import Dimension, Each, Gene, Options, Unlike, decode_genes, encode_genes
from tinynas.spaces.pictures import SMALLEST_MAP, fitting_strides, is_small, resolution_grid

#: width at multiplier 1 of the stem, the first block and the six stages
BASE_WIDTHS = (32, 16, 24, 40, 80, 96, 192, 320)
#: stride of the stem, the first block and the six stages
BASE_STRIDES = (2, 1, 2, 2, 2, 1, 2, 1)
#: most blocks a stage can have; the last stage always has exactly one
MAX_DEPTHS = (4, 4, 4, 4, 4, 1)
#: blocks a stage can have: the paper's; small pictures, on the smallest budgets, may do with one
PAPER_DEPTHS, SMALL_DEPTHS = (2, 3, 4), (1, 2, 3, 4)


@dataclass(frozen=True, slots=True)
class Choice:
    """One network of a `MobileSpace`: a gene for everything elastic, used or not.

    `kernels` and `expands` have one entry a slot, stage after stage, `MAX_DEPTHS` slots a stage; those
    of blocks beyond a stage's depth are dormant.
    """

    resolution: int
    depths: tuple[int, ...]
    kernels: tuple[int, ...]
    expands: tuple[int, ...]


@dataclass(frozen=True)
class MobileSpace:
    """All networks of one width multiplier; `resolutions[0]` is the space's own, others are elastic.

    `strides` belong to stem, first block and six stages.
    """

    width: float
    resolutions: tuple[int, ...]
    in_channels: int
    classes: int
    strides: tuple[int, ...] = BASE_STRIDES
    kernels: tuple[int, ...] = (3, 5, 7)
    expands: tuple[int, ...] = (3, 4, 6)
    depths: tuple[int, ...] = PAPER_DEPTHS

    @property
    def resolution(self) -> int:
        """The resolution stage 1 chose: the largest of the space."""
        return self.resolutions[0]

    @property
    def name(self) -> str:
        """``w0.5-r144``, as the paper writes it."""
        return f"w{self.width:g}-r{self.resolution}"

    @property
    def channels(self) -> tuple[int, ...]:
        """Output channels of the stem, the first block and the six stages."""
        return tuple(make_divisible(base * self.width) for base in BASE_WIDTHS)

    def sample(self, rng: np.random.Generator) -> Choice:
        """A network whose every gene is drawn uniformly."""
        slots = sum(MAX_DEPTHS)
        return Choice(
            resolution=_draw(rng, self.resolutions, 1)[0],
            depths=(*_draw(rng, self.depths, len(MAX_DEPTHS) - 1), 1),
            kernels=_draw(rng, self.kernels, slots),
            expands=_draw(rng, self.expands, slots),
        )

    def largest(self) -> Choice:
        """The network with every gene at its largest: trained first, and a bound on the others."""
        return self._uniform(max)

    def smallest(self) -> Choice:
        """The network with every gene at its smallest: what a budget must at least hold."""
        return self._uniform(min)

    def mutate(self, choice: Choice, rng: np.random.Generator, probability: float) -> Choice:
        """`choice` with every gene redrawn with `probability` (section 3.2 of the paper: 0.1)."""
        fresh = self.sample(rng)
        return self._mix(fresh, choice, rng, probability)

    def cross(self, mother: Choice, father: Choice, rng: np.random.Generator) -> Choice:
        """A network that takes each gene from either parent with equal probability."""
        return self._mix(mother, father, rng, 0.5)

    @cached_property
    def genes(self) -> Mapping[str, Gene]:
        """The genes by the choice's field; the last stage's depth is no choice."""
        slots = sum(MAX_DEPTHS)
        return {
            "resolution": Options(self.resolutions),
            "depths": Unlike((Options(self.depths),) * (len(MAX_DEPTHS) - 1) + (Options((1,)),)),
            "kernels": Each(Options(self.kernels), slots),
            "expands": Each(Options(self.expands), slots),
        }

    @property
    def dimensions(self) -> Mapping[str, Dimension]:
        """Width is that inside the blocks: the one outside is the same for the whole space."""
        return {
            "resolution": Dimension.RESOLUTION,
            "depths": Dimension.DEPTH,
            "expands": Dimension.WIDTH,
        }

    def admits(self, choice: Choice) -> bool:
        """Always: no bound ties the genes."""
        return True

    def encode(self, choice: Choice) -> NDArray[np.float32]:
        """The genes of `choice`, dormant ones too, as numbers from 0 to 1: [n]."""
        return encode_genes(self.genes, choice)

    def decode(self, codes: Sequence[float] | NDArray[np.float32]) -> Choice:
        """The choice nearest to `codes` [n]; inverse of `encode`."""
        return Choice(**decode_genes(self.genes, codes))

    def active_slots(self, choice: Choice) -> list[bool]:
        """Which of the slots hold a block of `choice`."""
        return [j < depth for depth, most in zip(choice.depths, MAX_DEPTHS, strict=True) for j in range(most)]

    def genotype(self, choice: Choice) -> Genotype:
        """`choice` in the block language: what is built, costed, exported and cached by."""
        stem, blocks = self.blocks(choice)
        return Genotype(choice.resolution, self.in_channels, (stem, *blocks), self.classes)

    def blocks(self, choice: Choice) -> tuple[Conv, list[MBConv]]:
        """The stem of `choice`, and its inverted bottlenecks: the plain one first."""
        stem, first, *stages = zip(self.channels, self.strides, strict=True)
        blocks = [MBConv(3, first[1], first[0], expand=1, skip=False)]
        active = iter(zip(self.active_slots(choice), choice.kernels, choice.expands, strict=True))
        for (width, stride), most in zip(stages, MAX_DEPTHS, strict=True):
            for j in range(most):
                used, kernel, expand = next(active)
                if used:
                    blocks.append(MBConv(kernel, stride if j == 0 else 1, width, expand))
        return Conv(3, stem[1], stem[0]), blocks

    def _uniform(self, pick: Callable[[Sequence[int]], int]) -> Choice:
        """The network in which `pick` chose every gene."""
        slots = sum(MAX_DEPTHS)
        return Choice(
            resolution=pick(self.resolutions),
            depths=((pick(self.depths),) * (len(MAX_DEPTHS) - 1)) + (1,),
            kernels=(pick(self.kernels),) * slots,
            expands=(pick(self.expands),) * slots,
        )

    def _mix(self, a: Choice, b: Choice, rng: np.random.Generator, share: float) -> Choice:
        """Each gene from `a` with probability `share`, else from `b`."""

        def mixed(x: Sequence[int], y: Sequence[int]) -> tuple[int, ...]:
            taken = rng.random(len(x)) < share
            return tuple(p if t else q for p, q, t in zip(x, y, taken, strict=True))

        return Choice(
            resolution=mixed([a.resolution], [b.resolution])[0],
            depths=mixed(a.depths, b.depths),
            kernels=mixed(a.kernels, b.kernels),
            expands=mixed(a.expands, b.expands),
        )


def width_grid() -> tuple[float, ...]:
    """The paper's nine width multipliers, 0.2 to 1.0."""
    return tuple(tenths / 10 for tenths in range(2, 11))


def strides_for(resolution: int, native: int) -> tuple[int, ...]:
    """Strides of stem, first block and stages: the published ones, for small pictures fewer of them."""
    return fitting_strides(BASE_STRIDES, resolution) if is_small(native) else BASE_STRIDES


def elastic_resolutions(resolution: int, native: int, count: int) -> tuple[int, ...]:
    """Up to `count` resolutions of the grid next below `resolution`, to be searched besides it.

    Strides stay those of `resolution`, so small pictures keep only those whose last map is still 4 x 4.
    """
    least = SMALLEST_MAP if is_small(native) else 1
    total = math.prod(strides_for(resolution, native))
    lower = [r for r in resolution_grid(native) if r < resolution and -(-r // total) >= least]
    return tuple(sorted(lower, reverse=True)[:count])


def make_space(
    width: float, resolution: int, native: int, in_channels: int, classes: int, elastic: Sequence[int] = ()
) -> MobileSpace:
    """The space of `width` at `resolution` for pictures of `native` pixels.

    `elastic` resolutions are searched besides (see `elastic_resolutions`).
    """
    resolutions = (resolution, *sorted(set(elastic) - {resolution}, reverse=True))
    strides = strides_for(resolution, native)
    depths = SMALL_DEPTHS if is_small(native) else PAPER_DEPTHS
    return MobileSpace(width, resolutions, in_channels, classes, strides, depths=depths)


def _draw(rng: np.random.Generator, options: Sequence[int], count: int) -> tuple[int, ...]:
    return tuple(int(options[i]) for i in rng.integers(len(options), size=count))
