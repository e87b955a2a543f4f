"""SRAM of many networks of one space at once: their buffers for a planner, and the bytes alive together.

A block's columns are the outputs of its operators (expand, depthwise, project, add), with the scratch of
the first two beside them where a runtime asks for it; the network's input stands before the first block,
global mean and classifier behind the last. Tests hold the result equal to `tinynas.cost.memory`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinynas.cost.batch import BufferBatch, Crowd
from tinynas.cost.memory import ALIGNMENT
from tinynas.cost.scratch import Kernels, conv_scratch, depthwise_scratch, mean_scratch
from tinynas.spaces.batch import STEM_KERNEL, BlockBatch, Blocks, Ints

Int32s = NDArray[np.int32]

#: operators of a block without and with a residual
_PLAIN, _RESIDUAL = 3, 4
#: buffers alive at some time of one buffer's life, without itself
_OTHERS = 7
#: columns of a block: tensors in the order of their operators; near them their scratch, behind the last
#: block that of the mean
_TENSORS = ("expand", "depthwise", "project", "add")
_WITH_SCRATCH = (
    "expand",
    "expand_scratch",
    "depthwise",
    "depthwise_scratch",
    "spare_scratch",
    "project",
    "add",
)


@dataclass(frozen=True)
class Scratch:
    """Scratch requests in bytes: of expanding and depthwise convolutions [blocks + 1], of the global mean.

    The mean may ask up to three times.
    """

    expand: Ints
    depthwise: Ints
    mean: tuple[int, ...] = ()


def tflm_scratch(blocks: Blocks, features: int, kernels: Kernels) -> Scratch:
    """What TFLite Micro's `kernels` ask for in every block, and for the mean of `features` channels."""
    taps = np.ones_like(blocks.kernel)
    taps[0] = STEM_KERNEL**2
    return Scratch(
        expand=np.asarray(conv_scratch(kernels, taps, blocks.fan_in // taps)),
        depthwise=np.asarray(depthwise_scratch(kernels, blocks.kernel**2, blocks.expanded)),
        mean=tuple(int(size) for size in mean_scratch(features, rank=4, axes=2)),
    )


def batch_buffers(batch: BlockBatch, scratch: Scratch | None = None) -> BufferBatch:
    """Buffers of every network of `batch`."""
    blocks, index = batch.blocks, batch.index
    layout = _Layout.empty(index.shape, _TENSORS if scratch is None else _WITH_SCRATCH)
    residual = blocks.residual.take(index)
    lengths = (_PLAIN * (blocks.kernel > 0) + (_RESIDUAL - _PLAIN) * blocks.residual).take(index)
    after = np.cumsum(lengths, axis=1)
    start = after - lengths
    # a block's output is read by the next block's expansion, or last by its addition
    read = after.copy()
    read[:, :-1] += (_RESIDUAL - 1) * residual[:, 1:]
    layout.fill("expand", blocks.wide_bytes.take(index), start, start + 1)
    layout.fill("depthwise", blocks.deep_bytes.take(index), start + 1, start + 2)
    projected = np.where(residual > 0, start + 3, read)
    layout.fill("project", blocks.narrow_bytes.take(index), start + 2, projected)
    layout.fill("add", (blocks.narrow_bytes * blocks.residual).take(index), start + 3, read)
    mean = after[:, -1]
    layout.put("expand", batch.depth, batch.features, mean, mean + 1)
    layout.put("depthwise", batch.depth, batch.space.classes, mean + 1, mean + 1)
    if scratch is not None:
        layout.fill("expand_scratch", scratch.expand.take(index), start, start)
        layout.fill("depthwise_scratch", scratch.depthwise.take(index), start + 1, start + 1)
        columns = (name for name in layout.names if name.endswith("scratch"))
        for name, request in zip(columns, scratch.mean, strict=False):
            layout.put(name, batch.depth, request, mean, mean)
    return layout.finish(int(blocks.source_bytes[0]))


def live_peaks(
    batch: BlockBatch, scratch: Scratch | None = None, *, rounded: bool = False, in_place: bool = False
) -> Ints:
    """The most bytes alive at once in each network: [n].

    With `rounded` every buffer takes whole units of TFLM's planner, which makes this a bound below its
    plan; with `in_place` a depthwise convolution overwrites its input where the output is no larger.
    """
    blocks, space = batch.blocks, batch.space
    size = _units if rounded else _exactly
    scratch = scratch or _no_scratch(blocks)
    wide, deep, narrow = map(size, (blocks.wide_bytes, blocks.deep_bytes, blocks.narrow_bytes))
    source, kept = size(blocks.source_bytes), size(blocks.source_bytes) * blocks.residual
    saved = (deep - blocks.rows_out**2) * ((blocks.deep_bytes <= blocks.wide_bytes) & in_place)
    most = np.maximum.reduce(
        [
            source + wide + size(scratch.expand),
            kept + wide + deep - saved + size(scratch.depthwise),
            kept + deep + narrow,
            kept + 2 * narrow * blocks.residual,
        ]
    )
    # the last stage's one block comes last in every network: its entries end at the one of zeros
    mean, dense, *requests = size(np.array([batch.features, space.classes, *scratch.mean])).tolist()
    tail = mean + max(int(narrow[-2]) + sum(requests), dense)
    return np.asarray(np.maximum(most.take(batch.index).max(axis=1), tail))


def crowd(batch: BlockBatch, scratch: Scratch | None = None) -> Crowd:
    """How many bytes can be alive together with one buffer of each network, over its whole life.

    A block's output sees what is alive in its own block behind the expansion and everything of the next
    one; all other buffers see less. It has `_OTHERS` companions at most: the addition's two inputs, then
    expanded map, scratch, depthwise output, projection and sum (behind the last block the mean, three
    requests and no more).
    """
    blocks, scratch = batch.blocks, scratch or _no_scratch(batch.blocks)
    wide, deep, narrow, source = map(
        _units, (blocks.wide_bytes, blocks.deep_bytes, blocks.narrow_bytes, blocks.source_bytes)
    )
    outputs = narrow * (1 + blocks.residual)
    behind = deep + outputs + source * blocks.residual
    own = wide + deep + outputs + _units(scratch.expand) + _units(scratch.depthwise)
    tail = int(_units(np.array([batch.features, batch.space.classes, *scratch.mean])).sum())
    before, after = behind.take(batch.index[:, :-1]), own.take(batch.index[:, 1:])
    # what comes behind the last block is the tail; to add it everywhere keeps this a bound
    most = np.maximum(before + after, before + tail).max(axis=1)
    end = behind.take(batch.index[:, -1]) + tail
    return Crowd(np.maximum(np.maximum(most, end), int(source[0] + own[0])), _OTHERS)


def _units(sizes: Ints) -> Ints:
    """Sizes as TFLM's planner rounds them."""
    return -(-sizes // ALIGNMENT) * ALIGNMENT


def _exactly(sizes: Ints) -> Ints:
    return sizes


def _no_scratch(blocks: Blocks) -> Scratch:
    return Scratch(np.zeros_like(blocks.kernel), np.zeros_like(blocks.kernel))


@dataclass(frozen=True)
class _Layout:
    """Columns under construction: the input's, then `names` for every group (a block, or the tail)."""

    names: tuple[str, ...]
    sizes: Int32s
    first: Int32s
    last: Int32s

    @classmethod
    def empty(cls, batch: tuple[int, ...], names: tuple[str, ...]) -> _Layout:
        """All buffers absent, for a batch of [n, blocks]."""
        shape = (batch[0], 1 + (batch[1] + 1) * len(names))
        return cls(names, *(np.zeros(shape, np.int32) for _ in range(3)))

    def fill(self, name: str, size: Ints, first: Ints, last: Ints) -> None:
        """Column `name` of every block: [n, blocks]."""
        columns = slice(1 + self.names.index(name), -len(self.names), len(self.names))
        self.sizes[:, columns], self.first[:, columns], self.last[:, columns] = size, first, last

    def put(self, name: str, group: Ints, size: int, first: Ints, last: Ints) -> None:
        """Column `name` of group `group` [n]."""
        rows, columns = np.arange(len(group)), 1 + group * len(self.names) + self.names.index(name)
        self.sizes[rows, columns], self.first[rows, columns], self.last[rows, columns] = size, first, last

    def finish(self, input_size: int) -> BufferBatch:
        """The table, with the network's input in front, alive from before the first operator."""
        self.sizes[:, 0], self.first[:, 0] = input_size, -1
        groups = (self.sizes.shape[1] - 1) // len(self.names)
        is_scratch = np.array([False, *(name.endswith("scratch") for name in self.names * groups)])
        # TFLM adds all tensors in the order of their operators, then all scratch
        added = np.empty(len(is_scratch), np.int64)
        added[np.argsort(is_scratch, kind="stable")] = np.arange(len(is_scratch))
        # the widest pair: a block's projection and the last column of the next block
        reach = 2 * len(self.names) - 1 - self.names.index("project")
        return BufferBatch(self.sizes, self.first, self.last, added, reach)
