"""From a simplified Graph to a Plan: groups, offsets and the schedule."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tinynas.engine.alike import tasks_of
from tinynas.engine.choosing import Choices
from tinynas.engine.goals import Aim, Goal
from tinynas.engine.grouping import Group, best_groups, least_bytes
from tinynas.engine.kernels import MOST_BYTES, Form, Kernel, Spends
from tinynas.engine.layout import Layout, lay_out
from tinynas.engine.leaner import Constants
from tinynas.engine.plan import Placement, Plan
from tinynas.engine.rows import map_shape
from tinynas.engine.schedule import schedule
from tinynas.engine.streaming import RowGraph, row_graph
from tinynas.errors import ModelError
from tinynas.graph import Graph

#: what a balanced plan may take beyond the smallest arena: percent of it, and some bytes for small networks
_BALANCED_PERCENT, _BALANCED_BYTES = 40, 1024


@dataclass(frozen=True)
class Arrangement:
    """A plan but for the order of its rows: `groups`, and where everything lies while they run.

    That is all that says how much memory a network takes.
    """

    rows: RowGraph
    groups: tuple[Group, ...]
    layout: Layout
    goal: Goal

    @property
    def arena(self) -> int:
        """Bytes of the arena."""
        return self.layout.arena

    @property
    def instructions(self) -> float:
        """Modelled ones of an inference, of kernels that there is a choice of (`tinynas.engine.costs`)."""
        pairs = zip(self.rows.kernels, tasks_of(self.rows.graph), strict=True)
        return sum(kernel.instructions(task) for kernel, task in pairs)

    def plan(self) -> Plan:
        """The plan: the schedule as well."""
        rows, layout = self.rows, self.layout
        rings = {tensor for group in self.groups for tensor in group.rings}
        streams = rows.streams
        return Plan(
            graph=rows.graph,
            goal=self.goal,
            arena=layout.arena,
            bound=layout.bound,
            groups=tuple((group.first, group.end) for group in self.groups),
            group_bytes=tuple(group.bytes for group in self.groups),
            maps={
                tensor: Placement(
                    offset, streams[tensor].slots if tensor in rings else streams[tensor].shape.rows
                )
                for tensor, offset in layout.maps.items()
            },
            scratch=tuple(layout.working.get(op, 0) for op in range(len(rows))),
            kernels=tuple(kernel.function for kernel in rows.kernels),
            steps=schedule(rows, self.groups, layout.upwards),
        )


def arrange(graph: Graph, aim: Aim | None = None) -> Arrangement:
    """Groups and places for `graph`, which must be simplified: for `Goal.RAM` the smallest arena found.

    For another goal kernels may spend memory to be faster, within the arena of `aim` where that is given and
    can be met: those that spend most in the groups that need too much are exchanged for smaller ones. In the
    same way all constants, the schedule's too, stay within those of `aim`.

    Raises:
        ModelError: an operator that no kernel runs, nothing to run, or more memory than there is anywhere.
    """
    aim = aim or Aim()
    if aim.goal is Goal.RAM:
        return _arrange(row_graph(graph), aim.goal)
    arena = _most_arena(graph, aim)
    without: dict[int, set[str]] = {}
    choices = Choices(graph, aim)
    sizes = Constants(choices)
    while True:
        kernels = choices.choose(without)
        if aim.constants is not None and (leaner := sizes.leaner(kernels, aim.constants)):
            for index, functions in leaner.items():
                without.setdefault(index, set()).update(functions)
            continue
        arranged = _arrange(row_graph(graph, kernels), aim.goal)
        if arena is None or arranged.arena <= arena or not _give_back(arranged, arena, choices, without):
            return arranged


def arrangements(graph: Graph, aim: Aim) -> Iterator[Arrangement]:
    """Those of `graph`, which must be simplified, that `arrange` makes for ever smaller arenas.

    The first is that of the fastest kernels for the goal of `aim`, whose limits do not count; after the last
    no kernel spends any of the arena.

    Raises:
        ModelError: as `arrange`.
    """
    choices, without = Choices(graph, aim), dict[int, set[str]]()
    while True:
        arranged = _arrange(row_graph(graph, choices.choose(without)), aim.goal)
        yield arranged
        if not _give_back(arranged, arranged.arena - 1, choices, without):
            return


def arrange_by(graph: Graph, kernels: Sequence[Kernel], goal: Goal) -> Arrangement:
    """Groups and places for `graph`, which must be simplified, run by `kernels`.

    Raises:
        ModelError: nothing to run, or more memory than there is anywhere.
    """
    return _arrange(row_graph(graph, kernels), goal)


def arrange_in(arranged: Arrangement, arena: int) -> Arrangement:
    """The same kernels in as many groups as stay within `arena` bytes, instead of within the fewest."""
    groups = best_groups(arranged.rows, arena)
    if groups == arranged.groups:
        return arranged
    return replace(arranged, groups=groups, layout=lay_out(arranged.rows, groups))


def _give_back(arranged: Arrangement, arena: int, choices: Choices, without: dict[int, set[str]]) -> bool:
    """Do without all that spends for an operator, if any does, so that the arena may come down to `arena`."""
    too_large = _most_spending(arranged, arena)
    if too_large is None:
        return False
    without[too_large] = {kernel.function for kernel, _ in choices.able[too_large] if kernel.spends}
    return True


def _most_arena(graph: Graph, aim: Aim) -> int | None:
    """Bytes that the arena may take."""
    if aim.goal is not Goal.BALANCED:
        return aim.arena
    return balanced_arena(_arrange(row_graph(graph), aim.goal).arena, aim)


def balanced_arena(least: int, aim: Aim) -> int:
    """Bytes that the arena of a balanced plan may take for `aim`, where the smallest one takes `least`."""
    most = least + least * _BALANCED_PERCENT // 100 + _BALANCED_BYTES
    return most if aim.arena is None else min(aim.arena, most)


def least_arena(graph: Graph, enough: int = 0) -> int:
    """Bytes that a plan of `graph`, which must be simplified, takes at least, and hardly ever more.

    `enough` is the answer where a plan of so many bytes can be: that is found sooner.

    Raises:
        ModelError: an operator that no kernel runs, or nothing to run.
    """
    return least_bytes(row_graph(graph), enough)


def plan_network(graph: Graph, aim: Aim | None = None) -> Plan:
    """The plan for `graph`, which must be simplified, that `arrange` finds.

    Raises:
        ModelError: see `arrange`.
    """
    return arrange(graph, aim).plan()


def _most_spending(arranged: Arrangement, arena: int) -> int | None:
    """The operator whose kernel spends most in the group that needs most, if that is more than `arena` bytes.

    Of other groups it is not known that they need as much: they are as large as the worst lets them be. Where
    no group needs more, and only the layout does, it may be of any.
    """
    rows = arranged.rows
    spending = [op for op, kernel in enumerate(rows.kernels) if kernel.spends & Spends.ARENA]
    most = max(group.bytes for group in arranged.groups)
    large = [
        op
        for group in arranged.groups
        for op in spending
        if group.first <= op < group.end and group.bytes == most > arena
    ]
    return max(large or spending, key=lambda op: _spent(rows, op), default=None)


def _spent(rows: RowGraph, operator: int) -> int:
    """Bytes of working memory, and those that planes take more than rows."""
    if rows.kernels[operator].reads is Form.ROWS:
        return rows.working[operator]
    stream = rows.streams[rows.graph.operators[operator].inputs[0]]
    plain = map_shape(rows.graph.tensors[stream.tensor])
    return rows.working[operator] + stream.slots * (stream.shape.row_bytes - plain.row_bytes)


def _arrange(rows: RowGraph, goal: Goal) -> Arrangement:
    groups = best_groups(rows)
    layout = lay_out(rows, groups)
    if layout.arena > MOST_BYTES:
        raise ModelError(
            f"{rows.graph.name} needs {layout.arena:,} bytes at a time, more than a microcontroller holds: "
            "use smaller inputs"
        )
    return Arrangement(rows, groups, layout, goal)
