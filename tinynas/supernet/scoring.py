"""How good a sub-network is with shared weights: accuracy on held-out pictures after recalibration.

Shared weights fit no sub-network's activations exactly, so batch-norm statistics are measured anew for each
(MCUNet section 3.2; Once-for-All: 20 batches of 64) before it is scored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

import keras
import numpy as np

from tinynas.data import Split, resize
from tinynas.supernet.backends import Floats, Images, Learner, Trainable, make_learner
from tinynas.supernet.phase import Subnet

_Subnet = TypeVar("_Subnet", bound=Subnet)


@dataclass(frozen=True, slots=True)
class Calibration:
    """How many training pictures recalibrate a sub-network: `batches` of `batch_size`."""

    batches: int = 20
    batch_size: int = 64


class Calibrator(Generic[_Subnet]):
    """Measures batch-norm statistics of sub-networks on unaugmented training pictures drawn by a seed."""

    def __init__(
        self,
        model: Trainable[_Subnet],
        train: Split,
        *,
        calibration: Calibration,
        seed: int,
        fixed: _Subnet | None = None,
    ) -> None:
        """With `fixed`, for that sub-network alone (traced with static shapes)."""
        self.learner: Learner[_Subnet] = make_learner(model, keras.optimizers.SGD(0.0), 0.0, fixed)
        count = min(calibration.batches * calibration.batch_size, len(train))
        picked = np.random.default_rng((seed, 0xCA11)).choice(len(train), count, replace=False)
        self._images, self._batch = _Resized(train.images[picked]), calibration.batch_size

    def statistics(self, choice: _Subnet) -> Floats:
        """The sub-network's statistics [statistics_size], averaged over whole batches."""
        images = self._images(choice.resolution)
        whole = max(len(images) // self._batch, 1) * self._batch
        parts = [self.learner.statistics(part, choice) for part in _parts(images[:whole], self._batch)]
        mean: Floats = np.mean(parts, axis=0, dtype=np.float64).astype(np.float32)
        return mean


class Scorer(Generic[_Subnet]):
    """Scores sub-networks of one supernet; a pure function of its weights, the pictures and the choice."""

    def __init__(self, calibrator: Calibrator[_Subnet], held_out: Split, *, batch_size: int = 250) -> None:
        """Score on all of `held_out`, in batches of `batch_size`."""
        self._calibrator, self._batch = calibrator, batch_size
        self._images, self._labels = _Resized(held_out.images), held_out.labels

    def logits(self, choice: _Subnet) -> Floats:
        """Logits [n, classes] of the recalibrated sub-network on the held-out pictures."""
        images, statistics = self._images(choice.resolution), self._calibrator.statistics(choice)
        learner = self._calibrator.learner
        return np.concatenate(
            [learner.logits(part, choice, statistics) for part in _parts(images, self._batch)]
        )

    def accuracy(self, choice: _Subnet) -> float:
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
