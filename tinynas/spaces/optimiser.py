"""Stage 1 of TinyNAS: which space of a family suits a board and a budget (MCUNet, section 3.1).

Networks are sampled from every space, those within SRAM, flash and time are kept, and the space whose kept
networks compute most is chosen. Memory is exact for every network. Of the mobile family a bound settles most,
the planner the rest, all on arrays (`tinynas.spaces.batch`); of those of X blocks their blocks do, each
looked at once (`tinynas.spaces.needs`): so the whole stage takes seconds. Under our own engine SRAM is what
the best groups of operators need, which its plans reach in all but rare cases, and flash leaves out the
schedule (up to a few kilobytes); networks that the search then looks at are planned one by one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinynas.board import Board, Budget
from tinynas.cost.estimates import Runtime
from tinynas.errors import RequestError
from tinynas.networks import build_graph
from tinynas.spaces.families import MOBILE
from tinynas.spaces.family import DesignSpace, Family, Target
from tinynas.spaces.pictures import Pictures
from tinynas.spaces.report import SpaceReport
from tinynas.spaces.statistics import SpaceStats, choose
from tinynas.units import format_milliseconds, format_size

Progress = Callable[[int, int], None]


def optimise_space(
    board: Board,
    budget: Budget,
    runtime: Runtime,
    *,
    native: int,
    in_channels: int,
    classes: int,
    family: Family[Any] = MOBILE,
    samples: int | None = None,
    seed: int = 0,
    min_share: float = 0.05,
    on_progress: Progress | None = None,
) -> SpaceReport:
    """Sample `samples` networks of every space of `family` for `native` x `native` pictures and choose.

    `samples` is the family's own number unless given.
    The networks of a space depend on `seed` and its place in the grid alone. `min_share` is the least
    share of satisfying networks a space must have to be chosen, as far as one has it. `on_progress` is
    told how many spaces are done, of how many.

    Raises:
        RequestError: nothing fits the budget (the message has the smallest need found), or `samples` or
            `min_share` make no sense.
    """
    samples = family.samples if samples is None else samples
    if samples < 1 or not 0 <= min_share <= 1:
        raise RequestError(
            f"{samples} samples a space and a least share of {min_share:g} make no sense: "
            "ask for at least 1 sample and a share from 0 to 1"
        )
    begin = time.perf_counter()
    target = Target.of(board, budget, runtime)
    spaces = family.spaces(Pictures(native, in_channels, classes))
    found: list[SpaceStats] = []
    for start in range(0, len(spaces), family.together):
        group = spaces[start : start + family.together]
        rngs = [np.random.default_rng([seed, start + i]) for i in range(len(group))]
        found += family.measure(group, target, samples, rngs)
        if on_progress:
            on_progress(len(found), len(spaces))
    choice = choose(found, min_share)
    if choice is None:
        raise RequestError(_nothing_fits(family.name, target, spaces, found))
    best, note = choice
    return SpaceReport(
        family=family.name,
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


def _nothing_fits(
    family: str, target: Target, spaces: Sequence[DesignSpace[Any]], found: Sequence[SpaceStats]
) -> str:
    """One sentence: what is too small, and what the smallest network needs."""
    sram = min(found, key=lambda stats: stats.smallest_sram_bytes)
    flash = min(found, key=lambda stats: stats.smallest_flash_bytes)
    needs, limits, budget = [], [], target.budget
    if sram.smallest_sram_bytes > budget.sram_bytes:
        limits.append(f"{format_size(budget.sram_bytes)} of SRAM")
        needs.append(f"{sram.smallest_sram_bytes:,} B of SRAM ({sram.name})")
    if flash.smallest_flash_bytes > budget.flash_bytes:
        limits.append(f"{format_size(budget.flash_bytes)} of flash")
        needs.append(f"{flash.smallest_flash_bytes:,} B of flash ({flash.name})")
    quickest = min(found, key=lambda stats: stats.smallest_latency_ms or 0.0)
    least, allowed = quickest.smallest_latency_ms, budget.latency_ms
    if least is not None and allowed is not None and least > allowed:
        limits.append(f"{format_milliseconds(allowed)} an inference")
        needs.append(f"{format_milliseconds(least)} ({quickest.name})")
    if not needs:
        # each is met by some network, all by none: show the one that comes nearest
        limits = [_said(budget.sram_bytes, budget.flash_bytes, allowed)]
        needs = [_nearest_need(target, spaces)]
    return (
        f"no network of the {family} family fits {' or '.join(limits)} with the {target.runtime.name} "
        f"runtime: the smallest needs {' and '.join(needs)}"
    )


def _nearest_need(target: Target, spaces: Sequence[DesignSpace[Any]]) -> str:
    needs, budget = [], target.budget
    for space in spaces:
        graph = build_graph(space.genotype(space.smallest()))
        sram = target.runtime.sram(graph, target.board).total
        flash = target.runtime.flash(graph, target.board).total
        time = target.latency.milliseconds(graph) if target.latency is not None else None
        excess = max(
            sram / budget.sram_bytes, flash / budget.flash_bytes, (time or 0) / (budget.latency_ms or 1)
        )
        needs.append((excess, f"{_said(sram, flash, time)} ({space.name})"))
    return min(needs)[1]


def _said(sram: int, flash: int, time: float | None) -> str:
    memories = f"{format_size(sram)} of SRAM and {format_size(flash)} of flash"
    return memories if time is None else f"{memories} at {format_milliseconds(time)} an inference"
