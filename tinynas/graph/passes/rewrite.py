"""What every pass needs: who reads a tensor, who writes it, and a graph that is changed as it is copied.

A pass is a pure function from Graph to Graph. It returns the very graph it was given where it found nothing
to do, which is how `simplify` sees that it is done. A pass may leave behind operators that nobody reads;
`remove_unused` sweeps them up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from tinynas.graph.ir import DType, Graph, Operator, OpKind, Tensor


def readers(graph: Graph) -> dict[int, list[int]]:
    """Operators (indices) that read each tensor, each once, for the tensors that any reads."""
    found: dict[int, list[int]] = {}
    for index, operator in enumerate(graph.operators):
        for tensor in dict.fromkeys(operator.inputs):
            if tensor >= 0:
                found.setdefault(tensor, []).append(index)
    return found


def writers(graph: Graph) -> dict[int, int]:
    """The operator (index) that writes each tensor; constants and the network's inputs have none."""
    return {tensor: index for index, op in enumerate(graph.operators) for tensor in op.outputs}


def feature_map(shape: Sequence[int]) -> tuple[int, int, int]:
    """(rows, columns, channels) that the engine sees: NHWC tensors by their rows, others as one row."""
    if len(shape) == 4:
        return shape[1], shape[2], shape[3]
    channels = shape[-1] if shape else 1
    return 1, int(np.prod(shape)) // max(channels, 1), channels


def integers(graph: Graph, tensor: int) -> tuple[int, ...] | None:
    """The values of an integer constant, flattened; None where they are not known."""
    data = graph.tensors[tensor].data if tensor >= 0 else None
    return None if data is None else tuple(int(value) for value in data.ravel())


def integer_constant(name: str, values: Iterable[int]) -> Tensor:
    """A one-dimensional int32 constant: axes, a permutation."""
    data = np.array(list(values), np.int32)
    return Tensor(name, data.shape, DType.INT32, constant=True, data=data)


def rewired(graph: Graph, sources: Mapping[int, int]) -> Graph:
    """`graph` with each tensor that is a key of `sources` read from its value instead, by operators.

    The network's outputs stay as they are. A value may itself be a key.
    """

    def final(tensor: int) -> int:
        while tensor in sources:
            tensor = sources[tensor]
        return tensor

    operators = tuple(replace(op, inputs=tuple(map(final, op.inputs))) for op in graph.operators)
    return replace(graph, operators=operators)


class Edit:
    """A graph being changed: tensors are added, operators replaced by any number of others.

    Indices of tensors and operators stay those of the graph it began with until `done`.
    """

    def __init__(self, graph: Graph) -> None:
        """Begin with `graph`."""
        self._graph = graph
        self._tensors = list(graph.tensors)
        self._steps: dict[int, Sequence[Operator]] = {}
        self._retyped = False

    def add(self, tensor: Tensor) -> int:
        """The index of a new tensor."""
        self._tensors.append(tensor)
        return len(self._tensors) - 1

    def retype(self, index: int, tensor: Tensor) -> None:
        """Put `tensor` in the place of the one at `index`."""
        self._tensors[index] = tensor
        self._retyped = True

    def put(self, operator: int, *steps: Operator) -> None:
        """Let `steps` stand where the operator `operator` stood."""
        self._steps[operator] = steps

    def reshape(self, source: int, target: int) -> Operator:
        """An operator that gives the values of `source` the shape of `target`."""
        return Operator(OpKind.RESHAPE, (source,), (target,))

    def done(self) -> Graph:
        """The changed graph; the one it began with if nothing was changed."""
        if not self._steps and not self._retyped:
            return self._graph
        operators = tuple(
            step
            for index, operator in enumerate(self._graph.operators)
            for step in self._steps.get(index, (operator,))
        )
        return replace(self._graph, tensors=tuple(self._tensors), operators=operators)
