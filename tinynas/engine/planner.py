"""From a simplified Graph to a Plan: groups, offsets and the schedule."""

from __future__ import annotations

from tinynas.engine.grouping import best_groups
from tinynas.engine.kernels import MOST_BYTES
from tinynas.engine.layout import lay_out
from tinynas.engine.plan import Placement, Plan
from tinynas.engine.schedule import schedule
from tinynas.engine.streaming import row_graph
from tinynas.errors import ModelError
from tinynas.graph import Graph


def plan_network(graph: Graph) -> Plan:
    """The plan with the smallest arena found for `graph`, which must be simplified.

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
    streamed = {tensor for group in groups for tensor in group.rings}
    maps = {
        tensor: Placement(offset, rows.streams[tensor].slots if tensor in streamed else shape.rows)
        for tensor, offset in layout.maps.items()
        for shape in (rows.shapes[tensor],)
    }
    return Plan(
        graph=graph,
        arena=layout.arena,
        bound=layout.bound,
        groups=tuple((group.first, group.end) for group in groups),
        group_bytes=tuple(group.bytes for group in groups),
        maps=maps,
        scratch=tuple(layout.working.get(op, 0) for op in range(len(rows))),
        kernels=tuple(kernel.function for kernel in rows.kernels),
        steps=schedule(rows, groups, layout.upwards),
    )
