"""A strategy's generations beside evolution's: how often a board is asked must not depend on the strategy."""

from __future__ import annotations

import math

import pytest

from tinynas.pipeline.effort import SHARED_WEIGHTS, SHORT_TRAINING, Presets
from tinynas.pipeline.strategies import STRATEGIES, generations_in_one, make_strategy
from tinynas.spaces import Scoring

WAYS = ((SHARED_WEIGHTS, Scoring.SHARED_WEIGHTS), (SHORT_TRAINING, Scoring.SHORT_TRAINING))


@pytest.mark.parametrize(("presets", "scoring"), WAYS, ids=["shared weights", "short training"])
@pytest.mark.parametrize("effort", ["quick", "standard", "paper"])
@pytest.mark.parametrize("name", STRATEGIES)
def test_between_two_times_as_many_are_scored_as_by_evolution(
    name: str, effort: str, presets: Presets, scoring: Scoring
) -> None:
    numbers = presets.efforts[effort]
    strategy = make_strategy(name, numbers, scoring)
    each = generations_in_one(strategy, numbers)
    for every in (1, 2, 3):
        asked = strategy.generations // (every * each)
        assert asked <= math.ceil(numbers.evaluations / (every * numbers.children))
        if strategy.generations > numbers.iterations:
            assert asked >= numbers.iterations // every


def test_single_networks_count_as_many_as_evolution_has_children() -> None:
    quick = SHARED_WEIGHTS.efforts["quick"]
    alike = {
        name: generations_in_one(make_strategy(name, quick, Scoring.SHARED_WEIGHTS), quick)
        for name in STRATEGIES
    }
    single = {"regularised": 12, "bayesian": 12}
    assert alike == dict.fromkeys(STRATEGIES, 1) | single
