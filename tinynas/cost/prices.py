"""What kernels are chosen by where the board is known: modelled cycles of single operators on it.

Executed instructions are not all: weights of two bytes take fewer of them, and twice the lines of cache and
flash. Only calibrations that tinynas brings count, so that the same request is the same firmware everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache

import numpy as np

from tinynas.board import Board
from tinynas.cost.calibration import Calibration, shipped
from tinynas.cost.fitting import predict
from tinynas.cost.work import USUAL_GAP, DataMemory, Exposure, Margins, Work, ram_origin
from tinynas.elementwise import where
from tinynas.engine.alike import tasks_of
from tinynas.engine.goals import Price, instructions
from tinynas.engine.kernels import Form, Kernel
from tinynas.engine.tasks import Task
from tinynas.graph import Graph

#: works remembered, of which a search has some thousands
_MOST_REMEMBERED = 2**17
#: instructions of an output value, of kernels that tell no cost
_INSTRUCTIONS = 20.0


@dataclass(frozen=True, eq=False)
class OperatorCycles:
    """Modelled cycles of operators on `board` by a calibration of its kernels; a work is summed up once."""

    board: Board
    calibration: Calibration
    _known: dict[Work, float] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def _cache(self) -> DataMemory:
        # where an arena lies is told by each work
        return DataMemory.of(self.board, self.calibration.arena_offset, 0)

    def place(self, arena_bytes: int) -> int:
        """The address where the calibration's firmware had such an arena; of many, of each."""
        return ram_origin(self.board, arena_bytes) + self.calibration.arena_offset

    def memory(self, arena_bytes: int) -> DataMemory:
        """The board's, with such an arena where the calibration's firmware had it; of many, with each."""
        return self.memory_at(self.place(arena_bytes))

    def memory_at(self, place: int) -> DataMemory:
        """The board's, with an arena at the address `place`."""
        return replace(self._cache, arena=place)

    def of(self, kernel: Kernel, work: Work) -> float:
        """Cycles of a `work` by `kernel`."""
        if isinstance(work.task.depth, np.ndarray):
            return self._sum(kernel, work)
        known = self._known.get(work)
        if known is None:
            if len(self._known) >= _MOST_REMEMBERED:
                self._known.clear()
            known = self._known[work] = self._sum(kernel, work)
        return known

    def guessed(self, task: Task, kernel: Kernel, memory: DataMemory) -> float:
        """Cycles of `task` as if its feature maps lay from the start of the arena in `memory` on."""
        return self.of(kernel, guessed_work(task, kernel, memory))

    def _sum(self, kernel: Kernel, work: Work) -> float:
        costs = self.calibration.costs.get(kernel.function)
        if costs is not None:
            return predict(costs, work, self._cache)
        told = kernel.instructions(work.task)
        return (
            where(told > 0, told, _INSTRUCTIONS * work.task.output.bytes)
            * self.calibration.instruction_cycles
        )


def guessed_work(task: Task, kernel: Kernel, memory: DataMemory) -> Work:
    """The work of `task` whose feature maps lie from the start of the arena in `memory` on."""
    read, made = task.read_bytes, task.output.bytes
    exposed = Exposure(memory.exposed(0, read), memory.exposed(read, made), memory.exposed(read + made, 1))
    margins = Margins(USUAL_GAP, task.output.rows) if kernel.writes is Form.PLANES else None
    return Work(kernel.function, task, exposed, margins)


@dataclass(frozen=True, slots=True)
class BoardPrice:
    """The price of kernels on `board`: modelled cycles of an operator by itself, which need no plan."""

    board: Board
    cycles: OperatorCycles = field(compare=False, repr=False)

    def __call__(self, task: Task, kernel: Kernel) -> float:
        """As `Price`: cycles, with the operator's whole feature maps in an arena of their own."""
        return self.cycles.guessed(task, kernel, self.cycles.memory(task.map_bytes))


@lru_cache(maxsize=64)
def price_on(board: Board) -> Price:
    """What kernels for `board` are chosen by: cycles where its calibration is shipped, else instructions.

    Instructions, too, on a core without DSP: all weights are of one byte there, and of several kernels that
    run an operator the calibration knows the one that they choose, and of others only other shapes.
    """
    known = shipped().get(board.id)
    if known is None or known.core != board.core or not board.dsp:
        return instructions
    return BoardPrice(board, OperatorCycles(board, known))


def widest_bytes(graph: Graph) -> int:
    """The most that any of its operators reads and makes: what an arena holds at least, or nearly."""
    return max(task.map_bytes for task in tasks_of(graph))
