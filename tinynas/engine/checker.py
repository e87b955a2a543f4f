"""Proves a plan: replays its schedule and finds any row that is overwritten before its last use.

The checker shares no reasoning with the planner: it has the steps, the offsets and what each step reads and
writes, and keeps for every byte of the arena whose it is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tinynas.engine.kernels import Form
from tinynas.engine.plan import ALIGNMENT, Plan
from tinynas.engine.rows import MapShape
from tinynas.engine.streaming import RowGraph, planned_rows

_NOBODY = -1
#: owners of bytes are tensor * _ROWS + row, or below _NOBODY for working memory
_ROWS = 1 << 32


class PlanError(AssertionError):
    """A plan that would compute something else: a fault of the planner, never of the user."""


def check_plan(plan: Plan, rows: RowGraph | None = None) -> None:
    """Replay `plan`, by what its kernels read and write, or by `rows`.

    Raises:
        PlanError: a step reads what is not there (any more), writes outside the arena or over what it
            reads, is done twice, or a row of an output is missing at the end.
    """
    _Replay(plan, rows or planned_rows(plan)).run()


class _Replay:
    def __init__(self, plan: Plan, rows: RowGraph) -> None:
        self._plan, self._rows = plan, rows
        self._owner: NDArray[np.int64] = np.full(plan.arena, _NOBODY, np.int64)
        self._done: list[set[int]] = [set() for _ in range(len(rows))]
        self._planes = {
            operator.outputs[0]
            for operator, kernel in zip(rows.graph.operators, rows.kernels, strict=True)
            if kernel.writes is Form.PLANES
        }

    def run(self) -> None:
        graph = self._plan.graph
        for tensor in graph.inputs:
            for row in range(self._shape(tensor).rows):
                self._write(tensor, row)
        for step in self._plan.steps:
            for number in step.numbers:
                self._step(step.operator, number)
        for tensor in graph.outputs:
            if self._plan.maps[tensor].slots != self._shape(tensor).rows:
                raise PlanError(f"output {tensor} is not whole")
            for row in range(self._shape(tensor).rows):
                self._expect(tensor, row, "the end")

    def _step(self, operator: int, number: int) -> None:
        program = self._rows.programs[operator]
        where = f"step {number} of operator {operator}"
        if number in self._done[operator]:
            raise PlanError(f"{where} is done twice")
        self._done[operator].add(number)
        working, kept = self._rows.working[operator], self._rows.kernels[operator].keeps
        if working:
            self._use_working_memory(operator, number, working, kept, where)
        for row in program.making.rows_of(number):
            self._write(program.output, row)
        # read after writing: an output over a row it is made from would show
        for reading in program.readings:
            for row in range(int(reading.lows[number]), int(reading.highs[number]) + 1):
                self._expect(reading.tensor, row, where)

    def _use_working_memory(self, operator: int, number: int, size: int, kept: bool, where: str) -> None:
        offset, mark = self._plan.scratch[operator], _NOBODY - 1 - operator
        piece = self._owner[offset : offset + size]
        if offset % ALIGNMENT or len(piece) != size:
            raise PlanError(f"working memory of {where} does not lie in the arena")
        if kept and number and not ((piece == mark).all() and number - 1 in self._done[operator]):
            raise PlanError(f"sums kept for {where} were overwritten or not begun")
        piece[:] = mark

    def _write(self, tensor: int, row: int) -> None:
        place, shape, piece = self._plan.maps[tensor], self._shape(tensor), self._bytes(tensor, row)
        first = row < place.slots or row >= shape.rows - place.slots
        # kernels write the margins of planes with a slot's first row alone
        if tensor in self._planes and not first and not (piece // _ROWS == tensor).all():
            raise PlanError(f"the margins of row {row} of tensor {tensor} were overwritten")
        piece[:] = tensor * _ROWS + row

    def _expect(self, tensor: int, row: int, where: str) -> None:
        if not (self._bytes(tensor, row) == tensor * _ROWS + row).all():
            raise PlanError(f"row {row} of tensor {tensor} is not there at {where}")

    def _bytes(self, tensor: int, row: int) -> NDArray[np.int64]:
        place, size = self._plan.maps[tensor], self._shape(tensor).row_bytes
        start = place.offset + (row % place.slots) * size
        found = self._owner[start : start + size]
        if place.offset % ALIGNMENT or len(found) != size:
            raise PlanError(f"row {row} of tensor {tensor} does not lie in the arena")
        return found

    def _shape(self, tensor: int) -> MapShape:
        return self._rows.shapes[tensor]
