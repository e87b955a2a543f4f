"""How good a sub-network is with shared weights: accuracy on held-out pictures after recalibration.

Shared weights fit no sub-network's activations exactly, so batch-norm statistics are measured anew for each
(MCUNet section 3.2; Once-for-All: 20 batches of 64) before it is scored.
"""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

from tinynas.data import Split, resize
from tinynas.spaces.mobile import Choice
from tinynas.supernet.backends import Floats, Images, Learner, make_learner
from tinynas.supernet.model import Supernet


@dataclass(frozen=True, slots=True)
class Calibration:
    """How many training pictures recalibrate a sub-network: `batches` of `batch_size`."""

    batches: int = 20
    batch_size: int = 64


class Scorer:
    """Scores sub-networks of one supernet; a pure function of its weights, the pictures and the choice."""

    def __init__(
        self,
        model: Supernet,
        train: Split,
        held_out: Split,
        *,
        calibration: Calibration,
        seed: int,
        batch_size: int = 250,
        fixed: Choice | None = None,
    ) -> None:
        """Calibrate on unaugmented pictures drawn from `train` by `seed`; score on all of `held_out`."""
        self._learner: Learner = make_learner(model, keras.optimizers.SGD(0.0), 0.0, fixed)
        count = min(calibration.batches * calibration.batch_size, len(train.labels))
        picked = np.random.default_rng((seed, 0xCA11)).choice(len(train.labels), count, replace=False)
        self._calibration = _Resized(train.images[np.sort(picked)[_interleave(count)]])
        self._held_out = _Resized(held_out.images)
        self._labels = held_out.labels
        self._calibration_batch, self._batch = calibration.batch_size, batch_size

    def statistics(self, choice: Choice) -> Floats:
        """Batch-norm statistics of the sub-network over the calibration pictures."""
        images = self._calibration(choice.resolution)
        parts = [self._learner.statistics(part, choice) for part in _parts(images, self._calibration_batch)]
        mean: Floats = np.mean(parts, axis=0, dtype=np.float64).astype(np.float32)
        return mean

    def logits(self, choice: Choice) -> Floats:
        """Logits [n, classes] of the recalibrated sub-network on the held-out pictures."""
        images, statistics = self._held_out(choice.resolution), self.statistics(choice)
        return np.concatenate(
            [self._learner.logits(part, choice, statistics) for part in _parts(images, self._batch)]
        )

    def accuracy(self, choice: Choice) -> float:
        """Share of held-out pictures classified rightly."""
        return float(np.mean(self.logits(choice).argmax(axis=1) == self._labels))


class _Resized:
    """Pictures at any resolution, resized once each."""

    def __init__(self, images: Images) -> None:
        self._native, self._cache = images, dict[int, Images]()

    def __call__(self, resolution: int) -> Images:
        if resolution not in self._cache:
            self._cache[resolution] = resize(self._native, resolution)
        return self._cache[resolution]


def _parts(images: Images, size: int) -> list[Images]:
    return [images[start : start + size] for start in range(0, len(images), size)]


def _interleave(count: int) -> NDArray[np.intp]:
    """A fixed shuffle, so that each calibration batch has pictures from everywhere."""
    return np.random.default_rng(count).permutation(count)
