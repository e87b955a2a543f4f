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
    """Those that no other beats in accuracy, time (see `costs`), SRAM and flash together, best first.

    `scores` may be of one network after ever more training, and the front has its last. Two networks'
    accuracies compare after the longest training that both had; who was trained longest comes first, then
    who is most accurate. Of networks equal in all that counts the first by MACs and genotype text stays.
    """
    climbed = sorted(scores, key=lambda score: score.trained_steps)
    networks = latest(climbed)
    priced = sorted(zip(networks, costs(networks), strict=True), key=_best_first)
    found, prices = [candidate for candidate, _ in priced], np.array([price for _, price in priced])
    accuracies, place = _by_rung(climbed, found), np.arange(len(found))
    front = []
    for i, candidate in enumerate(found):
        gain = _gain(accuracies, i)
        cheaper = prices - prices[i]
        no_worse = (gain >= 0) & (cheaper <= 0).all(axis=1)
        if not (no_worse & ((gain > 0) | (cheaper < 0).any(axis=1) | (place < i))).any():
            front.append(candidate)
    return front


def _gain(accuracies: NDArray[np.float64], i: int) -> NDArray[np.float64]:
    """By how much each is more accurate than `i` at the last rung that both reached: [networks]."""
    common = (accuracies - accuracies[i])[:, ::-1]
    last = np.isfinite(common).argmax(axis=1)
    return np.take_along_axis(common, last[:, None], axis=1)[:, 0]


def _best_first(priced: tuple[Candidate[Any], Costs]) -> tuple[Any, ...]:
    candidate, price = priced
    return (
        -candidate.trained_steps,
        -candidate.accuracy,
        *price,
        candidate.footprint.macs,
        candidate.genotype,
    )


def _by_rung(scores: Iterable[Candidate[Any]], networks: Sequence[Candidate[Any]]) -> NDArray[np.float64]:
    """Accuracy of each of `networks` at every rung, the lowest first: [networks, rungs]; else no number."""
    known = {score.key: score.accuracy for score in scores}
    rungs = sorted({steps for _, steps in known})
    return np.array(
        [[known.get((network.genotype, steps), np.nan) for steps in rungs] for network in networks]
    ).reshape(len(networks), len(rungs))
