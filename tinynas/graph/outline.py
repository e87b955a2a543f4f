"""Operators by what tells them from others: settings, and the shapes around them; no names and no values.

A network without values is hardly more than a list of these, which is all that thousands of networks a second
leave time for.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from tinynas.graph.ir import Activation, DType, Graph, Operator, OpKind, Tensor, Window

Shape: TypeAlias = tuple[int, ...]
#: shape and element type of a tensor, and whether it is constant
Face: TypeAlias = tuple[Shape, DType, bool]

#: of operators that have nothing to set: depth multiplier, axis, beta, corners, centres (see `Operator`)
PLAIN_SETTINGS = (1, -1, 1.0, False, False)


class Likeness(NamedTuple):
    """All that a graph without values says of an operator: those that share it are alike.

    `inputs` stand as in `Operator`, None for a missing one.
    """

    kind: OpKind
    window: Window | None
    activation: Activation
    settings: tuple[int, int, float, bool, bool]
    inputs: tuple[Face | None, ...]
    output: Face

    @property
    def maps(self) -> list[Face]:
        """The feature maps among the inputs."""
        return [each for each in self.inputs if each is not None and not each[2]]


class Outline(NamedTuple):
    """A network of one input: operator i reads the maps `reads[i]` and makes map i + 1; map 0 is the input.

    Its output is what its last operator makes.
    """

    operators: tuple[Likeness, ...]
    reads: tuple[tuple[int, ...], ...]


def likeness_of(graph: Graph, operator: Operator) -> Likeness:
    """That of an operator of `graph`, whatever values it has."""
    tensors = graph.tensors
    return Likeness(
        operator.kind,
        operator.window,
        operator.activation,
        (
            operator.depth_multiplier,
            operator.axis,
            operator.beta,
            operator.align_corners,
            operator.half_pixel_centers,
        ),
        tuple([None if i < 0 else _face(tensors[i]) for i in operator.inputs]),
        _face(tensors[operator.outputs[0]]),
    )


def outline_of(graph: Graph) -> Outline:
    """That of a graph of one input, whose output is what its last operator makes."""
    places = {graph.inputs[0]: 0} | {each.outputs[0]: i + 1 for i, each in enumerate(graph.operators)}
    return Outline(
        tuple([likeness_of(graph, operator) for operator in graph.operators]),
        tuple([tuple([places[i] for i in graph.activations_in(operator)]) for operator in graph.operators]),
    )


def alone(likeness: Likeness) -> Graph:
    """A graph of one such operator, whose tensors are its inputs, but for missing ones, and its output."""
    faces = [*[each for each in likeness.inputs if each is not None], likeness.output]
    tensors = tuple([Tensor(f"{number}", *face) for number, face in enumerate(faces)])
    numbers = iter(range(len(faces)))
    inputs = tuple([-1 if each is None else next(numbers) for each in likeness.inputs])
    operator = Operator(
        likeness.kind, inputs, (len(faces) - 1,), likeness.window, likeness.activation, *likeness.settings
    )
    maps = tuple([i for i in inputs if i >= 0 and not tensors[i].constant])
    return Graph("one operator", tensors, (operator,), maps, operator.outputs)


def _face(tensor: Tensor) -> Face:
    return tensor.shape, tensor.dtype, tensor.constant
