"""What strategies make of evolution's numbers: generations as long as its own, and which have no effect."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from tinynas.pipeline.effort import SHARED_WEIGHTS, SHORT_TRAINING, Presets
from tinynas.pipeline.strategies import (
    STRATEGIES,
    generations_in_one,
    idle_numbers,
    looked_at_every,
    make_strategy,
)
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


@pytest.mark.parametrize("asked", [1, 2, 3, 50])
@pytest.mark.parametrize("name", STRATEGIES)
def test_every_search_is_looked_at_once_at_least(name: str, asked: int) -> None:
    quick = SHARED_WEIGHTS.efforts["quick"]
    strategy = make_strategy(name, quick, Scoring.SHARED_WEIGHTS)
    every = looked_at_every(asked, strategy, quick)
    times = sum((generation + 1) % every == 0 for generation in range(strategy.generations))
    assert times == max(1, strategy.generations // (asked * generations_in_one(strategy, quick)))


def test_single_networks_count_as_many_as_evolution_has_children() -> None:
    quick = SHARED_WEIGHTS.efforts["quick"]
    alike = {
        name: generations_in_one(make_strategy(name, quick, Scoring.SHARED_WEIGHTS), quick)
        for name in STRATEGIES
    }
    single = {"regularised": 12, "bayesian": 12}
    assert alike == dict.fromkeys(STRATEGIES, 1) | single


@pytest.mark.parametrize("name", STRATEGIES)
def test_exactly_the_numbers_that_change_nothing_are_idle(name: str) -> None:
    paper = SHARED_WEIGHTS.efforts["paper"]
    made = make_strategy(name, paper, Scoring.SHARED_WEIGHTS)
    numbers = ("population", "iterations", "parents", "crossover", "mutation", "mutation_probability")
    changed = {number: replace(paper, **{number: getattr(paper, number) / 2}) for number in numbers[-1:]}
    changed |= {number: replace(paper, **{number: getattr(paper, number) + 7}) for number in numbers[:-1]}
    same = {n for n, effort in changed.items() if make_strategy(name, effort, Scoring.SHARED_WEIGHTS) == made}
    assert idle_numbers([name]) == same and "parents" not in idle_numbers([name, "evolution"])
