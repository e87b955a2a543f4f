"""The front of a search: networks that no other beats in all that counts together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinynas.search.candidate import Candidate, latest
from tinynas.search.space_protocol import ChoiceT

#: what a network costs, less being better
Costs = tuple[float, ...]


def costs(candidates: Sequence[Candidate[Any]]) -> list[Costs]:
    """Time, SRAM and flash of each; its MACs in the place of time where that is not known of all."""
    if any(candidate.footprint.latency_ms is None for candidate in candidates):
        return [(c.footprint.macs, c.footprint.sram_bytes, c.footprint.flash_bytes) for c in candidates]
    return [
        (c.footprint.latency_ms or 0.0, c.footprint.sram_bytes, c.footprint.flash_bytes) for c in candidates
    ]


def pareto_front(scores: Iterable[Candidate[ChoiceT]]) -> list[Candidate[ChoiceT]]:
    """Those that no other beats in accuracy, time (see `costs`), SRAM and flash, most accurate first.

    `scores` may be of one network after ever more training, and the front has its last. Nobody is beaten by
    longer training: against the last accuracy of a network stands what the other had after no more steps.
    Of networks alike in all that, as long trained, the first by MACs and genotype text stays.
    """
    climbed = sorted(scores, key=lambda score: score.trained_steps)
    networks = latest(climbed)
    priced = sorted(zip(networks, costs(networks), strict=True), key=_most_accurate_first)
    found, prices = [candidate for candidate, _ in priced], np.array([price for _, price in priced])
    accuracies, place = _by_rung(climbed, found), np.arange(len(found))
    last = _last(accuracies)
    front = []
    for i, candidate in enumerate(found):
        gain = accuracies[place, np.minimum(last, last[i])] - candidate.accuracy
        cheaper = prices - prices[i]
        no_worse = (gain >= 0) & (cheaper <= 0).all(axis=1)
        better = (gain > 0) | (cheaper < 0).any(axis=1)
        earlier = (place < i) & (last == last[i])
        if not (no_worse & (better | earlier)).any():
            front.append(candidate)
    return front


def _most_accurate_first(priced: tuple[Candidate[Any], Costs]) -> tuple[Any, ...]:
    candidate, price = priced
    return -candidate.accuracy, *price, candidate.footprint.macs, candidate.genotype


def _by_rung(scores: Iterable[Candidate[Any]], networks: Sequence[Candidate[Any]]) -> NDArray[np.float64]:
    """Accuracy of each of `networks` at every rung, the lowest first: [networks, rungs]; else no number."""
    known = {score.key: score.accuracy for score in scores}
    rungs = sorted({steps for _, steps in known})
    return np.array(
        [[known.get((network.genotype, steps), np.nan) for steps in rungs] for network in networks]
    ).reshape(len(networks), len(rungs))


def _last(accuracies: NDArray[np.float64]) -> NDArray[np.intp]:
    """The highest rung that each reached: [networks]."""
    rungs = np.arange(accuracies.shape[1], dtype=np.intp)
    last: NDArray[np.intp] = np.where(np.isfinite(accuracies), rungs, 0).max(axis=1, initial=0)
    return last
