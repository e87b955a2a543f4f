"""Many networks of one space as arrays of genes, and their MACs, weights and counts at once.

A mobile network is a chain of blocks of one shape: a pointwise "expand" convolution, a depthwise one, a
pointwise "project" one and perhaps the residual's addition. The stem and the first block make one such
block too, its "expand" convolution being the stem. At one width and resolution a block depends on nothing
but its slot, kernel and expansion, so every figure of every block a space has fits in a table of some two
hundred entries (`Blocks`), and a network's figures are sums over the entries that its genes point to.
Tests hold each equal to what the network's own Graph gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tinynas.cost.counts import Counts, packed_depthwise, whole_words
from tinynas.graph import OpKind
from tinynas.spaces.mobile import MAX_DEPTHS, Choice, MobileSpace

Ints = NDArray[np.int64]

_SLOTS = sum(MAX_DEPTHS)
#: blocks of a network at most: the stem with the first block, and the slots
BLOCKS = 1 + _SLOTS
STEM_KERNEL = _FIRST_KERNEL = 3
#: where a slot stands in its stage, and the stage it belongs to: [slots]
_POSITION = np.concatenate([np.arange(most) for most in MAX_DEPTHS])
_STAGE = np.repeat(np.arange(len(MAX_DEPTHS)), MAX_DEPTHS)


@dataclass(frozen=True)
class ChoiceBatch:
    """n networks of one space, row i the genes of `choice(i)`.

    All have `resolution`; `depths` is [n, stages], `kernels` and `expands` [n, slots].
    """

    resolution: int
    depths: Ints
    kernels: Ints
    expands: Ints

    def __len__(self) -> int:
        return len(self.depths)

    @classmethod
    def of(cls, choices: Sequence[Choice]) -> ChoiceBatch:
        """`choices`, all of one resolution, as arrays."""
        (resolution,) = {choice.resolution for choice in choices}
        return cls(
            resolution=resolution,
            depths=np.array([choice.depths for choice in choices], np.int64),
            kernels=np.array([choice.kernels for choice in choices], np.int64),
            expands=np.array([choice.expands for choice in choices], np.int64),
        )

    def choice(self, row: int) -> Choice:
        """Network `row`, to look at or to build."""
        return Choice(
            resolution=self.resolution,
            depths=tuple(self.depths[row].tolist()),
            kernels=tuple(self.kernels[row].tolist()),
            expands=tuple(self.expands[row].tolist()),
        )

    def extended(self, choice: Choice) -> ChoiceBatch:
        """The same networks and `choice` behind them."""
        more = ChoiceBatch.of([choice])
        return ChoiceBatch(
            resolution=self.resolution,
            depths=np.concatenate([self.depths, more.depths]),
            kernels=np.concatenate([self.kernels, more.kernels]),
            expands=np.concatenate([self.expands, more.expands]),
        )

    @property
    def active(self) -> NDArray[np.bool_]:
        """Which slots hold a block: [n, slots]."""
        return np.asarray(self.depths[:, _STAGE] > _POSITION)


def sample_batch(space: MobileSpace, count: int, rng: np.random.Generator) -> ChoiceBatch:
    """`count` networks at the space's own resolution, every other gene drawn uniformly."""
    depths = _drawn(rng, space.depths, (count, len(MAX_DEPTHS)))
    return ChoiceBatch(
        resolution=space.resolution,
        depths=np.minimum(depths, MAX_DEPTHS),
        kernels=_drawn(rng, space.kernels, (count, _SLOTS)),
        expands=_drawn(rng, space.expands, (count, _SLOTS)),
    )


@dataclass(frozen=True)
class Blocks:
    """Every block of a space at one resolution, as int64 arrays [blocks + 1]; the last is no block: zeros.

    Feature maps are square. `source_bytes` is the block's input; `rows_in` x `rows_in` x `expanded` the
    expanded map, `rows_out` x `rows_out` the map behind the depthwise convolution, which projects to
    `channels`. A channel of the expanding convolution has `fan_in` weights. `kernel` and `stride` are the
    depthwise one's.
    """

    source_bytes: Ints
    rows_in: Ints
    rows_out: Ints
    fan_in: Ints
    expanded: Ints
    kernel: Ints
    stride: Ints
    channels: Ints
    residual: Ints

    @property
    def macs(self) -> Ints:
        """Multiply-accumulates."""
        inner = self.rows_in**2 * self.fan_in + self.rows_out**2 * (self.kernel**2 + self.channels)
        return self.expanded * inner

    @property
    def weights(self) -> Ints:
        """Weights, without biases."""
        return self.expanded * (self.fan_in + self.kernel**2 + self.channels)

    @property
    def packed_weights(self) -> Ints:
        """Bytes of the weights as the engine packs them."""
        expand = whole_words(self.expanded * self.fan_in)
        depthwise = packed_depthwise(self.kernel**2, self.expanded)
        return expand + depthwise + whole_words(self.expanded * self.channels)

    @property
    def wide_bytes(self) -> Ints:
        """The expanded map."""
        return self.rows_in**2 * self.expanded

    @property
    def deep_bytes(self) -> Ints:
        """The depthwise convolution's output."""
        return self.rows_out**2 * self.expanded

    @property
    def narrow_bytes(self) -> Ints:
        """The block's output."""
        return self.rows_out**2 * self.channels


@dataclass(frozen=True)
class BlockBatch:
    """n networks of `space` as the blocks they consist of: row i of `index` [n, BLOCKS] points into `blocks`.

    Blocks stand in execution order, closed up; behind the last one `index` points to the entry of zeros.
    """

    space: MobileSpace
    blocks: Blocks
    index: Ints

    def __len__(self) -> int:
        return len(self.index)

    def rows(self, selection: Ints | NDArray[np.bool_] | slice) -> BlockBatch:
        """The selected networks."""
        return BlockBatch(self.space, self.blocks, self.index[selection])

    def total(self, figure: Ints) -> Ints:
        """The sum of a figure of `blocks` over each network: [n]."""
        return np.asarray(figure.take(self.index).sum(axis=1))

    @cached_property
    def depth(self) -> Ints:
        """Blocks of each network: [n]."""
        return np.asarray((self.index != len(self.blocks.kernel) - 1).sum(axis=1))

    @cached_property
    def macs(self) -> Ints:
        """Multiply-accumulates of each network: [n]."""
        return np.asarray(self.total(self.blocks.macs) + self.features * self.space.classes)

    @property
    def features(self) -> int:
        """Channels of the last feature map: every network has the last stage's one block."""
        return self.space.channels[-1]

    def counts(self) -> Counts:
        """What tail and flash depend on, every field [n]."""
        blocks, classes = self.blocks, self.space.classes
        depth, residuals = self.depth, self.total(blocks.residual)
        wide, narrow = self.total(blocks.expanded), self.total(blocks.channels)
        wide_words, narrow_words = whole_words(blocks.expanded), whole_words(blocks.channels)
        wide_slots, narrow_slots = self.total(wide_words), self.total(narrow_words)
        one = np.ones_like(depth)
        weighted = 3 * depth + 1
        return Counts(
            operators={
                OpKind.CONV_2D: 2 * depth,
                OpKind.DEPTHWISE_CONV_2D: depth,
                OpKind.ADD: residuals,
                OpKind.MEAN: one,
                OpKind.FULLY_CONNECTED: one,
            },
            channels={
                OpKind.CONV_2D: wide + narrow,
                OpKind.DEPTHWISE_CONV_2D: wide,
                OpKind.FULLY_CONNECTED: classes * one,
            },
            channel_slots={
                OpKind.CONV_2D: wide_slots + narrow_slots,
                OpKind.DEPTHWISE_CONV_2D: wide_slots,
                OpKind.FULLY_CONNECTED: whole_words(classes * one),
            },
            # activations: the input and one an operator; constants: weights and bias, and the axes of MEAN
            tensors=(1 + weighted + residuals + 1) + (2 * weighted + 1),
            constants=2 * weighted + 1,
            weight_bytes=self.total(blocks.weights) + self.features * classes,
            bias_bytes=4 * (2 * wide + narrow + classes),
            other_constant_bytes=8 * one,
            spatial_convs=one,
            large_depthwise=self.total((blocks.kernel > 3).astype(np.int64)),
            packed_weight_bytes=self.total(blocks.packed_weights) + whole_words(self.features * classes),
            # pixels of the picture, and of what a ReLU6 leaves
            padding_bytes=whole_words(self.space.in_channels) + wide_words.take(self.index).max(axis=1),
            readings=weighted + 2 * residuals + 1,
        )


def tabulate(space: MobileSpace, batch: ChoiceBatch) -> BlockBatch:
    """The blocks of every network of `batch`, which must have the space's own resolution.

    Raises:
        ValueError: another resolution: its blocks would be others.
    """
    if batch.resolution != space.resolution:
        raise ValueError(f"{space.name} has no blocks for resolution {batch.resolution}")
    variant = np.searchsorted(space.kernels, batch.kernels) * len(space.expands)
    variant += np.searchsorted(space.expands, batch.expands)
    slots = 1 + np.arange(_SLOTS) * _variants(space) + variant
    active = batch.active
    depth = active.sum(axis=1)
    index = np.full((len(batch), BLOCKS), 1 + _SLOTS * _variants(space), np.int64)
    index[:, 0] = 0
    # both masks run row by row, so this closes up the active slots of each network
    index[:, 1:][np.arange(_SLOTS) < depth[:, None]] = slots[active]
    return BlockBatch(space, list_blocks(space), index)


def list_blocks(space: MobileSpace) -> Blocks:
    """Entry 0: stem and first block; then slot by slot every kernel with every expansion; then zeros."""
    stem, first, *stages = space.channels
    widths = np.array([first, *(stages[stage] for stage in _STAGE)])
    bases = np.array([stem, *widths[:-1]])
    strides = _block_strides(space)
    rows_in, rows_out = _rows(space.resolution, space.strides[0], strides)
    residual = (bases == widths) & (strides == 1)
    residual[0] = False
    fan_in, source = bases.copy(), rows_in**2 * bases
    fan_in[0] = space.in_channels * STEM_KERNEL**2
    source[0] = space.resolution**2 * space.in_channels
    kernels = [_FIRST_KERNEL, *np.tile(np.repeat(space.kernels, len(space.expands)), _SLOTS), 0]
    expands = [1, *np.tile(space.expands, _SLOTS * len(space.kernels)), 0]

    def spread(figures: Ints) -> Ints:
        """One figure a block, repeated for all variants of a slot."""
        return np.concatenate([figures[:1], np.repeat(figures[1:], _variants(space)), [0]])

    return Blocks(
        source_bytes=spread(source),
        rows_in=spread(rows_in),
        rows_out=spread(rows_out),
        fan_in=spread(fan_in),
        expanded=spread(bases) * np.array(expands),
        kernel=np.array(kernels),
        stride=spread(strides),
        channels=spread(widths),
        residual=spread(residual.astype(np.int64)),
    )


def _variants(space: MobileSpace) -> int:
    return len(space.kernels) * len(space.expands)


def _drawn(rng: np.random.Generator, options: Sequence[int], shape: tuple[int, int]) -> Ints:
    return np.array(options, np.int64)[rng.integers(len(options), size=shape)]


def _block_strides(space: MobileSpace) -> Ints:
    """Stride of the first block and of every slot: [BLOCKS]."""
    _, first, *stages = space.strides
    inner = [stages[stage] if position == 0 else 1 for stage, position in zip(_STAGE, _POSITION, strict=True)]
    return np.array([first, *inner])


def _rows(resolution: int, stem_stride: int, strides: Ints) -> tuple[Ints, Ints]:
    """Rows before and after the depthwise convolution of every block: [BLOCKS] each (SAME padding)."""
    rows = [-(-resolution // stem_stride)]
    for stride in strides.tolist():
        rows.append(-(-rows[-1] // stride))
    before, after = zip(*pairwise(rows), strict=True)
    return np.array(before), np.array(after)
