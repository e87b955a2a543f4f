"""Training in a run, phase by phase, each with a bar and a checkpoint; the winner is the last."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from tinynas.data import BatchStream, Split
from tinynas.pipeline.session import Session
from tinynas.search.history import HistoryWriter
from tinynas.search.run_folder import HISTORY, WINNER
from tinynas.supernet.phase import FixedSampler, Phase, Progress, Subnet

if TYPE_CHECKING:
    from tinynas.export import NetworkWeights
    from tinynas.supernet.backends import Floats, Trainable

_Subnet = TypeVar("_Subnet", bound=Subnet)

#: what the winner's training is called
FINE_TUNING = "fine-tuning"


@dataclass(frozen=True)
class Trainee(Generic[_Subnet]):
    """A network to be trained to the end: `subnet` of `model`, whose weights are at hand.

    `weights` gives them, folded by batch-norm statistics [model.statistics_size].
    """

    model: Trainable[_Subnet]
    subnet: _Subnet
    weights: Callable[[Floats], NetworkWeights]


def fine_tune(session: Session, winner: Trainee[_Subnet]) -> None:
    """Train the winner alone, from the weights it has, on all training pictures."""
    effort, pictures = session.effort, session.data.train
    steps = effort.steps(effort.finetune_epochs, len(pictures))
    phase = Phase(FINE_TUNING, 2, steps, effort.finetune_rate, FixedSampler(winner.subnet))
    train_phase(session, winner.model, phase, pictures, WINNER)


def train_phase(
    session: Session, model: Trainable[_Subnet], phase: Phase[_Subnet], pictures: Split, name: str
) -> None:
    """One phase of training with its bar and its curve, from its checkpoint `name`."""
    from tinynas.supernet.training import Training, finished, load_weights

    checkpoint, watch = session.run.path / name, session.observer
    if finished(checkpoint, phase):
        load_weights(model, checkpoint)
        return

    stopwatch = session.stopwatch(phase.name)

    def save(content: bytes) -> None:
        history.flush()
        session.run.write_bytes(name, content)
        stopwatch.lap()

    def tell(progress: Progress) -> None:
        history.note(progress)
        watch.advance(progress.step, f"loss {progress.loss:.2f}")

    stream = BatchStream(
        pictures,
        batch_size=session.effort.batch_size,
        augmentation=session.data.augmentation,
        seed=session.request.seed,
    )
    watch.begin(phase.name, phase.steps)
    training = Training(model, phase, stream, seed=session.request.seed, checkpoint=checkpoint, save=save)
    history = HistoryWriter(session.run.path / HISTORY, phase.name, training.step)
    training.advance(on_step=tell)
    watch.end()
