"""The order of all rows: groups one after another, each pulled row by row from its outputs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from tinynas.engine.grouping import Group
from tinynas.engine.plan import Step
from tinynas.engine.streaming import RowGraph

#: a step's count is a signed byte in the C table
MOST_STEPS = 127


def schedule(rows: RowGraph, groups: Sequence[Group], upwards: Sequence[bool]) -> tuple[Step, ...]:
    """Every step of the network, in order; consecutive ones of an operator as one entry."""
    entries: list[Step] = []
    for group, up in zip(groups, upwards, strict=True):
        done = dict.fromkeys(range(group.first, group.end), 0)
        for op, turns in groupby(_Pull(rows, group, up).order):
            first, count = done[op], len(list(turns))
            done[op] += count
            for start in range(first, first + count, MOST_STEPS):
                length = min(MOST_STEPS, first + count - start)
                if up:
                    # rows are counted from the top all the same
                    top = rows.programs[op].steps - 1 - start
                    entries.append(Step(op, top, -length if length > 1 else 1))
                else:
                    entries.append(Step(op, start, length))
    return tuple(entries)


class _Pull:
    """The `order` of a group, an operator for each step, that makes its outputs whole, all in proportion."""

    def __init__(self, rows: RowGraph, group: Group, up: bool) -> None:
        self.order: list[int] = []
        inside = range(group.first, group.end)
        programs = {op: rows.programs[op].mirrored if up else rows.programs[op] for op in inside}
        self._done = dict.fromkeys(inside, 0)
        #: of each operator, the steps until so many rows are there
        self._steps = {op: program.making.until.tolist() for op, program in programs.items()}
        #: those inside that it reads, and how many rows of theirs each step needs
        self._sources = {
            op: [
                (rows.producers[reading.tensor], (reading.highs + 1).tolist())
                for reading in program.readings
                if rows.producers.get(reading.tensor, -1) >= group.first
            ]
            for op, program in programs.items()
        }
        outputs = [op for op in inside if rows.streams[rows.programs[op].output].last >= group.end]
        made = {op: rows.shapes[rows.programs[op].output].rows for op in outputs}
        tallest = max(made.values(), default=0)
        for turn in range(1, tallest + 1) if len(outputs) > 1 else (tallest,):
            for op in outputs:
                self._until(op, -(-turn * made[op] // tallest))

    def _until(self, operator: int, rows: int) -> None:
        """Run `operator` until so many rows of its output are there, and whatever that takes before."""
        until, sources = self._steps[operator][rows], self._sources[operator]
        if not sources:
            self.order += [operator] * (until - self._done[operator])
            self._done[operator] = max(until, self._done[operator])
        while self._done[operator] < until:
            for producer, needed in sources:
                self._until(producer, needed[self._done[operator]])
            self.order.append(operator)
            self._done[operator] += 1
