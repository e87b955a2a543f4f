"""How each operator of a graph runs, remembered for all operators alike (`tinynas.engine.alike`).

What is remembered holds neither graphs nor arrays of weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tinynas.engine.alike import Remembered, alike_operators, has_values
from tinynas.engine.kernels import Kernel, choose
from tinynas.engine.plan import aligned
from tinynas.engine.rows import Making, Reading, RowProgram, Span, row_program
from tinynas.graph import Graph, Operator


class Operation(NamedTuple):
    """An operator run by `kernel` with `working` bytes of memory, whichever tensors it is wired to.

    `reads` are the inputs that are feature maps: which of the operator's inputs, and its rows by step. The
    rest is that of a `RowProgram`.
    """

    kernel: Kernel
    working: int
    reads: tuple[tuple[int, Span], ...]
    making: Making

    def wired(self, operator: Operator) -> RowProgram:
        """As the row program of `operator`."""
        inputs = operator.inputs
        readings = tuple([Reading(inputs[place], span) for place, span in self.reads])
        return RowProgram(readings, operator.outputs[0], self.making)


def operation(graph: Graph, operator: Operator, kernel: Kernel) -> Operation:
    """`operator` of a simplified `graph` run by `kernel`."""
    program = row_program(graph, operator, kernel.rows)
    places = [place for place, i in enumerate(operator.inputs) if i >= 0 and not graph.tensors[i].constant]
    return Operation(
        kernel,
        aligned(kernel.working(graph, operator)),
        tuple((place, reading.span) for place, reading in zip(places, program.readings, strict=True)),
        program.making,
    )


def list_operations(graph: Graph, kernels: Sequence[Kernel] | None = None) -> list[Operation]:
    """All operators of a simplified `graph`, by `kernels` or by those that spend nothing.

    Raises:
        ModelError: an operator that no kernel runs.
    """
    if has_values(graph):
        chosen = kernels or [choose(graph, index) for index in range(len(graph.operators))]
        return [operation(graph, *each) for each in zip(graph.operators, chosen, strict=True)]
    found = []
    for index, alike in enumerate(alike_operators(graph)):
        kernel = kernels[index] if kernels is not None else None
        key = (alike, kernel.function if kernel is not None else None)
        known = _known.get(key)
        if known is None:
            operator = graph.operators[index]
            known = _known[key] = operation(graph, operator, kernel or choose(graph, index))
        found.append(known)
    return found


def remembered() -> int:
    """How many operators are remembered."""
    return len(_known)


def forget() -> None:
    """Remember no operator any more."""
    _known.clear()


_known: Remembered[Operation] = Remembered()
