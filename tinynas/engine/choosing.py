"""Which kernel runs each operator: the fastest that the goal allows, and less where memory is short."""

from __future__ import annotations

import enum
from collections.abc import Collection

from tinynas.engine.kernels import Kernel, Spends, candidates, fastest
from tinynas.graph import Graph


class Goal(enum.Enum):
    """What a plan is made for."""

    #: the smallest arena
    RAM = "ram"
    #: fast, with an arena at most a fifth (and 2 kB) larger and weights as small as in the file
    BALANCED = "balanced"
    #: fast, whatever it takes
    SPEED = "speed"

    @property
    def spends(self) -> Spends:
        """What kernels may take for it."""
        return _SPENDS[self]


_SPENDS = {
    Goal.RAM: Spends.NOTHING,
    Goal.BALANCED: Spends.ARENA,
    Goal.SPEED: Spends.ARENA | Spends.FLASH,
}


def choose_kernels(graph: Graph, goal: Goal, small: Collection[int] = ()) -> tuple[Kernel, ...]:
    """A kernel for every operator of `graph`; those of `small`, by index, get one that spends nothing.

    Raises:
        ModelError: an operator that no kernel runs.
    """
    return tuple(
        fastest(graph, index, candidates(graph, index, Spends.NOTHING if index in small else goal.spends))
        for index in range(len(graph.operators))
    )
