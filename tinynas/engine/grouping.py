"""Which consecutive operators run together, row by row: cut points that make the arena smallest.

Between two groups feature maps exist whole; inside one they are streamed (see `tinynas.engine.streaming`).
A group's only output may lie over an input that it uses up: its rows may take the bytes of input rows that
no later step reads, from the top row downwards or from the bottom row upwards. What a group needs follows
from where it begins and ends, so the best cuts are a shortest path on which the worst group counts (a
bottleneck path).

Of nearly all groups a bound is enough: what they need without an overlap, or with one that costs nothing.
So the limit is raised from the least that any way needs, bound by bound, until a way stays within it; only
groups for which that decides are worked out.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tinynas.engine.overlap import Overlap, Overlaps
from tinynas.engine.streaming import RowGraph, Stream

Ints = NDArray[np.int64]
#: more bytes than any group needs
_NEVER = 2**62


class Group(NamedTuple):
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


def best_groups(rows: RowGraph, enough: int = 0) -> tuple[Group, ...]:
    """The groups whose worst needs least; of all such, the most groups, since layer by layer is fastest.

    Those that need no more than `enough` bytes are as good as any smaller ones.
    """
    table = GroupTable(rows)
    limit, begins = _raised(table, enough)
    path: list[tuple[int, int]] = []
    end = len(rows)
    while end > 0:
        path.append((begins[end], end))
        end = begins[end]
    return tuple(table.group(first, end, enough=limit) for first, end in reversed(path))


def least_bytes(rows: RowGraph, enough: int = 0) -> int:
    """What the worst of the best groups needs, or `enough` where some need no more than that."""
    return _raised(GroupTable(rows), enough)[0]


def _raised(table: GroupTable, limit: int) -> tuple[int, list[int]]:
    """The least bytes, but no fewer than `limit`, that a way stays within, and where its groups begin."""
    limit = max(limit, table.least_of_any_way())
    while True:
        longest, begins = _most_groups(table, limit)
        if longest[-1] >= 0:
            return limit, begins
        limit = table.least_between([cut for cut, groups in enumerate(longest) if groups >= 0])


def _most_groups(table: GroupTable, limit: int) -> tuple[list[int], list[int]]:
    """By cut, the most groups within `limit` that lead there, -1: none do; and where the last one begins."""
    count = len(table.rows)
    longest, begins = [0] + [-1] * count, [0] * (count + 1)
    for first, end, sure in table.useful_within(limit):
        if 0 <= longest[first] >= longest[end] and (sure or table.needs(first, end) <= limit):
            longest[end], begins[end] = longest[first] + 1, first
    return longest, begins


class GroupTable:
    """The bytes that any group of a network needs.

    Arrays are [first, end], and say nothing where the end is not behind the first.
    """

    def __init__(self, rows: RowGraph) -> None:
        self.rows = rows
        self._made = [rows.streams[program.output] for program in rows.programs]
        #: of what the operator before each cut makes
        self._sizes = np.array([0, *[stream.bytes for stream in self._made]], np.int64)
        self._crossing = self._alive()
        self._alive_bytes = [[stream.bytes for stream in alive] for alive in self._crossing]
        self._overlaps = Overlaps(rows)
        self._overlap: dict[tuple[int, int], Overlap | None] = {}
        self._alone_since = [self._first_alone(end) for end in range(len(rows) + 1)]
        #: what each group needs whose output lies over nothing
        self._apart = self._without_overlaps()
        most_saved = self._most_saved()
        #: what each needs at least, and whether an overlap not worked out yet may make it smaller
        self._least = np.where(_backwards(len(rows)), _NEVER, self._apart - most_saved)
        self._open = most_saved > 0
        self._work_out_alone()

    def least_of_any_way(self) -> int:
        """Bytes that no sequence of groups runs the network within: each operator is in one of them."""
        widest = np.minimum.accumulate(self._least, axis=0)
        widest = np.minimum.accumulate(widest[:, ::-1], axis=1)[:, ::-1]
        return int(widest.diagonal(1).max())

    def least_between(self, reached: list[int]) -> int:
        """Bytes that the groups which lead from any of the cuts `reached` to any other need at least."""
        onwards = self._least[reached]
        onwards[:, reached] = _NEVER
        return int(onwards.min())

    def useful_within(self, limit: int) -> list[tuple[int, int, bool]]:
        """(first, end) of the groups within `limit`, in order, but for those whose every operator is too.

        Operators that are within it one by one are more groups so. The last says whether the group is within
        it for sure; of others an overlap decides that is not worked out yet.
        """
        useful = self._least <= limit
        hard = np.zeros(len(useful), np.int64)
        within = useful.diagonal(1)
        np.cumsum(~within, out=hard[1:])
        useful = (hard[:, None] < hard) & useful
        ops = np.arange(len(self.rows))
        useful[ops, ops + 1] = within
        firsts, ends = np.nonzero(useful)
        sure = ~self._open[firsts, ends] | (self._apart[firsts, ends] <= limit)
        return list(zip(firsts.tolist(), ends.tolist(), sure.tolist(), strict=True))

    def needs(self, first: int, end: int) -> int:
        """What the group of operators `first`..`end` - 1 needs exactly."""
        if (first, end) not in self._overlap:
            overlap = self._overlap[first, end] = self._best_overlap(first, end)
            self._least[first, end] = self._apart[first, end] - (overlap.saved if overlap else 0)
            self._open[first, end] = False
        return int(self._least[first, end])

    def _work_out_alone(self) -> None:
        """What each operator by itself needs exactly."""
        saved = []
        for op in range(len(self.rows)):
            best = self._overlap[op, op + 1] = self._best_overlap(op, op + 1)
            saved.append(best.saved if best else 0)
        ops = np.arange(len(saved))
        self._least[ops, ops + 1] = self._apart[ops, ops + 1] - saved
        self._open[ops, ops + 1] = False

    def group(self, first: int, end: int, enough: int) -> Group:
        """The group of operators `first`..`end` - 1.

        One that needs no more than `enough` is not made smaller by an overlap.
        """
        least = self.needs(first, end)
        whole = [stream.tensor for stream in self._crossing[first]]
        inner: list[int] = []
        rings: list[int] = []
        for stream in self._made[first:end]:
            kept = whole if stream.last >= end else inner if stream.meeting >= end else rings
            kept.append(stream.tensor)
        apart = self._apart.item(first, end)
        # an overlap is allowed where it is not needed too: freedom for the layout
        overlap = self._overlap[first, end]
        return Group(
            first, end, tuple(whole + inner), tuple(rings), overlap, apart if apart <= enough else least
        )

    def _alive(self) -> list[list[Stream]]:
        """The feature maps that exist at each cut, cut j behind operator j - 1."""
        count = len(self.rows)
        crossing: list[list[Stream]] = [[] for _ in range(count + 1)]
        for stream in self.rows.streams.values():
            # an input that nobody reads is there in the beginning
            last = max(stream.last, 0) if stream.producer < 0 else stream.last
            for cut in range(stream.producer + 1, min(last, count) + 1):
                crossing[cut].append(stream)
        return crossing

    def _without_overlaps(self) -> Ints:
        """Bytes of each group: maps there before and all made inside, as rings where they can be."""
        count = len(self.rows)
        streamed = np.zeros((count + 1, count + 1), np.int64)
        for stream in self._made:
            if stream.meeting < count:
                streamed[stream.producer, stream.meeting + 1] = stream.bytes - stream.ring_bytes
        streamed = streamed[::-1].cumsum(axis=0)[::-1].cumsum(axis=1)
        working = np.array(self.rows.working, np.int64)
        keeps = np.array([kernel.keeps for kernel in self.rows.kernels])
        lasting = np.concatenate([[0], np.cumsum(self._sizes[1:] + working * keeps)])
        shared = np.zeros_like(streamed)
        for op in np.flatnonzero(working * ~keeps):
            groups = shared[: op + 1, op + 1 :]
            np.maximum(groups, working[op], out=groups)
        before = np.array([sum(sizes) for sizes in self._alive_bytes])
        apart: Ints = (before - lasting)[:, None] + lasting
        apart += shared
        apart -= streamed
        return apart

    def _most_saved(self) -> Ints:
        """Bytes that each group saves at most by an overlap: all of the smaller map."""
        largest = np.array([max(sizes, default=0) for sizes in self._alive_bytes])
        alone = np.array(self._alone_since) <= np.arange(len(largest))[:, None]
        most: Ints = alone * np.minimum(largest[:, None], self._sizes)
        return most

    def _first_alone(self, end: int) -> int:
        """The first cut from which on a group to `end` leaves nothing but the last operator's output."""
        alive = self._crossing[end]
        if not end or self._made[end - 1].last < end:
            return end
        # maps are in the order in which they are made
        return alive[-2].producer + 1 if len(alive) > 1 else 0

    def _best_overlap(self, first: int, end: int) -> Overlap | None:
        """The only output of a group over a map that it uses up; none where it leaves others.

        Of maps that save as much it lies over the one made last: a sum of a block's input and of what the
        block made of it begins where that was, and so the input, which lies at an end of the arena as long
        as the block runs, never has to move away from there by a row.
        """
        if self._alone_since[end] > first:
            return None
        made = self._made[end - 1]
        found = [
            self._overlaps.find(self._reader(source, first), source, made)
            for source in self._crossing[first]
            if first <= source.last < end
        ]
        return max(reversed(found), key=_saved, default=None)

    def _reader(self, source: Stream, first: int) -> int:
        """The first operator from `first` on that reads `source`."""
        return next(op for op, _ in self.rows.consumers[source.tensor] if op >= first)


@cache
def _backwards(count: int) -> NDArray[np.bool_]:
    """Where the end is not behind the first, of so many operators."""
    return np.tri(count + 1, dtype=bool)


def _saved(overlap: Overlap) -> int:
    return overlap.saved
