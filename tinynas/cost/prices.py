"""What kernels are chosen by where the board is known: modelled cycles of single operators on it.

Executed instructions are not all: weights of two bytes take fewer of them, and twice the lines of cache and
flash. Only calibrations that tinynas brings count, so that the same request is the same firmware everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from tinynas.board import Board
from tinynas.cost.calibration import Calibration, shipped
from tinynas.cost.fitting import predict
from tinynas.cost.work import DataMemory, Exposure, Work, work_of
from tinynas.engine.goals import Price, instructions
from tinynas.engine.kernels import Kernel
from tinynas.engine.rows import map_shape
from tinynas.graph import Graph, Operator

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
        return self.memory(0)

    def memory(self, arena_bytes: int) -> DataMemory:
        """The board's, with such an arena where the calibration's firmware had it."""
        return DataMemory.of(self.board, self.calibration.arena_offset, arena_bytes)

    def of(self, graph: Graph, operator: Operator, kernel: Kernel, work: Work) -> float:
        """Cycles of `operator`, whose `work` by `kernel` this is."""
        known = self._known.get(work)
        if known is None:
            if len(self._known) >= _MOST_REMEMBERED:
                self._known.clear()
            known = self._known[work] = self._sum(graph, operator, kernel, work)
        return known

    def guessed(self, graph: Graph, operator: Operator, kernel: Kernel, memory: DataMemory) -> float:
        """Cycles as if the operator's feature maps lay from the start of the arena in `memory` on."""
        read, made = _sizes(graph, operator)
        exposed = Exposure(
            memory.exposed(0, read), memory.exposed(read, made), memory.exposed(read + made, 1)
        )
        return self.of(graph, operator, kernel, work_of(graph, operator, kernel, exposed))

    def _sum(self, graph: Graph, operator: Operator, kernel: Kernel, work: Work) -> float:
        costs = self.calibration.costs.get(kernel.function)
        if costs is not None:
            return predict(costs, work, self._cache)
        told = kernel.instructions(graph, operator) or _INSTRUCTIONS * work.output.bytes
        return told * self.calibration.instruction_cycles


@dataclass(frozen=True, slots=True)
class BoardPrice:
    """The price of kernels on `board`: modelled cycles of an operator by itself, which need no plan."""

    board: Board
    cycles: OperatorCycles = field(compare=False, repr=False)

    def __call__(self, graph: Graph, operator: Operator, kernel: Kernel) -> float:
        """As `Price`: cycles, with the operator's whole feature maps in an arena of their own."""
        memory = self.cycles.memory(map_bytes(graph, operator))
        return self.cycles.guessed(graph, operator, kernel, memory)


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


def map_bytes(graph: Graph, operator: Operator) -> int:
    """Bytes of the feature maps that an operator reads and makes, together."""
    return sum(_sizes(graph, operator))


def widest_bytes(graph: Graph) -> int:
    """The most that any of its operators reads and makes: what an arena holds at least, or nearly."""
    return max(map_bytes(graph, operator) for operator in graph.operators)


def _sizes(graph: Graph, operator: Operator) -> tuple[int, int]:
    """Of the feature maps that an operator reads, and of the one that it makes."""
    read = sum(map_shape(graph.tensors[i]).bytes for i in graph.activations_in(operator))
    return read, map_shape(graph.tensors[operator.outputs[0]]).bytes
