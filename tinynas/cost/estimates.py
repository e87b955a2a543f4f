"""What a runtime is to the search: something that says how much SRAM and flash a Graph takes.

MCUNet measured what that means (arXiv 2007.10319, table 4): under 320 kB the same search finds 55.5 % with
CMSIS-NN's memory and 61.8 % with TinyEngine's. So a runtime is an object that answers for one Graph piece by
piece, and for many networks at once through `Counts`.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Protocol

from tinynas.board import Board
from tinynas.cost.counts import Counts, Int
from tinynas.cost.scratch import Kernels
from tinynas.graph import Graph


class MemoryRule(enum.Enum):
    """How activations become bytes: planned by TFLM, only those alive, or streamed by rows by our engine."""

    GREEDY = "greedy"
    LIVE_IN_PLACE = "live-in-place"
    STREAMED = "streamed"


@dataclass(frozen=True, slots=True)
class SramEstimate:
    """Bytes of SRAM. `activations` without scratch, `scratch` what that adds to the plan, `tail` the rest.

    `planning` is what the runtime borrows at its start in the place of activations and scratch: only
    where it is more than those does it count. `peak_operator` is the (first) operator, by index, during
    which the most is in use.
    """

    activations: int
    scratch: int
    tail: int
    peak_operator: int
    planning: int = 0

    @property
    def head(self) -> int:
        """Activations with scratch: the head of TFLM's arena."""
        return self.activations + self.scratch

    @property
    def total(self) -> int:
        """The arena."""
        return max(self.head, self.planning) + self.tail


@dataclass(frozen=True, slots=True)
class FlashEstimate:
    """Bytes of flash: weights, biases, tables of numbers, the graph's description, the runtime's code."""

    weights: int
    biases: int
    tables: int
    graph: int
    code: int

    @property
    def constants(self) -> int:
        """All but code."""
        return self.total - self.code

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.biases + self.tables + self.graph + self.code


class Runtime(Protocol):
    """How much SRAM and flash a network takes under one runtime on a board.

    The methods ending in `_of` are the same arithmetic for one network or, on arrays, for many.
    Where they leave out what only a plan tells, they say so, and never give more than `sram` and `flash`.
    """

    @property
    def name(self) -> str:
        """What the command line calls it."""
        ...

    @property
    def rule(self) -> MemoryRule:
        """How activations become bytes."""
        ...

    @property
    def carries_file(self) -> bool:
        """Whether the .tflite file itself lies in flash."""
        ...

    def runs(self, graph: Graph) -> Graph:
        """What it makes of a network before it runs it; operators of an estimate are counted in that."""
        ...

    def reach(self, graph: Graph, board: Board) -> list[int]:
        """Bytes that activations and scratch reach up to during each operator of `runs(graph)`."""
        ...

    def kernels(self, board: Board) -> Kernels:
        """Whose rules scratch memory follows on `board`."""
        ...

    def sram(self, graph: Graph, board: Board) -> SramEstimate:
        """SRAM of one network."""
        ...

    def flash(self, graph: Graph, board: Board) -> FlashEstimate:
        """Flash of one network."""
        ...

    def tail_of(self, counts: Counts, board: Board) -> Int:
        """Bytes of SRAM beside the activations and scratch."""
        ...

    def planning_of(self, counts: Counts, board: Board) -> Int:
        """Bytes the runtime borrows at its start in the place of activations and scratch."""
        ...

    def flash_of(self, counts: Counts, board: Board) -> Int:
        """Bytes of flash in all."""
        ...
