"""Runs of operators whose windows move evenly, each over what the one before made: overlaps in closed form.

Most of a network is such runs. In a run the steps that one operator has done once row y of another's output
is made grow evenly with y, so that how far the output may lie over a map follows from a few numbers
(`tinynas.engine.ahead`) instead of from rows, and for many pairs of maps at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tinynas.engine.ahead import Advance
from tinynas.engine.rows import Span
from tinynas.engine.streaming import RowGraph, Stream

Ints = NDArray[np.int64]
#: rows of a run's input that a row of its output stands for, at most
_MOST_PACE = 2**20


class Pair(NamedTuple):
    """`made` over `source`, which the operators from `reader` on (the first that reads it still) use up."""

    reader: int
    source: Stream
    made: Stream


class _Place(NamedTuple):
    """Where an operator stands in its run, which operator `start` begins.

    A row of what it makes stands for `pace` rows of what `start` makes, and the windows in between reach
    `down` such rows ahead, or `up` where rows run from the bottom up.
    """

    start: int
    pace: int = 1
    down: int = 0
    up: int = 0


class Runs:
    """The runs of one network."""

    def __init__(self, rows: RowGraph) -> None:
        self._rows = rows
        self._places: list[_Place] = []
        for op in range(len(rows)):
            self._places.append(self._continued(op) or _Place(op))
        shapes = [rows.shapes[program.output] for program in rows.programs]
        figures = [
            (shape.rows, shape.row_bytes, program.steps, program.at_end, *place[1:])
            for program, shape, place in zip(rows.programs, shapes, self._places, strict=True)
        ]
        self._figures = np.array(figures, np.int64).T

    def hold(self, pair: Pair) -> bool:
        """Whether one run holds all that use up the source of `pair` and what makes the other map."""
        return self._places[pair.made.producer].start <= pair.reader and all(
            reading.span.even for op, reading in self._rows.consumers[pair.source.tensor] if op >= pair.reader
        )

    def ahead(self, pairs: Sequence[Pair]) -> list[tuple[int, int]]:
        """Bytes by which the outputs of `pairs` that they hold must stick out, run (down, up)."""
        cases: list[tuple[int, ...]] = []
        firsts: list[int] = []
        for pair in pairs:
            firsts.append(len(cases))
            made, shape = pair.made.producer, pair.source.shape
            for op, reading in self._rows.consumers[pair.source.tensor]:
                if op >= pair.reader:
                    cases.append((op, made, shape.rows, shape.row_bytes, *_stepping(reading.span)))
        reader, made, height, row_bytes, stride, *margins = np.array(cases, np.int64).T
        rows, made_bytes, _, at_end, pace, *leads = self._figures[:, made]
        _, _, steps, _, until, *leads_before = self._figures[:, reader]
        # an operator that is alone reads while it writes; others have read what the rows so far took
        alone = made == reader
        read = np.where(alone, 0, (np.array(leads) - np.array(leads_before)) // until + 1)
        # one that writes in its last step has nearly done by then
        read = np.where(at_end, steps - alone, read)
        advance = Advance(pace // until, read, steps, stride, np.array(margins))
        found = advance.ahead(rows, made_bytes, height, row_bytes)
        if len(firsts) < len(cases):
            found = np.maximum.reduceat(found, firsts, axis=1)
        return [(down, up) for down, up in found.T.tolist()]

    def _continued(self, op: int) -> _Place | None:
        """The place of `op` in the run of the operator before it, or None: a run of its own begins."""
        rows = self._rows
        if not op or rows.programs[op - 1].at_end:
            return None
        before, previous = self._places[-1], rows.programs[op - 1].output
        others, place = [], None
        for reading in rows.programs[op].readings:
            slide = reading.span.slide
            if reading.tensor != previous:
                others.append(reading)
            elif slide and slide.stride and slide.covers:
                place = _Place(
                    before.start,
                    before.pace * slide.stride,
                    before.down + before.pace * (slide.reach - 1 - slide.above),
                    before.up + before.pace * (slide.reach - 1 - slide.below),
                )
        if place is None or place.pace > _MOST_PACE:
            return None
        # what else it reads, row by row, the way through the run is never behind
        return place if all(_goes_along(reading.span) for reading in others) else None


def _stepping(span: Span) -> tuple[int, int, int]:
    """Stride of an even window, and its margins above and below; one that stays is above in every step."""
    slide = span.slide
    assert slide is not None
    if not slide.stride:
        return 1, len(span.lows), len(span.lows)
    return slide.stride, slide.above, slide.below


def _goes_along(span: Span) -> bool:
    """Whether no step reads a row beyond its own number."""
    return span.slide is not None and span.slide.reach == 1 and span.slide.stride <= 1
