"""TensorFlow Lite Micro as a runtime."""

from __future__ import annotations

from dataclasses import dataclass

from tinynas.board import Board
from tinynas.cost.counts import Counts, Int, count
from tinynas.cost.estimates import FlashEstimate, MemoryRule, SramEstimate
from tinynas.cost.flash import graph_structure, quantisation_tables, tflm_code
from tinynas.cost.memory import ALIGNMENT, Buffers, Plan, buffers, plan_greedy
from tinynas.cost.scratch import Kernels, scratch_of
from tinynas.cost.tail import MCU_CMSIS_NN, MCU_REFERENCE, planning_bytes, tail_bytes
from tinynas.graph import Graph


@dataclass(frozen=True, slots=True)
class TflmRuntime:
    """TensorFlow Lite Micro: exact head, with scratch of CMSIS-NN where the board has DSP, and a tail model.

    The tail is that of 4-byte pointers: equal to the byte in 4 of the 7 firmwares measured, 16 bytes
    above in 3. Stack and the application's own data are not in it.
    """

    name: str = "tflm"
    rule: MemoryRule = MemoryRule.GREEDY
    carries_file: bool = True

    def runs(self, graph: Graph) -> Graph:
        """The network as it is."""
        return graph

    def reach(self, graph: Graph, board: Board) -> list[int]:
        """The highest end of a planned buffer that is alive during each operator."""
        table = buffers(graph, scratch_of(graph, self.kernels(board)))
        plan = plan_greedy(table)
        ends = plan.offsets + -(-table.sizes // ALIGNMENT) * ALIGNMENT
        return [
            int(ends[(table.first <= index) & (index <= table.last)].max(initial=0))
            for index in range(len(graph.operators))
        ]

    def kernels(self, board: Board) -> Kernels:
        """CMSIS-NN on cores with DSP, else the reference kernels."""
        return Kernels.CMSIS_NN if board.dsp else Kernels.REFERENCE

    def sram(self, graph: Graph, board: Board) -> SramEstimate:
        """The arena: greedy plan of activations and scratch, and the tail."""
        whole = buffers(graph, scratch_of(graph, self.kernels(board)))
        plan = plan_greedy(whole)
        # a greedy plan can, rarely, be shorter with more to place
        activations = min(plan_greedy(whole.activations()).peak, plan.peak)
        counts = count(graph)
        return SramEstimate(
            activations,
            plan.peak - activations,
            int(self.tail_of(counts, board)),
            _peak_operator(whole, plan),
            int(self.planning_of(counts, board)),
        )

    def flash(self, graph: Graph, board: Board) -> FlashEstimate:
        """The .tflite file and the firmware's code."""
        counts = count(graph)
        return FlashEstimate(
            int(counts.weight_bytes),
            int(counts.bias_bytes),
            int(quantisation_tables(counts)),
            int(graph_structure(counts)),
            int(tflm_code(counts)),
        )

    def tail_of(self, counts: Counts, board: Board) -> Int:
        """Bytes of the arena's tail."""
        return tail_bytes(counts, MCU_CMSIS_NN if board.dsp else MCU_REFERENCE)

    def planning_of(self, counts: Counts, board: Board) -> Int:
        """Bytes of the memory planner's records."""
        return planning_bytes(counts, MCU_CMSIS_NN if board.dsp else MCU_REFERENCE)

    def flash_of(self, counts: Counts, board: Board) -> Int:
        """Bytes of the .tflite file and the code."""
        file = counts.weight_bytes + counts.bias_bytes + quantisation_tables(counts) + graph_structure(counts)
        return file + tflm_code(counts)


def _peak_operator(table: Buffers, plan: Plan) -> int:
    """The first operator alive beside the buffer that reaches the plan's end."""
    if not len(table.sizes):
        return 0
    highest = int((plan.offsets + table.sizes).argmax())
    return max(0, int(table.first[highest]))
