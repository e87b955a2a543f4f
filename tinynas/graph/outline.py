"""Operators by what tells them from others: settings, and the shapes around them; no names and no values.

A network without values is hardly more than a list of these, which is all that thousands of networks a second
leave time for.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from tinynas.graph.ir import Activation, DType, Graph, Operator, OpKind, Tensor, Window

#: operators of which anything is remembered: a search has some thousands
MOST_REMEMBERED = 2**15

Shape: TypeAlias = tuple[int, ...]
#: shape and element type of a tensor, and whether it is constant
Face: TypeAlias = tuple[Shape, DType, bool]

#: depth multiplier, axis, beta, corners, centres (see `Operator`)
Settings: TypeAlias = tuple[int, int, float, bool, bool]

#: of operators that have nothing to set
PLAIN_SETTINGS: Settings = (1, -1, 1.0, False, False)


@dataclass(frozen=True, eq=False, slots=True)
class Likeness:
    """All that a graph without values says of an operator; `likeness` makes one object for all who share it.

    So it is compared and hashed by identity. `inputs` stand as in `Operator`, None for a missing one.
    """

    kind: OpKind
    window: Window | None
    activation: Activation
    settings: Settings
    inputs: tuple[Face | None, ...]
    output: Face

    @property
    def maps(self) -> list[Face]:
        """The feature maps among the inputs."""
        return [each for each in self.inputs if each is not None and not each[2]]


@lru_cache(maxsize=MOST_REMEMBERED)
def likeness(
    kind: OpKind,
    window: Window | None,
    activation: Activation,
    settings: Settings,
    inputs: tuple[Face | None, ...],
    output: Face,
) -> Likeness:
    """What operators share that say this of themselves."""
    return Likeness(kind, window, activation, settings, inputs, output)


@lru_cache(maxsize=MOST_REMEMBERED)
def has_single_channels(operators: Likeness) -> bool:
    """Whether any map or constant of theirs ends with an axis of one."""
    faces = [*operators.inputs, operators.output]
    return any(face is not None and face[0][-1:] == (1,) for face in faces)


class Outline(NamedTuple):
    """A network of one input: operator i reads the maps `reads[i]` and makes map i + 1; map 0 is the input.

    Its output is what its last operator makes.
    """

    operators: tuple[Likeness, ...]
    reads: tuple[tuple[int, ...], ...]


def likeness_of(graph: Graph, operator: Operator) -> Likeness:
    """That of an operator of `graph`, whatever values it has."""
    tensors = graph.tensors
    return likeness(
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


def alone(operators: Likeness) -> Graph:
    """A graph of one such operator, whose tensors are its inputs, but for missing ones, and its output."""
    faces = [*[each for each in operators.inputs if each is not None], operators.output]
    tensors = tuple([Tensor(f"{number}", *face) for number, face in enumerate(faces)])
    numbers = iter(range(len(faces)))
    inputs = tuple([-1 if each is None else next(numbers) for each in operators.inputs])
    made = (len(faces) - 1,)
    operator = Operator(
        operators.kind, inputs, made, operators.window, operators.activation, *operators.settings
    )
    maps = tuple([i for i in inputs if i >= 0 and not tensors[i].constant])
    return Graph("one operator", tensors, (operator,), maps, operator.outputs)


def _face(tensor: Tensor) -> Face:
    return tensor.shape, tensor.dtype, tensor.constant
