"""Where networks are run to be timed: a bench says what each operator of a network takes on a board.

`FirmwareBench` builds firmware and asks a board, real or virtual. Another bench is another implementation:
the benchmarks bring one for cores that no virtual board has.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from tinynas.board import Board
from tinynas.cost.fitting import Timed
from tinynas.cost.work import DataMemory, list_work, ram_origin
from tinynas.device.client import Client
from tinynas.device.elf import firmware_size
from tinynas.device.golden import MODEL_NAME, add_golden
from tinynas.device.link import Link
from tinynas.device.platformio import Environment, build, choose_environment
from tinynas.device.project import find_project
from tinynas.engine.emit import SOURCES, emit
from tinynas.engine.planner import Arrangement
from tinynas.errors import DeviceError
from tinynas.pipeline.target import Target

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
    """A network of the set as it was arranged, and what the bench said."""

    arranged: Arrangement
    run: Run

    def timed(self, board: Board) -> list[Timed]:
        """Its operators, as `board` ran them."""
        memory = DataMemory.of(board, self.run.arena_offset, self.arranged.arena)
        return [Timed(*each) for each in zip(list_work(self.arranged, memory), self.run.cycles, strict=True)]


class Bench(Protocol):
    """Runs networks to time them."""

    @property
    def measured(self) -> bool:
        """Whether a real board says the times."""

    def require(self, board: Board) -> None:
        """Nothing, if networks can be run for `board` as things are.

        Raises:
            TinynasError: what is missing, or the board is not there.
        """

    def times(self, board: Board, profiled: Sequence[Profiled]) -> str:
        """How times on `board` are known, as the words that stand beside them; all these were run."""

    def run(self, arranged: Arrangement, board: Board, folder: Path, *, layers: bool) -> Run:
        """What a network takes that has constants and is arranged so; files go through `folder`.

        Without `layers` only the whole inference is timed.

        Raises:
            TinynasError: what is missing, firmware that cannot be built, or a board that does not answer.
        """


@dataclass(frozen=True, slots=True)
class FirmwareBench:
    """Firmware of each network on `target`, which is asked over the serial link."""

    target: Target

    @property
    def measured(self) -> bool:
        """As `Bench.measured`."""
        return not self.target.suffix

    def require(self, board: Board) -> None:
        """As `Bench.require`: tools and board."""
        self.target.require(board)

    def times(self, board: Board, profiled: Sequence[Profiled]) -> str:
        """As `Bench.times`."""
        return self.target.times(board)

    def run(self, arranged: Arrangement, board: Board, folder: Path, *, layers: bool) -> Run:
        """As `Bench.run`; the firmware is built in `folder`."""
        return build_trial(arranged, board, folder).run_on(self.target, layers=layers)


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
