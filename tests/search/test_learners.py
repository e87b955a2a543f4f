"""Strategies that learn: better than chance on something smooth, alike after a kill, in any family."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_search import Hidden, ToyChoice, ToySpace, genotype_seed, toy_limits

from tinynas.errors import RequestError
from tinynas.networks import Genotype
from tinynas.search import (
    CANDIDATES,
    BayesianSearch,
    Candidate,
    CompoundGrid,
    Controller,
    Evolution,
    Origin,
    Outcome,
    Pool,
    RandomSearch,
    RegularisedEvolution,
    Strategy,
    open_run,
    search,
)
from tinynas.search.tokens import LEVELS, Alphabet
from tinynas.spaces import Pictures, find_family

LEARNERS: dict[str, Callable[[int], Strategy]] = {
    "evolution": lambda n: Evolution(
        population=20, iterations=-(-n // 10) - 2, parents=6, crossover=5, mutation=5
    ),
    "regularised": lambda n: RegularisedEvolution(evaluations=n, population=20, tournament=5),
    "bayesian": lambda n: BayesianSearch(evaluations=n, startup=20, together=4),
    "controller": lambda n: Controller(evaluations=n, together=10),
}
#: a few networks of every strategy, quick
FEW: dict[str, Strategy] = {
    "regularised": RegularisedEvolution(evaluations=12, population=5, tournament=2),
    "bayesian": BayesianSearch(evaluations=12, startup=5),
    "bayesian, three together": BayesianSearch(evaluations=12, startup=5, together=3),
    "controller": Controller(evaluations=12, together=4),
    "grid": CompoundGrid(evaluations=12),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LEARNERS)
@pytest.mark.parametrize("sram", [10**9, 620], ids=["roomy", "tight"])
def test_it_beats_random_search_on_the_same_budget(name: str, sram: int) -> None:
    space, count = ToySpace(12, 6), 80
    bests: list[list[float]] = []
    for seed in range(5):
        found = [
            search(space, strategy, toy_limits(sram), Hidden(seed, space), seed=seed)
            for strategy in (LEARNERS[name](count), RandomSearch(evaluations=count))
        ]
        assert [len(outcome.candidates) for outcome in found] == [count, count]
        bests.append([outcome.best.accuracy for outcome in found])
    learnt, chance = np.mean(bests, axis=0)
    assert learnt > chance + 0.02
    assert sum(mine >= its for mine, its in bests) >= 4


@pytest.mark.parametrize("name", FEW)
def test_killed_after_any_score_it_goes_on_identically(name: str, tmp_path: Path) -> None:
    class Killed(BaseException):
        pass

    def run(folder: Path, survives: int) -> Outcome[ToyChoice]:
        space, scores = ToySpace(5), Hidden(3, ToySpace(5))
        left = iter(range(survives))

        def score(choice: ToyChoice, genotype: Genotype) -> float:
            if next(left, None) is None:
                raise Killed
            return scores(choice, genotype)

        with open_run(folder, {"seed": 3}) as kept:
            return search(space, FEW[name], toy_limits(400), score, seed=3, journal=kept.journal)

    whole = run(tmp_path / "whole", 1000)
    for survives in (1, 4, 6, 11):
        folder = tmp_path / str(survives)
        with pytest.raises(Killed):
            run(folder, survives)
        assert run(folder, 1000) == whole
        assert (folder / CANDIDATES).read_bytes() == (tmp_path / "whole" / CANDIDATES).read_bytes()


@pytest.mark.parametrize("family", ["mobile", "regnety", "anynetx-a", "anynetx-e"])
@pytest.mark.parametrize("name", FEW)
def test_it_searches_a_space_of_any_family(name: str, family: str) -> None:
    shown = Pictures(native=8, in_channels=1, classes=10)
    kind = find_family(family)
    space = kind.with_elastic(kind.spaces(shown)[6], shown, 1)
    outcome = search(
        space,
        FEW[name],
        toy_limits(sram_bytes=60_000),
        lambda choice, genotype: genotype_seed(0, genotype) / 2**32,
        seed=0,
        seeds=[space.smallest()],
    )
    assert len(outcome.candidates) == 12 or name == "grid"
    assert all(space.admits(candidate.choice) for candidate in outcome.candidates)
    if name in ("bayesian", "controller"):
        assert Origin.MODEL in {candidate.origin for candidate in outcome.candidates}


@given(st.sampled_from(["mobile", "regnetx", "anynetx-a", "anynetx-e"]), st.integers(0, 2**31))
@settings(max_examples=40, deadline=None)
def test_tokens_come_back(family: str, seed: int) -> None:
    space = find_family(family).spaces(Pictures(32, 3, 10))[4]
    alphabet, rng = Alphabet(space), np.random.default_rng(seed)
    assert len(alphabet.sizes) == len(space.encode(space.smallest())) and max(alphabet.sizes) <= LEVELS
    tokens = alphabet.tokens(space.sample(rng))
    choice = alphabet.choice(tokens)
    # where a rule puts genes in order, the tokens of what was drawn are in order too
    assert alphabet.choice(alphabet.tokens(choice)) == choice
    if family == "mobile":
        # all its genes are options: nothing is lost
        drawn = space.sample(rng)
        assert alphabet.choice(alphabet.tokens(drawn)) == drawn


@pytest.mark.parametrize("name", ["bayesian", "controller"])
def test_where_the_model_brings_nothing_chance_does(name: str) -> None:
    # nine networks in all: the model soon proposes only what is scored
    strategy = {
        "bayesian": BayesianSearch(evaluations=50, startup=4),
        "controller": Controller(evaluations=50, together=4),
    }[name]
    space = ToySpace(layers=2, widest=3)
    outcome = search(space, strategy, toy_limits(), Hidden(0, space), seed=0)
    assert len(outcome.candidates) == 9


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: BayesianSearch(evaluations=0), "evaluations is 0"),
        (lambda: BayesianSearch(evaluations=9, startup=0), "startup is 0"),
        (lambda: BayesianSearch(evaluations=9, together=0), "together is 0"),
        (lambda: Controller(evaluations=0), "evaluations is 0"),
        (lambda: Controller(evaluations=9, together=0), "together is 0"),
    ],
)
def test_impossible_settings_are_refused(make: Callable[[], Strategy], said: str) -> None:
    with pytest.raises(RequestError, match=said):
        make()


def _scored(space: ToySpace, count: int, score: Callable[[ToyChoice], float]) -> list[Candidate[ToyChoice]]:
    """Networks drawn at random, ten a generation."""
    outcome = search(
        space, RandomSearch(evaluations=count), toy_limits(), lambda choice, _: score(choice), seed=1
    )
    return [replace(candidate, generation=i // 10) for i, candidate in enumerate(outcome.candidates)]


def _pool(space: ToySpace, seed: int) -> Pool[ToyChoice]:
    return Pool(space=space, limits=toy_limits(), rng=np.random.default_rng(seed))


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize("seed", range(4))
def test_the_estimator_is_optunas_told_of_accuracies_in_the_order_of_scoring(seed: int) -> None:
    space = ToySpace(6, 9)
    # no two alike: of equal ones optuna takes the earlier, and we the smaller
    scored = _scored(space, 80, lambda choice: genotype_seed(0, space.genotype(choice)) / 2**32)
    (mine,) = BayesianSearch(evaluations=100, startup=20).propose(61, scored, _pool(space, seed))
    drawn = int(np.random.default_rng(seed).integers(2**32))
    sampler = optuna.samplers.TPESampler(
        seed=drawn, n_startup_trials=0, multivariate=True, constant_liar=True
    )
    study, alphabet = optuna.create_study(direction="maximize", sampler=sampler), Alphabet(space)
    kinds = {f"{i:03}": optuna.distributions.IntDistribution(0, n - 1) for i, n in enumerate(alphabet.sizes)}
    for candidate in scored:
        tokens = dict(zip(kinds, alphabet.tokens(candidate.choice), strict=True))
        study.add_trial(
            optuna.trial.create_trial(params=tokens, distributions=kinds, value=candidate.accuracy)
        )
    theirs = study.ask(kinds).params
    assert mine.choice == alphabet.choice([theirs[name] for name in kinds])


def test_a_controller_learns_though_all_of_a_generation_score_alike() -> None:
    def score(choice: ToyChoice) -> float:
        return sum(choice.channels) / 36

    space = ToySpace(6, 6)
    scored = [
        replace(candidate, accuracy=0.8) if candidate.generation == 1 else candidate
        for candidate in _scored(space, 250, score)
    ]
    proposals = Controller(evaluations=1000, together=40).propose(25, scored, _pool(space, 0))
    assert {proposal.origin for proposal in proposals} == {Origin.MODEL}
    # chance draws 0.58 in the mean
    assert np.mean([score(proposal.choice) for proposal in proposals]) > 0.72
