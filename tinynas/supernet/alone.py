"""One network trained on its own: as far as wanted, scored, and trained further."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import keras

from tinynas.data import BatchStream, Split
from tinynas.data.augment import Augmentation
from tinynas.networks import Genotype
from tinynas.supernet.backends import Floats
from tinynas.supernet.network import Network
from tinynas.supernet.phase import FixedSampler, Phase, Progress
from tinynas.supernet.scoring import Calibration, Calibrator, Scorer
from tinynas.supernet.training import Training


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network is trained: `epochs` over the pictures on a one-cycle schedule (see `Phase`)."""

    epochs: float
    batch_size: int = 128
    peak_rate: float = 0.1
    decay: float = 2e-3
    smoothing: float = 0.1
    calibration: Calibration = field(default_factory=Calibration)


def forget_networks() -> None:
    """Free what Keras and the backend keep of networks trained earlier in this process."""
    keras.backend.clear_session()
    gc.collect()


class NetworkTrainer:
    """The training of `genotype` on `train` pictures: a pure function of them, the recipe and the seed.

    ``train_to(2); accuracy(...); train_to(8)`` trains and scores as a training of eight epochs would stand
    after two and after eight, whether or not another process goes on from the `checkpoint` in between.

    Raises:
        RunError: the checkpoint is damaged or of another network.
    """

    def __init__(
        self,
        genotype: Genotype,
        train: Split,
        recipe: Recipe,
        *,
        seed: int,
        augmentation: Augmentation | None = None,
        checkpoint: Path | None = None,
        save: Callable[[bytes], None] = lambda content: None,
    ) -> None:
        """`save` writes the `checkpoint`; without one the training lives in this object alone."""
        self.genotype, self.network = genotype, Network(genotype, seed=seed)
        stream = BatchStream(train, batch_size=recipe.batch_size, augmentation=augmentation, seed=seed)
        self._epoch_steps = stream.steps_per_epoch
        steps = max(1, round(recipe.epochs * stream.steps_per_epoch))
        phase = Phase(
            "training",
            0,
            steps,
            recipe.peak_rate,
            FixedSampler(genotype),
            decay=recipe.decay,
            smoothing=recipe.smoothing,
        )
        self._training = Training(self.network, phase, stream, seed=seed, checkpoint=checkpoint, save=save)
        self._calibrator = Calibrator(
            self.network, train, calibration=recipe.calibration, seed=seed, fixed=genotype
        )

    @property
    def epoch(self) -> float:
        """Epochs trained so far."""
        return self._training.step / self._epoch_steps

    def train_to(
        self, epoch: float | None = None, on_step: Callable[[Progress], None] = lambda progress: None
    ) -> None:
        """Train up to the end of `epoch`, or of the recipe; nothing where that is reached already.

        Raises:
            Diverged: the loss is infinite or not a number.
        """
        self._training.advance(None if epoch is None else round(epoch * self._epoch_steps), on_step)

    def statistics(self) -> Floats:
        """Batch-norm statistics [n] measured anew on training pictures: what scoring and export use."""
        return self._calibrator.statistics(self.genotype)

    def accuracy(self, held_out: Split) -> float:
        """Share of the `held_out` pictures classified rightly, with recalibrated batch normalisation."""
        return Scorer(self._calibrator, held_out).accuracy(self.genotype)
