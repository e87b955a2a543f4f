"""From a simplified Graph to a Plan: groups, offsets and the schedule."""

from __future__ import annotations

from dataclasses import dataclass

from tinynas.engine.grouping import Group, best_groups, least_bytes
from tinynas.engine.kernels import MOST_BYTES
from tinynas.engine.layout import Layout, lay_out
from tinynas.engine.plan import Placement, Plan
from tinynas.engine.schedule import schedule
from tinynas.engine.streaming import RowGraph, row_graph
from tinynas.errors import ModelError
from tinynas.graph import Graph


@dataclass(frozen=True)
class Arrangement:
    """A plan but for the order of its rows: `groups`, and where everything lies while they run.

    That is all that says how much memory a network takes.
    """

    rows: RowGraph
    groups: tuple[Group, ...]
    layout: Layout

    @property
    def arena(self) -> int:
        """Bytes of the arena."""
        return self.layout.arena

    def plan(self) -> Plan:
        """The plan: the schedule as well."""
        rows, layout = self.rows, self.layout
        rings = {tensor for group in self.groups for tensor in group.rings}
        streams = rows.streams
        return Plan(
            graph=rows.graph,
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


def arrange(graph: Graph) -> Arrangement:
    """The groups and places with the smallest arena found for `graph`, which must be simplified.

    Raises:
        ModelError: an operator that no kernel runs, nothing to run, or more memory than there is anywhere.
    """
    rows = row_graph(graph)
    groups = best_groups(rows)
    layout = lay_out(rows, groups)
    if layout.arena > MOST_BYTES:
        raise ModelError(
            f"{graph.name} needs {layout.arena:,} bytes at a time, more than a microcontroller holds: use "
            "smaller inputs"
        )
    return Arrangement(rows, groups, layout)


def least_arena(graph: Graph, enough: int = 0) -> int:
    """Bytes that a plan of `graph`, which must be simplified, takes at least, and hardly ever more.

    `enough` is the answer where a plan of so many bytes can be: that is found sooner.

    Raises:
        ModelError: an operator that no kernel runs, or nothing to run.
    """
    return least_bytes(row_graph(graph), enough)


def plan_network(graph: Graph) -> Plan:
    """The plan with the smallest arena found for `graph`, which must be simplified.

    Raises:
        ModelError: see `arrange`.
    """
    return arrange(graph).plan()
