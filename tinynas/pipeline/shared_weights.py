"""Scoring by weight sharing: one supernet is trained, and every candidate is a part of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tinynas.errors import RunError
from tinynas.pipeline.estimate import TRAINING, Workload, estimate_seconds
from tinynas.pipeline.session import Session
from tinynas.pipeline.training_stage import Trainee, train_phase
from tinynas.search import Candidate, Ladder, OneRung
from tinynas.search.run_folder import LARGEST, SUPERNET, TRAINED
from tinynas.spaces import Choice, MobileSpace
from tinynas.supernet.phase import FixedSampler, Phase, RandomSampler

if TYPE_CHECKING:
    from tinynas.supernet.model import Supernet


class SharedWeights:
    """For spaces whose networks are parts of their largest."""

    def expected_seconds(self, session: Session, work: Workload) -> Mapping[str, float]:
        """The supernet, the search and the winner; a supernet that is there is not trained."""
        trained = session.request.supernet is not None or session.run.has(TRAINED)
        stages = estimate_seconds(session.effort, work)
        return {stage: time for stage, time in stages.items() if not (trained and stage in TRAINING)}

    def prepare(self, session: Session, space: MobileSpace) -> Subnets:
        """Train the supernet."""
        return Subnets(session, train_supernet(session, space))


@dataclass(frozen=True)
class Subnets:
    """The sub-networks of a trained supernet."""

    session: Session
    model: Supernet

    def ladder(self, tell: Callable[[str], None]) -> Ladder[Choice]:
        """Scores each sub-network as it is, after recalibration."""
        from tinynas.supernet.scoring import Calibration, Calibrator, Scorer

        effort, seed = self.session.effort, self.session.request.seed
        train, held_out = self.session.parts()
        calibration = Calibration(effort.calibration_batches, effort.calibration_batch_size)
        scorer = Scorer(Calibrator(self.model, train, calibration=calibration, seed=seed), held_out)
        return OneRung(lambda choice, _genotype: scorer.accuracy(choice))

    def trainee(self, winner: Candidate[Choice]) -> Trainee[Choice]:
        """The winner with the weights it inherits."""
        from tinynas.export.inherit import inherited_weights

        model, choice = self.model, winner.choice
        return Trainee(model, choice, lambda statistics: inherited_weights(model, choice, statistics))


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
    train_phase(session, model, first, pictures, LARGEST)
    sort_channels(model)
    train_phase(session, model, second, pictures, SUPERNET)
    run.write_json(TRAINED, {"largest_steps": alone, "supernet_steps": shared})
    return model


def _taken_over(other: Path) -> bytes:
    """The trained supernet of another run."""
    if not (other / SUPERNET).is_file() or not (other / TRAINED).is_file():
        raise RunError(
            f"'{other}' has no trained supernet to take over: let that run finish its training first"
        )
    return (other / SUPERNET).read_bytes()
