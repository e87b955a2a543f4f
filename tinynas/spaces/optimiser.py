"""Stage 1 of TinyNAS: which of 108 spaces suits a board and a budget (MCUNet, section 3.1).

Networks are sampled from every space, those within SRAM and flash are kept, and the space whose kept
networks compute most is chosen. Memory is exact for every network: a bound settles most, the planner the
rest, all on arrays (`tinynas.spaces.batch`), so that the whole stage takes seconds. Under our own engine SRAM
is what the best groups of operators need, which its plans reach in all but rare cases, and flash leaves out
the schedule (up to a few kilobytes); networks that the search then looks at are planned one by one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from tinynas.board import Board, Budget
from tinynas.cost.estimates import Runtime
from tinynas.errors import RequestError
from tinynas.networks import build_graph
from tinynas.spaces.batch import sample_batch, tabulate
from tinynas.spaces.distribution import SpaceReport, SpaceStats, choose, summarise
from tinynas.spaces.memory import BatchMemory, batch_memory
from tinynas.spaces.mobile import MobileSpace, make_space, resolution_grid, width_grid
from tinynas.units import format_size

Progress = Callable[[int, int], None]

#: spaces measured together: many share each step of the planner, and progress is still seen
_TOGETHER = 6


def optimise_space(
    board: Board,
    budget: Budget,
    runtime: Runtime,
    *,
    native: int,
    in_channels: int,
    classes: int,
    samples: int = 1000,
    seed: int = 0,
    min_share: float = 0.05,
    on_progress: Progress | None = None,
) -> SpaceReport:
    """Sample `samples` networks of every space of the grid for `native` x `native` pictures and choose.

    The networks of a space depend on `seed` and its place in the grid alone. `min_share` is the least
    share of satisfying networks a space must have to be chosen, as far as one has it. `on_progress` is
    told how many spaces are done, of how many.

    Raises:
        RequestError: nothing fits the budget (the message has the smallest need found), or `samples` or
            `min_share` make no sense.
    """
    if samples < 1 or not 0 <= min_share <= 1:
        raise RequestError(
            f"{samples} samples a space and a least share of {min_share:g} make no sense: "
            "ask for at least 1 sample and a share from 0 to 1"
        )
    begin = time.perf_counter()
    memory = batch_memory(runtime, board)
    spaces = list_spaces(native, in_channels, classes)
    found: list[SpaceStats] = []
    for start in range(0, len(spaces), _TOGETHER):
        group = spaces[start : start + _TOGETHER]
        rngs = [np.random.default_rng([seed, start + i]) for i in range(len(group))]
        found += measure_spaces(group, memory, budget, samples, rngs)
        if on_progress:
            on_progress(len(found), len(spaces))
    choice = choose(found, min_share)
    if choice is None:
        raise RequestError(_nothing_fits(board, budget, runtime, spaces, found))
    best, note = choice
    return SpaceReport(
        board=board.id,
        budget=budget,
        runtime=runtime.name,
        native=native,
        in_channels=in_channels,
        classes=classes,
        samples=samples,
        seed=seed,
        min_share=min_share,
        spaces=tuple(found),
        chosen_name=best.name,
        note=note,
        seconds=time.perf_counter() - begin,
    )


def list_spaces(native: int, in_channels: int, classes: int) -> list[MobileSpace]:
    """The grid: every width multiplier at every resolution, for pictures of `native` pixels."""
    return [
        make_space(width, resolution, native, in_channels, classes)
        for width in width_grid()
        for resolution in resolution_grid(native)
    ]


def measure_spaces(
    spaces: Sequence[MobileSpace],
    memory: BatchMemory,
    budget: Budget,
    samples: int,
    rngs: Sequence[np.random.Generator],
) -> list[SpaceStats]:
    """Share, MACs and least needs of `samples` networks of each space and of its smallest one."""
    batches = [
        tabulate(space, sample_batch(space, samples, rng).extended(space.smallest()))
        for space, rng in zip(spaces, rngs, strict=True)
    ]
    counts = [batch.counts() for batch in batches]
    tails, flash = [memory.tail(each) for each in counts], [memory.flash(each) for each in counts]
    verdicts = memory.rule.judge(batches, tails, budget.sram_bytes)
    return [
        summarise(
            space, batch.macs, verdict.fits, size <= budget.flash_bytes, (verdict.least, int(size.min()))
        )
        for space, batch, size, verdict in zip(spaces, batches, flash, verdicts, strict=True)
    ]


def _nothing_fits(
    board: Board, budget: Budget, runtime: Runtime, spaces: Sequence[MobileSpace], found: Sequence[SpaceStats]
) -> str:
    """One sentence: what is too small, and what the smallest network needs."""
    sram = min(found, key=lambda stats: stats.smallest_sram_bytes)
    flash = min(found, key=lambda stats: stats.smallest_flash_bytes)
    needs, limits = [], []
    if sram.smallest_sram_bytes > budget.sram_bytes:
        limits.append(f"{format_size(budget.sram_bytes)} of SRAM")
        needs.append(f"{sram.smallest_sram_bytes:,} B of SRAM ({sram.name})")
    if flash.smallest_flash_bytes > budget.flash_bytes:
        limits.append(f"{format_size(budget.flash_bytes)} of flash")
        needs.append(f"{flash.smallest_flash_bytes:,} B of flash ({flash.name})")
    if not needs:
        # each is met by some network, both by none: show the one that comes nearest
        limits = [f"{format_size(budget.sram_bytes)} of SRAM and {format_size(budget.flash_bytes)} of flash"]
        needs = [_nearest_need(board, budget, runtime, spaces)]
    return (
        f"no network of the mobile space fits {' or '.join(limits)} with the {runtime.name} runtime: "
        f"the smallest needs {' and '.join(needs)}"
    )


def _nearest_need(board: Board, budget: Budget, runtime: Runtime, spaces: Sequence[MobileSpace]) -> str:
    needs = []
    for space in spaces:
        graph = build_graph(space.genotype(space.smallest()))
        sram, flash = runtime.sram(graph, board).total, runtime.flash(graph, board).total
        excess = max(sram / budget.sram_bytes, flash / budget.flash_bytes)
        needs.append((excess, f"{sram:,} B of SRAM and {flash:,} B of flash ({space.name})"))
    return min(needs)[1]
