"""Parting pictures fairly by class: hold-outs, calibration sets, and the arithmetic of fair shares."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from tinynas.data.dataset import Split
from tinynas.errors import DataError, RequestError


def apportion(shares: NDArray[np.float64], total: int) -> NDArray[np.int64]:
    """Whole numbers [k] in proportion to ``shares`` [k] that add up to ``total`` exactly.

    The method of largest remainders: round all down, then give what is left to those cut most
    (the first of equals).
    """
    exact = shares * (total / shares.sum())
    whole: NDArray[np.int64] = np.floor(exact).astype(np.int64)
    missing = total - int(whole.sum())
    whole[np.argsort(whole - exact, kind="stable")[:missing]] += 1
    return whole


def hold_out(split: Split, fraction: float, seed: int) -> tuple[Split, Split]:
    """Part ``split`` into (what is left to train on, what is held out to score with).

    Both keep the proportions of the classes, together hold every picture once, and depend on
    ``seed`` alone. A class of two pictures or more is on both sides; a single picture stays in training.

    Raises:
        RequestError: ``fraction`` is not between 0 and 1.
        DataError: no class has two pictures, so nothing can be held out.
    """
    if not 0 < fraction < 1:
        raise RequestError(f"a hold-out of {fraction} is not a share of the data: give one between 0 and 1")
    _, members, counts = np.unique(split.labels, return_inverse=True, return_counts=True)
    if counts.max() < 2:
        raise DataError(
            "no class has two pictures, so none can be held out: give more pictures of each class"
        )
    wanted = apportion(counts.astype(np.float64), math.ceil(fraction * len(split)))
    held = _rank_within_class(members, seed) < np.clip(wanted, np.minimum(1, counts - 1), counts - 1)[members]
    return split.take(np.flatnonzero(~held)), split.take(np.flatnonzero(held))


def class_balanced(split: Split, count: int, seed: int) -> NDArray[np.uint8]:
    """``count`` pictures, uint8 [count, h, w, c], taken from the classes in turn: int8 calibration data.

    Where a class runs out the others go on; more pictures than there are gives them all.

    Raises:
        RequestError: ``count`` is not positive.
    """
    if count < 1:
        raise RequestError(f"cannot pick {count} pictures for calibration: ask for at least one")
    rank = _rank_within_class(np.unique(split.labels, return_inverse=True)[1], seed)
    chosen: NDArray[np.uint8] = split.images[np.lexsort((split.labels, rank))[:count]]
    return chosen


def _rank_within_class(members: NDArray[np.intp], seed: int) -> NDArray[np.intp]:
    """Each picture's place [n] in a random order of its own class: 0 for the first of every class."""
    shuffled = np.random.default_rng(seed).permutation(len(members))
    by_class = shuffled[np.argsort(members[shuffled], kind="stable")]
    counts = np.bincount(members)
    rank = np.empty(len(members), np.intp)
    rank[by_class] = np.arange(len(members)) - np.repeat(np.cumsum(counts) - counts, counts)
    return rank
