"""Estimates of the times of networks by their genotypes: sums over parts that were met before.

What an operator is estimated to take depends on the operators beside it alone, and on the memory that holds
the network's widest maps. So blocks are estimated once for each shape that they are met at, and a network is
looked up, without a Graph, to exactly what the model says of its Graph.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from tinynas.cost.latency import LatencyModel
from tinynas.cost.prices import widest_bytes
from tinynas.engine.alike import Remembered
from tinynas.engine.kernels import CATALOGUE, Form
from tinynas.graph import Graph
from tinynas.graph.passes import simplify
from tinynas.graph.typical import PICTURE, typical_kinds
from tinynas.networks import Block, Genotype, build_part

Shape = tuple[int, ...]

#: kinds of operators that may agree with the one before them about a feature map's form
_AGREEING = frozenset(kernel.kind for kernel in CATALOGUE if kernel.reads is not Form.ROWS)


@dataclass(frozen=True, eq=False)
class _Part:
    """Operators of a network that are estimated together; its inputs have values of the kind `source`."""

    graph: Graph
    source: int
    model: LatencyModel
    _times: dict[int, tuple[float, ...]] = field(default_factory=dict, init=False)

    @cached_property
    def widest(self) -> int:
        """Bytes of the feature maps of the operator that has the largest."""
        return widest_bytes(self.graph)

    @cached_property
    def end(self) -> tuple[Shape, int]:
        """Shape (rows, columns, channels) and kind of values of what it makes."""
        (made,) = self.graph.outputs
        return self.graph.tensors[made].shape[1:], typical_kinds(self.graph, self.source)[made]

    @cached_property
    def leans_back(self) -> bool:
        """Whether its first operator, the only one to read the map, may agree with the one before."""
        (source,) = self.graph.inputs
        readers = [operator.kind for operator in self.graph.operators if source in operator.inputs]
        return len(readers) == 1 and readers[0] in _AGREEING

    def milliseconds(self, place: int, arena: int) -> tuple[float, ...]:
        """Of every operator, in an arena of so many bytes, which is at `place`."""
        if place not in self._times:
            self._times[place] = self.model.guess(self.graph, arena, self.source)
        return self._times[place]


@dataclass(frozen=True, eq=False)
class Estimates:
    """What `model` estimates of networks."""

    model: LatencyModel
    _parts: Remembered[_Part] = field(default_factory=Remembered, init=False)

    def milliseconds(self, networks: Iterable[Genotype]) -> list[float]:
        """Of each network what `LatencyModel.estimate` says of its Graph.

        Raises:
            ModelError: an operator that the runtime does not run.
        """
        return [self._milliseconds(network) for network in networks]

    def _milliseconds(self, network: Genotype) -> float:
        parts = list(self._list(network))
        arena = max([part.widest for part in parts])
        place = self.model.place(arena)
        return math.fsum([time for part in parts for time in part.milliseconds(place, arena)])

    def _list(self, network: Genotype) -> Iterator[_Part]:
        """The parts that the network consists of."""
        shape: Shape = (network.resolution, network.resolution, network.in_channels)
        begin = shape, PICTURE
        run: tuple[Block, ...] = ()
        part = None
        for block in network.blocks:
            if part is None:
                run, part = (block,), self._part((block,), *begin)
                continue
            following = self._part((block,), *part.end)
            if following.leans_back:
                run = (*run, block)
                part = self._part(run, *begin)
                continue
            yield part
            begin, run, part = part.end, (block,), following
        if part is not None:
            yield part
            begin = part.end
        yield self._part((), *begin, network.classes)

    def _part(
        self, blocks: tuple[Block, ...], shape: Shape, source: int, classes: int | None = None
    ) -> _Part:
        key = (blocks, shape, source, classes)
        if (known := self._parts.get(key)) is None:
            graph = build_part(blocks, shape, classes)
            if 1 in [tensor.shape[-1] for tensor in graph.tensors]:
                # of what is built only single channels are not as the engine wants them
                graph = simplify(graph)
            known = self._parts[key] = _Part(graph, source, self.model)
        return known


@lru_cache(maxsize=4)
def estimates(model: LatencyModel) -> Estimates:
    """What `model` estimates, with what it said before remembered."""
    return Estimates(model)
