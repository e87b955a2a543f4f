"""Operators that are alike: what is worked out of one serves all of them.

The networks of a search are made of a few blocks at a few sizes, so that nearly every operator of one has
been met before. Operators are alike by their settings and the shapes around them, which say all where a graph
has no values: kernels look at those.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

from tinynas.engine.tasks import Task, task_of
from tinynas.graph import Graph
from tinynas.graph.outline import MOST_REMEMBERED, Likeness, likeness, likeness_of

ThingT = TypeVar("ThingT")


class Remembered(dict[Hashable, ThingT], Generic[ThingT]):
    """What was worked out, by what it depends on; once there is too much of it, all is forgotten."""

    def __setitem__(self, key: Hashable, value: ThingT) -> None:
        """Remember `value`."""
        if len(self) >= MOST_REMEMBERED:
            self.clear()
        super().__setitem__(key, value)


def has_values(graph: Graph) -> bool:
    """Whether anything is known of `graph` but shapes: quantisation, or values of constants."""
    return any(tensor.data is not None or tensor.quantization is not None for tensor in graph.tensors)


def alike_operators(graph: Graph) -> list[Likeness]:
    """For every operator of `graph` what those alike to it share, whatever their values are."""
    if _last and _last[0][0] is graph:
        return _last[0][1]
    found = [likeness_of(graph, operator) for operator in graph.operators]
    _last[:] = [(graph, found)]
    return found


def tasks_of(graph: Graph) -> list[Task]:
    """The task of every operator of `graph`."""
    return [task_of(each) for each in alike_operators(graph)]


def forget() -> None:
    """Remember no operator any more; those met again are not taken for them."""
    likeness.cache_clear()
    task_of.cache_clear()
    _last.clear()


#: the graph asked about last, which is planned again and again, and what was said of it
_last: list[tuple[Graph, list[Likeness]]] = []
