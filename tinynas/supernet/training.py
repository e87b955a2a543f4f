"""Training in phases that can be killed at any step: a supernet, or one network.

Everything drawn at a step depends on (seed, phase, step) alone, and a checkpoint holds weights, optimiser and
step; so a resumed training is the uninterrupted one, bit for bit.
"""

from __future__ import annotations

import io
import math
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

import keras
import numpy as np
from numpy.typing import NDArray

from tinynas.data import BatchStream
from tinynas.errors import RunError
from tinynas.supernet.backends import BatchScore, Trainable, make_learner
from tinynas.supernet.phase import FixedSampler, Phase, Progress, Subnet

_Subnet = TypeVar("_Subnet", bound=Subnet)

#: seconds of training a kill can cost at most
CHECKPOINT_SECONDS = 60.0


class Diverged(RunError):
    """The loss is no number any more; what to do depends on who asked for the training."""


class Training(Generic[_Subnet]):
    """A model on its way through a phase: it can be advanced, scored and advanced further.

    With a `checkpoint` it begins where that stands; `save` writes one, whole or not at all, and that of a
    finished phase stays, as its result.

    Raises:
        RunError: the checkpoint is not of this model.
    """

    def __init__(
        self,
        model: Trainable[_Subnet],
        phase: Phase[_Subnet],
        stream: BatchStream,
        *,
        seed: int,
        checkpoint: Path | None = None,
        save: Callable[[bytes], None] = lambda content: None,
    ) -> None:
        optimizer = keras.optimizers.SGD(phase.rate(0), momentum=0.9, nesterov=True, weight_decay=phase.decay)
        optimizer.exclude_from_weight_decay(
            var_list=[variable for variable in model.trainable_variables if len(variable.shape) == 1]
        )
        fixed = phase.sampler.choice if isinstance(phase.sampler, FixedSampler) else None
        self._learner = make_learner(model, optimizer, phase.smoothing, fixed)
        self._optimizer, self._phase, self._stream, self._seed = optimizer, phase, stream, seed
        self._state, self._save = [*model.trainable_variables, *optimizer.variables], save
        self.step = _restore(self._state, checkpoint) if checkpoint else 0

    def advance(
        self, until: int | None = None, on_step: Callable[[Progress], None] = lambda progress: None
    ) -> None:
        """Train up to the step `until`, or to the phase's end; a checkpoint is saved there and now and then.

        The learning rate is that of the whole phase, so stopping on the way changes nothing.

        Raises:
            Diverged: the loss is infinite or not a number.
        """
        phase = self._phase
        end = phase.steps if until is None else min(until, phase.steps)
        saved_at = time.monotonic()
        while self.step < end:
            score = self._one_step(self.step)
            self.step += 1
            epoch = self.step / self._stream.steps_per_epoch
            on_step(Progress(phase.name, self.step, phase.steps, epoch, score.loss, score.accuracy))
            # last, so that whoever saves has been told of every step that the checkpoint holds
            if time.monotonic() - saved_at > CHECKPOINT_SECONDS or self.step == end:
                self._save(_pack(self._state, self.step))
                saved_at = time.monotonic()

    def _one_step(self, step: int) -> BatchScore:
        phase, learner = self._phase, self._learner
        choices = phase.sampler(np.random.default_rng((self._seed, phase.index, step)))
        images, labels = self._stream.batch(step, choices[0].resolution)
        self._optimizer.learning_rate = phase.rate(step)
        scores = [learner.accumulate(images, labels, choice, 1.0 / len(choices)) for choice in choices]
        learner.apply()
        loss = float(np.mean([score.loss for score in scores]))
        if not math.isfinite(loss):
            raise Diverged(
                f"training diverged at step {step} of '{phase.name}': start a new run with lower learning "
                "rates (--largest-rate, --supernet-rate, --finetune-rate)"
            )
        return BatchScore(loss, float(np.mean([score.accuracy for score in scores])))


def finished(checkpoint: Path, phase: Phase[Any]) -> bool:
    """Whether the phase's checkpoint holds its last step."""
    return checkpoint.exists() and _read(checkpoint)[0] >= phase.steps


def load_weights(model: Trainable[Any], checkpoint: Path) -> None:
    """Set the weights of `model` to those of a checkpoint, whatever phase wrote it.

    Raises:
        RunError: there is no such checkpoint, or it is damaged or of another model.
    """
    if not checkpoint.exists():
        raise RunError(f"{checkpoint} is missing: start a new run in another folder with --run")
    _restore(list(model.trainable_variables), checkpoint)


def _pack(state: list[keras.Variable], step: int) -> bytes:
    buffer = io.BytesIO()
    arrays = {f"v{i:04d}": keras.ops.convert_to_numpy(variable) for i, variable in enumerate(state)}
    np.savez(buffer, step=np.int64(step), **arrays)
    return buffer.getvalue()


def _read(checkpoint: Path) -> tuple[int, list[NDArray[np.float32]]]:
    try:
        with np.load(checkpoint) as archive:
            names = sorted(name for name in archive.files if name != "step")
            return int(archive["step"]), [archive[name] for name in names]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise RunError(
            f"{checkpoint} is damaged ({error}): delete it and run the same command again"
        ) from error


def _restore(state: list[keras.Variable], checkpoint: Path) -> int:
    """Load `state` from the checkpoint; the step to go on from, 0 without a checkpoint."""
    if not checkpoint.exists():
        return 0
    step, values = _read(checkpoint)
    shapes = [tuple(variable.shape) for variable in state]
    if [value.shape for value in values[: len(state)]] != shapes:
        raise RunError(f"{checkpoint} is of another network: use another --run folder")
    for variable, value in zip(state, values, strict=False):
        variable.assign(value)
    return step
