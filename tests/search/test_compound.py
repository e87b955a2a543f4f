"""Compound scaling: the coefficients of the paper's rule, the nearest member of a space, and the order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_search import Hidden, Scorer, ToyChoice, ToySpace, toy_limits

from tinynas.errors import RequestError
from tinynas.search import CompoundGrid, Origin, ranked, search
from tinynas.search.compound import coefficient_grid, scaled
from tinynas.spaces import Pictures, find_family
from tinynas.spaces.genes import Dimension


def test_every_step_doubles_the_computation() -> None:
    grid = coefficient_grid()
    assert len(set(grid)) == len(grid) > 10
    for each in grid:
        assert min(each.alpha, each.beta, each.gamma) >= 1
        assert each.alpha * each.beta**2 * each.gamma**2 == pytest.approx(2)
        assert each.factors(2.0)[Dimension.DEPTH] == pytest.approx(each.alpha**2)
    # the paper's 1.2, 1.1, 1.15 lies between these
    assert any(abs(each.alpha - 1.2) < 0.2 and each.beta == 1.1 and each.gamma == 1.2 for each in grid)


@given(factor=st.floats(1, 8), layers=st.integers(1, 12))
@settings(max_examples=40, deadline=None)
def test_the_total_of_a_size_comes_as_near_as_whole_numbers_can(factor: float, layers: int) -> None:
    space = ToySpace(layers, 9)
    grown = scaled(space, space.smallest(), {Dimension.WIDTH: factor})
    assert abs(sum(grown.channels) - min(factor, 9) * layers) <= 0.5 + 1e-9
    assert max(grown.channels) - min(grown.channels) <= 1
    assert grown.dormant == space.smallest().dormant


@pytest.mark.parametrize("name", ["mobile", "regnetx", "anynetx-d"])
def test_scaling_grows_the_networks_of_any_family(name: str) -> None:
    shown = Pictures(native=32, in_channels=3, classes=10)
    family = find_family(name)
    space = family.with_elastic(family.spaces(shown)[6], shown, 2)
    one = dict.fromkeys(Dimension, 1.0)
    assert scaled(space, space.smallest(), one) == space.smallest()
    huge = scaled(space, space.smallest(), dict.fromkeys(Dimension, 1000.0))
    assert huge.resolution == space.resolution
    for gene, dimension in space.dimensions.items():
        apart = scaled(space, space.smallest(), one | {dimension: 1000.0})
        most = space.genes[gene].encode(getattr(apart, gene))
        assert most == pytest.approx(space.genes[gene].encode(getattr(huge, gene)))
        assert np.sum(getattr(apart, gene)) >= np.sum(getattr(space.smallest(), gene))


def test_the_best_coefficients_grow_first_from_the_largest_that_fits() -> None:
    space, limits = ToySpace(6, 9), toy_limits(sram_bytes=600)
    outcome = search(space, CompoundGrid(evaluations=40), limits, Hidden(1, space), seed=0)
    first = [c for c in outcome.candidates if c.generation == 0]
    later = [c for c in outcome.candidates if c.generation == 1]
    assert first[0].origin is Origin.SEED and first[0].choice == space.smallest()
    assert {c.origin for c in [*first[1:], *later]} == {Origin.GRID}
    widths = [sum(c.choice.channels) for c in later]
    assert widths[0] > max(sum(c.choice.channels) for c in first)
    assert widths[:4] == sorted(widths[:4], reverse=True)
    winner = ranked(first)[0].choice.channels
    betas = {each.beta for each in coefficient_grid() if _width(space, each.beta, 1.0) == winner}
    assert later[0].choice.channels in {_width(space, beta, k / 2) for beta in betas for k in range(33)}
    assert all(c.footprint.sram_bytes <= 600 for c in outcome.candidates)


def _width(space: ToySpace, beta: float, phi: float) -> tuple[int, ...]:
    return scaled(space, space.smallest(), {Dimension.WIDTH: beta**phi}).channels


def test_a_grid_ends_when_it_is_through_and_asks_for_no_luck() -> None:
    space = ToySpace(4, 8)
    outcomes = [
        search(space, CompoundGrid(evaluations=500), toy_limits(), Scorer(), seed=seed) for seed in (0, 1)
    ]
    assert outcomes[0] == outcomes[1]
    assert 10 < len(outcomes[0].candidates) < 500
    assert all(isinstance(c.choice, ToyChoice) for c in outcomes[0].candidates)
    few = search(space, CompoundGrid(evaluations=7), toy_limits(), Scorer(), seed=0)
    assert few.candidates == outcomes[0].candidates[:7]


def test_nothing_to_score_is_refused() -> None:
    with pytest.raises(RequestError, match="evaluations is 0"):
        CompoundGrid(evaluations=0)
