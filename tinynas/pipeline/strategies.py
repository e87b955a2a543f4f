"""Strategies by name, each made from the numbers of an effort: who proposes the networks of a search.

All score as many networks as evolution does with these numbers. Those that learn from every score are asked
for one network at a time where scoring trains none, and for as many as evolution has children where networks
climb a ladder together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TypeAlias

from tinynas.pipeline.effort import Effort
from tinynas.search import (
    BayesianSearch,
    CompoundGrid,
    Controller,
    Evolution,
    Order,
    ParetoEvolution,
    RandomSearch,
    RegularisedEvolution,
    Strategy,
    by_domination,
    ranked,
)
from tinynas.spaces import Scoring

#: the strategy that learns nothing
RANDOM = "random"
#: the strategy that looks for a whole front
PARETO = "nsga2"
#: a strategy from the numbers, and from how many networks it is asked for at a time
Maker: TypeAlias = Callable[[Effort, int], Strategy]


def _evolution(effort: Effort, together: int) -> Strategy:
    return Evolution(
        population=effort.population,
        iterations=effort.iterations,
        parents=effort.parents,
        crossover=effort.crossover,
        mutation=effort.mutation,
        mutation_probability=effort.mutation_probability,
    )


def _nsga2(effort: Effort, together: int) -> Strategy:
    return ParetoEvolution(
        population=effort.population,
        iterations=effort.iterations,
        crossover=effort.crossover,
        mutation=effort.mutation,
        mutation_probability=effort.mutation_probability,
    )


def _random(effort: Effort, together: int) -> Strategy:
    return RandomSearch(evaluations=effort.evaluations)


def _regularised(effort: Effort, together: int) -> Strategy:
    # the paper's tournament is a quarter of its population
    return RegularisedEvolution(
        evaluations=effort.evaluations,
        population=effort.population,
        tournament=max(1, effort.population // 4),
        mutation_probability=effort.mutation_probability,
        together=together,
    )


def _bayesian(effort: Effort, together: int) -> Strategy:
    # the estimator is rebuilt for every proposal, which takes long after a thousand scores
    several = max(together, effort.children // 10)
    return BayesianSearch(evaluations=effort.evaluations, startup=effort.population, together=several)


def _grid(effort: Effort, together: int) -> Strategy:
    return CompoundGrid(evaluations=effort.evaluations)


def _controller(effort: Effort, together: int) -> Strategy:
    # a policy learns from a batch, however its networks are scored
    return Controller(evaluations=effort.evaluations, together=max(1, effort.children))


STRATEGIES: Mapping[str, Maker] = MappingProxyType(
    {
        "evolution": _evolution,
        RANDOM: _random,
        "regularised": _regularised,
        "bayesian": _bayesian,
        "grid": _grid,
        "controller": _controller,
        PARETO: _nsga2,
    }
)


#: numbers that are settings of some strategies; the others say how many networks each scores
_OF_SOME = frozenset({"parents", "mutation_probability"})

#: those that look for one network, which is what a comparison judges them by
TO_COMPARE = tuple(name for name in STRATEGIES if name != PARETO)


def make_strategy(name: str, effort: Effort, scoring: Scoring) -> Strategy:
    """The strategy `name`, one of `STRATEGIES`, for networks that are scored so.

    Raises:
        RequestError: its settings are impossible.
    """
    together = 1 if scoring is Scoring.SHARED_WEIGHTS else max(1, effort.children)
    return STRATEGIES[name](effort, together)


def idle_numbers(names: Iterable[str]) -> frozenset[str]:
    """The numbers of an effort that none of those strategies has a use for."""
    strategies = [STRATEGIES[name](Effort(), 1) for name in names]
    return frozenset(number for number in _OF_SOME if not any(hasattr(s, number) for s in strategies))


def generations_in_one(strategy: Strategy, effort: Effort) -> int:
    """How many generations of `strategy` score together as many networks as one of evolution's.

    So that what is done every few generations is as rare with those that ask for one network at a time.
    """
    return max(1, (strategy.generations - 1) // max(1, effort.iterations))


def looked_at_every(asked: int, strategy: Strategy, effort: Effort) -> int:
    """After how many generations of `strategy` it is looked at that was `asked` for in evolution's.

    After its last at least: those that learn nothing from scores have one generation, or two.
    """
    return min(asked * generations_in_one(strategy, effort), strategy.generations)


def order_of(name: str) -> Order:
    """Who goes on to be trained further in a search by the strategy `name`."""
    return by_domination if name == PARETO else ranked
