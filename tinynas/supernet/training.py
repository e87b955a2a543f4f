"""Training in phases that can be killed at any step: the largest network, the supernet, one winner.

Everything drawn at a step depends on (seed, phase, step) alone, and a checkpoint holds weights, optimiser and
step; so a resumed training is the uninterrupted one, bit for bit.
"""

from __future__ import annotations

import io
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import keras
import numpy as np

from tinynas.data import BatchStream
from tinynas.errors import RunError
from tinynas.spaces.mobile import Choice, MobileSpace
from tinynas.supernet.backends import make_learner
from tinynas.supernet.model import Supernet

#: seconds of training a kill can cost at most
CHECKPOINT_SECONDS = 60.0


class Sampler(Protocol):
    """Which sub-networks a step trains."""

    def __call__(self, rng: np.random.Generator) -> list[Choice]:
        """The sub-networks of one step; all of one resolution."""


@dataclass(frozen=True, slots=True)
class FixedSampler:
    """Always the one network: the largest at first, the winner at the end."""

    choice: Choice

    def __call__(self, rng: np.random.Generator) -> list[Choice]:
        """The network."""
        return [self.choice]


@dataclass(frozen=True, slots=True)
class RandomSampler:
    """`count` random sub-networks a batch (4 in section 3.2 of the paper), of one random resolution.

    With `satisfies`, sub-networks outside the limits are redrawn a few times: they would never be chosen,
    and training time is scarce.
    """

    space: MobileSpace
    count: int = 4
    satisfies: Callable[[Choice], bool] | None = None
    tries: int = 50

    def __call__(self, rng: np.random.Generator) -> list[Choice]:
        """`count` sub-networks of the space."""
        resolution = int(rng.choice(self.space.resolutions))
        return [self._draw(rng, resolution) for _ in range(self.count)]

    def _draw(self, rng: np.random.Generator, resolution: int) -> Choice:
        for _ in range(self.tries):
            drawn = self.space.sample(rng)
            choice = Choice(resolution, drawn.depths, drawn.kernels, drawn.expands)
            if self.satisfies is None or self.satisfies(choice):
                break
        return choice


@dataclass(frozen=True, slots=True)
class Phase:
    """One stretch of training: `steps` of SGD with Nesterov momentum 0.9 on a one-cycle schedule.

    The learning rate rises linearly over the first `warmup` share to `peak_rate`, then falls as a cosine.
    `decay` is decoupled weight decay, on kernels only. `index` keeps the random streams of phases apart.
    """

    name: str
    index: int
    steps: int
    peak_rate: float
    sampler: Sampler
    warmup: float = 0.2
    decay: float = 2e-3
    smoothing: float = 0.1

    def rate(self, step: int) -> float:
        """The learning rate of a step."""
        rise = max(1, round(self.warmup * self.steps))
        if step < rise:
            return self.peak_rate * (0.1 + 0.9 * step / rise)
        return 0.5 * self.peak_rate * (1 + math.cos(math.pi * (step - rise) / max(1, self.steps - rise)))


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
    save: Callable[[Path, bytes], None],
    on_step: Callable[[Progress], None] = lambda progress: None,
) -> None:
    """Train `model` in place through `phase`, from its checkpoint if there is one.

    `save` writes a file atomically. The checkpoint of a finished phase stays: its weights are the result.

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
                f"training diverged at step {step} of '{phase.name}': start a new run with a lower --rate"
            )
        if time.monotonic() - saved_at > CHECKPOINT_SECONDS or step + 1 == phase.steps:
            save(checkpoint, _pack(state, step + 1))
            saved_at = time.monotonic()
        on_step(Progress(phase.name, step + 1, phase.steps, loss))


def finished(checkpoint: Path, phase: Phase) -> bool:
    """Whether the phase's checkpoint holds its last step."""
    return checkpoint.exists() and _read(checkpoint)[0] >= phase.steps


def load_weights(model: Supernet, checkpoint: Path) -> None:
    """Set the weights of `model` to those of a checkpoint, whatever phase wrote it."""
    _restore(list(model.trainable_variables), checkpoint)


def _pack(state: list[keras.Variable], step: int) -> bytes:
    buffer = io.BytesIO()
    arrays = {f"v{i:04d}": keras.ops.convert_to_numpy(variable) for i, variable in enumerate(state)}
    np.savez(buffer, step=np.int64(step), **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def _read(checkpoint: Path) -> tuple[int, list[np.ndarray]]:  # type: ignore[type-arg]
    try:
        with np.load(checkpoint) as archive:
            names = sorted(name for name in archive.files if name != "step")
            return int(archive["step"]), [archive[name] for name in names]
    except (OSError, ValueError, KeyError, EOFError) as error:
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
