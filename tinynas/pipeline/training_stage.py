"""Training in a run: the largest network, the supernet, at the end the winner, each with a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tinynas.data import BatchStream, Split
from tinynas.errors import RunError
from tinynas.pipeline.session import Session
from tinynas.search.run_folder import LARGEST, SUPERNET, TRAINED, WINNER
from tinynas.spaces import Choice, MobileSpace
from tinynas.supernet.phase import FixedSampler, Phase, RandomSampler

if TYPE_CHECKING:
    from tinynas.supernet.model import Supernet


def train_supernet(session: Session, space: MobileSpace) -> Supernet:
    """The largest network first, its channels sorted, then random sub-networks with shared weights."""
    from tinynas.supernet.backends import build_supernet
    from tinynas.supernet.sorting import sort_channels
    from tinynas.supernet.training import load_weights

    run, effort = session.run, session.effort
    model = build_supernet(space, session.request.seed)
    trained = run.has(TRAINED) and run.has(SUPERNET)
    if session.request.supernet is not None and not trained:
        run.write_bytes(SUPERNET, _taken_over(session.request.supernet))
        run.write_json(TRAINED, {"taken_from": str(session.request.supernet)})
        trained = True
    if trained:
        load_weights(model, run.path / SUPERNET)
        return model
    pictures, _ = session.parts()
    largest = FixedSampler(space.largest())
    limits = session.limits()
    satisfying = RandomSampler(
        space, effort.subnets_per_batch, lambda choice: limits.satisfied_by(space.genotype(choice))
    )
    alone = effort.steps(effort.largest_epochs, len(pictures))
    shared = effort.steps(effort.supernet_epochs, len(pictures))
    first = Phase("largest network", 0, alone, effort.largest_rate, largest)
    second = Phase("supernet", 1, shared, effort.supernet_rate, satisfying)
    _train(session, model, first, pictures, LARGEST)
    sort_channels(model)
    _train(session, model, second, pictures, SUPERNET)
    run.write_json(TRAINED, {"largest_steps": alone, "supernet_steps": shared})
    return model


def fine_tune(session: Session, model: Supernet, winner: Choice) -> None:
    """Train the winner alone, from its inherited weights, on all training pictures."""
    effort, pictures = session.effort, session.data.train
    steps = effort.steps(effort.finetune_epochs, len(pictures))
    phase = Phase("fine-tuning", 2, steps, effort.finetune_rate, FixedSampler(winner))
    _train(session, model, phase, pictures, WINNER)


def _train(session: Session, model: Supernet, phase: Phase[Choice], pictures: Split, name: str) -> None:
    """One phase of training with its bar, from its checkpoint."""
    from tinynas.supernet.training import Training, finished, load_weights

    checkpoint, watch = session.run.path / name, session.observer
    if finished(checkpoint, phase):
        load_weights(model, checkpoint)
        return

    stopwatch = session.stopwatch(phase.name)

    def save(content: bytes) -> None:
        session.run.write_bytes(name, content)
        stopwatch.lap()

    stream = BatchStream(
        pictures,
        batch_size=session.effort.batch_size,
        augmentation=session.data.augmentation,
        seed=session.request.seed,
    )
    watch.begin(phase.name, phase.steps)
    training = Training(model, phase, stream, seed=session.request.seed, checkpoint=checkpoint, save=save)
    training.advance(on_step=lambda p: watch.advance(p.step, f"loss {p.loss:.2f}"))
    watch.end()


def _taken_over(other: Path) -> bytes:
    """The trained supernet of another run."""
    if not (other / SUPERNET).is_file() or not (other / TRAINED).is_file():
        raise RunError(
            f"'{other}' has no trained supernet to take over: let that run finish its training first"
        )
    return (other / SUPERNET).read_bytes()
