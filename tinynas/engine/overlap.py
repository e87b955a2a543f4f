"""How far an output may lie over the input that its group uses up.

Rows run from the top down or from the bottom up. Downwards an output may begin some bytes before the input:
its row y ends before the first input row that is still needed. Upwards everything is mirrored. What that
comes to follows from a few numbers where windows move evenly (`tinynas.engine.progress`), and from looking at
every row elsewhere.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from tinynas.engine.plan import aligned
from tinynas.engine.progress import Branch, Corners, corners_along
from tinynas.engine.rows import Making, Rows, Span
from tinynas.engine.streaming import RowGraph, Stream


class Overlap(NamedTuple):
    """The map `made` over the map `consumed` (tensor indices): what keeps rows from harming each other.

    Run downwards, `made` must begin at least `down` bytes before `consumed`; run upwards, it must end at
    least `up` bytes behind its end (None: this group cannot run upwards). Negative: it may begin that far
    inside. `saved` are the bytes that the better way saves against the two maps side by side.
    """

    consumed: int
    made: int
    down: int
    up: int | None
    saved: int


class Overlaps:
    """Finds overlaps in one network."""

    def __init__(self, rows: RowGraph) -> None:
        self._rows = rows
        #: operators before each that write at their end
        self._ending = [0, *accumulate([program.making.at_end for program in rows.programs])]
        self._down: _Done = {}
        self._up: _Done = {}

    def find(self, reader: int, source: Stream, made: Stream) -> Overlap:
        """`made` over `source`, which operators from `reader` on (the first that still reads it) use up."""
        if reader == made.producer:
            readings, _, making = self._rows.programs[reader]
            spans = [span for tensor, span in readings if tensor == source.tensor]
            if len(spans) == 1 and spans[0].slide is not None and making.even:
                ways = _alone(spans[0], making, source.shape.row_bytes, made.shape.row_bytes)
                return Overlap(source.tensor, made.tensor, *ways)
        closed = self._closed(reader, source, made)
        return self.row_by_row(reader, source, made) if closed is None else _overlap(source, made, *closed)

    def row_by_row(self, reader: int, source: Stream, made: Stream) -> Overlap:
        """The same by looking at every row: what an overlap is."""
        down = _ahead(self._rows, reader, source, made, self._down)
        up = None
        if not self._ends(reader, made):
            up = _ahead(self._rows.mirrored, reader, source, made, self._up)
        return _overlap(source, made, down, up)

    def _ends(self, reader: int, made: Stream) -> bool:
        """Whether an operator sums up its input: it writes in its last step, whichever row that takes."""
        return self._ending[reader] != self._ending[made.producer + 1]

    def _closed(self, reader: int, source: Stream, made: Stream) -> tuple[int, int | None] | None:
        """Bytes by which `made` must stick out, run (down, up); None: not in closed form."""
        down: list[int] = []
        up: list[int] = []
        for op, (_, span) in self._rows.consumers[source.tensor]:
            if op >= reader:
                corners = corners_along(self._rows.branches[op : made.producer + 1], span)
                if corners is None:
                    return None
                for ahead, way in zip((down, up), corners, strict=True):
                    ahead.append(_most_ahead(way, source.shape.row_bytes, made.shape.row_bytes))
        return max(down), None if self._ends(reader, made) else max(up)


def _most_ahead(corners: Corners, row_bytes: int, made_bytes: int) -> int:
    return max([written * made_bytes - free * row_bytes for written, free in corners])


def _overlap(source: Stream, made: Stream, down: int, up: int | None) -> Overlap:
    return Overlap(source.tensor, made.tensor, *_rounded(source.shape.bytes, made.shape.bytes, down, up))


@lru_cache(maxsize=2**14)
def _alone(span: Span, making: Making, row_bytes: int, made_bytes: int) -> tuple[int, int | None, int]:
    """`down`, `up` and `saved` of the output of one operator over all that it reads by `span`."""
    corners = corners_along((Branch(making, ()),), span)
    assert corners is not None
    down, up = (_most_ahead(way, row_bytes, made_bytes) for way in corners)
    made = making.rows * made_bytes
    return _rounded(span.rows * row_bytes, made, down, None if making.at_end else up)


def _rounded(source_bytes: int, made_bytes: int, down: int, up: int | None) -> tuple[int, int | None, int]:
    """`down` and `up` in whole words, at most side by side; and the bytes that the better of them saves."""
    source, made = aligned(source_bytes), aligned(made_bytes)
    down = least = min(aligned(down), made)
    if up is not None:
        # upwards the ends count, and maps end before what they are rounded up to
        slack = (made - made_bytes) - (source - source_bytes)
        up = min(aligned(up + slack), made)
        least = min(down, up)
    return down, up, source + made - max(source + max(least, 0), made)


#: steps of one operator that are done once each row of another's output is made; None: independent
_Done = dict[tuple[int, int], Rows | None]


def _ahead(rows: RowGraph, reader: int, source: Stream, made: Stream, known: _Done) -> int:
    """Bytes by which the output must stick out so that no row of it takes one of the source still needed."""
    height = source.shape.rows
    lowest = np.full(made.shape.rows, height)
    for index, reading in rows.consumers[source.tensor]:
        if index < reader:
            continue
        if index == made.producer:
            # it reads while it writes
            needed = reading.lows[rows.programs[index].making.by]
        else:
            done = _done_by(rows, index, made.producer, known)
            if done is None:
                return made.bytes
            needed = np.append(reading.lows, height)[done]
        lowest = np.minimum(lowest, needed)
    written = np.arange(1, made.shape.rows + 1) * made.shape.row_bytes
    # once the whole input is used up its bytes do not matter
    reaches = np.where(lowest < height, written - lowest * source.shape.row_bytes, -source.shape.bytes)
    return int(reaches.max())


def _done_by(rows: RowGraph, operator: int, target: int, known: _Done) -> Rows | None:
    """Steps of `operator` that are done once each row of `target`'s output is made: [rows]."""
    if (operator, target) not in known:
        known[operator, target] = _work_out_done(rows, operator, target, known)
    return known[operator, target]


def _work_out_done(rows: RowGraph, operator: int, target: int, known: _Done) -> Rows | None:
    program = rows.programs[target]
    if operator == target:
        return program.making.until[1:]
    done: Rows | None = None
    for reading in program.readings:
        producer = rows.producers.get(reading.tensor, -1)
        found = _done_by(rows, operator, producer, known) if producer >= operator else None
        if found is not None:
            reached = np.concatenate([[0], found])[reading.highs + 1]
            done = reached if done is None else np.maximum(done, reached)
    return None if done is None else done[program.making.by]
