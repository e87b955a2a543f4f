"""Who watches a search on the command line: bars on a terminal, sparse lines anywhere else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from tinynas.cli.console import remarks, say
from tinynas.units import format_seconds

if TYPE_CHECKING:
    from tinynas.pipeline.observer import Observer

#: seconds over which a bar's rate is averaged
_RATE_PERIOD = 60.0
#: lines a stage writes to a log, at most, besides its first and last
_LINES = 10


@contextmanager
def watching() -> Iterator[Observer]:
    """An observer for the standard error at hand; whatever bar it shows is gone after the block."""
    console = remarks()
    if not console.is_terminal:
        yield LineObserver(console)
        return
    with _bars(console) as progress:
        yield BarObserver(progress)


@contextmanager
def counting(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar for work of seconds, told (done, total), gone afterwards; nothing where is no terminal."""
    console = remarks()
    if not console.is_terminal:
        yield lambda done, total: None
        return
    with _bars(console, transient=True) as progress:
        task = progress.add_task(what, total=None, remark="")
        yield lambda done, total: progress.update(task, completed=done, total=total)


class _Rate(ProgressColumn):
    """``12.3/s``."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.3g}/s" if speed else "", style="progress.data.speed")


def _bars(console: Console, *, transient: bool = False) -> Progress:
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(elapsed_when_finished=True),
        TextColumn("{task.fields[remark]}", markup=False),
        console=console,
        transient=transient,
        speed_estimate_period=_RATE_PERIOD,
    )


class BarObserver:
    """One bar a stage, finished ones above it."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=None, visible=False, remark="")

    def note(self, text: str) -> None:
        """A line above the bars."""
        say(self._progress.console, text)

    def begin(self, stage: str, total: int) -> None:
        """A new bar."""
        self._task = self._progress.add_task(stage, total=total, remark="")

    def advance(self, done: int, text: str) -> None:
        """The bar stands at `done`."""
        self._progress.update(self._task, completed=done, remark=text)

    def end(self) -> None:
        """The bar is full: a strategy that runs out of new networks ends before its total."""
        task = next(task for task in self._progress.tasks if task.id == self._task)
        self._progress.update(
            self._task, total=task.completed or task.total, completed=task.completed or task.total
        )


class LineObserver:
    """A line when a stage begins, at every tenth of it, and when it ends."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console, self._clock = console, clock
        self._stage, self._total = "", 1
        self._began = 0.0
        self._first: tuple[int, float] | None = None
        self._tenth = 0

    def note(self, text: str) -> None:
        """The line itself."""
        say(self._console, text)

    def begin(self, stage: str, total: int) -> None:
        """``supernet: 400 steps``."""
        self._stage, self._total = stage, max(1, total)
        self._began, self._first, self._tenth = self._clock(), None, 0
        self.note(f"{stage}: {total:,} steps")

    def advance(self, done: int, text: str) -> None:
        """``supernet: 120 of 400, loss 1.23, 20 s left``, at every tenth."""
        now = self._clock()
        if self._first is None:
            # a resumed stage begins in its middle: its rate counts from here
            self._first = (done, now)
            self._tenth = _LINES * (done - 1) // self._total
        tenth = _LINES * done // self._total
        if tenth <= self._tenth or done >= self._total:
            return
        self._tenth = tenth
        start, since = self._first
        left = (self._total - done) * (now - since) / (done - start) if done > start else None
        rest = f", about {format_seconds(left)} left" if left is not None else ""
        self.note(f"{self._stage}: {done:,} of {self._total:,}, {text}{rest}")

    def end(self) -> None:
        """``supernet: done in 30 s``."""
        self.note(f"{self._stage}: done in {format_seconds(self._clock() - self._began)}")
