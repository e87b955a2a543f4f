"""The curve of a training: means of what was noted, the same however often it is killed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinynas.errors import RunError
from tinynas.search.history import STRETCHES, HistoryWriter, read_history
from tinynas.supernet.phase import Progress


def _batch(step: int, steps: int, phase: str = "supernet") -> Progress:
    return Progress(phase, step, steps, epoch=step / 10, loss=3 - step / steps, accuracy=step / steps)


def _train(path: Path, steps: int, since: int, until: int, saves: set[int]) -> int:
    """Trains from the checkpoint at `since`, killed at `until`; the step of the last checkpoint."""
    writer, saved = HistoryWriter(path, "supernet", since), since
    for step in range(since + 1, until + 1):
        writer.note(_batch(step, steps))
        if step in saves or step == steps:
            writer.flush()
            saved = step
    return saved


@given(st.data())
def test_a_killed_training_leaves_the_curve_of_an_unbroken_one(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("history")
    steps = data.draw(st.integers(1, 160))
    saves = set(data.draw(st.lists(st.integers(1, steps), max_size=4)))
    whole, broken = folder / "whole.jsonl", folder / "broken.jsonl"
    _train(whole, steps, 0, steps, saves)
    since = 0
    for killed in sorted(data.draw(st.lists(st.integers(1, steps), max_size=3))):
        since = _train(broken, steps, since, max(killed, since), saves)
        with broken.open("a") as file:
            file.write('{"phase": "torn by the ki')
    _train(broken, steps, since, steps, saves)
    assert read_history(broken) == read_history(whole)
    assert read_history(whole)[-1].step == steps


def test_points_are_the_means_since_the_last_and_phases_stay_apart(tmp_path: Path) -> None:
    path, steps = tmp_path / "history.jsonl", 4 * STRETCHES
    for phase in ("largest network", "supernet"):
        writer = HistoryWriter(path, phase, 0)
        for step in range(1, steps + 1):
            writer.note(_batch(step, steps, phase))
    points = read_history(path)
    assert [point.phase for point in points] == ["largest network"] * STRETCHES + ["supernet"] * STRETCHES
    assert points[1].step == 8 and points[1].epoch == pytest.approx(0.8)
    assert points[1].accuracy == pytest.approx((5 + 6 + 7 + 8) / 4 / steps)
    assert points[1].loss == pytest.approx(3 - (5 + 6 + 7 + 8) / 4 / steps)


@pytest.mark.parametrize(
    "line", ["[]", '{"phase": 3}', "{", '{"phase":"a","step":1,"steps":1,"epoch":1,"loss":NaN,"accuracy":1}']
)
def test_a_damaged_line_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "history.jsonl").write_text(line + "\n")
    with pytest.raises(RunError, match="line 1"):
        read_history(tmp_path / "history.jsonl")


def test_no_file_is_no_history(tmp_path: Path) -> None:
    assert read_history(tmp_path / "absent.jsonl") == []
