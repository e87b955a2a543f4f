"""Calibrating a board: networks of many shapes are run on it, and their operators' cycles fitted."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from tinynas import __version__
from tinynas.board import Board
from tinynas.cost.calibration import Calibration, Errors, kernel_digests
from tinynas.cost.fitting import Costs, Timed, fit, predict
from tinynas.cost.latency import count_entries
from tinynas.cost.work import DataMemory, ram_origin
from tinynas.engine.alike import tasks_of
from tinynas.engine.goals import Aim, Goal
from tinynas.engine.planner import arrange
from tinynas.errors import DeviceError, RequestError
from tinynas.graph.passes import simplify
from tinynas.graph.typical import with_typical_constants
from tinynas.networks import build_graph
from tinynas.pipeline.bench import Bench, Profiled, Run
from tinynas.pipeline.observer import Observer
from tinynas.pipeline.profile_set import Designed, design
from tinynas.search.disk import held_alone, written_whole

#: networks are left out by so many turns to find out how good the fit is
_FOLDS = 5


def profile(
    board: Board, bench: Bench, goals: Sequence[Goal], seed: int, folder: Path, watch: Observer
) -> Calibration:
    """Run the set on `bench` and fit the kernels of `goals`.

    `folder` keeps what was said of each network, so that what was interrupted goes on from there.

    Raises:
        TinynasError: what is missing, a firmware that cannot be built, a board that does not answer, or
            another process that profiles it.
    """
    bench.require(board)
    with held_alone(folder, "wait until it ends"):
        designed = list(design(board, tuple(goals), seed))
        watch.begin("profiling", len(designed))
        profiled: list[Profiled] = []
        for done, each in enumerate(designed, 1):
            try:
                profiled.append(run_network(each, board, bench, folder))
            except DeviceError as error:
                raise DeviceError(f"{error}; the same command then goes on from network {done}") from error
            watch.advance(
                done, f"{len(profiled[-1].run.cycles)} operators, {profiled[-1].run.total:,} cycles"
            )
        watch.end()
        return _fitted(profiled, board, bench, goals)


def run_network(
    designed: Designed, board: Board, bench: Bench, folder: Path, *, layers: bool = True
) -> Profiled:
    """A network, with made-up weights, run on `bench` with its files in `folder`.

    Without `layers` only the whole inference is timed. What the bench said is kept in `folder`, and taken
    from there where the same kernels ran.

    Raises:
        TinynasError: as `profile`.
    """
    arranged = arrange(
        with_typical_constants(simplify(build_graph(designed.genotype))), Aim(designed.goal, dsp=board.dsp)
    )
    kernels = [(each.function, kernel_digests()[each.function]) for each in arranged.rows.kernels]
    origin = ram_origin(board, arranged.arena)
    layout = origin, arranged.layout.maps, arranged.groups, arranged.layout.upwards
    key = repr((str(designed.genotype), designed.goal.value, kernels, layout)).encode()
    file = folder / f"{hashlib.sha256(key).hexdigest()[:16]}.json"
    # nothing there, or damaged
    with suppress(OSError, ValueError, TypeError):
        known = Run.parse(file.read_text(encoding="utf-8"))
        if len(known.cycles) == len(kernels) or not layers:
            return Profiled(arranged, known)
    run = bench.run(arranged, board, folder, layers=layers)
    with written_whole(file) as partial:
        partial.write_text(run.to_text(), encoding="utf-8")
    return Profiled(arranged, run)


def _fitted(profiled: Sequence[Profiled], board: Board, bench: Bench, goals: Sequence[Goal]) -> Calibration:
    first = profiled[0].run
    if len({(each.run.arena_offset, each.run.clock_hz, each.run.compiler) for each in profiled}) > 1:
        raise RequestError(
            f"the firmwares of {board.id} differ in clock, compiler or memory: run the same command once more"
        )
    memory = DataMemory.of(board, first.arena_offset, 0)
    networks = [each.timed(board) for each in profiled]
    operators = [timed for network in networks for timed in network]
    entries = sum(sum(count_entries(each.arranged)) for each in profiled)
    between = sum(each.run.total - sum(each.run.cycles) for each in profiled)
    return Calibration(
        board=board.id,
        core=board.core,
        clock_hz=first.clock_hz,
        measured=bench.measured,
        times=bench.times(board, profiled),
        compiler=first.compiler,
        made_by=f"tinynas {__version__}",
        date=datetime.now(UTC).strftime("%Y-%m-%d"),
        goals=tuple(goal.value for goal in goals),
        networks=len(networks),
        operators=len(operators),
        arena_offset=first.arena_offset,
        step_cycles=round(max(0.0, between / entries), 2),
        instruction_cycles=_instruction_cycles(profiled),
        errors=left_out(networks, memory),
        digests=dict(kernel_digests()),
        costs=fit(operators, memory),
    )


def left_out(networks: Sequence[Sequence[Timed]], memory: DataMemory) -> Errors:
    """Errors of networks by fits that lack them, some at a time; operators no fit knows are left out."""
    totals, single = [], []
    for fold in range(_FOLDS):
        rest = [timed for i, network in enumerate(networks) if i % _FOLDS != fold for timed in network]
        costs = fit(rest, memory)
        for network in networks[fold::_FOLDS]:
            sums = _sums(network, costs, memory)
            totals.append(abs(sums.sum(axis=0)[0] / sums.sum(axis=0)[1] - 1))
            single += (abs(sums[:, 0] / sums[:, 1] - 1)).tolist()
    return Errors(
        networks=len(totals),
        median=round(float(np.median(totals)), 5),
        worst=round(float(np.max(totals)), 5),
        operator_median=round(float(np.median(single)), 5),
    )


def _sums(network: Sequence[Timed], costs: dict[str, Costs], memory: DataMemory) -> Any:
    known = [timed for timed in network if timed.work.kernel in costs]
    return np.array(
        [(predict(costs[timed.work.kernel], timed.work, memory), timed.cycles) for timed in known]
    )


def _instruction_cycles(profiled: Sequence[Profiled]) -> float:
    """Cycles of an instruction of the catalogue's, over all operators whose kernels tell theirs."""
    cycles = instructions = 0.0
    for each in profiled:
        rows = each.arranged.rows
        for task, kernel, taken in zip(tasks_of(rows.graph), rows.kernels, each.run.cycles, strict=True):
            if told := kernel.instructions(task):
                cycles, instructions = cycles + taken, instructions + told
    return round(cycles / instructions, 4)
