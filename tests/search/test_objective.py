"""Order of candidates, against its definition."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinynas.errors import RequestError
from tinynas.search import Candidate, Footprint, Origin, find_objective, ranked


def _candidates() -> st.SearchStrategy[list[Candidate[Any]]]:
    few = st.integers(1, 4)
    point = st.tuples(few, few, few, few)
    return st.tuples(st.lists(point, max_size=14), st.booleans()).map(
        lambda drawn: [
            Candidate(
                f"net{i}",
                {},
                accuracy / 10,
                # where times are known, MACs must not count
                Footprint(1 if drawn[1] else time, 1, sram, flash, time / 4 if drawn[1] else None),
                0,
                Origin.RANDOM,
            )
            for i, (accuracy, sram, time, flash) in enumerate(drawn[0])
        ]
    )


@given(accuracy=st.floats(0.01, 1), target=st.floats(0.1, 1e3), share=st.floats(0.01, 1))
def test_mnasnets_reward_has_the_papers_corner_values(accuracy: float, target: float, share: float) -> None:
    soft, hard = (find_objective(name, target) for name in ("mnasnet-soft", "mnasnet-hard"))
    assert soft is not None and hard is not None
    # section 3.1: 5 % more accuracy for twice the time is as good (w = -0.07)
    assert soft.reward(1.05 * accuracy, 2 * target) == pytest.approx(soft.reward(accuracy, target), rel=2e-3)
    assert soft.reward(accuracy, target) == hard.reward(accuracy, target) == accuracy
    # equation 3 with w = (0, -1): nothing is won below the target, above it reward falls as time grows
    assert hard.reward(accuracy, share * target) == accuracy
    assert hard.reward(accuracy, target / share) == pytest.approx(accuracy * share)
    assert soft.reward(accuracy, share * target) == pytest.approx(accuracy * share**-0.07)


def test_an_objective_is_refused_without_its_target_or_by_a_wrong_name() -> None:
    assert find_objective("accuracy", None) is None
    with pytest.raises(RequestError, match="--latency or --fps"):
        find_objective("mnasnet-soft", None)
    with pytest.raises(RequestError, match="choose accuracy, mnasnet-soft, mnasnet-hard"):
        find_objective("speed", 3.0)


@given(candidates=_candidates())
def test_a_reward_goes_before_accuracy(candidates: list[Candidate[Any]]) -> None:
    rewarded = [replace(candidate, reward=1 - candidate.accuracy) for candidate in candidates]
    assert [c.accuracy for c in ranked(rewarded)] == sorted(c.accuracy for c in candidates)


@given(candidates=_candidates(), data=st.data())
def test_order_does_not_depend_on_the_order_of_arrival(
    candidates: list[Candidate[Any]], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(candidates))
    assert ranked(shuffled) == ranked(candidates)
    for better, worse in zip(ranked(candidates), ranked(candidates)[1:], strict=False):
        assert (-better.merit, better.footprint.macs) <= (-worse.merit, worse.footprint.macs)


@given(candidates=_candidates(), steps=st.lists(st.integers(1, 3), min_size=14, max_size=14))
def test_who_does_not_fit_any_more_comes_last_however_long_trained(
    candidates: list[Candidate[Any]], steps: list[int]
) -> None:
    trained = [replace(c, trained_steps=s) for c, s in zip(candidates, steps, strict=False)]
    late = {c.genotype for c in trained[::2]}
    order = ranked(replace(c, reward=-1.5) if c.genotype in late else c for c in trained)
    assert [c.fits for c in order] == sorted((c.fits for c in order), reverse=True)
    assert [c.genotype for c in order if c.fits] == [
        c.genotype for c in ranked(trained) if c.genotype not in late
    ]
