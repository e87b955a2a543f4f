"""Offsets in the arena: every whole map, ring and piece of working memory, so that none harms another.

Items that are alive in one group must not share bytes, except that a group's output may begin some bytes
before the input it uses up (`tinynas.engine.grouping.Overlap`). Items are placed one by one at the lowest
offset free of conflict; which goes first decides the result, so several orders are tried.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tinynas.engine.grouping import Group
from tinynas.engine.overlap import Overlap
from tinynas.engine.streaming import RowGraph

#: attempts to reach the bound
_ATTEMPTS = 200


class Item(NamedTuple):
    """`size` bytes that are alive from group `first` to group `last`, both included."""

    size: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Offsets in bytes: of feature maps by tensor index, of working memory by operator; the arena's size.

    `upwards` says which groups must run from the bottom row up. `bound` is the least these groups could
    take: what the worst of them needs.
    """

    maps: dict[int, int]
    working: dict[int, int]
    upwards: tuple[bool, ...]
    arena: int
    bound: int


#: how item j may lie over item i, which it uses up: (i, j) -> overlap
Overlapping = dict[tuple[int, int], Overlap]
#: another item, and the offsets strictly between which harm, counted from its own
_Conflict = tuple[int, int, int]


def lay_out(rows: RowGraph, groups: Sequence[Group]) -> Layout:
    """The smallest arena found for `groups`."""
    tensors, items = _map_items(rows, groups)
    operators, memory = _working_items(rows, groups)
    number = {tensor: index for index, tensor in enumerate(tensors)}
    overlaps = {
        (number[group.overlap.consumed], number[group.overlap.made]): group.overlap
        for group in groups
        if group.overlap is not None
    }
    bound = max(group.bytes for group in groups)
    offsets, arena = best_offsets([*items, *memory], overlaps, bound)
    working = {
        operator: offset
        for served, offset in zip(operators, offsets[len(items) :], strict=True)
        for operator in served
    }
    maps = dict(zip(tensors, offsets, strict=False))
    upwards = tuple(
        group.overlap is not None
        and _runs_upwards(
            group.overlap,
            maps[group.overlap.consumed],
            rows.streams[group.overlap.consumed].bytes,
            maps[group.overlap.made],
        )
        for group in groups
    )
    return Layout(maps, working, upwards, arena, bound)


def best_offsets(items: Sequence[Item], overlaps: Overlapping, bound: int) -> tuple[list[int], int]:
    """Offsets of `items` and the bytes they take: the first order that reaches `bound`, else the best.

    Whatever sticks out beyond the bound is placed earlier the next time.
    """
    best: list[int] = []
    least = -1
    conflicts = _conflicts(items, overlaps)
    sizes = [item.size for item in items]
    urgency = [float(size) for size in sizes]
    offsets = [0] * len(items)
    moved = list(range(len(items)))
    rng = None
    for _ in range(_ATTEMPTS):
        _place(conflicts, urgency, moved, offsets)
        ends = [offset + size for offset, size in zip(offsets, sizes, strict=True)]
        arena = max(ends, default=0)
        if least < 0 or arena < least:
            best, least = offsets.copy(), arena
        if least <= bound:
            break
        rng = rng or random.Random(0)
        moved = [i for i, end in enumerate(ends) if end > bound]
        for i in moved:
            urgency[i] *= 1 + rng.random()
    return best, max(least, 0)


def _map_items(rows: RowGraph, groups: Sequence[Group]) -> tuple[list[int], list[Item]]:
    """Feature maps and how long they are alive."""
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    ringed: set[int] = set()
    for number, group in enumerate(groups):
        ringed.update(group.rings)
        alive = group.whole + group.rings
        last.update(dict.fromkeys(alive, number))
        for tensor in alive:
            first.setdefault(tensor, number)
    streams = rows.streams
    sizes = [streams[t].ring_bytes if t in ringed else streams[t].bytes for t in first]
    return list(first), [Item(size, first[t], last[t]) for t, size in zip(first, sizes, strict=True)]


def _working_items(rows: RowGraph, groups: Sequence[Group]) -> tuple[list[list[int]], list[Item]]:
    """Working memory: a piece for each operator that keeps it, and one that the others of a group share."""
    served: list[list[int]] = []
    items: list[Item] = []
    for number, group in enumerate(groups):
        needing = [op for op in range(group.first, group.end) if rows.working[op]]
        sharing = [op for op in needing if not rows.kernels[op].keeps]
        for operators in ([op] for op in needing if rows.kernels[op].keeps):
            served.append(operators)
            items.append(Item(rows.working[operators[0]], number, number))
        if sharing:
            served.append(sharing)
            items.append(Item(max(rows.working[op] for op in sharing), number, number))
    return served, items


def _conflicts(items: Sequence[Item], overlaps: Overlapping) -> list[list[_Conflict]]:
    """Of each item, all others that are alive in a group with it."""
    found: list[list[_Conflict]] = [[] for _ in items]
    alive: list[int] = []
    # those that begin together in order: an item that lies over another is numbered behind it
    for number in sorted(range(len(items)), key=[item.first for item in items].__getitem__):
        size, first, _ = items[number]
        alive = [other for other in alive if items[other].last >= first]
        for other in alive:
            # where the one must not begin, counted from the beginning of the other
            low, high = -size, items[other].size
            if (other, number) in overlaps:
                low, high = _between(overlaps[other, number], high, size)
            if low < high:
                found[number].append((other, low, high))
                found[other].append((number, -high, -low))
        alive.append(number)
    return found


def _place(
    conflicts: Sequence[Sequence[_Conflict]],
    urgency: Sequence[float],
    moved: Sequence[int],
    offsets: list[int],
) -> None:
    """Each item, the most urgent first, at the lowest offset at which it harms none placed before.

    `offsets` are those before the items `moved` became more urgent: what that cannot change stays.
    """
    # of equals the first
    order = sorted(range(len(conflicts)), key=urgency.__getitem__, reverse=True)
    turn = [0] * len(order)
    for place, number in enumerate(order):
        turn[number] = place
    affected = set(moved)
    if len(affected) < len(order):
        affected.update([other for number in moved for other, _, _ in conflicts[number]])
    for place, number in enumerate(order):
        if number not in affected:
            continue
        forbidden = [
            (offsets[other] + low, offsets[other] + high)
            for other, low, high in conflicts[number]
            if turn[other] < place
        ]
        forbidden.sort()
        offset = 0
        for low, high in forbidden:
            if low >= offset:
                break
            if offset < high:
                offset = high
        if offset != offsets[number]:
            offsets[number] = offset
            affected.update([other for other, _, _ in conflicts[number]])


def _between(overlap: Overlap, consumed: int, made: int) -> tuple[int, int]:
    """Where `made` bytes must not begin, counted from the beginning of the `consumed` bytes they lie over."""
    low = -overlap.down
    high = consumed if overlap.up is None else consumed - made + overlap.up
    return low, high


def _runs_upwards(overlap: Overlap, consumed: int, size: int, made: int) -> bool:
    """Whether rows must run upwards for a map at `made` over one of `size` bytes at `consumed`."""
    return consumed - overlap.down < made < consumed + size
