"""Presets, their overrides, and the time they are expected to take."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tinynas.errors import RequestError
from tinynas.pipeline.effort import SHARED_WEIGHTS, SHORT_TRAINING
from tinynas.pipeline.estimate import Workload, estimate_seconds, estimate_trials

WORK = Workload(
    largest_macs=30e6, mean_macs=8e6, winner_macs=10e6, train_pictures=40_000, held_out_pictures=2_000
)


def test_the_paper_preset_has_the_published_evolution() -> None:
    paper = SHARED_WEIGHTS.efforts["paper"]
    numbers = (paper.population, paper.iterations, paper.parents, paper.crossover, paper.mutation)
    assert numbers == (100, 30, 20, 50, 50) and paper.mutation_probability == 0.1
    assert (paper.calibration_batches, paper.calibration_batch_size) == (20, 64)
    assert paper.supernet_epochs == 2 * paper.largest_epochs and paper.subnets_per_batch == 4


def test_overrides_replace_and_none_does_not() -> None:
    effort = SHARED_WEIGHTS.make("quick", {"population": 7, "iterations": None})
    assert effort == replace(SHARED_WEIGHTS.efforts["quick"], population=7)


@pytest.mark.parametrize(
    "wrong", [{"population": 0}, {"held_out": 1.0}, {"batch_size": -1}, {"finetune_rate": 0.0}]
)
def test_numbers_out_of_range_are_named(wrong: dict[str, float]) -> None:
    with pytest.raises(RequestError, match=next(iter(wrong)).replace("_", "-")):
        SHARED_WEIGHTS.make("quick", wrong)


def test_unknown_preset_lists_those_there_are() -> None:
    with pytest.raises(RequestError, match="quick, standard, paper"):
        SHARED_WEIGHTS.make("huge", {})


def test_steps_follow_epochs_within_the_cap() -> None:
    effort = SHARED_WEIGHTS.make("standard", {"batch_size": 100})
    assert effort.steps(2, 1000) == 20
    assert effort.steps(0.01, 1000) == 1
    assert replace(effort, max_steps=5).steps(2, 1000) == 5
    assert effort.steps(3, 50) == 3  # fewer pictures than a batch: one batch an epoch


def test_more_effort_is_expected_to_take_longer() -> None:
    totals = [
        sum(estimate_seconds(SHARED_WEIGHTS.efforts[name], WORK).values())
        for name in ("quick", "standard", "paper")
    ]
    assert totals == sorted(totals) and totals[0] < totals[2] / 10


def test_more_effort_in_trials_is_expected_to_take_longer() -> None:
    totals = [sum(estimate_trials(e, WORK).values()) for e in SHORT_TRAINING.efforts.values()]
    assert totals == sorted(totals) and totals[0] < totals[2] / 10


def test_each_rung_trains_twice_as_far() -> None:
    effort = SHORT_TRAINING.make("standard", {"trial_epochs": 8, "batch_size": 100, "rungs": 3})
    assert effort.trial_steps(1000) == (20, 40, 80)
    assert replace(effort, max_steps=10).trial_steps(1000) == (2, 5, 10)
    assert replace(effort, max_steps=2).trial_steps(1000) == (1, 2)
    assert replace(effort, rungs=10_000_000, max_steps=1).trial_steps(1000) == (1,)


def test_numbers_of_the_other_way_of_scoring_are_refused() -> None:
    with pytest.raises(RequestError, match="--largest-epochs has no meaning"):
        SHORT_TRAINING.make("quick", {"largest_epochs": 3.0})
    assert SHORT_TRAINING.make("quick", {"largest_epochs": None}) == SHORT_TRAINING.efforts["quick"]
