"""When each row of a plan is alive, and where: what a picture of the memory over time shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinynas.engine.plan import Plan
from tinynas.engine.streaming import planned_rows


@dataclass(frozen=True, slots=True)
class Life:
    """`size` bytes at `offset` hold a row of `tensor`, from moment `begin` to the end of moment `end`.

    Moments are single steps of the schedule, counted from 0; an input is there from -1 on, before the first.
    """

    tensor: int
    offset: int
    size: int
    begin: int
    end: int


@dataclass(frozen=True)
class Timeline:
    """The lives of all rows, and the operator that runs at each moment: int64 array [moments]."""

    lives: tuple[Life, ...]
    operators: NDArray[np.int64]

    def bytes_in_use(self) -> NDArray[np.int64]:
        """Bytes of rows that are alive at each moment, working memory not counted: [moments]."""
        change = np.zeros(len(self.operators) + 1, np.int64)
        for life in self.lives:
            change[max(life.begin, 0)] += life.size
            change[life.end + 1] -= life.size
        return np.cumsum(change)[:-1]


def timeline(plan: Plan) -> Timeline:
    """Replay `plan` and note when each row is made and when it is read for the last time."""
    rows = planned_rows(plan)
    shapes = rows.shapes
    born = {(tensor, row): -1 for tensor in plan.graph.inputs for row in range(shapes[tensor].rows)}
    read = dict(born)
    moments = [(step.operator, number) for step in plan.steps for number in step.numbers]
    for moment, (operator, number) in enumerate(moments):
        program = rows.programs[operator]
        for reading in program.readings:
            for row in range(int(reading.lows[number]), int(reading.highs[number]) + 1):
                read[reading.tensor, row] = moment
        for row in program.making.rows_of(number):
            born[program.output, row] = read[program.output, row] = moment
    read.update({key: len(moments) - 1 for key in born if key[0] in plan.graph.outputs})
    lives = []
    for (tensor, row), begin in born.items():
        place, size = plan.maps[tensor], shapes[tensor].row_bytes
        offset = place.offset + row % place.slots * size
        lives.append(Life(tensor, offset, size, begin, read[tensor, row]))
    return Timeline(tuple(lives), np.array([operator for operator, _ in moments], np.int64))
