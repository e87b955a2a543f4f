"""Where activations lie in SRAM: lifetimes, TFLite Micro's greedy planner, and the live-bytes bound.

`plan_greedy` is TFLM's GreedyMemoryPlanner to the byte: buffers by falling size, of equal ones the last
added first, each at the first gap that its lifetime leaves free. `live_peak` is the least any planner
could need: the bytes that are alive while one operator runs.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinynas.graph import Graph, Operator, OpKind

#: TFLM rounds every buffer of the head up to this many bytes
ALIGNMENT = 16


@dataclass(frozen=True)
class Buffers:
    """Buffers in the order TFLM adds them: activations by tensor index, then scratch by operator.

    `sizes` in bytes (not rounded), `first` and `last` are the operators (by index) between which a
    buffer is alive, both included; int64 arrays of one length. Inputs of the network begin at -1,
    before the first operator. `tensors` is the tensor's index, -1 for scratch.
    """

    sizes: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    tensors: NDArray[np.int64]

    def activations(self) -> Buffers:
        """The same without scratch."""
        kept = self.tensors >= 0
        return Buffers(self.sizes[kept], self.first[kept], self.last[kept], self.tensors[kept])


@dataclass(frozen=True)
class Plan:
    """Offsets in bytes, one a buffer, and the bytes the whole plan takes."""

    offsets: NDArray[np.int64]
    peak: int


@dataclass(frozen=True, slots=True)
class LivePeak:
    """The most bytes alive at once, and the operator (by index) during which they are."""

    bytes: int
    operator: int


def buffers(graph: Graph, scratch: Mapping[int, Sequence[int]] | None = None) -> Buffers:
    """Every buffer of the arena's head. `scratch` has the requests in bytes of an operator, by its index.

    Kept out: constants, variables and empty tensors, as TFLM does.
    """
    first = dict.fromkeys(graph.inputs, -1)
    last = dict(first)
    for index, operator in enumerate(graph.operators):
        for tensor in operator.outputs:
            first.setdefault(tensor, index)
            last[tensor] = index
        for tensor in operator.inputs:
            if tensor in first:
                last[tensor] = index
    for tensor in graph.outputs:
        first.setdefault(tensor, len(graph.operators) - 1)
        last[tensor] = len(graph.operators) - 1
    rows = [
        (size, first[i], last[i], i)
        for i in sorted(first)
        if not graph.tensors[i].constant and (size := graph.tensors[i].size_bytes)
    ]
    rows += [(size, op, op, -1) for op, sizes in sorted((scratch or {}).items()) for size in sizes]
    table = np.array(rows, np.int64).reshape(-1, 4)
    return Buffers(*(np.ascontiguousarray(column) for column in table.T))


def plan_greedy(buffers: Buffers) -> Plan:
    """TFLM's plan for `buffers`, sizes rounded up to 16 bytes."""
    sizes = (-(-buffers.sizes // ALIGNMENT) * ALIGNMENT).tolist()
    first, last = buffers.first.tolist(), buffers.last.tolist()
    offsets = [0] * len(sizes)
    # of equal offsets TFLM keeps the earlier placed first: the placing number orders them
    placed: list[tuple[int, int, int]] = []
    peak = 0
    for number, i in enumerate(sorted(range(len(sizes)), key=lambda i: (-sizes[i], -i))):
        begin, end, size, offset = first[i], last[i], sizes[i], 0
        for start, _, j in placed:
            if first[j] > end or last[j] < begin:
                continue
            if start - offset >= size:
                break
            offset = max(offset, start + sizes[j])
        offsets[i] = offset
        insort(placed, (offset, number, i))
        peak = max(peak, offset + size)
    return Plan(np.array(offsets, np.int64), peak)


def live_bytes(graph: Graph, in_place_depthwise: bool) -> NDArray[np.int64]:
    """Bytes alive while each operator runs: [operators].

    With `in_place_depthwise` a depthwise convolution overwrites its input channel by channel
    (MCUNet, section 3.2): it needs its input and one output channel instead of input and output. That
    is possible where nothing else reads its input later and its multiplier is 1.
    """
    table = buffers(graph)
    steps = np.arange(len(graph.operators))[:, None]
    alive = (table.first <= steps) & (steps <= table.last)
    totals: NDArray[np.int64] = alive @ table.sizes
    if in_place_depthwise:
        last = dict(zip(table.tensors.tolist(), table.last.tolist(), strict=True))
        for index, operator in enumerate(graph.operators):
            if _overwrites_input(graph, operator, last.get(operator.inputs[0], -1) == index):
                output = graph.tensors[operator.outputs[0]]
                totals[index] -= output.size_bytes - output.size_bytes // output.shape[-1]
    return totals


def live_peak(graph: Graph, in_place_depthwise: bool) -> LivePeak:
    """The most bytes alive while one operator runs, see `live_bytes`: a lower bound of every plan."""
    totals = live_bytes(graph, in_place_depthwise)
    if not len(totals):
        return LivePeak(int(buffers(graph).sizes.sum()), 0)
    peak = int(totals.argmax())
    return LivePeak(int(totals[peak]), peak)


def _overwrites_input(graph: Graph, operator: Operator, input_ends_here: bool) -> bool:
    if operator.kind is not OpKind.DEPTHWISE_CONV_2D or not input_ends_here:
        return False
    source, result = operator.inputs[0], operator.outputs[0]
    fits = graph.tensors[result].size_bytes <= graph.tensors[source].size_bytes
    return fits and operator.depth_multiplier == 1 and source not in graph.outputs
