"""The arena of the engine for many networks of mobile spaces at once: what its planner's best groups need.

The same rule as `tinynas.engine.grouping`, in closed form for chains of SAME windows, on arrays: groups of
consecutive operators, cut so that the worst needs least. What comes out is the planner's bound, equal to
`Plan.bound` network by network; its layout reaches that bound in all but rare cases, and can never beat it.
So stage 1 counts by the bound, while every network that the search then looks at is planned itself.

Of all pairs of cuts only few need all their arithmetic: a group that would be too large even if its output
cost nothing is out, and most are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tinynas.engine.ahead import Advance
from tinynas.spaces.batch import BlockBatch, Ints
from tinynas.spaces.chains import (
    ADD,
    OPERATORS,
    OPERATORS_OF_BLOCK,
    PROJECT,
    Chains,
    Int32s,
    aligned,
    chains,
)

#: networks worked on together: their tables stay in the cache
_CHUNK = 2048
_NEVER = np.int32(2**30)


def streamed_bounds(batches: Sequence[BlockBatch]) -> Ints:
    """Bytes that the engine's plan of each network takes at least, one batch after the other: [n]."""
    whole = chains(batches)
    bounds = np.empty(len(whole), np.int64)
    for start in range(0, len(whole), _CHUNK):
        part = slice(start, start + _CHUNK)
        bounds[part] = _Cutting(whole.part(part)).least()
    return bounds


class _Cutting:
    """The search for the best cuts in n networks: [cuts, n], cut j behind operator j - 1."""

    def __init__(self, networks: Chains) -> None:
        self._of = networks
        self._sizes = sizes = networks.sizes
        self._rings = np.zeros_like(sizes)
        np.cumsum(networks.rings, axis=0, out=self._rings[1:])
        self._leads = networks.lead(networks.top), networks.lead(networks.bottom)
        # inside a block that adds its input that is alive too
        self._added = np.zeros_like(sizes)
        added_rings = np.zeros_like(sizes)
        for block in np.flatnonzero(networks.residual.any(axis=1)):
            start = block * OPERATORS_OF_BLOCK
            inside = slice(start + 1, start + OPERATORS_OF_BLOCK)
            self._added[inside] = sizes[start] * networks.residual[block]
            added_rings[inside] = self._ring_at(start) * networks.residual[block]
        self._alive = sizes + self._added
        # what a group that ends here takes, but for where it begins; one from before the block makes two maps
        self._ends = np.full_like(sizes, _NEVER)
        np.add(self._rings[:-1], sizes[1:], out=self._ends[1:], where=networks.real)
        self._ends_from_before = self._ends + self._added - added_rings
        self._alone = np.where(self._added > 0, 0, sizes)
        self._mean, self._dense = aligned(networks.features), aligned(networks.classes)
        self._best = np.full_like(sizes, _NEVER)
        self._best[0] = 0
        self._least = self._layer_by_layer() + 1

    def least(self) -> Int32s:
        """The bytes that the worst group of the best cuts needs: [n]."""
        # ways without overlaps, and then with blocks left whole, soon bound what any way needs
        self._sweep(overlapping=False)
        self._sweep(whole_blocks=True)
        self._sweep()
        return self._least

    def _layer_by_layer(self) -> Int32s:
        """What every operator as a group of its own takes, at most: [n]."""
        widest = (self._alive[:-1] + self._sizes[1:]).max(axis=0)
        mean = self._sizes[-1] + 4 * self._of.features + self._mean
        layers: Int32s = np.maximum(np.maximum(widest + self._of.patches, mean), self._mean + self._dense)
        return layers

    def _sweep(self, *, whole_blocks: bool = False, overlapping: bool = True) -> None:
        """Groups from every cut to every later one; only from and to ends of blocks where `whole_blocks`."""
        best_of_mean = np.full_like(self._least, _NEVER)
        for cut in range(OPERATORS + 1):
            best = self._best[cut]
            if cut < OPERATORS:
                absent = ~self._of.real[cut]
                np.minimum(self._best[cut + 1], best, out=self._best[cut + 1], where=absent)
                best = np.where(absent, _NEVER, best)
            if (whole_blocks and cut % OPERATORS_OF_BLOCK) or not (best < self._least).any():
                continue
            mean, dense = self._tail(cut)
            np.minimum(best_of_mean, np.maximum(best, mean), out=best_of_mean)
            np.minimum(self._least, np.maximum(best, dense), out=self._least)
            for groups in self._groups(cut, best, whole_blocks):
                self._extend(groups, overlapping)
        np.minimum(self._least, np.maximum(best_of_mean, self._mean + self._dense), out=self._least)

    def _groups(self, cut: int, best: Int32s, whole_blocks: bool) -> Iterator[_Groups]:
        """All groups from `cut` on that may be small enough."""
        room = np.where(best < self._least, self._least - self._beginning(cut), 0)
        last = cut + 1
        while last <= OPERATORS and (self._rings[last - 1] < room).any():
            last += OPERATORS_OF_BLOCK
        last = min(last, OPERATORS + 1)
        if whole_blocks:
            yield _Groups(cut, slice(cut + 1, last), self._block_ends, self._alone, best)
            return
        border = min((cut // OPERATORS_OF_BLOCK + 1) * OPERATORS_OF_BLOCK, last)
        yield _Groups(cut, slice(cut + 1, border), self._ends, self._sizes, best)
        yield _Groups(cut, slice(border, last), self._ends_from_before, self._alone, best)

    def _extend(self, groups: _Groups, overlapping: bool) -> None:
        """Every one of `groups`, and what its end is then reached with."""
        cut, here, known = groups.cut, groups.ends, self._best[groups.ends]
        apart = groups.bytes[here] + self._beginning(cut)
        np.minimum(known, np.maximum(apart, groups.best), out=known)
        if not overlapping:
            return
        # at best the output takes nothing, or stands for the largest map it lies over
        largest = np.maximum(self._sizes[cut], self._added[cut])
        reached = np.maximum(apart - np.minimum(largest, groups.free[here]), groups.best)
        ends, nets = np.nonzero(reached < np.minimum(known, self._least))
        if len(ends):
            total = apart[ends, nets]
            ends += here.start
            total -= self._saved(cut, ends, nets)
            better = np.minimum(self._best[ends, nets], np.maximum(groups.best[nets], total))
            self._best[ends, nets] = better

    @cached_property
    def _block_ends(self) -> Int32s:
        """What groups of whole blocks take that end here: [cuts, n], much at cuts inside blocks."""
        ends = np.full_like(self._sizes, _NEVER)
        for inside in (PROJECT, ADD):
            cuts = slice(inside + 1, None, OPERATORS_OF_BLOCK)
            ends[cuts] = self._ends_from_before[cuts]
        ends[PROJECT + 1 :: OPERATORS_OF_BLOCK][self._of.residual] = _NEVER
        return ends

    def _beginning(self, cut: int) -> Int32s:
        """What a group that begins at `cut` takes beside what its end says: [n]."""
        size: Int32s = self._alive[cut] - self._rings[cut]
        return size + self._of.patches if cut == 0 else size

    def _ring_at(self, cut: int) -> Int32s:
        """Bytes of the map at the beginning of a block, as a ring: [n]."""
        # what the block before adds or else projects; the one that is not there takes nothing
        before = self._of.residual[cut // OPERATORS_OF_BLOCK - 1]
        return np.where(before, self._of.rings[cut - 1], self._of.rings[cut - 2])

    def _tail(self, cut: int) -> tuple[Int32s, Int32s]:
        """Bytes of the groups from `cut` to behind the mean, and to behind the classifier: [n] each."""
        group = self._beginning(cut) + self._rings[OPERATORS] + 4 * self._of.features
        largest = np.maximum(self._sizes[cut], self._added[cut])
        # a mean writes in its last step, when its input is used up
        over_mean = np.minimum(largest, self._mean)
        if cut == OPERATORS:
            rows, row_bytes = self._of.map_rows[cut], self._of.map_row_bytes[cut]
            ahead = np.maximum(aligned(self._of.features - (rows - 1) * row_bytes), 0)
            ahead = np.minimum(ahead, self._mean)
            over_mean = largest + self._mean - np.maximum(ahead + largest, self._mean)
        over_dense = np.minimum(largest, self._dense)
        return group + self._mean - over_mean, group + self._mean + self._dense - over_dense

    def _saved(self, cut: int, ends: Ints, nets: Ints) -> Int32s:
        """Bytes that groups from `cut` to `ends` save as their output lies over a map they use up: [k]."""
        block, position = divmod(cut, OPERATORS_OF_BLOCK)
        start, adding = block * OPERATORS_OF_BLOCK, block * OPERATORS_OF_BLOCK + ADD
        residual = self._of.residual[block, nets]
        if position == 0:
            saved = self._over(cut, np.where(residual, adding, cut), ends, nets)
        else:
            saved = self._over(cut, np.full_like(ends, cut), ends, nets)
            kept = np.flatnonzero(residual & (ends > adding))
            if len(kept):
                also = self._over(start, np.full_like(kept, adding), ends[kept], nets[kept])
                saved[kept] = np.maximum(saved[kept], also)
        before = ends >= start + OPERATORS_OF_BLOCK
        return np.where(before & (self._added[ends, nets] > 0), 0, saved)

    def _over(self, cut: int, reader: Ints, ends: Ints, nets: Ints) -> Int32s:
        """Bytes saved by an output over the map at `cut`, which operator `reader` uses up: [k].

        See `tinynas.engine.ahead`: rows run from the top down or from the bottom up.
        """
        of, made = self._of, ends - 1
        source, output = self._sizes[cut, nets], self._sizes[ends, nets]
        height, row_bytes = of.map_rows[cut, nets], of.map_row_bytes[cut, nets]
        rows, made_bytes = of.rows[made, nets], of.row_bytes[made, nets]
        steps, stride = of.rows[reader, nets], of.stride[reader, nets]
        until = of.strides[reader, nets]
        pace = of.strides[made, nets] // until
        slack = (output - rows * made_bytes) - (source - height * row_bytes)
        ways = []
        for lead, above, more in (
            (self._leads[0], of.top, np.int32(0)),
            (self._leads[1], of.bottom, slack),
        ):
            # an operator that is alone reads while it writes; others have read what the rows so far took
            read = np.where(made == reader, 0, (lead[made, nets] - lead[reader, nets]) // until + 1)
            advance = Advance(pace, read, steps, stride, above[reader, nets])
            ahead = advance.ahead(rows, made_bytes, height, row_bytes)
            ways.append(np.minimum(aligned(ahead + more), output))
        least = np.maximum(np.minimum(*ways), 0)
        saved = source + output - np.maximum(least + source, output)
        return np.where(ends > reader, saved, 0)


@dataclass(frozen=True, slots=True)
class _Groups:
    """Groups from `cut`, which is reached with `best` [n], to each of the cuts `ends`.

    `bytes` and `free` [cuts, n] are what they take but for their beginning, and what of that may overlap.
    """

    cut: int
    ends: slice
    bytes: Int32s
    free: Int32s
    best: Int32s
