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
    """In something, and in nothing worse, after no more training than `b` had."""
    known = {score.key: score.accuracy for score in scores}
    accuracy = known[a.genotype, min(a.trained_steps, b.trained_steps)]
    mine, theirs = (accuracy, *(-cost for cost in _costs(a))), (b.accuracy, *(-cost for cost in _costs(b)))
    return mine != theirs and all(x >= y for x, y in zip(mine, theirs, strict=True))


@given(scores=_scores())
def test_front_is_exactly_who_nobody_beats(scores: list[Candidate[Any]]) -> None:
    networks = latest(scores)
    unbeaten = [c for c in networks if not any(_beats(other, c, scores) for other in networks)]
    front = pareto_front(scores)
    assert set(map(id, front)) <= set(map(id, unbeaten))
    # of those that are alike in all that counts, one stays
    for left_out in (c for c in unbeaten if c not in front):
        alike = [(*_costs(c), c.accuracy, c.trained_steps) for c in (*front, left_out)]
        assert alike[-1] in alike[:-1]
    assert [c.accuracy for c in front] == sorted((c.accuracy for c in front), reverse=True)


@given(scores=_scores(), data=st.data())
def test_the_front_does_not_depend_on_the_order_of_arrival(
    scores: list[Candidate[Any]], data: st.DataObject
) -> None:
    assert pareto_front(data.draw(st.permutations(scores))) == pareto_front(scores)


def test_nobody_is_beaten_by_longer_training() -> None:
    slow, fast = (Footprint(1, 1, 10, 10, time) for time in (5.0, 4.0))
    early = Candidate("early", {}, 0.5, slow, 0, Origin.RANDOM, 26)
    begun = Candidate("late", {}, 0.4, fast, 1, Origin.RANDOM, 26)
    done = replace(begun, accuracy=0.9, trained_steps=105)
    assert pareto_front([early, begun, done]) == [done, early]
    # less accurate after the same training
    assert pareto_front([replace(early, accuracy=0.3), begun, done]) == [done]
    # and who is cheaper beats with less training only what it is as accurate as already
    cheap = replace(early, footprint=replace(fast, latency_ms=3.0))
    assert pareto_front([cheap, begun, done]) == [done, cheap]
    assert pareto_front([replace(cheap, accuracy=0.9), begun, done]) == [replace(cheap, accuracy=0.9)]
