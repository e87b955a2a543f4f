"""Scoring by short training: each network is trained on its own, the better half of them ever further."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tinynas.networks import Genotype, parse_genotype
from tinynas.pipeline.estimate import Workload, estimate_trials
from tinynas.pipeline.session import Session
from tinynas.pipeline.training_stage import Trainee
from tinynas.search import Candidate, Ladder
from tinynas.spaces import DesignSpace

if TYPE_CHECKING:
    from tinynas.supernet.alone import NetworkTrainer
    from tinynas.supernet.phase import Progress

#: folder of the run with the checkpoints of networks that may be trained further
TRIALS = "trials"


class ShortTraining:
    """For families whose networks share no weights: successive halving."""

    def expected_seconds(self, session: Session, work: Workload) -> Mapping[str, float]:
        """Every trial, then the winner."""
        return estimate_trials(session.effort, work)

    def prepare(self, session: Session, space: DesignSpace[Any]) -> Trials:
        """Nothing is trained beforehand."""
        return Trials(session)


@dataclass(frozen=True)
class Trials:
    """The short trainings of one search."""

    session: Session

    def ladder(self, tell: Callable[[str], None]) -> Ladder[Any]:
        """Trains each network up to the rung at which it is scored."""
        return _TrialLadder(self.session, tell)

    def trainee(self, winner: Candidate[Any]) -> Trainee[Genotype]:
        """The winner at the end of its trial, trained again where its checkpoint is gone.

        That is the end of the ladder for everyone: who is picked from the front may have been beaten on it.
        """
        from tinynas.export.inherit import trained_weights

        ladder = _TrialLadder(self.session, lambda text: None)
        genotype = parse_genotype(winner.genotype)
        network = ladder.trained(genotype, ladder.rungs[-1]).network
        return Trainee(network, genotype, lambda statistics: trained_weights(network, statistics))


class _TrialLadder:
    """Networks on their way through the same training; `rungs` are steps of it."""

    def __init__(self, session: Session, tell: Callable[[str], None]) -> None:
        self._session, self._tell = session, tell
        self._train, self._held_out = session.parts()
        self.rungs = session.effort.trial_steps(len(self._train))

    def accuracy(self, choice: object, genotype: Genotype, steps: int) -> float:
        """Train up to `steps` and score; a network whose training diverges knows nothing."""
        from tinynas.supernet.alone import forget_networks
        from tinynas.supernet.training import Diverged

        try:
            return self.trained(genotype, steps).accuracy(self._held_out)
        except Diverged:
            return 0.0
        finally:
            forget_networks()

    def trained(self, genotype: Genotype, steps: int) -> NetworkTrainer:
        """`genotype` after `steps`, from its checkpoint if there is one."""
        from tinynas.supernet.alone import NetworkTrainer, Recipe
        from tinynas.supernet.scoring import Calibration

        session, effort, whole = self._session, self._session.effort, self.rungs[-1]
        epochs = whole / effort.steps_per_epoch(len(self._train))
        calibration = Calibration(effort.calibration_batches, effort.calibration_batch_size)
        recipe = Recipe(epochs, effort.batch_size, effort.trial_rate, calibration=calibration)
        name = _checkpoint(str(genotype))

        def save(content: bytes) -> None:
            session.run.write_bytes(name, content)

        trainer = NetworkTrainer(
            genotype,
            self._train,
            recipe,
            seed=session.request.seed,
            augmentation=session.data.augmentation,
            checkpoint=session.run.path / name,
            save=save,
        )
        trainer.train_to(epochs * steps / whole, self._on_step)
        return trainer

    def drop(self, genotype: str) -> None:
        """Remove the network's checkpoint."""
        self._session.run.remove(_checkpoint(genotype))

    def _on_step(self, progress: Progress) -> None:
        self._tell(f"step {progress.step} of {progress.steps}, loss {progress.loss:.2f}")


def _checkpoint(genotype: str) -> str:
    return f"{TRIALS}/{hashlib.blake2b(genotype.encode(), digest_size=8).hexdigest()}.npz"
