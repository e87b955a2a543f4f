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
    batch = min(effort.batch_size, work.train_pictures)

    def training(epochs: float, macs: float, networks: int) -> float:
        step = STEP_OVERHEAD + TRAIN_SECONDS_PER_MAC * macs * batch
        return effort.steps(epochs, work.train_pictures) * networks * step

    pictures = effort.calibration_batches * effort.calibration_batch_size + work.held_out_pictures
    passes = effort.calibration_batches + work.held_out_pictures / SCORED_AT_ONCE
    score = PASS_OVERHEAD * passes + INFER_SECONDS_PER_MAC * work.mean_macs * pictures
    return {
        "largest": training(effort.largest_epochs, work.largest_macs, 1),
        "supernet": training(effort.supernet_epochs, work.mean_macs, effort.subnets_per_batch),
        "search": effort.evaluations * score,
        "fine-tune": training(effort.finetune_epochs, work.winner_macs, 1),
        "trace, export and check": FIXED_SECONDS,
    }
