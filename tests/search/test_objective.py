"""Order and front of candidates, against their definitions."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tinynas.search import Candidate, Footprint, Origin, pareto_front, ranked


def _candidates() -> st.SearchStrategy[list[Candidate[Any]]]:
    few = st.integers(1, 4)
    point = st.tuples(few, few, few)
    return st.lists(point, max_size=14).map(
        lambda points: [
            Candidate(f"net{i}", {}, accuracy / 10, Footprint(macs, 1, sram, 1), 0, Origin.RANDOM)
            for i, (accuracy, sram, macs) in enumerate(points)
        ]
    )


def _goods(candidate: Candidate[Any]) -> tuple[float, int, int]:
    return candidate.accuracy, -candidate.footprint.sram_bytes, -candidate.footprint.macs


def _dominates(a: Candidate[Any], b: Candidate[Any]) -> bool:
    return _goods(a) != _goods(b) and all(x >= y for x, y in zip(_goods(a), _goods(b), strict=True))


@given(candidates=_candidates())
def test_front_is_exactly_the_undominated_points(candidates: list[Candidate[Any]]) -> None:
    expected = {_goods(c) for c in candidates if not any(_dominates(other, c) for other in candidates)}
    front = pareto_front(candidates)
    assert {_goods(c) for c in front} == expected
    assert len(front) == len(expected)
    assert [c.accuracy for c in front] == sorted((c.accuracy for c in front), reverse=True)


@given(candidates=_candidates(), data=st.data())
def test_order_does_not_depend_on_the_order_of_arrival(
    candidates: list[Candidate[Any]], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(candidates))
    assert ranked(shuffled) == ranked(candidates)
    assert pareto_front(shuffled) == pareto_front(candidates)
    for better, worse in zip(ranked(candidates), ranked(candidates)[1:], strict=False):
        assert (-better.accuracy, better.footprint.macs) <= (-worse.accuracy, worse.footprint.macs)
