"""The order of all rows: groups one after another, each pulled row by row from its outputs."""

from __future__ import annotations

from collections.abc import Sequence

from tinynas.engine.grouping import Group
from tinynas.engine.plan import Step
from tinynas.engine.streaming import RowGraph

#: a step's count is a signed byte in the C table
_MOST_STEPS = 127


def schedule(rows: RowGraph, groups: Sequence[Group], upwards: Sequence[bool]) -> tuple[Step, ...]:
    """Every step of the network, in order; consecutive ones of an operator as one entry."""
    order: list[tuple[int, int]] = []
    for group, up in zip(groups, upwards, strict=True):
        pulled = _pull_group(rows.mirrored if up else rows, group)
        order += [(op, rows.programs[op].steps - 1 - step) for op, step in pulled] if up else pulled
    return _joined(order)


def _pull_group(rows: RowGraph, group: Group) -> list[tuple[int, int]]:
    """(operator, step) in the order that makes the group's outputs, all in proportion, whole."""
    order: list[tuple[int, int]] = []
    done = dict.fromkeys(range(group.first, group.end), 0)
    made = {op: rows.shapes[rows.programs[op].output].rows for op in done}
    outputs = [op for op in done if rows.streams[rows.programs[op].output].last >= group.end]
    tallest = max((made[op] for op in outputs), default=0)
    for turn in range(1, tallest + 1):
        for op in outputs:
            _pull(rows, op, -(-turn * made[op] // tallest) - 1, done, order)
    return order


def _pull(
    rows: RowGraph, operator: int, row: int, done: dict[int, int], order: list[tuple[int, int]]
) -> None:
    """Run `operator` until `row` of its output is there, and whatever that takes before."""
    program = rows.programs[operator]
    until = program.steps_until(row)
    while done[operator] < until:
        step = done[operator]
        for reading in program.readings:
            producer = rows.producers.get(reading.tensor, -1)
            if producer in done:
                _pull(rows, producer, int(reading.highs[step]), done, order)
        order.append((operator, step))
        done[operator] += 1


def _joined(order: Sequence[tuple[int, int]]) -> tuple[Step, ...]:
    steps: list[Step] = []
    for operator, number in order:
        if steps and (longer := _continued(steps[-1], operator, number)) is not None:
            steps[-1] = longer
        else:
            steps.append(Step(operator, number, 1))
    return tuple(steps)


def _continued(step: Step, operator: int, number: int) -> Step | None:
    """`step` with one more at its end, if that is `number` of `operator`."""
    if operator != step.operator or abs(step.count) == _MOST_STEPS:
        return None
    if step.count > 0 and number == step.first + step.count:
        return Step(operator, step.first, step.count + 1)
    if step.count in range(-_MOST_STEPS, 2) and number == step.first - abs(step.count):
        return Step(operator, step.first, -abs(step.count) - 1)
    return None
