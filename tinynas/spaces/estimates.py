"""Estimates of the times of networks by their genotypes: sums over operators, many networks at once.

What an operator is estimated to take depends on the operators beside it alone, and on the memory that holds
the network's widest maps. So blocks are outlined once for each shape that they are met at, what is new in
many networks is estimated together, and a network is summed up, without a Graph, to exactly what the model
says of its Graph.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from tinynas.cost.latency import Guessed, LatencyModel
from tinynas.engine.alike import Remembered
from tinynas.engine.choosing import Site, choose_among, kernels_for, only_readers
from tinynas.engine.kernels import CATALOGUE, Form, Kernel
from tinynas.engine.tasks import task_of
from tinynas.graph.outline import Likeness, Shape
from tinynas.graph.typical import PICTURE, made_kind
from tinynas.networks import Block, Genotype, simple_outline
from tinynas.spaces.garbage import no_collection

#: kinds of operators that may agree with the one before them about a feature map's form
_AGREEING = frozenset(kernel.kind for kernel in CATALOGUE if kernel.reads is not Form.ROWS)
#: networks whose operators are estimated together
_TOGETHER = 512


@dataclass(eq=False, slots=True)
class _Part:
    """Operators of a network that are estimated together.

    `end` is shape (rows, columns, channels) and kind of values of what they make, `widest` are the bytes of
    the feature maps of the one that has the largest. `kernels` are chosen after all parts are known, `times`
    are milliseconds of each operator by the place of the arena.
    """

    blocks: tuple[Block, ...]
    sites: tuple[Site, ...]
    end: tuple[Shape, int]
    widest: int
    leans_back: bool
    readers: dict[int, int]
    kernels: tuple[Kernel, ...] = ()
    times: dict[int, tuple[float, ...]] = field(default_factory=dict)

    @property
    def operators(self) -> list[Likeness]:
        """Each by those that are alike to it."""
        return [operators for operators, _ in self.sites]

    def __str__(self) -> str:
        return " ".join(map(str, self.blocks))


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
        listed, found = list(networks), list[float]()
        for first in range(0, len(listed), _TOGETHER):
            with no_collection():
                found += self._together(listed[first : first + _TOGETHER])
        return found

    def _together(self, networks: Sequence[Genotype]) -> Iterator[float]:
        lists = [list(self._list(network)) for network in networks]
        places = [self.model.place(max([part.widest for part in parts])) for parts in lists]
        new = {
            (part, place): None
            for parts, place in zip(lists, places, strict=True)
            for part in parts
            if place not in part.times
        }
        self._choose([part for part in dict.fromkeys([part for part, _ in new]) if not part.kernels])
        wanted = [Guessed(part.operators, part.kernels, place) for part, place in new]
        for (part, place), times in zip(new, self.model.guesses(wanted), strict=True):
            part.times[place] = times
        for parts, place in zip(lists, places, strict=True):
            yield math.fsum([time for part in parts for time in part.times[place]])

    def _choose(self, parts: Sequence[_Part]) -> None:
        """Give each of `parts` its kernels."""
        sites = [site for part in parts for site in part.sites]
        names = ((part, index) for part in parts for index in range(len(part.sites)))
        able = iter(kernels_for(self.model.runtime.aim).able(sites, names))
        for part in parts:
            part.kernels = choose_among([next(able) for _ in part.sites], part.readers)

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
            known = self._parts[key] = _make(blocks, shape, source, classes)
        return known


def _make(blocks: tuple[Block, ...], shape: Shape, source: int, classes: int | None) -> _Part:
    operators, all_reads = simple_outline(blocks, shape, classes)
    kinds, sites = [source], list[Site]()
    for operator, reads in zip(operators, all_reads, strict=True):
        of_maps = tuple([kinds[i] for i in reads])
        sites.append((operator, of_maps))
        kinds.append(made_kind(operator.kind, operator.activation, of_maps[0]))
    first, readers, made = operators[0], dict[int, int](), range(1, len(kinds))
    if not _AGREEING.isdisjoint([operator.kind for operator in operators]):
        readers = only_readers(all_reads, [reads[0] for reads in all_reads], made, made[-1:])
    return _Part(
        blocks=blocks,
        sites=tuple(sites),
        end=(operators[-1].output[0][1:], kinds[-1]),
        widest=max([task_of(operator).map_bytes for operator in operators]),
        leans_back=first.kind in _AGREEING and sum([reads.count(0) for reads in all_reads]) == 1,
        readers=readers,
    )


@lru_cache(maxsize=4)
def estimates(model: LatencyModel) -> Estimates:
    """What `model` estimates, with what it said before remembered."""
    return Estimates(model)
