"""The supernet: every network of a MobileSpace in one set of weights (arXiv 2007.10319, section 3.2).

A sub-network uses the first blocks of each stage, the centre of each 7 x 7 kernel and the first channels of
each expansion. `Genes` say which; as integers they fix one sub-network, as tensors one trace serves all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from tinynas.networks import MBConv
from tinynas.spaces.mobile import MAX_DEPTHS, Choice, MobileSpace
from tinynas.supernet.grouped import Tensor
from tinynas.supernet.layers import (
    ConvNorm,
    Cut,
    Cutter,
    Portions,
    Size,
    Slices,
    add_constant,
    glorot_uniform,
    normalised_pixels,
)


@dataclass(frozen=True, slots=True)
class Genes:
    """Depth a stage, kernel and expansion a slot: integers, or scalar tensors while tracing."""

    depths: tuple[Size, ...]
    kernels: tuple[Size, ...]
    expands: tuple[Size, ...]

    @staticmethod
    def of(choice: Choice) -> Genes:
        """The genes of one fixed sub-network."""
        return Genes(choice.depths, choice.kernels, choice.expands)

    @staticmethod
    def unpack(vector: Tensor) -> Genes:
        """Inverse of `pack`, on a tensor of int32."""
        stages, slots = len(MAX_DEPTHS), sum(MAX_DEPTHS)
        values = tuple(vector[i] for i in range(stages + 2 * slots))
        return Genes(values[:stages], values[stages : stages + slots], values[stages + slots :])


class InvertedBottleneck(keras.layers.Layer):  # type: ignore[misc]
    """MBn with elastic kernel and expansion: 1x1 expand, depthwise, 1x1 project, residual."""

    def __init__(
        self,
        block: MBConv,
        in_channels: int,
        *,
        max_kernel: int,
        cutter: Cutter,
        rng: np.random.Generator,
    ) -> None:
        """Weights for `block` at its largest: `max_kernel` and `block.expand`."""
        super().__init__()
        self.in_channels = in_channels
        self.residual = block.has_residual(in_channels)
        middle = in_channels * block.expand
        self.expand = ConvNorm(1, in_channels, middle, cutter=cutter, rng=rng) if block.expand > 1 else None
        self.depthwise = ConvNorm(
            max_kernel, middle, middle, stride=block.stride, depthwise=True, cutter=cutter, rng=rng
        )
        self.project = ConvNorm(1, middle, block.channels, linear=True, cutter=cutter, rng=rng)

    @property
    def parts(self) -> tuple[ConvNorm, ...]:
        """The convolutions in execution order."""
        return tuple(part for part in (self.expand, self.depthwise, self.project) if part is not None)

    @property
    def statistics_size(self) -> int:
        """Length of the statistics of all parts."""
        return sum(part.statistics_size for part in self.parts)

    def cuts(self, kernel: Size, expand: Size) -> tuple[Cut, ...]:
        """What of each part a sub-network uses."""
        if self.expand is None:
            return Cut(window=kernel), Cut()
        middle = expand * self.in_channels
        return Cut(outputs=middle), Cut(window=kernel, outputs=middle), Cut(inputs=middle)

    def forward(
        self, x: Tensor, kernel: Size, expand: Size, statistics: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """The block's output and its statistics [`statistics_size`]."""
        y, collected, start = x, [], 0
        for part, cut in zip(self.parts, self.cuts(kernel, expand), strict=True):
            given = None if statistics is None else statistics[start : start + part.statistics_size]
            start += part.statistics_size
            y, used = part.forward(y, cut, given)
            collected.append(used)
        return (x + y if self.residual else y), ops.concatenate(collected)


class Supernet(keras.Model):  # type: ignore[misc]
    """All networks of `space`; uint8 pictures [n, r, r, c] in, logits [n, classes] out."""

    def __init__(self, space: MobileSpace, *, seed: int = 0, cutter: Cutter | None = None) -> None:
        """Fresh weights drawn from `seed`, the same on every backend."""
        super().__init__()
        self.space = space
        cutter = cutter or Slices()
        rng = np.random.default_rng((seed, 0x5EED))
        stem, (first, *slots) = space.blocks(space.largest())
        self.stem = ConvNorm(3, space.in_channels, stem.channels, stride=stem.stride, cutter=cutter, rng=rng)
        self.first = InvertedBottleneck(first, stem.channels, max_kernel=3, cutter=cutter, rng=rng)
        self.slots: list[InvertedBottleneck] = []
        channels = first.channels
        for block in slots:
            self.slots.append(
                InvertedBottleneck(block, channels, max_kernel=max(space.kernels), cutter=cutter, rng=rng)
            )
            channels = block.channels
        self.classifier = add_constant(self, glorot_uniform(channels, space.classes, rng))
        self.bias = self.add_weight(shape=(space.classes,), initializer="zeros")
        self.built = True

    @property
    def in_channels(self) -> int:
        """Channels of the pictures."""
        return self.space.in_channels

    @property
    def statistics_size(self) -> int:
        """Length of the batch-norm statistics of the largest network."""
        blocks = (self.first, *self.slots)
        return self.stem.statistics_size + sum(block.statistics_size for block in blocks)

    def pack(self, choice: Choice) -> NDArray[np.int32]:
        """The genes of `choice` as one vector, for traces that take them as an input."""
        return np.array((*choice.depths, *choice.kernels, *choice.expands), np.int32)

    def genes(self, choice: Choice | None, vector: Tensor) -> Genes:
        """The genes of a fixed `choice`; without one, those a trace is given as a packed `vector`."""
        return Genes.unpack(vector) if choice is None else Genes.of(choice)

    def forward(
        self, images: Tensor, genes: Genes, statistics: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Logits [n, classes] and statistics [`statistics_size`] of the sub-network with `genes`.

        Without `statistics` the batch's own are used and returned, as in training; those of blocks and
        channels the sub-network lacks mean nothing.
        """
        x = normalised_pixels(images)
        take = Portions(statistics)
        x, used = self.stem.forward(x, Cut(), take(self.stem.statistics_size))
        collected = [used]
        x, used = self.first.forward(x, 3, 1, take(self.first.statistics_size))
        collected.append(used)
        for block, present, kernel, expand in self._walk(genes):
            x, used = _when(present, block, x, kernel, expand, take(block.statistics_size))
            collected.append(used)
        logits = ops.matmul(ops.mean(x, axis=(1, 2)), self.classifier) + self.bias
        return logits, ops.concatenate(collected)

    def convolutions(self, choice: Choice) -> Iterator[tuple[ConvNorm, Cut, int]]:
        """Convolutions of a sub-network in execution order, what it uses of each, where statistics start."""
        start = 0
        yield self.stem, Cut(), start
        start += self.stem.statistics_size
        walk = [(self.first, True, 3, 1), *self._walk(Genes.of(choice))]
        for block, present, kernel, expand in walk:
            for part, cut in zip(block.parts, block.cuts(kernel, expand), strict=True):
                if present:
                    yield part, cut, start
                start += part.statistics_size

    def _walk(self, genes: Genes) -> Iterator[tuple[InvertedBottleneck, Size, Size, Size]]:
        """Each slot with whether it is present (a bool, or a tensor of one), its kernel and expansion."""
        blocks = iter(zip(self.slots, genes.kernels, genes.expands, strict=True))
        always = min(self.space.depths)
        for depth, most in zip(genes.depths, MAX_DEPTHS, strict=True):
            for j in range(most):
                block, kernel, expand = next(blocks)
                yield block, True if j < min(always, most) else j < depth, kernel, expand


def _when(
    present: Size, block: InvertedBottleneck, x: Tensor, kernel: Size, expand: Size, statistics: Tensor | None
) -> tuple[Tensor, Tensor]:
    """The block's result if it is present, else `x` itself and zero statistics."""

    def run() -> tuple[Tensor, Tensor]:
        result: tuple[Tensor, Tensor] = block.forward(x, kernel, expand, statistics)
        return result

    def skip() -> tuple[Tensor, Tensor]:
        return x, ops.zeros((block.statistics_size,), "float32")

    if isinstance(present, bool | np.bool_):
        return run() if present else skip()
    branch: Callable[..., tuple[Tensor, Tensor]] = ops.cond
    return branch(present, run, skip)
