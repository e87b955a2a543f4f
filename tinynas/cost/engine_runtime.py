"""Our own engine as a runtime: what its plan takes of SRAM, and what its constants and code take of flash."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tinynas.board import Board
from tinynas.cost.counts import Counts, Int, count
from tinynas.cost.engine_flash import counts_flash, plan_flash
from tinynas.cost.estimates import FlashEstimate, MemoryRule, SramEstimate
from tinynas.cost.scratch import Kernels
from tinynas.engine.plan import Plan
from tinynas.engine.planner import plan_network
from tinynas.engine.streaming import RowGraph, aligned, row_graph
from tinynas.graph import Graph
from tinynas.graph.passes import simplify

#: SRAM and flash of a network are asked for one after the other: its plan is made once
_MOST_REMEMBERED = 4
_remembered: list[tuple[Graph, Plan]] = []

#: bytes from the first of a pair to before the second
_Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class EngineRuntime:
    """The engine of firmware/engine: a plan for each network, in one static arena of exactly its size.

    Beside the arena it needs a stack of less than 2 kB, which no runtime's figure counts.
    """

    name: str = "engine"
    rule: MemoryRule = MemoryRule.STREAMED
    carries_file: bool = False

    def runs(self, graph: Graph) -> Graph:
        """The network simplified: padding folded, borders and dead channels dropped."""
        return _plan_of(graph).graph

    def reach(self, graph: Graph, board: Board) -> list[int]:
        """The highest end in the arena of what is alive while each operator's group runs."""
        plan = _plan_of(graph)
        used = _ranges_by_group(plan, row_graph(plan.graph))
        return [
            max(end for _, end in ranges)
            for (first, end), ranges in zip(plan.groups, used, strict=True)
            for _ in range(first, end)
        ]

    def kernels(self, board: Board) -> Kernels:
        """None of TFLite Micro's."""
        return Kernels.NONE

    def sram(self, graph: Graph, board: Board) -> SramEstimate:
        """The plan's arena; scratch is the working memory of the group that needs most.

        Raises:
            ModelError: an operator that the engine does not run.
        """
        plan = _plan_of(graph)
        rows = row_graph(plan.graph)
        used = _ranges_by_group(plan, rows)
        full = [number for number, ranges in enumerate(used) if max(end for _, end in ranges) == plan.arena]
        worst = max(full, key=lambda number: _covered(used[number]))
        first, end = plan.groups[worst]
        scratch = _working_bytes(rows, first, end)
        return SramEstimate(plan.arena - scratch, scratch, tail=0, peak_operator=first)

    def flash(self, graph: Graph, board: Board) -> FlashEstimate:
        """Packed weights, biases, tables, schedule, and the code of the kernels that are linked.

        Raises:
            ModelError: an operator that the engine does not run.
        """
        plan = _plan_of(graph)
        return plan_flash(plan, count(plan.graph))

    def tail_of(self, counts: Counts, board: Board) -> Int:
        """None."""
        return 0 * counts.tensors

    def planning_of(self, counts: Counts, board: Board) -> Int:
        """None: planned before it is compiled."""
        return 0 * counts.tensors

    def flash_of(self, counts: Counts, board: Board) -> Int:
        """Bytes of flash, but for the steps of the schedule beyond one an operator (4 bytes each)."""
        return counts_flash(counts)


def _plan_of(graph: Graph) -> Plan:
    """The plan of `graph` simplified; equal graphs may have other weights, so only the same one is known."""
    for known, plan in _remembered:
        if known is graph:
            return plan
    plan = plan_network(simplify(graph))
    _remembered[:] = [*_remembered[1 - _MOST_REMEMBERED :], (graph, plan)]
    return plan


def _working_bytes(rows: RowGraph, first: int, end: int) -> int:
    """Working memory of the operators `first`..`end` - 1 together: what is not kept is shared."""
    kept = sum(rows.working[op] for op in range(first, end) if rows.kernels[op].keeps)
    return kept + max((rows.working[op] for op in range(first, end) if not rows.kernels[op].keeps), default=0)


def _ranges_by_group(plan: Plan, rows: RowGraph) -> list[list[_Range]]:
    """The bytes of the arena in use while each group runs."""
    places = {
        tensor: (place.offset, place.offset + aligned(place.slots * rows.shapes[tensor].row_bytes))
        for tensor, place in plan.maps.items()
    }
    last = {tensor: operators[-1][0] for tensor, operators in rows.consumers.items() if operators}
    last |= dict.fromkeys(plan.graph.outputs, len(rows))
    found = []
    for first, end in plan.groups:
        maps = [
            places[tensor]
            for tensor in places
            if rows.producers.get(tensor, -1) < end and last.get(tensor, -1) >= first
        ]
        working = [(plan.scratch[op], plan.scratch[op] + rows.working[op]) for op in range(first, end)]
        found.append([*maps, *working])
    return found


def _covered(ranges: Iterable[_Range]) -> int:
    """Bytes that any of `ranges` covers."""
    total = reached = 0
    for low, high in sorted(ranges):
        total += max(0, high - max(low, reached))
        reached = max(reached, high)
    return total
