"""Operators that are alike, by a number: what is worked out of one serves all of them.

The networks of a search are made of a few blocks at a few sizes, so that nearly every operator of one has
been met before. Operators are alike by their settings and the shapes around them, which say all where a graph
has no values: kernels look at those.
"""

from __future__ import annotations

from collections.abc import Hashable
from itertools import count
from typing import Generic, TypeVar

from tinynas.graph import Graph

#: what is remembered of anything, before all is forgotten
_MOST = 2**14

ThingT = TypeVar("ThingT")


class Remembered(dict[Hashable, ThingT], Generic[ThingT]):
    """What was worked out, by what it depends on; once there is too much of it, all is forgotten."""

    def __setitem__(self, key: Hashable, value: ThingT) -> None:
        """Remember `value`."""
        if len(self) >= _MOST:
            self.clear()
        super().__setitem__(key, value)


def has_values(graph: Graph) -> bool:
    """Whether anything is known of `graph` but shapes: quantisation, or values of constants."""
    return any(tensor.data is not None or tensor.quantization is not None for tensor in graph.tensors)


def number_operators(graph: Graph) -> list[int]:
    """A number for every operator of `graph`: the same for all alike, ever, whatever their values are."""
    if _last and _last[0][0] is graph:
        return _last[0][1]
    # -1, no tensor, is the last
    values = [*[(tensor.shape, tensor.dtype, tensor.constant) for tensor in graph.tensors], None]
    numbers = []
    for operator in graph.operators:
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
        number = _numbers.get(alike)
        if number is None:
            number = _numbers[alike] = next(_unused)
        numbers.append(number)
    _last[:] = [(graph, numbers)]
    return numbers


def forget() -> None:
    """Remember no operator any more; its number is not used again."""
    _numbers.clear()
    _last.clear()


_numbers: Remembered[int] = Remembered()
_unused = count()
#: the graph asked about last, which is planned again and again, and what was said of it
_last: list[tuple[Graph, list[int]]] = []
