"""Many networks of mobile spaces as chains of operators: the figures that the engine's planner reads.

A block is four operators (expand, depthwise, project, add), a network `BLOCKS` of them. Those that a network
lacks are there all the same and do nothing: the addition of a block without a residual, and all operators
of blocks behind the last. What each makes is then what the one before it made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from tinynas.engine.plan import ALIGNMENT
from tinynas.graph import Padding, Window
from tinynas.spaces.batch import BLOCKS, STEM_KERNEL, BlockBatch

Int32s = NDArray[np.int32]
Bools = NDArray[np.bool_]

#: operators of a block
EXPAND, DEPTHWISE, PROJECT, ADD = range(4)
OPERATORS_OF_BLOCK = 4
#: operators of all blocks, and the cuts before each and behind the last
OPERATORS = OPERATORS_OF_BLOCK * BLOCKS


@dataclass(frozen=True)
class Chains:
    """n networks; arrays are int32 [OPERATORS, n] of what each operator makes and how its window moves.

    `rows` of `row_bytes` make the output; `slots` of them exist at a time inside a group. A window of
    `reach` rows moves by `stride` rows, from `top` rows above the input to `bottom` below it. `real` says
    which operators are there, `residual` [BLOCKS, n] which blocks add their input. `source` [2, n] is the
    rows and the bytes of a row of the network's input, `patches` the stem's working memory, `features` and
    `classes` the bytes of the mean and of the output: [n] each.
    """

    rows: Int32s
    row_bytes: Int32s
    slots: Int32s
    stride: Int32s
    reach: Int32s
    top: Int32s
    bottom: Int32s
    real: Bools
    residual: Bools
    source: Int32s
    patches: Int32s
    features: Int32s
    classes: Int32s

    def __len__(self) -> int:
        return len(self.patches)

    def part(self, networks: slice) -> Chains:
        """Some of the networks."""
        return Chains(*(getattr(self, name)[..., networks] for name in _FIGURES))

    @cached_property
    def sizes(self) -> Int32s:
        """Bytes of the map before every cut, the network's input first: [OPERATORS + 1, n]."""
        return aligned(self.map_rows * self.map_row_bytes)

    @cached_property
    def map_rows(self) -> Int32s:
        """Rows of the map before every cut: [OPERATORS + 1, n]."""
        return np.concatenate([self.source[0][None], self.rows])

    @cached_property
    def map_row_bytes(self) -> Int32s:
        """Bytes of a row of the map before every cut: [OPERATORS + 1, n]."""
        return np.concatenate([self.source[1][None], self.row_bytes])

    @cached_property
    def rings(self) -> Int32s:
        """Bytes of what each operator makes, as a ring; 0 where it is none: [OPERATORS, n]."""
        return aligned(self.slots * self.row_bytes) * self.real

    @cached_property
    def strides(self) -> Int32s:
        """The product of all strides up to every operator, it included: [OPERATORS, n]."""
        return np.cumprod(self.stride, axis=0, dtype=np.int32)

    def lead(self, above: Int32s) -> Int32s:
        """Rows, in rows of the input, that windows reach ahead in all operators so far: [OPERATORS, n].

        `above` is `top`, or `bottom` for rows that run from the bottom up.
        """
        before = np.concatenate([np.ones_like(self.strides[:1]), self.strides[:-1]])
        return np.cumsum(before * (self.reach - 1 - above), axis=0, dtype=np.int32)


_FIGURES = tuple(field.name for field in fields(Chains))


def chains(batches: Sequence[BlockBatch]) -> Chains:
    """All networks of all `batches`, one batch after the other."""
    parts = [_chain(batch) for batch in batches]
    return Chains(*(np.concatenate([getattr(part, name) for part in parts], axis=-1) for name in _FIGURES))


def _chain(batch: BlockBatch) -> Chains:
    blocks, space, index = batch.blocks, batch.space, batch.index
    entries = len(blocks.kernel)
    ones = np.ones(entries, np.int64)
    reach = np.stack([ones, np.maximum(blocks.kernel, 1), ones, ones])
    moves = np.stack([ones, np.maximum(blocks.stride, 1), ones, ones])
    reach[EXPAND, 0], moves[EXPAND, 0] = STEM_KERNEL, space.strides[0]
    rows = np.stack([blocks.rows_in, blocks.rows_out, blocks.rows_out, blocks.rows_out])
    channels = np.stack([blocks.expanded, blocks.expanded, blocks.channels, blocks.channels])
    # behind the last block the last stage's map stays
    rows[:, -1], channels[:, -1] = blocks.rows_out[-2], blocks.channels[-2]
    before = np.stack([np.maximum(blocks.rows_in, 1), np.maximum(blocks.rows_in, 1), *rows[2:]])
    before[EXPAND, 0] = space.resolution
    sliding = np.array(
        [
            [sliding_rows(int(h), int(k), int(s)) for h, k, s in zip(*figures, strict=True)]
            for figures in zip(before, reach, moves, strict=True)
        ]
    )
    real = np.stack([*[blocks.kernel > 0] * 3, blocks.residual > 0])

    def spread(figure: NDArray[np.generic]) -> NDArray[np.generic]:
        """[4, entries] -> [OPERATORS, n]."""
        return np.ascontiguousarray(figure.T[index].reshape(len(index), OPERATORS).T)

    def ints(figure: NDArray[np.generic]) -> Int32s:
        return spread(figure).astype(np.int32)

    def each(value: int) -> Int32s:
        return np.full(len(index), value, np.int32)

    here = spread(real).astype(bool)
    residual = here[ADD::OPERATORS_OF_BLOCK]
    return Chains(
        rows=ints(rows),
        row_bytes=ints(rows * channels),
        slots=_slots(ints(rows), ints(sliding[..., 0]), residual, ints(reach)),
        stride=ints(moves),
        reach=ints(reach),
        top=ints(sliding[..., 1]),
        bottom=ints(sliding[..., 2]),
        real=here,
        residual=residual,
        source=np.stack([each(space.resolution), each(space.resolution * space.in_channels)]),
        patches=each(2 * _up(STEM_KERNEL**2 * space.in_channels)),
        features=each(batch.features),
        classes=each(space.classes),
    )


def _slots(rows: Int32s, needed: Int32s, residual: Bools, reach: Int32s) -> Int32s:
    """Rows of what each operator makes that exist at a time: those that its consumers' windows span.

    `needed` are the rows that each operator reads at a time. Of a residual's map the rows wait that the
    block reads ahead: half of its depthwise window.
    """
    slots = np.ones_like(rows)
    slots[:-1] = needed[1:]
    ends = slots[PROJECT::OPERATORS_OF_BLOCK], slots[ADD::OPERATORS_OF_BLOCK]
    ahead = reach[DEPTHWISE::OPERATORS_OF_BLOCK][1:] // 2 + 1
    waiting = np.where(residual[1:], np.minimum(ahead, rows[ADD::OPERATORS_OF_BLOCK][:-1]), 1)
    # the block's output is what it adds, or else what it projects
    for end in ends:
        end[:-1] = waiting
    ends[0][residual] = 1
    return slots


@lru_cache(maxsize=4096)
def sliding_rows(rows: int, reach: int, stride: int) -> tuple[int, int, int]:
    """Of a SAME window over `rows`: the most rows inside it at a time, rows above the map and below it."""
    window = Window((reach, reach), (stride, stride), Padding.SAME)
    top, bottom, _, _ = window.margins(rows, rows)
    first = np.arange(window.output_size(rows, rows)[0]) * stride - top
    spans = np.minimum(first + reach, rows) - np.maximum(first, 0)
    return int(spans.max()), top, bottom


def aligned(sizes: Int32s) -> Int32s:
    """Sizes in bytes as the arena counts them."""
    return _up(sizes)  # type: ignore[return-value,arg-type]


def _up(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
