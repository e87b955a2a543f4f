"""How a run's trainings went: loss and accuracy along each phase, one JSON line a stretch of steps.

A line has the means over the batches since the one before it, in training: of augmented pictures, so below
what a network reaches when it is scored. The lines of a killed training end where its checkpoint
does, so that a resumed one writes what an uninterrupted one would have, step for step.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from tinynas.search.disk import append_line, written_whole
from tinynas.search.lines import read_lines, typed_field
from tinynas.supernet.phase import Progress

#: stretches that a phase is cut into: as fine as a curve can show
STRETCHES = 50


class HistoryWriter:
    """Appends the points of a phase to the file `path`, from its step `since` on; later ones are dropped."""

    def __init__(self, path: Path, phase: str, since: int) -> None:
        self._path, self._batches = path, list[Progress]()
        kept = [point for point in read_history(path) if point.phase != phase or point.step <= since]
        if path.exists():
            with written_whole(path) as partial:
                partial.write_text("".join(f"{_line(point)}\n" for point in kept), encoding="utf-8")

    def note(self, batch: Progress) -> None:
        """One step more; a line is written at the end of each stretch."""
        self._batches.append(batch)
        if batch.step % max(1, batch.steps // STRETCHES) == 0:
            self.flush()

    def flush(self) -> None:
        """Write the steps noted since the last line, as must be done before each checkpoint.

        Raises:
            RunError: the disk does not take it.
        """
        if self._batches:
            append_line(self._path, _line(_mean(self._batches)))
            self._batches.clear()


def read_history(path: Path) -> list[Progress]:
    """The points in the file `path`, in order; none if there is no such file. It is only read.

    Raises:
        RunError: a line is damaged (the message names it), or the file cannot be read.
    """
    return read_lines(path, _parse)


def _mean(batches: Iterable[Progress]) -> Progress:
    """The last of `batches` with the means of all."""
    every = list(batches)
    last, count = every[-1], len(every)
    loss, accuracy = (
        sum(values) / count for values in zip(*((b.loss, b.accuracy) for b in every), strict=True)
    )
    return Progress(last.phase, last.step, last.steps, last.epoch, loss, accuracy)


def _line(point: Progress) -> str:
    return json.dumps(asdict(point), allow_nan=False)


def _parse(line: str) -> Progress:
    data = json.loads(line)
    if not isinstance(data, dict):
        raise ValueError("it is not an object")
    real = (int, float)
    point = Progress(
        phase=typed_field(data, "phase", str),
        step=typed_field(data, "step", int),
        steps=typed_field(data, "steps", int),
        epoch=float(typed_field(data, "epoch", real)),
        loss=float(typed_field(data, "loss", real)),
        accuracy=float(typed_field(data, "accuracy", real)),
    )
    if not all(map(math.isfinite, (point.epoch, point.loss, point.accuracy))):
        raise ValueError("it holds what is no number")
    return point
