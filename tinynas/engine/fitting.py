"""Whether items fit into so many bytes: offsets where they do, or the proof that they never do.

That no layout of a network is smaller mostly shows in a few of its items.

Of two items that are alive together one lies above the other, by some distance at least: one of two
inequalities between their offsets. Most follow from what is left of the bytes, by constraint propagation; of
the others both are tried (disjunctive constraints, as in J. Carlier and E. Pinson, "An algorithm for solving
the job-shop problem", Management Science 35, 1989).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

#: another item, and the offsets strictly between which harm, counted from its own
Conflict = tuple[int, int, int]
#: item, other, low, high: the offset of `item` less that of `other` is not strictly between
_Pair = tuple[int, int, int, int]
#: lower, upper, distance: `upper` begins at least so far behind the beginning of `lower`
_Above = tuple[int, int, int]

#: items that stick out, around each of which a proof is looked for
_MOST_STARTS = 3
#: how far around it, counted in conflicts
_HOPS = (2, 3, 4)
#: items of less than this part of the bytes fit in anywhere
_SMALL = 12
#: items of a proof
_MOST_ITEMS = 24
#: cases that may be looked at, and their items together
_MOST_CASES, _MOST_WORK = 300, 30_000


def nothing_smaller(
    conflicts: Sequence[Sequence[Conflict]], sizes: Sequence[int], offsets: Sequence[int], arena: int
) -> bool:
    """Whether it is proven that items of `sizes` take `arena` bytes at least, as they do at `offsets`.

    Not all that is true is proven: only some items are looked at, those around what sticks out most.
    """
    last = [i for i, size in enumerate(sizes) if offsets[i] + size == arena]
    last.sort(key=sizes.__getitem__, reverse=True)
    return any(_never_fits_around(start, conflicts, sizes, arena - 1) for start in last[:_MOST_STARTS])


def _never_fits_around(
    start: int, conflicts: Sequence[Sequence[Conflict]], sizes: Sequence[int], capacity: int
) -> bool:
    """Whether `start` and the larger items around it never fit into `capacity` bytes."""
    near, rim = {start}, {start}
    for hop in range(1, _HOPS[-1] + 1):
        beside = {other for item in rim for other, _, _ in conflicts[item]} - near
        rim = {item for item in beside if sizes[item] * _SMALL > capacity}
        near |= rim
        if hop not in _HOPS:
            continue
        if len(near) > _MOST_ITEMS:
            return False
        offsets = _fitted(sorted(near), conflicts, sizes, capacity)
        if not offsets:
            return offsets is not None
    return False


def fitted(conflicts: Sequence[Sequence[Conflict]], sizes: Sequence[int], capacity: int) -> list[int] | None:
    """Offsets at which all items of `sizes` lie within `capacity` bytes.

    Nothing where there are none, None where to tell would take too long.
    """
    return _fitted(range(len(sizes)), conflicts, sizes, capacity)


def _fitted(
    items: Sequence[int], conflicts: Sequence[Sequence[Conflict]], sizes: Sequence[int], capacity: int
) -> list[int] | None:
    """The same of `items` alone."""
    number = {item: index for index, item in enumerate(items)}
    pairs = [
        (number[item], number[other], low, high)
        for item in items
        for other, low, high in conflicts[item]
        if other < item and other in number
    ]
    highs = [capacity - sizes[item] for item in items]
    cases = [_Case([0] * len(items), highs, [], pairs)] if min(highs) >= 0 else []
    for _ in range(min(_MOST_CASES, _MOST_WORK // len(items))):
        if not cases:
            return []
        case = cases.pop()
        if case.narrow():
            harmed = case.harmed()
            if harmed is None:
                return case.lows
            cases += case.split(harmed)
    return None


@dataclass(slots=True)
class _Case:
    """Offsets are between `lows` and `highs`; of pairs that are not `free` it is known which lies `above`."""

    lows: list[int]
    highs: list[int]
    above: list[_Above]
    free: list[_Pair]

    def narrow(self) -> bool:
        """Draw all conclusions; False: there are no such offsets."""
        undecided = -1
        while undecided != len(self.free):
            undecided = len(self.free)
            if not (self._decide() and self._propagate()):
                return False
        return True

    def harmed(self) -> _Pair | None:
        """The pair that most is to be gained from deciding, of those in conflict if all lie lowest."""
        lows = self.lows
        found = [pair for pair in self.free if pair[2] < lows[pair[0]] - lows[pair[1]] < pair[3]]
        return max(found, key=lambda pair: pair[3] - pair[2], default=None)

    def split(self, pair: _Pair) -> list[_Case]:
        """The two cases of `pair`."""
        item, other, low, high = pair
        free = [each for each in self.free if each != pair]
        return [
            _Case(self.lows.copy(), self.highs.copy(), [*self.above, above], free)
            for above in ((item, other, -low), (other, item, high))
        ]

    def _decide(self) -> bool:
        """Which of two items lies above where only one of them can; False: neither can."""
        lows, highs, free = self.lows, self.highs, []
        for pair in self.free:
            item, other, low, high = pair
            above, below = lows[other] + high <= highs[item], lows[item] - low <= highs[other]
            if above and below:
                free.append(pair)
            elif above:
                self.above.append((other, item, high))
            elif below:
                self.above.append((item, other, -low))
            else:
                return False
        self.free = free
        return True

    def _propagate(self) -> bool:
        """Move the limits of offsets as far as what lies above moves them; False: they cross."""
        lows, highs = self.lows, self.highs
        moved = True
        while moved:
            moved = False
            for lower, upper, distance in self.above:
                if lows[lower] + distance > lows[upper]:
                    lows[upper] = lows[lower] + distance
                    moved = True
                if highs[upper] - distance < highs[lower]:
                    highs[lower] = highs[upper] - distance
                    moved = True
                if lows[upper] > highs[upper] or lows[lower] > highs[lower]:
                    return False
        return True
