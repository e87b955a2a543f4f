"""Regularised evolution: who may have children, and that age alone ends a life."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from toy_search import Scorer, ToyChoice, ToySpace, toy_limits

from tinynas.errors import RequestError
from tinynas.search import Candidate, Origin, Pool, RegularisedEvolution, search

WHOLE = RegularisedEvolution(evaluations=40, population=10, tournament=200, mutation_probability=0.5)


class Remembering(ToySpace):
    """Keeps whom it was asked to mutate."""

    def mutate(self, choice: ToyChoice, rng: np.random.Generator, probability: float) -> ToyChoice:
        self.asked = choice
        return super().mutate(choice, rng, probability)


def _scored(strategy: RegularisedEvolution) -> tuple[Candidate[ToyChoice], ...]:
    return search(ToySpace(6), strategy, toy_limits(), Scorer(), seed=3).candidates


def _parent(strategy: RegularisedEvolution, scored: tuple[Candidate[ToyChoice], ...], seed: int) -> ToyChoice:
    space = Remembering(6)
    pool = Pool(space=space, limits=toy_limits(), rng=np.random.default_rng(seed), seen=())
    (child,) = strategy.propose(5, scored, pool)
    assert child.origin is Origin.MUTATION
    return space.asked


def test_a_tournament_of_all_is_won_by_the_best_of_the_youngest() -> None:
    scored = _scored(WHOLE)[:30]
    best_alive = max(scored[-10:], key=lambda candidate: candidate.accuracy)
    assert _parent(WHOLE, scored, 0) == best_alive.choice
    # the best of all is dead: it is not asked, however good it was
    ever = max(scored, key=lambda candidate: candidate.accuracy)
    aged = (ever, *(candidate for candidate in scored if candidate is not ever))
    assert _parent(WHOLE, aged, 0) != ever.choice


def test_a_tournament_of_one_takes_anyone_alive() -> None:
    anyone = RegularisedEvolution(evaluations=40, population=10, tournament=1, mutation_probability=0.5)
    scored = _scored(WHOLE)[:30]
    parents = {_parent(anyone, scored, seed) for seed in range(200)}
    assert parents == {candidate.choice for candidate in scored[-10:]}


def test_it_makes_the_population_and_then_one_child_at_a_time() -> None:
    scored = _scored(WHOLE)
    assert [candidate.generation for candidate in scored] == [0] * 10 + list(range(1, 31))
    assert (WHOLE.generations, WHOLE.evaluations) == (31, 40)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"evaluations": 0}, "evaluations is 0"),
        ({"population": 0}, "population is 0"),
        ({"tournament": 0}, "tournament is 0"),
        ({"together": 0}, "together is 0"),
        ({"mutation_probability": 0.0}, "mutation probability is 0"),
    ],
)
def test_impossible_settings_are_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(RequestError, match=said):
        RegularisedEvolution(**({"evaluations": 9} | wrong))
