"""Runtimes: what runs a network on the board decides what the network costs there.

MCUNet measured it (arXiv 2007.10319, table 4): under 320 kB the same search finds 55.5 % with
CMSIS-NN's memory and 61.8 % with TinyEngine's. So a runtime is an object that says how much SRAM and
flash a Graph takes, for one Graph piece by piece, and for many networks at once through `Counts`.
"""

from __future__ import annotations

import difflib
import enum
from dataclasses import dataclass
from typing import Protocol

from tinynas.board import Board
from tinynas.cost.counts import Counts, Int, count
from tinynas.cost.flash import graph_structure, quantisation_tables, tflm_code
from tinynas.cost.memory import Buffers, Plan, buffers, live_peak, plan_greedy
from tinynas.cost.scratch import Kernels, scratch_of
from tinynas.cost.tail import MCU_CMSIS_NN, MCU_REFERENCE, planning_bytes, tail_bytes
from tinynas.errors import RequestError
from tinynas.graph import Graph


class MemoryRule(enum.Enum):
    """How activations become bytes: planned by TFLM, or only those alive, depthwise in place."""

    GREEDY = "greedy"
    LIVE_IN_PLACE = "live-in-place"


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
    """Bytes of flash: weights, biases, tables of scales, the graph's description, the runtime's code."""

    weights: int
    biases: int
    tables: int
    graph: int
    code: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.biases + self.tables + self.graph + self.code


class Runtime(Protocol):
    """How much SRAM and flash a network takes under one runtime on a board.

    The methods ending in `_of` are the same arithmetic for one network or, on arrays, for many.
    """

    @property
    def name(self) -> str:
        """What the command line calls it."""
        ...

    @property
    def rule(self) -> MemoryRule:
        """How activations become bytes."""
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


@dataclass(frozen=True, slots=True)
class TflmRuntime:
    """TensorFlow Lite Micro: exact head, with scratch of CMSIS-NN where the board has DSP, and a tail model.

    The tail is that of 4-byte pointers: equal to the byte in 4 of the 7 firmwares measured, 16 bytes
    above in 3. Stack and the application's own data are not in it.
    """

    name: str = "tflm"
    rule: MemoryRule = MemoryRule.GREEDY

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


@dataclass(frozen=True, slots=True)
class LiveRuntime:
    """A bound no runtime of layers beats: live bytes with depthwise in place; weights, biases and tables."""

    name: str = "live"
    rule: MemoryRule = MemoryRule.LIVE_IN_PLACE

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


_RUNTIMES: tuple[Runtime, ...] = (TflmRuntime(), LiveRuntime())


def runtimes() -> tuple[Runtime, ...]:
    """Every runtime there is."""
    return _RUNTIMES


def find_runtime(name: str) -> Runtime:
    """The runtime of that name.

    Raises:
        RequestError: there is none; the nearest is suggested.
    """
    known = {runtime.name: runtime for runtime in _RUNTIMES}
    if name.lower() in known:
        return known[name.lower()]
    near = difflib.get_close_matches(name.lower(), known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"the runtimes are {', '.join(known)}"
    raise RequestError(f"'{name}' is not a runtime: {hint}")


def _multipliers(counts: Counts) -> Int:
    """An int32 multiplier and an int32 shift a channel: what integer arithmetic cannot do without."""
    return 8 * counts.total_channels


def _peak_operator(table: Buffers, plan: Plan) -> int:
    """The first operator alive beside the buffer that reaches the plan's end."""
    if not len(table.sizes):
        return 0
    highest = int((plan.offsets + table.sizes).argmax())
    return max(0, int(table.first[highest]))
