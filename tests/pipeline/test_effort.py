"""Presets, their overrides, and the time they are expected to take."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tinynas.errors import RequestError
from tinynas.pipeline.effort import EFFORTS, make_effort
from tinynas.pipeline.estimate import Workload, estimate_seconds

WORK = Workload(
    largest_macs=30e6, mean_macs=8e6, winner_macs=10e6, train_pictures=40_000, held_out_pictures=2_000
)


def test_the_paper_preset_has_the_published_evolution() -> None:
    paper = EFFORTS["paper"]
    numbers = (paper.population, paper.iterations, paper.parents, paper.crossover, paper.mutation)
    assert numbers == (100, 30, 20, 50, 50) and paper.mutation_probability == 0.1
    assert (paper.calibration_batches, paper.calibration_batch_size) == (20, 64)
    assert paper.supernet_epochs == 2 * paper.largest_epochs and paper.subnets_per_batch == 4


def test_overrides_replace_and_none_does_not() -> None:
    effort = make_effort("quick", {"population": 7, "iterations": None})
    assert effort == replace(EFFORTS["quick"], population=7)


@pytest.mark.parametrize(
    "wrong", [{"population": 0}, {"held_out": 1.0}, {"batch_size": -1}, {"finetune_rate": 0.0}]
)
def test_numbers_out_of_range_are_named(wrong: dict[str, float]) -> None:
    with pytest.raises(RequestError, match=next(iter(wrong)).replace("_", "-")):
        make_effort("quick", wrong)


def test_unknown_preset_lists_those_there_are() -> None:
    with pytest.raises(RequestError, match="quick, standard, paper"):
        make_effort("huge", {})


def test_steps_follow_epochs_within_the_cap() -> None:
    effort = make_effort("standard", {"batch_size": 100})
    assert effort.steps(2, 1000) == 20
    assert effort.steps(0.01, 1000) == 1
    assert replace(effort, max_steps=5).steps(2, 1000) == 5
    assert effort.steps(3, 50) == 3  # fewer pictures than a batch: one batch an epoch


def test_more_effort_is_expected_to_take_longer() -> None:
    totals = [sum(estimate_seconds(EFFORTS[name], WORK).values()) for name in ("quick", "standard", "paper")]
    assert totals == sorted(totals) and totals[0] < totals[2] / 10
