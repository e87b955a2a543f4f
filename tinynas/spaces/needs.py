"""What networks need of memory under our own engine, by their blocks: many networks at once, to the byte.

MACs and flash are sums over blocks. The arena is that of the worst groups of operators, and a few facts about
groups (`tinynas.engine.grouping`) settle most networks by their blocks, each of which is looked at once for
each shape that it is met at:

- Groups that end where a block ends are a way to run the network, and between blocks a single map is alive.
  So the arena is no more than that of the worst block by itself; and that no more than what its operators
  need one by one, each beside the maps that are alive.
- A cut between blocks where the map x is held whole even by groups that go on beyond it (its ring has all
  rows: so it is before a block with squeeze-and-excitation, whose gate waits for the last row) costs nothing.
  Let a group run from before the cut to behind it, and split it there in two. The first part holds what the
  group holds up to x: all that is made before x meets before the cut, so it is streamed in both, and x is
  whole in both. The second holds x and what the group holds from there on. What the group holds besides is
  the maps that it begins with (in the second part) or at least its output (in the first). An output laid over
  a map that the group begins with saves at most the smaller of these two: so the group needs no less than
  either part. Between such cuts the network is therefore as good as several networks, and the worst counts.

Only stretches between such cuts that have a block too large by itself are worked out as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tinynas.board import Board
from tinynas.cost.compute import macs
from tinynas.cost.counts import Counts, add_up, count, padding
from tinynas.cost.estimates import Runtime
from tinynas.cost.memory import live_bytes
from tinynas.engine.alike import Remembered, alike_operators
from tinynas.engine.plan import ALIGNMENT
from tinynas.engine.planner import least_arena
from tinynas.engine.streaming import MOST_WORK, RowGraph, row_graph, work_of
from tinynas.errors import ModelError
from tinynas.graph import Activation, Graph
from tinynas.graph.outline import Shape, has_single_channels
from tinynas.graph.passes import simplify
from tinynas.networks import Block, Genotype, build_graph, build_part

Ints = NDArray[np.int64]
_CLAMPS = (Activation.RELU, Activation.RELU6)


class Needs(NamedTuple):
    """MACs, bytes of SRAM and bytes of flash of n networks: int64 [n] each."""

    macs: Ints
    sram: Ints
    flash: Ints


@dataclass(frozen=True, eq=False)
class _Part:
    """A block at a shape, or the network's end: a network of its own.

    `end` is the shape of what it makes, `clamp` the activation behind that; `most` are bytes that it runs
    within, operator by operator; `padded` has the bytes of its padding by activation, and what stands behind
    none is `own_padding`. `work` is that of `tinynas.engine.streaming`.
    """

    blocks: tuple[Block, ...]
    shape: Shape
    classes: int | None
    end: Shape
    clamp: Activation
    macs: int
    counts: Counts
    padded: tuple[int, ...]
    own_padding: int
    most: int
    work: int

    @cached_property
    def least(self) -> int:
        """Bytes that it runs within at least."""
        return least_arena(self._graph)

    @cached_property
    def holds_input(self) -> bool:
        """Whether its groups hold the map that it reads as a whole, wherever they begin."""
        rows = row_graph(self._graph)
        stream = rows.streams[rows.graph.inputs[0]]
        return stream.ring_bytes == stream.bytes

    @property
    def _graph(self) -> Graph:
        return _ready(build_part(self.blocks, self.shape, self.classes))


@dataclass(frozen=True, eq=False)
class BlockNeeds:
    """What networks need, with what was found of their blocks remembered."""

    _parts: Remembered[_Part] = field(default_factory=Remembered, init=False)

    def of(self, networks: Sequence[Genotype], runtime: Runtime, board: Board, enough: int = 0) -> Needs:
        """The needs of each network under an engine; `enough` bytes of SRAM stand for any less.

        SRAM is what the best groups need, and flash leaves out the schedule but for a step an operator.

        Raises:
            ModelError: a network that the engine does not run.
        """
        lists = [self._list(network) for network in networks]
        parts = list(dict.fromkeys([part for listed in lists for part in listed]))
        place = {part: number for number, part in enumerate(parts)}
        index = np.array([place[part] for listed in lists for part in listed])
        begins = np.cumsum([0, *[len(listed) for listed in lists[:-1]]])
        numbers = np.array([(part.macs, part.own_padding, part.most) for part in parts])[index]
        computed, own = np.add.reduceat(numbers[:, :2], begins).T
        padded = np.maximum.reduceat(np.array([part.padded for part in parts])[index], begins)
        counts = add_up([part.counts for part in parts], index, begins)
        counts = replace(counts, padding_bytes=own + padded.sum(axis=1))
        sram = np.maximum(np.maximum.reduceat(numbers[:, 2], begins), enough)
        for number in np.flatnonzero(sram > enough):
            sram[number] = _arena(lists[number], enough)
        return Needs(computed, sram, np.asarray(runtime.flash_of(counts, board), np.int64))

    def _list(self, network: Genotype) -> list[_Part]:
        """The parts that the network consists of."""
        try:
            listed = list(self._walk(network))
        except ModelError:
            # the same fault, said of the network
            row_graph(_ready(build_graph(network)))
            raise
        if sum([part.work for part in listed]) > MOST_WORK:
            row_graph(_ready(build_graph(network)))
        return listed

    def _walk(self, network: Genotype) -> Iterator[_Part]:
        shape: Shape = (network.resolution, network.resolution, network.in_channels)
        source = Activation.NONE
        for blocks in (*[(block,) for block in network.blocks], ()):
            key = (blocks, shape, source, None if blocks else network.classes)
            if (part := self._parts.get(key)) is None:
                part = self._parts[key] = _make(*key)
            yield part
            shape, source = part.end, part.clamp


@lru_cache(maxsize=1)
def block_needs() -> BlockNeeds:
    """What is remembered of all networks asked about."""
    return BlockNeeds()


def _make(blocks: tuple[Block, ...], shape: Shape, source: Activation, classes: int | None) -> _Part:
    """The part of `blocks` behind a map of `shape` that the activation `source` has clamped."""
    built = build_part(blocks, shape, classes)
    graph = _ready(built)
    rows, widths = row_graph(graph), padding(graph)
    if source is not Activation.NONE and (own := widths.pop(graph.inputs[0], 0)):
        widths[source] = max(own, widths.get(source, 0))
    return _Part(
        blocks=blocks,
        shape=shape,
        classes=classes,
        end=graph.tensors[graph.outputs[0]].shape[1:],
        clamp=graph.operators[-1].activation,
        macs=macs(built),
        counts=count(graph),
        padded=tuple([widths.pop(clamp, 0) for clamp in _CLAMPS]),
        own_padding=sum(widths.values()),
        most=_one_by_one(rows),
        work=work_of(rows.programs),
    )


def _one_by_one(rows: RowGraph) -> int:
    """Bytes that operators run within, each by itself and beside all that is alive, or a few more."""
    alive = live_bytes(rows.graph, in_place_depthwise=False) + np.array(rows.working)
    # each map is rounded up
    return int(alive.max()) + ALIGNMENT * (len(rows) + 1)


def _arena(parts: Sequence[_Part], enough: int) -> int:
    """Bytes that the best groups of a network need, or `enough` where that is more."""
    large = [place for place, part in enumerate(parts) if part.most > enough and part.least > enough]
    runs = {_run(parts, place) for place in large}
    return max([_least(parts[run.start : run.stop], enough) for run in runs], default=enough)


def _run(parts: Sequence[_Part], place: int) -> range:
    """The parts around the one at `place`, up to the next cuts that cost nothing."""
    first, end = place, place + 1
    while first and not parts[first].holds_input:
        first -= 1
    while end < len(parts) and not parts[end].holds_input:
        end += 1
    return range(first, end)


def _least(parts: Sequence[_Part], enough: int) -> int:
    return max(parts[0].least, enough) if len(parts) == 1 else least_arena(_whole(parts), enough)


def _whole(parts: Sequence[_Part]) -> Graph:
    blocks = [block for part in parts for block in part.blocks]
    return _ready(build_part(blocks, parts[0].shape, parts[-1].classes))


def _ready(graph: Graph) -> Graph:
    """`graph`, of blocks, as the engine wants it: of what is built only maps of one channel are not so."""
    return simplify(graph) if any(map(has_single_channels, alike_operators(graph))) else graph
