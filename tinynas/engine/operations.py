"""How each operator of a graph runs, remembered for all operators alike.

The networks of a search are made of a few blocks at a few sizes, so that nearly every operator of one has
been met before. Only of graphs without values is anything remembered: kernels look at those, but for them an
operator and the shapes around it say all. What is remembered holds neither graphs nor arrays of weights.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

from tinynas.engine.kernels import Kernel, choose
from tinynas.engine.plan import aligned
from tinynas.engine.rows import Reading, RowProgram, Span, row_program
from tinynas.graph import Graph, Operator

#: operators remembered, before all are forgotten
_MOST = 2**14


class Operation(NamedTuple):
    """An operator run by `kernel` with `working` bytes of memory, whichever tensors it is wired to.

    `reads` are the inputs that are feature maps: which of the operator's inputs, and its rows by step. The
    rest is that of a `RowProgram`.
    """

    kernel: Kernel
    working: int
    reads: tuple[tuple[int, Span], ...]
    steps: int
    at_end: bool

    def wired(self, operator: Operator) -> RowProgram:
        """As the row program of `operator`."""
        inputs = operator.inputs
        readings = tuple([Reading(inputs[place], span) for place, span in self.reads])
        return RowProgram(readings, operator.outputs[0], self.steps, self.at_end)


def operation(graph: Graph, operator: Operator, kernel: Kernel) -> Operation:
    """`operator` of a simplified `graph` run by `kernel`."""
    program = row_program(graph, operator)
    places = [place for place, i in enumerate(operator.inputs) if i >= 0 and not graph.tensors[i].constant]
    return Operation(
        kernel,
        aligned(kernel.working(graph, operator)),
        tuple((place, reading.span) for place, reading in zip(places, program.readings, strict=True)),
        program.steps,
        program.at_end,
    )


def least_operations(graph: Graph) -> list[Operation]:
    """All operators of a simplified `graph` by the kernels that spend nothing.

    Raises:
        ModelError: an operator that no kernel runs.
    """
    tensors, operators = graph.tensors, graph.operators
    if [tensor for tensor in tensors if tensor.data is not None or tensor.quantization is not None]:
        return [operation(graph, operator, choose(graph, i)) for i, operator in enumerate(operators)]
    # -1, no tensor, is the last
    values = [*[(tensor.shape, tensor.dtype, tensor.constant) for tensor in tensors], None]
    found = []
    for index, operator in enumerate(operators):
        window = operator.window
        alike = (
            operator.kind,
            window and (window.kernel, window.stride, window.padding, window.dilation, window.pads),
            operator.activation,
            operator.depth_multiplier,
            operator.axis,
            operator.beta,
            operator.align_corners,
            operator.half_pixel_centers,
            *[values[i] for i in operator.inputs],
            values[operator.outputs[0]],
        )
        known = _known.get(alike)
        if known is None:
            known = operation(graph, operator, choose(graph, index))
            if len(_known) >= _MOST:
                _known.clear()
            _known[alike] = known
        found.append(known)
    return found


def remembered() -> int:
    """How many operators are remembered."""
    return len(_known)


def forget() -> None:
    """Remember no operator any more."""
    _known.clear()


_known: dict[Hashable, Operation] = {}
