"""RegNetX and RegNetY as design spaces (arXiv 2003.13678, sections 3.3 and 4), for microcontrollers.

Six genes: d, w0, wa, wm, b, g. A space is a regime, an octave of w0 and one of wa, at one resolution: that
is what stage 1 chooses among, since the two set how wide networks are. Widths begin at 8 (the paper: w0 at
most 256); as refined in section 4, b is 1 and wm at least 2; stages are 3 to 5.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tinynas.networks.regnet import WIDTH_STEP, RegNetParameters, Stage, regnet_stages
from tinynas.spaces.genes import Dimension, Gene, Options, Real, Whole
from tinynas.spaces.xspace import XSpace

#: octaves of w0 and of wa: the least of each
OCTAVES = (8, 16, 32)
_DEPTH, _RATIO = Whole(2, 28), Real(2.0, 3.0)
_BOTTLENECK, _GROUP_WIDTH = Options((1,)), Options((1, 2, 4, 8, 16, 32))


@dataclass(frozen=True, slots=True)
class RegNetChoice:
    """One network: d, w0, wa, wm, b and g."""

    resolution: int
    depth: int
    initial: int
    slope: float
    ratio: float
    bottleneck: int
    group_width: int

    @property
    def parameters(self) -> RegNetParameters:
        """The six numbers alone."""
        return RegNetParameters(
            self.depth, self.initial, self.slope, self.ratio, self.bottleneck, self.group_width
        )


@dataclass(frozen=True)
class RegNetSpace(XSpace[RegNetChoice]):
    """RegNets whose w0 and wa are from the first to the second of `initial` and `slope`."""

    initial: tuple[int, int] = (OCTAVES[0], 2 * OCTAVES[-1])
    slope: tuple[int, int] = (OCTAVES[0], 2 * OCTAVES[-1])

    @property
    def name(self) -> str:
        """``w16-32-a8-16-r96``: ranges of w0 and wa, resolution."""
        return f"w{self.initial[0]}-{self.initial[1]}-a{self.slope[0]}-{self.slope[1]}-r{self.resolution}"

    @cached_property
    def own_genes(self) -> Mapping[str, Gene]:
        """The six numbers."""
        return {
            "depth": _DEPTH,
            "initial": Whole(*self.initial, WIDTH_STEP),
            "slope": Real(*self.slope),
            "ratio": _RATIO,
            "bottleneck": _BOTTLENECK,
            "group_width": _GROUP_WIDTH,
        }

    @property
    def dimensions(self) -> Mapping[str, Dimension]:
        """Width is both where widths begin and how they rise."""
        return {
            "resolution": Dimension.RESOLUTION,
            "depth": Dimension.DEPTH,
            "initial": Dimension.WIDTH,
            "slope": Dimension.WIDTH,
        }

    def make(self, **values: Any) -> RegNetChoice:
        """The choice with those fields."""
        return RegNetChoice(**values)

    def stages(self, choice: RegNetChoice) -> tuple[Stage, ...]:
        """One for each width of the quantised line, made to fit its groups."""
        return regnet_stages(choice.parameters)

    def corners(self) -> Iterable[RegNetChoice]:
        """Every depth with the ends of the other genes: some have too many stages or too few."""
        depths, groups = (
            range(_DEPTH.least, _DEPTH.most + 1),
            (_GROUP_WIDTH.values[0], _GROUP_WIDTH.values[-1]),
        )
        ends = (self.initial, self.slope, (_RATIO.least, _RATIO.most), _BOTTLENECK.values, groups)
        for genes in itertools.product(depths, *ends):
            yield RegNetChoice(self.resolution, *genes)
