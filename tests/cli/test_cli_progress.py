"""Progress: bars on a terminal, a line every tenth in a log."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from tinynas.cli.progress import BarObserver, LineObserver, _bars
from tinynas.units import format_seconds


class Clock:
    """A second passes at every step."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def lines(first: int, total: int) -> list[str]:
    """What a log shows of a stage that goes on at step `first`, a second a step."""
    text, clock = io.StringIO(), Clock()
    observer = LineObserver(Console(file=text, width=200), clock)
    observer.begin("supernet", total)
    for step in range(first, total + 1):
        clock.now += 1
        observer.advance(step, "loss 1.00")
    observer.end()
    return text.getvalue().splitlines()


def test_a_log_has_a_line_every_tenth() -> None:
    shown = lines(1, 100)
    assert shown[0] == "supernet: 100 steps"
    assert shown[1] == "supernet: 10 of 100, loss 1.00, about 1 min 30 s left"
    assert [line.split(",")[0] for line in shown[1:-1]] == [
        f"supernet: {n} of 100" for n in range(10, 100, 10)
    ]
    assert shown[-1] == "supernet: done in 1 min 40 s"


def test_a_resumed_stage_counts_from_where_it_goes_on() -> None:
    shown = lines(81, 100)
    assert shown[1] == "supernet: 90 of 100, loss 1.00, about 10 s left"
    assert len(shown) == 3


def test_short_stages_are_shown_step_by_step() -> None:
    assert [line.split(",")[0] for line in lines(1, 3)] == [
        "supernet: 3 steps", "supernet: 1 of 3", "supernet: 2 of 3", "supernet: done in 3.0 s"
    ]  # fmt: skip


def test_bars_show_stage_count_and_remark() -> None:
    text = io.StringIO()
    console = Console(file=text, width=160, force_terminal=True, color_system=None)
    with _bars(console) as progress:
        observer = BarObserver(progress)
        observer.note("expected time: [4 minutes]")
        observer.begin("evolution search", 120)
        observer.advance(60, "best 91.2%")
        progress.refresh()
        observer.end()
        observer.begin("fine-tuning", 10)
    shown = text.getvalue()
    assert "expected time: [4 minutes]" in shown
    assert "60/120" in shown
    assert "best 91.2%" in shown
    # ended before its total, as a strategy does that finds nothing new: full all the same
    assert "60/60" in shown
    assert "fine-tuning" in shown


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (8.25, "8.2 s"),
        (59.4, "59 s"),
        (60, "1 min 00 s"),
        (200, "3 min 20 s"),
        (7500, "2 h 05 min"),
    ],
)
def test_seconds_in_words(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text
