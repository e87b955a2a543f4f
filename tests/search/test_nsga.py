"""NSGA-II: fronts and room by their definitions, survivors without memory, a better front than random's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_search import Scorer, ToyChoice, ToySpace, toy_limits

from tinynas.networks import Genotype
from tinynas.search import (
    CANDIDATES,
    Candidate,
    Outcome,
    ParetoEvolution,
    RandomSearch,
    Strategy,
    by_domination,
    open_run,
    pareto_front,
    search,
)
from tinynas.search.domination import Losses, crowding, fronts

POINTS = st.lists(st.tuples(*[st.integers(0, 4)] * 3), min_size=1, max_size=25).map(
    lambda points: np.array(points, float)
)
SMALL = ParetoEvolution(population=16, iterations=5, crossover=8, mutation=8, mutation_probability=0.3)


@given(losses=POINTS)
@settings(deadline=None)
def test_fronts_are_peeled_off_one_by_one(losses: Losses) -> None:
    found = fronts(losses)
    for number in range(int(found.max()) + 1):
        left = losses[found >= number]
        unbeaten = [not any((other <= one).all() and (other < one).any() for other in left) for one in left]
        assert (found[found >= number] == number).tolist() == unbeaten


@given(losses=POINTS)
@settings(max_examples=25, deadline=None)
def test_the_first_front_is_optunas(losses: Losses) -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(directions=["minimize"] * 3)
    study.add_trials([optuna.trial.create_trial(values=row.tolist()) for row in losses])
    assert sorted(trial.number for trial in study.best_trials) == np.flatnonzero(fronts(losses) == 0).tolist()


def test_room_is_what_the_paper_says_of_four_points() -> None:
    # figure 1: half the perimeter of the cuboid between the neighbours, each side in shares of the front
    line = np.array([[0.0, 10.0], [1.0, 6.0], [4.0, 5.0], [10.0, 0.0]])
    assert crowding(line).tolist() == pytest.approx([np.inf, 0.4 + 0.5, 0.9 + 0.6, np.inf])
    assert crowding(line[[2, 0, 3, 1]]).tolist() == pytest.approx([1.5, np.inf, np.inf, 0.9])
    assert np.isinf(crowding(np.zeros((1, 2)))).all()


def _front(outcome: Outcome[ToyChoice]) -> list[Candidate[ToyChoice]]:
    return pareto_front(outcome.candidates)


def _accuracy(choice: ToyChoice, genotype: Genotype) -> float:
    """Less for each further channel, and the more the later the layer, while all channels cost alike."""
    return sum((1 + layer) * channels**0.5 for layer, channels in enumerate(choice.channels)) / 100


def _found(strategy: Strategy, seed: int) -> Outcome[ToyChoice]:
    return search(ToySpace(6, 12), strategy, toy_limits(timed=True), _accuracy, seed=seed)


def test_its_front_lies_before_that_of_random_search() -> None:
    wins = 0
    for seed in range(6):
        mine, others = (_front(_found(way, seed)) for way in (SMALL, RandomSearch(evaluations=96)))
        both = {candidate.genotype for candidate in pareto_front([*mine, *others])}
        wins += sum(c.genotype in both for c in mine) > sum(c.genotype in both for c in others)
    assert wins >= 5


def test_who_is_best_begins_with_the_front_and_does_not_depend_on_the_order_of_arrival() -> None:
    outcome = _found(SMALL, 3)
    order = by_domination(outcome.candidates)
    front = {candidate.genotype for candidate in _front(outcome)}
    assert {candidate.genotype for candidate in order[: len(front)]} >= front
    assert by_domination(reversed(outcome.candidates)) == order
    assert by_domination([]) == []


@given(data=st.data())
@settings(max_examples=10, deadline=None)
def test_a_search_cut_anywhere_goes_on_to_the_same_front(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("nsga")

    def run(path: Path) -> Outcome[ToyChoice]:
        with open_run(path, {"seed": 3}) as held:
            limits = toy_limits(timed=True)
            return search(ToySpace(4), SMALL, limits, Scorer(), seed=3, journal=held.journal)

    whole = run(folder / "whole")
    journal = (folder / "whole" / CANDIDATES).read_bytes()
    with open_run(folder / "cut", {"seed": 3}) as held:
        held.write_bytes(CANDIDATES, journal[: data.draw(st.integers(0, len(journal)))])
    assert run(folder / "cut") == whole
    assert (folder / "cut" / CANDIDATES).read_bytes() == journal
