"""The front of a search, against its definition; of networks after more and after less training, too."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tinynas.search import Candidate, Footprint, Origin, latest, pareto_front

FEW = st.integers(1, 4)


@st.composite
def _scores(draw: st.DrawFn) -> list[Candidate[Any]]:
    """Scores of a search: each network at the first so many of three rungs."""
    timed, scores = draw(st.booleans()), []
    for i, (time, sram, flash) in enumerate(draw(st.lists(st.tuples(FEW, FEW, FEW), max_size=12))):
        # where times are known, MACs must not count
        footprint = Footprint(1 if timed else time, 1, sram, flash, time / 4 if timed else None)
        for steps, accuracy in enumerate(draw(st.lists(FEW, min_size=1, max_size=3))):
            scores.append(Candidate(f"net{i}", {}, accuracy / 10, footprint, 0, Origin.RANDOM, steps))
    return scores


def _costs(candidate: Candidate[Any]) -> tuple[float, int, int]:
    cost = candidate.footprint
    return cost.macs if cost.latency_ms is None else cost.latency_ms, cost.sram_bytes, cost.flash_bytes


def _beats(a: Candidate[Any], b: Candidate[Any], scores: list[Candidate[Any]]) -> bool:
    """In something, and in nothing worse, after the longest training that both had."""
    common = min(a.trained_steps, b.trained_steps)
    known = {score.key: score.accuracy for score in scores}
    goods = [(known[c.genotype, common], *(-cost for cost in _costs(c))) for c in (a, b)]
    return goods[0] != goods[1] and all(x >= y for x, y in zip(*goods, strict=True))


@given(scores=_scores())
def test_front_is_exactly_who_nobody_beats(scores: list[Candidate[Any]]) -> None:
    networks = latest(scores)
    unbeaten = [c for c in networks if not any(_beats(other, c, scores) for other in networks)]
    front = pareto_front(scores)
    assert set(map(id, front)) <= set(map(id, unbeaten))
    # of those that are alike in all that counts, one stays
    for left_out in (c for c in unbeaten if c not in front):
        assert any(_costs(c) == _costs(left_out) and not _beats(left_out, c, scores) for c in front)
    order = [(-c.trained_steps, -c.accuracy) for c in front]
    assert order == sorted(order)


@given(scores=_scores(), data=st.data())
def test_the_front_does_not_depend_on_the_order_of_arrival(
    scores: list[Candidate[Any]], data: st.DataObject
) -> None:
    assert pareto_front(data.draw(st.permutations(scores))) == pareto_front(scores)


def test_who_was_beaten_early_is_not_beaten_by_longer_training() -> None:
    small, large = Footprint(1, 1, 10, 10, 5.0), Footprint(1, 1, 10, 10, 4.0)
    early = Candidate("early", {}, 0.5, small, 0, Origin.RANDOM, 26)
    begun = Candidate("late", {}, 0.4, large, 1, Origin.RANDOM, 26)
    done = replace(begun, accuracy=0.9, trained_steps=105)
    # cheaper and trained longer, but less accurate when both had been trained alike
    assert pareto_front([early, begun, done]) == [done, early]
    assert pareto_front([replace(early, accuracy=0.3), begun, done]) == [done]
