"""TFLM's greedy planner for many networks at once, equal to `plan_greedy` network by network.

`greedy_heads` places one buffer of every network a step. `greedy_fits` only says who stays within a
limit, which a few steps settle for most: a head never shrinks, one more buffer raises it by no more than
its size, and no buffer ends above all that is alive with it and the gaps between (`Crowd`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tinynas.cost.memory import ALIGNMENT

Ints = NDArray[np.int64]

#: networks planned together: their tables (about a kilobyte of int32 each) stay in the cache
_CHUNK = 1024
#: steps of the planner between two looks at who is decided
_STRIDE = 6
_FAR = np.iinfo(np.int32).max


@dataclass(frozen=True)
class BufferBatch:
    """Buffers of n networks, [n, columns]; a size of zero is a buffer the network lacks.

    `sizes` in bytes (not rounded), `first` and `last` the operators between which a buffer is alive, as in
    `tinynas.cost.memory.Buffers`. `added` [columns] ranks columns by when TFLM adds them. Buffers alive
    together stand at most `reach` columns apart: that is what makes planning a chain cheap.
    """

    sizes: NDArray[np.int32]
    first: NDArray[np.int32]
    last: NDArray[np.int32]
    added: Ints
    reach: int

    def __len__(self) -> int:
        return len(self.sizes)

    def rows(self, selection: slice | Ints | NDArray[np.bool_]) -> BufferBatch:
        """The selected networks."""
        return replace(
            self, sizes=self.sizes[selection], first=self.first[selection], last=self.last[selection]
        )


def join(batches: Sequence[BufferBatch]) -> BufferBatch:
    """The networks of all `batches`, which must have the same columns."""
    return replace(
        batches[0],
        sizes=np.concatenate([batch.sizes for batch in batches]),
        first=np.concatenate([batch.first for batch in batches]),
        last=np.concatenate([batch.last for batch in batches]),
    )


@dataclass(frozen=True)
class Crowd:
    """How crowded n networks are at most: a buffer and all that are alive with it, rounded to 16 bytes.

    `bytes` [n] bounds their sizes together, `others` their number without the buffer. First fit leaves
    only gaps smaller than the buffer it places: so a buffer ends at most `others` times its size above
    `bytes`, and once the largest buffer left is small enough the network is settled.
    """

    bytes: Ints
    others: int


def greedy_heads(buffers: BufferBatch) -> Ints:
    """Bytes of TFLM's plan for every network: [n], equal to `plan_greedy(...).peak`."""
    heads = np.zeros(len(buffers), np.int64)
    for chunk in _chunks(len(buffers)):
        planner = _Planner(buffers.rows(chunk))
        while planner.step():
            pass
        heads[chunk] = planner.heads
    return heads


def greedy_fits(buffers: BufferBatch, limits: Ints, crowd: Crowd) -> NDArray[np.bool_]:
    """Whether TFLM's plan takes no more than `limits` [n] bytes, exactly: [n]."""
    fits = np.zeros(len(buffers), bool)
    for chunk in _chunks(len(buffers)):
        fits[chunk] = _fits(buffers.rows(chunk), limits[chunk], Crowd(crowd.bytes[chunk], crowd.others))
    return fits


def _fits(buffers: BufferBatch, limits: Ints, crowd: Crowd) -> NDArray[np.bool_]:
    fits = np.zeros(len(buffers), bool)
    planner, rows = _Planner(buffers), np.arange(len(buffers))
    while len(rows):
        more = all(planner.step() for _ in range(_STRIDE))
        crowded = crowd.bytes[rows] + crowd.others * planner.largest_left
        most = np.minimum(planner.heads + planner.rest, np.maximum(planner.heads, crowded))
        sure = most <= limits[rows]
        fits[rows[sure]] = True
        open_ = ~sure & (planner.heads <= limits[rows])
        if not more:
            break
        if open_.mean() < 0.8:
            planner, rows = planner.only(open_), rows[open_]
    return fits


def _chunks(n: int) -> Iterator[slice]:
    return (slice(start, start + _CHUNK) for start in range(0, n, _CHUNK))


class _Planner:
    """TFLM's GreedyMemoryPlanner for many networks in step: each places its largest buffer left.

    `heads` [n] are the bytes taken so far, `rest` [n] the bytes of all buffers not placed yet.
    """

    def __init__(self, buffers: BufferBatch) -> None:
        n, columns = buffers.sizes.shape
        pad = buffers.reach
        self._window = np.arange(2 * pad + 1)
        self._size = _padded(-(-buffers.sizes // ALIGNMENT) * ALIGNMENT, pad, 0)
        self._first = _padded(buffers.first, pad, _FAR)
        self._last = _padded(buffers.last, pad, -2)
        # nothing is placed yet: a place far away and empty collides with none
        self._start = np.full_like(self._size, _FAR)
        self._end = np.zeros_like(self._size)
        self._order, self._steps = _placing_order(self._size[:, pad : pad + columns], buffers.added)
        self._done = 0
        self.heads: Ints = np.zeros(n, np.int64)
        self.rest: Ints = self._size.sum(axis=1, dtype=np.int64)

    def only(self, selection: NDArray[np.bool_]) -> _Planner:
        """The selected networks, as far as they are planned."""
        picked = object.__new__(_Planner)
        picked.__dict__.update(self.__dict__)
        for name in ("_size", "_first", "_last", "_start", "_end", "_order", "heads", "rest"):
            setattr(picked, name, getattr(self, name)[selection])
        return picked

    @property
    def largest_left(self) -> Ints:
        """Size of the buffer each network places next: [n], zero where none is left."""
        if self._done == self._steps:
            return np.zeros_like(self.rest)
        pad = len(self._window) // 2
        column = pad + self._order[:, self._done, None]
        return np.take_along_axis(self._size, column, axis=1)[:, 0].astype(np.int64)

    def step(self) -> bool:
        """Place the next buffer of every network; whether any is left after it."""
        if self._done < self._steps:
            rows = np.arange(len(self._size)) * self._size.shape[1]
            near = (rows + self._order[:, self._done])[:, None] + self._window
            self._place(near, near[:, len(self._window) // 2])
            self._done += 1
        return self._done < self._steps

    def _place(self, near: Ints, here: Ints) -> None:
        """Buffers `here` [n] (flat indices) go to their first gap among those `near` [n, window]."""
        size = self._size.take(here)
        together = self._first.take(near) <= self._last.take(here)[:, None]
        together &= self._last.take(near) >= self._first.take(here)[:, None]
        start = np.where(together, self._start.take(near), _FAR)
        end = np.where(together, self._end.take(near), 0)
        offset = _first_gap(start, end, size)
        absent = size == 0
        self._start.put(here, np.where(absent, _FAR, offset))
        self._end.put(here, np.where(absent, 0, offset + size))
        np.maximum(self.heads, np.where(absent, 0, offset + size), out=self.heads)
        self.rest -= size


def _first_gap(
    start: NDArray[np.int32], end: NDArray[np.int32], size: NDArray[np.int32]
) -> NDArray[np.int32]:
    """The lowest offset at which `size` [n] bytes hit none of the places [n, k] from `start` to `end`.

    No offset below the highest end of those hit is free, so jumping there misses no gap.
    """
    offset = np.zeros_like(size)
    moving = np.arange(len(size))
    while len(moving):
        at = offset[moving]
        hit = (start < (at + size[moving])[:, None]) & (end > at[:, None])
        jump = np.where(hit, end, 0).max(axis=1)
        moved = jump > at
        moving, start, end = moving[moved], start[moved], end[moved]
        offset[moving] = jump[moved]
    return offset


def _placing_order(sizes: NDArray[np.int32], added: Ints) -> tuple[Ints, int]:
    """Columns by falling size, of equal ones the last added first: [n, columns]; and the most a row has."""
    shift = int(added.max()).bit_length()
    keys = np.sort(-((sizes.astype(np.int64) << shift) | added), axis=1)
    column = np.zeros(1 << shift, np.int64)
    column[added] = np.arange(len(added))
    return column[-keys & ((1 << shift) - 1)], int((sizes > 0).sum(axis=1).max(initial=0))


def _padded(values: NDArray[np.int32], pad: int, fill: int) -> NDArray[np.int32]:
    return np.pad(values, ((0, 0), (pad, pad)), constant_values=fill)
