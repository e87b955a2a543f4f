"""Hold-outs and calibration sets: fair to every class, complete, and the same for the same seed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinynas.data import Split, class_balanced, describe, hold_out, load_dataset
from tinynas.data.splitting import apportion
from tinynas.errors import DataError, RequestError

labels_of_some_classes = st.lists(st.integers(0, 4), min_size=2, max_size=80).filter(
    lambda labels: max(labels.count(value) for value in labels) >= 2
)


def numbered(labels: list[int]) -> Split:
    """One-pixel-wide pictures that carry their own number, so that each can be followed."""
    count = len(labels)
    numbers = np.arange(count, dtype=np.uint16).view(np.uint8).reshape(count, 1, 1, 2)
    return Split(numbers, np.array(labels, np.int64))


def numbers_in(images: np.ndarray) -> list[int]:
    return np.ascontiguousarray(images).reshape(-1, 2).view(np.uint16)[:, 0].tolist()


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=20).filter(any), st.integers(0, 5000))
def test_apportion_gives_all_and_rounds_by_less_than_one(shares: list[int], total: int) -> None:
    exact = np.array(shares, np.float64)
    whole = apportion(exact, total)
    assert whole.sum() == total
    assert whole.min() >= 0
    assert np.abs(whole - exact * total / exact.sum()).max() < 1 + 1e-9


@given(labels_of_some_classes, st.floats(0.05, 0.95), st.integers(0, 2**31))
def test_hold_out_is_complete_disjoint_and_stratified(labels: list[int], fraction: float, seed: int) -> None:
    kept, held = hold_out(numbered(labels), fraction, seed)
    numbers = numbers_in(kept.images) + numbers_in(held.images)
    assert sorted(numbers) == list(range(len(labels)))
    for part in (kept, held):
        assert part.labels.tolist() == [labels[number] for number in numbers_in(part.images)]
    for value in set(labels):
        count, there = labels.count(value), int((held.labels == value).sum())
        if count == 1:
            assert there == 0
        else:
            assert 1 <= there <= count - 1
            # one for rounding, and one more as the total is rounded up
            assert abs(there - fraction * count) < 2


@given(labels_of_some_classes, st.integers(0, 2**31))
def test_hold_out_depends_on_the_seed_alone(labels: list[int], seed: int) -> None:
    once, again = (hold_out(numbered(labels), 0.3, seed)[1] for _ in range(2))
    assert numbers_in(once.images) == numbers_in(again.images)


def test_another_seed_holds_out_others() -> None:
    split = numbered([0, 1] * 50)
    assert numbers_in(hold_out(split, 0.2, 0)[1].images) != numbers_in(hold_out(split, 0.2, 1)[1].images)


def test_hold_out_of_the_size_asked() -> None:
    kept, held = hold_out(numbered([0] * 50 + [1] * 30 + [2] * 20), 0.1, 7)
    assert np.bincount(held.labels).tolist() == [5, 3, 2]
    assert len(kept) == 90


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, math.nan])
def test_hold_out_refuses_what_is_no_share(fraction: float) -> None:
    with pytest.raises(RequestError, match="between 0 and 1"):
        hold_out(numbered([0, 0, 1, 1]), fraction, 0)


def test_nothing_to_hold_out() -> None:
    with pytest.raises(DataError, match="no class has two pictures"):
        hold_out(numbered([0, 1, 2]), 0.5, 0)


@given(labels_of_some_classes, st.integers(1, 100), st.integers(0, 2**31))
def test_calibration_pictures_come_from_the_classes_in_turn(labels: list[int], count: int, seed: int) -> None:
    chosen = numbers_in(class_balanced(numbered(labels), count, seed))
    assert len(chosen) == len(set(chosen)) == min(count, len(labels))
    taken = {value: [labels[number] for number in chosen].count(value) for value in set(labels)}
    most = max(taken.values())
    for value, number in taken.items():
        assert number == labels.count(value) or number >= most - 1


def test_calibration_refuses_no_pictures() -> None:
    with pytest.raises(RequestError, match="at least one"):
        class_balanced(numbered([0, 1]), 0, 0)


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        (np.zeros((2, 4, 4), np.uint8), np.zeros(2, np.int64)),
        (np.zeros((2, 4, 4, 1), np.float32), np.zeros(2, np.int64)),
        (np.zeros((2, 4, 4, 1), np.uint8), np.zeros(3, np.int64)),
        (np.zeros((2, 4, 4, 1), np.uint8), np.zeros(2, np.int32)),
        (np.zeros((0, 4, 4, 1), np.uint8), np.zeros(0, np.int64)),
    ],
)
def test_a_split_refuses_what_does_not_fit_together(images: np.ndarray, labels: np.ndarray) -> None:
    with pytest.raises(DataError):
        Split(images, labels)


def test_digits_are_there_without_a_network() -> None:
    digits = load_dataset("digits", seed=5)
    assert describe(digits) == "digits: 1,437 + 360 pictures of 8x8x1, 10 classes"
    assert (digits.native_resolution, digits.channels) == (8, 1)
    assert digits.train.images.max() == 255
    assert np.bincount(digits.test.labels).min() >= 34
    assert np.array_equal(load_dataset("digits", seed=6).test.images, digits.test.images)
