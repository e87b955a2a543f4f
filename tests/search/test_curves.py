"""Best so far, quartiles over seeds, evaluations to a level; and that curves come back from their file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinynas.errors import RunError
from tinynas.search.curves import Curve, append_curve, read_curves, standings
from tinynas.search.objective import find_objective

accuracies = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def _curve(strategy: str, seed: int, *scores: float, evaluations: int = 0) -> Curve:
    return Curve(strategy, seed, evaluations or len(scores), scores, "r8x1 fc_c2")


@given(accuracies, st.integers(0, 5), st.floats(0, 1))
def test_the_best_so_far_never_falls_and_stays_where_a_search_ended(
    scores: list[float], missing: int, level: float
) -> None:
    curve = _curve("grid", 0, *scores, evaluations=len(scores) + missing)
    best = curve.best_so_far()
    assert len(best) == curve.evaluations
    assert [max(scores[: i + 1]) for i in range(len(scores))] == list(best[: len(scores)])
    assert set(best[len(scores) :]) <= {max(scores)}
    reached = curve.reaches(level)
    if reached is None:
        assert max(scores) < level
    else:
        assert scores[reached - 1] >= level and all(score < level for score in scores[: reached - 1])


def test_a_standing_says_what_its_seeds_came_to() -> None:
    curves = [
        _curve("random", 0, 0.1, 0.5, 0.4),
        _curve("grid", 2, 0.9, evaluations=3),
        _curve("random", 1, 0.2, 0.2, 0.3),
        _curve("grid", 0, 0.2, 0.3, 0.8),
        _curve("grid", 1, 0.1, 0.1, 0.1),
    ]
    random, grid = standings(curves)
    assert (random.strategy, random.seeds, random.finals) == ("random", (0, 1), (0.5, 0.3))
    # the level is what random search comes to in the mean
    assert random.level == grid.level == pytest.approx(0.4)
    assert random.reached == (2, None) and random.typical_reach is None
    assert grid.seeds == (0, 1, 2) and grid.finals == (0.8, 0.1, 0.9)
    assert grid.reached == (3, None, 1) and grid.typical_reach == 3
    assert (grid.mean, grid.deviation) == (pytest.approx(0.6), pytest.approx(np.std([0.8, 0.1, 0.9], ddof=1)))
    assert list(grid.median) == pytest.approx([0.2, 0.3, 0.8])
    assert list(grid.low) == pytest.approx([0.15, 0.2, 0.45]) and list(grid.high) == pytest.approx(
        [0.55, 0.6, 0.85]
    )
    assert grid.networks == pytest.approx(7 / 3)
    assert standings(curves, level=0.05)[1].reached == (1, 1, 1)


def test_by_a_reward_the_best_weighs_time_and_its_own_accuracy_and_time_are_told() -> None:
    hard = find_objective("mnasnet-hard", 10.0)
    slow = Curve("a", 0, 3, (0.5, 0.9, 0.6), "r8x1 fc_c2", (5.0, 30.0, 10.0))
    late = Curve("a", 1, 3, (0.8, 0.2), "r8x1 fc_c2", (20.0, 9.0))
    # 0.9 at three times the target is worth 0.3, 0.8 at twice the target 0.4
    assert list(slow.best_so_far(hard)) == pytest.approx([0.5, 0.5, 0.6])
    assert (slow.reaches(0.55, hard), slow.reaches(0.55)) == (3, 2)
    (standing,) = standings([slow, late], objective=hard)
    assert standing.finals == pytest.approx((0.6, 0.4))
    assert (standing.accuracies, standing.latencies_ms, standing.in_time(10.0)) == (
        (0.6, 0.8),
        (10.0, 20.0),
        1,
    )
    (accurate,) = standings([slow, late])
    assert (accurate.finals, accurate.latencies_ms, accurate.in_time(10.0)) == ((0.9, 0.8), (30.0, 20.0), 0)
    # accuracies are shares of few pictures, so often alike: of those the quickest is meant
    (tied,) = standings([Curve("a", 0, 3, (0.9, 0.9, 0.3), "r8x1 fc_c2", (30.0, 8.0, 5.0))])
    assert (tied.finals, tied.latencies_ms, tied.in_time(10.0)) == ((0.9,), (8.0,), 1)
    # one search of which times are not known leaves them untold
    (untold,) = standings([slow, _curve("a", 1, 0.3, evaluations=3)])
    assert untold.latencies_ms == () and untold.to_dict()["best_latency_ms"] is None


def test_without_random_search_the_level_is_that_of_the_weakest() -> None:
    found = standings([_curve("a", 0, 0.5), _curve("b", 0, 0.4)])
    assert [standing.level for standing in found] == [0.4, 0.4]
    assert found[0].deviation == 0.0
    assert standings([]) == []


@given(st.lists(st.tuples(accuracies, st.integers(0, 3)), max_size=4))
def test_curves_come_back_from_their_file(tmp_path_factory: pytest.TempPathFactory, drawn: list) -> None:  # type: ignore[type-arg]
    path = tmp_path_factory.mktemp("curves") / "curves.jsonl"
    curves = [
        replace(
            _curve("random", seed, *scores, evaluations=len(scores) + more),
            latencies_ms=tuple(1.5 + score for score in scores) if more else (),
        )
        for seed, (scores, more) in enumerate(drawn)
    ]
    for curve in curves:
        append_curve(path, curve)
    assert read_curves(path) == curves


def test_a_torn_curve_is_left_out_and_a_damaged_one_named(tmp_path: Path) -> None:
    path = tmp_path / "curves.jsonl"
    first, second = _curve("random", 0, 0.5), _curve("random", 1, 0.6)
    append_curve(path, first)
    with path.open("ab") as file:
        file.write(b'{"strategy": "ran')
    assert read_curves(path) == [first]
    append_curve(path, second)
    assert read_curves(path) == [first, second]
    whole = path.read_text()
    for damage, said in [
        (whole.replace("[0.5]", "[]"), "are none, or more"),
        (whole.replace("[0.5]", "[1.5]"), "not all within 0 and 1"),
        (whole.replace('"latencies_ms": []', '"latencies_ms": [1.0, 2.0]'), "not as many"),
        (whole.replace('"latencies_ms": []', '"latencies_ms": [-1.0]'), "not all times"),
        (whole.replace('"seed": 0', '"seed": "0"'), "'seed' is of the wrong kind"),
        ("[]\n" + whole, "not an object"),
    ]:
        path.write_text(damage)
        with pytest.raises(RunError, match="line 1") as caught:
            read_curves(path)
        assert said in str(caught.value)
