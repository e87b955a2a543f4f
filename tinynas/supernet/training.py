"""Training in phases that can be killed at any step: the largest network, the supernet, one winner.

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
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from tinynas.data import BatchStream
from tinynas.errors import RunError
from tinynas.supernet.backends import make_learner
from tinynas.supernet.model import Supernet
from tinynas.supernet.phase import FixedSampler, Phase

#: seconds of training a kill can cost at most
CHECKPOINT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Progress:
    """What an observer is told after a step."""

    phase: str
    step: int
    steps: int
    loss: float


def train(
    model: Supernet,
    phase: Phase,
    stream: BatchStream,
    *,
    seed: int,
    checkpoint: Path,
    save: Callable[[bytes], None],
    on_step: Callable[[Progress], None] = lambda progress: None,
) -> None:
    """Train `model` in place through `phase`, from its checkpoint if there is one.

    `save` writes the checkpoint, whole or not at all; that of a finished phase stays, as its result.

    Raises:
        RunError: the checkpoint is not of this model, or the training diverged.
    """
    optimizer = keras.optimizers.SGD(phase.rate(0), momentum=0.9, nesterov=True, weight_decay=phase.decay)
    optimizer.exclude_from_weight_decay(
        var_list=[variable for variable in model.trainable_variables if len(variable.shape) == 1]
    )
    fixed = phase.sampler.choice if isinstance(phase.sampler, FixedSampler) else None
    learner = make_learner(model, optimizer, phase.smoothing, fixed)
    state = [*model.trainable_variables, *optimizer.variables]
    start = _restore(state, checkpoint)
    saved_at = time.monotonic()
    for step in range(start, phase.steps):
        rng = np.random.default_rng((seed, phase.index, step))
        choices = phase.sampler(rng)
        images, labels = stream.batch(step, choices[0].resolution)
        optimizer.learning_rate = phase.rate(step)
        losses = [learner.accumulate(images, labels, choice, 1.0 / len(choices)) for choice in choices]
        learner.apply()
        loss = float(np.mean(losses))
        if not math.isfinite(loss):
            raise RunError(
                f"training diverged at step {step} of '{phase.name}': start a new run with lower learning "
                "rates (--largest-rate, --supernet-rate, --finetune-rate)"
            )
        if time.monotonic() - saved_at > CHECKPOINT_SECONDS or step + 1 == phase.steps:
            save(_pack(state, step + 1))
            saved_at = time.monotonic()
        on_step(Progress(phase.name, step + 1, phase.steps, loss))


def finished(checkpoint: Path, phase: Phase) -> bool:
    """Whether the phase's checkpoint holds its last step."""
    return checkpoint.exists() and _read(checkpoint)[0] >= phase.steps


def load_weights(model: Supernet, checkpoint: Path) -> None:
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
