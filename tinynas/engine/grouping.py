"""Which consecutive operators run together, row by row: cut points that make the arena smallest.

Between two groups feature maps exist whole; inside one they are streamed (see `tinynas.engine.streaming`).
A group's only output may lie over an input that it uses up: its rows may take the bytes of input rows that
no later step reads, from the top row downwards or from the bottom row upwards. What a group needs follows
from where it begins and ends, so the best cuts are a shortest path on which the worst group counts (a
bottleneck path).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tinynas.engine.overlap import Overlap, Overlaps
from tinynas.engine.streaming import RowGraph, Stream

_UNREACHED = 2**62


@dataclass(frozen=True, slots=True)
class Group:
    """Operators `first`..`end` - 1 run together.

    `whole` are the feature maps that exist whole while it runs (tensor indices), `rings` those that live
    and die inside as rings. `bytes` is the least the group needs; `overlap` is what it takes for that.
    """

    first: int
    end: int
    whole: tuple[int, ...]
    rings: tuple[int, ...]
    overlap: Overlap | None
    bytes: int


def best_groups(rows: RowGraph) -> tuple[Group, ...]:
    """The groups whose worst needs least; of all such, the most groups, since layer by layer is fastest."""
    table = GroupTable(rows)
    count = len(rows)
    least = _least_bytes(table)
    allowed = [least + 1] * (count + 1)
    # the most groups that stay within that: a longest path over the groups allowed
    longest = [0] + [-1] * count
    begins = [0] * (count + 1)
    for first in range(count):
        if longest[first] < 0:
            continue
        for end, _ in table.starting_at(first, allowed, enough=least):
            if longest[first] + 1 > longest[end]:
                longest[end], begins[end] = longest[first] + 1, first
    path: list[Group] = []
    end = count
    while end > 0:
        path.append(table.group(begins[end], end, enough=least))
        end = begins[end]
    return tuple(reversed(path))


def _least_bytes(table: GroupTable) -> int:
    """The smallest bytes within which some sequence of groups runs the whole network."""
    count = len(table.rows)
    single = [table.starting_at(op, [_UNREACHED] * (count + 1), enough=_UNREACHED - 1) for op in range(count)]
    known = max(next(groups)[1] for groups in single)
    # cuts where little crosses are the likely ones: they soon bound what any way needs
    for cuts in (table.narrows(), range(1, count + 1)):
        best = [0] + [known] * count
        barred = sorted(set(range(1, count)) - set(cuts))
        for end in barred:
            best[end] = -1
        for first in (0, *cuts):
            if first == count or best[first] >= best[count]:
                continue
            for end, needed in table.starting_at(first, best, enough=best[first]):
                best[end] = max(best[first], needed)
        known = min(known, best[count])
    return known


class GroupTable:
    """The bytes that any group of a network needs."""

    def __init__(self, rows: RowGraph) -> None:
        self.rows = rows
        self._streams = rows.streams
        self._made = [rows.streams[program.output] for program in rows.programs]
        self._crossing = [self._alive_at(cut) for cut in range(len(rows) + 1)]
        self._crossing_bytes = [sum(stream.bytes for stream in cut) for cut in self._crossing]
        self._overlaps = Overlaps(rows)

    def narrows(self) -> list[int]:
        """Cuts that no fewer bytes cross on either side, and the end."""
        size = self._crossing_bytes
        inner = [cut for cut in range(1, len(size) - 1) if size[cut - 1] >= size[cut] <= size[cut + 1]]
        return [*inner, len(size) - 1]

    def starting_at(self, first: int, limits: Sequence[int], enough: int) -> Iterator[tuple[int, int]]:
        """(end, bytes) of the groups from `first` on that need less than `limits[end]`, shortest first.

        A group that needs no more than `enough` is not made smaller by an overlap. No limit is above the
        last one.
        """
        count, rows, crossing_bytes = len(self._made), self.rows, self._crossing_bytes
        rings = kept = working = inner = 0
        # made inside, by the operator from which on they are rings
        waiting: dict[int, list[Stream]] = {}
        # maps that were there before, by the operator that uses them up
        passing = crossing_bytes[first]
        leaving: dict[int, int] = {}
        for stream in self._crossing[first]:
            leaving[stream.last] = leaving.get(stream.last, 0) + stream.bytes
        for operator in range(first, count):
            made = self._made[operator]
            if rows.working[operator]:
                if rows.kernels[operator].keeps:
                    kept += rows.working[operator]
                else:
                    working = max(working, rows.working[operator])
            if made.last < count:
                waiting.setdefault(made.meeting, []).append(made)
            for stream in waiting.pop(operator, ()):
                rings += stream.ring_bytes
                if stream.last < operator:
                    inner -= stream.bytes
            for streams in waiting.values():
                inner += sum(stream.bytes for stream in streams if stream.last == operator)
            passing -= leaving.get(operator, 0)
            workspace = rings + kept + working
            if workspace >= limits[count]:
                return
            end = operator + 1
            if enough >= limits[end]:
                continue
            born = crossing_bytes[end] - passing
            total = crossing_bytes[first] + born + inner + workspace
            alone = born == made.bytes and made.last > operator
            if alone and total > enough:
                total -= self._saved(first, end, total - limits[end])
            if total < limits[end]:
                yield end, total

    def group(self, first: int, end: int, enough: int) -> Group:
        """The group of operators `first`..`end` - 1, as `starting_at` counts it."""
        only = [-1] * len(self._made) + [_UNREACHED]
        only[end] = _UNREACHED
        total = next(size for stop, size in self.starting_at(first, only, enough) if stop == end)
        inside, before = self._made[first:end], self._crossing[first]
        born = [stream for stream in inside if stream.last >= end]
        gone = [stream for stream in inside if stream.last < end]
        inner = [stream for stream in gone if stream.meeting >= end]
        whole = tuple(stream.tensor for stream in (*before, *born, *inner))
        rings = tuple(stream.tensor for stream in gone if stream.meeting < end)
        # allowed where it is not needed too: freedom for the layout
        alone = len(born) == 1 and born[0].producer == end - 1
        overlaps = [
            self._overlaps.find(source, born[0], first) for source in self._dying(first, end) if alone
        ]
        best = max(overlaps, key=self._overlaps.saved, default=None)
        return Group(first, end, whole, rings, best, total)

    def _saved(self, first: int, end: int, wanted: int) -> int:
        """The most bytes that the group's only output saves over an input; 0 where not more than `wanted`."""
        made, most = self._made[end - 1], max(0, wanted)
        for source in self._dying(first, end):
            if self._overlaps.at_most(source, made) > most:
                most = max(most, self._overlaps.saved(self._overlaps.find(source, made, first)))
        return most if most > max(0, wanted) else 0

    def _dying(self, first: int, end: int) -> list[Stream]:
        """The maps that the group uses up."""
        return [stream for stream in self._crossing[first] if first <= stream.last < end]

    def _alive_at(self, cut: int) -> tuple[Stream, ...]:
        """The feature maps that exist between operators `cut` - 1 and `cut`."""
        return tuple(
            stream
            for stream in self._streams.values()
            if stream.producer < cut <= stream.last or (cut == 0 and stream.producer < 0)
        )
