"""A runtime's SRAM and flash for many networks of a space at once: what its Runtime says of each Graph.

How activations become bytes is a rule of its own (`HeadRule`), one for each `MemoryRule` of a runtime:
TFLite Micro's planned head, the bytes alive, the groups of our engine. Batches of several spaces are worked
on together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tinynas.board import Board
from tinynas.cost.batch import Crowd, greedy_fits, greedy_heads, join
from tinynas.cost.counts import Counts
from tinynas.cost.estimates import MemoryRule, Runtime
from tinynas.spaces.batch import BlockBatch, Ints
from tinynas.spaces.buffers import Scratch, batch_buffers, crowd, live_peaks, tflm_scratch
from tinynas.spaces.streamed import streamed_bounds

#: networks of a space planned at once when looking for the least SRAM
_FEW = 4


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of the networks of a batch: which stay within the limit [n], and the least SRAM that any takes."""

    fits: NDArray[np.bool_]
    least: int


class HeadRule(Protocol):
    """What activations and scratch take in many networks: the head."""

    def heads(self, batches: Sequence[BlockBatch]) -> list[Ints]:
        """Bytes of every head, batch by batch: [n] each."""
        ...

    def judge(self, batches: Sequence[BlockBatch], tails: Sequence[Ints], limit: int) -> list[Verdict]:
        """The verdict on each batch, given what each network takes beside its head and the bytes allowed."""
        ...


@dataclass(frozen=True, slots=True)
class PlannedHeads:
    """TFLite Micro's greedy plan, or the planning of it, exactly; the bytes alive settle most networks."""

    runtime: Runtime
    board: Board

    def heads(self, batches: Sequence[BlockBatch]) -> list[Ints]:
        """Bytes of activations and scratch, or of planning them."""
        heads = greedy_heads(join([batch_buffers(batch, self._scratch(batch)) for batch in batches]))
        floors = np.concatenate([self._planning(batch) for batch in batches])
        return _apart(np.maximum(heads, floors), batches)

    def judge(self, batches: Sequence[BlockBatch], tails: Sequence[Ints], limit: int) -> list[Verdict]:
        """Plans only those that the bytes alive leave open."""
        floors = [self._floors(batch) + tail for batch, tail in zip(batches, tails, strict=True)]
        fits = self._fit(batches, floors, tails, limit)
        least = self._least(batches, floors, tails)
        return [Verdict(fit, size) for fit, size in zip(fits, least, strict=True)]

    def _fit(
        self, batches: Sequence[BlockBatch], floors: Sequence[Ints], tails: Sequence[Ints], limit: int
    ) -> list[NDArray[np.bool_]]:
        fits = [np.asarray(floor <= limit) for floor in floors]
        likely = [batch.rows(fit) for batch, fit in zip(batches, fits, strict=True)]
        tables = [batch_buffers(batch, self._scratch(batch)) for batch in likely]
        crowds = [crowd(batch, self._scratch(batch)) for batch in likely]
        left = np.concatenate([limit - tail[fit] for tail, fit in zip(tails, fits, strict=True)])
        together = Crowd(np.concatenate([each.bytes for each in crowds]), crowds[0].others)
        for fit, planned in zip(fits, _apart(greedy_fits(join(tables), left, together), likely), strict=True):
            fit[fit] = planned
        return fits

    def _least(
        self, batches: Sequence[BlockBatch], floors: Sequence[Ints], tails: Sequence[Ints]
    ) -> list[int]:
        """The least SRAM a network of each batch takes: planned by rising floor, while that may be less."""
        orders = [np.argsort(floor, kind="stable") for floor in floors]
        least = [int(np.iinfo(np.int64).max)] * len(batches)
        open_, start = list(range(len(batches))), 0
        while open_:
            few = {i: orders[i][start : start + _FEW] for i in open_}
            heads = self.heads([batches[i].rows(rows) for i, rows in few.items()])
            for (i, rows), head in zip(few.items(), heads, strict=True):
                least[i] = min(least[i], int((head + tails[i][rows]).min()))
            start += _FEW
            open_ = [i for i in open_ if start < len(orders[i]) and floors[i][orders[i][start]] < least[i]]
        return least

    def _floors(self, batch: BlockBatch) -> Ints:
        """Bytes below which no head can be: [n]."""
        return np.maximum(live_peaks(batch, self._scratch(batch), rounded=True), self._planning(batch))

    def _planning(self, batch: BlockBatch) -> Ints:
        return np.asarray(self.runtime.planning_of(batch.counts(), self.board), np.int64)

    def _scratch(self, batch: BlockBatch) -> Scratch:
        return tflm_scratch(batch.blocks, batch.features, self.runtime.kernels(self.board))


class DirectHeads:
    """Heads that arithmetic gives at once: nothing has to be left open."""

    def __init__(self, heads: Callable[[Sequence[BlockBatch]], Ints]) -> None:
        """`heads` are those of all networks of all batches together: [n]."""
        self._heads = heads

    def heads(self, batches: Sequence[BlockBatch]) -> list[Ints]:
        """Bytes of every head."""
        return _apart(self._heads(batches), batches)

    def judge(self, batches: Sequence[BlockBatch], tails: Sequence[Ints], limit: int) -> list[Verdict]:
        """By every head."""
        sizes = [head + tail for head, tail in zip(self.heads(batches), tails, strict=True)]
        return [Verdict(np.asarray(size <= limit), int(size.min())) for size in sizes]


@dataclass(frozen=True, slots=True)
class BatchMemory:
    """`runtime` on `board`, for many networks."""

    runtime: Runtime
    board: Board
    rule: HeadRule

    def flash(self, batch_counts: Counts) -> Ints:
        """Bytes of flash of each network: [n]."""
        return np.asarray(self.runtime.flash_of(batch_counts, self.board), np.int64)

    def tail(self, batch_counts: Counts) -> Ints:
        """Bytes of SRAM beside the head: [n]."""
        return np.asarray(self.runtime.tail_of(batch_counts, self.board), np.int64)


def batch_memory(runtime: Runtime, board: Board) -> BatchMemory:
    """What `runtime` says of many networks on `board`."""
    return BatchMemory(runtime, board, _RULES[runtime.rule](runtime, board))


def _live_heads(batches: Sequence[BlockBatch]) -> Ints:
    return np.concatenate([live_peaks(batch, in_place=True) for batch in batches])


_RULES: Mapping[MemoryRule, Callable[[Runtime, Board], HeadRule]] = {
    MemoryRule.GREEDY: PlannedHeads,
    MemoryRule.LIVE_IN_PLACE: lambda runtime, board: DirectHeads(_live_heads),
    MemoryRule.STREAMED: lambda runtime, board: DirectHeads(streamed_bounds),
}


def _apart(values: NDArray[Any], batches: Sequence[BlockBatch]) -> list[NDArray[Any]]:
    """`values` of all networks, batch by batch again."""
    return np.split(values, np.cumsum([len(batch) for batch in batches])[:-1])
