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
  whole in both. The second holds x and what the group holds from there on. Working memory of either is the
  group's, or less. What the group holds besides is the maps that it begins with (in the second part) or at
  least its output (in the first). An output laid over a map that the group begins with saves at most the
  smaller of these two: so the group needs no less than either part. Between such cuts the network is
  therefore as good as several networks, and the worst counts.

A block by itself has the groups that it has in its network: what it reads is there whole or made row by row
(kernels that spend nothing make a row a step), and a group never depends on what is read behind its end.
Only stretches between such cuts that have a block too large by itself are worked out as a whole.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tinynas.board import Board
from tinynas.cost.compute import macs
from tinynas.cost.counts import count, padded_bytes, tallied, tally
from tinynas.cost.estimates import Runtime
from tinynas.engine.alike import Remembered, alike_operators
from tinynas.engine.kernels import choose
from tinynas.engine.plan import aligned
from tinynas.engine.planner import least_arena
from tinynas.engine.rows import shape_of
from tinynas.engine.streaming import MOST_OPERATORS, MOST_WORK, row_graph
from tinynas.errors import ModelError
from tinynas.graph import Activation, Graph
from tinynas.graph.outline import MOST_REMEMBERED, Likeness, Outline, Shape, alone, has_single_channels
from tinynas.graph.passes import simplify
from tinynas.networks import Block, Genotype, build_graph, build_part, simple_outline

Ints = NDArray[np.int64]
#: activations behind which all maps have one zero point
_CLAMPS = (Activation.RELU, Activation.RELU6)


class Needs(NamedTuple):
    """MACs, bytes of SRAM and bytes of flash of n networks: int64 [n] each."""

    macs: Ints
    sram: Ints
    flash: Ints


class _Operator(NamedTuple):
    """What is known of operators that are alike.

    `sums` are MACs, no less than the work of `tinynas.engine.streaming`, and the tally of their counts;
    `padded` are bytes of a pixel of padding, `working` those of working memory.
    """

    sums: tuple[int, ...]
    padded: int
    working: int


@dataclass(frozen=True, eq=False)
class _Part:
    """A block at a shape, or the network's end: a network of its own.

    `end` is the shape of what it makes, `clamp` the activation behind that. `sums` are bytes of padding that
    is no other part's, and the sums of its operators; `padded` are bytes of padding behind each of `_CLAMPS`.
    It runs operator by operator within `most` bytes. Parts of one `form` differ in their channels alone.
    """

    blocks: tuple[Block, ...]
    shape: Shape
    classes: int | None
    end: Shape
    clamp: Activation
    sums: Ints
    padded: tuple[int, ...]
    most: int
    form: Hashable

    @cached_property
    def least(self) -> int:
        """Bytes that it runs within at least."""
        return least_arena(self._graph)

    @property
    def holds_input(self) -> bool:
        """Whether its groups hold the map that it reads as a whole, wherever they begin."""
        if (known := _holding.get(self.form)) is None:
            rows = row_graph(self._graph)
            stream = rows.streams[rows.graph.inputs[0]]
            known = _holding[self.form] = stream.slots == stream.shape.rows
        return known

    @property
    def _graph(self) -> Graph:
        return _simple(build_part(self.blocks, self.shape, self.classes))


#: whether parts of a form hold their input
_holding: Remembered[bool] = Remembered()


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
        index = [place[part] for listed in lists for part in listed]
        begins = np.cumsum([0, *[len(listed) for listed in lists[:-1]]])
        sums = np.add.reduceat(np.array([part.sums for part in parts])[index], begins)
        largest = np.array([(part.most, *part.padded) for part in parts])[index]
        most, *padded = np.maximum.reduceat(largest, begins).T
        own, computed, work, *tallies = sums.T
        counts = tallied(np.array(tallies), own + sum(padded))
        for number in np.flatnonzero((work > MOST_WORK) | (counts.total_operators > MOST_OPERATORS)):
            _check(networks[number])
        sram = np.maximum(most, enough)
        for number in np.flatnonzero(most > enough):
            sram[number] = _arena(lists[number], enough)
        return Needs(computed, sram, np.asarray(runtime.flash_of(counts, board), np.int64))

    def _list(self, network: Genotype) -> list[_Part]:
        """The parts that the network consists of."""
        try:
            return list(self._walk(network))
        except ModelError:
            # the same fault, said of the network
            _check(network)
            raise

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


def _check(network: Genotype) -> None:
    """Nothing, if the engine runs `network`.

    Raises:
        ModelError: it does not.
    """
    row_graph(_simple(build_graph(network)))


def _make(blocks: tuple[Block, ...], shape: Shape, source: Activation, classes: int | None) -> _Part:
    """The part of `blocks` behind a map of `shape` that the activation `source` has clamped."""
    outline = simple_outline(blocks, shape, classes)
    operators = [_operator(alike) for alike in outline.operators]
    clamps = [source, *[alike.activation for alike in outline.operators]]
    widths: dict[Activation | int, int] = {}
    for operator, (first, *_) in zip(operators, outline.reads, strict=True):
        # a map that nothing has clamped has a zero point of its own
        zero = first if clamps[first] is Activation.NONE else clamps[first]
        widths[zero] = max(widths.get(zero, 0), operator.padded)
    padded = tuple([widths.pop(clamp, 0) for clamp in _CLAMPS])
    return _Part(
        blocks=blocks,
        shape=shape,
        classes=classes,
        end=outline.operators[-1].output[0][1:],
        clamp=clamps[-1],
        sums=np.array(
            [sum(widths.values()), *map(sum, zip(*[each.sums for each in operators], strict=True))]
        ),
        padded=padded,
        most=_one_by_one(outline, operators),
        form=(shape[:2], outline.reads, tuple([(each.kind, each.window) for each in outline.operators])),
    )


@lru_cache(maxsize=MOST_REMEMBERED)
def _operator(alike: Likeness) -> _Operator:
    graph, maps = alone(alike), alike.maps
    (operator,) = graph.operators
    work = len(maps) * max([shape_of(*face[:2]).rows for face in (*maps, alike.output)])
    # what is counted are constants, whatever maps they work on
    constants = tuple([face for face in alike.inputs if face is not None and face[2]])
    key = (alike.kind, alike.window, alike.settings, constants, len(maps))
    if (tallies := _tallies.get(key)) is None:
        tallies = _tallies[key] = tally(count(graph))
    return _Operator(
        sums=(macs(graph), work, *tallies),
        padded=padded_bytes(graph, operator),
        working=aligned(choose(graph, 0).working(graph, operator)),
    )


_tallies: Remembered[list[int]] = Remembered()


def _one_by_one(outline: Outline, operators: Sequence[_Operator]) -> int:
    """Bytes that operators run within, each by itself and beside all maps that are alive."""
    faces = (outline.operators[0].maps[0], *[alike.output for alike in outline.operators])
    sizes = [shape_of(*face[:2]).aligned_bytes for face in faces]
    last = {source: number for number, reads in enumerate(outline.reads) for source in reads}
    most, alive = 0, sizes[0]
    for number, operator in enumerate(operators):
        alive += sizes[number + 1]
        most = max(most, alive + operator.working)
        alive -= sum([sizes[source] for source in set(outline.reads[number]) if last[source] == number])
    return most


def _arena(parts: Sequence[_Part], enough: int) -> int:
    """Bytes that the best groups of a network need, or `enough` where that is more."""
    least, settled = enough, set[int]()
    for place in sorted(range(len(parts)), key=lambda place: parts[place].most, reverse=True):
        part = parts[place]
        if part.most <= least:
            break
        if place not in settled and part.least > least:
            run = _run(parts, place)
            settled.update(run)
            least = max(least, _least(parts[run.start : run.stop], least))
    return least


def _run(parts: Sequence[_Part], place: int) -> range:
    """The parts around the one at `place`, up to the next cuts that cost nothing."""
    first, end = place, place + 1
    while first and not parts[first].holds_input:
        first -= 1
    while end < len(parts) and not parts[end].holds_input:
        end += 1
    return range(first, end)


def _least(parts: Sequence[_Part], enough: int) -> int:
    if len(parts) == 1:
        return parts[0].least
    blocks = [block for part in parts for block in part.blocks]
    return least_arena(_simple(build_part(blocks, parts[0].shape, parts[-1].classes)), enough)


def _simple(graph: Graph) -> Graph:
    """`graph`, which was built, simplified (see `simple_outline`)."""
    return simplify(graph) if any(map(has_single_channels, alike_operators(graph))) else graph
