"""Training batches without memory: batch number k is the same whatever was asked for before.

A training killed at any step asks for the next number and goes on as if nothing had happened;
there is no iterator whose state would have to be saved.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tinynas.data.augment import Augmentation, NoAugmentation
from tinynas.data.dataset import Split
from tinynas.data.resize import resize
from tinynas.errors import RequestError

_ORDER, _CHANGE = 0, 1  # which random stream of the seed: an epoch's order, or a step's augmentation


class BatchStream:
    """Endless shuffled, augmented batches of ``split``, addressed by step.

    An epoch's order depends on (seed, epoch) alone, a batch's augmentation on (seed, step) alone.
    An epoch's last partial batch is dropped (another order drops others); a split smaller than a
    batch gives whole-split batches.

    Raises:
        RequestError: the batch size is not positive or the seed is negative.
    """

    def __init__(
        self, split: Split, *, batch_size: int, augmentation: Augmentation | None = None, seed: int = 0
    ) -> None:
        if batch_size < 1:
            raise RequestError(f"a batch of {batch_size} pictures trains nothing: ask for at least 1")
        if seed < 0:
            raise RequestError(f"seed {seed} is negative: give 0 or more")
        self.split = split
        self.batch_size = min(batch_size, len(split))
        self.augmentation = augmentation or NoAugmentation()
        self.seed = seed
        self._cached: tuple[int, NDArray[np.intp]] = (-1, np.empty(0, np.intp))

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches in one pass over the split, at least 1."""
        return len(self.split) // self.batch_size

    def indices(self, step: int) -> NDArray[np.intp]:
        """Which pictures [b] of the split make batch ``step`` (from 0)."""
        epoch, position = divmod(step, self.steps_per_epoch)
        first = position * self.batch_size
        return self._order(epoch)[first : first + self.batch_size]

    def batch(self, step: int, resolution: int | None = None) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Batch ``step`` (from 0): uint8 [b, r, r, c] and int64 [b], r the native side if not given.

        Augmented before it is resized, so that one seed gives the same crops at every resolution.

        Raises:
            RequestError: ``step`` is negative.
        """
        if step < 0:
            raise RequestError(f"there is no batch {step}: batches count from 0")
        chosen = self.indices(step)
        images = self.augmentation(self.split.images[chosen], self._rng(_CHANGE, step))
        return resize(images, resolution or images.shape[1]), self.split.labels[chosen]

    def _order(self, epoch: int) -> NDArray[np.intp]:
        if self._cached[0] != epoch:
            self._cached = (epoch, self._rng(_ORDER, epoch).permutation(len(self.split)))
        return self._cached[1]

    def _rng(self, stream: int, number: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(stream, number)))
