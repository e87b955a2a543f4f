"""Who beats whom where several things count: fronts one behind the other, and room along each (NSGA-II).

Of Deb, Pratap, Agarwal and Meyarivan (IEEE Trans. Evol. Comput. 6(2), 2002), sections III-A and III-B.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from tinynas.search.candidate import Candidate
from tinynas.search.objective import costs, ranked
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

    What counts are accuracy, time (MACs where that is not known), SRAM and flash.
    """
    # ends of a front are taken in the order they stand in
    found = ranked(candidates)
    if not found:
        return []
    accuracies = np.array([[-candidate.accuracy] for candidate in found])
    losses = np.hstack([accuracies, np.array(costs(found), np.float64)])
    steps = np.array([candidate.trained_steps for candidate in found])
    front, room = np.zeros(len(found), np.int64), np.zeros(len(found))
    for trained in np.unique(steps):
        equal = np.flatnonzero(steps == trained)
        front[equal] = fronts(losses[equal])
        for number in np.unique(front[equal]):
            there = equal[front[equal] == number]
            room[there] = crowding(losses[there])
    order = sorted(range(len(found)), key=lambda i: (-steps[i], front[i], -room[i], i))
    return [found[i] for i in order]
