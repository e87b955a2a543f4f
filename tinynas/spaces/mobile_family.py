"""The mobile family: 12 resolutions x 9 widths, measured on arrays (`tinynas.spaces.batch`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from tinynas.errors import RequestError
from tinynas.spaces.batch import sample_batch, tabulate
from tinynas.spaces.family import Scoring, Target
from tinynas.spaces.memory import batch_memory
from tinynas.spaces.mobile import Choice, MobileSpace, elastic_resolutions, make_space, width_grid
from tinynas.spaces.pictures import Pictures, resolution_grid
from tinynas.spaces.statistics import SpaceStats, summarise
from tinynas.spaces.times import batch_milliseconds


@dataclass(frozen=True, slots=True)
class MobileFamily:
    """MCUNet's inverted bottlenecks; many spaces share each step of the planner."""

    name: str = "mobile"
    choice_type: type[Choice] = Choice
    scoring: Scoring = Scoring.SHARED_WEIGHTS
    samples: int = 1000
    together: int = 6

    def spaces(self, pictures: Pictures) -> list[MobileSpace]:
        """Every width multiplier at every resolution."""
        return [
            make_space(width, resolution, pictures.native, pictures.in_channels, pictures.classes)
            for width in width_grid()
            for resolution in resolution_grid(pictures.native)
        ]

    def whole(self, pictures: Pictures, resolution: int) -> MobileSpace:
        """Refused: a supernet, and so a space, has one width multiplier."""
        raise RequestError("mobile has a space for each width multiplier: name one, such as mobile:w0.3")

    def with_elastic(self, space: MobileSpace, pictures: Pictures, count: int) -> MobileSpace:
        """`space` with lower resolutions besides, at the strides of its own."""
        lower = elastic_resolutions(space.resolution, pictures.native, count)
        return make_space(
            space.width, space.resolution, pictures.native, pictures.in_channels, pictures.classes, lower
        )

    def measure(
        self,
        spaces: Sequence[MobileSpace],
        target: Target,
        samples: int,
        rngs: Sequence[np.random.Generator],
    ) -> list[SpaceStats]:
        """All spaces in one batch."""
        return measure_spaces(spaces, target, samples, rngs)


def measure_spaces(
    spaces: Sequence[MobileSpace], target: Target, samples: int, rngs: Sequence[np.random.Generator]
) -> list[SpaceStats]:
    """Share, MACs and least needs of `samples` networks of each space and of its smallest one."""
    memory, budget = batch_memory(target.runtime, target.board), target.budget
    batches = [
        tabulate(space, sample_batch(space, samples, rng).extended(space.smallest()))
        for space, rng in zip(spaces, rngs, strict=True)
    ]
    counts = [batch.counts() for batch in batches]
    tails, flash = [memory.tail(each) for each in counts], [memory.flash(each) for each in counts]
    verdicts = memory.rule.judge(batches, tails, budget.sram_bytes)
    return [
        summarise(
            (space.name, space.resolution),
            batch.macs,
            verdict.fits,
            size <= budget.flash_bytes,
            (verdict.least, int(size.min())),
            target.times(partial(batch_milliseconds, batch)),
        )
        for space, batch, size, verdict in zip(spaces, batches, flash, verdicts, strict=True)
    ]
