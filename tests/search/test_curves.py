"""Best so far, quartiles over seeds, evaluations to a level; and that curves come back from their file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinynas.errors import RunError
from tinynas.search.curves import Curve, append_curve, read_curves, standings

accuracies = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def _curve(strategy: str, seed: int, *scores: float, evaluations: int = 0) -> Curve:
    return Curve(strategy, seed, evaluations or len(scores), scores, "r8x1 fc_c2")


@given(accuracies, st.integers(0, 5), st.floats(0, 1))
def test_the_best_so_far_never_falls_and_stays_where_a_search_ended(
    scores: list[float], missing: int, level: float
) -> None:
    curve = _curve("grid", 0, *scores, evaluations=len(scores) + missing)
    best = curve.best_so_far
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


def test_without_random_search_the_level_is_that_of_the_weakest() -> None:
    found = standings([_curve("a", 0, 0.5), _curve("b", 0, 0.4)])
    assert [standing.level for standing in found] == [0.4, 0.4]
    assert found[0].deviation == 0.0
    assert standings([]) == []


@given(st.lists(st.tuples(accuracies, st.integers(0, 3)), max_size=4))
def test_curves_come_back_from_their_file(tmp_path_factory: pytest.TempPathFactory, drawn: list) -> None:  # type: ignore[type-arg]
    path = tmp_path_factory.mktemp("curves") / "curves.jsonl"
    curves = [
        _curve("random", seed, *scores, evaluations=len(scores) + more)
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
        (whole.replace('"seed": 0', '"seed": "0"'), "'seed' is of the wrong kind"),
        ("[]\n" + whole, "not an object"),
    ]:
        path.write_text(damage)
        with pytest.raises(RunError, match="line 1") as caught:
            read_curves(path)
        assert said in str(caught.value)
