"""How far an output may lie over the input that its group uses up.

Rows run from the top down or from the bottom up. Downwards an output may begin some bytes before the input:
its row y ends before the first input row that is still needed. Upwards everything is mirrored.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinynas.engine.rows import Rows
from tinynas.engine.streaming import RowGraph, Stream, aligned


@dataclass(frozen=True, slots=True)
class Overlap:
    """The map `made` over the map `consumed` (tensor indices): what keeps rows from harming each other.

    Run downwards, `made` must begin at least `down` bytes before `consumed`; run upwards, it must end at
    least `up` bytes behind its end (None: this group cannot run upwards). Negative: it may begin that far
    inside.
    """

    consumed: int
    made: int
    down: int
    up: int | None

    @property
    def least(self) -> int:
        """Bytes by which `made` sticks out, the better way."""
        return max(0, self.down if self.up is None else min(self.down, self.up))


class Overlaps:
    """Finds overlaps in one network; what it works out on the way is shared."""

    def __init__(self, rows: RowGraph) -> None:
        self._rows = rows
        self._found: dict[tuple[int, int, int], Overlap] = {}
        self._down: _Done = {}
        self._up: _Done = {}

    def find(self, source: Stream, made: Stream, first: int) -> Overlap:
        """`made`, a group's only output, over `source`, which the group from operator `first` on uses up."""
        reader = next(index for index, _ in self._rows.consumers[source.tensor] if index >= first)
        key = (reader, source.tensor, made.tensor)
        if key not in self._found:
            self._found[key] = self._work_out(source, made, reader)
        return self._found[key]

    def saved(self, overlap: Overlap) -> int:
        """Bytes that `overlap` saves against the two maps side by side."""
        source, made = (self._rows.streams[tensor].bytes for tensor in (overlap.consumed, overlap.made))
        return source + made - max(overlap.least + source, made)

    def at_most(self, source: Stream, made: Stream) -> int:
        """What no overlap of the two saves more than."""
        return min(source.bytes, made.bytes)

    def _work_out(self, source: Stream, made: Stream, reader: int) -> Overlap:
        rows = self._rows
        down = min(aligned(_ahead(rows, source, made, reader, self._down)), made.bytes)
        # an operator that sums up its input writes in its last step, whichever row that takes
        if any(rows.programs[op].at_end for op in range(reader, made.producer + 1)):
            return Overlap(source.tensor, made.tensor, down, None)
        # upwards the ends count, and maps end before what they are rounded up to
        slack = (made.bytes - made.shape.bytes) - (source.bytes - source.shape.bytes)
        up = min(aligned(_ahead(rows.mirrored, source, made, reader, self._up) + slack), made.bytes)
        return Overlap(source.tensor, made.tensor, down, up)


#: steps of one operator that are done once each row of another's output is made; None: independent
_Done = dict[tuple[int, int], Rows | None]


def _ahead(rows: RowGraph, source: Stream, made: Stream, first: int, known: _Done) -> int:
    """Bytes by which `made` must stick out so that no row of it takes one of `source` still needed."""
    height = source.shape.rows
    lowest = np.full(made.shape.rows, height)
    for index, reading in rows.consumers[source.tensor]:
        if index < first:
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
