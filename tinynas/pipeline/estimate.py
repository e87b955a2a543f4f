"""How long a search will take, said before it starts.

A training step on two cores costs a fixed overhead plus time in proportion to MACs and pictures
(`benchmarks/step_time.py` measures both). Other machines differ, and so do other backends.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinynas.pipeline.effort import Effort

#: seconds a training step costs whatever the network
STEP_OVERHEAD = 0.055
#: seconds per MAC and picture, forward, backward and update
TRAIN_SECONDS_PER_MAC = 0.18e-9
#: the same for a forward pass alone
PASS_OVERHEAD = 0.046
INFER_SECONDS_PER_MAC = 0.04e-9
#: pictures of a forward pass when sub-networks are scored
SCORED_AT_ONCE = 250
#: building and tracing one network that is trained alone
BUILD_SECONDS = 3.0
#: tracing each phase's graph, exporting and verifying
FIXED_SECONDS = 40.0
#: the stages that a supernet taken over spares
TRAINING = ("largest", "supernet")


@dataclass(frozen=True, slots=True)
class Workload:
    """What an estimate depends on: MACs of the largest, a mean and a strong network, and pictures."""

    largest_macs: float
    mean_macs: float
    winner_macs: float
    train_pictures: int
    held_out_pictures: int


def estimate_seconds(effort: Effort, work: Workload) -> dict[str, float]:
    """Expected seconds of each stage on two cores, by the stage's name."""
    steps, sharing = effort.steps, effort.subnets_per_batch
    return {
        "largest": _training(
            effort, work, steps(effort.largest_epochs, work.train_pictures), work.largest_macs
        ),
        "supernet": sharing
        * _training(effort, work, steps(effort.supernet_epochs, work.train_pictures), work.mean_macs),
        "search": effort.evaluations * _score(effort, work),
        **_ending(effort, work),
    }


def estimate_trials(effort: Effort, work: Workload) -> dict[str, float]:
    """The same where each network is trained on its own, the better half of them further."""
    seconds, before = 0.0, 0
    for rung, steps in enumerate(effort.trial_steps(work.train_pictures)):
        each = BUILD_SECONDS + _score(effort, work) + _training(effort, work, steps - before, work.mean_macs)
        seconds, before = seconds + each * effort.evaluations / 2**rung, steps
    return {"search": seconds, **_ending(effort, work)}


def _training(effort: Effort, work: Workload, steps: int, macs: float) -> float:
    batch = min(effort.batch_size, work.train_pictures)
    return steps * (STEP_OVERHEAD + TRAIN_SECONDS_PER_MAC * macs * batch)


def _score(effort: Effort, work: Workload) -> float:
    pictures = effort.calibration_batches * effort.calibration_batch_size + work.held_out_pictures
    passes = effort.calibration_batches + work.held_out_pictures / SCORED_AT_ONCE
    return PASS_OVERHEAD * passes + INFER_SECONDS_PER_MAC * work.mean_macs * pictures


def _ending(effort: Effort, work: Workload) -> dict[str, float]:
    steps = effort.steps(effort.finetune_epochs, work.train_pictures)
    return {
        "fine-tune": _training(effort, work, steps, work.winner_macs),
        "trace, export and check": FIXED_SECONDS,
    }
