"""Strategies by what they do: how many networks they score, which, and that they always end."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_search import Scorer, ToySpace, genotype_seed, toy_limits

from tinynas.errors import RequestError, VerificationError
from tinynas.search import (
    AtMost,
    BayesianSearch,
    Controller,
    Evolution,
    Origin,
    ParetoEvolution,
    Progress,
    RandomSearch,
    RegularisedEvolution,
    Strategy,
    ranked,
    restore_choice,
    search,
)
from tinynas.search.candidate import candidate_line, parse_candidate
from tinynas.search.pool import BARREN_DRAWS, DRAWS_PER_NETWORK
from tinynas.spaces import Family, Pictures, families

SMALL = Evolution(population=12, iterations=4, parents=4, crossover=5, mutation=6, mutation_probability=0.3)
#: one test body runs over every strategy
STRATEGIES: list[Strategy] = [
    ParetoEvolution(population=12, iterations=4, crossover=3, mutation=3, mutation_probability=0.3),
    SMALL,
    RandomSearch(evaluations=36),
    RegularisedEvolution(evaluations=36, population=10, tournament=3, mutation_probability=0.3),
    RegularisedEvolution(evaluations=37, population=10, tournament=3, mutation_probability=0.3, together=5),
    AtMost(SMALL, 21),
    BayesianSearch(evaluations=20, startup=8),
    BayesianSearch(evaluations=21, startup=8, together=4),
    Controller(evaluations=26, together=6),
]


@pytest.mark.parametrize("strategy", STRATEGIES)
@given(seed=st.integers(0, 2**31), sram=st.integers(110, 500), flash=st.integers(60, 300))
@settings(max_examples=12, deadline=None)
def test_scores_each_satisfying_network_once_and_no_other(
    strategy: Strategy, seed: int, sram: int, flash: int
) -> None:
    limits, scorer = toy_limits(sram, flash), Scorer(seed)
    outcome = search(ToySpace(), strategy, limits, scorer, seed=seed)
    assert len(set(scorer.scored)) == len(scorer.scored) == len(outcome.candidates) <= strategy.evaluations
    assert [candidate.genotype for candidate in outcome.candidates] == scorer.scored
    for candidate in outcome.candidates:
        assert candidate.footprint.sram_bytes <= sram and candidate.footprint.flash_bytes <= flash
    assert outcome.best.accuracy == max(candidate.accuracy for candidate in outcome.candidates)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_roomy_space_gets_every_evaluation(strategy: Strategy) -> None:
    outcome = search(ToySpace(layers=5, widest=9), strategy, toy_limits(), Scorer(), seed=1)
    assert len(outcome.candidates) == strategy.evaluations


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_so_does_one_of_which_hardly_more_fits(strategy: Strategy) -> None:
    # 56 networks do, as many as the greediest asks for; children of the best few alone run out
    space, limits = ToySpace(layers=3, widest=6), toy_limits(sram_bytes=140)
    outcome = search(space, strategy, limits, Scorer(), seed=0, seeds=[space.smallest()])
    assert len(outcome.candidates) == strategy.evaluations


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_same_seed_same_search_other_seed_other_search(strategy: Strategy) -> None:
    first, again, other = (
        search(ToySpace(5), strategy, toy_limits(), Scorer(), seed=seed) for seed in (3, 3, 4)
    )
    assert first == again
    assert first != other


def test_published_settings_score_3100_networks() -> None:
    assert Evolution().generations == 31
    assert Evolution().evaluations == 100 + 30 * (50 + 50)


def test_evolution_makes_what_its_settings_say_and_from_the_best() -> None:
    outcome = search(ToySpace(layers=6, widest=9), SMALL, toy_limits(), Scorer(), seed=5)
    for generation in range(SMALL.generations):
        origins = [c.origin for c in outcome.candidates if c.generation == generation]
        expected = [Origin.RANDOM] * 12 if generation == 0 else [Origin.MUTATION] * 6 + [Origin.CROSSOVER] * 5
        assert origins == expected
    for child in (c for c in outcome.candidates if c.origin is Origin.CROSSOVER):
        earlier = [c for c in outcome.candidates if c.generation < child.generation]
        columns = zip(*(c.choice.channels for c in ranked(earlier)[:4]), strict=True)
        assert all(gene in column for gene, column in zip(child.choice.channels, columns, strict=True))


def test_evolution_beats_random_search_on_the_same_budget() -> None:
    wins = 0
    for seed in range(8):
        evolution = Evolution(population=20, iterations=6, parents=5, crossover=10, mutation=10)
        best = [
            search(ToySpace(8, 16), strategy, toy_limits(), Scorer(seed), seed=seed).best.accuracy
            for strategy in (evolution, RandomSearch(evaluations=evolution.evaluations))
        ]
        wins += best[0] > best[1]
    assert wins >= 6


def test_evolution_and_random_search_open_with_the_same_networks() -> None:
    evolution = search(ToySpace(5), Evolution(iterations=0), toy_limits(), Scorer(), seed=7)
    random = search(ToySpace(5), RandomSearch(evaluations=150), toy_limits(), Scorer(), seed=7)
    assert evolution.candidates == random.candidates[:100]


@pytest.mark.parametrize("strategy", [Evolution(), RandomSearch(evaluations=1000)])
def test_a_budget_nothing_fits_is_answered_soon_with_the_smallest_need(strategy: Strategy) -> None:
    space, limits, scorer = ToySpace(layers=1, widest=8), toy_limits(sram_bytes=10), Scorer()
    with pytest.raises(RequestError) as caught:
        search(space, strategy, limits, scorer, seed=0)
    assert scorer.scored == []
    assert space.calls.total() == BARREN_DRAWS
    # one channel: 16 activations, 1 pooled, 2 logits; the eight genotypes of the space were all seen
    assert "10 B of SRAM" in str(caught.value)
    assert "8 tried the nearest needs 19 B of SRAM" in str(caught.value)
    assert "allow more SRAM," in str(caught.value)


def test_the_answer_names_the_memory_that_is_short() -> None:
    with pytest.raises(RequestError, match=r"allow more flash,"):
        search(ToySpace(), SMALL, toy_limits(flash_bytes=3), Scorer(), seed=0)
    with pytest.raises(RequestError, match=r"allow more SRAM and more flash,"):
        search(ToySpace(), SMALL, toy_limits(sram_bytes=3, flash_bytes=3), Scorer(), seed=0)


@pytest.mark.parametrize("strategy", [Evolution(), RandomSearch(evaluations=1000)])
def test_ends_when_every_network_of_a_tiny_space_is_scored(strategy: Strategy) -> None:
    space, scorer = ToySpace(layers=2, widest=3), Scorer()
    outcome = search(space, strategy, toy_limits(), scorer, seed=0)
    assert len(outcome.candidates) == len(scorer.scored) == 9
    assert space.calls.total() <= 3 * (BARREN_DRAWS + 9 * DRAWS_PER_NETWORK)


def test_a_rare_seed_is_enough_to_start_from() -> None:
    space = ToySpace(layers=6, widest=30)
    smallest = space.sample(np.random.default_rng(0))
    smallest = type(smallest)((1,) * 6, 0)
    limits = toy_limits(sram_bytes=6 * 16 + 60)
    with pytest.raises(RequestError, match="no network found fits"):
        search(space, SMALL, limits, Scorer(), seed=0)
    outcome = search(space, SMALL, limits, Scorer(), seed=0, seeds=[smallest])
    assert outcome.candidates[0].origin is Origin.SEED
    assert len(outcome.candidates) > 10


@pytest.mark.parametrize("family", families(), ids=lambda family: family.name)
def test_a_space_of_any_family_can_be_searched_and_its_choices_come_back(family: Family[Any]) -> None:
    shown = Pictures(native=8, in_channels=1, classes=10)
    space = family.with_elastic(family.spaces(shown)[6], shown, 1)
    strategy = Evolution(population=6, iterations=1, parents=3, crossover=3, mutation=3)
    outcome = search(
        space,
        strategy,
        toy_limits(),
        lambda choice, genotype: genotype_seed(0, genotype) / 2**32,
        seed=0,
        seeds=[space.smallest()],
    )
    assert outcome.candidates[0].choice == space.smallest()
    assert len(outcome.candidates) == strategy.evaluations
    for candidate in outcome.candidates:
        back = restore_choice(family.choice_type, parse_candidate(candidate_line(candidate)).choice)
        assert back == candidate.choice
        assert str(space.genotype(back)) == candidate.genotype


def test_more_seeds_than_places_are_cut() -> None:
    space = ToySpace(layers=5)
    rng = np.random.default_rng(0)
    seeds = [space.sample(rng) for _ in range(10)]
    outcome = search(space, RandomSearch(evaluations=4), toy_limits(), Scorer(), seed=0, seeds=seeds)
    assert [c.choice for c in outcome.candidates] == seeds[:4]


def test_progress_is_told_for_every_candidate() -> None:
    told: list[Progress[Any]] = []
    outcome = search(ToySpace(5), SMALL, toy_limits(), Scorer(), seed=2, on_candidate=told.append)
    assert [p.candidate for p in told] == list(outcome.candidates)
    assert [p.done for p in told] == list(range(1, SMALL.evaluations + 1))
    assert {p.total for p in told} == {SMALL.evaluations}
    assert told[-1].best == outcome.best
    assert not any(p.reused for p in told)
    best_so_far = [p.best.accuracy for p in told]
    assert best_so_far == sorted(best_so_far)


@pytest.mark.parametrize("nonsense", [float("nan"), -0.1, 1.5, float("inf")])
def test_what_is_no_accuracy_is_refused(nonsense: float) -> None:
    with pytest.raises(VerificationError, match="training diverged"):
        search(ToySpace(), SMALL, toy_limits(), lambda choice, genotype: nonsense, seed=0)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"population": 0}, "population is 0"),
        ({"iterations": -1}, "iterations is -1"),
        ({"parents": 0}, "parents is 0"),
        ({"crossover": -5}, "crossover is -5"),
        ({"mutation": 0, "crossover": 0}, "both 0"),
        ({"mutation_probability": 0.0}, "mutation probability is 0"),
        ({"mutation_probability": 1.1}, "mutation probability is 1.1"),
        ({"mutation_probability": float("nan")}, "mutation probability is nan"),
    ],
)
def test_evolution_validates_at_once(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(RequestError, match=said):
        Evolution(**wrong)


def test_random_search_and_seed_validate_at_once() -> None:
    with pytest.raises(RequestError, match="evaluations is 0"):
        RandomSearch(evaluations=0)
    with pytest.raises(RequestError, match="seed is -1"):
        search(ToySpace(), SMALL, toy_limits(), Scorer(), seed=-1)
