"""Times of many networks of a mobile space at once: sums over their blocks, each of which is looked up.

A block's time depends on the network around it only by the memory that the network leaves: kernels that
spend memory are given back where a group of operators takes more of the arena than there is, or constants
more of the flash. Groups hardly ever go beyond a block, but for those at the beginning. So every block is
arranged by itself, for ever smaller arenas; the first block with the stem and what follows, the last one with
the classifier. A network then takes of each block the first that stays within the network's own arena, in as
many groups as there is room for, and gives back what saves least for a byte of flash, as the planner does
(`tinynas.engine.leaner`). What is left between such a sum and the whole plan's time is where feature maps lie
in an arena of which a data cache serves a part (on an STM32F746): that hangs on all blocks together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinynas.cost.latency import LatencyModel
from tinynas.engine.choosing import Choices
from tinynas.engine.goals import Aim, Goal
from tinynas.engine.leaner import Constants
from tinynas.engine.planner import Arrangement, arrange_by, arrange_in, arrangements, balanced_arena
from tinynas.graph import Graph
from tinynas.graph.passes import simplify
from tinynas.networks import Block, Genotype, build_part
from tinynas.spaces.batch import BlockBatch, Ints
from tinynas.spaces.mobile import MobileSpace
from tinynas.spaces.streamed import streamed_bounds

Floats = NDArray[np.float64]
#: what stands for no limit
_ENOUGH = 2**62


def batch_milliseconds(batch: BlockBatch, model: LatencyModel) -> Floats:
    """Modelled milliseconds of each network: [n]."""
    aim = model.runtime.aim
    constants = _ENOUGH if aim.constants is None else aim.constants
    return _tabulate(batch.space, model).milliseconds(batch.index, _arenas(batch, aim), constants)


def _arenas(batch: BlockBatch, aim: Aim) -> Ints:
    """Bytes that the arena of each network may take: [n]."""
    if aim.goal is Goal.BALANCED:
        return np.array([balanced_arena(least, aim) for least in streamed_bounds([batch]).tolist()])
    return np.full(len(batch), _ENOUGH if aim.arena is None else aim.arena)


@dataclass(frozen=True, slots=True)
class _Saving:
    """A kernel of smaller constants for an operator: `freed` bytes of flash for so many milliseconds.

    All of an earlier `turn` are taken first, and of one turn those of the least `price` a byte.
    """

    operator: int
    turn: int
    price: float
    freed: float
    milliseconds: float


@dataclass(frozen=True)
class _Part:
    """Blocks that are looked up together, as a network of their own."""

    graph: Graph
    model: LatencyModel
    #: milliseconds of a way, by the place of the arena and the room in it
    _times: dict[tuple[int, int, int], float] = field(default_factory=dict, init=False, repr=False)
    #: ways with every operator in a group of its own
    _wide: dict[int, Arrangement] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def ways(self) -> list[Arrangement]:
        """In ever smaller arenas, whatever there is of flash."""
        return list(arrangements(self.graph, self.model.runtime.aim))

    def milliseconds(self, number: int, arena: int) -> float:
        """Of a way, in a network whose arena takes so many bytes: in as many groups as there is room for."""
        place, room = self.model.place(arena), self._room(number, arena)
        if (number, place, room) not in self._times:
            self._times[number, place, room] = self.model.arranged(self._arranged(number, room), arena)
        return self._times[number, place, room]

    def _room(self, number: int, arena: int) -> int:
        """The bytes of such an arena that make a difference to a way: 0 if none beyond its own do."""
        if arena <= self.ways[number].arena or not self.model.is_split(arena):
            return 0
        if number not in self._wide:
            self._wide[number] = arrange_in(self.ways[number], _ENOUGH)
        return min(arena, self._wide[number].layout.bound)

    def _arranged(self, number: int, room: int) -> Arrangement:
        if not room:
            return self.ways[number]
        wide = self._wide[number]
        return wide if room == wide.layout.bound else arrange_in(self.ways[number], room)

    @cached_property
    def _choices(self) -> Choices:
        return Choices(self.graph, self.model.runtime.aim)

    @cached_property
    def constants(self) -> int:
        """Bytes of flash that constants take with the fastest kernels."""
        sizes = Constants(self._choices)
        return sizes.bytes_of(self._choices.choose()) - sizes.bytes_of_ends

    @property
    def savings(self) -> list[_Saving]:
        """Down to the smallest constants."""
        return self._down[0]

    @cached_property
    def costs(self) -> list[tuple[float, ...]]:
        """Milliseconds that each of the savings costs, by way: from any, all lead to the same kernels."""
        savings, smallest = self._down
        by_way = []
        for way in self.ways:
            spent = [each.milliseconds * bool(way.rows.kernels[each.operator].spends) for each in savings]
            whole, together = smallest - self.model.arranged(way), sum(spent)
            share = whole / together if min(whole, together) > 0 else 1.0
            by_way.append([share * each for each in spent])
        return list(zip(*by_way, strict=True))

    @cached_property
    def _down(self) -> tuple[list[_Saving], float]:
        """The savings, and milliseconds with all of them."""
        sizes, without, found = Constants(self._choices), dict[int, set[str]](), list[_Saving]()
        kernels, time, turn = self._choices.choose(), self.model.arranged(self.ways[0]), 0
        while steps := sizes.steps(kernels):
            for step in steps:
                without.setdefault(step.index, set()).update(step.functions)
            before, kernels = kernels, self._choices.choose(without)
            now = self.model.arranged(arrange_by(self.graph, kernels, self.model.runtime.goal))
            # two operators may have to agree, so all of a turn is known better than each of its steps
            freed = (sizes.bytes_of(before) - sizes.bytes_of(kernels)) / sum(step.freed for step in steps)
            slower = (now - time) / (sum(step.cost for step in steps) or 1.0)
            found += [
                _Saving(step.index, turn, step.price, step.freed * freed, step.cost * slower)
                for step in steps
            ]
            time, turn = now, turn + 1
        return found, time


@dataclass(frozen=True)
class _Table:
    """A part for each block of `tinynas.spaces.batch.list_blocks`, or none: its time is in the next one's."""

    parts: Sequence[_Part | None]
    model: LatencyModel

    def milliseconds(self, index: Ints, arenas: Ints, constants: int) -> Floats:
        """Of networks of blocks `index` [n, BLOCKS], their arenas [n] and constants of such bytes: [n]."""
        sizes = self._spread(lambda part: [way.arena for way in part.ways])
        # the first that stays within it, or the smallest there is
        too_large = (sizes[index] > arenas[:, None, None]).sum(axis=2)
        last = np.array([len(part.ways) - 1 if part is not None else 0 for part in self.parts])
        taken = np.minimum(too_large, last[index])
        # where a network's arena lies depends on its size, and so what the cache serves
        needs = sizes[index, taken].max(axis=1)
        total = self._of_ways(index, taken, needs)
        weights = np.array([part.constants if part is not None else 0 for part in self.parts])
        excess = weights[index].sum(axis=1) - constants
        large = np.flatnonzero(excess > 0)
        if len(large):
            total[large] += self._given_back(index[large], taken[large], excess[large])
        return total

    def _of_ways(self, index: Ints, taken: Ints, needs: Ints) -> Floats:
        """Milliseconds of networks whose blocks `index` [n, BLOCKS] are arranged by the ways `taken`: [n].

        Their arenas take `needs` bytes [n].
        """
        asked, each = np.unique(
            np.stack([index, taken, np.broadcast_to(needs[:, None], index.shape)]).reshape(3, -1),
            axis=1,
            return_inverse=True,
        )
        told = [
            part.milliseconds(way, need) if (part := self.parts[entry]) is not None else 0.0
            for entry, way, need in asked.T.tolist()
        ]
        return np.asarray(np.array(told)[each.reshape(index.shape)].sum(axis=1))

    def _given_back(self, index: Ints, taken: Ints, excess: Ints) -> Floats:
        """Milliseconds that networks take more for constants that are smaller by `excess` bytes [n]: [n].

        `taken` [n, BLOCKS] are the ways of their blocks.
        """
        found = [
            (saving, entry, by_way)
            for entry, part in enumerate(self.parts)
            if part is not None
            for saving, by_way in zip(part.savings, part.costs, strict=True)
        ]
        if not found:
            return np.zeros(len(index))
        found.sort(key=lambda each: (each[0].turn, each[0].price))
        # the way of each part, -1 where a network has it not: [n, parts]
        ways = np.full((len(index), len(self.parts)), -1)
        np.put_along_axis(ways, index, taken, axis=1)
        ways = ways[:, [entry for _, entry, _ in found]]
        freed = (ways >= 0) * np.array([saving.freed for saving, *_ in found])
        # one after the other, until enough is free
        wanted = (ways >= 0) & (np.cumsum(freed, axis=1) - freed < excess[:, None])
        # what the arena has made give back all costs nothing more
        costs = _padded([by_way for _, _, by_way in found])
        return np.asarray((wanted * costs[np.arange(len(found)), ways]).sum(axis=1))

    def _spread(self, tell: Callable[[_Part], Sequence[float]]) -> NDArray[Any]:
        """What is told of each way of all parts; 0 of no block: [parts, most ways]."""
        return _padded([tell(part) if part is not None else (0,) for part in self.parts])


def _padded(rows: Sequence[Sequence[float]]) -> NDArray[Any]:
    """Equally long rows: with zeros behind."""
    most = max(len(row) for row in rows)
    return np.array([[*row, *(0,) * (most - len(row))] for row in rows])


def _tabulate(space: MobileSpace, model: LatencyModel) -> _Table:
    slots: list[list[_Part]] = []
    for kernel in space.kernels:
        for expand in space.expands:
            largest = space.largest()
            alike = replace(
                largest,
                kernels=(kernel,) * len(largest.kernels),
                expands=(expand,) * len(largest.expands),
            )
            slots.append(list(_list_parts(space.genotype(alike), model)))
    # slot by slot every kernel with every expansion; before them stem and first block, behind them no block
    return _Table([None, *(part for slot in zip(*slots, strict=True) for part in slot), None], model)


def _list_parts(genotype: Genotype, model: LatencyModel) -> Iterator[_Part]:
    """What a network's slots are looked up as, one by one."""
    stem, first, second, *others = genotype.blocks
    runs = [(stem, first, second), *((block,) for block in others)]
    shape: tuple[int, ...] = (genotype.resolution, genotype.resolution, genotype.in_channels)
    for place, run in enumerate(runs):
        part = _part(run, shape, genotype.classes if place == len(runs) - 1 else None, model)
        yield part
        shape = part.graph.tensors[part.graph.outputs[0]].shape[1:]


@lru_cache(maxsize=1024)
def _part(
    blocks: tuple[Block, ...], shape: tuple[int, ...], classes: int | None, model: LatencyModel
) -> _Part:
    """The same for all spaces that are looked at one after the other."""
    return _Part(simplify(build_part(blocks, shape, classes)), model)
