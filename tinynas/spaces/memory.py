"""A runtime's SRAM and flash for many networks of a space at once: what its Runtime says of each Graph.

Two rules exist: TFLite Micro's planned head, for which the bytes alive are a bound that settles most
networks, and the bytes alive themselves. Batches of several spaces are planned together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinynas.board import Board
from tinynas.cost.batch import Crowd, greedy_fits, greedy_heads, join
from tinynas.cost.counts import Counts
from tinynas.cost.runtime import MemoryRule, Runtime
from tinynas.cost.scratch import Kernels
from tinynas.spaces.batch import BlockBatch, Ints
from tinynas.spaces.buffers import Scratch, batch_buffers, crowd, live_peaks, tflm_scratch


@dataclass(frozen=True, slots=True)
class BatchMemory:
    """`runtime` on `board`: networks that are `planned` by TFLM's planner, or else need what is alive.

    `in_place` lets depthwise convolutions overwrite their input, which TFLM's planner never does.
    """

    runtime: Runtime
    board: Board
    planned: bool
    in_place: bool

    def flash(self, batch_counts: Counts) -> Ints:
        """Bytes of flash of each network: [n]."""
        return np.asarray(self.runtime.flash_of(batch_counts, self.board), np.int64)

    def tail(self, batch_counts: Counts) -> Ints:
        """Bytes of SRAM beside the head: [n]."""
        return np.asarray(self.runtime.tail_of(batch_counts, self.board), np.int64)

    def head_bounds(self, batch: BlockBatch) -> Ints:
        """Bytes below which no head can be: [n]."""
        live = live_peaks(batch, self._scratch(batch), rounded=self.planned, in_place=self.in_place)
        return np.maximum(live, self._planning(batch))

    def heads(self, batches: Sequence[BlockBatch]) -> list[Ints]:
        """Bytes of activations and scratch, or of planning them, batch by batch: [n] each."""
        if not self.planned:
            return [self.head_bounds(batch) for batch in batches]
        heads = greedy_heads(join([batch_buffers(batch, self._scratch(batch)) for batch in batches]))
        floors = np.concatenate([self._planning(batch) for batch in batches])
        return _apart(np.maximum(heads, floors), batches)

    def heads_fit(self, batches: Sequence[BlockBatch], limits: Sequence[Ints]) -> list[NDArray[np.bool_]]:
        """Whether each head takes no more than its limit, batch by batch: [n] each."""
        fits = [self.head_bounds(batch) <= limit for batch, limit in zip(batches, limits, strict=True)]
        if not self.planned:
            return fits
        likely = [batch.rows(fit) for batch, fit in zip(batches, fits, strict=True)]
        tables = [batch_buffers(batch, self._scratch(batch)) for batch in likely]
        crowds = [crowd(batch, self._scratch(batch)) for batch in likely]
        left = np.concatenate([limit[fit] for limit, fit in zip(limits, fits, strict=True)])
        together = Crowd(np.concatenate([each.bytes for each in crowds]), crowds[0].others)
        for fit, planned in zip(fits, _apart(greedy_fits(join(tables), left, together), likely), strict=True):
            fit[fit] = planned
        return fits

    def _planning(self, batch: BlockBatch) -> Ints:
        return np.asarray(self.runtime.planning_of(batch.counts(), self.board), np.int64)

    def _scratch(self, batch: BlockBatch) -> Scratch | None:
        kernels = self.runtime.kernels(self.board)
        if kernels is Kernels.NONE:
            return None
        return tflm_scratch(batch.blocks, batch.features, kernels)


def batch_memory(runtime: Runtime, board: Board) -> BatchMemory:
    """What `runtime` says of many networks on `board`."""
    planned = runtime.rule is MemoryRule.GREEDY
    return BatchMemory(runtime, board, planned, in_place=not planned)


def _apart(values: NDArray[Any], batches: Sequence[BlockBatch]) -> list[NDArray[Any]]:
    """`values` of all networks, batch by batch again."""
    return np.split(values, np.cumsum([len(batch) for batch in batches])[:-1])
