"""How long one inference of a Graph takes on a board, before anything is built: a sum over its operators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from tinynas.board import Board
from tinynas.cost.engine_runtime import EngineRuntime
from tinynas.cost.estimates import Runtime
from tinynas.engine.choosing import Goal, choose_kernels
from tinynas.engine.kernels import Kernel
from tinynas.graph import Graph, Operator
from tinynas.graph.passes import simplify


class LatencyModel(Protocol):
    """Times of networks on the board, and under the runtime, that the model was made for."""

    @property
    def board(self) -> str:
        """The board's id."""
        ...

    @property
    def label(self) -> str:
        """How the times are known and how far to trust them, as the words that stand beside them."""
        ...

    def milliseconds(self, graph: Graph) -> float:
        """One inference of `graph` as the runtime runs it.

        Raises:
            ModelError: an operator that the runtime does not run.
        """
        ...

    def layers(self, graph: Graph) -> tuple[float, ...]:
        """Milliseconds of every operator of ``runtime.runs(graph)``; they add up to `milliseconds`.

        Raises:
            ModelError: an operator that the runtime does not run.
        """
        ...


def latency_model(board: Board, runtime: Runtime) -> LatencyModel | None:
    """The best model there is of networks under `runtime` on `board`; None where there is none."""
    if not isinstance(runtime, EngineRuntime) or board.core not in _CYCLES_PER_INSTRUCTION:
        return None
    return InstructionModel(board.id, board.core, board.clock_hz, getattr(runtime, "goal", Goal.RAM))


#: as benchmarks/speed.py has them of whole networks on virtual boards, rounded
_CYCLES_PER_INSTRUCTION = {"cortex-m4": 1.3, "cortex-m7": 0.8}
#: of kernels whose catalogue entry tells no cost, an output value
_INSTRUCTIONS_PER_OUTPUT = 20.0


@dataclass(frozen=True, slots=True)
class InstructionModel:
    """The catalogue's instructions at a core's usual rate: for boards that nothing was fitted on."""

    board: str
    core: str
    clock_hz: int
    goal: Goal

    @property
    def label(self) -> str:
        """As `LatencyModel.label`."""
        return "uncalibrated, +-50 %"

    def milliseconds(self, graph: Graph) -> float:
        """As `LatencyModel.milliseconds`."""
        return sum(self.layers(graph))

    def layers(self, graph: Graph) -> tuple[float, ...]:
        """As `LatencyModel.layers`."""
        simple = simplify(graph)
        scale = 1e3 * _CYCLES_PER_INSTRUCTION[self.core] / self.clock_hz
        kernels = choose_kernels(simple, self.goal)
        pairs = zip(kernels, simple.operators, strict=True)
        return tuple(scale * _instructions(simple, kernel, operator) for kernel, operator in pairs)


def _instructions(graph: Graph, kernel: Kernel, operator: Operator) -> float:
    known = kernel.instructions(graph, operator)
    return known or _INSTRUCTIONS_PER_OUTPUT * graph.tensors[operator.outputs[0]].elements
