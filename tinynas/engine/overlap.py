"""How far an output may lie over the input that its group uses up.

Rows run from the top down or from the bottom up. Downwards an output may begin some bytes before the input:
its row y ends before the first input row that is still needed. Upwards everything is mirrored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from tinynas.engine.rows import Rows
from tinynas.engine.runs import Pair, Runs
from tinynas.engine.streaming import RowGraph, aligned


@dataclass(frozen=True, slots=True)
class Overlap:
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
    """Finds overlaps in one network; what it works out on the way is shared."""

    def __init__(self, rows: RowGraph) -> None:
        self._rows = rows
        self._runs = Runs(rows)
        #: operators before each that write at their end
        self._ending = [0, *accumulate(program.at_end for program in rows.programs)]
        self._looked_at: dict[Pair, Overlap] = {}
        self._down: _Done = {}
        self._up: _Done = {}

    def find(self, pairs: Sequence[Pair]) -> list[Overlap]:
        """The overlaps of `pairs`: those inside a run in closed form, all at once, others row by row."""
        even = [pair for pair in pairs if self._runs.hold(pair)]
        ahead = self._runs.ahead(even) if even else []
        if len(even) == len(pairs):
            return [self._overlap(pair, *ways) for pair, ways in zip(pairs, ahead, strict=True)]
        closed = dict(zip(even, ahead, strict=True))
        return [
            self._overlap(pair, *closed[pair]) if pair in closed else self.row_by_row(pair) for pair in pairs
        ]

    def row_by_row(self, pair: Pair) -> Overlap:
        """The overlap of `pair` by looking at every row: what an overlap is."""
        if pair not in self._looked_at:
            down = _ahead(self._rows, pair, self._down)
            up = None if self._ends(pair) else _ahead(self._rows.mirrored, pair, self._up)
            self._looked_at[pair] = self._overlap(pair, down, up)
        return self._looked_at[pair]

    def _ends(self, pair: Pair) -> bool:
        """Whether an operator sums up its input: it writes in its last step, whichever row that takes."""
        return self._ending[pair.reader] != self._ending[pair.made.producer + 1]

    def _overlap(self, pair: Pair, down: int, up: int | None) -> Overlap:
        _, source, made = pair
        down = least = min(aligned(down), made.bytes)
        if up is not None:
            if self._ends(pair):
                up = None
            else:
                # upwards the ends count, and maps end before what they are rounded up to
                slack = (made.bytes - made.shape.bytes) - (source.bytes - source.shape.bytes)
                up = min(aligned(up + slack), made.bytes)
                least = min(down, up)
        saved = source.bytes + made.bytes - max(source.bytes + max(least, 0), made.bytes)
        return Overlap(source.tensor, made.tensor, down, up, saved)


#: steps of one operator that are done once each row of another's output is made; None: independent
_Done = dict[tuple[int, int], Rows | None]


def _ahead(rows: RowGraph, pair: Pair, known: _Done) -> int:
    """Bytes by which the output must stick out so that no row of it takes one of the source still needed."""
    source, made = pair.source, pair.made
    height = source.shape.rows
    lowest = np.full(made.shape.rows, height)
    for index, reading in rows.consumers[source.tensor]:
        if index < pair.reader:
            continue
        if index == made.producer:
            # it reads while it writes
            needed = reading.lows[-1:] if rows.programs[index].at_end else reading.lows
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
        steps = np.arange(1, program.steps + 1)
        return steps[-1:] if program.at_end else steps
    done: Rows | None = None
    for reading in program.readings:
        producer = rows.producers.get(reading.tensor, -1)
        found = _done_by(rows, operator, producer, known) if producer >= operator else None
        if found is not None:
            reached = np.concatenate([[0], found])[reading.highs + 1]
            done = reached if done is None else np.maximum(done, reached)
    return done[-1:] if done is not None and program.at_end else done
