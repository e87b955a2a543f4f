"""Calibrating a board: networks of many shapes are run on it, and their operators' cycles fitted."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from tinynas import __version__
from tinynas.board import Board
from tinynas.cost.calibration import Calibration, Errors, kernel_digests
from tinynas.cost.fitting import Costs, Timed, fit, predict
from tinynas.cost.latency import count_entries
from tinynas.cost.work import DataMemory, list_work, ram_origin
from tinynas.device.client import Client
from tinynas.device.elf import firmware_size
from tinynas.device.golden import MODEL_NAME, add_golden
from tinynas.device.link import Link
from tinynas.device.platformio import Environment, build, choose_environment
from tinynas.device.project import find_project
from tinynas.engine.emit import SOURCES, emit
from tinynas.engine.goals import Aim, Goal
from tinynas.engine.planner import Arrangement, arrange
from tinynas.errors import DeviceError, RequestError
from tinynas.graph.passes import simplify
from tinynas.graph.typical import with_typical_constants
from tinynas.networks import build_graph
from tinynas.pipeline.observer import Observer
from tinynas.pipeline.profile_set import Designed, design
from tinynas.pipeline.target import Target
from tinynas.search.disk import written_whole

#: networks are left out by so many turns to find out how good the fit is
_FOLDS = 5
#: the first inference finds caches cold, and the virtual board its code new
_RUNS = 2
_ARENA = "arena"


@dataclass(frozen=True, slots=True)
class Run:
    """What a board said of one firmware: cycles of an inference, and of each of its operators."""

    total: int
    cycles: tuple[int, ...]
    arena_offset: int
    clock_hz: int
    compiler: str

    @classmethod
    def parse(cls, text: str) -> Run:
        """What `to_text` wrote.

        Raises:
            ValueError, TypeError: it is something else.
        """
        plain = json.loads(text)
        return cls(**plain | {"cycles": tuple(plain["cycles"])})

    @property
    def milliseconds(self) -> float:
        """Of an inference."""
        return 1e3 * self.total / self.clock_hz

    def to_text(self) -> str:
        """JSON."""
        return json.dumps({name: getattr(self, name) for name in self.__slots__})


@dataclass(frozen=True)
class Profiled:
    """A network of the set as it was arranged, and what the board said."""

    arranged: Arrangement
    run: Run

    def timed(self, board: Board) -> list[Timed]:
        """Its operators, as `board` ran them."""
        memory = DataMemory.of(board, self.run.arena_offset, self.arranged.arena)
        return [Timed(*each) for each in zip(list_work(self.arranged, memory), self.run.cycles, strict=True)]


def profile(
    board: Board, target: Target, goals: Sequence[Goal], seed: int, folder: Path, watch: Observer
) -> Calibration:
    """Run the set on `target` and fit the kernels of `goals`.

    `folder` keeps what each firmware said, so that what was interrupted goes on from there.

    Raises:
        TinynasError: what is missing, a firmware that cannot be built, or a board that does not answer.
    """
    target.require(board)
    designed = list(design(board, tuple(goals), seed))
    watch.begin("profiling", len(designed))
    profiled = []
    for done, each in enumerate(designed, 1):
        profiled.append(run_network(each, board, target, folder))
        watch.advance(done, f"{len(profiled[-1].run.cycles)} operators, {profiled[-1].run.total:,} cycles")
    watch.end()
    return _fitted(profiled, board, target, goals)


def run_network(
    designed: Designed, board: Board, target: Target, folder: Path, *, layers: bool = True
) -> Profiled:
    """Firmware of a network, with made-up weights, built in `folder` and run on `target`.

    Without `layers` only the whole inference is timed. What the board said is kept in `folder`, and taken
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
    run = run_arranged(arranged, board, target, folder, layers=layers)
    with written_whole(file) as partial:
        partial.write_text(run.to_text(), encoding="utf-8")
    return Profiled(arranged, run)


def run_arranged(
    arranged: Arrangement, board: Board, target: Target, folder: Path, *, layers: bool = True
) -> Run:
    """What `target` says of firmware, built in `folder`, of a network that has constants and is arranged so.

    Without `layers` only the whole inference is timed.

    Raises:
        TinynasError: what is missing, firmware that cannot be built, or a board that does not answer.
    """
    return build_trial(arranged, board, folder).run_on(target, layers=layers)


@dataclass(frozen=True, slots=True)
class Trial:
    """Firmware of a network that is only timed: its outputs are neither proven nor known.

    `sha256` is that of its C, by which the board tells it from any other.
    """

    board: Board
    elf: Path
    sha256: str
    arena: int

    def run_on(self, target: Target, *, layers: bool) -> Run:
        """What `target` says of it; without `layers` only the whole inference is timed.

        Raises:
            TinynasError: it cannot be flashed, does not answer, or something else answers.
        """
        target.flash(self.elf, self.board)
        with target.connect(self.elf, self.board) as line:
            client = Client(Link(line))
            client.require(self.board.id, self.sha256)
            total = client.measure(_RUNS).minimum
            cycles = client.profile().cycles if layers else ()
        hello = client.hello
        if not hello.clock_hz:
            raise DeviceError(
                f"{self.board.id} does not know its clock, so its cycles are no times: its HAL cannot be "
                "profiled"
            )
        arena = next(each.address for each in firmware_size(self.elf).symbols if each.name == _ARENA)
        offset = arena - ram_origin(self.board, self.arena)
        return Run(total, cycles, offset, hello.clock_hz, hello.compiler)


def build_trial(arranged: Arrangement, board: Board, folder: Path) -> Trial:
    """Firmware, built in `folder`, of a network that has constants and is arranged so.

    Raises:
        TinynasError: what is missing, or firmware that cannot be built.
    """
    plan, libraries = arranged.plan(), folder / "lib"
    library = libraries / MODEL_NAME
    graph, rng = plan.graph, np.random.default_rng(0)
    shutil.rmtree(library, ignore_errors=True)
    emit(plan, MODEL_NAME, library)
    network = (library / SOURCES / f"{MODEL_NAME}.c").read_bytes()
    inputs = [rng.integers(-128, 128, (1, *graph.tensors[i].shape)).astype(np.int8) for i in graph.inputs]
    outputs: list[Any] = [np.zeros((1, *graph.tensors[i].shape), np.int8) for i in graph.outputs]
    add_golden(library, plan, network, inputs, outputs)
    project = find_project()
    environment = _environment(board.id, project)
    elf = build(environment, project, libraries=libraries, build_dir=folder / "build").elf
    return Trial(board, elf, hashlib.sha256(network).hexdigest(), arranged.arena)


@cache
def _environment(board: str, project: Path) -> Environment:
    """PlatformIO takes a second to answer, each time."""
    return choose_environment(board, project)


def _fitted(profiled: Sequence[Profiled], board: Board, target: Target, goals: Sequence[Goal]) -> Calibration:
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
        measured=not target.suffix,
        times=target.times(board),
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
        for operator, kernel, taken in zip(rows.graph.operators, rows.kernels, each.run.cycles, strict=True):
            if told := kernel.instructions(rows.graph, operator):
                cycles, instructions = cycles + taken, instructions + told
    return round(cycles / instructions, 4)
