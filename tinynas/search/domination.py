"""Who beats whom where several things count: fronts one behind the other, and room along each (NSGA-II).

Of Deb, Pratap, Agarwal and Meyarivan (IEEE Trans. Evol. Comput. 6(2), 2002), sections III-A and III-B.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from tinynas.search.candidate import Candidate
from tinynas.search.front import costs
from tinynas.search.objective import ranked
from tinynas.search.space_protocol import ChoiceT

#: [n, m] figures of n networks, less being better
Losses = NDArray[np.float64]


def fronts(losses: Losses) -> NDArray[np.int64]:
    """The front of each: 0 where nobody beats it, 1 where only those of front 0 do, ...: [n]."""
    count = len(losses)
    front, number = np.full(count, -1, np.int64), 0
    no_worse = (losses[:, None, :] <= losses[None, :, :]).all(axis=2)
    beats = no_worse & ~no_worse.T
    while (open_ := front < 0).any():
        front[open_ & ~beats[open_].any(axis=0)] = number
        number += 1
    return front


def crowding(losses: Losses) -> NDArray[np.float64]:
    """How far apart the neighbours of each along its front lie, in shares of it; the ends endless: [n]."""
    room = np.zeros(len(losses))
    for column in losses.T:
        order = np.argsort(column, kind="stable")
        spread = column[order[-1]] - column[order[0]]
        room[order[[0, -1]]] = np.inf
        if spread > 0:
            room[order[1:-1]] += (column[order[2:]] - column[order[:-2]]) / spread
    return room


def by_domination(candidates: Iterable[Candidate[ChoiceT]]) -> list[Candidate[ChoiceT]]:
    """Best first, whatever order they came in: by steps trained, front, room on it, then as `ranked`.

    What counts are accuracy, time (MACs where that is not known), SRAM and flash. Who does not fit comes
    last, the nearer to fitting the sooner (Deb's constraint-domination).
    """
    # ends of a front are taken in the order they stand in
    found = ranked(candidates)
    placed: list[Candidate[ChoiceT]] = []
    for _, group in groupby(found, key=lambda c: (c.trained_steps, c.fits)):
        equals = list(group)
        placed += _by_front(equals) if equals[0].fits else equals
    return placed


def _by_front(equals: list[Candidate[ChoiceT]]) -> list[Candidate[ChoiceT]]:
    """Of networks after equal training."""
    accuracies = np.array([[-candidate.accuracy] for candidate in equals])
    losses = np.hstack([accuracies, np.array(costs(equals), np.float64)])
    front, room = fronts(losses), np.zeros(len(equals))
    for number in range(int(front.max()) + 1):
        there = front == number
        room[there] = crowding(losses[there])
    return [equals[i] for i in sorted(range(len(equals)), key=lambda i: (front[i], -room[i], i))]
