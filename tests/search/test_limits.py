"""Time beside SRAM and flash: who is within, what is said where nobody is, and where nobody can tell."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_search import Scorer, ToySpace, toy_limits

from tinynas.board import Budget, load_board
from tinynas.cost import find_runtime
from tinynas.cost.times import require_latency_model
from tinynas.errors import RequestError
from tinynas.search import Limits, Need, RandomSearch, find_objective, ranked, search
from tinynas.search.candidate import candidate_line, parse_candidate

MANY = RandomSearch(evaluations=40)


@given(seed=st.integers(0, 2**31), latency=st.floats(0.5, 2.4))
@settings(max_examples=15, deadline=None)
def test_every_candidate_is_in_time_and_says_so(seed: int, latency: float) -> None:
    outcome = search(ToySpace(), MANY, toy_limits(latency_ms=latency), Scorer(seed), seed=seed)
    for candidate in outcome.candidates:
        assert candidate.footprint.latency_ms == sum(candidate.choice.channels) / 10 <= latency
        back = parse_candidate(candidate_line(candidate))
        assert (back.footprint, back.reward) == (candidate.footprint, None)


def test_a_time_nothing_meets_is_answered_with_the_nearest() -> None:
    with pytest.raises(RequestError) as caught:
        search(ToySpace(), MANY, toy_limits(latency_ms=0.2), Scorer(), seed=0)
    said = str(caught.value)
    assert "0.2 ms an inference" in said and "and 0.3 ms an inference" in said and "allow more time," in said


def test_a_time_nobody_can_tell_is_refused() -> None:
    stranger = replace(load_board("rp2040"), id="mine", core="cortex-m33")
    with pytest.raises(RequestError, match="tinynas profile --board mine"):
        Limits(runtime=find_runtime("engine"), board=stranger, budget=Budget(1, 1, 30.0))
    with pytest.raises(RequestError, match="under the tflm runtime is not known: leave out --runtime"):
        require_latency_model(load_board("stm32f746"), find_runtime("tflm"))


def test_without_a_model_nothing_is_said_of_time() -> None:
    outcome = search(ToySpace(), MANY, toy_limits(), Scorer(), seed=0)
    assert "latency_ms" not in candidate_line(outcome.best)
    assert parse_candidate(candidate_line(outcome.best)).footprint.latency_ms is None


def test_what_is_too_slow_is_named() -> None:
    budget = Budget(1000, 1000, 10.0)
    assert Need(1000, 1000, 10.0).excess(budget) is None
    assert Need(1000, 1000, None).excess(budget) is None
    assert Need(1000, 1000, 12.5).excess(budget) == "12.5 ms, 2.5 ms more than allowed"
    assert "of SRAM" in (Need(1001, 1000, 12.5).excess(budget) or "")


def test_an_objective_that_weighs_time_decides_the_winner_and_is_kept() -> None:
    soft = find_objective("mnasnet-hard", 0.8)
    outcome = search(ToySpace(), MANY, toy_limits(timed=True), Scorer(), seed=0, objective=soft)
    plain = search(ToySpace(), MANY, toy_limits(timed=True), Scorer(), seed=0)
    slow, quick = plain.best.footprint.latency_ms, outcome.best.footprint.latency_ms
    assert slow is not None and quick is not None and quick < slow
    assert outcome.best == ranked(outcome.candidates)[0] and outcome.best.reward is not None
    assert parse_candidate(candidate_line(outcome.best)).reward is None, "made again from what is asked"
    assert {c.genotype for c in outcome.candidates} == {c.genotype for c in plain.candidates}
