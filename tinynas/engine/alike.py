"""Operators that are alike, as one object: what is worked out of one serves all of them.

The networks of a search are made of a few blocks at a few sizes, so that nearly every operator of one has
been met before. Operators are alike by their settings and the shapes around them, which say all where a graph
has no values: kernels look at those.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

from tinynas.engine.tasks import Task, task_of
from tinynas.graph import Graph
from tinynas.graph.outline import Likeness, likeness_of

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


@dataclass(frozen=True, eq=False)
class Alike:
    """All operators of one likeness: there is one such object for them, which is hashed by identity."""

    likeness: Likeness

    @cached_property
    def task(self) -> Task:
        """What they are to do."""
        return task_of(self.likeness)


def alike(likeness: Likeness) -> Alike:
    """Those of `likeness`."""
    if (known := _known.get(likeness)) is None:
        known = _known[likeness] = Alike(likeness)
    return known


def alike_operators(graph: Graph) -> list[Alike]:
    """For every operator of `graph` those that it is alike to, whatever their values are."""
    if _last and _last[0][0] is graph:
        return _last[0][1]
    found = [alike(likeness_of(graph, operator)) for operator in graph.operators]
    _last[:] = [(graph, found)]
    return found


def tasks_of(graph: Graph) -> list[Task]:
    """The task of every operator of `graph`."""
    return [each.task for each in alike_operators(graph)]


def forget() -> None:
    """Remember no operator any more; those met again are not taken for them."""
    _known.clear()
    _last.clear()


_known: Remembered[Alike] = Remembered()
#: the graph asked about last, which is planned again and again, and what was said of it
_last: list[tuple[Graph, list[Alike]]] = []
