"""Offsets in the arena: every whole map, ring and piece of working memory, so that none harms another.

Items that are alive in one group must not share bytes, except that a group's output may begin some bytes
before the input it uses up (`tinynas.engine.grouping.Overlap`). Items are placed one by one at the lowest
offset free of conflict; which goes first decides the result, so several orders are tried.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import add
from typing import NamedTuple

from tinynas.engine.fitting import Conflict, fitted, nothing_smaller
from tinynas.engine.grouping import Group
from tinynas.engine.overlap import Overlap
from tinynas.engine.streaming import RowGraph

#: attempts to better the order by size, before other orders are tried and altogether
_FIRST, _ATTEMPTS = 8, 200
#: of those others
_ORDERS = 3
#: how often items are fitted into fewer bytes
_SQUEEZES = 20


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

    Nothing more is tried once it is proven that no layout takes fewer bytes. Where no order leads there,
    items are fitted into fewer and fewer bytes at last, whatever the order.
    """
    conflicts = _conflicts(items, overlaps)
    sizes = [item.size for item in items]
    best: list[int] = []
    least, looked_at = -1, 0
    for attempt, offsets in enumerate(_attempts(items, conflicts, bound), start=1):
        arena = _end(offsets, sizes)
        if least < 0 or arena < least:
            best, least = offsets.copy(), arena
        if least <= bound:
            return best, least
        if attempt > _FIRST + _ORDERS and least != looked_at:
            looked_at = least
            if nothing_smaller(conflicts, sizes, best, least):
                return best, least
    best = _squeezed(conflicts, sizes, bound, least) or best
    return best, _end(best, sizes)


def _squeezed(
    conflicts: Sequence[Sequence[Conflict]], sizes: Sequence[int], bound: int, arena: int
) -> list[int]:
    """Offsets that take less than `arena` bytes, as near `bound` as is found soon; nothing if none are."""
    best: list[int] = []
    for _ in range(_SQUEEZES):
        found = fitted(conflicts, sizes, arena - 1)
        if not found:
            break
        best, arena = found, _end(found, sizes)
        if arena <= bound:
            break
    return best


def _end(offsets: Sequence[int], sizes: Sequence[int]) -> int:
    """Bytes of the arena."""
    return max(map(add, offsets, sizes), default=0)


def _attempts(
    items: Sequence[Item], conflicts: Sequence[Sequence[Conflict]], bound: int
) -> Iterator[list[int]]:
    """Offsets of `items`, placed in one order after another; the list changes with the next.

    Whatever sticks out beyond `bound` of those placed by size is placed earlier the next time. After the
    `_FIRST` of these attempts come other orders that lead to few bytes.
    """
    everything = range(len(items))
    urgency = [float(item.size) for item in items]
    offsets = [0] * len(items)
    _place(conflicts, urgency, everything, offsets)
    yield offsets
    rng = random.Random(0)
    for attempt in range(_ATTEMPTS):
        if attempt == _FIRST:
            others = [0] * len(items)
            for order in _other_orders(items):
                _place(conflicts, order, everything, others)
                yield others
        moved = [i for i, item in enumerate(items) if offsets[i] + item.size > bound]
        for i in moved:
            urgency[i] *= 1 + rng.random()
        _place(conflicts, urgency, moved, offsets)
        yield offsets


def _other_orders(items: Sequence[Item]) -> Iterator[list[float]]:
    """Urgencies: the more, the fuller the fullest of an item's groups, or the larger it is.

    Of equals the one that lives longer, or later, goes first.
    """
    count = 1 + max(item.last for item in items)
    held = [0] * count
    for size, first, last in items:
        for group in range(first, last + 1):
            held[group] += size
    fullest = [max(held[first : last + 1]) for _, first, last in items]
    yield [full + (last - first) / count for full, (_, first, last) in zip(fullest, items, strict=True)]
    yield [full + last / count for full, (_, _, last) in zip(fullest, items, strict=True)]
    yield [size + last / count for size, _, last in items]


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


def _conflicts(items: Sequence[Item], overlaps: Overlapping) -> list[list[Conflict]]:
    """Of each item, all others that are alive in a group with it."""
    found: list[list[Conflict]] = [[] for _ in items]
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
    conflicts: Sequence[Sequence[Conflict]],
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
