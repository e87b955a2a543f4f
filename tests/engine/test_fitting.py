"""What fits into so many bytes, and what never does, against all offsets that there are."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, product

from hypothesis import given, settings
from hypothesis import strategies as st

from tinynas.engine.fitting import Conflict, fitted, nothing_smaller
from tinynas.engine.layout import Item, best_offsets
from tinynas.engine.overlap import Overlap

#: of each of some items, its size, and how much of it the next, made of it, must stick out of it at least
_CHAINS = st.lists(st.tuples(st.integers(1, 3), st.integers(-1, 3)), min_size=2, max_size=4)


def _conflicts(sizes: list[int], free: list[int]) -> list[list[Conflict]]:
    """Of items of which each is alive with the next two, and may lie over the one before."""
    found: list[list[Conflict]] = [[] for _ in sizes]
    for item, other in product(range(len(sizes)), repeat=2):
        if 0 < item - other <= 2:
            low, high = -sizes[item], sizes[other]
            if item - other == 1:
                low = max(low, -free[other])
            if low < high:
                found[item].append((other, low, high))
                found[other].append((item, -high, -low))
    return found


def _smallest(sizes: list[int], conflicts: list[list[Conflict]]) -> tuple[int, tuple[int, ...]]:
    """The bytes of the smallest of all layouts, and that."""
    most = sum(sizes)
    possible = [
        (max(offset + size for offset, size in zip(offsets, sizes, strict=True)), offsets)
        for offsets in product(*[range(most - size + 1) for size in sizes])
        if _harmless(offsets, conflicts)
    ]
    return min(possible)


def _harmless(offsets: Sequence[int], conflicts: list[list[Conflict]]) -> bool:
    return not any(
        low < offsets[item] - offsets[other] < high
        for item, known in enumerate(conflicts)
        for other, low, high in known
    )


@settings(max_examples=50, deadline=None)
@given(_CHAINS)
def test_all_that_is_proven_is_so_and_in_small_networks_all_is_proven(chain: list[tuple[int, int]]) -> None:
    sizes, free = [size for size, _ in chain], [out for _, out in chain]
    conflicts = _conflicts(sizes, free)
    least, offsets = _smallest(sizes, conflicts)
    assert nothing_smaller(conflicts, sizes, offsets, least)
    assert fitted(conflicts, sizes, least - 1) == []
    found = fitted(conflicts, sizes, least)
    assert found and _harmless(found, conflicts)
    assert max(offset + size for offset, size in zip(found, sizes, strict=True)) == least
    shifted = [offset + 1 for offset in offsets]
    assert not nothing_smaller(conflicts, sizes, shifted, least + 1)


def test_what_no_order_can_reach_is_proven() -> None:
    # residuals of 4 words, each over the one before but for a word; between them, pairs of which one may lie
    # halfway over the other: 10 words hold every group, and no layout of them all
    items, overlaps = [], {}
    for block in range(3):
        start = 3 * block
        items += [Item(16, start, start + 3), Item(16, start, start + 1), Item(16, start + 1, start + 2)]
        overlaps[3 * block + 1, 3 * block + 2] = Overlap(0, 0, 8, 8, 8)
    for before, after in pairwise(range(0, 9, 3)):
        overlaps[before, after] = Overlap(0, 0, 4, 4, 12)
    offsets, arena = best_offsets(items, overlaps, bound=40)
    assert arena == 44
    assert max(offset + item.size for offset, item in zip(offsets, items, strict=True)) == arena
