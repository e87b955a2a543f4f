"""The least that a runtime of whole layers could take."""

from __future__ import annotations

from dataclasses import dataclass

from tinynas.board import Board
from tinynas.cost.counts import Counts, Int, count
from tinynas.cost.estimates import FlashEstimate, MemoryRule, SramEstimate
from tinynas.cost.memory import live_bytes, live_peak
from tinynas.cost.scratch import Kernels
from tinynas.graph import Graph


@dataclass(frozen=True, slots=True)
class LiveRuntime:
    """A bound no runtime of layers beats: live bytes with depthwise in place; weights, biases and tables."""

    name: str = "live"
    rule: MemoryRule = MemoryRule.LIVE_IN_PLACE
    carries_file: bool = False

    def runs(self, graph: Graph) -> Graph:
        """The network as it is."""
        return graph

    def reach(self, graph: Graph, board: Board) -> list[int]:
        """The bytes alive during each operator."""
        return [int(size) for size in live_bytes(graph, in_place_depthwise=True)]

    def kernels(self, board: Board) -> Kernels:
        """No kernel's scratch counts."""
        return Kernels.NONE

    def sram(self, graph: Graph, board: Board) -> SramEstimate:
        """The live peak."""
        peak = live_peak(graph, in_place_depthwise=True)
        return SramEstimate(peak.bytes, 0, 0, peak.operator)

    def flash(self, graph: Graph, board: Board) -> FlashEstimate:
        """Weights, biases and the multipliers."""
        counts = count(graph)
        return FlashEstimate(
            int(counts.weight_bytes), int(counts.bias_bytes), int(_multipliers(counts)), graph=0, code=0
        )

    def tail_of(self, counts: Counts, board: Board) -> Int:
        """None."""
        return 0 * counts.tensors

    def planning_of(self, counts: Counts, board: Board) -> Int:
        """None."""
        return 0 * counts.tensors

    def flash_of(self, counts: Counts, board: Board) -> Int:
        """Bytes of weights, biases and multipliers."""
        return counts.weight_bytes + counts.bias_bytes + _multipliers(counts)


def _multipliers(counts: Counts) -> Int:
    """An int32 multiplier and an int32 shift a channel: what integer arithmetic cannot do without."""
    return 8 * counts.total_channels
