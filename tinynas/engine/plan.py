"""What the planner decides and the C engine walks through: where rows lie, and which is made when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tinynas.engine.goals import Goal
from tinynas.graph import Graph

#: every offset in the arena, and the arena's size, are multiples of this many bytes
ALIGNMENT = 4


def aligned(size: int) -> int:
    """`size` in bytes rounded up to the arena's alignment."""
    return -(-size // ALIGNMENT) * ALIGNMENT


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a feature map lies: `slots` rows from `offset` (bytes) on; row y is in slot y % slots.

    A map that is `whole` has a slot for every row, so it lies in memory as the NHWC tensor does.
    """

    offset: int
    slots: int


@dataclass(frozen=True, slots=True)
class Step:
    """`count` consecutive steps of operator `operator` (an index), from its step `first` on.

    A negative count runs down: steps first, first - 1, ..., as many as its magnitude.
    """

    operator: int
    first: int
    count: int

    @property
    def numbers(self) -> range:
        """The steps, in their order."""
        return range(self.first, self.first + self.count, 1 if self.count > 0 else -1)


@dataclass(frozen=True)
class Plan:
    """A schedule for `graph` (simplified, see `tinynas.graph.passes`) in `arena` bytes.

    `maps` is keyed by tensor index and holds every activation, the network's inputs and outputs too,
    which are whole. `scratch` has each operator's working memory, an offset in bytes (0 where it needs
    none). `kernels` names each operator's C function. `groups` are the operators run together, as
    (first, end), and `group_bytes` what each needs; `bound`, the worst of that, no layout can beat.
    """

    graph: Graph
    goal: Goal
    arena: int
    bound: int
    groups: tuple[tuple[int, int], ...]
    group_bytes: tuple[int, ...]
    maps: dict[int, Placement]
    scratch: tuple[int, ...]
    kernels: tuple[str, ...]
    steps: tuple[Step, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``--json``, sizes in bytes; operators of a group are named by index."""
        return {
            "optimize": self.goal.value,
            "arena_bytes": self.arena,
            "bound_bytes": self.bound,
            "groups": [
                {"operators": list(range(first, end)), "bytes": size}
                for (first, end), size in zip(self.groups, self.group_bytes, strict=True)
            ],
            "operators": [
                {
                    "index": index,
                    "operator": operator.kind.value,
                    "kernel": self.kernels[index],
                    "output_shape": list(self.graph.tensors[operator.outputs[0]].shape),
                    "offset": self.maps[operator.outputs[0]].offset,
                    "rows_kept": self.maps[operator.outputs[0]].slots,
                }
                for index, operator in enumerate(self.graph.operators)
            ],
            "steps": len(self.steps),
        }
