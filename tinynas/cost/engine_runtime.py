"""Our own engine as a runtime: what its plan takes of SRAM, and what its constants and code take of flash."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from tinynas.board import Board
from tinynas.cost.counts import Counts, Int, count
from tinynas.cost.engine_flash import counts_flash, has_weights, plan_flash
from tinynas.cost.estimates import FlashEstimate, MemoryRule, SramEstimate
from tinynas.cost.scratch import Kernels
from tinynas.engine.alike import has_values
from tinynas.engine.goals import Aim, Goal
from tinynas.engine.grouping import Group
from tinynas.engine.plan import Plan
from tinynas.engine.planner import Arrangement, arrange
from tinynas.engine.streaming import RowGraph
from tinynas.graph import Graph
from tinynas.graph.passes import simplify
from tinynas.graph.typical import with_typical_constants

#: SRAM and flash of a network are asked for one after the other: it is arranged once
_MOST_REMEMBERED = 4
_remembered: list[tuple[Graph, Aim, Arrangement]] = []

#: bytes from the first of a pair to before the second
_Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class EngineRuntime:
    """The engine of firmware/engine: a plan for each network, in one static arena of exactly its size.

    What is planned for is `aim`: its goal, within the most bytes that arena and constants may take.
    Beside the arena it needs a stack of less than 2 kB, which no runtime's figure counts.
    """

    aim: Aim = field(default_factory=Aim)
    name: str = field(default="engine", init=False)
    rule: MemoryRule = field(default=MemoryRule.STREAMED, init=False)
    carries_file: bool = field(default=False, init=False)

    @property
    def goal(self) -> Goal:
        """What plans are made for."""
        return self.aim.goal

    def runs(self, graph: Graph) -> Graph:
        """The network simplified: padding folded, borders and dead channels dropped."""
        return self.arrangement(graph).rows.graph

    def arrangement(self, graph: Graph) -> Arrangement:
        """How `graph`, simplified, lies, and by which kernels it runs.

        Raises:
            ModelError: an operator that the engine does not run.
        """
        # equal graphs may have other weights, so only the same one is known
        for known, aim, arranged in _remembered:
            if known is graph and aim == self.aim:
                return arranged
        arranged = arrange(self.prepared(graph), self.aim)
        _remembered[:] = [*_remembered[1 - _MOST_REMEMBERED :], (graph, self.aim, arranged)]
        return arranged

    def prepared(self, graph: Graph) -> Graph:
        """`graph` simplified, with all that the choice of its kernels depends on."""
        simple = simplify(graph)
        if self.goal is not Goal.RAM and has_values(simple) and not has_weights(simple):
            # the smallest kernels take any weights, faster ones have conditions
            return with_typical_constants(simple)
        return simple

    def plan(self, graph: Graph) -> Plan:
        """What runs, operator by operator, and in which order.

        Raises:
            ModelError: an operator that the engine does not run.
        """
        return self.arrangement(graph).plan()

    def reach(self, graph: Graph, board: Board) -> list[int]:
        """The highest end in the arena of what is alive while each operator's group runs."""
        arranged = self.arrangement(graph)
        return [
            max(end for _, end in _ranges(arranged, group))
            for group in arranged.groups
            for _ in range(group.first, group.end)
        ]

    def kernels(self, board: Board) -> Kernels:
        """None of TFLite Micro's."""
        return Kernels.NONE

    def sram(self, graph: Graph, board: Board) -> SramEstimate:
        """The plan's arena; scratch is the working memory of the group that needs most.

        Raises:
            ModelError: an operator that the engine does not run.
        """
        arranged = self.arrangement(graph)
        used = {group: _ranges(arranged, group) for group in arranged.groups}
        full = [group for group, ranges in used.items() if max(end for _, end in ranges) == arranged.arena]
        worst = max(full, key=lambda group: _covered(used[group]))
        scratch = _working_bytes(arranged.rows, worst)
        return SramEstimate(arranged.arena - scratch, scratch, tail=0, peak_operator=worst.first)

    def flash(self, graph: Graph, board: Board) -> FlashEstimate:
        """Packed weights, biases, tables, schedule, and the code of the kernels that are linked.

        Raises:
            ModelError: an operator that the engine does not run.
        """
        plan = self.plan(graph)
        if self.goal is not Goal.RAM and not has_weights(plan.graph):
            # what the smallest kernels take is known by counts, of others they have to be packed
            plan = replace(plan, graph=with_typical_constants(plan.graph))
        return plan_flash(plan, count(plan.graph), board)

    def tail_of(self, counts: Counts, board: Board) -> Int:
        """None."""
        return 0 * counts.tensors

    def planning_of(self, counts: Counts, board: Board) -> Int:
        """None: planned before it is compiled."""
        return 0 * counts.tensors

    def flash_of(self, counts: Counts, board: Board) -> Int:
        """Bytes of flash, but for the steps of the schedule beyond one an operator (4 bytes each)."""
        return counts_flash(counts, board)


def _working_bytes(rows: RowGraph, group: Group) -> int:
    """Working memory of the operators of `group` together: what is not kept is shared."""
    working = [(rows.working[op], rows.kernels[op].keeps) for op in range(group.first, group.end)]
    kept = sum(size for size, keeps in working if keeps)
    return kept + max((size for size, keeps in working if not keeps), default=0)


def _ranges(arranged: Arrangement, group: Group) -> list[_Range]:
    """The bytes of the arena in use while `group` runs."""
    rows, layout = arranged.rows, arranged.layout
    sizes = [(tensor, rows.streams[tensor].bytes) for tensor in group.whole]
    sizes += [(tensor, rows.streams[tensor].ring_bytes) for tensor in group.rings]
    places = [(layout.maps[tensor], size) for tensor, size in sizes]
    places += [
        (offset, rows.working[op])
        for op in range(group.first, group.end)
        if (offset := layout.working.get(op)) is not None
    ]
    return [(offset, offset + size) for offset, size in places]


def _covered(ranges: Iterable[_Range]) -> int:
    """Bytes that any of `ranges` covers."""
    total = reached = 0
    for low, high in sorted(ranges):
        total += max(0, high - max(low, reached))
        reached = max(reached, high)
    return total
