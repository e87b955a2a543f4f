"""RegNet: networks whose widths are a quantised line (arXiv 2003.13678, section 3.3; pycls).

Block j of d would have the width u_j = w0 + wa * j. Every width is then the power of wm times w0 that is
nearest, s_j = round(log(u_j / w0) / log(wm)), in multiples of 8; blocks of one width are a stage. Six
numbers so give a whole network: d, w0, wa, wm, bottleneck b and group width g.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from tinynas.networks.blocks import Block, Conv, XBlock
from tinynas.networks.genotype import Genotype

Floats: TypeAlias = NDArray[np.float64]

#: RegNet's widths are multiples of this
WIDTH_STEP = 8
#: the squeeze ratio of RegNetY, of a block's input width
SE_RATIO = 0.25
_KERNEL = 3
#: networks whose stages are kept: a space asks for the same ones at every resolution
_REMEMBERED = 8192


@dataclass(frozen=True, slots=True)
class Stage:
    """Blocks of one width: how many, how wide, with which bottleneck b and group width g."""

    depth: int
    width: int
    bottleneck: int
    group_width: int

    @property
    def weights(self) -> int:
        """Weights of its three convolutions a block, as if all blocks were alike."""
        inner = self.width // self.bottleneck
        return self.depth * inner * (2 * self.width + _KERNEL**2 * self.group_width)


@dataclass(frozen=True, slots=True)
class RegNetParameters:
    """The six numbers of a RegNet: `depth` d, `initial` w0, `slope` wa, `ratio` wm, b and g."""

    depth: int
    initial: int
    slope: float
    ratio: float
    bottleneck: int
    group_width: int


def quantised_lines(initial: Floats, slope: Floats, ratio: Floats, depth: int) -> Floats:
    """Widths [n, depth] of the blocks of n networks by pycls's rule, before groups are made to fit: rising.

    The three are [n] each. Halves are rounded to even numbers, as NumPy does it.
    """
    line = initial[:, None] + slope[:, None] * np.arange(depth)
    steps = np.rint(np.log(line / initial[:, None]) / np.log(ratio)[:, None])
    widths: Floats = np.rint(initial[:, None] * ratio[:, None] ** steps / WIDTH_STEP) * WIDTH_STEP
    return widths


def quantised_widths(depth: int, initial: int, slope: float, ratio: float) -> tuple[int, ...]:
    """The width of each of `depth` blocks of one network."""
    (widths,) = quantised_lines(np.array([float(initial)]), np.array([slope]), np.array([ratio]), depth)
    return tuple(int(width) for width in widths)


def compatible(width: int, bottleneck: int, group_width: int) -> tuple[int, int]:
    """The nearest width, and the group width, that make whole groups (pycls's adjustment).

    A group is no wider than the bottleneck; the inner width is then a multiple of it.
    """
    inner = max(1, width // bottleneck)
    group = min(group_width, inner)
    return max(group, round(inner / group) * group) * bottleneck, group


@lru_cache(maxsize=_REMEMBERED)
def regnet_stages(parameters: RegNetParameters) -> tuple[Stage, ...]:
    """The stages of a RegNet: one for each different width, made to fit its groups."""
    p = parameters
    stages = []
    for width, blocks in groupby(quantised_widths(p.depth, p.initial, p.slope, p.ratio)):
        fitting, group = compatible(width, p.bottleneck, p.group_width)
        stages.append(Stage(len(list(blocks)), fitting, p.bottleneck, group))
    return tuple(stages)


def most_operators(stages: Sequence[Stage], se: float) -> int:
    """Operators of the Graph of a network of `stages`; a few less where a stage begins with no projection."""
    block, network = 4 + (5 if se else 0), 3
    return block * sum(stage.depth for stage in stages) + len(stages) + network


def build_stages(
    stages: Sequence[Stage], strides: Sequence[int], stem: int, se: float = 0.0
) -> tuple[Block, ...]:
    """Stem of width `stem` and the X blocks of `stages`; `strides` are those of the stem and each stage."""
    blocks: list[Block] = [Conv(_KERNEL, strides[0], stem, bounded=False)]
    for stage, stride in zip(stages, strides[1:], strict=True):
        for number in range(stage.depth):
            blocks.append(
                XBlock(
                    _KERNEL,
                    stride if number == 0 else 1,
                    stage.width,
                    stage.bottleneck,
                    stage.group_width,
                    se,
                )
            )
    return tuple(blocks)


def published_regnet(parameters: RegNetParameters, se: float = 0.0) -> Genotype:
    """A RegNet as published, at resolution 224 with 1000 classes: stem of 32, stride 2 everywhere."""
    stages = regnet_stages(parameters)
    return Genotype(224, 3, build_stages(stages, (2,) * (len(stages) + 1), 32, se), 1000)
