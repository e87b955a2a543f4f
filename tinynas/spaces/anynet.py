"""AnyNetX: the spaces that RegNet was refined from (arXiv 2003.13678, section 3.2), for microcontrollers.

Four stages, each with its own depth, width, bottleneck ratio b and group width g: 16 degrees of freedom. From
A to E one rule a letter is added. There are at most 28 blocks, 7 a stage, where the paper has 16; widths are
at most 512 where it has 1024, and the stem has 16 channels where it has 32.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tinynas.networks.regnet import WIDTH_STEP, Stage, compatible
from tinynas.spaces.genes import Dimension, Each, Gene, Number, Options, Rising, Shared, Whole
from tinynas.spaces.xspace import XSpace

#: most blocks of all stages together
_MOST_BLOCKS = 28
_WIDTH = Whole(8, 512, WIDTH_STEP)
_BOTTLENECK, _GROUP_WIDTH = Options((1, 2, 4)), Options((1, 2, 4, 8, 16, 32))
#: places of depth and width (see `tinynas.spaces.genes`) at which corners stand
_PLACES = (0.0, 0.25, 0.5, 0.75, 1.0)

_Tie = Callable[[Number, int], Gene]


@dataclass(frozen=True, slots=True)
class AnyNetRule:
    """How a letter ties the genes of the stages: each free, one shared by all, or rising."""

    depths: _Tie = Each
    widths: _Tie = Each
    bottlenecks: _Tie = Each
    group_widths: _Tie = Each


#: A is free; B shares b; C shares g; in D widths rise; in E depths do
RULES: Mapping[str, AnyNetRule] = {
    "a": AnyNetRule(),
    "b": AnyNetRule(bottlenecks=Shared),
    "c": AnyNetRule(bottlenecks=Shared, group_widths=Shared),
    "d": AnyNetRule(widths=Rising, bottlenecks=Shared, group_widths=Shared),
    "e": AnyNetRule(depths=Rising, widths=Rising, bottlenecks=Shared, group_widths=Shared),
}


@dataclass(frozen=True, slots=True)
class AnyNetChoice:
    """One network: a depth, a width, a bottleneck ratio and a group width for each stage.

    The width built is the nearest that its groups divide.
    """

    resolution: int
    depths: tuple[int, ...]
    widths: tuple[int, ...]
    bottlenecks: tuple[int, ...]
    group_widths: tuple[int, ...]


@dataclass(frozen=True)
class AnyNetSpace(XSpace[AnyNetChoice]):
    """AnyNetX of one letter at one resolution, with `count` stages."""

    rule: AnyNetRule = AnyNetRule()
    count: int = 4

    @property
    def name(self) -> str:
        """``r96``: its resolution."""
        return f"r{self.resolution}"

    @cached_property
    def own_genes(self) -> Mapping[str, Gene]:
        """Four genes a stage, tied by the rule."""
        return {
            "depths": self.rule.depths(self._depth, self.count),
            "widths": self.rule.widths(_WIDTH, self.count),
            "bottlenecks": self.rule.bottlenecks(_BOTTLENECK, self.count),
            "group_widths": self.rule.group_widths(_GROUP_WIDTH, self.count),
        }

    @property
    def _depth(self) -> Whole:
        return Whole(1, _MOST_BLOCKS // self.count)

    @property
    def dimensions(self) -> Mapping[str, Dimension]:
        """Depths and widths of the stages."""
        return {
            "resolution": Dimension.RESOLUTION,
            "depths": Dimension.DEPTH,
            "widths": Dimension.WIDTH,
        }

    def make(self, **values: Any) -> AnyNetChoice:
        """The choice with those fields."""
        return AnyNetChoice(**values)

    def stages(self, choice: AnyNetChoice) -> tuple[Stage, ...]:
        """The stages, their widths made to fit their groups."""
        genes = zip(choice.depths, choice.widths, choice.bottlenecks, choice.group_widths, strict=True)
        return tuple(
            Stage(depth, fitting, bottleneck, group)
            for depth, width, bottleneck, wanted in genes
            for fitting, group in (compatible(width, bottleneck, wanted),)
        )

    def corners(self) -> Iterable[AnyNetChoice]:
        """The ends of all genes, alike in all stages, and places between those of depth and width."""
        depths, widths = ([gene.at(place) for place in _PLACES] for gene in (self._depth, _WIDTH))
        ends = [(gene.values[0], gene.values[-1]) for gene in (_BOTTLENECK, _GROUP_WIDTH)]
        for genes in itertools.product(depths, widths, *ends):
            yield AnyNetChoice(self.resolution, *((number,) * self.count for number in genes))
